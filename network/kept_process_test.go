package network_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network"
)

// A process that handles what comes, and says so, until it is killed.
func TestKeptProcess(t *testing.T) {
	if os.Getenv(envProcess) != "kept" {
		return
	}
	n, err := network.NewNode(t.Context(), network.Config{Name: "kept", Broker: os.Getenv(envListen)})
	if err == nil {
		w := &worker{first: func(_ *worker, e hsm.Event) hsm.Status {
			number, _ := hsm.Payload[int64](e)
			fmt.Printf("handled %d\n", number)
			return hsm.Handled
		}}
		tag := os.Getenv("STATEMESH_TEST_TAG")
		c := network.ObjectConfig{Delivery: network.AtLeastOnce, ReceiveKey: tag + ".#"}
		c.MaxDeliveries = 100 // it is killed more often than an object fails
		if w.ActiveObject, err = n.NewActiveObject("killed-"+tag, hsm.NewMachine(workers, w), c); err == nil {
			fmt.Println("ready")
			err = w.Start(t.Context(), outer)
		}
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(exitOther)
	}
	select {} // until the kill
}

// However often the process that receives is killed, nothing is lost, and nothing is
// handled twice but the one event in whose step it died.
func TestKeptOutlivesKills(t *testing.T) {
	const events, kills = 400, 5
	for _, kind := range []string{"embedded", "RabbitMQ"} {
		t.Run(kind, func(t *testing.T) {
			b := newBed(t)
			if kind == "embedded" {
				b.config.Listen = freeAddress(t)
			} else {
				b.config.Broker = brokertest.RabbitMQ(t)
			}
			k := newKeptBed(b)
			k.deleteQueues("killed")
			n := b.node("speaker")
			speaker := k.worker(n, "speaker", nil)
			broker := b.config.Broker
			if broker == "" {
				broker = "amqp://guest:guest@" + b.config.Listen + "/"
			}
			dir := t.TempDir()
			start := func() *running {
				cmd := launchTest(t, "^TestKeptProcess$", dir, broker, "kept", network.EnvMeshKey+"="+b.config.MeshKey.Encode(), "STATEMESH_TEST_TAG="+k.tag)
				cmd.expect("ready")
				return cmd
			}
			p := start()
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			go func() { // ended by the number of events, or the end of the test
				for i := range events {
					if speaker.Transmit(hsm.Event{Signal: word, Payload: i + 1}) != nil {
						return
					}
					<-pace.C
				}
			}()
			var all []int
			doubtful := map[int]bool{} // may have been handled twice
			note := func(lines []string) {
				for _, line := range lines {
					if number, ok := strings.CutPrefix(line, "handled "); ok {
						i, err := strconv.Atoi(number)
						if err != nil {
							t.Fatal(err)
						}
						all = append(all, i)
					}
				}
			}
			for range kills {
				for i := 0; i < 20; {
					line := p.expect("handled ")
					note([]string{line})
					i++
				}
				note(p.killed())
				doubtful[all[len(all)-1]] = true
				p = start()
			}
			seen := map[int]bool{}
			for late := time.After(deadline); len(seen) < events; {
				clear(seen)
				for _, i := range all {
					seen[i] = true
				}
				if len(seen) == events {
					break
				}
				select {
				case line := <-p.lines:
					note([]string{line})
				case <-late:
					t.Fatalf("%d of %d were handled", len(seen), events)
				}
			}
			closeNode(t, n)
			note(p.killed())
			slices.Sort(all)
			twice := 0
			for i := 1; i < len(all); i++ {
				if all[i] != all[i-1] {
					continue
				}
				if twice++; !doubtful[all[i]] {
					t.Errorf("%d was handled twice", all[i])
				}
			}
			t.Logf("%d steps for %d events and %d kills, %d again after a kill in the step", len(all), events, kills, twice)
		})
	}
}

// killed kills the process and returns what it had printed that nobody has read.
func (p *running) killed() (lines []string) {
	p.ended = true
	_ = p.cmd.Process.Kill()
	for line := range p.lines {
		lines = append(lines, line)
	}
	_ = p.cmd.Wait()
	return lines
}
