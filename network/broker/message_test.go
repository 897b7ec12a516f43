package broker

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseExpiration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"1500", 1500 * time.Millisecond, true},
		{"315360000000", maxTTL * time.Millisecond, true},
		{"315360000001", 0, false},
		{"99999999999999999999", 0, false},
		{"", 0, false},
		{"-1", 0, false},
		{"1s", 0, false},
	} {
		got, e := parseExpiration([]byte(c.in))
		if (e == nil) != c.ok || got != c.want {
			t.Errorf("%q: %v, %v, want %v", c.in, got, e, c.want)
		}
	}
}

// The ring against a slice.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		var want []uint64
		next := uint64(1000)
		places := func() (got []uint64) {
			for i := range r.n {
				got = append(got, r.at(i).place)
			}
			return got
		}
		t.Repeat(map[string]func(*rapid.T){
			"push back": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "n") {
					next += 2
					r.pushBack(entry{place: next})
					want = append(want, next)
				}
			},
			"pop front": func(t *rapid.T) {
				for range min(len(want), rapid.IntRange(1, 400).Draw(t, "n")) {
					if got := r.popFront(); got.place != want[0] {
						t.Fatalf("popped %d, want %d", got.place, want[0])
					}
					want = want[1:]
				}
			},
			"pop all": func(t *rapid.T) {
				for r.n > 0 {
					r.popFront()
				}
				want = nil
			},
			"merge": func(t *rapid.T) {
				places := rapid.SliceOfNDistinct(rapid.Uint64Range(0, next/2), 1, 20, rapid.ID).Draw(t, "places")
				slices.Sort(places)
				var entries []entry
				for _, p := range places {
					entries = append(entries, entry{place: 2*p + 1})
					want = append(want, 2*p+1)
				}
				slices.Sort(want)
				r.merge(entries)
			},
			"": func(t *rapid.T) {
				if diff := cmp.Diff(want, places()); diff != "" && len(want)+r.n > 0 {
					t.Fatalf("places (-want +got):\n%s", diff)
				}
				if r.n == 0 && len(r.buf) > ringKeep {
					t.Fatalf("an empty ring keeps %d places", len(r.buf))
				}
			},
		})
	})
}

// The list of unacknowledged deliveries against a sorted slice.
func TestUnacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u unacked
		var want []uint64
		next := uint64(0)
		tags := func(ds []delivery) (got []uint64) {
			for _, d := range ds {
				got = append(got, d.tag)
			}
			return got
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 600).Draw(t, "n") {
					next += uint64(rapid.IntRange(1, 2).Draw(t, "step"))
					u.add(delivery{tag: next})
					want = append(want, next)
				}
			},
			"take": func(t *rapid.T) {
				for range rapid.IntRange(1, 500).Draw(t, "n") {
					tag, multiple := rapid.Uint64Range(0, next+2).Draw(t, "tag"), rapid.IntRange(0, 40).Draw(t, "multiple") == 0
					got, ok := u.take(tag, multiple, nil)
					i := slices.Index(want, tag)
					var taken []uint64
					switch {
					case multiple && tag == 0:
						taken, want = want, nil
					case i < 0:
						if ok || len(got) > 0 {
							t.Fatalf("took %v for the unknown tag %d", tags(got), tag)
						}
						continue
					case multiple:
						taken, want = want[:i+1], want[i+1:]
					default:
						taken, want = []uint64{tag}, slices.Concat(want[:i], want[i+1:])
					}
					if diff := cmp.Diff(taken, tags(got)); !ok || diff != "" && len(taken) > 0 {
						t.Fatalf("take %d, %v: %v (-want +got):\n%s", tag, multiple, ok, diff)
					}
				}
			},
			"": func(t *rapid.T) {
				if u.live != len(want) {
					t.Fatalf("%d live, want %d", u.live, len(want))
				}
				if len(u.list) > 3*u.live+2*ringKeep+2 {
					t.Fatalf("a list of %d for %d deliveries", len(u.list), u.live)
				}
			},
		})
		if diff := cmp.Diff(want, tags(u.takeAll(nil))); diff != "" && len(want) > 0 {
			t.Fatalf("left (-want +got):\n%s", diff)
		}
	})
}

// FuzzHeaders: what a client puts into the headers of a message, which this broker reads and changes for dead letters and
// delivery counts, is changed there only, and the result is a header that can be read.
func FuzzHeaders(f *testing.F) {
	header := func(flags uint16, properties args) []byte {
		return append(args{}.short(60).short(0).longlong(5).short(flags), properties...)
	}
	death := args{}.integer("count", 3).text("reason", "expired").text("queue", "q")
	deaths := args{}.shortstr("x-death").octet('A').longstr(string(args{}.octet('F').longstr(string(death)).octet('t').octet(1)))
	f.Add(header(0, nil))
	f.Add(header(1<<bitHeaders|1<<bitExpiration, args{}.longstr(string(deaths.text("other", "stays"))).shortstr("100")))
	f.Add(header(1<<15|1<<bitHeaders|1<<12|1<<6, args{}.shortstr("text/plain").longstr(string(args{}.integer(deliveryCount, -1))).octet(2).longlong(7)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var h contentHeader
		if !h.decode(payload) {
			return
		}
		before := bytes.Clone(payload)
		from := &queue{name: "q"}
		for range 3 {
			b := burial{from, deadLetter{&message{exchange: "e", key: "k", data: payload, header: len(payload)}, reasonRejected}}
			letter, deaths := b.letter(time.Unix(1, 0), 1<<20)
			if !bytes.Equal(payload, before) {
				t.Fatal("the message of others was changed")
			}
			if letter == nil {
				return
			}
			if !h.decode(letter.data[:letter.header]) {
				t.Fatalf("%x became %x, which is no header", payload, letter.data)
			}
			headers, expiration := headersOf(letter.data)
			again := deathsOf(headers)
			if expiration != nil || len(again) != len(deaths) || again[0].queue != "q" || again[0].why != "rejected" || len(deaths) > maxDeaths {
				t.Fatalf("deaths %+v became %+v; expiration %q", deaths, again, expiration)
			}
			e := entry{message: letter, returns: 7}
			counted := e.header(1 << 20)
			if headers, _ := headersOf(counted); !h.decode(counted) || len(deathsOf(headers)) != len(deaths) {
				t.Fatalf("counted: %x", counted)
			}
			payload, before = counted, bytes.Clone(counted)
		}
	})
}
