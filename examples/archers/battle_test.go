package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

// TestBattle plays half an hour, twice, and pins it: what one archer does line by
// line, and of all that they go through the cycle in its order, and how much they
// cry meanwhile.
func TestBattle(t *testing.T) {
	for _, n := range []int{1, 3, 12} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			begin := time.Now()
			var first [][]string
			play := func(f *field) (traces [][]string) {
				f.rideUp(n)
				f.pass(30 * time.Minute)
				for _, a := range f.archers {
					traces = append(traces, trace(a))
				}
				return traces
			}
			onField(t, 7, func(f *field) {
				first = play(f)
				orders := 0
				for i, lines := range first {
					orders += checkCycle(t, f.archers[i].Name(), lines)
				}
				checkCries(t, n, orders, f.transmitted())
			})
			t.Logf("30 minutes of %d archers in %v", n, time.Since(begin))
			golden(t, fmt.Sprintf("battle_%d.txt", n), first[0])
			onField(t, 7, func(f *field) {
				if diff := cmp.Diff(first, play(f)); diff != "" {
					t.Errorf("another battle with the same seed (-first +second):\n%s", diff)
				}
			})
		})
	}
}

// checkCycle checks an archer's trace against the tactic, and returns how many
// orders it gave.
func checkCycle(t *testing.T, name string, lines []string) (orders int) {
	t.Helper()
	legal := regexp.MustCompile(`^e->(start_at\(\) top->advance` +
		`|Close_Enough_For_Circle\(\) advance->circle_and_fire` +
		`|(Other_)?Skirmish_War_Cry\(\) circle_and_fire->skirmish` +
		`|Retreat_Ready_War_Cry\(\) skirmish->waiting_to_lure` +
		`|(Other_)?Retreat_War_Cry\(\) (skirmish|waiting_to_lure)->feigned_retreat` +
		`|Out_Of_Arrows\(\) feigned_retreat->marshal` +
		`|Ready\(\) marshal->waiting_to_advance` +
		`|Advance_War_Cry\(\) waiting_to_advance->advance` +
		`|Other_Advance_War_Cry\(\) (feigned_retreat|marshal|waiting_to_advance)->advance)$`)
	to := make(map[string]int)
	last := "top"
	for _, line := range lines {
		from, target, _ := strings.Cut(line[strings.Index(line, " ")+1:], "->")
		if !legal.MatchString(line) || from != last {
			t.Errorf("%s in %s: %q", name, last, line)
		}
		last = target
		to[target]++
		if own := regexp.MustCompile(`^e->(Advance|Skirmish|Retreat)_War_Cry`); own.MatchString(line) {
			orders++
		}
	}
	for _, s := range []hsm.State{advance, circleAndFire, skirmish, feignedRetreat, marshal, waitingToAdvance} {
		if n := to[tactic.Name(s)]; n < 3 {
			t.Errorf("%s came to %s %d times in half an hour, want 3 at least", name, tactic.Name(s), n)
		}
	}
	return orders
}

// checkCries: an archer says that it is here once, answers everybody else once,
// cries once for an order, whoever gave it, and twice a cycle that it waits.
func checkCries(t *testing.T, n, orders, transmitted int) {
	t.Helper()
	cycles := orders/3 + 1
	most := n + n*(n-1)/2 + n*(1+orders) + 2*n*cycles
	if transmitted > most || transmitted < n*orders {
		t.Errorf("%d archers transmitted %d events for %d orders, want %d to %d", n, transmitted, orders, n*orders, most)
	}
	t.Logf("%d archers transmitted %d events for %d orders, %d at most", n, transmitted, orders, most)
}

// TestFallen: the others notice at their next cry who has fallen, and do not
// wait for it any more.
func TestFallen(t *testing.T) {
	onField(t, 3, func(f *field) {
		f.rideUp(4)
		victim := f.archers[2]
		f.until(skirmish)
		f.kill(victim)
		f.pass(time.Second)
		for _, a := range f.archers {
			if b := believes(a, victim.Name()); b != "not_waiting" && b != "waiting" {
				t.Errorf("%s believes that %s is %q, want that it does not know yet", a.Name(), victim.Name(), b)
			}
		}
		f.until(marshal)
		for _, a := range f.archers {
			if b := believes(a, victim.Name()); b != "dead" {
				t.Errorf("%s believes that %s is %q, want dead", a.Name(), victim.Name(), b)
			}
		}
		// Who is ready last cries for the advance at once; impatience would take
		// more than two minutes.
		waited := 0
		for ; !f.all(advance); waited++ {
			if waited > 110 {
				t.Fatal("they wait for the dead")
			}
			f.pass(time.Second)
		}
		own := slices.ContainsFunc(f.archers, func(a *archer) bool {
			return strings.HasPrefix(last(trace(a)), "e->Advance_War_Cry() waiting_to_advance->advance")
		})
		if !own {
			t.Error("nobody cried for the advance")
		}

		// It comes back, under its name.
		back := f.ride(victim.Name())
		for _, a := range f.archers {
			if a == back {
				continue
			}
			if b := believes(a, back.Name()); b != "not_waiting" {
				t.Errorf("%s believes that %s is %q, who has come back", a.Name(), back.Name(), b)
			}
			if b := believes(back, a.Name()); b != "not_waiting" {
				t.Errorf("%s believes that %s is %q, who welcomed it", back.Name(), a.Name(), b)
			}
		}
		f.until(marshal)
	})
}

