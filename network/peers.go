package network

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/statemesh/statemesh/network/seal"
)

// peerSet is the brokers that a node publishes to. Any goroutine may call its
// methods; sending needs no lock.
type peerSet struct {
	list atomic.Pointer[[]*peer] // the own host's broker first; replaced, never changed

	mu     sync.Mutex // serializes changes, and guards what follows
	closed bool
	gone   PeerTotals // of those that were forgotten
}

// PeerTotals sums up what became of messages, over all brokers, those that were
// forgotten too. A message for three brokers counts three times.
type PeerTotals struct {
	Events Traffic // between objects
	Snoop  Traffic // trace and spy
}

func (t *PeerTotals) add(s PeerStatus) {
	t.Events.add(s.Events)
	t.Snoop.add(s.Snoop)
}

// all returns the peers; it must not be changed.
func (s *peerSet) all() []*peer {
	if list := s.list.Load(); list != nil {
		return *list
	}
	return nil
}

// own returns the own host's broker.
func (s *peerSet) own() *peer { return s.all()[0] }

// at returns the peer with that host and port, nil if there is none.
func (s *peerSet) at(hostPort string) *peer {
	for _, p := range s.all() {
		if p.address.HostPort() == hostPort {
			return p
		}
	}
	return nil
}

// add takes the peer in, if the set is open and has no other at that address, and then
// calls start; it reports whether it did.
func (s *peerSet) add(p *peer, start func() error) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.at(p.address.HostPort()) != nil {
		return false, nil
	}
	if err := start(); err != nil {
		return false, err
	}
	list := append(slices.Clone(s.all()), p)
	s.list.Store(&list)
	return true, nil
}

// remove takes the peer out and reports whether it was in. Its counts are kept by
// keep, when it has come to its end.
func (s *peerSet) remove(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !slices.Contains(s.all(), p) {
		return false
	}
	list := slices.DeleteFunc(slices.Clone(s.all()), func(other *peer) bool { return other == p })
	s.list.Store(&list)
	return true
}

func (s *peerSet) keep(status PeerStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone.add(status)
}

// close lets nobody in or out any more.
func (s *peerSet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// totals sums up.
func (s *peerSet) totals() PeerTotals {
	s.mu.Lock()
	totals := s.gone
	s.mu.Unlock()
	for _, p := range s.all() {
		totals.add(p.peerStatus())
	}
	return totals
}

// heardAt notes which nodes are at which broker. A broker that is reached by two
// addresses is known by its nodes.
func (p *peer) heardAt(nodes []nodeAt) {
	p.nodesMu.Lock()
	defer p.nodesMu.Unlock()
	p.nodes = nodes
}

func (p *peer) nodesThere() []nodeAt {
	p.nodesMu.Lock()
	defer p.nodesMu.Unlock()
	return p.nodes
}

// nodeAt is one node of a broker.
type nodeAt struct {
	id   seal.SenderID
	name string
}

// late counts a message that was handed in when its broker had been forgotten.
func (s *peerSet) late(l lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l == talk {
		s.gone.Snoop.Lost++
	} else {
		s.gone.Events.Lost++
	}
}
