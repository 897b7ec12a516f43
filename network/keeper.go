package network

import (
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
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
	// Sealed by a clock that is ahead by all of that, an event opens for twice as long.
	j, err := openJournal(journalPath(n.config.Dir, name), 2*(n.config.KeepFor+clockSlack), maxHandled)
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
