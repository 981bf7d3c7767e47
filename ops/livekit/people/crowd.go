package main

import (
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

const (
	frame  = 20 * time.Millisecond
	phases = 10 // moments of the 20 ms at which one after the other speaks, as people do
	clock  = 48_000
	pause  = 200 * time.Millisecond // without a packet: what follows is another stretch of speech
)

// crowd is everybody: one clock lets all speak, one lock keeps what all have heard.
type crowd struct {
	packets [][]byte
	shift   int
	lock    sync.Mutex
	voices  []voice
	counted report
}

type voice struct {
	number int
	track  *webrtc.TrackLocalStaticSample
}

func newCrowd(told script) *crowd {
	return &crowd{packets: told.Packets, shift: told.Shift}
}

// speaks adds somebody's microphone; from now on it is spoken into.
func (c *crowd) speaks(number int, track *webrtc.TrackLocalStaticSample) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.voices = append(c.voices, voice{number, track})
}

func (c *crowd) speak() {
	due := time.Now()
	for step := 0; ; step++ {
		due = due.Add(frame / phases)
		time.Sleep(time.Until(due))
		late := time.Since(due)
		c.lock.Lock()
		c.counted.OwnMs = append(c.counted.OwnMs, milliseconds(late))
		voices := c.voices
		c.lock.Unlock()
		for place := step % phases; place < len(voices); place += phases {
			one := voices[place]
			packet := c.packets[(step/phases+one.number*c.shift)%len(c.packets)]
			// Refused while a connection is not there yet: people speak before they are heard, too.
			_ = one.track.WriteSample(media.Sample{Data: packet, Duration: frame})
		}
	}
}

// listen counts the packets of one agent's voice until its track ends.
func (c *crowd) listen(track *webrtc.TrackRemote) {
	var stretch stretch
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		late := stretch.late(packet, time.Now())
		c.lock.Lock()
		c.counted.Packets++
		c.counted.LateMs = append(c.counted.LateMs, milliseconds(late))
		c.lock.Unlock()
	}
}

func (c *crowd) measure() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.counted = report{LateMs: []float64{}, OwnMs: []float64{}}
}

func (c *crowd) report() report {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.counted
}

// stretch is one stretch of speech: packets that follow each other without a pause.
type stretch struct {
	last     time.Time
	first    uint32    // timestamp its packets are counted from
	earliest time.Time // when a packet of timestamp `first` would have come at the earliest, as far as is known
}

// late says how much later than its place in its stretch a packet came; the earliest one sets the places.
func (s *stretch) late(packet *rtp.Packet, now time.Time) time.Duration {
	if packet.Marker || now.Sub(s.last) > pause {
		s.first, s.earliest = packet.Timestamp, now
	}
	s.last = now
	begin := now.Add(-time.Duration(int32(packet.Timestamp-s.first)) * time.Second / clock)
	if begin.Before(s.earliest) {
		s.earliest = begin
	}
	return begin.Sub(s.earliest)
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration.Microseconds()) / 1e3
}
