package factory

import (
	"fmt"
	"testing"

	"github.com/statemesh/statemesh/hsm"
)

// The work W1 to W4 of package hsm's benchmarks, built from callbacks:
// s{ s1{s11,s12}, s2{s21{s211}} }, with initial transitions s1->s11, s2->s21,
// s21->s211. Every entry, every exit and the internal handler counts one
// action, and the benchmark checks the count.
const (
	bS hsm.State = iota + 1
	bS1
	bS11
	bS12
	bS2
	bS21
	bS211
)

var (
	w1 = hsm.NewSignal("W1")
	w2 = hsm.NewSignal("W2")
	w3 = hsm.NewSignal("W3")
	w4 = hsm.NewSignal("W4")
)

type counter struct{ n int }

func (c *counter) count(hsm.Event) hsm.Status {
	c.n++
	return hsm.Handled
}

func (c *counter) toS11(hsm.Event) hsm.Status  { return hsm.Tran(bS11) }
func (c *counter) toS12(hsm.Event) hsm.Status  { return hsm.Tran(bS12) }
func (c *counter) toS1(hsm.Event) hsm.Status   { return hsm.Tran(bS1) }
func (c *counter) toS2(hsm.Event) hsm.Status   { return hsm.Tran(bS2) }
func (c *counter) toS21(hsm.Event) hsm.Status  { return hsm.Tran(bS21) }
func (c *counter) toS211(hsm.Event) hsm.Status { return hsm.Tran(bS211) }

func countingFactory() *Factory[*counter] {
	f := New[*counter]()
	for number, name := range map[hsm.State]string{
		bS: "s", bS1: "s1", bS11: "s11", bS12: "s12", bS2: "s2", bS21: "s21", bS211: "s211",
	} {
		f.Create(number, name).Catch(hsm.Entry, (*counter).count).Catch(hsm.Exit, (*counter).count)
	}
	f.State(bS).Catch(w1, (*counter).count)
	f.State(bS1).Catch(hsm.Init, (*counter).toS11).Catch(w4, (*counter).toS2)
	f.State(bS11).Catch(w2, (*counter).toS12).Catch(w3, (*counter).toS211)
	f.State(bS12).Catch(w2, (*counter).toS11)
	f.State(bS2).Catch(hsm.Init, (*counter).toS21).Catch(w4, (*counter).toS1)
	f.State(bS21).Catch(hsm.Init, (*counter).toS211)
	f.State(bS211).Catch(w3, (*counter).toS11)
	return f.Nest(bS1, bS).Nest(bS11, bS1).Nest(bS12, bS1).Nest(bS2, bS).Nest(bS21, bS2).Nest(bS211, bS21)
}

var works = []struct {
	name    string
	signal  hsm.Signal
	start   hsm.State
	actions int
}{
	{"W1", w1, bS211, 1},
	{"W2", w2, bS11, 2},
	{"W3", w3, bS11, 5},
	{"W4", w4, bS11, 5},
}

// BenchmarkDispatch is to be read beside BenchmarkDispatch/bare of package hsm,
// the same work in flat states.
func BenchmarkDispatch(b *testing.B) {
	chart := countingFactory().MustCompile()
	for _, w := range works {
		b.Run(w.name, func(b *testing.B) {
			c := &counter{}
			m := hsm.NewMachine(chart, c)
			if err := m.Start(w.start); err != nil {
				b.Fatal(err)
			}
			e := hsm.Event{Signal: w.signal}
			c.n = 0
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Dispatch(e); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if c.n != n*w.actions {
				b.Fatalf("%d actions in %d events, want %d an event", c.n, n, w.actions)
			}
		})
	}
}

// TestDispatchAllocatesNothing: with few catches a state and with many.
func TestDispatchAllocatesNothing(t *testing.T) {
	for _, more := range []int{0, fewCatches + 1} {
		f := countingFactory()
		for s := bS; s <= bS211; s++ {
			for i := range more {
				f.State(s).Catch(hsm.NewSignal(fmt.Sprint("factory_test_", i)), (*counter).count)
			}
		}
		chart := f.MustCompile()
		for _, w := range works {
			m := hsm.NewMachine(chart, &counter{})
			if err := m.Start(w.start); err != nil {
				t.Fatal(err)
			}
			e := hsm.Event{Signal: w.signal}
			if n := testing.AllocsPerRun(100, func() { _ = m.Dispatch(e) }); n != 0 {
				t.Errorf("%s with %d more catches: %v allocations", w.name, more, n)
			}
		}
	}
}

// BenchmarkTable shows from how many catches on an index is faster than looking
// through them, for a signal that stands in the middle and for one that is not
// caught.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{2, 4, 8, 12, 16, 24, 32} {
		var catches []catch[*counter]
		for i := range n {
			catches = append(catches, catch[*counter]{signal: hsm.NewSignal(fmt.Sprint("factory_test_", i)), handle: (*counter).count})
		}
		for _, way := range []struct {
			name   string
			handle func(*counter, hsm.Event) hsm.Status
		}{{"look", look(catches)}, {"index", index(catches)}} {
			for _, which := range []struct {
				name   string
				signal hsm.Signal
			}{{"middle", catches[n/2].signal}, {"none", w1}} {
				b.Run(fmt.Sprintf("%s/%s/%d", which.name, way.name, n), func(b *testing.B) {
					c, e := &counter{}, hsm.Event{Signal: which.signal}
					for b.Loop() {
						way.handle(c, e)
					}
				})
			}
		}
	}
}
