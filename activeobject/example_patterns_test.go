package activeobject_test

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	heartBeating hsm.State = iota + 1
	heartStopped
)

var (
	heartBeat = hsm.NewSignal("heart_beat")
	heartStop = hsm.NewSignal("heart_stop")
)

type exampleHeart struct {
	*activeobject.ActiveObject
	beats int
	still chan struct{} // closed when it has stopped beating
}

var exampleHearts = hsm.MustCompile([]hsm.Spec[*exampleHeart]{
	heartBeating: {Name: "beating", Handle: (*exampleHeart).beating},
	heartStopped: {Name: "stopped", Handle: (*exampleHeart).stopped},
})

func (h *exampleHeart) beating(e hsm.Event) hsm.Status {
	switch e.Signal {
	case heartBeat:
		h.beats++
		return hsm.Handled
	case heartStop:
		return hsm.Tran(heartStopped)
	case hsm.Exit:
		fmt.Println("timers cancelled:", h.CancelEvents(heartBeat))
		return hsm.Handled
	}
	return hsm.Super
}

func (h *exampleHeart) stopped(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		close(h.still)
	case heartBeat:
		fmt.Println("a beat after it stopped") // does not happen
	}
	return hsm.Super
}

// A timer that is cancelled is over, also for its events that wait already: what
// a state armed does not bleed into the next one.
func Example_heartbeat() {
	h := &exampleHeart{still: make(chan struct{})}
	h.ActiveObject = activeobject.New("heart", hsm.NewMachine(exampleHearts, h), activeobject.Config{})
	every := activeobject.Every(time.Hour).AtOnce()
	h.PostFIFO(hsm.Event{Signal: heartBeat}, every)
	h.PostFIFO(hsm.Event{Signal: heartStop})
	h.PostFIFO(hsm.Event{Signal: heartBeat}, every) // waits behind the stop
	ctx := context.Background()
	if err := h.Start(ctx, heartBeating); err != nil {
		fmt.Println(err)
		return
	}
	<-h.still
	if err := h.Drain(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("beats:", h.beats)
	// Output:
	// timers cancelled: 2
	// beats: 1
}

const (
	dinerThinking hsm.State = iota + 1
	dinerHungry
)

const tableServing hsm.State = 1

var (
	dinnerBell  = hsm.NewSignal("dinner_bell")
	dinerIsHere = hsm.MustBind[int](hsm.NewSignal("diner_is_here"))
	dinerMayEat = hsm.MustBind[int](hsm.NewSignal("diner_may_eat"))
	dinerIsDone = hsm.MustBind[int](hsm.NewSignal("diner_is_done"))
)

// exampleDiner is a philosopher.
type exampleDiner struct {
	*activeobject.ActiveObject
	number int
}

var exampleDiners = hsm.MustCompile([]hsm.Spec[*exampleDiner]{
	dinerThinking: {Name: "thinking", Handle: (*exampleDiner).thinking},
	dinerHungry:   {Name: "hungry", Handle: (*exampleDiner).hungry},
})

func (d *exampleDiner) thinking(e hsm.Event) hsm.Status {
	if e.Signal == dinnerBell {
		return hsm.Tran(dinerHungry)
	}
	return hsm.Super
}

func (d *exampleDiner) hungry(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.Publish(hsm.Event{Signal: dinerIsHere, Payload: d.number}, activeobject.DefaultPriority)
		return hsm.Handled
	case dinerMayEat:
		if who, _ := hsm.Payload[int](e); who != d.number {
			return hsm.Unhandled // somebody else may
		}
		fmt.Println("philosopher", d.number, "eats")
		d.Publish(hsm.Event{Signal: dinerIsDone, Payload: d.number}, activeobject.DefaultPriority)
		return hsm.Tran(dinerThinking)
	}
	return hsm.Super
}

// exampleTable lets the philosophers eat one after the other, when all are here.
type exampleTable struct {
	*activeobject.ActiveObject
	seats, here int
	over        chan struct{} // closed when all have eaten
}

var exampleTables = hsm.MustCompile([]hsm.Spec[*exampleTable]{
	tableServing: {Name: "serving", Handle: (*exampleTable).serving},
})

func (t *exampleTable) serving(e hsm.Event) hsm.Status {
	switch e.Signal {
	case dinerIsHere:
		if t.here++; t.here == t.seats {
			t.serve(1)
		}
		return hsm.Handled
	case dinerIsDone:
		if who, _ := hsm.Payload[int](e); who < t.seats {
			t.serve(who + 1)
		} else {
			close(t.over)
		}
		return hsm.Handled
	}
	return hsm.Super
}

