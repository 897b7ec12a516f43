package activeobject_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestPostOrder posts while a handler is blocked: "A" is fifo, "^A" lifo, "=A"
// delivered.
func TestPostOrder(t *testing.T) {
	for _, test := range []struct{ name, posts, want string }{
		{"fifo", "A B C", "A B C"},
		{"lifo", "^A ^B ^C", "C B A"},
		{"lifo goes before fifo", "A B ^U", "U A B"},
		{"fifo goes behind lifo", "^U A ^B", "B U A"},
		{"mixed", "A ^B C ^D U", "D B A C U"},
		{"delivered goes behind", "A =B ^C =D", "C A B D"},
	} {
		for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
			t.Run(fmt.Sprintf("%s/%v", test.name, overflow), func(t *testing.T) {
				p := started(t, activeobject.Config{Overflow: overflow})
				release := p.hold(t)
				for _, post := range strings.Fields(test.posts) {
					var err error
					switch e := (hsm.Event{Signal: hsm.NewSignal(strings.Trim(post, "^="))}); post[0] {
					case '^':
						_, err = p.PostLIFO(e)
					case '=':
						err = p.Deliver(e, hsm.Origin{})
					default:
						_, err = p.PostFIFO(e)
					}
					if err != nil {
						t.Fatalf("%s: %v", post, err)
					}
				}
				if n := p.Stats().Waiting; n != len(strings.Fields(test.posts)) {
					t.Errorf("%d wait, want %d", n, len(strings.Fields(test.posts)))
				}
				release()
				if got := strings.Join(p.drained(t), " "); got != test.want {
					t.Errorf("handled %q, want %q", got, test.want)
				}
			})
		}
	}
}

