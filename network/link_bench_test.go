package network

import "testing"

// onBrokers runs a benchmark on every kind of broker.
func onBrokers(b *testing.B, f func(b *testing.B, at rig)) {
	b.Run("embedded", func(b *testing.B) { f(b, rig{b, &AMQP{}, hosted(b), ""}) })
	b.Run("memory", func(b *testing.B) { f(b, rig{b, NewMemory(), Address{Host: "h"}, ""}) })
	b.Run("RabbitMQ", func(b *testing.B) { f(b, rig{b, &AMQP{}, rabbitMQ(b), ""}) })
}

// BenchmarkPublish is what a publisher gets through with confirms, and at most so many
// messages on the way as an outbox holds.
func BenchmarkPublish(b *testing.B) {
	onBrokers(b, func(b *testing.B, at rig) {
		const window = DefaultOutbox
		l, body := at.dial(), make([]byte, 256)
		var published, confirmed uint64
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			for published >= confirmed+window {
				confirmed = (<-l.Confirmed()).Number
			}
			at.ok(l.Publish(ExchangeMesh, "nobody", body))
			published++
		}
		for confirmed < published {
			confirmed = (<-l.Confirmed()).Number
		}
		b.ReportMetric(float64(published)/b.Elapsed().Seconds(), "msg/s")
	})
}

// BenchmarkDelivery takes messages all the way through the broker, to one reader.
func BenchmarkDelivery(b *testing.B) {
	onBrokers(b, func(b *testing.B, at rig) {
		const window = DefaultOutbox
		l, in, body := at.dial(), at.dial(), make([]byte, 256)
		got := at.consume(in, "bench.*")
		go func() {
			for range l.Confirmed() {
			}
		}()
		var published, delivered uint64
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			for published >= delivered+window {
				<-got
				delivered++
			}
			at.ok(l.Publish(ExchangeMesh, "bench.delivery", body))
			published++
		}
		for delivered < published {
			<-got
			delivered++
		}
		b.ReportMetric(float64(published)/b.Elapsed().Seconds(), "msg/s")
	})
}

// BenchmarkRoundTrip is one message at a time.
func BenchmarkRoundTrip(b *testing.B) {
	onBrokers(b, func(b *testing.B, at rig) {
		l, in, body := at.dial(), at.dial(), make([]byte, 256)
		got := at.consume(in, "bench.*")
		go func() {
			for range l.Confirmed() {
			}
		}()
		for b.Loop() {
			at.ok(l.Publish(ExchangeMesh, "bench.trip", body))
			<-got
		}
	})
}

// BenchmarkDial connects, declares and closes.
func BenchmarkDial(b *testing.B) {
	onBrokers(b, func(b *testing.B, at rig) {
		for b.Loop() {
			l, err := at.transport.Dial(b.Context(), at.address)
			at.ok(err)
			at.ok(l.Close())
		}
	})
}

// BenchmarkTakeover hosts a broker, ends it, hosts the next, and links with that.
func BenchmarkTakeover(b *testing.B) {
	a := closedPort(b)
	s := settings{Config: Config{Logger: discard}, own: a, listen: a.HostPort()}
	at := rig{TB: b, transport: &AMQP{}, address: a}
	for b.Loop() {
		old, next := newHost(s), newHost(s)
		at.ok(old.ensure(b.Context()))
		old.close()
		at.ok(next.ensure(b.Context()))
		l, err := at.transport.Dial(b.Context(), a)
		at.ok(err)
		at.ok(l.Close())
		next.close()
	}
}
