package network

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// Nodes tell each other of themselves on the exchange of nodes. What they say is sealed
// like everything else, with a key of its own that follows from the mesh key:
//
//   - A hello, with routing key hello, says who the sender is. It goes to a broker whenever
//     a connection to it was made, and then as often as a heartbeat. Who hears it knows at
//     which addresses the sender's broker is reached.
//   - A hello with a Reply asks who is there. Each node that hears it answers under that
//     routing key, by way of its own broker, where whoever asked has a queue.
const (
	helloKey     = "hello"
	answerPrefix = "answer."
)

// nodeMessage travels on the exchange of nodes.
type nodeMessage struct {
	Node      string   `cbor:"1,keyasint"`
	Addresses []string `cbor:"2,keyasint,omitempty"` // ip:port of the sender's broker
	Reply     string   `cbor:"3,keyasint,omitempty"` // the routing key of the answer
	Want      int      `cbor:"4,keyasint,omitempty"` // what the answer is to say in addition
	Health    []byte   `cbor:"5,keyasint,omitempty"` // an encoded Health, in an answer
}

// The values of nodeMessage.Want; others are as good as 0.
const wantHealth = 1

// Limits of what a hello may say.
const (
	maxAddresses      = 8
	maxNames          = 4096 // of nodes to remember
	answersInASecond  = 256  // a broker of a hundred hosts that all start at once
	hellosAtStartNext = time.Second
)

func encodeNode(m nodeMessage) ([]byte, error) { return encoder.Marshal(m) }

func decodeNode(b []byte) (nodeMessage, error) {
	var m nodeMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return nodeMessage{}, fmt.Errorf("%w: %s", errMalformed, fault(err))
	}
	switch {
	case !printable(m.Node, maxNodeName), len(m.Addresses) > maxAddresses:
		return nodeMessage{}, errMalformed
	case m.Reply != "" && (!strings.HasPrefix(m.Reply, answerPrefix) || !printable(m.Reply, maxRoutingKey)):
		return nodeMessage{}, errMalformed
	}
	return m, nil
}

// directory knows the names of the nodes that have been heard. Any goroutine may call its
// methods.
type directory struct {
	mu    sync.Mutex // guards names
	names map[seal.SenderID]string

	answers limiter
}

// note takes a name in and reports whether the node was unknown.
func (d *directory) note(id seal.SenderID, name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil || len(d.names) >= maxNames {
		d.names = make(map[seal.SenderID]string)
	}
	_, known := d.names[id]
	d.names[id] = name
	return !known
}

// name returns the name of a node, or how else to call it.
func (d *directory) name(id seal.SenderID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name := d.names[id]; name != "" {
		return name
	}
	return fmt.Sprintf("%x", id[:4])
}

// mayAnswer bounds what questions can make a node say.
func (d *directory) mayAnswer(now time.Time) bool { return d.answers.allow(now, answersInASecond) }

// limiter counts what happens in a second. Any goroutine may call its method.
type limiter struct {
	mu     sync.Mutex // guards what follows
	second time.Time  // when the present one began
	n      int
}

// allow reports whether it may happen once more in this second.
func (l *limiter) allow(now time.Time, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.n = now, 0
	}
	if l.n >= most {
		return false
	}
	l.n++
	return true
}

// heardNode handles what another node says of itself, on the receiver's goroutine.
func (n *Node) heardNode(m seal.Message, key string) {
	said, err := decodeNode(m.Body)
	if err != nil {
		n.refuse(err, ExchangeNode)
		return
	}
	if key != helloKey {
		return // an answer that is not for us
	}
	unknown := n.directory.note(m.Sender, said.Node)
	switch {
	case said.Reply != "":
		n.answer(said)
	case unknown && n.directory.mayAnswer(time.Now()):
		n.peers.own().greet() // it may have joined our broker, and not know us
	}
	if n.lan == nil {
		return
	}
	for _, text := range said.Addresses {
		if address, err := netip.ParseAddrPort(text); err == nil {
			n.lan.alien(netip.AddrPortFrom(address.Addr().Unmap(), address.Port()))
		}
	}
}

