package activeobject_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// The dining philosophers, after Samek: each thinks, is hungry and eats; the
// table gives the forks. Requests and returned forks are posted and published
// among all of them, at moments of virtual time.
const (
	thinking hsm.State = iota + 1
	hungry
	eating
)

var (
	timeout = hsm.NewSignal("TIMEOUT")
	request = hsm.NewSignal("HUNGRY") // carries the number of the philosopher
	done    = hsm.NewSignal("DONE")   // likewise
	eat     = hsm.NewSignal("EAT")    // likewise, published to all
)

type philosopher struct {
	*activeobject.ActiveObject
	number, meals int
	table         *table
	random        *rand.Rand
}

func (p *philosopher) rest() activeobject.Timing {
	return activeobject.Once(time.Duration(1+p.random.IntN(1000)) * time.Millisecond)
}

func (p *philosopher) think(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.PostFIFO(hsm.Event{Signal: timeout}, p.rest())
		return hsm.Handled
	case timeout:
		return hsm.Tran(hungry)
	}
	return hsm.Super
}

func (p *philosopher) beHungry(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.table.PostFIFO(hsm.Event{Signal: request, Payload: p.number})
		return hsm.Handled
	case eat:
		if e.Payload == p.number {
			return hsm.Tran(eating)
		}
		return hsm.Handled
	}
	return hsm.Super
}

func (p *philosopher) eatAMeal(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.meals++
		p.PostFIFO(hsm.Event{Signal: timeout}, p.rest())
		return hsm.Handled
	case hsm.Exit:
		p.Publish(hsm.Event{Signal: done, Payload: p.number}, activeobject.DefaultPriority)
		return hsm.Handled
	case timeout:
		return hsm.Tran(thinking)
	}
	return hsm.Super
}

var philosophers = hsm.MustCompile([]hsm.Spec[*philosopher]{
	thinking: {Name: "thinking", Handle: (*philosopher).think},
	hungry:   {Name: "hungry", Handle: (*philosopher).beHungry},
	eating:   {Name: "eating", Handle: (*philosopher).eatAMeal},
})

type table struct {
	*activeobject.ActiveObject
	forks []bool // on the table
	waits []bool // by philosopher
	wrong []string
}

var tables = hsm.MustCompile([]hsm.Spec[*table]{1: {Name: "serving", Handle: (*table).serve}})

func (t *table) serve(e hsm.Event) hsm.Status {
	n := len(t.forks)
	who, _ := hsm.Payload[int](e)
	switch e.Signal {
	case hsm.Entry:
		t.Subscribe(done, activeobject.FIFO)
		return hsm.Handled
	case request:
		t.waits[who] = true
		t.offer(who)
		return hsm.Handled
	case done:
		if t.forks[who] || t.forks[(who+1)%n] {
			t.wrong = append(t.wrong, fmt.Sprintf("%d returns forks that lie on the table", who))
		}
		t.forks[who], t.forks[(who+1)%n] = true, true
		t.offer((who + n - 1) % n)
		t.offer((who + 1) % n)
		return hsm.Handled
	}
	return hsm.Super
}

func (t *table) offer(who int) {
	next := (who + 1) % len(t.forks)
	if t.waits[who] && t.forks[who] && t.forks[next] {
		t.waits[who], t.forks[who], t.forks[next] = false, false, false
		t.Publish(hsm.Event{Signal: eat, Payload: who}, 1)
	}
}

// TestPhilosophers lets fifty of them think and eat for two minutes.
func TestPhilosophers(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		const n = 50
		c := activeobject.Config{Fabric: activeobject.NewFabric(), Causes: true, Instrument: instrument.Config{Trace: true, Spy: true, Size: 64}}
		tab := &table{forks: make([]bool, n), waits: make([]bool, n)}
		for i := range tab.forks {
			tab.forks[i] = true
		}
		tab.ActiveObject = activeobject.New("table", hsm.NewMachine(tables, tab), c)
		if err := tab.Start(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		all := make([]*philosopher, n)
		for i := range all {
			p := &philosopher{number: i, table: tab, random: rand.New(rand.NewPCG(1, uint64(i)))}
			p.ActiveObject = activeobject.New(fmt.Sprint("philosopher ", i), hsm.NewMachine(philosophers, p), c)
			if err := p.Subscribe(eat, activeobject.FIFO); err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context(), thinking); err != nil {
				t.Fatal(err)
			}
			all[i] = p
		}
		time.Sleep(2 * time.Minute)
		for _, p := range all {
			if err := p.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := tab.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		for _, w := range tab.wrong {
			t.Error(w)
		}
		for i, p := range all {
			// A meal and the thought before it take two seconds at most, and two
			// neighbours may be served first.
			if p.meals < 20 {
				t.Errorf("philosopher %d has had %d meals in two minutes", i, p.meals)
			}
			if s := p.Stats(); s.Rejected+s.Dropped+s.Missed != 0 {
				t.Errorf("philosopher %d lost something: %+v", i, s)
			}
			if next := all[(i+1)%n]; p.In(eating) && next.In(eating) {
				t.Errorf("philosophers %d and %d eat with one fork", i, (i+1)%n)
			}
		}
	})
}
