package network

import (
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
	case errors.Is(err, ErrCredentials):
		return discovery.WrongCredentials, err
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
		return probe(ctx, there, t.TLS)
	}
	link, err := p.transport.Dial(ctx, there)
	if err != nil {
		return err
	}
	return link.Close()
}

// otherAnswers is how long to wait for more nodes when one has answered.
const otherAnswers = 20 * time.Millisecond

// Greet implements discovery.Prober.
func (p *prober) Greet(ctx context.Context, a netip.AddrPort) (discovery.Greeting, error) {
	var heard discovery.Greeting
	link, err := p.transport.Dial(ctx, p.address(a))
	if err != nil {
		return heard, err
	}
	defer link.Close()
	reply := answerPrefix + rand.Text()
	answers, err := link.Consume([]Binding{{ExchangeNode, reply}})
	if err != nil {
		return heard, err
	}
	confirmed := link.Confirmed()
	question, err := encodeNode(nodeMessage{Node: p.name, Reply: reply})
	if err == nil {
		question, err = p.control.sealer.Seal(nil, question, ExchangeNode, helloKey)
	}
	if err != nil {
		return heard, err
	}
	began := time.Now()
	if err := link.Publish(ExchangeNode, helloKey, question); err != nil {
		return heard, err
	}
	var enough <-chan time.Time
	for {
		select {
		case _, open := <-confirmed:
			if !open {
				confirmed = nil
			}
		case d, open := <-answers:
			if !open {
				return heard, fmt.Errorf("%w: %w", errNobodyAnswers, link.Err())
			}
			if !p.take(&heard, d, reply, began) {
				continue
			}
			if enough == nil {
				enough = time.After(otherAnswers)
			}
		case <-enough:
			return heard, nil
		case <-ctx.Done():
			if len(heard.Nodes) > 0 {
				return heard, nil
			}
			return heard, errNobodyAnswers
		}
	}
}

// take adds an answer, and reports whether it was one.
func (p *prober) take(heard *discovery.Greeting, d Delivery, reply string, began time.Time) bool {
	if d.Exchange != ExchangeNode || d.Key != reply {
		return false
	}
	m, err := p.control.opener.Open(nil, d.Body, d.Exchange, d.Key)
	if err != nil {
		return false
	}
	said, err := decodeNode(m.Body)
	if err != nil {
		return false
	}
	if heard.RoundTrip == 0 {
		heard.RoundTrip = time.Since(began)
	}
	if m.Sender == p.sender {
		heard.Self = true
	}
	p.directory.note(m.Sender, said.Node)
	heard.Nodes = append(heard.Nodes, discovery.Node{ID: [16]byte(m.Sender), Name: said.Node})
	return true
}
