package main

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

func TestParseCry(t *testing.T) {
	for _, tt := range []struct {
		text string
		want cry
	}{
		{"4a2f1_archer 7", cry{"4a2f1_archer", 7, true}},
		{"4a2f1_archer 0", cry{"4a2f1_archer", 0, true}},
		{"4a2f1_archer", cry{name: "4a2f1_archer"}},
		{"", cry{}},
		{"a b", cry{name: "a"}},
		{"a -1", cry{name: "a"}},
		{"a 18446744073709551615", cry{name: "a"}},
	} {
		got := parseCry(tt.text)
		if !got.counted {
			got.number = 0
		}
		if got != tt.want {
			t.Errorf("%q is %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

// TestAfter: the next number of a manoeuvre is the first of its kind that is
// later.
func TestAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 1<<62).Draw(t, "n")
		m := manoeuvre(rapid.Uint64Range(0, 2).Draw(t, "manoeuvre"))
		want := n + 1
		for want%3 != uint64(m) {
			want++
		}
		if got := m.after(n); got != want {
			t.Errorf("%d after %d is %d, want %d", m, n, got, want)
		}
	})
}

// TestEmpathy drives the chart alone.
func TestEmpathy(t *testing.T) {
	for _, tt := range []struct {
		name string
		hear []hsm.Signal
		want string
	}{
		{"arrival", []hsm.Signal{otherAnnounceArrival}, "not_waiting"},
		{"ready to lure", []hsm.Signal{otherRetreatReadyWarCry}, "waiting"},
		{"ready", []hsm.Signal{otherReadyWarCry}, "waiting"},
		{"ready twice", []hsm.Signal{otherReadyWarCry, otherReadyWarCry}, "waiting"},
		{"moves on", []hsm.Signal{otherReadyWarCry, otherAdvanceWarCry}, "not_waiting"},
		{"own retreat, was ready", []hsm.Signal{otherRetreatReadyWarCry, retreatWarCry}, "not_waiting"},
		{"own advance, was ready", []hsm.Signal{otherReadyWarCry, advanceWarCry}, "not_waiting"},
		{"own retreat, was not", []hsm.Signal{retreatWarCry}, "dead"},
		{"own advance, was not", []hsm.Signal{advanceWarCry}, "dead"},
		{"own skirmish says nothing", []hsm.Signal{skirmishWarCry}, "not_waiting"},
		{"silent for two cries", []hsm.Signal{otherReadyWarCry, advanceWarCry, retreatWarCry}, "dead"},
		{"dead stays dead", []hsm.Signal{retreatWarCry, advanceWarCry, skirmishWarCry}, "dead"},
		{"back by its arrival", []hsm.Signal{retreatWarCry, otherAnnounceArrival}, "not_waiting"},
		{"back by its advance", []hsm.Signal{retreatWarCry, otherAdvanceWarCry}, "not_waiting"},
		{"back by its skirmish", []hsm.Signal{retreatWarCry, otherSkirmishWarCry}, "not_waiting"},
		{"back by its retreat", []hsm.Signal{retreatWarCry, otherRetreatWarCry}, "not_waiting"},
		{"back, and ready", []hsm.Signal{retreatWarCry, otherReadyWarCry}, "waiting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			y := newEmpathy()
			for _, s := range tt.hear {
				y.dispatch(s)
			}
			if got := empathies.Name(y.machine.State()); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if holdsUp := tt.want == "not_waiting"; y.holdsUp() != holdsUp {
				t.Errorf("holds up: %v", y.holdsUp())
			}
		})
	}
}

// TestSameName: of two archers of one name, both are known in the end.
func TestSameName(t *testing.T) {
	onField(t, 1, func(f *field) {
		witness := f.ride("witness")
		a := f.ride("bob")
		b := f.ride("bob")
		if a.called == b.called {
			t.Errorf("both are called %s", a.called)
		}
		for _, name := range []string{a.called, b.called} {
			if believes(witness, name) == "" || !strings.HasPrefix(name, "bob") {
				t.Errorf("the witness does not know %s", name)
			}
		}
		if believes(a, b.called) == "" || believes(b, a.called) == "" {
			t.Error("they do not know each other")
		}
		f.until(marshal)
		for _, name := range []string{a.called, b.called} {
			if believes(witness, name) == "dead" {
				t.Errorf("the witness believes that %s is dead", name)
			}
		}
	})
}
