package hsm_test

import (
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/statemesh/statemesh/hsm"
)

func TestSignal(t *testing.T) {
	made, interned := hsm.NewSignal("signal_test_a"), hsm.Intern("signal_test_a")
	atRunTime := strings.Join([]string{"signal", "test", "a"}, "_")
	if made != interned || made != hsm.NewSignal(atRunTime) {
		t.Error("two signals of one name differ")
	}
	if made == hsm.Intern("signal_test_A") {
		t.Error("two signals of different names are equal")
	}
	if made.String() != "signal_test_a" {
		t.Errorf("prints as %q", made)
	}
	if m := map[hsm.Signal]int{made: 1}; m[interned] != 1 {
		t.Error("not found as a map key")
	}
}

func TestZeroSignal(t *testing.T) {
	var zero hsm.Signal
	if zero != hsm.NewSignal("") || zero != hsm.Intern("") || zero != (hsm.Event{}).Signal {
		t.Error("the signal of the empty name is not the zero Signal")
	}
	if zero.String() != "" || zero.IsInner() {
		t.Errorf("the zero Signal prints as %q, inner %v", zero, zero.IsInner())
	}
	if s, ok := hsm.Known(""); ok {
		t.Errorf("the empty name is known as %v", s)
	}
}

func TestInnerSignals(t *testing.T) {
	for name, s := range map[string]hsm.Signal{
		"ENTRY_SIGNAL": hsm.Entry, "EXIT_SIGNAL": hsm.Exit, "INIT_SIGNAL": hsm.Init,
		"EMPTY_SIGNAL": hsm.Empty, "SEARCH_FOR_SUPER_SIGNAL": hsm.SearchForSuper,
	} {
		if s.String() != name || !s.IsInner() {
			t.Errorf("%s prints as %q, inner %v", name, s, s.IsInner())
		}
		// A stranger's signal of an inner name is not a way round.
		if got := hsm.Intern(name); got != s {
			t.Errorf("Intern(%s) is another signal", name)
		}
		if got, ok := hsm.Known(name); got != s || !ok {
			t.Errorf("Known(%s) is %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"entry_signal", "ENTRY_SIGNAL ", "ENTRY"} {
		if hsm.Intern(name).IsInner() {
			t.Errorf("%q is inner", name)
		}
	}
}

func TestKnown(t *testing.T) {
	hsm.Intern("signal_test_foreign")
	if s, ok := hsm.Known("signal_test_foreign"); ok || s != (hsm.Signal{}) {
		t.Errorf("a signal that was only interned is known as %v", s)
	}
	declared := hsm.NewSignal("signal_test_own")
	if s, ok := hsm.Known("signal_test_own"); s != declared || !ok {
		t.Errorf("Known is %v, %v", s, ok)
	}
}

// TestSignalsFromManyGoroutines is for the race detector.
func TestSignalsFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, name := range []string{"signal_test_x", "signal_test_y", "signal_test_z"} {
				s := hsm.NewSignal(name)
				if known, ok := hsm.Known(name); known != s || !ok {
					t.Errorf("Known(%s) is %v, %v", name, known, ok)
				}
				if err := hsm.Bind[int](s); err != nil {
					t.Error(err)
				}
				if typ, ok := hsm.PayloadType(s); !ok || typ.Kind() != reflect.Int {
					t.Errorf("PayloadType(%s) is %v, %v", name, typ, ok)
				}
			}
		})
	}
	wg.Wait()
}

type reading struct{ Celsius float64 }

func TestBind(t *testing.T) {
	s := hsm.NewSignal("signal_test_bound_" + rand.Text()) // signals stay bound, over -count too
	if typ, ok := hsm.PayloadType(s); ok || typ != nil {
		t.Errorf("bound to %v before it was bound", typ)
	}
	for range 2 { // again is as good as once
		if err := hsm.Bind[reading](s); err != nil {
			t.Fatal(err)
		}
	}
	err := hsm.Bind[*reading](s)
	var which *hsm.SignalError
	if !errors.Is(err, hsm.ErrBound) || !errors.As(err, &which) || which.Signal != s {
		t.Errorf("another type: %v, want a SignalError with %v", err, hsm.ErrBound)
	}
	if typ, ok := hsm.PayloadType(s); !ok || typ != reflect.TypeFor[reading]() {
		t.Errorf("bound to %v, %v", typ, ok)
	}
	if err := hsm.Bind[reading](hsm.Signal{}); !errors.Is(err, hsm.ErrNoSignal) {
		t.Errorf("the zero Signal: %v, want %v", err, hsm.ErrNoSignal)
	}
	if err := hsm.Bind[reading](hsm.Entry); !errors.Is(err, hsm.ErrInnerSignal) {
		t.Errorf("an inner signal: %v, want %v", err, hsm.ErrInnerSignal)
	}
	// An interface is a type like any other.
	if err := hsm.Bind[error](hsm.NewSignal("signal_test_failed")); err != nil {
		t.Error(err)
	}
}

func TestMustBind(t *testing.T) {
	s := hsm.NewSignal("signal_test_must")
	if hsm.MustBind[int](s) != s {
		t.Error("MustBind returns another signal")
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, hsm.ErrBound) {
			t.Errorf("panics with %v, want %v", err, hsm.ErrBound)
		}
	}()
	hsm.MustBind[string](s)
}

func TestPayload(t *testing.T) {
	s := hsm.NewSignal("signal_test_payload")
	warm := reading{21.5}
	if got, ok := hsm.Payload[reading](hsm.Event{Signal: s, Payload: warm}); got != warm || !ok {
		t.Errorf("Payload is %v, %v", got, ok)
	}
	if got, ok := hsm.Payload[reading](hsm.Event{Signal: s, Payload: &warm}); got != (reading{}) || ok {
		t.Errorf("of a pointer: %v, %v", got, ok)
	}
	if got, ok := hsm.Payload[reading](hsm.Event{Signal: s}); got != (reading{}) || ok {
		t.Errorf("of no payload: %v, %v", got, ok)
	}
	if got, ok := hsm.Payload[error](hsm.Event{Signal: s, Payload: hsm.ErrBusy}); got != hsm.ErrBusy || !ok {
		t.Errorf("as an interface: %v, %v", got, ok)
	}
}

func TestCheckPost(t *testing.T) {
	for _, tt := range []struct {
		signal hsm.Signal
		want   error
	}{
		{hsm.NewSignal("signal_test_post"), nil},
		{hsm.Signal{}, hsm.ErrNoSignal},
		{hsm.Entry, hsm.ErrInnerSignal},
		{hsm.Empty, hsm.ErrInnerSignal},
	} {
		if err := hsm.CheckPost(hsm.Event{Signal: tt.signal}); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%q: error is %v, want %v", tt.signal, err, tt.want)
		}
	}
}

func TestEventString(t *testing.T) {
	s := hsm.NewSignal("MARY")
	for _, tt := range []struct {
		event hsm.Event
		want  string
	}{
		{hsm.Event{}, ""},
		{hsm.Event{Signal: s}, "MARY"},
		{hsm.Event{Signal: s, Payload: []int{1, 2, 3}}, "MARY([1 2 3])"},
		{hsm.Event{Signal: s, Payload: ""}, "MARY()"},
	} {
		if got := tt.event.String(); got != tt.want {
			t.Errorf("event prints as %q, want %q", got, tt.want)
		}
	}
}
