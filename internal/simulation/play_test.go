package simulation

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/network"
)

// make does what a move says. It does not block.
func (w *world) make(m move) {
	w.mu.Lock()
	l := w.current[m.host]
	w.mu.Unlock()
	switch m.kind {
	case send:
		w.note("%s sends %d", w.plan.objects[m.what].name, m.count)
		if l != nil {
			l.of(m.what).orders <- m.count
		}
		return
	case addKey, useKey, retireKey:
		w.note("h%d %s", m.host, kindNames[m.kind])
		w.mu.Lock()
		defer w.mu.Unlock()
		w.keyStep[m.host] = m.kind
		if l != nil {
			w.useKeys(l)
		}
		return
	case stops:
		w.note("%s is stopped", w.plan.objects[m.what].name)
		if l != nil {
			w.work.Go(func() { l.of(m.what).stopFor(m.long) })
		}
		return
	case crashes, leaves:
		w.note("the node of h%d ends", m.host)
		if l == nil {
			return
		}
		w.mu.Lock()
		w.current[m.host] = nil
		w.mu.Unlock()
		w.work.Go(func() {
			l.close(m.kind == leaves)
			time.Sleep(m.long)
			w.arrive(m.host)
		})
		return
	}
	w.note("%v", m)
	w.fault(m, true)
	w.work.Go(func() {
		time.Sleep(m.long)
		w.note("h%d no more %s %d", m.host, kindNames[m.kind], m.other)
		w.fault(m, false)
	})
}

// useKeys gives a node the keys that its host has by now. The lock is held.
func (w *world) useKeys(l *life) {
	var c network.Config
	c.MeshKey, c.OpenMeshKeys = w.keysAt(w.keyStep[l.host])
	if err := l.node.ChangeKeys(c); err != nil {
		w.failures = append(w.failures, fmt.Sprintf("%s: ChangeKeys: %v", l.name, err))
	}
}

// of returns the object of that index.
func (l *life) of(index int) *ear {
	for _, e := range l.ears {
		if e.index == index {
			return e
		}
	}
	return nil
}

// fault begins or ends a fault. Of several of one kind at one host, the first begins it
// and the last ends it.
func (w *world) fault(m move, begins bool) {
	switch m.kind {
	case skews: // several at one host add up
		ahead := int64(m.ahead)
		if !begins {
			ahead = -ahead
		}
		w.clocks[m.host].Add(ahead)
		return
	case cuts:
		if begins {
			w.wires[m.host].cut(address(m.other))
		} else {
			w.wires[m.host].heal(address(m.other))
		}
		return
	}
	at := fmt.Sprint(m.kind, m.host)
	w.mu.Lock()
	if begins {
		w.trouble[at]++
	} else {
		w.trouble[at]--
	}
	count := w.trouble[at]
	w.mu.Unlock()
	if begins && count > 1 || !begins && count > 0 {
		return
	}
	there := address(m.host)
	switch m.kind {
	case hangs:
		w.wires[m.host].hang(begins)
	case downs:
		if begins {
			w.memory.Down(there)
		} else {
			w.memory.Up(there)
		}
	case blocks:
		w.memory.Block(there, begins)
	case refuses:
		err := m.err
		if !begins {
			err = nil
		}
		w.memory.Refuse(there, err)
	}
}

// everybodySpeaks makes each object send one more event, one after the other.
func (w *world) everybodySpeaks() {
	for _, l := range w.current {
		for _, e := range l.ears {
			if !e.plan.monitor() {
				e.orders <- 1
				w.until(w.now() + 200*time.Millisecond)
			}
		}
	}
	w.until(w.now() + 5*time.Second)
}

// end closes all nodes, and ends what the world has.
func (w *world) end() {
	for _, l := range w.current {
		l.close(true)
	}
	synctest.Wait()
	for _, l := range w.lives {
		if l.stats.Peers.Events.Queued != 0 {
			w.broken("%s: %d events are queued after Close", l.name, l.stats.Peers.Events.Queued)
		}
		w.checkHanded(l, l.stats, l.last)
	}
	for host := range w.plan.hosts {
		if n := w.memory.Links(address(host)); n != 0 {
			w.broken("the broker of h%d has %d links after all nodes were closed", host, n)
		}
	}
}
