package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/livekit/protocol/livekit"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"
)

const (
	protocol   = "15" // of LiveKit's signalling: two connections, the subscriber's offered by the server
	joinWithin = 20 * time.Second
	pingEvery  = 5 * time.Second
)

// person is one participant: a signalling connection, and a peer connection for each direction.
type person struct {
	socket  *websocket.Conn
	writing sync.Mutex
	peers   map[livekit.SignalTarget]*webrtc.PeerConnection
	early   map[livekit.SignalTarget][]webrtc.ICECandidateInit // candidates that came before what they belong to
	heard   func(*webrtc.TrackRemote)
}

// join brings one more person into the room of the token, with a microphone that is spoken into from then on.
func (c *crowd) join(server, token string, number int) error {
	query := url.Values{"access_token": {token}, "protocol": {protocol}, "sdk": {"go"}, "auto_subscribe": {"1"}}
	socket, _, err := websocket.DefaultDialer.Dial(server+"/rtc?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	someone := &person{
		socket: socket,
		peers:  map[livekit.SignalTarget]*webrtc.PeerConnection{},
		early:  map[livekit.SignalTarget][]webrtc.ICECandidateInit{},
		heard:  c.listen,
	}
	if err := someone.enter(); err != nil {
		return err
	}
	track, err := someone.publish()
	if err != nil {
		return err
	}
	connected := make(chan error, 2)
	someone.peers[livekit.SignalTarget_PUBLISHER].OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			c.speaks(number, track)
			connected <- nil
		}
	})
	go func() { connected <- someone.obey() }()
	go someone.ping()
	select {
	case err := <-connected:
		return err
	case <-time.After(joinWithin):
		return fmt.Errorf("no connection for its sound within %v", joinWithin)
	}
}

// enter waits for the server's welcome and prepares both connections.
func (p *person) enter() error {
	message, err := p.read()
	if err != nil {
		return err
	}
	if message.GetJoin() == nil {
		return fmt.Errorf("expected to be let in, the server said %T", message.Message)
	}
	for _, target := range []livekit.SignalTarget{livekit.SignalTarget_PUBLISHER, livekit.SignalTarget_SUBSCRIBER} {
		peer, err := newPeer()
		if err != nil {
			return err
		}
		p.peers[target] = peer
		peer.OnICECandidate(func(candidate *webrtc.ICECandidate) {
			if candidate != nil {
				text, _ := json.Marshal(candidate.ToJSON())
				trickle := &livekit.TrickleRequest{CandidateInit: string(text), Target: target}
				_ = p.write(&livekit.SignalRequest{Message: &livekit.SignalRequest_Trickle{Trickle: trickle}})
			}
		})
	}
	p.peers[livekit.SignalTarget_SUBSCRIBER].OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		p.heard(track)
	})
	return nil
}

// newPeer is a connection that speaks Opus over IPv4 and sends no reports: nobody adapts to them here.
func newPeer() (*webrtc.PeerConnection, error) {
	var codecs webrtc.MediaEngine
	opus := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: clock, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
		PayloadType: 111,
	}
	if err := codecs.RegisterCodec(opus, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api := webrtc.NewAPI(
		webrtc.WithMediaEngine(&codecs),
		webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	)
	return api.NewPeerConnection(webrtc.Configuration{})
}

// publish offers a microphone.
func (p *person) publish() (*webrtc.TrackLocalStaticSample, error) {
	track, err := webrtc.NewTrackLocalStaticSample(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: clock, Channels: 2}, "microphone", "people",
	)
	if err != nil {
		return nil, err
	}
	peer := p.peers[livekit.SignalTarget_PUBLISHER]
	if _, err := peer.AddTrack(track); err != nil {
		return nil, err
	}
	add := &livekit.AddTrackRequest{
		Cid: track.ID(), Name: "microphone", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE,
	}
	if err := p.write(&livekit.SignalRequest{Message: &livekit.SignalRequest_AddTrack{AddTrack: add}}); err != nil {
		return nil, err
	}
	offer, err := peer.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	if err := peer.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	description := &livekit.SessionDescription{Type: "offer", Sdp: offer.SDP}
	return track, p.write(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{Offer: description}})
}

// obey does what the server says until it hangs up.
func (p *person) obey() error {
	for {
		message, err := p.read()
		if err != nil {
			return err
		}
		switch said := message.Message.(type) {
		case *livekit.SignalResponse_Answer:
			err = p.describe(livekit.SignalTarget_PUBLISHER, webrtc.SDPTypeAnswer, said.Answer.Sdp)
		case *livekit.SignalResponse_Offer:
			err = p.answer(said.Offer)
		case *livekit.SignalResponse_Trickle:
			err = p.candidate(said.Trickle)
		case *livekit.SignalResponse_Leave:
			err = errors.New("the server ended it: " + said.Leave.Reason.String())
		}
		if err != nil {
			return err
		}
	}
}

func (p *person) answer(offer *livekit.SessionDescription) error {
	if err := p.describe(livekit.SignalTarget_SUBSCRIBER, webrtc.SDPTypeOffer, offer.Sdp); err != nil {
		return err
	}
	peer := p.peers[livekit.SignalTarget_SUBSCRIBER]
	answer, err := peer.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := peer.SetLocalDescription(answer); err != nil {
		return err
	}
	description := &livekit.SessionDescription{Type: "answer", Sdp: answer.SDP, Id: offer.Id}
	return p.write(&livekit.SignalRequest{Message: &livekit.SignalRequest_Answer{Answer: description}})
}

func (p *person) describe(target livekit.SignalTarget, kind webrtc.SDPType, sdp string) error {
	peer := p.peers[target]
	if err := peer.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	for _, candidate := range p.early[target] {
		if err := peer.AddICECandidate(candidate); err != nil {
			return err
		}
	}
	delete(p.early, target)
	return nil
}

func (p *person) candidate(trickle *livekit.TrickleRequest) error {
	var candidate webrtc.ICECandidateInit
	if err := json.Unmarshal([]byte(trickle.CandidateInit), &candidate); err != nil {
		return err
	}
	peer := p.peers[trickle.Target]
	if peer.RemoteDescription() == nil {
		p.early[trickle.Target] = append(p.early[trickle.Target], candidate)
		return nil
	}
	return peer.AddICECandidate(candidate)
}

func (p *person) ping() {
	for range time.Tick(pingEvery) {
		ping := &livekit.Ping{Timestamp: time.Now().UnixMilli()}
		if p.write(&livekit.SignalRequest{Message: &livekit.SignalRequest_PingReq{PingReq: ping}}) != nil {
			return
		}
	}
}

func (p *person) read() (*livekit.SignalResponse, error) {
	_, data, err := p.socket.ReadMessage()
	if err != nil {
		return nil, err
	}
	var message livekit.SignalResponse
	return &message, proto.Unmarshal(data, &message)
}

func (p *person) write(message *livekit.SignalRequest) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.socket.WriteMessage(websocket.BinaryMessage, data)
}
