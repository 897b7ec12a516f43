package broker

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attackConnections is how often the port is attacked; the hundredth of STATEMESH_ATTACK if that
// is set. STATEMESH_ATTACK_SEED is the seed.
const attackConnections = 600

// TestAttackPort: somebody connects again and again and says what no client says, before a login
// and, having stolen the credentials, after it. He leaves connections half open. Meanwhile two
// clients go on at half their pace at least, newcomers get in, and no more handshakes are
// held than the limit allows; in the end nothing is left of him.
//
// The pace is fixed, and what could not be sent in time is caught up with; a kind of attack
// is repeated if the clients were too slow, since the machine may have been busy elsewhere.
func TestAttackPort(t *testing.T) {
	n, seed := attackConnections, rand.Uint64()
	for name, into := range map[string]func(uint64){
		"STATEMESH_ATTACK":      func(v uint64) { n = max(int(v/100), 100) },
		"STATEMESH_ATTACK_SEED": func(v uint64) { seed = v },
	} {
		if text := os.Getenv(name); text != "" {
			v, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatal(name, err)
			}
			into(v)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines := &countedLines{}
	s := New(Config{Logger: slog.New(slog.NewTextHandler(lines, nil))})
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(listener) })
	defer serving.Wait()
	defer s.Close()
	p := &portAttack{TB: t, s: s, address: listener.Addr().String(), random: rand.New(rand.NewPCG(seed, 0))}
	clients := p.traffic()
	defer clients.stop()
	p.measure(clients, p.wait)
	before := p.held()
	for _, kind := range []struct {
		name  string
		share int  // of n, in percent
		in    bool // has the password, and is an open connection then
		say   func(i int) []byte
	}{
		{"nothing", 10, false, func(int) []byte { return nil }},
		{"random octets", 15, false, func(int) []byte { return p.octets(p.random.IntN(10_000)) }},
		{"truncated handshakes", 20, false, func(i int) []byte { return p.handshake("guest")[:i%len(p.handshake("guest"))] }},
		{"wrong passwords", 10, false, func(int) []byte { return p.handshake(string(p.octets(8))) }},
		{"a bit flipped in the handshake", 15, true, func(i int) []byte { return p.flipped(p.handshake("guest"), i) }},
		{"a bit flipped in a conversation", 20, true, func(i int) []byte { return append(p.handshake("guest"), p.flipped(p.talk(), p.random.IntN(1<<20))...) }},
		{"methods in any order", 10, true, func(int) []byte { return append(p.handshake("guest"), p.shuffled()...) }},
	} {
		for try := 1; ; try++ {
			p.most.Store(0)
			quiet := p.measure(clients, p.wait)
			start, count := time.Now(), max(n*kind.share/100, 20)
			under := p.measure(clients, func() { p.attack(count, kind.say) })
			took := time.Since(start)
			quiet = (quiet + p.measure(clients, p.wait)) / 2
			t.Logf("%-32s %5d connections in %v; clients %.0f/s quiet, %.0f/s under attack; %d goroutines more",
				kind.name, count, took.Round(time.Millisecond), quiet, under, p.most.Load())
			if most := p.most.Load(); !kind.in && most > 4*int64(s.config.Limits.Handshakes) {
				t.Errorf("%s made %d goroutines, want not many more than the limit of handshakes, %d", kind.name, most, s.config.Limits.Handshakes)
			}
			if under >= quiet/2 {
				break
			}
			if try == 3 {
				t.Errorf("%s: the clients went on at %.0f%% of their pace, want at least 50%% (seed %d)", kind.name, 100*under/quiet, seed)
				break
			}
		}
	}
	late := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var after heldBy
	for left := true; left; {
		select {
		case <-tick.C:
			after = p.held()
			left = after.goroutines > before.goroutines || after.files > before.files || after.stats != before.stats
		case <-late:
			t.Fatalf("left after the attack: %+v, before it there were %+v (seed %d)", after, before, seed)
		}
	}
	runtime.GC()
	if heap := p.heap(); heap > before.heap+16<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before.heap>>10, heap>>10)
	}
	t.Logf("%d lines logged, seed %d", lines.n.Load(), seed)
}

