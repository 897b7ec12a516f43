package works

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

// urlVariable names a RabbitMQ for the tests.
const urlVariable = "STATEMESH_RABBITMQ_URL"

func env() Env { return Env{Quick: true, RabbitMQ: os.Getenv(urlVariable)} }

// few is how many operations of a contestant a test does.
func few(w measure.Work, c measure.Contestant) int {
	n := c.N
	if n == 0 {
		n = w.N
	}
	switch {
	case strings.HasPrefix(w.Name, "scale/50"), strings.HasPrefix(w.Name, "scale/1000 "):
		return n / 5
	case strings.Contains(w.Name, "periodic"):
		return n / 50
	case n > 1000:
		return n / 100
	case n > 0:
		return n
	}
	return max(w.Step, 300/max(w.Step, 1)) * 2
}

// TestEveryContestantDoesItsWork: each Do shows that it did what it should, or
// returns an error.
func TestEveryContestantDoesItsWork(t *testing.T) {
	for _, w := range All(env()) {
		for _, c := range w.Contestants {
			t.Run(w.Name+"/"+c.Name, func(t *testing.T) {
				session, err := c.Begin(t.Context())
				var absent *measure.Absent
				if errors.As(err, &absent) {
					t.Skipf("absent: %v", absent)
				}
				if err != nil {
					t.Fatal(err)
				}
				if session.End != nil {
					defer session.End()
				}
				rounds := 2 // a session is used again
				if w.Fresh {
					rounds = 1
				}
				for range rounds {
					sample, err := session.Do(few(w, c))
					if err != nil {
						t.Fatal(err)
					}
					for name, v := range sample {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Errorf("%s is %g", name, v)
						}
					}
					checkGoals(t, w, c.Name, sample)
				}
			})
		}
	}
}

// checkGoals looks for the metrics that the goals of a contestant need.
func checkGoals(t *testing.T, w measure.Work, contestant string, s measure.Sample) {
	t.Helper()
	for _, g := range w.Goals {
		if g.Rival != contestant && contestant != Ours {
			continue
		}
		if _, there := s[g.Metric.Name]; !there && g.Metric != measure.Time && g.Metric != measure.Rate {
			t.Errorf("%s is not measured", g.Metric.Name)
		}
	}
}

func TestWorksArePutTogetherRightly(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range All(Env{}) {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		if w.Contestants[0].Name != Ours {
			t.Errorf("%s: the first is %s, not ours", w.Name, w.Contestants[0].Name)
		}
		if seen[w.Name] {
			t.Errorf("%s is there twice", w.Name)
		}
		if seen[w.Name] = true; w.About == "" {
			t.Errorf("%s does not say what it is", w.Name)
		}
	}
}

// TestTargets are the promises, in the order of the works.
func TestTargets(t *testing.T) {
	want := map[string]bool{}
	for _, line := range []string{
		"dispatch/W1 time nested switch <= 3.6", "dispatch/W2 time nested switch <= 4.4", "dispatch/W3 time nested switch <= 4.7", "dispatch/W4 time nested switch <= 4.4",
		"dispatch/W2 time qmuntal/stateless >= 20", "dispatch/W3 time qmuntal/stateless >= 20", "dispatch/W4 time qmuntal/stateless >= 20",
		"post/one time chan(1024) <= 1", "post/eight time chan(1024) <= 1.4", "post/fan-out time chan(1024) <= 1.6", "ping-pong time chan(1024) <= 1.3",
		"idle object memory of one  <= 3200", "idle object/used memory of one  <= 3200", "timer/arm+cancel time AfterFunc+Stop <= 1.3",
		"scale/100000 objects of a core  <= 5", "scale/100000 objects lateness p99  < 2000",
		"timer/100000 periodic of a core  <= 5", "timer/100000 periodic lateness p99  < 2000",
		"mesh/RabbitMQ/unsealed rate raw amqp091-go >= 0.9", "mesh/RabbitMQ/events rate raw amqp091-go >= 5", "mesh/RabbitMQ/single events rate raw amqp091-go >= 0.8",
		"mesh/RabbitMQ/latency p50 raw amqp091-go <= 1.3", "mesh/RabbitMQ/latency p99 raw amqp091-go <= 1.5",
		"broker/auto-ack time RabbitMQ > 1", "broker/confirms time RabbitMQ > 1", "broker/manual ack time RabbitMQ > 1", "broker/round trip time RabbitMQ > 1",
		"seqdiagram rate  >= 500000", "node start start  < 50",
	} {
		want[line] = true
	}
	for i := 1; i <= 4; i++ {
		want[fmt.Sprintf("trace/W%d time  <= 35", i)] = true
		want[fmt.Sprintf("spy/W%d time  <= 40", i)] = true
		want[fmt.Sprintf("trace+spy/W%d time  <= 40", i)] = true
	}
	for _, w := range All(Env{}) {
		for _, g := range w.Goals {
			if g.Target.Kind == measure.None {
				continue
			}
			line := fmt.Sprintf("%s %s %s %v", w.Name, g.Metric.Name, g.Rival, g.Target)
			if !want[line] {
				t.Errorf("a target that nobody promised: %s", line)
			}
			delete(want, line)
			clean := strings.HasPrefix(w.Name, "dispatch/") && g.Rival == nestedSwitch || strings.HasPrefix(w.Name, "trace") ||
				strings.HasPrefix(w.Name, "spy/") || strings.HasPrefix(w.Name, "timer/arm")
			if g.NoAllocs != clean {
				t.Errorf("%s: without allocations: %v, want %v", line, g.NoAllocs, clean)
			}
		}
	}
	for line := range want {
		t.Errorf("not measured: %s", line)
	}
}

