package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scene is a LAN that is made up: what its sweeps find, and who is at the addresses.
type scene struct {
	t       *testing.T
	verdict map[string]Verdict // by address; Dead for all others
	silent  map[string]bool    // accepts, and says nothing
	gone    bool               // nobody can be asked

	mu     sync.Mutex // guards what follows
	knocks []string
	found  []Candidate
	known  map[netip.AddrPort]bool
}

// Knock implements Prober.
func (s *scene) Knock(ctx context.Context, a netip.AddrPort) (Verdict, error) {
	s.mu.Lock()
	s.knocks = append(s.knocks, a.String())
	s.mu.Unlock()
	if s.silent[a.Addr().String()] {
		<-ctx.Done()
		return Dead, ctx.Err()
	}
	switch v := s.verdict[a.Addr().String()]; v {
	case Ours, Self, NotOurs:
		return LetIn, nil
	case Unknown:
		return Dead, errors.New("nobody is there")
	default:
		return v, errors.New(v.String())
	}
}

// Greet implements Prober.
func (s *scene) Greet(ctx context.Context, a netip.AddrPort) (Greeting, error) {
	if s.gone {
		return Greeting{}, fmt.Errorf("%w: really", ErrGone)
	}
	switch s.verdict[a.Addr().String()] {
	case Ours:
		return Greeting{Nodes: []Node{{Name: "node" + a.Addr().String()}}, RoundTrip: time.Millisecond}, nil
	case Self:
		return Greeting{Nodes: []Node{{Name: "me"}}, Self: true}, nil
	}
	<-ctx.Done()
	return Greeting{}, ctx.Err()
}

func (s *scene) knocked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.knocks))
}

// fake is a Sweep.
type fake struct {
	name    string
	finds   []string
	takes   time.Duration
	err     error
	partial bool
}

func (f fake) Name() string  { return f.name }
func (f fake) Partial() bool { return f.partial }

func (f fake) Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error {
	if f.err != nil {
		return f.err
	}
	for _, a := range f.finds {
		if a := netip.MustParseAddr(a); n.Prefix.Contains(a) {
			found(a)
		}
	}
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// config is that of the host 10.0.0.1/24.
func (s *scene) config(sweeps ...Sweep) Config {
	own := netip.MustParseAddr("10.0.0.1")
	return Config{
		Options: Options{
			Dir:    s.t.TempDir(),
			Sweeps: sweeps,
			Networks: func() ([]Network, error) {
				return []Network{{"lan0", 2, own, netip.MustParsePrefix("10.0.0.0/24")}}, nil
			},
			Own: func() ([]netip.Addr, error) { return []netip.Addr{own}, nil },
		},
		Port:   5672,
		Prober: s,
		Known: func(a netip.AddrPort) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.known[a]
		},
		Found: func(c Candidate) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.found = append(s.found, c)
		},
	}
}

func (s *scene) write(c Config, name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// summary has one line a candidate and one a rung.
func summary(r Report) []string {
	var lines []string
	for _, c := range r.Candidates {
		lines = append(lines, fmt.Sprintf("%v %s via %s", c.Address, c.Verdict, c.Via))
	}
	for _, rung := range r.Rungs {
		line := fmt.Sprintf("%s %d", rung.Rung, rung.Found)
		if rung.Skipped != "" {
			line += " skipped: " + rung.Skipped
		}
		if rung.Err != nil {
			line += " gave up"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// inVirtualTime runs a test with a scene.
func inVirtualTime(t *testing.T, test func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		test(&scene{t: t, verdict: map[string]Verdict{}, silent: map[string]bool{}, known: map[netip.AddrPort]bool{}})
	})
}
