package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var all = []Kind{KillBroker, CutLink, BadLink, FillMemory, KillNode, StopNode, SkewClock}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	p := Plan{Hosts: 3, Nodes: 2, For: 10 * time.Minute, Kinds: all}
	if diff := cmp.Diff(Draw(7, p), Draw(7, p)); diff != "" {
		t.Errorf("twice (-first +second):\n%s", diff)
	}
	if cmp.Equal(Draw(7, p), Draw(8, p)) {
		t.Error("two seeds give the same faults")
	}
	if a, b := Digest(Draw(7, p)), Digest(Draw(7, p)); a != b || a == "" {
		t.Errorf("digests of the same faults: %q and %q", a, b)
	}
	other := Draw(7, p)
	other[len(other)-1].Seed++
	for name, faults := range map[string][]Fault{"another seed": Draw(8, p), "one of them differs": other, "none": nil} {
		if Digest(faults) == Digest(Draw(7, p)) {
			t.Errorf("%s: the same digest", name)
		}
	}
}

// TestDrawn pins a schedule: a seed that showed a mistake must show it again later.
func TestDrawn(t *testing.T) {
	p := Plan{Hosts: 3, Nodes: 2, For: 20 * time.Second, Kinds: all[:3], NodesHost: true}
	want := `   1.0s for  5.5s  h1   cut the link
   2.5s for  5.1s  h1   bad link: 200ms late, 5% lost
   6.8s for  3.8s  h1   kill the broker
  10.3s for  4.1s  h3   cut the link
  12.6s for  3.4s  h1   kill the broker
`
	faults := Draw(1, p)
	if diff := cmp.Diff(want, Print(faults)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Digest(faults); got != "a665d23b2dc0" {
		t.Errorf("digest %s", got)
	}
}

func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Plan{
			Hosts:     rapid.IntRange(1, 5).Draw(t, "hosts"),
			Nodes:     rapid.IntRange(1, 3).Draw(t, "nodes"),
			For:       time.Duration(rapid.IntRange(10, 600).Draw(t, "seconds")) * time.Second,
			Kinds:     rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, len(all), rapid.ID).Draw(t, "kinds"),
			NodesHost: rapid.Bool().Draw(t, "nodes host"),
			Majority:  rapid.Bool().Draw(t, "majority"),
		}
		faults := Draw(rapid.Uint64().Draw(t, "seed"), p)
		if len(faults) == 0 {
			t.Fatal("no faults")
		}
		if !slices.IsSortedFunc(faults, func(a, b Fault) int { return int(a.At - b.At) }) {
			t.Error("not in order")
		}
		for i, f := range faults {
			switch {
			case !slices.Contains(p.Kinds, f.Kind):
				t.Errorf("%v: a kind that was not asked for", f)
			case f.At <= 0 || f.For <= 0 || f.End() > p.For:
				t.Errorf("%v: not within %v", f, p.For)
			case f.Host < 0 || f.Host >= p.Hosts || f.Node < 0 || f.Node >= p.Nodes:
				t.Errorf("%v: nowhere", f)
			case (f.Kind == SkewClock) != (f.Skew != 0):
				t.Errorf("%v: skew %v", f, f.Skew)
			}
			for _, g := range faults[:i] {
				if g.End() <= f.At {
					continue
				}
				sameHost := f.Host == g.Host
				switch {
				case sameHost && f.AboutNode() && g.AboutNode() && f.Node == g.Node,
					sameHost && f.Kind == g.Kind && !f.AboutNode(),
					sameHost && p.NodesHost && (f.Kind == KillBroker && g.AboutNode() || g.Kind == KillBroker && f.AboutNode()),
					p.Endangers(f) && p.Endangers(g):
					t.Errorf("%v and %v are about the same thing", g, f)
				}
			}
		}
	})
}

func TestAllKindsComeAbout(t *testing.T) {
	count := make(map[Kind]int)
	for _, f := range Draw(1, Plan{Hosts: 3, Nodes: 2, For: 10 * time.Minute, Kinds: all}) {
		count[f.Kind]++
	}
	for _, k := range all {
		if count[k] < 15 {
			t.Errorf("%v: %d in ten minutes", k, count[k])
		}
	}
}
