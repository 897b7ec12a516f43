package hsm_test

import "testing"

// nested is the work W1 to W4 as a nested switch, its actions called through
// function values: what somebody would write by hand, and the fair floor.
type nested struct {
	state int
	n     int
	act   [16]func(*nested)
}

const (
	inS11 = iota
	inS12
	inS211
)

func newNested(state int) *nested {
	c := &nested{state: state}
	for i := range c.act {
		c.act[i] = func(c *nested) { c.n++ }
	}
	return c
}

//go:noinline
func (c *nested) dispatch(signal int) {
	switch c.state {
	case inS11:
		switch signal {
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
		switch signal {
		case 1:
			c.act[0](c)
		case 2:
			c.act[7](c) // exit s12
			c.act[8](c) // entry s11
			c.state = inS11
		}
	case inS211:
		switch signal {
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

func BenchmarkSwitch(b *testing.B) {
	for _, w := range []struct {
		name                   string
		signal, start, actions int
	}{{"W1", 1, inS211, 1}, {"W2", 2, inS11, 2}, {"W3", 3, inS11, 5}, {"W4", 4, inS11, 5}} {
		b.Run(w.name, func(b *testing.B) {
			c := newNested(w.start)
			n := 0
			for b.Loop() {
				c.dispatch(w.signal)
				n++
			}
			if c.n != n*w.actions {
				b.Fatalf("%d actions in %d events, want %d an event", c.n, n, w.actions)
			}
		})
	}
}
