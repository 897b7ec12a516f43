package works

import (
	"context"

	"github.com/statemesh/statemesh/bench/measure"
)

// nested is the work W1 to W4 as a nested switch, its actions called through
// function values: what one would write by hand, and the floor that is fair.
type nested struct {
	state   int
	actions int
	act     [13]func(*nested)
}

const (
	inS11 = iota
	inS12
	inS211
)

// nested is the switch as a contestant.
func (d dispatch) nested(context.Context) (*measure.Session, error) {
	c := &nested{state: inS11}
	if d.start == stateS211 {
		c.state = inS211
	}
	for i := range c.act {
		c.act[i] = func(c *nested) { c.actions++ }
	}
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		c.actions = 0
		for range n {
			c.dispatch(d.number)
		}
		return nil, counted("actions", c.actions, n*d.actions)
	}}, nil
}

//go:noinline
func (c *nested) dispatch(event int) {
	switch c.state {
	case inS11:
		switch event {
		case 1:
			c.act[0](c)
		case 2:
			c.act[1](c) // exit s11
			c.act[2](c) // entry s12
			c.state = inS12
		case 3, 4:
			c.act[1](c) // exit s11
			c.act[3](c) // exit s1
			c.act[4](c) // entry s2
			c.act[5](c) // entry s21
			c.act[6](c) // entry s211
			c.state = inS211
		}
	case inS12:
		switch event {
		case 1:
			c.act[0](c)
		case 2:
			c.act[7](c) // exit s12
			c.act[8](c) // entry s11
			c.state = inS11
		}
	case inS211:
		switch event {
		case 1:
			c.act[0](c)
		case 3, 4:
			c.act[9](c)  // exit s211
			c.act[10](c) // exit s21
			c.act[11](c) // exit s2
			c.act[12](c) // entry s1
			c.act[8](c)  // entry s11
			c.state = inS11
		}
	}
}
