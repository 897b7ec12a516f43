package broker

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// held is a message of the model.
type held struct {
	place int
	body  string
}

// One queue, driven by a client, against a list: order, places of what comes back, limits, and that in the end every
// byte is accounted for.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const most = 8
		s := New(Config{})
		defer s.Close()
		c := open(rapidTB{t, rt}, s, 0)
		c.queue("q", 0, args{}.shortstr("x-max-length").octet('b').octet(most))
		var ready []held
		unacked := map[uint64]held{}
		next := 0
		trim := func() { ready = ready[max(0, len(ready)-most):] }
		giveBack := func(back ...held) {
			ready = append(ready, back...)
			slices.SortFunc(ready, func(a, b held) int { return a.place - b.place })
			trim()
		}
		pick := func(rt *rapid.T) uint64 {
			var tags []uint64
			for tag := range unacked {
				tags = append(tags, tag)
			}
			if len(tags) == 0 {
				rt.Skip("nothing is unacknowledged")
			}
			slices.Sort(tags)
			return rapid.SampledFrom(tags).Draw(rt, "tag")
		}
		settle := func(tag uint64, multiple, requeue bool) {
			var back []held
			for other, h := range unacked {
				if other == tag || multiple && (other < tag || tag == 0) {
					delete(unacked, other)
					back = append(back, h)
				}
			}
			if requeue {
				giveBack(back...)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"publish": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "n") {
					body := fmt.Sprint("message ", next)
					c.publish("q", []byte(body))
					ready = append(ready, held{next, body})
					next++
				}
				trim()
			},
			"get": func(rt *rapid.T) {
				noAck := byte(rapid.IntRange(0, 1).Draw(rt, "no-ack"))
				tag, body, found := c.get("q", noAck)
				if found != (len(ready) > 0) || found && string(body) != ready[0].body {
					rt.Fatalf("got %q, %v, want %v", body, found, ready)
				}
				if !found {
					return
				}
				if noAck == 0 {
					unacked[tag] = ready[0]
				}
				ready = ready[1:]
			},
			"ack": func(rt *rapid.T) {
				tag, multiple := pick(rt), byte(rapid.IntRange(0, 1).Draw(rt, "multiple"))
				c.call(1, basicAck, args{}.longlong(tag).octet(multiple))
				settle(tag, multiple == 1, false)
			},
			"nack": func(rt *rapid.T) {
				tag, flags := pick(rt), byte(rapid.IntRange(0, 3).Draw(rt, "flags"))
				c.call(1, basicNack, args{}.longlong(tag).octet(flags))
				settle(tag, flags&1 != 0, flags&2 != 0)
			},
			"recover": func(rt *rapid.T) {
				c.call(1, basicRecover, args{}.octet(1))
				c.want(1, basicRecoverOk)
				settle(0, true, true)
			},
			"purge": func(rt *rapid.T) {
				c.call(1, queuePurge, args{}.short(0).shortstr("q").octet(0))
				if n := c.want(1, queuePurgeOk).long(); int(n) != len(ready) {
					rt.Fatalf("purged %d, want %d", n, len(ready))
				}
				ready = nil
			},
			"reopen": func(rt *rapid.T) {
				c.call(1, channelClose, args{}.short(200).shortstr("").long(0))
				c.want(1, channelCloseOk)
				c.channel(1)
				settle(0, true, true)
			},
			"": func(rt *rapid.T) {
				if n := c.ready("q"); n != len(ready) {
					rt.Fatalf("%d messages are ready, want %d", n, len(ready))
				}
			},
		})
		// Everything in the queue and unacknowledged adds up, and nothing is left after it.
		var got, want []string
		c.call(1, basicRecover, args{}.octet(1))
		c.want(1, basicRecoverOk)
		settle(0, true, true)
		for _, h := range ready {
			want = append(want, h.body)
		}
		for {
			_, body, found := c.get("q", 1)
			if !found {
				break
			}
			got = append(got, string(body))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("the queue (-want +got):\n%s", diff)
		}
		c.nc.Close()
		s.Close()
		if n := s.bytes.Load(); n != 0 {
			rt.Fatalf("%d bytes are still accounted for", n)
		}
	})
}

// rapidTB fails through rapid, so that it can shrink.
type rapidTB struct {
	*testing.T
	rt *rapid.T
}

func (t rapidTB) Helper()                   { t.rt.Helper() }
func (t rapidTB) Fatalf(f string, a ...any) { t.rt.Fatalf(f, a...) }
func (t rapidTB) Cleanup(func())            {}
