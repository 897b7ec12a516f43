package network

import (
	"errors"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network/broker"
)

// take handles a delivery.
func (s *keptService) take(d KeptDelivery) {
	n := s.node
	if d.Redelivered || d.Count > 0 {
		n.keptCounts.redelivered.Add(1)
	}
	if !broker.MatchTopic(s.object.receiveKey, d.Key) {
		_ = s.consumer.Ack(d.Tag) // bound by an object that had another key
		return
	}
	m, err := n.keptOpener.Open(nil, d.Body, ExchangeKept, d.Key)
	if err != nil {
		s.putAside(d.Tag, "", err)
		return
	}
	id := eventID{m.Sender, m.Epoch, m.Sequence}
	body, _, _, ok := cutNumber(m.Body)
	if !ok || id.sequence == 0 {
		s.putAside(d.Tag, "", errMalformed)
		return
	}
	if own, _ := s.journal.has(eventID{sender: m.Sender, epoch: m.Epoch}, false); own && eventFrom(body) == s.name {
		_ = s.consumer.Ack(d.Tag)
		return
	}
	known, twice := s.known(id, d) // first: what it knows no more is in the journal
	if !known {
		twice, err = s.journal.has(id, d.Redelivered || d.Count > 0)
		s.noted(err)
	}
	if twice {
		n.keptCounts.duplicates.Add(1)
		_ = s.consumer.Ack(d.Tag)
	}
	if known || twice {
		return
	}
	event, origin, err := decodeEvent(body)
	if err != nil {
		s.putAside(d.Tag, eventSignal(body), err)
		return
	}
	s.hand(&keptEvent{id: id, event: event, origin: origin, body: body, consumer: s.consumer, tag: d.Tag, count: d.Count})
}

// known says whether the object has the event already, and twice whether this is another
// copy of it. If it had it from a consumer before this one, it now has it from this one.
func (s *keptService) known(id eventID, d KeptDelivery) (known, twice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byID[id]
	if p == nil {
		return false, false
	}
	if p.consumer == s.consumer {
		return true, true
	}
	p.consumer, p.tag, p.count = s.consumer, d.Tag, d.Count
	return true, false
}

// hand gives the object an event, now or when it has room.
func (s *keptService) hand(p *keptEvent) {
	s.add(p)
	s.full = p
	s.tryFull()
}

// add puts an event into the lists, under an origin that no other one there has.
func (s *keptService) add(p *keptEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.byOrigin[p.origin.ID]; taken || p.origin.ID == 0 {
		p.origin.Cause = p.origin.ID
		p.origin.ID = s.object.NewOrigin().ID
	}
	s.order = append(s.order, p)
	s.byOrigin[p.origin.ID], s.byID[p.id] = p, p
}

// tryFull gives the object the event that waits for room, if there is room.
func (s *keptService) tryFull() {
	p := s.full
	if p == nil || s.hold != nil {
		return
	}
	s.mu.Lock()
	s.wantsRoom = true // before the look, or the step that makes it could be missed
	s.mu.Unlock()
	if s.object.Stats().Waiting >= s.room {
		return
	}
	err := s.object.Deliver(p.event, p.origin)
	life := s.object.Done() // each start has another
	if errors.Is(err, hsm.ErrQueueFull) {
		return
	}
	s.full = nil
	s.mu.Lock()
	s.wantsRoom = false
	if err == nil {
		p.life = life
	}
	if err != nil && !errors.Is(err, activeobject.ErrStopped) {
		s.remove(p)
	}
	s.mu.Unlock()
	switch {
	case err == nil:
		s.node.mu.Lock()
		s.node.stats.Delivered++
		s.node.mu.Unlock()
	case errors.Is(err, activeobject.ErrStopped): // died is about to be called
	default:
		s.putAside(p.tag, p.event.Signal.String(), err)
	}
}

// putAside gives up a delivery and says why.
func (s *keptService) putAside(tag uint64, signal string, why error) {
	name := s.name
	s.node.keptCounts.aside.Add(1)
	s.node.report.report("aside "+name, "put an event aside that the object could not handle",
		"object", name, "signal", signal, "queue", AsideQueueName(name), "error", why)
	_ = s.consumer.Nack(tag, false)
}

// eventFrom and eventSignal read a little of an encoded event.
func eventFrom(body []byte) string {
	var m eventMessage
	_ = decoder.Unmarshal(body, &m)
	return m.From
}

func eventSignal(body []byte) string {
	var m eventMessage
	if decoder.Unmarshal(body, &m) != nil || !printable(m.Signal, maxName) {
		return ""
	}
	return m.Signal
}
