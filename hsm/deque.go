package hsm

// Deque is a queue with two ends that grows as needed and reuses its memory.
// The zero value is empty. It is not for concurrent use.
type Deque[T any] struct {
	items []T // a ring; its length is zero or a power of two
	head  int
	n     int
}

// Len returns the number of items.
func (d *Deque[T]) Len() int { return d.n }

// PushBack puts x behind all items.
func (d *Deque[T]) PushBack(x T) { *d.Extend() = x }

// Extend puts a zero item behind all items and returns where it stands until
// the deque is changed again.
func (d *Deque[T]) Extend() *T {
	d.grow()
	d.n++
	return &d.items[(d.head+d.n-1)&(len(d.items)-1)]
}

// PushFront puts x before all items.
func (d *Deque[T]) PushFront(x T) {
	d.grow()
	d.head = (d.head - 1) & (len(d.items) - 1)
	d.items[d.head] = x
	d.n++
}

// Front returns the first item of a deque that is not empty.
func (d *Deque[T]) Front() T { return d.items[d.head] }

// Back returns the last item of a deque that is not empty.
func (d *Deque[T]) Back() T { return d.items[(d.head+d.n-1)&(len(d.items)-1)] }

// PopFront removes and returns the first item of a deque that is not empty.
func (d *Deque[T]) PopFront() T {
	x := d.items[d.head]
	d.DropFront()
	return x
}

// DropFront removes the first item of a deque that is not empty.
func (d *Deque[T]) DropFront() {
	var zero T
	d.items[d.head] = zero
	d.head = (d.head + 1) & (len(d.items) - 1)
	d.n--
}

// PopBack removes and returns the last item of a deque that is not empty.
func (d *Deque[T]) PopBack() T {
	var zero T
	d.n--
	at := (d.head + d.n) & (len(d.items) - 1)
	x := d.items[at]
	d.items[at] = zero
	return x
}

// Slice returns a copy of the items, the first one first.
func (d *Deque[T]) Slice() []T {
	out := make([]T, d.n)
	for i := range out {
		out[i] = d.items[(d.head+i)&(len(d.items)-1)]
	}
	return out
}

func (d *Deque[T]) grow() {
	if d.n < len(d.items) {
		return
	}
	items := make([]T, max(8, 2*len(d.items)))
	for i := range d.n {
		items[i] = d.items[(d.head+i)&(len(d.items)-1)]
	}
	d.items, d.head = items, 0
}

// At returns item i, counted from the front.
func (d *Deque[T]) At(i int) *T { return &d.items[(d.head+i)&(len(d.items)-1)] }
