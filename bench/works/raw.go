package works

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/bench/measure"
)

// rawPair is what one would write with amqp091-go to get messages from one process
// to another with the guarantees of the mesh, but for the sealing: a publisher with
// confirms, a topic exchange, a bounded queue of the consumer's own, and
// acknowledgement, many at once.
type rawPair struct {
	client
	exchange string
	heard    chan struct{} // gets a value for each message
	ended    chan error    // gets why receiving ended
}

const (
	rawKey    = "bench.one"
	ackEvery  = prefetch / 4 // as the mesh does
	rawTTL    = 50 * time.Second
	rawLength = 10_000
)

// rawSession is a pair that does a work, on the broker of the URL.
func rawSession(url func() (string, func(), error), do func(*rawPair, int) (measure.Sample, error)) func(context.Context) (*measure.Session, error) {
	return func(context.Context) (*measure.Session, error) {
		address, end, err := url()
		if err != nil {
			return nil, err
		}
		p, err := newRawPair(address)
		if err != nil {
			end()
			return nil, err
		}
		return &measure.Session{
			Do:  func(n int) (measure.Sample, error) { return do(p, n) },
			End: func() { p.close(); <-p.ended; end() },
		}, nil
	}
}

func newRawPair(url string) (*rawPair, error) {
	p := &rawPair{
		exchange: fmt.Sprintf("statemesh.bench.%d", time.Now().UnixNano()),
		heard:    make(chan struct{}, meshWindow),
		ended:    make(chan error, 1),
	}
	if err := p.connect(url); err != nil {
		p.close()
		return nil, err
	}
	go func() { p.ended <- p.receive() }() // ended by close
	return p, nil
}

func (p *rawPair) connect(url string) (err error) {
	if p.in, err = p.channel(url); err != nil {
		return err
	}
	if p.out, err = p.channel(url); err != nil {
		return err
	}
	if err = p.in.ExchangeDeclare(p.exchange, "topic", false, true, false, false, nil); err != nil {
		return err
	}
	queue, err := p.in.QueueDeclare("", false, true, true, false, amqp.Table{
		"x-message-ttl": rawTTL.Milliseconds(), "x-max-length": int64(rawLength),
	})
	if err != nil {
		return err
	}
	if err = p.in.QueueBind(queue.Name, "bench.*", p.exchange, false, nil); err != nil {
		return err
	}
	if err = p.in.Qos(prefetch, 0, false); err != nil {
		return err
	}
	p.confirms = p.out.NotifyPublish(make(chan amqp.Confirmation, meshWindow))
	if err = p.out.Confirm(false); err != nil {
		return err
	}
	p.deliveries, err = p.in.Consume(queue.Name, "", false, true, false, false, nil)
	return err
}

// receive takes what comes until the connection is closed.
func (p *rawPair) receive() error {
	waiting := 0
	for d := range p.deliveries {
		if len(d.Body) != bodySize {
			return counted("bytes", len(d.Body), bodySize)
		}
		if waiting++; waiting == ackEvery {
			waiting = 0
			if err := d.Ack(true); err != nil {
				return err
			}
		}
		p.heard <- struct{}{}
	}
	return nil
}

func (p *rawPair) publish() error {
	return p.out.PublishWithContext(context.Background(), p.exchange, rawKey, false, false, amqp.Publishing{Body: body})
}

// hear waits for a message.
func (p *rawPair) hear() error {
	select {
	case <-p.heard:
		return nil
	default:
	}
	select {
	case <-p.heard:
		return nil
	case err := <-p.ended:
		p.ended <- err
		return errors.Join(errEnded, err)
	}
}

// confirmation waits for a confirm.
func (p *rawPair) confirmation() error {
	if c, open := <-p.confirms; !open || !c.Ack {
		return errors.New("works: a message was not confirmed")
	}
	return nil
}

// events publishes n messages, of which at most a window is neither heard nor
// confirmed.
func (p *rawPair) events(n int) (measure.Sample, error) {
	heard, confirmed := 0, 0
	for i := range n {
		for ; i-heard >= meshWindow; heard++ {
			if err := p.hear(); err != nil {
				return nil, err
			}
		}
		for ; i-confirmed >= meshWindow; confirmed++ {
			if err := p.confirmation(); err != nil {
				return nil, err
			}
		}
		if err := p.publish(); err != nil {
			return nil, err
		}
	}
	for ; heard < n; heard++ {
		if err := p.hear(); err != nil {
			return nil, err
		}
	}
	for ; confirmed < n; confirmed++ {
		if err := p.confirmation(); err != nil {
			return nil, err
		}
	}
	return nil, counted("events", heard, n)
}

// latency publishes one message after the other has been heard. Confirms are taken
// along, not waited for.
func (p *rawPair) latency(n int) (measure.Sample, error) {
	confirmed := 0
	sample, err := latencies(n, func() error {
		for {
			select {
			case c, open := <-p.confirms:
				if !open || !c.Ack {
					return errors.New("works: a message was not confirmed")
				}
				confirmed++
				continue
			default:
			}
			break
		}
		if err := p.publish(); err != nil {
			return err
		}
		return p.hear()
	})
	if err != nil {
		return nil, err
	}
	for ; confirmed < n; confirmed++ {
		if err := p.confirmation(); err != nil {
			return nil, err
		}
	}
	return sample, nil
}