func (t *exampleTable) serve(who int) {
	t.Publish(hsm.Event{Signal: dinerMayEat, Payload: who}, activeobject.DefaultPriority)
}

// Objects that do not know each other work together over a fabric: philosophers
// publish that they are hungry, and the table, which subscribed, says who may
// eat. The program examples/philosophers has them eat side by side.
func Example_philosophers() {
	ctx := context.Background()
	config := activeobject.Config{Fabric: activeobject.NewFabric()}
	table := &exampleTable{seats: 3, over: make(chan struct{})}
	table.ActiveObject = activeobject.New("table", hsm.NewMachine(exampleTables, table), config)
	table.Subscribe(dinerIsHere, activeobject.FIFO)
	table.Subscribe(dinerIsDone, activeobject.FIFO)
	if err := table.Start(ctx, tableServing); err != nil {
		fmt.Println(err)
		return
	}
	defer table.Stop(ctx)
	for i := range table.seats {
		d := &exampleDiner{number: i + 1}
		d.ActiveObject = activeobject.New(fmt.Sprint("philosopher_", d.number), hsm.NewMachine(exampleDiners, d), config)
		d.Subscribe(dinerMayEat, activeobject.FIFO)
		if err := d.Start(ctx, dinerThinking); err != nil {
			fmt.Println(err)
			return
		}
		defer d.Stop(ctx)
		d.PostFIFO(hsm.Event{Signal: dinnerBell})
	}
	<-table.over
	// Output:
	// philosopher 1 eats
	// philosopher 2 eats
	// philosopher 3 eats
}

const (
	archerAway hsm.State = iota + 1
	archerWaiting
)

const captainWatching hsm.State = 1

var archerReady = hsm.MustBind[string](hsm.NewSignal("archer_ready"))

// exampleArcher is what a captain believes of one archer.
type exampleArcher struct{}

var exampleArchers = hsm.MustCompile([]hsm.Spec[*exampleArcher]{
	archerAway: {Name: "away", Handle: func(_ *exampleArcher, e hsm.Event) hsm.Status {
		if e.Signal == archerReady {
			return hsm.Tran(archerWaiting)
		}
		return hsm.Super
	}},
	archerWaiting: {Name: "waiting", Handle: func(*exampleArcher, hsm.Event) hsm.Status { return hsm.Super }},
})

// exampleCaptain has a chart for each archer.
type exampleCaptain struct {
	*activeobject.ActiveObject
	archers map[string]*hsm.Machine[*exampleArcher]
}

var exampleCaptains = hsm.MustCompile([]hsm.Spec[*exampleCaptain]{
	captainWatching: {Name: "watching", Handle: (*exampleCaptain).watching},
})

func (c *exampleCaptain) watching(e hsm.Event) hsm.Status {
	if e.Signal != archerReady {
		return hsm.Super
	}
	name, _ := hsm.Payload[string](e)
	if m, known := c.archers[name]; known {
		if err := m.Dispatch(e); err != nil {
			return hsm.Unhandled
		}
	}
	for _, m := range c.archers {
		if !m.In(archerWaiting) {
			fmt.Println(name, "is ready, not everybody is")
			return hsm.Handled
		}
	}
	fmt.Println(name, "is ready, everybody is")
	return hsm.Handled
}

// An object can own other machines and drive them within its own steps, with no
// goroutine and no lock: an orthogonal component. The program examples/archers
// believes things of others that way.
func Example_empathy() {
	c := &exampleCaptain{archers: make(map[string]*hsm.Machine[*exampleArcher])}
	for _, name := range []string{"ann", "bob"} {
		m := hsm.NewMachine(exampleArchers, &exampleArcher{})
		if err := m.Start(archerAway); err != nil {
			fmt.Println(err)
			return
		}
		c.archers[name] = m
	}
	c.ActiveObject = activeobject.New("captain", hsm.NewMachine(exampleCaptains, c), activeobject.Config{})
	ctx := context.Background()
	if err := c.Start(ctx, captainWatching); err != nil {
		fmt.Println(err)
		return
	}
	c.PostFIFO(hsm.Event{Signal: archerReady, Payload: "bob"})
	c.PostFIFO(hsm.Event{Signal: archerReady, Payload: "ann"})
	if err := c.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// bob is ready, not everybody is
	// ann is ready, everybody is
}