// TestFallenReady: one that falls after it was ready holds the others up until
// somebody is impatient, once.
func TestFallenReady(t *testing.T) {
	onField(t, 3, func(f *field) {
		f.rideUp(3)
		f.until(feignedRetreat)
		var victim *archer
		for victim == nil {
			f.pass(time.Second)
			for _, a := range f.archers {
				if a.In(waitingToAdvance) {
					victim = a
				}
			}
		}
		f.kill(victim)
		f.until(advance)
		want := []string{"not_waiting", "not_waiting"}
		if got := []string{believes(f.archers[0], victim.Name()), believes(f.archers[1], victim.Name())}; !slices.Equal(got, want) {
			t.Errorf("believe %q of one that was ready, want %q", got, want)
		}
		f.until(feignedRetreat)
		want = []string{"dead", "dead"}
		if got := []string{believes(f.archers[0], victim.Name()), believes(f.archers[1], victim.Name())}; !slices.Equal(got, want) {
			t.Errorf("believe %q after the next cry, want %q", got, want)
		}
	})
}

// TestLatecomer: its arrival takes everybody back into the advance, and the next
// cry takes it along. Everybody knows everybody.
func TestLatecomer(t *testing.T) {
	onField(t, 5, func(f *field) {
		f.rideUp(3)
		f.until(skirmish)
		late := f.ride("late")
		if !f.all(advance) {
			t.Error("not everybody advances with the latecomer")
		}
		for _, a := range f.archers {
			if len(a.others) != 3 {
				t.Errorf("%s knows %d others, want 3", a.Name(), len(a.others))
			}
			if a != late && a.number != late.number {
				t.Errorf("%s is in manoeuvre %d, the latecomer in %d", a.Name(), a.number, late.number)
			}
		}
		f.until(skirmish)
		if line := last(trace(late)); line != "e->Other_Skirmish_War_Cry() circle_and_fire->skirmish" && line != "e->Other_Skirmish_War_Cry() advance->skirmish" {
			t.Errorf("the latecomer's last line is %q, want that it was taken along", line)
		}
	})
}

// TestLatecomerLeads: nobody moves when a latecomer comes into an advance, and it
// learns all the same which one it is, so that its orders are followed.
func TestLatecomerLeads(t *testing.T) {
	onField(t, 5, func(f *field) {
		f.rideUp(3)
		f.until(marshal)
		f.until(circleAndFire)
		late := f.ride("late")
		if n := f.archers[0].number; n != 3 || late.number != n {
			t.Fatalf("the advance is number %d, and the latecomer's %d, want 3", n, late.number)
		}
		f.post(late, seniorSkirmishWarCry)
		f.check()
		if !f.all(skirmish) {
			t.Error("not everybody follows the latecomer")
		}
	})
}

// TestCrossing: orders that cross on the wire come to rest at once, everybody is
// in the same manoeuvre then, and nobody has cried more than once an order.
func TestCrossing(t *testing.T) {
	onField(t, 1, func(f *field) {
		f.rideUp(12)
		f.until(skirmish)
		for round := range 20 {
			before := f.transmitted()
			for i, s := range []hsm.Signal{seniorAdvanceWarCry, seniorRetreatWarCry, seniorSkirmishWarCry} {
				f.post(f.archers[(round+4*i)%12], s)
			}
			f.check()
			if cries := f.transmitted() - before; cries > 3*12 {
				t.Errorf("round %d: three orders make 12 archers cry %d times", round, cries)
			}
			for _, a := range f.archers {
				if a.State() != f.archers[0].State() || a.number != f.archers[0].number {
					t.Errorf("round %d: %s is in %s (%d), %s in %s (%d)", round, a.Name(), tactic.Name(a.State()), a.number,
						f.archers[0].Name(), tactic.Name(f.archers[0].State()), f.archers[0].number)
				}
				for _, other := range f.archers {
					if b := believes(a, other.Name()); other != a && b == "dead" {
						t.Errorf("round %d: %s believes that %s is dead", round, a.Name(), other.Name())
					}
				}
			}
		}
	})
}

// TestWithoutNumber: whoever does not count is followed all the same.
func TestWithoutNumber(t *testing.T) {
	onField(t, 1, func(f *field) {
		f.rideUp(2)
		f.until(skirmish)
		stranger := f.camp("stranger")
		defer f.kill(stranger)
		if err := stranger.Transmit(hsm.Event{Signal: otherRetreatWarCry, Payload: "stranger"}); err != nil {
			t.Fatal(err)
		}
		f.check()
		if !f.all(feignedRetreat) {
			t.Error("not everybody retreats")
		}
		if b := believes(f.archers[0], "stranger"); b != "not_waiting" {
			t.Errorf("the stranger is %q", b)
		}
	})
}

func last(lines []string) string { return lines[len(lines)-1] }