func TestPostFromOwnHandler(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if e.Signal == sigA {
			p.fifo(t, sigC)
			p.lifo(t, sigD, sigU)
		}
		return 0
	}
	p.start(t, root)
	release := p.hold(t)
	p.fifo(t, sigA, sigB)
	release()
	p.inside(t, func() {}) // behind C, which A's handler posts
	if diff := cmp.Diff([]string{"A", "U", "D", "B", "C"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestPostLIFOBargesIntoABatch posts when the goroutine has taken all that
// waits from the queue already.
func TestPostLIFOBargesIntoABatch(t *testing.T) {
	p := started(t, activeobject.Config{})
	release := p.hold(t)
	entered, releaseBatch := p.gate(t)
	p.fifo(t, sigA, sigB)
	release()
	wait(t, entered) // A and B are taken
	p.lifo(t, sigU)
	p.fifo(t, sigC)
	p.lifo(t, sigD)
	if n := p.Stats().Waiting; n != 5 {
		t.Errorf("%d wait, want 5", n)
	}
	releaseBatch()
	if diff := cmp.Diff([]string{"D", "U", "A", "B", "C"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestPostFromManyGoroutines loses nothing and keeps each producer's order.
func TestPostFromManyGoroutines(t *testing.T) {
	const producers, posts = 8, 2000
	type parcel struct{ from, number int }
	for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			p := newProbe("probe", activeobject.Config{QueueSize: 2 * producers * posts, Overflow: overflow})
			var next [producers]int
			urgent := 0
			p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
				is, ok := hsm.Payload[parcel](e)
				switch {
				case !ok:
					return 0
				case e.Signal == sigU:
					urgent++
				case is.number != next[is.from]:
					t.Errorf("producer %d: got its event %d, want %d", is.from, is.number, next[is.from])
					fallthrough
				default:
					next[is.from] = is.number + 1
				}
				return hsm.Handled
			}
			p.start(t, left)
			var all sync.WaitGroup
			for from := range producers {
				all.Go(func() {
					for number := range posts {
						if _, err := p.PostFIFO(hsm.Event{Signal: sigA, Payload: parcel{from, number}}); err != nil {
							t.Error(err)
						}
						if number%4 == 0 {
							if _, err := p.PostLIFO(hsm.Event{Signal: sigU, Payload: parcel{from, number}}); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			p.drained(t)
			for from, n := range next {
				if n != posts {
					t.Errorf("producer %d: %d events handled, want %d", from, n, posts)
				}
			}
			if urgent != producers*posts/4 {
				t.Errorf("%d urgent events handled, want %d", urgent, producers*posts/4)
			}
			if diff := cmp.Diff(activeobject.Stats{}, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOverflow posts two events more than fit while a handler is blocked, and
// then one more when there is room again.
func TestOverflow(t *testing.T) {
	for size := 1; size <= 4; size++ {
		for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
			for _, how := range []string{"fifo", "lifo"} {
				t.Run(fmt.Sprintf("%v/%s/%d", overflow, how, size), func(t *testing.T) {
					p := started(t, activeobject.Config{QueueSize: size, Overflow: overflow})
					post := p.PostFIFO
					if how == "lifo" {
						post = p.PostLIFO
					}
					release := p.hold(t)
					var want []string // newest last
					for i := range size + 2 {
						e := hsm.Event{Signal: sigA, Payload: i}
						_, err := post(e)
						full := overflow == hsm.Reject && i >= size
						var about *hsm.SignalError
						if full != errors.Is(err, hsm.ErrQueueFull) || full != errors.As(err, &about) {
							t.Fatalf("post %d: %v", i, err)
						}
						if full && about.Signal != sigA {
							t.Errorf("the error is about %v, want A", about.Signal)
						}
						if !full {
							want = append(want, e.String())
						}
					}
					want = want[len(want)-size:] // of what was taken, dropping gives up the oldest
					if how == "lifo" {
						reversed := make([]string, size)
						for i, w := range want {
							reversed[size-1-i] = w
						}
						want = reversed
					}
					stats := activeobject.Stats{Waiting: size, Rejected: 2}
					if overflow == hsm.Drop {
						stats = activeobject.Stats{Waiting: size, Dropped: 2}
					}
					if diff := cmp.Diff(stats, p.Stats()); diff != "" {
						t.Errorf("stats (-want +got):\n%s", diff)
					}
					release()
					p.whenIdle(t)
					p.fifo(t, sigB)
					if diff := cmp.Diff(append(want, "B"), p.drained(t)); diff != "" {
						t.Errorf("handled (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// TestPostRefuses what cannot be an event, by every way in.
func TestPostRefuses(t *testing.T) {
	p := started(t, activeobject.Config{})
	var deferring error
	for name, post := range map[string]func(hsm.Event) error{
		"PostFIFO": func(e hsm.Event) error { _, err := p.PostFIFO(e); return err },
		"PostLIFO": func(e hsm.Event) error { _, err := p.PostLIFO(e); return err },
		"timed":    func(e hsm.Event) error { _, err := p.PostFIFO(e, activeobject.Every(1)); return err },
		"Deliver":  func(e hsm.Event) error { return p.Deliver(e, hsm.Origin{}) },
		"Defer":    func(e hsm.Event) error { p.inside(t, func() { deferring = p.Defer(e) }); return deferring },
		"Publish":  func(e hsm.Event) error { return p.Publish(e, activeobject.DefaultPriority) },
		"Subscribe": func(e hsm.Event) error {
			return p.Subscribe(e.Signal, activeobject.FIFO)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := post(hsm.Event{}); !errors.Is(err, hsm.ErrNoSignal) {
				t.Errorf("no signal gives %v, want ErrNoSignal", err)
			}
			if err := post(hsm.Event{Signal: hsm.Entry}); !errors.Is(err, hsm.ErrInnerSignal) {
				t.Errorf("ENTRY_SIGNAL gives %v, want ErrInnerSignal", err)
			}
		})
	}
	if got := p.drained(t); len(got) != 0 {
		t.Errorf("handled %v, want nothing", got)
	}
}
