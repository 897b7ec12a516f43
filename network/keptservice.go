package network

import (
	"slices"
	"time"
)

// keptService is the work on one consumer. It belongs to the goroutine of run.
type keptService struct {
	*keeper
	consumer KeptConsumer
	life     <-chan struct{}  // of the object that has the events
	hold     <-chan time.Time // while that has failed and not started again
	full     *keptEvent       // waits for room in the object's queue
	again    []keptRetry
}

// keptRetry is an event that goes back to the queue at that time.
type keptRetry struct {
	event *keptEvent
	due   time.Time
}

// serve works until the consumer ends, the object stops, or close.
func (s *keptService) serve() {
	if !s.adopt() {
		return
	}
	for {
		in, life := s.consumer.Deliveries(), s.life
		if s.full != nil {
			in = nil
		}
		if s.hold != nil {
			in, life = nil, nil
		}
		retry, stopTimer := s.nextRetry()
		stopping := false
		select {
		case d, ok := <-in:
			if !ok {
				stopTimer()
				return
			}
			s.take(d)
		case <-s.wake:
		case <-retry:
		case <-life:
			stopping = !s.died()
		case <-s.hold:
			s.forget(s.life)
			stopping = true
		case <-s.stop:
			stopping = true
		}
		stopTimer()
		s.settle()
		if stopping {
			return
		}
		s.revive()
		s.tryFull()
	}
}

// adopt brings the object what it has lost since the last consumer ended. It returns
// false if the object has stopped meanwhile.
func (s *keptService) adopt() bool {
	select {
	case <-s.life:
		if s.died() {
			return true
		}
		return false
	default:
		return true
	}
}

// died is called when the object has stopped. It returns false if that is the end of it
// for now: it was stopped from outside.
func (s *keptService) died() bool {
	s.mu.Lock()
	failed, again := s.failed, s.keeper.life != s.life
	s.mu.Unlock()
	if !failed && !again {
		s.forget(s.life)
		return false
	}
	s.hold = time.After(keptHold)
	return true
}

// forget is called when a life of the object is over and its events are gone with it.
func (s *keptService) forget(life <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper.life == life {
		s.keeper.life = nil
	}
	for _, p := range slices.Clone(s.order) {
		if p.life == nil || p.life == life { // else a new life has it that we are about to hear of
			s.remove(p)
		}
	}
}

// revive gives an object that has started again after a failure what it had before, but
// for the event that failed.
func (s *keptService) revive() {
	s.mu.Lock()
	life := s.keeper.life
	if life == s.life || life == nil {
		s.mu.Unlock()
		return
	}
	s.life, s.hold, s.full = life, nil, nil
	var lost []*keptEvent
	for _, p := range slices.Clone(s.order) {
		if p.life != life { // else it came to the new life by itself, which may be done with it at any moment
			s.remove(p)
			lost = append(lost, p)
		}
	}
	s.mu.Unlock()
	for _, p := range lost {
		event, _, err := decodeEvent(p.body)
		if err != nil || s.full != nil { // no room for all of them any more
			_ = p.consumer.Nack(p.tag, true)
			continue
		}
		p.event = event
		s.hand(p)
	}
}

// settle tells the broker of the steps that have ended.
func (s *keptService) settle() {
	s.mu.Lock()
	settled := s.settled
	s.settled = nil
	s.mu.Unlock()
	for _, p := range settled {
		switch {
		case p.consumer != s.consumer: // it comes again, and is dropped if it was handled
		case p.failure == nil:
			_ = p.consumer.Ack(p.tag)
		case p.count+1 >= s.queue.MaxDeliveries:
			s.putAside(p.tag, p.event.Signal.String(), p.failure)
		default:
			s.again = append(s.again, keptRetry{p, time.Now().Add(min(keptPause<<min(p.count, 10), keptPauseMost))})
		}
	}
	now := time.Now()
	s.again = slices.DeleteFunc(s.again, func(r keptRetry) bool {
		if r.due.After(now) {
			return false
		}
		_ = s.consumer.Nack(r.event.tag, true)
		return true
	})
}

// nextRetry is what to wait for, nil for nothing.
func (s *keptService) nextRetry() (<-chan time.Time, func()) {
	if len(s.again) == 0 {
		return nil, func() {}
	}
	first := slices.MinFunc(s.again, func(a, b keptRetry) int { return a.due.Compare(b.due) })
	timer := time.NewTimer(time.Until(first.due))
	return timer.C, func() { timer.Stop() }
}
