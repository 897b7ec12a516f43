package sequence

import "container/heap"

// orderer puts the arrows of a chart in drawing order (rules 4 and 5 of the
// package). Arrows know their states by index, below the number given to
// newOrderer. Its slices are working space, kept from call to call.
type orderer struct {
	waiting []int32 // by state: arrows of the group that come from another state and are not placed
	head    []int32 // by state: the first arrow of the group that leaves it and is not placed, or -1
	next    []int32 // by arrow: the next one that leaves the same state, or -1
	placed  []bool  // by arrow
	ready   indexHeap
	result  []arrow

	before, after, late []arrow
}

func newOrderer(states int) *orderer {
	o := &orderer{
		waiting: make([]int32, states),
		head:    make([]int32, states),
	}
	for i := range o.head {
		o.head[i] = -1
	}
	return o
}

// nearby bounds the arrows looked at to decide whether some came late, so that
// no input makes ordering slow.
const nearby = 256

// order sorts a, which is in the order of the input, into drawing order.
func (o *orderer) order(a []arrow) {
	// Two groups of one stamp each are open: a[p:m] and a[m:r]. What stands
	// before them is done, a[r:] is still to come.
	p, m := 0, 0
	for r := 0; r < len(a); {
		end := r + 1
		for end < len(a) && a[end].time == a[r].time {
			end++
		}
		switch {
		case m < r && a[m].time == a[r].time:
			// What parted the two has been moved away: one group.
		case p < m && a[p].time == a[r].time && o.mends(a, p, m, r, end):
			o.late = append(o.late[:0], a[m:r]...)
			m += copy(a[m:], a[r:end])
			copy(a[m:], o.late)
		default:
			o.chain(a[p:m])
			p, m = m, r
		}
		r = end
	}
	o.chain(a[p:m])
	o.chain(a[m:])
}

// mends says whether the drawing has fewer gaps if the late arrows a[r:end]
// join a[p:m], which have the same stamp.
func (o *orderer) mends(a []arrow, p, m, r, end int) bool {
	if end-p > nearby || gaps(a[max(p-1, 0):end]) == 0 {
		return false
	}
	b := append(o.before[:0], a[max(p-1, 0):end]...)
	lead := len(b) - (end - p)
	o.chain(b[lead : lead+m-p])
	o.chain(b[lead+m-p : lead+r-p])
	o.chain(b[lead+r-p:])

	c := append(o.after[:0], b[:lead]...)
	c = append(c, a[p:m]...)
	c = append(c, a[r:end]...)
	o.chain(c[lead:])
	c = append(c, b[lead+m-p:lead+r-p]...)

	o.before, o.after = b, c
	return gaps(c) < gaps(b)
}

// gaps counts the arrows that do not start where the one before them ended.
func gaps(a []arrow) int {
	n := 0
	for i := 1; i < len(a); i++ {
		if a[i].from != a[i-1].to {
			n++
		}
	}
	return n
}

// chain orders a group of arrows that have one stamp: each time the first of
// the rest whose source is the target of none of the rest, loops apart; if
// there is none, the first that leaves the state where the last one ended, or
// simply the first.
func (o *orderer) chain(a []arrow) {
	if gaps(a) == 0 {
		return // the rule would not move anything
	}
	o.next = append(o.next[:0], make([]int32, len(a))...)
	o.placed = append(o.placed[:0], make([]bool, len(a))...)
	for i := len(a) - 1; i >= 0; i-- {
		o.next[i] = o.head[a[i].from]
		o.head[a[i].from] = int32(i)
		if a[i].from != a[i].to {
			o.waiting[a[i].to]++
		}
	}
	// ready holds the first arrow of each state that is free to go.
	o.ready = o.ready[:0]
	for i := range a {
		if o.head[a[i].from] == int32(i) && o.waiting[a[i].from] == 0 {
			o.ready = append(o.ready, int32(i))
		}
	}
	heap.Init(&o.ready)

	o.result = o.result[:0]
	last := a[0].from
	for first := 0; len(o.result) < len(a); {
		for o.placed[first] {
			first++
		}
		var i int32
		switch {
		case len(o.ready) > 0:
			i = heap.Pop(&o.ready).(int32)
		case o.head[last] >= 0:
			i = o.head[last]
		default:
			i = int32(first)
		}
		from, to := a[i].from, a[i].to
		o.placed[i] = true
		o.result = append(o.result, a[i])
		o.head[from] = o.next[i]
		if o.head[from] >= 0 && o.waiting[from] == 0 {
			heap.Push(&o.ready, o.head[from])
		}
		if from != to {
			if o.waiting[to]--; o.waiting[to] == 0 && o.head[to] >= 0 {
				heap.Push(&o.ready, o.head[to])
			}
		}
		last = to
	}
	copy(a, o.result)
}

// indexHeap gives the smallest index first.
type indexHeap []int32

func (h indexHeap) Len() int           { return len(h) }
func (h indexHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h indexHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *indexHeap) Push(x any)        { *h = append(*h, x.(int32)) }
func (h *indexHeap) Pop() any {
	s := *h
	x := s[len(s)-1]
	*h = s[:len(s)-1]
	return x
}
