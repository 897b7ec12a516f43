package activeobject

// entry is a timer in the heap of a timers.
type entry struct {
	due  int64 // since the object's base
	slot uint32
}

// fan is how many children an entry of the heap has. Four of them are one line of
// the cache, which costs more than the comparisons.
const fan = 4

// The heap of a timers: each slot knows where it stands, so that a cancelled one
// is taken out at once. container/heap would cost an interface call a step.

func (t *timers) push(e entry) {
	t.heap = append(t.heap, e)
	t.up(len(t.heap)-1, e)
}

func (t *timers) remove(i int) {
	t.slots[t.heap[i].slot].at = -1
	last := len(t.heap) - 1
	e := t.heap[last]
	t.heap = t.heap[:last]
	switch {
	case i == last:
	case i > 0 && t.before(e, t.heap[(i-1)/fan]):
		t.up(i, e)
	default:
		t.down(i, e)
	}
}

// postpone gives the earliest another due time, which is later.
func (t *timers) postpone(due int64) { t.down(0, entry{due, t.heap[0].slot}) }

func (t *timers) before(a, b entry) bool {
	return a.due < b.due || a.due == b.due && t.slots[a.slot].number < t.slots[b.slot].number
}

// place puts an entry where it belongs.
func (t *timers) place(i int, e entry) {
	t.heap[i] = e
	t.slots[e.slot].at = int32(i)
}

// up places e at i, or as much higher as it belongs.
func (t *timers) up(i int, e entry) {
	for i > 0 {
		parent := (i - 1) / fan
		if !t.before(e, t.heap[parent]) {
			break
		}
		t.place(i, t.heap[parent])
		i = parent
	}
	t.place(i, e)
}

// down places e at i, or as much lower as it belongs.
func (t *timers) down(i int, e entry) {
	for {
		first := fan*i + 1
		if first >= len(t.heap) {
			break
		}
		least := first
		for child := first + 1; child < min(first+fan, len(t.heap)); child++ {
			if t.before(t.heap[child], t.heap[least]) {
				least = child
			}
		}
		if !t.before(t.heap[least], e) {
			break
		}
		t.place(i, t.heap[least])
		i = least
	}
	t.place(i, e)
}
