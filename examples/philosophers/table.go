package main

import (
	"slices"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	serving hsm.State = iota + 1
	paused
)

// table is the data of the table.
type table struct {
	*activeobject.ActiveObject
	eating []bool // by the philosophers' numbers
	hungry []int  // numbers, who has been hungry for the longest first
}

var tables = hsm.MustCompile([]hsm.Spec[*table]{
	serving: {Name: "serving", Handle: (*table).serving},
	paused:  {Name: "paused", Handle: (*table).paused},
})

func newTable(n int, c activeobject.Config) *table {
	t := &table{eating: make([]bool, n)}
	t.ActiveObject = activeobject.New("table", hsm.NewMachine(tables, t), c)
	return t
}

// subscribe is done before anybody sits down, so that nobody goes unheard.
func (t *table) subscribe() error {
	if err := t.Subscribe(hungrySignal, activeobject.FIFO); err != nil {
		return err
	}
	return t.Subscribe(done, activeobject.FIFO)
}

func (t *table) serving(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		t.serve()
		return hsm.Handled
	case hungrySignal, done:
		t.note(e)
		t.serve()
		return hsm.Handled
	case pause:
		return hsm.Tran(paused)
	}
	return hsm.Super
}

func (t *table) paused(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hungrySignal, done:
		t.note(e)
		return hsm.Handled
	case serve:
		return hsm.Tran(serving)
	}
	return hsm.Super
}

// note takes note of a philosopher.
func (t *table) note(e hsm.Event) {
	who, _ := hsm.Payload[int](e)
	if e.Signal == done {
		t.eating[who] = false
		return
	}
	t.hungry = append(t.hungry, who)
}

// serve lets everybody eat who may.
func (t *table) serve() {
	n := len(t.eating)
	first := make([]bool, n) // was passed over, so its neighbours are too
	t.hungry = slices.DeleteFunc(t.hungry, func(who int) bool {
		left, right := (who+n-1)%n, (who+1)%n
		if t.eating[left] || t.eating[right] || first[left] || first[right] {
			first[who] = true
			return false
		}
		t.eating[who] = true
		t.Publish(hsm.Event{Signal: eat, Payload: who}, activeobject.DefaultPriority)
		return true
	})
}
