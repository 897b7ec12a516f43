package hsm

// Deque is a queue with two ends that grows as needed and reuses its memory.
// The zero value is empty. It is not for concurrent use.
type Deque[T any] struct {
	items []T // a ring; its length is zero or a power of two
	head  uint32
	n     uint32
}

// Len returns the number of items.
func (d *Deque[T]) Len() int { return int(d.n) }

// PushBack puts x behind all items.
func (d *Deque[T]) PushBack(x T) { *d.Extend() = x }

// Extend puts a zero item behind all items and returns where it stands until
// the deque is changed again.
func (d *Deque[T]) Extend() *T {
	d.grow()
	d.n++
	return &d.items[(d.head+d.n-1)&d.mask()]
}

// PushFront puts x before all items.
func (d *Deque[T]) PushFront(x T) {
	d.grow()
	d.head = (d.head - 1) & d.mask()
	d.items[d.head] = x
	d.n++
}

// Front returns the first item of a deque that is not empty.
func (d *Deque[T]) Front() T { return d.items[d.head] }

// Back returns the last item of a deque that is not empty.
func (d *Deque[T]) Back() T { return d.items[(d.head+d.n-1)&d.mask()] }

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
	d.head = (d.head + 1) & d.mask()
	d.n--
}

// PopBack removes and returns the last item of a deque that is not empty.
func (d *Deque[T]) PopBack() T {
	var zero T
	d.n--
	at := (d.head + d.n) & d.mask()
	x := d.items[at]
	d.items[at] = zero
	return x
}

// Slice returns a copy of the items, the first one first.
func (d *Deque[T]) Slice() []T {
	out := make([]T, d.n)
	for i := range out {
		out[i] = *d.At(i)
	}
	return out
}

func (d *Deque[T]) grow() {
	if int(d.n) < len(d.items) {
		return
	}
	items := make([]T, max(2, 2*len(d.items)))
	for i := range d.n {
		items[i] = d.items[(d.head+i)&d.mask()]
	}
	d.items, d.head = items, 0
}

// At returns item i, counted from the front.
func (d *Deque[T]) At(i int) *T { return &d.items[(d.head+uint32(i))&d.mask()] }

func (d *Deque[T]) mask() uint32 { return uint32(len(d.items)) - 1 }