type countedLines struct{ n atomic.Int64 }

func (c *countedLines) Write(b []byte) (int, error) {
	c.n.Add(1)
	return len(b), nil
}

// portAttack attacks the server at the address.
type portAttack struct {
	testing.TB
	s       *Server
	address string
	most    atomic.Int64 // goroutines that the server had for it

	mu     sync.Mutex // guards random, which say and the workers use
	random *rand.Rand
}

// attack connects n times and says something, and leaves every fourth connection half open
// until the end.
func (p *portAttack) attack(n int, say func(i int) []byte) {
	const workers = 8
	base := runtime.NumGoroutine() + workers
	var mu sync.Mutex // guards open
	var open []net.Conn
	var attackers sync.WaitGroup
	for w := range workers {
		attackers.Go(func() {
			for i := w; i < n; i += workers {
				nc, err := net.Dial("tcp", p.address)
				if err != nil {
					p.Errorf("connect: %v", err)
					return
				}
				nc.(*net.TCPConn).SetLinger(0) // leaves no port behind
				p.mu.Lock()
				words := say(i)
				p.mu.Unlock()
				nc.Write(words) // may be closed already
				p.most.Store(max(p.most.Load(), int64(runtime.NumGoroutine()-base)))
				if i%4 > 0 {
					if len(words) > 0 && i%4 > 1 { // hears something of the answer
						nc.SetReadDeadline(time.Now().Add(time.Millisecond))
						nc.Read(make([]byte, 1))
					}
					nc.Close()
					continue
				}
				mu.Lock()
				if open = append(open, nc); len(open) > 500 {
					open[0].Close()
					open = open[1:]
				}
				mu.Unlock()
			}
		})
	}
	p.newcomer()
	attackers.Wait()
	p.newcomer()
	for _, nc := range open {
		nc.Close()
	}
}

// newcomer logs in, trying again if its handshake was dropped for a younger one.
func (p *portAttack) newcomer() {
	for late := time.Now().Add(20 * time.Second); ; {
		nc, err := net.Dial("tcp", p.address)
		if err != nil {
			p.Errorf("newcomer: %v", err)
			return
		}
		nc.SetDeadline(late)
		nc.Write(p.handshake("guest"))
		in := newFrameReader(nc)
		var f frame
		for err == nil && idOf(f) != channelOpenOk {
			f, err = in.next()
		}
		nc.Close()
		if err == nil {
			return
		}
		if time.Now().After(late) {
			p.Errorf("a newcomer does not get in: %v", err)
			return
		}
	}
}

func (p *portAttack) octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(p.random.Uint32())
	}
	return b
}

