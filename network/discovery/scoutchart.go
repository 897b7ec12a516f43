package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// A scout looks at one candidate, and ends. Its chart:
//
//	knocking     a goroutine logs in at the broker
//	greeting     a goroutine asks who is there
//	reported     the verdict is out
//	  ours, self, not_ours, wrong_credentials, not_amqp, refused, dead
const (
	knocking hsm.State = iota + 1
	greeting
	reported
	firstVerdict // and one more for each verdict that follows Unknown
)

var (
	letIn       = hsm.NewSignal("let_in")
	turnedAway  = hsm.NewSignal("turned_away")
	answered    = hsm.NewSignal("answered")
	notAnswered = hsm.NewSignal("not_answered")
)

// How long a scout waits. A host two tenths of a second away needs one second to
// let us in.
const (
	knockTimeout = 3 * time.Second
	greetTimeout = 2 * time.Second
)

// scout is the data of the chart.
type scout struct {
	*activeobject.ActiveObject
	candidate Candidate
	prober    Prober
	began     time.Time
	report    func(Candidate)
	ctx       context.Context // ended by Discovery.Close
	cancel    context.CancelFunc
	work      *sync.WaitGroup
}

var scouts = scoutChart()

func scoutChart() *hsm.Chart[*scout] {
	f := factory.New[*scout]()
	f.Create(knocking, "knocking").
		Catch(hsm.Entry, (*scout).knock).
		Catch(hsm.Exit, (*scout).stopAsking).
		Catch(letIn, (*scout).goIn).
		Catch(turnedAway, (*scout).judge)
	f.Create(greeting, "greeting").
		Catch(hsm.Entry, (*scout).greet).
		Catch(hsm.Exit, (*scout).stopAsking).
		Catch(answered, (*scout).judge).
		Catch(notAnswered, (*scout).judge)
	f.Create(reported, "reported").
		Catch(hsm.Entry, (*scout).tell)
	for v := Ours; v <= NotAllowed; v++ {
		name := strings.ToLower(strings.ReplaceAll(v.String(), " ", "_"))
		f.Create(verdictState(v), name)
		f.Nest(verdictState(v), reported)
	}
	return f.MustCompile()
}

func verdictState(v Verdict) hsm.State { return firstVerdict + hsm.State(v-Ours) }

// newScout returns a scout that has not been started.
func newScout(ctx context.Context, c Config, candidate Candidate, work *sync.WaitGroup, report func(Candidate)) *scout {
	s := &scout{candidate: candidate, prober: c.Prober, began: time.Now(), report: report, ctx: ctx, work: work}
	s.ActiveObject = activeobject.New(scoutName(candidate.Address, c.Port), hsm.NewMachine(scouts, s), activeobject.Config{
		Fabric: activeobject.NewFabric(), Instrument: c.Instrument,
	})
	return s
}

// scoutName is how the address stands in the trace, where a name has no colons.
func scoutName(a netip.AddrPort, port int) string {
	name := "scout_" + strings.ReplaceAll(a.Addr().WithZone("").String(), ":", "_")
	if int(a.Port()) != port {
		name += fmt.Sprintf("_%d", a.Port())
	}
	return name
}

func (s *scout) knock(hsm.Event) hsm.Status {
	ctx, cancel := context.WithTimeout(s.ctx, knockTimeout)
	s.cancel = cancel
	address := s.candidate.Address
	s.work.Go(func() {
		verdict, err := s.prober.Knock(ctx, address)
		signal := turnedAway
		if verdict == LetIn {
			signal = letIn
		}
		s.PostFIFO(hsm.Event{Signal: signal, Payload: finding{verdict: verdict, err: err}})
	})
	return hsm.Handled
}

// finding is what the goroutines of a scout found.
type finding struct {
	verdict  Verdict
	greeting Greeting
	err      error
}

func (s *scout) stopAsking(hsm.Event) hsm.Status {
	s.cancel()
	return hsm.Handled
}

func (s *scout) goIn(hsm.Event) hsm.Status { return hsm.Tran(greeting) }

func (s *scout) greet(hsm.Event) hsm.Status {
	ctx, cancel := context.WithTimeout(s.ctx, greetTimeout)
	s.cancel = cancel
	address := s.candidate.Address
	s.work.Go(func() {
		heard, err := s.prober.Greet(ctx, address)
		switch {
		case errors.Is(err, ErrGone):
			s.PostFIFO(hsm.Event{Signal: notAnswered, Payload: finding{verdict: Dead, err: err}})
		case err != nil:
			s.PostFIFO(hsm.Event{Signal: notAnswered, Payload: finding{verdict: NotOurs, err: err}})
		case heard.Self:
			s.PostFIFO(hsm.Event{Signal: answered, Payload: finding{verdict: Self, greeting: heard}})
		default:
			s.PostFIFO(hsm.Event{Signal: answered, Payload: finding{verdict: Ours, greeting: heard}})
		}
	})
	return hsm.Handled
}

// judge ends in the state of the verdict.
func (s *scout) judge(e hsm.Event) hsm.Status {
	found, _ := hsm.Payload[finding](e)
	if found.verdict < Ours || found.verdict > NotAllowed {
		found.verdict = Dead
	}
	s.candidate.Verdict, s.candidate.Err = found.verdict, found.err
	s.candidate.Nodes, s.candidate.RoundTrip = found.greeting.Nodes, found.greeting.RoundTrip
	return hsm.Tran(verdictState(found.verdict))
}

func (s *scout) tell(hsm.Event) hsm.Status {
	s.candidate.Elapsed = time.Since(s.began)
	s.report(s.candidate)
	return hsm.Handled
}
