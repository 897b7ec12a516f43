package activeobject_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// subscribed returns a probe that runs and gets these signals from a fabric of
// its own.
func subscribed(t testing.TB, c activeobject.Config, kind activeobject.Kind, signals ...hsm.Signal) *probe {
	t.Helper()
	if c.Fabric == nil {
		c.Fabric = activeobject.NewFabric()
	}
	p := started(t, c)
	p.subscribe(t, kind, signals...)
	return p
}

func (p *probe) subscribe(t testing.TB, kind activeobject.Kind, signals ...hsm.Signal) {
	t.Helper()
	for _, s := range signals {
		if err := p.Subscribe(s, kind); err != nil {
			t.Fatalf("Subscribe(%v): %v", s, err)
		}
	}
}

// TestPublishOrder publishes while the subscriber's handler is blocked: "A/5"
// is published with priority 5, "X" posted, "^X" posted lifo.
func TestPublishOrder(t *testing.T) {
	for _, test := range []struct{ name, sent, want string }{
		{"one priority keeps its order", "A/7 B/7 C/7 D/7 E/7 A/7", "A B C D E A"},
		{"urgent overtakes the less urgent", "A/1000 B/2000 C/500", "C A B"},
		{"and stays behind the as urgent", "A/5 B/9 C/5", "A C B"},
		{"and behind the more urgent", "A/1 B/9 C/5", "A C B"},
		{"never a posted one", "A/1000 X B/1", "A X B"},
		{"but those behind it", "A/1000 X B/1000 C/500 D/1", "A X D C B"},
		{"posted in front does not stand in the way", "A/1000 ^X B/1", "X B A"},
		{"posts keep their place among published", "A/9 X B/5 Y C/1", "A X B Y C"},
	} {
		for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
			t.Run(fmt.Sprintf("%s/%v", test.name, overflow), func(t *testing.T) {
				p := subscribed(t, activeobject.Config{Overflow: overflow}, activeobject.FIFO,
					sigA, sigB, sigC, sigD, hsm.NewSignal("E"))
				release := p.hold(t)
				for _, s := range strings.Fields(test.sent) {
					name, urgency, published := strings.Cut(s, "/")
					signal := hsm.NewSignal(strings.TrimPrefix(name, "^"))
					switch {
					case published:
						var priority int
						fmt.Sscan(urgency, &priority)
						publish(t, p, signal, priority)
					case strings.HasPrefix(name, "^"):
						p.lifo(t, signal)
					default:
						p.fifo(t, signal)
					}
				}
				release()
				if got := strings.Join(p.drained(t), " "); got != test.want {
					t.Errorf("handled %q, want %q", got, test.want)
				}
			})
		}
	}
}

