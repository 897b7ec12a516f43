package seal

import "sync"

// WindowSize is how many sequence numbers below the highest one heard of a sender
// are still told apart. Envelopes may overtake each other by that many.
const WindowSize = 1024

// window remembers which of the last WindowSize sequence numbers were taken, as in
// RFC 4303, section 3.4.3. The zero window has taken none.
type window struct {
	top  uint64                  // the highest number taken
	bits [WindowSize / 64]uint64 // of number n, the bit n mod WindowSize
}

// take takes n, or returns ErrReplay or ErrBehind.
func (w *window) take(n uint64) error {
	switch {
	case n <= w.top && w.top-n >= WindowSize:
		return ErrBehind
	case n <= w.top:
		if word, bit := w.place(n); *word&bit != 0 {
			return ErrReplay
		}
	case n-w.top >= WindowSize:
		w.bits = [WindowSize / 64]uint64{}
		w.top = n
	default:
		// The places of the numbers that are new were those of numbers that fall out.
		for w.top < n {
			w.top++
			word, bit := w.place(w.top)
			*word &^= bit
		}
	}
	word, bit := w.place(n)
	*word |= bit
	return nil
}

func (w *window) place(n uint64) (word *uint64, bit uint64) {
	return &w.bits[n/64%uint64(len(w.bits))], 1 << (n % 64)
}

// memory is what was heard of all senders, at most max of them. Its size is bounded
// whatever arrives; in the steady state it does not allocate.
type memory struct {
	mu      sync.Mutex // guards everything below
	max     int
	senders map[SenderID]*heard
	recent  heard // ring: recent.next was heard last, recent.previous longest ago
}

// heard is what was heard of one sender.
type heard struct {
	next, previous *heard
	sender         SenderID
	epoch          uint64
	window         window
}

func (m *memory) init(most int) {
	m.max = most
	m.senders = make(map[SenderID]*heard)
	m.recent.next, m.recent.previous = &m.recent, &m.recent
}

// accept takes one authentic envelope, or returns ErrOldEpoch, ErrReplay or
// ErrBehind and changes nothing.
func (m *memory) accept(sender SenderID, epoch, sequence uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.senders[sender]
	switch {
	case h == nil:
		h = m.admit(sender, epoch)
	case epoch < h.epoch:
		return ErrOldEpoch
	case epoch > h.epoch:
		h.epoch, h.window = epoch, window{}
	}
	if err := h.window.take(sequence); err != nil {
		return err
	}
	if h != m.recent.next {
		h.unlink()
		h.link(&m.recent)
	}
	return nil
}

// admit returns the entry of a new sender. When all are taken, the sender that was
// not heard for the longest time makes room.
func (m *memory) admit(sender SenderID, epoch uint64) *heard {
	var h *heard
	if len(m.senders) < m.max {
		h = new(heard)
	} else {
		h = m.recent.previous
		h.unlink()
		delete(m.senders, h.sender)
	}
	*h = heard{sender: sender, epoch: epoch}
	h.link(&m.recent)
	m.senders[sender] = h
	return h
}

func (h *heard) unlink() { h.next.previous, h.previous.next = h.previous, h.next }

// link puts h behind at.
func (h *heard) link(at *heard) {
	h.previous, h.next = at, at.next
	at.next.previous, at.next = h, h
}