func (p *portAttack) flipped(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	bit %= 8 * len(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// handshake is all that a client says until channel 1 is open.
func (p *portAttack) handshake(password string) []byte {
	b := appendMethod(bytes.Clone(protocolHeader), 0, connectionStartOk, args{}.long(0).shortstr("PLAIN").longstr("\x00guest\x00"+password).shortstr("en_US"))
	b = appendMethod(b, 0, connectionTuneOk, args{}.short(10).long(frameMin).short(0))
	b = appendMethod(b, 0, connectionOpen, args{}.shortstr("/").shortstr("").octet(0))
	return appendMethod(b, 1, channelOpen, args{}.shortstr(""))
}

// talk is what a client may say then.
func (p *portAttack) talk() []byte {
	b := appendMethod(nil, 1, queueDeclare, args{}.short(0).shortstr("").octet(queueExclusive).longstr(string(args{}.text("x-overflow", "reject-publish"))))
	b = appendMethod(b, 1, confirmSelect, args{}.octet(0))
	b = appendMethod(b, 1, queueBind, args{}.short(0).shortstr("").shortstr("amq.topic").shortstr("a.*").octet(0).long(0))
	b = appendMethod(b, 1, basicConsume, args{}.short(0).shortstr("").shortstr("tag").octet(0).long(0))
	b = append(b, messageFrames(1, "a.b", bytes.Repeat([]byte("body"), 100), publishMandatory)...)
	b = appendMethod(b, 1, basicAck, args{}.longlong(1).octet(ackMultiple))
	return appendMethod(b, 1, basicGet, args{}.short(0).shortstr("").octet(0))
}

// shuffled is methods of all kinds, on channels open or not.
func (p *portAttack) shuffled() (b []byte) {
	for range 20 {
		m := someMethods[p.random.IntN(len(someMethods))]
		b = appendMethod(b, uint16(p.random.IntN(3)), m.want.id, m.args)
	}
	return b
}

// heldBy is what the process holds.
type heldBy struct {
	heap       uint64
	goroutines int
	files      int
	stats      Stats // without queues and messages
}

func (p *portAttack) held() heldBy {
	files, _ := os.ReadDir("/proc/self/fd") // none elsewhere
	stats := p.s.Stats()
	// Who has the credentials may declare a queue that stays, and a flipped bit does.
	stats.Queues, stats.MessagesIn, stats.MessagesOut, stats.Dropped, stats.Bytes = 0, 0, 0, 0, 0
	return heldBy{p.heap(), runtime.NumGoroutine(), len(files), stats}
}

func (p *portAttack) heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (p *portAttack) wait() {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}

// portTraffic is two clients, one of which publishes what the other one gets.
type portTraffic struct {
	sent, got atomic.Uint64
	ending    chan struct{}
	working   sync.WaitGroup
	conns     []net.Conn
	once      sync.Once
}

const portPace = 500 // messages a second

func (p *portAttack) traffic() *portTraffic {
	dial := func() *client {
		nc, err := net.Dial("tcp", p.address)
		if err != nil {
			p.Fatal(err)
		}
		c := &client{p.TB, nc, newFrameReader(nc)}
		nc.Write(p.handshake("guest"))
		for c.want(0, connectionStart); idOf(c.next()) != channelOpenOk; {
		}
		return c
	}
	in, out := dial(), dial()
	in.queue("q", 0, nil)
	in.consume(1, "q", consumeNoAck)
	c := &portTraffic{ending: make(chan struct{}), conns: []net.Conn{in.nc, out.nc}}
	c.working.Go(func() { // until stop closes the connection
		for {
			f, err := in.in.next()
			if err != nil {
				return
			}
			if f.kind == frameBody {
				if n := c.got.Add(1); string(f.payload) != strconv.FormatUint(n, 10) {
					p.Errorf("message %d is %q", n, f.payload)
				}
			}
		}
	})
	c.working.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for start := time.Now(); ; {
			select {
			case <-c.ending:
				return
			case <-tick.C:
			}
			for due := uint64(time.Since(start).Seconds() * portPace); c.sent.Load() < due; {
				out.publish("q", strconv.AppendUint(nil, c.sent.Add(1), 10))
			}
		}
	})
	return c
}

func (c *portTraffic) stop() {
	c.once.Do(func() { close(c.ending) })
	for _, nc := range c.conns {
		nc.Close()
	}
	c.working.Wait()
}

// measure returns how many messages a second get through of those that are sent while f
// runs.
func (p *portAttack) measure(c *portTraffic, f func()) float64 {
	p.Helper()
	began, got := time.Now(), c.got.Load()
	f()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for sent := c.sent.Load(); c.got.Load() < sent; {
		select {
		case <-tick.C:
		case <-late:
			p.Fatalf("%d of %d messages got through", c.got.Load(), sent)
		}
	}
	return float64(c.got.Load()-got) / time.Since(began).Seconds()
}