// answer says who we are, and how, to somebody who asked by way of our own broker.
func (n *Node) answer(question nodeMessage) {
	healthy := question.Want == wantHealth
	if !n.directory.mayAnswer(time.Now()) || healthy && !n.askedHealth(question.Reply) {
		n.report.report("answers", "too many ask who is here, or how we are; some get no answer")
		return
	}
	if !healthy {
		n.say(question.Reply, nodeMessage{Node: n.config.Name})
	}
}

// say gives an answer to the own broker.
func (n *Node) say(key string, said nodeMessage) {
	if m, ok := n.nodeMessage(key, said); ok {
		n.peers.own().outbox.put(m, time.Time{})
	}
}

// nodeMessage seals what the node says of itself.
func (n *Node) nodeMessage(key string, said nodeMessage) (outMessage, bool) {
	b, err := encodeNode(said)
	if err == nil {
		b, err = n.control.sealer.Seal(nil, b, ExchangeNode, key)
	}
	if err != nil {
		n.report.report("hello", "cannot say who we are", "error", err)
		return outMessage{}, false
	}
	return outMessage{exchange: ExchangeNode, key: key, body: b, at: time.Now(), lane: control}, true
}

// helloTo returns what makes the hello for one broker.
func (n *Node) helloTo(there Address) func() (outMessage, bool) {
	return func() (outMessage, bool) {
		said := nodeMessage{Node: n.config.Name}
		if n.lan != nil && there.HostPort() != n.config.own.HostPort() {
			if address := reachedFrom(n.config.own, there); address.IsValid() {
				said.Addresses = []string{address.String()}
			}
		}
		return n.nodeMessage(helloKey, said)
	}
}

// reachedFrom returns the address at which a host may reach our broker: the broker's
// own, or if that is a loopback address, ours on the way to that host. It is not valid
// if there is none.
func reachedFrom(own, there Address) netip.AddrPort {
	ip, err := netip.ParseAddr(own.Host)
	if err == nil && !ip.IsLoopback() && !ip.IsUnspecified() {
		return netip.AddrPortFrom(ip, uint16(own.Port))
	}
	conn, err := net.Dial("udp", there.HostPort()) // sends nothing, but looks for the way
	if err != nil {
		return netip.AddrPort{}
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ip = local.AddrPort().Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, uint16(own.Port))
}

// sayHello repeats the hellos until stop is closed, for those who were not there or not
// listening when the first one came.
func (n *Node) sayHello(stop <-chan struct{}) {
	every := time.NewTimer(hellosAtStartNext)
	defer every.Stop()
	for {
		select {
		case <-stop:
			return
		case <-every.C:
		}
		n.listen()
		for _, p := range n.peers.all() {
			if p.current().state == PeerUp {
				p.greet()
			}
		}
		every.Reset(n.config.Heartbeat)
	}
}

// listen finds out whether the own broker still gives us what we asked it for: our own
// hello, said before, has to have come back. A cluster that lost a member may forget what a
// queue is bound to, and say nothing; then the queue is declared anew on another link. What
// is bound to the other exchanges is asked for again now and then: they may have been deleted.
func (n *Node) listen() {
	if n.listened++; n.listened%deafAfter == 0 {
		n.receiver.rebind()
	}
	own, receiver := n.peers.own().current(), n.receiver.current()
	said := time.Now().Add(-n.config.Heartbeat)
	settled := func(s connectionStatus) bool { return s.state == PeerUp && s.since.Before(said) }
	if n.heardSelf.Swap(false) || !settled(own) || !settled(receiver) {
		n.deaf = 0
		return
	}
	if n.deaf++; n.deaf < deafAfter {
		return
	}
	n.deaf = 0
	n.report.report("deaf", "the broker does not give back what we say; asking it anew for what we hear", "broker", n.config.own.String())
	n.receiver.renew()
}

// deafAfter is how many hellos in a row have to be missing, and how many there are between
// two times that bindings are asked for again.
const deafAfter = 3