// TestPublishOvertakesWhileStepsRun: what is published stays where others can
// overtake it until it is handled.
func TestPublishOvertakesWhileStepsRun(t *testing.T) {
	p := subscribed(t, activeobject.Config{}, activeobject.FIFO, sigA, sigB, sigC, sigD)
	release := p.hold(t)
	entered, releaseSecond := p.gate(t)
	publish(t, p, sigA, 1000)
	publish(t, p, sigB, 1000)
	release()
	wait(t, entered)
	publish(t, p, sigC, 10)
	publish(t, p, sigD, 1)
	releaseSecond()
	if diff := cmp.Diff([]string{"D", "C", "A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestPublishAgainstModel puts published and posted events, some of a timer that
// is cancelled, into one queue at random.
func TestPublishAgainstModel(t *testing.T) { check(t, publishProperty) }

func publishProperty(rt *rapid.T) {
	type entry struct {
		name     string
		priority int
	}
	fabric := activeobject.NewFabric()
	p := newProbe("probe", activeobject.Config{Fabric: fabric})
	if err := p.Subscribe(sigA, activeobject.FIFO); err != nil {
		rt.Fatal(err)
	}
	var model []entry
	var dead []activeobject.TimerID
	for i := range rapid.IntRange(1, 30).Draw(rt, "n") {
		it := entry{priority: rapid.IntRange(-1, 4).Draw(rt, "priority")}
		var err error
		switch it.priority {
		case -1: // of a timer, and cancelled: as if it had never been
			var id activeobject.TimerID
			id, err = p.PostFIFO(hsm.Event{Signal: sigC}, activeobject.Once(time.Hour).AtOnce())
			if dead = append(dead, id); rapid.Bool().Draw(rt, "now") {
				p.CancelEvent(id)
			} else {
				model = append(model, entry{"dead", 0})
			}
		case 0:
			e := hsm.Event{Signal: sigB, Payload: i}
			model = append(model, entry{e.String(), 0})
			_, err = p.PostFIFO(e)
		default:
			e := hsm.Event{Signal: sigA, Payload: i}
			at := len(model)
			for at > 0 && model[at-1].priority > it.priority {
				at--
			}
			model = slices.Insert(model, at, entry{e.String(), it.priority})
			err = p.Publish(e, it.priority)
		}
		if err != nil {
			rt.Fatal(err)
		}
	}
	for _, id := range dead {
		p.CancelEvent(id)
	}
	var want []string
	for _, it := range model {
		if it.name != "dead" {
			want = append(want, it.name)
		}
	}
	if err := p.Start(background, root); err != nil {
		rt.Fatal(err)
	}
	if err := p.Drain(background); err != nil {
		rt.Fatal(err)
	}
	if !slices.Equal(p.got, want) {
		rt.Fatalf("handled\n%v\nwant\n%v", p.got, want)
	}
}

// TestPublishToLIFO barges, into what the goroutine has taken too.
func TestPublishToLIFO(t *testing.T) {
	p := subscribed(t, activeobject.Config{}, activeobject.LIFO, sigU, sigD)
	release := p.hold(t)
	entered, releaseBatch := p.gate(t)
	p.fifo(t, sigA, sigB)
	release()
	wait(t, entered)
	publish(t, p, sigU, activeobject.DefaultPriority)
	publish(t, p, sigD, activeobject.DefaultPriority)
	releaseBatch()
	if diff := cmp.Diff([]string{"D", "U", "A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestSubscribeLate: to a signal that another object has subscribed to before,
// while both run. The publisher gets its own event if it subscribed.
func TestSubscribeLate(t *testing.T) {
	fabric := activeobject.NewFabric()
	early := subscribed(t, activeobject.Config{Fabric: fabric}, activeobject.FIFO, sigA)
	late := started(t, activeobject.Config{Fabric: fabric})
	never := started(t, activeobject.Config{Fabric: fabric})
	fresh := newProbe("fresh", activeobject.Config{Fabric: fabric})
	fresh.subscribe(t, activeobject.FIFO, sigA)
	publish(t, late, sigA, 1)
	late.inside(t, func() { late.subscribe(t, activeobject.FIFO, sigA) })
	publish(t, late, sigA, 1)
	publish(t, never, sigA, 1)
	fresh.start(t, root)
	for _, test := range []struct {
		name string
		p    *probe
		want int
	}{{"early", early, 3}, {"late", late, 2}, {"never", never, 0}, {"not yet started", fresh, 3}} {
		if got := test.p.drained(t); len(got) != test.want {
			t.Errorf("%s: handled %v, want %d", test.name, got, test.want)
		}
	}
}

func TestSubscribeAgainReplaces(t *testing.T) {
	p := subscribed(t, activeobject.Config{}, activeobject.FIFO, sigA)
	p.subscribe(t, activeobject.LIFO, sigA)
	release := p.hold(t)
	p.fifo(t, sigB)
	publish(t, p, sigA, 1)
	release()
	if diff := cmp.Diff([]string{"A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestUnsubscribe(t *testing.T) {
	fabric := activeobject.NewFabric()
	p := subscribed(t, activeobject.Config{Fabric: fabric}, activeobject.FIFO, sigA, sigB)
	other := subscribed(t, activeobject.Config{Fabric: fabric}, activeobject.FIFO, sigA)
	publish(t, p, sigA, 1)
	p.Unsubscribe(sigA)
	p.Unsubscribe(sigA) // again, and what it never subscribed to: nothing
	p.Unsubscribe(sigC)
	publish(t, p, sigA, 1)
	publish(t, p, sigB, 1)
	if diff := cmp.Diff([]string{"A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A", "A"}, other.drained(t)); diff != "" {
		t.Errorf("the other subscriber handled (-want +got):\n%s", diff)
	}
}

// TestFabricsAreApart: an object's own one, another's, and the default one.
func TestFabricsAreApart(t *testing.T) {
	all := map[string]*probe{
		"one":             subscribed(t, activeobject.Config{}, activeobject.FIFO, sigA),
		"two":             subscribed(t, activeobject.Config{}, activeobject.FIFO, sigA),
		"default":         started(t, activeobject.Config{}),
		"default by name": started(t, activeobject.Config{Fabric: activeobject.DefaultFabric}),
	}
	all["default"].subscribe(t, activeobject.FIFO, sigA)
	all["default by name"].subscribe(t, activeobject.FIFO, sigA)
	publish(t, all["one"], sigA, 1)
	publish(t, all["default"], sigA, 1)
	publish(t, all["default"], sigA, 1)
	got := make(map[string]int)
	for name, p := range all {
		got[name] = len(p.drained(t))
	}
	if diff := cmp.Diff(map[string]int{"one": 1, "two": 0, "default": 2, "default by name": 2}, got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestPublishRefusesAPriority(t *testing.T) {
	p := subscribed(t, activeobject.Config{}, activeobject.FIFO, sigA)
	for _, priority := range []int{0, -1} {
		if err := p.Publish(hsm.Event{Signal: sigA}, priority); !errors.Is(err, activeobject.ErrPriority) {
			t.Errorf("priority %d gives %v, want ErrPriority", priority, err)
		}
	}
	if got := p.drained(t); len(got) != 0 {
		t.Errorf("handled %v, want nothing", got)
	}
}

// TestPublishToAFullQueue is the subscriber's loss, which it counts; the others
// get the event, and the publisher no error.
func TestPublishToAFullQueue(t *testing.T) {
	fabric := activeobject.NewFabric()
	full := subscribed(t, activeobject.Config{Fabric: fabric, QueueSize: 1}, activeobject.FIFO, sigA)
	dropping := subscribed(t, activeobject.Config{Fabric: fabric, QueueSize: 1, Overflow: hsm.Drop}, activeobject.FIFO, sigA)
	roomy := subscribed(t, activeobject.Config{Fabric: fabric}, activeobject.FIFO, sigA)
	for _, p := range []*probe{full, dropping} {
		release := p.hold(t)
		defer release()
		p.fifo(t, sigB)
	}
	publish(t, full, sigA, 1)
	if diff := cmp.Diff(activeobject.Stats{Waiting: 1, Rejected: 1}, full.Stats()); diff != "" {
		t.Errorf("stats of the full one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(activeobject.Stats{Waiting: 1, Dropped: 1}, dropping.Stats()); diff != "" {
		t.Errorf("stats of the dropping one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A"}, roomy.drained(t)); diff != "" {
		t.Errorf("the roomy one handled (-want +got):\n%s", diff)
	}
}

// TestFabricFromManyGoroutines: publishers at once, while other objects come and
// go. Who stays gets everything, each publisher's events in their order.
func TestFabricFromManyGoroutines(t *testing.T) {
	const publishers, events = 4, 500
	type parcel struct{ from, number int }
	fabric := activeobject.NewFabric()
	c := activeobject.Config{Fabric: fabric, QueueSize: publishers * events}
	var staying []*probe
	var next [3][publishers]int
	for i := range next {
		p := newProbe("staying", c)
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			if is, ok := hsm.Payload[parcel](e); ok {
				if is.number != next[i][is.from] {
					t.Errorf("subscriber %d: publisher %d's event %d, want %d", i, is.from, is.number, next[i][is.from])
				}
				next[i][is.from] = is.number + 1
				return hsm.Handled
			}
			return 0
		}
		p.subscribe(t, activeobject.FIFO, sigA)
		p.start(t, root)
		staying = append(staying, p)
	}
	var all sync.WaitGroup
	for from := range publishers {
		p := started(t, c)
		all.Go(func() {
			for number := range events {
				if err := p.Publish(hsm.Event{Signal: sigA, Payload: parcel{from, number}}, 1+from); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range 50 {
				p := newProbe("passing", c)
				p.Subscribe(sigA, activeobject.LIFO)
				if err := p.Start(background, left); err != nil {
					t.Error(err)
				}
				p.Subscribe(sigA, activeobject.FIFO)
				p.Unsubscribe(sigB)
				if err := p.Stop(background); err != nil {
					t.Error(err)
				}
				if err := p.Subscribe(sigA, activeobject.FIFO); !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("a stopped object may subscribe: %v", err)
				}
			}
		})
	}
	all.Wait()
	for i, p := range staying {
		p.drained(t)
		for from, n := range next[i] {
			if n != events {
				t.Errorf("subscriber %d: %d events of publisher %d, want %d", i, n, from, events)
			}
		}
	}
}
