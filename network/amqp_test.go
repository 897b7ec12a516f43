package network

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network/broker"
)

// through returns an AMQP rig whose broker is behind a proxy.
func through(t *testing.T, transport AMQP) (rig, *proxy) {
	p := newProxy(t, hosted(t))
	return rig{TB: t, transport: &transport, address: p.Address}, p
}

// within checks that f takes no longer than the limit, and a little for a busy machine.
func within(t *testing.T, what string, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s hangs", what)
	}
	if took := time.Since(began); took > limit+time.Second {
		t.Errorf("%s took %v, want at most %v", what, took, limit)
	}
}

// A broker that has stopped reading: RabbitMQ does so when it is short of memory.
func TestPublishToBlockedPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	b, p := through(t, AMQP{WriteTimeout: limit})
	l := b.dial()
	p.setFrozen(true)
	var err error
	published := 0
	for body := make([]byte, 1<<20); err == nil; published++ {
		within(t, "Publish", limit, func() { err = l.Publish(ExchangeMesh, "k", body) })
	}
	if !errors.Is(err, ErrLost) || published > 1000 {
		t.Errorf("error %v after %d messages", err, published)
	}
	b.dead(l, ErrLost)
	within(t, "Close", limit, func() { l.Close() })
}

func TestCloseOfBlockedPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	b, p := through(t, AMQP{WriteTimeout: limit})
	l := b.dial()
	b.consume(l, "k")
	p.setFrozen(true)
	within(t, "Close", limit, func() { b.ok(l.Close()) })
	b.dead(l, nil)
}

// A Publish that hangs does not hold up Close.
func TestCloseDuringPublish(t *testing.T) {
	const limit = 300 * time.Millisecond
	b, p := through(t, AMQP{WriteTimeout: limit})
	l := b.dial()
	p.setFrozen(true)
	done := make(chan error)
	started := make(chan struct{}, 1000)
	go func() {
		var err error
		for body := make([]byte, 1<<20); err == nil; err = l.Publish(ExchangeMesh, "k", body) {
			started <- struct{}{}
		}
		done <- err
	}()
	for range 3 {
		<-started
	}
	within(t, "Close", limit, func() { b.ok(l.Close()) })
	if err := <-done; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrLost) {
		t.Errorf("Publish says %v", err)
	}
}

func TestBindToSilentPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	b, p := through(t, AMQP{ConnectTimeout: limit, WriteTimeout: limit})
	l := b.dial()
	b.consume(l, "k")
	p.setFrozen(true)
	var err error
	within(t, "Bind", limit, func() { err = l.Bind(Binding{ExchangeMesh, "l"}) })
	if !errors.Is(err, ErrLost) {
		t.Errorf("Bind says %v", err)
	}
	b.dead(l, ErrLost)
}

// A broker that is slow is not one that does not answer, however much it is asked.
func TestConsumeFromSlowPeer(t *testing.T) {
	const limit, lag, bindings = time.Second, 40 * time.Millisecond, 20
	b, p := through(t, AMQP{ConnectTimeout: limit})
	l := b.dial()
	p.setLag(lag)
	var keys []string
	for i := range bindings {
		keys = append(keys, strconv.Itoa(i))
	}
	began := time.Now()
	b.consume(l, keys...)
	if took := time.Since(began); took < limit {
		t.Errorf("that took only %v, and proves nothing", took)
	}
}

func TestDialOfSilentPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	for name, connection := range map[string]int{"when it is probed": 1, "when it is dialled": 2} {
		t.Run(name, func(t *testing.T) {
			b, p := through(t, AMQP{ConnectTimeout: limit})
			p.freezeAt(connection)
			var err error
			within(t, "Dial", limit, func() { _, err = b.transport.Dial(context.Background(), b.address) })
			if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A broker that says nothing at all, not even a heartbeat, is given up.
func TestHeartbeat(t *testing.T) {
	for name, transport := range map[string]AMQP{
		"of the transport": {Heartbeat: time.Second},
		"of the address":   {Heartbeat: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := through(t, transport)
			if transport.Heartbeat > time.Second {
				b.address.Heartbeat = time.Second
			}
			l := b.dial()
			p.setFrozen(true)
			began := time.Now()
			b.dead(l, ErrLost)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A broker that lives is not given up.
func TestHeartbeatKeeps(t *testing.T) {
	t.Parallel()
	b, _ := through(t, AMQP{Heartbeat: time.Second})
	l := b.dial()
	select {
	case <-l.Done():
		t.Errorf("the link died: %v", l.Err())
	case <-time.After(2500 * time.Millisecond):
	}
}

func TestLinkLost(t *testing.T) {
	b, p := through(t, AMQP{})
	l := b.dial()
	got := b.consume(l, "k")
	p.cut()
	b.dead(l, ErrLost)
	if _, open := receive(b, got); open {
		t.Error("the deliveries go on")
	}
}

// A broker that ends says so, and we say that it did.
func TestBrokerEnds(t *testing.T) {
	listener := listen(t)
	server := broker.New(broker.Config{User: "u", Password: "p"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	b := rig{TB: t, transport: &AMQP{}, address: addressOf(listener)}
	l := b.dial()
	server.Close()
	<-done
	b.dead(l, ErrLost)
	if err := l.Err(); !strings.Contains(err.Error(), "320") {
		t.Errorf("error %v, want the broker's reply code", err)
	}
}

// What RabbitMQ says and the embedded broker does not.
func TestBlocked(t *testing.T) {
	const (
		connectionBlocked   = 10<<16 | 60
		connectionUnblocked = 10<<16 | 61
	)
	b, p := through(t, AMQP{})
	l := b.dial()
	b.publish(l, "k", "x")
	b.confirmed(l, 1)
	for range 2 {
		p.say(method(connectionBlocked, shortString("low on memory")...))
		if stopped, open := receive(b, l.Blocked()); !stopped || !open {
			t.Fatalf("got %v, open %v; want true", stopped, open)
		}
		p.say(method(connectionUnblocked))
		if stopped, open := receive(b, l.Blocked()); stopped || !open {
			t.Fatalf("got %v, open %v; want false", stopped, open)
		}
	}
	b.publish(l, "k", "x")
	c, _ := receive(b, l.Confirmed())
	if c != (Confirm{Number: 2}) {
		t.Errorf("got %+v", c)
	}
}

func TestQueueDeleted(t *testing.T) {
	const basicCancel = 60<<16 | 30
	b, p := through(t, AMQP{})
	l := b.dial()
	got := b.consume(l, "k")
	b.publish(l, "k", "x")
	b.expect(got, "x")
	b.confirmed(l, 1)
	frame := []byte(method(basicCancel, append(shortString(consumerTag), 1)...))
	frame[2] = 2 // the second channel
	p.say(string(frame))
	b.dead(l, errQueueGone)
	if _, open := receive(b, got); open {
		t.Error("the deliveries go on")
	}
}

// Exchanges of another kind that have our names.
func TestTopologyRefused(t *testing.T) {
	a := hosted(t)
	b := rig{TB: t, transport: &AMQP{}, address: a}
	declareFanout(t, a, ExchangeTrace)
	_, err := b.transport.Dial(context.Background(), a)
	if !errors.Is(err, ErrTopology) || !strings.Contains(err.Error(), "406") || !strings.Contains(err.Error(), ExchangeTrace) {
		t.Errorf("error %v", err)
	}
}

// declareFanout declares an exchange that is not as ours.
func declareFanout(t *testing.T, a Address, name string) {
	t.Helper()
	connection, err := amqp.Dial("amqp://" + a.User + ":" + a.Password.Reveal() + "@" + a.HostPort() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.ExchangeDeclare(name, "fanout", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
}
