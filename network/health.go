package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// Health is how a node is doing: all its counts at one moment. It can be marshalled as
// JSON; durations are nanoseconds there.
type Health struct {
	Node    string    // its name
	At      time.Time // when it was looked at; an answer to AskHealth may be a second old
	Started time.Time // when NewNode was called
	Hosting bool      // the node's process serves its host's broker
	Stats   NodeStats
	Peers   []PeerHealth   // the own host's broker first
	Objects []ObjectHealth // in the order of their names
}

// PeerHealth is a PeerStatus with its error in words.
type PeerHealth struct {
	PeerStatus
	Error string
}

// ObjectHealth is how one networked object is doing.
type ObjectHealth struct {
	Name    string
	Failure string // why it has stopped by itself, "" if it has not
	activeobject.Stats
}

// Health returns how the node is doing. Any goroutine may call it, and it does not block.
// After Close it returns what there was at the end.
func (n *Node) Health() Health {
	h := Health{Node: n.config.Name, At: time.Now(), Started: n.started, Hosting: n.Hosting(), Stats: n.Stats()}
	for _, p := range n.Peers() {
		ph := PeerHealth{PeerStatus: p}
		if p.Err != nil {
			ph.Error = p.Err.Error()
		}
		h.Peers = append(h.Peers, ph)
	}
	n.mu.RLock()
	objects := slices.Collect(maps.Values(n.objects))
	n.mu.RUnlock()
	for _, o := range objects {
		oh := ObjectHealth{Name: o.Name(), Stats: o.Stats()}
		if err := o.Err(); err != nil {
			oh.Failure = firstLine(err.Error())
		}
		h.Objects = append(h.Objects, oh)
	}
	slices.SortFunc(h.Objects, func(a, b ObjectHealth) int { return cmp.Compare(a.Name, b.Name) })
	return h
}

// LogValue returns the sums, for a line of a log.
func (h Health) LogValue() slog.Value {
	t, up, failed := h.Stats.Peers.Events, 0, 0
	for _, p := range h.Peers {
		if p.State == PeerUp {
			up++
		}
	}
	for _, o := range h.Objects {
		if o.Failure != "" {
			failed++
		}
	}
	attrs := []slog.Attr{
		slog.Uint64("transmitted", h.Stats.Transmitted), slog.Uint64("received", h.Stats.Received),
		slog.Uint64("delivered", h.Stats.Delivered), slog.Uint64("rejected", h.Stats.Rejected), slog.Uint64("missed", h.Stats.Missed),
		slog.Uint64("sent", t.Sent), slog.Uint64("dropped", t.Dropped()), slog.Uint64("retried", t.Retried), slog.Int("queued", t.Queued),
		slog.Int("brokers", len(h.Peers)), slog.Int("up", up), slog.Int("objects", len(h.Objects)), slog.Int("failed", failed),
	}
	if len(h.Stats.Problems) > 0 {
		attrs = append(attrs, slog.Any("problems", h.Stats.Problems))
	}
	return slog.GroupValue(attrs...)
}

// logHealth logs it every now and then until the node ends.
func (n *Node) logHealth(every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-n.ending:
			return
		case <-ticks.C:
			n.config.Logger.Info("health", "node", n.config.Name, "health", n.Health())
		}
	}
}

// firstLine is what of an error fits into a table.
func firstLine(text string) string {
	for i, r := range text {
		if r == '\n' {
			text = text[:i]
			break
		}
	}
	return clean(text, 500)
}

// AskHealth asks the nodes of the own host's broker how they are doing, and with
// Config.LAN those of the brokers that discovery finds. It makes no node and hosts no
// broker. The mesh key and the credentials are those of the Config, as for NewNode; a new
// key is not made. It waits for as long as answers come, at most as ctx allows. The error
// says why there is none, or which brokers gave none; what others said comes beside it.
func AskHealth(ctx context.Context, c Config) ([]Health, error) {
	config, err := c.complete()
	if err != nil {
		return nil, err
	}
	sender := seal.NewSenderID()
	control, err := newChannel(ExchangeNode, sender, uint64(config.Clock().UnixNano()), config)
	if err != nil {
		return nil, err
	}
	p := &prober{
		transport: config.Transport, defaults: config.own, control: control,
		sender: sender, name: config.Name, directory: new(directory),
	}
	brokers := append([]Address{config.own}, config.peers...)
	if config.LAN {
		report, err := Discover(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, candidate := range report.Candidates {
			if candidate.Verdict == discovery.Ours {
				brokers = append(brokers, p.address(candidate.Address))
			}
		}
	}
	var mu sync.Mutex // guards all and errs
	all := map[seal.SenderID]Health{}
	var errs []error
	var asking sync.WaitGroup
	for _, there := range brokers {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			err := p.ask(ctx, there, nodeMessage{Node: config.Name, Want: wantHealth}, askQuiet, func(from seal.Message, said nodeMessage, _ time.Duration) {
				if h, err := decodeHealth(said.Health); err == nil {
					mu.Lock()
					defer mu.Unlock()
					all[from.Sender] = h
				}
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", there, err))
			}
		})
	}
	asking.Wait()
	healths := slices.Collect(maps.Values(all))
	slices.SortFunc(healths, func(a, b Health) int { return cmp.Compare(a.Node, b.Node) })
	return healths, errors.Join(errs...)
}

// How long to wait for the first answer, and for another one.
const (
	askTimeout = 3 * time.Second
	askQuiet   = 100 * time.Millisecond
)
