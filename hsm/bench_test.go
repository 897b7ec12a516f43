package hsm_test

import (
	"testing"

	"github.com/statemesh/statemesh/hsm"
)

// The work W1 to W4: s{ s1{s11,s12}, s2{s21{s211}} }, with initial transitions
// s1->s11, s2->s21, s21->s211. Every entry, every exit and the internal handler
// counts one action, and the benchmarks check the count.
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

func (c *counter) s(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case w1:
		c.n++
		return hsm.Handled
	}
	return hsm.Super
}

func (c *counter) s1(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(bS11)
	case w4:
		return hsm.Tran(bS2)
	}
	return hsm.Super
}

func (c *counter) s11(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case w2:
		return hsm.Tran(bS12)
	case w3:
		return hsm.Tran(bS211)
	}
	return hsm.Super
}

func (c *counter) s12(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case w2:
		return hsm.Tran(bS11)
	}
	return hsm.Super
}

func (c *counter) s2(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(bS21)
	case w4:
		return hsm.Tran(bS1)
	}
	return hsm.Super
}

func (c *counter) s21(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(bS211)
	}
	return hsm.Super
}

func (c *counter) s211(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.n++
		return hsm.Handled
	case w3:
		return hsm.Tran(bS11)
	}
	return hsm.Super
}

var counting, countingDeclared = countingChart(false), countingChart(true)

// countingChart is the chart of the work. If it is declared, its states say what
// they catch, and their initial transitions are in the table.
func countingChart(declared bool) *hsm.Chart[*counter] {
	specs := []hsm.Spec[*counter]{
		bS:    {Name: "s", Handle: (*counter).s},
		bS1:   {Name: "s1", Parent: bS, Handle: (*counter).s1},
		bS11:  {Name: "s11", Parent: bS1, Handle: (*counter).s11},
		bS12:  {Name: "s12", Parent: bS1, Handle: (*counter).s12},
		bS2:   {Name: "s2", Parent: bS, Handle: (*counter).s2},
		bS21:  {Name: "s21", Parent: bS2, Handle: (*counter).s21},
		bS211: {Name: "s211", Parent: bS21, Handle: (*counter).s211},
	}
	if declared {
		for s, signals := range [][]hsm.Signal{bS: {w1}, bS1: {w4}, bS11: {w2, w3}, bS12: {w2}, bS2: {w4}, bS21: {}, bS211: {w3}} {
			if s > 0 {
				specs[s].Catches = append([]hsm.Signal{hsm.Entry, hsm.Exit}, signals...)
			}
		}
		specs[bS1].Init, specs[bS2].Init, specs[bS21].Init = bS11, bS21, bS211
	}
	return hsm.MustCompile(specs)
}

// BenchmarkDispatch runs the work uninstrumented, traced, and traced and spied,
// with a chart that declares what it can and with one that does not.
// BenchmarkSwitch beside it is the fair floor: the same actions from a nested
// switch.
func BenchmarkDispatch(b *testing.B) {
	logs := []struct {
		name string
		log  func() *hsm.Log
	}{
		{"bare", func() *hsm.Log { return nil }},
		{"trace", func() *hsm.Log { return hsm.NewLog(hsm.LogConfig{Trace: 500}) }},
		{"spy", func() *hsm.Log { return hsm.NewLog(hsm.LogConfig{Trace: 500, Spy: 500}) }},
	}
	works := []struct {
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
	charts := []struct {
		name  string
		chart *hsm.Chart[*counter]
	}{{"", counting}, {"/declared", countingDeclared}}
	for _, l := range logs {
		for i := range len(works) * len(charts) {
			w, declared := works[i/len(charts)], charts[i%len(charts)]
			b.Run(l.name+"/"+w.name+declared.name, func(b *testing.B) {
				c := &counter{}
				m := hsm.NewMachine(declared.chart, c)
				m.SetLog(l.log())
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
}
