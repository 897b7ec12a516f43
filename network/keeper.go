package network

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network/broker"
)

// keeper brings an AtLeastOnce object what its durable queue has, and tells the broker
// what has become of it. It consumes while there is a link and the object runs.
type keeper struct {
	node     *Node
	object   *ActiveObject
	name     string // of the object
	queue    KeptQueue
	prefetch int
	room     int // what the object's queue holds
	journal  *journal

	wake chan struct{} // of length 1: something below has changed
	stop chan struct{} // closed by close
	done chan struct{} // closed by run
	once sync.Once     // of close

	mu        sync.Mutex // guards what follows
	link      Link       // of the node's receiver, nil for none
	life      <-chan struct{}
	failed    bool // the newest step was a failure
	wantsRoom bool // run waits for a step to make room
	order     []*keptEvent
	byOrigin  map[uint64]*keptEvent // the same
	byID      map[eventID]*keptEvent
	settled   []*keptEvent // no longer in these; what run has to tell the broker
}

// keptEvent is an event that the object has, or is about to get.
type keptEvent struct {
	id     eventID
	event  hsm.Event
	origin hsm.Origin
	body   []byte

	// Guarded by keeper.mu while the object has it.
	consumer KeptConsumer
	tag      uint64
	count    int
	life     <-chan struct{} // in which the object took it, nil if it has not
	failure  *activeobject.Failure
}

const (
	// keptPause is how long a failed event waits before it comes again for the first time;
	// then twice as long each time, up to the most.
	keptPause     = 100 * time.Millisecond
	keptPauseMost = 5 * time.Second

	// keptHold is how long an object that failed may be stopped until its events go back
	// to the queue: OnFailure mostly starts it again at once, and each return counts.
	keptHold = time.Second
)

// newKeeper returns the keeper of an object that is not there yet. c has no defaults left.
func newKeeper(o *ActiveObject, name string, c ObjectConfig) (*keeper, error) {
	n := o.node
	j, err := openJournal(journalPath(n.config.Dir, name), n.config.KeepFor+clockSlack, maxHandled)
	if err != nil {
		return nil, err
	}
	k := &keeper{
		node: n, object: o, name: name, prefetch: c.Prefetch, room: c.QueueSize, journal: j,
		queue: KeptQueue{Object: name, Key: o.receiveKey, KeepFor: n.config.KeepFor, MaxDeliveries: c.MaxDeliveries},
		wake:  make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		byOrigin: map[uint64]*keptEvent{}, byID: map[eventID]*keptEvent{},
	}
	k.noted(j.add(eventID{sender: n.sender, epoch: n.kept.sealer.Epoch()}))
	return k, nil
}

// noted reports an error of the journal.
func (k *keeper) noted(err error) {
	if err != nil {
		k.node.report.report("journal", "cannot note what was handled", "object", k.name, "error", err)
	}
}

// linked prepares the queue on a new link. The error is that of a link which is dead.
func (k *keeper) linked(l Link) error {
	state, err := l.Keep(k.queue)
	name := k.name
	switch {
	case err != nil && l.Err() != nil:
		return err
	case err != nil:
		k.node.report.report("keep", "the broker refuses the durable queue of an object", "object", name, "error", err)
		return err
	}
	if state.Differs {
		k.node.report.report("kept_differs", "a durable queue is there with other settings, which stay until somebody deletes it", "object", name, "queue", KeptQueueName(name))
	}
	if state.Aside > 0 {
		k.node.report.report("aside "+name, "events were put aside", "object", name, "events", state.Aside, "queue", AsideQueueName(name))
	}
	if state.Volatile {
		k.node.warnVolatile.Do(func() {
			k.node.config.Logger.Warn("the broker is one that a node hosts: events that are kept survive the crash of the process that receives them, but not of the one that hosts the broker", "object", name)
		})
	}
	k.mu.Lock()
	k.link = l
	k.mu.Unlock()
	k.signal()
	return nil
}

func (k *keeper) current() Link {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.link
}

func (k *keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// close ends the work: what was handled is acknowledged, the rest goes back. It is called
// when the object has stopped.
func (k *keeper) close() {
	k.once.Do(func() { close(k.stop) })
	<-k.done
	k.journal.close()
}

// afterStep is told of every step of the object, on its goroutine.
func (k *keeper) afterStep(s activeobject.Step) {
	k.mu.Lock()
	k.failed = s.Failure != nil
	if s.Event.Signal == (hsm.Signal{}) {
		if s.Failure == nil {
			k.life = k.object.Done()
		}
		k.mu.Unlock()
		k.signal()
		return
	}
	p := k.byOrigin[s.Origin.ID]
	settled := p != nil && !s.Deferred
	signal := settled || k.wantsRoom
	k.mu.Unlock()
	if settled {
		if s.Failure == nil {
			// Before anybody can acknowledge it, and before it is forgotten that the object has it.
			k.noted(k.journal.add(p.id))
			k.node.keptCounts.handled.Add(1)
		} else {
			k.node.keptCounts.failed.Add(1)
		}
		k.mu.Lock()
		p.failure = s.Failure
		k.remove(p)
		k.settled = append(k.settled, p)
		k.mu.Unlock()
	}
	if signal {
		k.signal()
	}
}

// remove takes an event out of the lists. The caller holds mu.
func (k *keeper) remove(p *keptEvent) {
	delete(k.byOrigin, p.origin.ID)
	delete(k.byID, p.id)
	k.order = slices.DeleteFunc(k.order, func(other *keptEvent) bool { return other == p })
}

// run works until close.
func (k *keeper) run() {
	defer close(k.done)
	for {
		select {
		case <-k.stop:
			return
		default:
		}
		k.mu.Lock()
		link, life := k.link, k.life
		k.mu.Unlock()
		if link == nil || life == nil {
			select {
			case <-k.wake:
				continue
			case <-k.stop:
				return
			}
		}
		consumer, err := link.ConsumeKept(k.queue.Object, k.prefetch)
		if err == nil {
			s := &keptService{keeper: k, consumer: consumer, life: life}
			s.serve()
			consumer.Cancel()
		}
		if k.lost(link) {
			continue
		}
		if err == nil && k.idle() {
			continue
		}
		// The queue is gone, or cannot be had at the moment.
		select {
		case <-time.After(time.Second):
			_, _ = link.Keep(k.queue)
		case <-link.Done():
		case <-k.stop:
			return
		}
	}
}

// lost forgets a link that is dead, and says whether it is.
func (k *keeper) lost(link Link) bool {
	select {
	case <-link.Done():
	default:
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link == link {
		k.link = nil
	}
	return true
}

// idle says whether there is a reason not to consume, other than the broker's.
func (k *keeper) idle() bool {
	select {
	case <-k.stop:
		return true
	default:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.life == nil
}

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
	body, _, ok := cutNumber(m.Body)
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
