package activeobject

import (
	"slices"
	"sync"

	"github.com/statemesh/statemesh/hsm"
)

// DefaultPriority is that of an event whose publisher does not care. A lower
// number is more urgent, 1 the most.
const DefaultPriority = 1000

// DefaultFabric serves the objects that were not given one.
var DefaultFabric = NewFabric()

// Kind says where a published event is put in a subscriber's queue.
type Kind int

const (
	// FIFO is behind all that wait.
	FIFO Kind = iota
	// LIFO is in front of all that wait.
	LIFO
)

// Fabric carries published events to the objects that subscribed to their
// signal: Samek's publish-subscribe, within the process. It has no goroutine: an
// event stands in all the queues when Publish returns. Any goroutine may use it.
//
// In a subscriber's queue a published event overtakes the published ones of
// lesser urgency that it would stand directly behind, and never a posted one.
// Events of one priority keep the order in which they were published.
type Fabric struct {
	mu          sync.RWMutex // guards subscribers; taken before any object's
	subscribers map[hsm.Signal][]subscription
}

type subscription struct {
	object *ActiveObject
	kind   Kind
}

// NewFabric returns a fabric without subscribers.
func NewFabric() *Fabric {
	return &Fabric{subscribers: make(map[hsm.Signal][]subscription)}
}

func (f *Fabric) subscribe(o *ActiveObject, signal hsm.Signal, kind Kind) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.mu.Lock()
	ended := o.phase >= draining
	o.mu.Unlock()
	if ended {
		return ErrStopped
	}
	list := f.subscribers[signal]
	if i := f.index(o, signal); i >= 0 {
		list[i].kind = kind
	} else {
		f.subscribers[signal] = append(list, subscription{o, kind})
	}
	return nil
}

func (f *Fabric) unsubscribe(o *ActiveObject, signal hsm.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.index(o, signal)
	if i < 0 {
		return
	}
	if f.subscribers[signal] = slices.Delete(f.subscribers[signal], i, i+1); len(f.subscribers[signal]) == 0 {
		delete(f.subscribers, signal)
	}
}

func (f *Fabric) index(o *ActiveObject, signal hsm.Signal) int {
	return slices.IndexFunc(f.subscribers[signal], func(s subscription) bool { return s.object == o })
}

// forget ends all subscriptions of an object.
func (f *Fabric) forget(o *ActiveObject) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for signal, list := range f.subscribers {
		list = slices.DeleteFunc(list, func(s subscription) bool { return s.object == o })
		if f.subscribers[signal] = list; len(list) == 0 {
			delete(f.subscribers, signal)
		}
	}
}

func (f *Fabric) publish(it item) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, s := range f.subscribers[it.event.Signal] {
		s.object.mu.Lock()
		// The subscriber counts what it refuses.
		_ = s.object.put(&it, s.kind == LIFO, false)
		s.object.mu.Unlock()
	}
}

// Subscribe makes the object get what is published under the signal, until
// Unsubscribe or until it stops. Subscribing again replaces the kind. It may be
// called before Start; an object that drains or was stopped gives ErrStopped, and a
// signal that nobody may post what hsm.CheckPost says.
func (o *ActiveObject) Subscribe(signal hsm.Signal, kind Kind) error {
	if err := hsm.CheckPost(hsm.Event{Signal: signal}); err != nil {
		return err
	}
	if err := o.fabric.subscribe(o, signal, kind); err != nil {
		return err
	}
	record := hsm.KindSubscribe
	if kind == LIFO {
		record = hsm.KindSubscribeLIFO
	}
	o.recordOwn(hsm.Record{Kind: record, Signal: signal})
	return nil
}

// Unsubscribe ends the object's subscription to the signal, if there is one.
func (o *ActiveObject) Unsubscribe(signal hsm.Signal) {
	o.fabric.unsubscribe(o, signal)
	o.recordOwn(hsm.Record{Kind: hsm.KindUnsubscribe, Signal: signal})
}

// Publish gives the event to all objects that subscribed to its signal, the
// publisher too if it did; priority is DefaultPriority, or another number above
// zero, else the error is ErrPriority. A subscriber whose queue is full and
// rejects counts the event as rejected; that nobody subscribed is no error.
func (o *ActiveObject) Publish(e hsm.Event, priority int) error {
	if err := hsm.CheckPost(e); err != nil {
		return err
	}
	if priority <= 0 {
		return ErrPriority
	}
	o.recordOwn(hsm.Record{Kind: hsm.KindPublish, Signal: e.Signal, Number: int64(priority)})
	o.fabric.publish(item{event: e, origin: o.NewOrigin(), priority: priority})
	return nil
}

// recordOwn writes an action into the spy, if it is one of the step that runs.
func (o *ActiveObject) recordOwn(r hsm.Record) {
	if o.own() {
		o.add(r)
	}
}
