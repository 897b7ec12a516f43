package main

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// TestSeniors: what seniors cry over the mesh every archer makes its own, and
// Reset_Tactic begins anew without a second clock.
func TestSeniors(t *testing.T) {
	for _, tt := range []struct {
		signal hsm.Signal
		want   string
	}{
		{seniorRetreatWarCry, "e->Retreat_War_Cry() circle_and_fire->feigned_retreat"},
		{seniorSkirmishWarCry, "e->Skirmish_War_Cry() circle_and_fire->skirmish"},
		{seniorAdvanceWarCry, "e->Close_Enough_For_Circle() advance->circle_and_fire"}, // it advances already
		{resetTactic, "e->Reset_Tactic() circle_and_fire->advance"},
	} {
		t.Run(tt.signal.String(), func(t *testing.T) {
			onField(t, 1, func(f *field) {
				f.rideUp(1)
				f.pass(20*time.Second + time.Second/2)
				senior := f.camp("senior")
				defer f.kill(senior)
				if err := senior.Transmit(hsm.Event{Signal: tt.signal}); err != nil {
					t.Fatal(err)
				}
				f.check()
				a := f.archers[0]
				if got := last(trace(a)); got != tt.want {
					t.Errorf("last line %q, want %q", got, tt.want)
				}
				if tt.signal != resetTactic {
					return
				}
				if a.number != 3 {
					t.Errorf("the advance has number %d, want that of an order", a.number)
				}
				if a.arrows != quiver || a.ticks != 0 {
					t.Errorf("%d arrows and %d ticks after the reset", a.arrows, a.ticks)
				}
				f.pass(10 * time.Second)
				if a.ticks != 10 {
					t.Errorf("%d ticks in 10 seconds", a.ticks)
				}
			})
		})
	}
}

// TestLure: an archer that is short of arrows waits to lure, for a shorter time
// if all the others do.
func TestLure(t *testing.T) {
	for _, tt := range []struct {
		name        string
		others      bool // are ready
		least, most time.Duration
	}{
		{"everybody ready", true, 10 * time.Second, 50 * time.Second},
		{"somebody not", false, 30 * time.Second, 60 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(10) {
				onField(t, seed, func(f *field) {
					a := f.ride("a")
					b := f.ride("b")
					f.post(a, seniorSkirmishWarCry)
					f.check()
					if tt.others {
						f.post(b, ammunitionLow)
						f.check()
					}
					f.post(a, ammunitionLow)
					f.check()
					if !a.In(waitingToLure) {
						t.Fatalf("it is in %s", tactic.Name(a.State()))
					}
					b.CancelEvents(retreatWarCry) // only a's counts here
					b.CancelEvents(officerLured)
					a.CancelEvents(officerLured)
					begin := time.Now()
					ticks, arrows := a.ticks, a.arrows
					f.pass(5 * time.Second)
					if a.ticks != ticks+5 || a.arrows != arrows {
						t.Errorf("%d ticks and %d arrows in 5 seconds", a.ticks-ticks, a.arrows-arrows)
					}
					for a.In(waitingToLure) {
						f.pass(100 * time.Millisecond)
					}
					if took := time.Since(begin); took < tt.least || took > tt.most+100*time.Millisecond {
						t.Errorf("seed %d: it waited %v, want %v to %v", seed, took, tt.least, tt.most)
					}
				})
			}
		})
	}
}

// TestStaleRetreat: the retreat that an archer meant to cry is forgotten when it
// is taken along before.
func TestStaleRetreat(t *testing.T) {
	onField(t, 1, func(f *field) {
		a, b := f.ride("a"), f.ride("b")
		f.post(a, seniorSkirmishWarCry)
		f.check()
		f.post(a, ammunitionLow)
		f.check()
		f.post(b, seniorAdvanceWarCry)
		f.pass(70 * time.Second) // nobody is short of arrows by then
		if !f.all(circleAndFire) {
			t.Errorf("they are in %s and %s", tactic.Name(a.State()), tactic.Name(b.State()))
		}
	})
}

// TestImpatient: an archer that nobody joins cries for the advance by itself.
func TestImpatient(t *testing.T) {
	for seed := range uint64(5) {
		onField(t, seed, func(f *field) {
			a, b := f.ride("a"), f.ride("b")
			f.post(a, seniorRetreatWarCry)
			f.check()
			f.post(a, outOfArrows)
			f.pass(61 * time.Second)
			if !a.In(waitingToAdvance) {
				t.Fatalf("it is in %s", tactic.Name(a.State()))
			}
			begin := time.Now()
			b.CancelEvents(second) // it shoots no more, and is never ready
			for a.In(waitingToAdvance) {
				f.pass(time.Second)
			}
			if took := time.Since(begin); took < 129*time.Second || took > 301*time.Second {
				t.Errorf("seed %d: it waited %v, want 130 to 300 s", seed, took)
			}
		})
	}
}

// TestTimersEnd: what a state armed is over when the archer leaves it.
func TestTimersEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		posts   []hsm.Signal
		in      hsm.State
		leave   hsm.Signal
		signals []hsm.Signal
	}{
		{"advance", nil, advance, seniorSkirmishWarCry, []hsm.Signal{closeEnoughForCircle}},
		{"skirmish", []hsm.Signal{seniorSkirmishWarCry}, skirmish, seniorAdvanceWarCry, []hsm.Signal{officerLured}},
		{"waiting_to_lure", []hsm.Signal{seniorSkirmishWarCry, ammunitionLow}, waitingToLure, seniorAdvanceWarCry, []hsm.Signal{officerLured, retreatWarCry}},
		{"marshal", []hsm.Signal{seniorRetreatWarCry, outOfArrows}, marshal, seniorAdvanceWarCry, []hsm.Signal{ready}},
		{"waiting_to_advance", []hsm.Signal{seniorRetreatWarCry, outOfArrows, ready}, waitingToAdvance, seniorSkirmishWarCry, []hsm.Signal{ready, advanceWarCry}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onField(t, 1, func(f *field) {
				a := f.ride("a")
				f.ride("b") // is never ready
				for _, s := range tt.posts {
					f.post(a, s)
					f.check()
				}
				if a.State() != tt.in {
					t.Fatalf("it is in %s", tactic.Name(a.State()))
				}
				f.post(a, tt.leave)
				f.check()
				if a.In(tt.in) {
					t.Fatal("it has not left")
				}
				for _, s := range tt.signals {
					if n := a.CancelEvents(s); n != 0 {
						t.Errorf("%d timers of %v are left", n, s)
					}
				}
			})
		})
	}
}

// TestLastArrows: whoever has few arrows may be taken anywhere, and does not stay
// where arrows are needed.
func TestLastArrows(t *testing.T) {
	for seed := range uint64(10) {
		onField(t, seed, func(f *field) {
			a := f.ride("a")
			f.pass(4 * time.Second)
			a.arrows = 1
			f.release()
			f.pass(3 * time.Second) // the sixth tick is among them
			if a.arrows != 0 {
				t.Errorf("seed %d: %d arrows left", seed, a.arrows)
			}
			if got, want := last(trace(a)), "e->Retreat_Ready_War_Cry() skirmish->waiting_to_lure"; got != want {
				t.Errorf("seed %d: last line %q, want %q", seed, got, want)
			}
			f.post(a, seniorRetreatWarCry)
			f.check()
			if got, want := last(trace(a)), "e->Out_Of_Arrows() feigned_retreat->marshal"; got != want {
				t.Errorf("seed %d: last line %q, want %q", seed, got, want)
			}
		})
	}
}
