package network

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// running returns a relay that runs until stop.
func running() (r *relay, stop func()) {
	relay := newRelay()
	done := make(chan struct{})
	go relay.run(done)
	return &relay, func() { close(done) }
}

// Whatever is reported, and whenever the reader reads, in the end it has heard of each
// message once, in order, and knows which were refused.
func TestRelayConfirms(t *testing.T) {
	type report struct{ Refused, Read bool }
	rapid.Check(t, func(rt *rapid.T) {
		reports := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) report {
			return report{rapid.Bool().Draw(rt, "refused"), rapid.Bool().Draw(rt, "read")}
		})).Draw(rt, "reports")
		var got, want []bool
		synctest.Test(t, func(*testing.T) {
			r, stop := running()
			read := func() {
				for {
					synctest.Wait()
					select {
					case c := <-r.Confirmed():
						if !c.Several && int(c.Number) != len(got)+1 {
							rt.Errorf("number %d came after %d", c.Number, len(got))
						}
						for len(got) < int(c.Number) {
							got = append(got, c.Refused)
						}
					default:
						return
					}
				}
			}
			for i, report := range reports {
				r.confirm(uint64(i+1), report.Refused)
				want = append(want, report.Refused)
				if report.Read {
					read()
				}
			}
			read()
			stop()
		})
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("refused (-want +got):\n%s", diff)
		}
	})
}

// A reader that sleeps costs one run, not one value a message.
func TestRelayRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := running()
		for i := uint64(1); i <= 1000; i++ {
			r.confirm(i, i == 500)
			if i == 1 {
				synctest.Wait() // the first is in the relay's hand
			}
		}
		var got []Confirm
		for len(got) < 4 {
			got = append(got, <-r.Confirmed())
		}
		want := []Confirm{{Number: 1}, {Number: 499, Several: true}, {Number: 500, Refused: true}, {Number: 1000, Several: true}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		stop()
		if _, open := <-r.Confirmed(); open {
			t.Error("Confirmed is not closed")
		}
	})
}

func TestRelayBlocked(t *testing.T) {
	tests := []struct {
		name string
		says []bool // what the broker says while nobody reads
		want []bool // what a late reader hears
	}{
		{"nothing", nil, nil},
		{"not blocked at all", []bool{false}, nil},
		{"blocked", []bool{true}, []bool{true}},
		{"and back", []bool{true, false}, nil},
		{"and again", []bool{true, false, true, true}, []bool{true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, stop := running()
				for _, stopped := range test.says {
					r.block(stopped)
					synctest.Wait()
				}
				var got []bool
				for {
					synctest.Wait()
					select {
					case stopped := <-r.Blocked():
						got = append(got, stopped)
						continue
					default:
					}
					break
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
				r.block(true)
				if len(test.want) == 0 && !<-r.Blocked() {
					t.Error("got false, want true")
				}
				stop()
				if _, open := <-r.Blocked(); open {
					t.Error("Blocked is not closed")
				}
			})
		})
	}
}
