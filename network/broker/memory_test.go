package broker

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
)

// Large messages leave no large buffers behind at those who got them, though they stay and get
// nothing any more.
func TestLargeBuffersAreGivenBack(t *testing.T) {
	const size, consumers = 8 << 20, 4
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		p := open(t, s, 0)
		var all []*client
		for i := range consumers {
			name := fmt.Sprint(i)
			p.queue(name, 0, nil)
			c := open(t, s, 0)
			c.consume(1, name, consumeNoAck)
			all = append(all, c)
		}
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for range 2 { // one buffer, and the other
			for i, c := range all {
				p.write(appendMethod(nil, 1, basicPublish, args{}.short(0).shortstr("").shortstr(fmt.Sprint(i)).octet(0)))
				p.write(appendFrame(nil, frameHeader, 1, args{}.short(60).short(0).longlong(size).short(0)))
				for range size / (64 << 10) {
					p.write(appendFrame(nil, frameBody, 1, make([]byte, 64<<10)))
				}
				c.delivered(1)
			}
		}
		synctest.Wait()
		after := heap()
		t.Logf("%d KiB before, %d KiB after", before>>10, after>>10)
		if after > before+4<<20 {
			t.Errorf("%d MiB are left of %d messages of %d MiB", (after-before)>>20, 2*consumers, size>>20)
		}
	})
}
