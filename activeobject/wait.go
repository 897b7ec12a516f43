package activeobject

import "runtime"

// await waits until something is to be looked at. The caller holds mu, which is
// free meanwhile.
func (o *ActiveObject) await() {
	if o.patience.tries() {
		o.mu.Unlock()
		runtime.Gosched()
		o.mu.Lock()
		paid := o.queue.Len() > 0 || o.front.Len() > 0 || o.phase != running
		o.patience.learn(paid)
		if paid {
			return
		}
	}
	o.parked = true
	o.wake.Wait()
	o.parked = false
}

// patience decides whether a goroutine that finds nothing lets the others run
// once before it parks. If what it waits for comes meanwhile, as an answer does from an
// object on the same processor, neither has to park and to be woken, which
// costs more than all the rest of a post. When that was in vain, it is not tried
// again for a while, twice as long each time: an object that waits long does not pay.
type patience struct {
	pause uint8 // how often not to try
	last  uint8 // what pause began with
}

// tries reports whether to let the others run.
func (p *patience) tries() bool {
	if p.pause > 0 {
		p.pause--
		return false
	}
	return true
}

// learn takes note whether it paid.
func (p *patience) learn(paid bool) {
	p.last = p.last<<1 | 1
	if paid {
		p.last = 0
	}
	p.pause = p.last
}
