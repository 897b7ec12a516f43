package network

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inMemory runs a test in virtual time on a Memory.
func inMemory(t *testing.T, f func(b rig, m *Memory)) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		f(rig{TB: t, transport: m, address: Address{Host: "h"}}, m)
	})
}

func TestMemoryDown(t *testing.T) {
	inMemory(t, func(b rig, m *Memory) {
		out, in := b.dial(), b.dial()
		elsewhere, err := m.Dial(b.Context(), Address{Host: "other"})
		b.ok(err)
		defer elsewhere.Close()
		got := b.consume(in, "k")
		b.publish(out, "k", "lost")
		b.confirmed(out, 1)
		m.Down("amqp://h:5672/")
		b.dead(out, ErrLost)
		b.dead(in, ErrLost)
		for range got {
		}
		if _, err := m.Dial(b.Context(), b.address); !errors.Is(err, ErrRefused) {
			t.Errorf("dialling says %v", err)
		}
		b.publish(elsewhere, "k", "alive")
		m.Up("h")
		in, out = b.dial(), b.dial()
		got = b.consume(in, "k")
		b.publish(out, "k", "new")
		b.expect(got, "new")
		if n := m.Links("h:5672"); n != 2 {
			t.Errorf("%d links, want 2", n)
		}
	})
}

func TestMemoryRefuses(t *testing.T) {
	inMemory(t, func(b rig, m *Memory) {
		l := b.dial()
		m.Refuse("h", ErrCredentials)
		if _, err := m.Dial(b.Context(), b.address); !errors.Is(err, ErrCredentials) {
			t.Errorf("dialling says %v", err)
		}
		b.publish(l, "k", "x") // it stays
		m.Refuse("h", nil)
		b.dial()
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		if _, err := m.Dial(ctx, b.address); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
			t.Errorf("dialling says %v", err)
		}
	})
}

func TestMemoryBlocks(t *testing.T) {
	inMemory(t, func(b rig, m *Memory) {
		l, other := b.dial(), b.dial()
		got := b.consume(l, "k")
		m.Block("h", true)
		m.Block("h", true)
		for _, l := range []Link{l, other, b.dial()} {
			if stopped, _ := receive(b, l.Blocked()); !stopped {
				t.Fatal("got false, want true")
			}
		}
		for range memoryHeld {
			b.publish(l, "k", "held")
		}
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("a blocked broker delivers")
		case <-l.Confirmed():
			t.Fatal("a blocked broker confirms")
		default:
		}

		// One more has to wait, as long as the time-out allows.
		time.AfterFunc(DefaultWriteTimeout-1, func() { m.Block("h", false) })
		b.publish(l, "k", "one more")
		b.confirmed(l, memoryHeld+1)
		for range memoryHeld {
			b.expect(got, "held")
		}
		b.expect(got, "one more")
		if stopped, _ := receive(b, l.Blocked()); stopped {
			t.Error("got true, want false")
		}

		// For longer it does not.
		m.Block("h", true)
		for range memoryHeld {
			b.publish(l, "k", "held")
		}
		began := time.Now()
		if err := l.Publish(ExchangeMesh, "k", nil); !errors.Is(err, ErrLost) {
			t.Errorf("Publish says %v", err)
		}
		if took := time.Since(began); took != DefaultWriteTimeout {
			t.Errorf("Publish took %v", took)
		}
		b.dead(l, ErrLost)
	})
}

// Nobody who waits outlives the link.
func TestMemoryCloseWhileBlocked(t *testing.T) {
	inMemory(t, func(b rig, m *Memory) {
		l := b.dial()
		m.Block("h", true)
		for range memoryHeld {
			b.publish(l, "k", "held")
		}
		time.AfterFunc(time.Second, func() { l.Close() })
		if err := l.Publish(ExchangeMesh, "k", nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Publish says %v", err)
		}
	})
}

func TestMemoryTTL(t *testing.T) {
	inMemory(t, func(b rig, m *Memory) {
		m.TTL = time.Second
		out, in := b.dial(), b.dial()
		got := b.consume(in, "k")
		for range consumerBuffer + 1 { // as many as leave the queue by themselves
			b.publish(out, "k", "ready")
		}
		synctest.Wait()
		b.publish(out, "k", "old")
		time.Sleep(500 * time.Millisecond)
		b.publish(out, "k", "young")
		time.Sleep(500 * time.Millisecond)
		for range consumerBuffer + 1 {
			b.expect(got, "ready")
		}
		b.expect(got, "young")
	})
}

// The zero Memory works, and brokers are told apart by host and port.
func TestMemoryBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		b := rig{TB: t, transport: &m, address: Address{Host: "h"}}
		in := b.dial()
		got := b.consume(in, "#")
		for i, a := range []Address{{Host: "h", Port: 1}, {Host: "g"}, {Host: "h", Port: 5672, User: "u", VHost: "v"}} {
			l, err := m.Dial(b.Context(), a)
			b.ok(err)
			b.publish(l, "k", string(rune('0'+i)))
			b.ok(l.Close())
		}
		b.expect(got, "2")
		b.ok(in.Close())
		if n := m.Links("h"); n != 0 {
			t.Errorf("%d links, want none", n)
		}
	})
}
