package instrument_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The chart of these tests:
//
//	house: attic; flat: hall, bath: tub
//	garden
const (
	house hsm.State = iota + 1
	attic
	flat
	hall
	bath
	tub
	garden
)

// walker is the data of a machine whose handlers do what a test says.
type walker struct {
	*hsm.Queue
	react func(at hsm.State, e hsm.Event) hsm.Status // zero means no opinion
}

var rooms = func() *hsm.Chart[*walker] {
	specs := []hsm.Spec[*walker]{
		house:  {Name: "house"},
		attic:  {Name: "attic", Parent: house},
		flat:   {Name: "flat", Parent: house},
		hall:   {Name: "hall", Parent: flat},
		bath:   {Name: "bath", Parent: flat},
		tub:    {Name: "tub", Parent: bath},
		garden: {Name: "garden"},
	}
	for i := range specs {
		if i == int(hsm.Top) {
			continue
		}
		specs[i].Handle = func(w *walker, e hsm.Event) hsm.Status {
			if w.react != nil {
				if answer := w.react(hsm.State(i), e); answer != 0 {
					return answer
				}
			}
			switch to, ok := goTo[e.Signal]; {
			case ok && i == int(house) || ok && i == int(garden):
				return hsm.Tran(to)
			case e.Signal == hsm.Exit || e.Signal == hsm.Entry:
				return hsm.Handled
			}
			return hsm.Super
		}
	}
	return hsm.MustCompile(specs)
}()

var (
	sigA = hsm.NewSignal("A")
	sigB = hsm.NewSignal("B")

	// goTo has a signal for each state, which the outermost states answer.
	goTo = map[hsm.Signal]hsm.State{
		hsm.NewSignal("to_house"): house, hsm.NewSignal("to_attic"): attic, hsm.NewSignal("to_flat"): flat, hsm.NewSignal("to_hall"): hall,
		hsm.NewSignal("to_bath"): bath, hsm.NewSignal("to_tub"): tub, hsm.NewSignal("to_garden"): garden,
	}
)

// newWalker returns a machine in the hall that writes to the log, if any.
func newWalker(t testing.TB, l *hsm.Log, react func(hsm.State, hsm.Event) hsm.Status) *hsm.Machine[*walker] {
	t.Helper()
	m := hsm.NewMachine(rooms, &walker{react: react})
	m.SetLog(l)
	if err := m.Start(hall); err != nil {
		t.Fatal(err)
	}
	return m
}

func dispatch(t testing.TB, m *hsm.Machine[*walker], signals ...string) {
	t.Helper()
	for _, s := range signals {
		if err := m.Dispatch(hsm.Event{Signal: hsm.NewSignal(s)}); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
