package seal

import (
	"fmt"
	"testing"
)

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{256, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ring, err := NewRing(NewKey())
			if err != nil {
				b.Fatal(err)
			}
			s := NewSealer(ring, SealerConfig{})
			message, buf := make([]byte, size), make([]byte, 0, size+Overhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Seal(buf, message, exchange, routingKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An envelope opens only once: after the last one, a new Opener begins with the first.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{256, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ring, err := NewRing(NewKey())
			if err != nil {
				b.Fatal(err)
			}
			s := NewSealer(ring, SealerConfig{})
			envelopes := make([][]byte, 1000)
			for i := range envelopes {
				if envelopes[i], err = s.Seal(nil, make([]byte, size), exchange, routingKey); err != nil {
					b.Fatal(err)
				}
			}
			buf := make([]byte, 0, size+Overhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var o *Opener
			i := 0
			for b.Loop() {
				if i%len(envelopes) == 0 {
					o = NewOpener(ring, OpenerConfig{})
				}
				if _, err := o.Open(buf, envelopes[i%len(envelopes)], exchange, routingKey); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkSealOpen(b *testing.B) {
	for _, size := range []int{256, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ring, err := NewRing(NewKey())
			if err != nil {
				b.Fatal(err)
			}
			s, o := NewSealer(ring, SealerConfig{}), NewOpener(ring, OpenerConfig{})
			message := make([]byte, size)
			sealed, opened := make([]byte, 0, size+Overhead), make([]byte, 0, size+Overhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				envelope, err := s.Seal(sealed, message, exchange, routingKey)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := o.Open(opened, envelope, exchange, routingKey); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Senders come and go, each takes the place of another.
func BenchmarkNewSender(b *testing.B) {
	var m memory
	m.init(DefaultMaxSenders)
	for i := range DefaultMaxSenders {
		if err := m.accept(SenderID{byte(i), byte(i >> 8)}, 1, 1); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := m.accept(SenderID{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24), 1}, 1, 1); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkDerive(b *testing.B) {
	k := NewKey()
	b.ReportAllocs()
	for b.Loop() {
		k.Derive("trace")
	}
}
