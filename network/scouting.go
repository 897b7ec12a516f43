package network

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// prober is how discovery scouts: it knows the credentials and the key of the mesh.
type prober struct {
	transport Transport
	defaults  Address // all but the host
	control   *channel
	sender    seal.SenderID
	name      string
	directory *directory
}

var errNobodyAnswers = errors.New("network: the broker lets us in, but no node there answers: there is none, or its mesh key is another one")

// address is how to reach the broker at an address.
func (p *prober) address(a netip.AddrPort) Address {
	there := p.defaults
	there.Host, there.Port = a.Addr().String(), int(a.Port())
	return there
}

// Knock implements discovery.Prober.
func (p *prober) Knock(ctx context.Context, a netip.AddrPort) (discovery.Verdict, error) {
	err := p.knock(ctx, p.address(a))
	switch {
	case err == nil:
		return discovery.LetIn, nil
	case errors.Is(err, ErrCredentials), errors.Is(err, ErrTLS) && !oneSided(err):
		return discovery.WrongCredentials, err // a certificate is one, too
	case errors.Is(err, ErrVHost), errors.Is(err, ErrTopology):
		return discovery.NotOurs, err
	case errors.Is(err, ErrNotAMQP), errors.Is(err, ErrTLS):
		return discovery.NotAMQP, err
	case errors.Is(err, ErrRefused):
		return discovery.Refused, err
	}
	return discovery.Dead, err
}

func (p *prober) knock(ctx context.Context, there Address) error {
	if t, ok := p.transport.(*AMQP); ok {
		return probe(ctx, there, t.client(there))
	}
	link, err := p.transport.Dial(ctx, there)
	if err != nil {
		return err
	}
	return link.Close()
}

// askAgain is how long to wait for a first answer before asking once more. A node that has just
// begun to host its broker lets us in before it hears us.
const askAgain = 250 * time.Millisecond

// otherAnswers is how long to wait for more nodes when one has answered.
const otherAnswers = 20 * time.Millisecond

// Greet implements discovery.Prober.
func (p *prober) Greet(ctx context.Context, a netip.AddrPort) (discovery.Greeting, error) {
	var heard discovery.Greeting
	err := p.ask(ctx, p.address(a), nodeMessage{Node: p.name}, otherAnswers, func(from seal.Message, said nodeMessage, after time.Duration) {
		if heard.RoundTrip == 0 {
			heard.RoundTrip = after
		}
		heard.Self = heard.Self || from.Sender == p.sender
		p.directory.note(from.Sender, said.Node)
		heard.Nodes = append(heard.Nodes, discovery.Node{ID: [16]byte(from.Sender), Name: said.Node})
	})
	if err != nil && !errors.Is(err, errNobodyAnswers) {
		err = fmt.Errorf("%w: %w", discovery.ErrGone, err)
	}
	return heard, err
}

// ask asks the nodes of a broker a question, and calls take with the answer of each and how long after
// the question it came, until no more has come for a while, quiet, after one. The error is why there was none.
func (p *prober) ask(ctx context.Context, there Address, question nodeMessage, quiet time.Duration, take func(seal.Message, nodeMessage, time.Duration)) error {
	link, err := p.transport.Dial(ctx, there)
	if err != nil {
		return err
	}
	defer link.Close()
	question.Reply = answerPrefix + rand.Text()
	answers, err := link.Consume([]Binding{{ExchangeNode, question.Reply}})
	if err != nil {
		return err
	}
	confirmed := link.Confirmed()
	plain, err := encodeNode(question)
	if err != nil {
		return err
	}
	var asked time.Time
	put := func() error { // sealed each time: none is opened twice
		sealed, err := p.control.sealer.Seal(nil, plain, ExchangeNode, helloKey)
		asked = time.Now()
		if err == nil {
			err = link.Publish(ExchangeNode, helloKey, sealed)
		}
		return err
	}
	if err := put(); err != nil {
		return err
	}
	again := time.NewTicker(askAgain)
	defer again.Stop()
	heard := map[seal.SenderID]bool{}
	var enough <-chan time.Time
	for {
		select {
		case <-again.C:
			if len(heard) > 0 {
				continue
			}
			if err := put(); err != nil {
				return err
			}
		case _, open := <-confirmed:
			if !open {
				confirmed = nil
			}
		case d, open := <-answers:
			if !open {
				return cmp.Or(link.Err(), ErrLost)
			}
			from, said, ok := p.open(d, question.Reply)
			if !ok || heard[from.Sender] {
				continue
			}
			heard[from.Sender] = true
			take(from, said, time.Since(asked))
			enough = time.After(quiet)
		case <-enough:
			return nil
		case <-ctx.Done():
			if len(heard) > 0 {
				return nil
			}
			return errNobodyAnswers
		}
	}
}

// open reads an answer, if it is one.
func (p *prober) open(d Delivery, reply string) (from seal.Message, said nodeMessage, ok bool) {
	if d.Exchange != ExchangeNode || d.Key != reply {
		return from, said, false
	}
	from, err := p.control.opener.Open(nil, d.Body, d.Exchange, d.Key)
	if err == nil {
		said, err = decodeNode(from.Body)
	}
	return from, said, err == nil
}
