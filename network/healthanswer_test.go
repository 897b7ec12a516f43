package network

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/network/seal"
)

// insider asks a node on a Memory what it likes.
type insider struct {
	t       *testing.T
	node    *Node
	link    Link
	answers <-chan Delivery
	control *channel
}

const insiderReply = answerPrefix + "insider"

func newInsider(t *testing.T) *insider {
	memory := NewMemory()
	c := Config{Name: "asked", Dir: t.TempDir(), MeshKey: seal.NewKey(), SnoopOutput: io.Discard, Transport: memory}
	node, err := NewNode(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close(t.Context()) })
	i := &insider{t: t, node: node}
	if i.link, err = memory.Dial(t.Context(), node.config.own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.link.Close() })
	if i.answers, err = i.link.Consume([]Binding{{ExchangeNode, insiderReply}}); err != nil {
		t.Fatal(err)
	}
	if i.control, err = newChannel(ExchangeNode, seal.NewSenderID(), 1, node.config); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *insider) ask(want int) {
	b, err := encodeNode(nodeMessage{Node: "insider", Reply: insiderReply, Want: want})
	if err == nil {
		b, err = i.control.sealer.Seal(nil, b, ExchangeNode, helloKey)
	}
	if err == nil {
		err = i.link.Publish(ExchangeNode, helloKey, b)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// heard returns the answers that are there, and of each Health when it was seen.
func (i *insider) heard() (n int, at []time.Time) {
	synctest.Wait()
	for {
		select {
		case d := <-i.answers:
			m, err := i.control.opener.Open(nil, d.Body, d.Exchange, d.Key)
			if err != nil {
				i.t.Fatal(err)
			}
			said, err := decodeNode(m.Body)
			if err != nil {
				i.t.Fatal(err)
			}
			n++
			if said.Health != nil {
				h, err := decodeHealth(said.Health)
				if err != nil {
					i.t.Fatal(err)
				}
				at = append(at, h.At)
			}
			synctest.Wait()
		default:
			return n, at
		}
	}
}

// However many ask, a node looks at its health once a second and says it ten times; who only
// asks who is there is answered beside that.
func TestHealthQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInsider(t)
		for range 2 {
			time.Sleep(time.Second)
			for range 200 {
				i.ask(wantHealth)
				synctest.Wait()
			}
			i.ask(0)
			n, at := i.heard()
			if len(at) != healthsInASecond || n != healthsInASecond+1 {
				t.Errorf("%d answers, %d of them with a health, want %d and one without", n, len(at), healthsInASecond)
			}
			if slices.ContainsFunc(at, func(a time.Time) bool { return !a.Equal(time.Now()) }) {
				t.Errorf("it is %v; health of %v", time.Now(), at)
			}
		}
		if got := i.node.Stats().Problems["answers"]; got != 2*(200-healthsInASecond) {
			t.Errorf("%d questions counted that got no answer", got)
		}
		time.Sleep(healthLasts / 2)
		i.ask(wantHealth)
		if _, at := i.heard(); len(at) != 0 {
			t.Error("an answer in the same second")
		}
		time.Sleep(healthLasts / 2)
		i.ask(wantHealth)
		if _, at := i.heard(); len(at) != 1 || !at[0].Equal(time.Now()) {
			t.Errorf("a second later: health of %v, want of now", at)
		}
	})
}

// What it takes to say how a node is doing does not keep the receiver from events.
func TestHealthOffTheReceiver(t *testing.T) {
	i := newInsider(t)
	i.node.snoop.mu.Lock() // which Stats needs
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b, _ := encodeNode(nodeMessage{Node: "insider", Reply: insiderReply, Want: wantHealth})
		for range 2 * healthsInASecond {
			i.node.heardNode(seal.Message{Sender: i.control.sealer.Sender(), Body: b}, helloKey)
		}
	}()
	select {
	case <-heard:
	case <-time.After(10 * time.Second):
		t.Error("the receiver waits for the answer")
	}
	i.node.snoop.mu.Unlock()
	<-heard
}

