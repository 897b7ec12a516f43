package main

import "github.com/statemesh/statemesh/hsm"

const (
	sound hsm.State = iota + 1
	back
	rammed
	worn
)

// piston is a component: a machine of its own in the reactor's data.
type piston struct {
	*hsm.Runner[*piston]
	number  int
	strokes int
	owner   *reactor
}

var pistons = hsm.MustCompile([]hsm.Spec[*piston]{
	sound:  {Name: "sound", Handle: (*piston).sound, Init: back},
	back:   {Name: "back", Parent: sound, Handle: (*piston).back},
	rammed: {Name: "rammed", Parent: sound, Handle: (*piston).rammed},
	worn:   {Name: "worn", Handle: (*piston).worn},
})

func newPiston(number int, owner *reactor, log hsm.LogConfig) *piston {
	p := &piston{number: number, owner: owner}
	p.Runner = hsm.NewRunner(hsm.NewMachine(pistons, p), hsm.NewQueue(4, hsm.Reject), log)
	return p
}

// life is after how many strokes the piston is worn out.
func (p *piston) life() int { return 2 + p.number%3 }

// drive gives the piston an event and runs it until none waits. Only the owner's
// handlers call it, so it runs inside the owner's step.
func (p *piston) drive(e hsm.Event) error {
	if err := p.PostFIFO(e); err != nil {
		return err
	}
	return p.Run()
}

func (p *piston) sound(hsm.Event) hsm.Status { return hsm.Super }

func (p *piston) back(e hsm.Event) hsm.Status {
	switch e.Signal {
	case pulse:
		p.strokes++
		return hsm.Tran(rammed)
	}
	return hsm.Super
}

func (p *piston) rammed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case pulse:
		if p.strokes == p.life() {
			return hsm.Tran(worn)
		}
		return hsm.Tran(back)
	}
	return hsm.Super
}

func (p *piston) worn(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.owner.PostFIFO(hsm.Event{Signal: wornOut, Payload: p.number})
		return hsm.Handled
	}
	return hsm.Super
}
