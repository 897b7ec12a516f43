package broker

import (
	"cmp"
	"slices"
)

// delivery is a message a channel was given and has not acknowledged.
type delivery struct {
	entry
	tag      uint64
	queue    *queue
	consumer *consumer // nil if it was got
	settled  bool
}

// unacked is the list of the deliveries of a channel that wait for their acknowledgement, ordered by tag. Settled ones
// stay in it for a while, but never make it much longer than the others need.
type unacked struct {
	list []delivery
	head int // what lies before is settled
	live int
}

func (u *unacked) add(d delivery) {
	u.list = append(u.list, d)
	u.live++
}

// take removes the delivery of the tag, or with multiple all up to it, where 0 stands for all there are, and appends them
// to buf. It returns false if there is no such tag.
func (u *unacked) take(tag uint64, multiple bool, buf []delivery) ([]delivery, bool) {
	if multiple && tag == 0 {
		return u.takeAll(buf), true
	}
	last, found := slices.BinarySearchFunc(u.list, tag, func(d delivery, tag uint64) int { return cmp.Compare(d.tag, tag) })
	if !found || u.list[last].settled {
		return buf, false
	}
	first := last
	if multiple {
		first = u.head
	}
	for i := first; i <= last; i++ {
		if d := &u.list[i]; !d.settled {
			buf = append(buf, *d)
			*d = delivery{tag: d.tag, settled: true}
			u.live--
		}
	}
	u.sweep()
	return buf, true
}

// takeAll removes all deliveries and appends them to buf.
func (u *unacked) takeAll(buf []delivery) []delivery {
	for _, d := range u.list[u.head:] {
		if !d.settled {
			buf = append(buf, d)
		}
	}
	*u = unacked{}
	return buf
}

// sweep removes settled deliveries from the list when there is nothing else in it, or they are most of it.
func (u *unacked) sweep() {
	for u.head < len(u.list) && u.list[u.head].settled {
		u.head++
	}
	settled := len(u.list) - u.live
	switch {
	case u.live == 0:
		u.list, u.head = u.list[:0], 0
		if cap(u.list) > ringKeep {
			u.list = nil
		}
	case settled > ringKeep && settled > 2*u.live:
		u.list, u.head = slices.DeleteFunc(u.list, func(d delivery) bool { return d.settled }), 0
	}
}
