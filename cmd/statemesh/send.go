package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

var sendCommand = command{
	name: "send", args: "SIGNAL [PAYLOAD]", least: 1, most: 2,
	about: "transmit one event to the objects of a mesh",
	more: `PAYLOAD is JSON if it can be read as JSON, else text; "-" is what standard input says. Whole
numbers become integers. Objects hear the event if their receive key matches the KEY, and
if their program has declared SIGNAL.

It ends with 0 when every broker has confirmed the event. That says that a broker took it,
not that an object heard it. It ends with 1 if none took it, or not all, and names those.
With -lan, peers are looked for before anything is sent.
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o sendOptions
		o.declare(f)
		f.StringVar(&o.key, "to", "heya.man", "routing `KEY` to transmit with (default heya.man)")
		f.StringVar(&o.name, "name", "statemesh_send", "`NAME` of the sending object (default statemesh_send)")
		f.DurationVar(&o.timeout, "timeout", 0, "give up after this `TIME` (default 5s, with -lan 20s)")
		f.BoolVar(&o.text, "text", false, "PAYLOAD is text, whatever it looks like")
		f.BoolVar(&o.json, "json", false, "PAYLOAD has to be JSON")
		return func(ctx context.Context, args []string) error {
			if len(args) == 2 {
				if name := strings.SplitN(strings.TrimLeft(args[1], "-"), "=", 2)[0]; !o.text && args[1] != name && f.Lookup(name) != nil {
					return wrongUsage("flags stand before SIGNAL; if %s is the payload, say so with -text", args[1])
				}
				o.payload = &args[1]
			}
			o.signal = hsm.Intern(args[0])
			return t.send(ctx, o)
		}
	},
}

type sendOptions struct {
	nodeFlags
	key, name  string
	timeout    time.Duration
	text, json bool
	signal     hsm.Signal
	payload    *string // nil for none
}

// How long sending may take.
const (
	sendTimeout    = 5 * time.Second
	sendTimeoutLAN = 20 * time.Second
)

// hearsNothing is the receive key of the sender: nobody transmits with it.
const hearsNothing = "statemesh.send.hears.nothing"

// sender is a chart that only transmits.
type sender struct{ *network.ActiveObject }

var senders = hsm.MustCompile([]hsm.Spec[*sender]{
	1: {Name: "sending", Handle: func(*sender, hsm.Event) hsm.Status { return hsm.Super }},
})

func (t *tool) send(ctx context.Context, o sendOptions) error {
	event, err := t.event(ctx, o)
	if err != nil {
		return err
	}
	c, err := t.config("send", o.nodeFlags, slog.LevelWarn)
	if err != nil {
		return err
	}
	if c.MeshKey.IsZero() {
		return fmt.Errorf("there is no %s in the environment or in %s, so that nobody could open the event; nothing was sent",
			network.EnvMeshKey, dotenv(c.Dir))
	}
	onlyHere := !c.LAN && c.Broker == ""
	if onlyHere {
		c.Broker = "127.0.0.1" // named, it is joined and never hosted
	}
	if o.timeout == 0 {
		o.timeout = sendTimeout
		if c.LAN {
			o.timeout = sendTimeoutLAN
		}
	}
	sending, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	node, err := network.NewNode(sending, c)
	switch {
	case errors.Is(err, network.ErrRefused) && onlyHere:
		return errNobody
	case err != nil:
		return o.inTime(ctx, sending, err)
	}
	brokers, err := o.transmit(sending, node, event)
	closing := sending
	if err != nil {
		var cancel context.CancelFunc
		closing, cancel = context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
	}
	closeErr := node.Close(closing)
	switch {
	case err != nil:
		return o.inTime(ctx, sending, err)
	case ctx.Err() != nil:
		return errInterrupted
	}
	taken, left := outcome(node, brokers)
	if len(left) > 0 {
		return fmt.Errorf("%s was taken by %s, and not by %s", event.Signal, count(taken), strings.Join(left, ", "))
	}
	if err := t.print(fmt.Sprintf("%s was taken by %s: %s\n", event.Signal, count(taken), strings.Join(taken, ", "))); err != nil {
		return err
	}
	return closeErr
}

var errNobody = errors.New("nobody listens here; nothing was sent")

// event checks what can be checked before anything is begun.
func (t *tool) event(ctx context.Context, o sendOptions) (hsm.Event, error) {
	e := hsm.Event{Signal: o.signal}
	switch {
	case e.Signal == hsm.Signal{}:
		return e, wrongUsage("SIGNAL is empty")
	case e.Signal.IsInner():
		return e, wrongUsage("%s is a signal that only machines send to their states", e.Signal)
	case o.key == "":
		return e, wrongUsage("-to needs a routing key")
	case o.name == "":
		return e, wrongUsage("-name needs a name")
	case o.text && o.json:
		return e, wrongUsage("-text and -json exclude each other")
	case o.payload == nil && (o.text || o.json):
		return e, wrongUsage("there is no PAYLOAD for -text or -json")
	}
	if err := notNegative("timeout", o.timeout); err != nil || o.payload == nil {
		return e, err
	}
	text := *o.payload
	if text == "-" && !o.text {
		b, err := readAll(ctx, t.stdin)
		if err != nil {
			return e, err
		}
		text = strings.TrimSuffix(string(b), "\n")
	}
	if o.text {
		e.Payload = text
		return e, nil
	}
	v, err := jsonValue(text)
	switch {
	case err == nil:
		e.Payload = v
	case o.json:
		return e, wrongUsage("PAYLOAD is not JSON: %w", err)
	default:
		e.Payload = text
	}
	return e, nil
}

// readAll reads what a message can hold at most, or until ctx ends. The goroutine that
// reads ends with the process then.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(r, network.DefaultMaxMessage+1))
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("cannot read standard input: %w", r.err)
		}
		if len(r.b) > network.DefaultMaxMessage {
			return nil, fmt.Errorf("standard input is longer than a message can be, %d bytes", network.DefaultMaxMessage)
		}
		return r.b, nil
	case <-ctx.Done():
		return nil, errInterrupted
	}
}

// transmit sends the event when the peers are known, and returns the state of the brokers
// that it was kept for.
func (o sendOptions) transmit(ctx context.Context, node *network.Node, event hsm.Event) ([]network.PeerStatus, error) {
	s := &sender{}
	var err error
	s.ActiveObject, err = node.NewActiveObject(o.name, hsm.NewMachine(senders, s), network.ObjectConfig{
		TransmitKey: o.key, ReceiveKey: hearsNothing,
	})
	if errors.Is(err, network.ErrConfig) || errors.Is(err, network.ErrRoutingKey) {
		err = usageError{err}
	}
	if err != nil {
		return nil, err
	}
	if err := node.Settled(ctx); err != nil {
		return nil, err
	}
	brokers := node.Peers()
	if node.Hosting() {
		brokers = brokers[1:] // our own, where nobody else can be
	}
	if len(brokers) == 0 {
		return nil, errNobody
	}
	err = s.Transmit(event)
	if errors.Is(err, network.ErrPayload) || errors.Is(err, network.ErrSignalName) {
		err = usageError{err}
	}
	return brokers, err
}

// outcome says which of the brokers have confirmed the event, and which not, and why.
func outcome(node *network.Node, brokers []network.PeerStatus) (taken, left []string) {
	after := map[string]network.PeerStatus{}
	for _, p := range node.Peers() {
		after[p.Address] = p
	}
	for _, p := range brokers {
		switch {
		case after[p.Address].Sent > 0:
			taken = append(taken, p.Address)
		case p.Err != nil:
			left = append(left, p.Address+" ("+oneLine(p.Err)+")")
		default:
			left = append(left, p.Address)
		}
	}
	return taken, left
}

// inTime says in place of err why there was no more time, if that is so.
func (o sendOptions) inTime(ctx, sending context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case sending.Err() != nil:
		return fmt.Errorf("it could not be done in %v; nothing was sent", o.timeout)
	}
	return err
}

func count(brokers []string) string {
	switch len(brokers) {
	case 0:
		return "no broker"
	case 1:
		return "1 broker"
	}
	return fmt.Sprintf("%d brokers", len(brokers))
}