// TestWithoutRabbitMQ: what needs one is absent, and says why.
func TestWithoutRabbitMQ(t *testing.T) {
	missing := 0
	for _, w := range All(Env{Quick: true}) {
		if !strings.HasPrefix(w.Name, "mesh/RabbitMQ/") && !strings.HasPrefix(w.Name, "broker/") || strings.HasSuffix(w.Name, "unsealed") {
			continue
		}
		for _, c := range w.Contestants {
			if c.Name == Ours && strings.HasPrefix(w.Name, "broker/") {
				continue
			}
			_, err := c.Begin(t.Context())
			if !errors.Is(err, errNoRabbitMQ) {
				t.Errorf("%s/%s: %v", w.Name, c.Name, err)
			}
			missing++
		}
	}
	if missing != 10 {
		t.Errorf("%d contestants need a RabbitMQ, want 10", missing)
	}
}

// TestNobodySkipsActions: a contestant whose machine does another number of actions
// than the work has is found out.
func TestNobodySkipsActions(t *testing.T) {
	for _, d := range dispatching {
		d.actions++
		for name, begin := range map[string]func(context.Context) (*measure.Session, error){
			Ours: d.machine(tallying, func() *hsm.Log { return nil }), nestedSwitch: d.nested, qmuntal: d.stateless, looplab: d.looplab,
		} {
			session, err := begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := session.Do(10); err == nil {
				t.Errorf("%s does %s with %d actions an event and nobody minds", name, d.name, d.actions)
			}
		}
	}
}

// TestNobodySkipsEvents: posts that get lost or are refused are found out.
func TestNobodySkipsEvents(t *testing.T) {
	refused := errors.New("refused")
	refuse := func(_ context.Context, all []*sink) ([]func() error, func(), error) {
		post, end, err := channelSinks(context.Background(), all)
		for i, f := range post {
			post[i] = func() error { _ = f(); return refused }
		}
		return post, end, err
	}
	session, err := posts(2, refuse, 1, burst)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.End()
	if _, err := session.Do(burst); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}

	c := &client{}
	bodies := make(chan amqp.Delivery, 2)
	bodies <- amqp.Delivery{Body: body}
	bodies <- amqp.Delivery{Body: body[1:]}
	close(bodies)
	c.deliveries = bodies
	done := func(amqp.Delivery) error { return nil }
	if err := c.receive(1, done); err != nil {
		t.Errorf("a whole message: %v", err)
	}
	if err := c.receive(1, done); err == nil {
		t.Error("a short message passes")
	}
	if err := c.receive(1, done); !errors.Is(err, errEnded) {
		t.Errorf("no message: got %v", err)
	}
}

func TestLateness(t *testing.T) {
	for _, test := range []struct {
		name              string
		after, late, next time.Duration
	}{
		{"on time", 0, 0, period},
		{"late", period / 2, period / 2, period},
		{"one was missed", period + 5, period + 5, 2 * period},
		{"three were missed", 3*period + 5, 3*period + 5, 4 * period},
		{"it had waited", -period / 4, period * 3 / 4, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if late, next := lateness(test.after); late != test.late || next != test.next {
				t.Errorf("got %v and %v, want %v and %v", late, next, test.late, test.next)
			}
		})
	}
}

// TestTicksAreCounted: timers that tick too often, or hardly, are found out.
func TestTicksAreCounted(t *testing.T) {
	for _, test := range []struct {
		ticks int
		ok    bool
	}{{1000, true}, {1040, true}, {700, true}, {1100, false}, {2000, false}, {400, false}, {0, false}} {
		c := &ticking{late: make([]atomic.Int64, 4000)}
		c.ticks.Store(int64(test.ticks))
		if _, err := c.sample(500, 2*period, measure.Sample{}); (err == nil) != test.ok {
			t.Errorf("%d ticks of 500 timers in 2 periods: %v", test.ticks, err)
		}
	}
}

func TestTraced(t *testing.T) {
	text := string(traced(3))
	const want = "[2026-11-22 01:02:03.000731] [00000_ao] e->to_state_1() state_0->state_1\n"
	if !strings.HasPrefix(text, want) || strings.Count(text, "\n") != 3 {
		t.Errorf("got %q, want 3 lines, the first %q", text, want)
	}
}
