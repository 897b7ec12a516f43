package activeobject

// The heap of a timers: each slot knows where it stands, so that a cancelled one
// is taken out at once. container/heap would cost an interface call a step.

func (t *timers) push(slot uint32) {
	t.heap = append(t.heap, slot)
	t.slots[slot].at = int32(len(t.heap) - 1)
	t.up(len(t.heap) - 1)
}

func (t *timers) remove(i int) {
	t.slots[t.heap[i]].at = -1
	last := len(t.heap) - 1
	t.heap[i] = t.heap[last]
	t.heap = t.heap[:last]
	if i < last {
		t.slots[t.heap[i]].at = int32(i)
		t.down(i)
		t.up(i)
	}
}

func (t *timers) less(i, j int) bool {
	a, b := &t.slots[t.heap[i]], &t.slots[t.heap[j]]
	return a.due < b.due || a.due == b.due && a.number < b.number
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.slots[t.heap[i]].at = int32(i)
	t.slots[t.heap[j]].at = int32(j)
}

func (t *timers) up(i int) {
	for i > 0 && t.less(i, (i-1)/2) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (t *timers) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}
