// People in LiveKit rooms, for benchmarks: everybody is in a room of their own, says the same packets of Opus again and again,
// each from another place on, and counts what comes of the agent's voice. Nothing is encoded, decoded or recorded, so
// that twenty of them leave the machine to what is measured.
//
// First line of the input: a `script` in JSON; answer: {"joined": N} when all are in. Then, line by line, `measure`: count from
// now on; `report`: a `report` in JSON. The end of the input ends the program. A failure is one line of the error output.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

type script struct {
	URL     string   `json:"url"`
	Tokens  []string `json:"tokens"`   // one person each
	Packets [][]byte `json:"packets"`  // 20 ms each, said in a circle
	Shift   int      `json:"shift"`    // packets between the places at which two people begin
	EveryMs int      `json:"every_ms"` // between two who join; 0: all at once
}

type report struct {
	Packets int       `json:"packets"` // of the agents' voices
	LateMs  []float64 `json:"late_ms"` // each of them, against its place in its own stretch of speech
	OwnMs   []float64 `json:"own_ms"`  // how late the people themselves were to speak
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	input := bufio.NewReader(os.Stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("expected a script in one line of JSON: %w", err)
	}
	var told script
	if err := json.Unmarshal(line, &told); err != nil {
		return fmt.Errorf("the script is no JSON as expected: %w", err)
	}
	crowd := newCrowd(told)
	go crowd.speak()
	if err := joinAll(told, crowd); err != nil {
		return err
	}
	output := json.NewEncoder(os.Stdout)
	if err := output.Encode(map[string]int{"joined": len(told.Tokens)}); err != nil {
		return err
	}
	for {
		command, err := input.ReadString('\n')
		if err != nil {
			return nil // whoever asked is gone, or has enough
		}
		switch command {
		case "measure\n":
			crowd.measure()
		case "report\n":
			if err := output.Encode(crowd.report()); err != nil {
				return err
			}
		}
	}
}

func joinAll(told script, crowd *crowd) error {
	var joining sync.WaitGroup
	failed := make(chan error, len(told.Tokens))
	for number, token := range told.Tokens {
		joining.Add(1)
		go func() {
			defer joining.Done()
			if err := crowd.join(told.URL, token, number); err != nil {
				failed <- fmt.Errorf("person %d can't join %s: %w", number, told.URL, err)
			}
		}()
		time.Sleep(time.Duration(told.EveryMs) * time.Millisecond)
	}
	joining.Wait()
	close(failed)
	return <-failed // nil when nobody failed
}