// Names are looked up while events can be counted.
func TestGapsCountsLetsGo(t *testing.T) {
	var g gaps
	one, two := seal.NewSenderID(), seal.NewSenderID()
	now := time.Now()
	g.received(one, "k", 3, now)
	g.received(two, "k", 1, now)
	name := func(id seal.SenderID) string {
		if !g.mu.TryLock() {
			t.Fatal("locked while a name is looked up")
		}
		g.mu.Unlock()
		return map[seal.SenderID]string{one: "one", two: "two"}[id]
	}
	got, _ := g.counts(name)
	for i := range got {
		got[i].Skew = 0
	}
	want := []SenderStats{{Node: "one", Received: 1, Earlier: 2}, {Node: "two", Received: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// ample is a health with more than travels.
func ample() Health {
	h := Health{Node: "n", At: time.Unix(1_700_000_000, 1).UTC(), Started: time.Unix(1_600_000_000, 0).UTC(), Hosting: true}
	for i := range 2 * maxHealthObjects {
		name := fmt.Sprintf("%03d", i)
		h.Peers = append(h.Peers, PeerHealth{PeerStatus: PeerStatus{Address: name, Nodes: make([]string, 2*maxHealthNodes)}, Error: "e"})
		h.Objects = append(h.Objects, ObjectHealth{Name: name, Failure: "f", Stats: activeobject.Stats{Rejected: uint64(i)}})
		h.Stats.Senders = append(h.Stats.Senders, SenderStats{Node: name, Skew: -time.Second})
	}
	h.Stats.Problems = map[string]uint64{}
	for i := range 2 * maxHealthReasons {
		h.Stats.Problems[fmt.Sprintf("%03d", i)] = uint64(i / 2)
	}
	return h
}

// A health that is too large is cut, the most frequent problems stay, and whose it is keeps
// what it has.
func TestEncodeHealth(t *testing.T) {
	h := ample()
	got, err := decodeHealth(encodeHealth(h))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Peers) != maxHealthPeers || len(got.Peers[0].Nodes) != maxHealthNodes || len(got.Objects) != maxHealthObjects || len(got.Stats.Senders) != maxHealthSenders {
		t.Errorf("%d peers with %d nodes, %d objects, %d senders", len(got.Peers), len(got.Peers[0].Nodes), len(got.Objects), len(got.Stats.Senders))
	}
	want := []string{}
	for i := maxHealthReasons; i < 2*maxHealthReasons; i++ {
		want = append(want, fmt.Sprintf("%03d", i))
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Stats.Problems))); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ample(), h); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// FuzzDecodeHealth: whatever somebody with the mesh key answers is refused, or can be printed
// and written as JSON.
func FuzzDecodeHealth(f *testing.F) {
	small := Health{Node: "n", At: time.Unix(1, 0), Peers: []PeerHealth{{Error: "e", PeerStatus: PeerStatus{State: "up", Nodes: []string{"a"}}}}}
	small.Stats.Problems = map[string]uint64{"forged": 1}
	for _, h := range []Health{{}, small, ample()} {
		b := encodeHealth(h)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(bytes.ReplaceAll(b, []byte("n"), []byte("\n")))
	}
	f.Add(bytes.ReplaceAll(encodeHealth(small), []byte("1970-"), []byte("9999-")))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHealth(b)
		if err != nil {
			if !errors.Is(err, errMalformed) || !reflect.DeepEqual(h, Health{}) {
				t.Fatalf("%+v, %v", h, err)
			}
			return
		}
		if _, err := json.Marshal(h); err != nil {
			t.Fatalf("no JSON: %v", err)
		}
		for _, text := range []string{h.Node, h.LogValue().String()} {
			if !printable(text, len(text)) {
				t.Fatalf("took %q", text)
			}
		}
		for why := range h.Stats.Problems {
			if !printable(why, maxLine) {
				t.Fatalf("took the problem %q", why)
			}
		}
		again, err := encoder.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		if h2, err := decodeHealth(again); err != nil || fmt.Sprintf("%+v", h2) != fmt.Sprintf("%+v", h) {
			t.Fatalf("%+v\nbecame %+v, %v", h, h2, err)
		}
	})
}
