package hsm

import "sync"

// chunkLen is how many values a ring takes before its writer needs the lock.
const chunkLen = 64

// ring keeps the last values that one goroutine wrote, for any goroutine to
// read. A write is a plain store: values live in chunks, a reader only looks at
// values that were published with an atomic store by the Log, and the writer
// takes the lock only to begin a new chunk, since that is where it may
// overwrite what a reader looks at.
type ring[T any] struct {
	chunk *[chunkLen]T // the writer's: where it writes now, from the end down
	free  uint         // the writer's: how many places of chunk are left

	mu     *sync.Mutex    // guards chunks, turns and first
	chunks []*[chunkLen]T // chunk number i is at i % cap(chunks)
	turns  uint64         // chunks begun
	first  uint64         // the oldest value to show; moved by clear
}

func (r *ring[T]) init(size int, mu *sync.Mutex) {
	// One chunk more than needed, since the newest is only partly filled.
	r.chunks = make([]*[chunkLen]T, 0, (size+chunkLen-1)/chunkLen+1)
	r.mu = mu
}

// next returns the place for the next value. What stood there before is not
// cleared.
func (r *ring[T]) next() *T {
	if r.free == 0 {
		r.turn()
	}
	r.free--
	return &r.chunk[r.free]
}

func (r *ring[T]) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.chunks) < cap(r.chunks) {
		r.chunks = append(r.chunks, new([chunkLen]T))
	}
	r.chunk, r.free = r.chunks[r.turns%uint64(cap(r.chunks))], chunkLen
	r.turns++
}

// written is the number of values the writer has written so far. Only the
// writer may ask; it publishes the lower half of it.
func (r *ring[T]) written() uint64 { return r.turns*chunkLen - uint64(r.free) }

// oldest is the number of the oldest value that still stands somewhere. Only the
// writer may ask, or who holds mu.
func (r *ring[T]) oldest() uint64 {
	return max(r.turns, uint64(cap(r.chunks)))*chunkLen - uint64(cap(r.chunks))*chunkLen
}

// at is where value number i stands.
func (r *ring[T]) at(i uint64) *T {
	return &r.chunks[i/chunkLen%uint64(cap(r.chunks))][chunkLen-1-i%chunkLen]
}

// total makes the whole number again of the published lower half. The writer
// has begun turns chunks, so it has written that many chunks full, more or less
// one step. The caller holds mu.
func (r *ring[T]) total(published uint32) uint64 {
	base := r.turns * chunkLen
	return base + uint64(int64(int32(published-uint32(base))))
}

// snapshot appends the published values to dst, oldest first, at most the newest most of
// them. The caller holds mu.
func (r *ring[T]) snapshot(dst []T, published uint32, most int) []T {
	if most <= 0 {
		return dst
	}
	end := r.total(published)
	begin := max(r.first, r.oldest())
	if end > uint64(most) {
		begin = max(begin, end-uint64(most))
	}
	for i := begin; i < end; i++ {
		dst = append(dst, *r.at(i))
	}
	return dst
}
