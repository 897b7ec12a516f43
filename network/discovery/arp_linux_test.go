package discovery

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/arp"
	"github.com/statemesh/statemesh/internal/netnstest"
)

// arpStorm is a packet socket that is never silent: it makes ARP packets in the name
// of ever other addresses, most of them replies, until it has made so many.
type arpStorm struct {
	net.PacketConn // nil: nothing else is called
	left           int
	made           uint32
	frame          [42]byte
}

func newARPStorm(count int) *arpStorm {
	s := &arpStorm{left: count}
	copy(s.frame[:], []byte{
		6: 2, 11: 9, // from
		12: 0x08, 13: 0x06, // ARP
		15: 1, 16: 0x08, 18: 6, 19: 4, // Ethernet, IPv4
		22: 2, 27: 9, // of
	})
	return s
}

func (s *arpStorm) ReadFrom(b []byte) (int, net.Addr, error) {
	if s.left == 0 {
		return 0, nil, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	}
	s.left--
	s.made++
	binary.BigEndian.PutUint32(s.frame[28:], 10<<24|s.made&0xffffff)
	s.frame[21] = 2 // a reply
	size := len(s.frame)
	switch s.made % 8 {
	case 1: // cut off within the packet
		size = 20
	case 2: // or before it
		size = 5
	case 3: // not an answer
		s.frame[21] = 1
	}
	return copy(b, s.frame[:size]), nil, nil
}

func (s *arpStorm) Close() error { return nil }

// TestARPTakesAStorm reads 131072 packets of which four are for us: not more
// are remembered.
func TestARPTakesAStorm(t *testing.T) {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	client, err := arp.New(loopback, newARPStorm(1<<17))
	if err != nil {
		t.Fatal(err)
	}
	var found []netip.Addr
	q := &arpQuestion{client: client, finds: newFinds(addressList("10.0.0.12 10.0.0.11 10.0.1.4 10.1.255.255 10.1.0.0 10.77.0.1 9.9.9.9"), func(a netip.Addr) {
		found = append(found, a)
	})}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := q.receive(t.Context()); err == nil {
		t.Error("the error at the end got lost")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if diff := cmp.Diff(addressList("10.0.0.12 10.0.1.4 10.1.0.0 10.1.255.255"), found, compareAddresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	if q.finds.missing() != 3 {
		t.Errorf("%d are missing", q.finds.missing())
	}
}

// TestARPStormEnds: a storm that never ends does not keep the sweep from ending.
func TestARPStormEnds(t *testing.T) {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	client, err := arp.New(loopback, newARPStorm(-1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q := &arpQuestion{client: client, finds: newFinds(addressList("9.9.9.9"), func(netip.Addr) {})}
	if err := q.receive(ctx); err != nil {
		t.Error(err)
	}
}

// deaf is a packet socket that counts the requests for each address.
type deaf struct {
	net.PacketConn
	asked map[netip.Addr]int
}

func (d deaf) WriteTo(frame []byte, _ net.Addr) (int, error) {
	var p arp.Packet
	if err := p.UnmarshalBinary(frame[14:]); err != nil {
		return 0, err
	}
	if p.Operation == arp.OperationRequest && p.SenderIP == netip.MustParseAddr("10.9.0.7") {
		d.asked[p.TargetIP]++
	}
	return len(frame), nil
}

// TestARPAsksAgain: the silent are asked twice, and then awaited.
func TestARPAsksAgain(t *testing.T) {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.HardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	socket := deaf{asked: map[netip.Addr]int{}}
	client, err := arp.New(loopback, socket)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := networkOf("10.9.0.7/24")
		targets, _ := n.Targets(nil)
		q := &arpQuestion{client: client, own: n.Own, finds: newFinds(targets, func(netip.Addr) {})}
		began := time.Now()
		time.AfterFunc(20*time.Millisecond, func() { q.finds.add(targets[0]) })
		// This one comes when the sweep would almost have been over.
		time.AfterFunc(250*time.Millisecond, func() {
			q.finds.add(targets[1])
			q.news.Store(time.Now().UnixNano())
		})
		q.send(t.Context(), targets)
		if took, want := time.Since(began), 250*time.Millisecond+arpQuiet; took != want {
			t.Errorf("it took %v, want %v", took, want)
		}
		if q.sendErr != nil {
			t.Error(q.sendErr)
		}
		for i, a := range targets {
			if want := min(i+1, 2); socket.asked[a] != want {
				t.Errorf("%v was asked %d times, want %d", a, socket.asked[a], want)
			}
		}
	})
}

// TestARPSweepInAStorm has a third host that answers in everybody's name, as fast
// as it can, for as long as somebody is connected to it.
func TestARPSweepInAStorm(t *testing.T) {
	if !netnstest.InChild() {
		lab := netnstest.New(t)
		me := lab.Host("me", netip.MustParsePrefix("10.9.0.7/24"))
		liar := lab.Host("liar", netip.MustParsePrefix("10.9.0.66/24"))
		lab.Host("peer", netip.MustParsePrefix("10.9.0.8/24"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			out, err := netnstest.Rerun(ctx, "TestARPSweepInAStorm", time.Minute, liar.Command, "ROLE=liar")
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Log(out)
		}()
		netnstest.RunTest(t, me.Command, "ROLE=me", "LIAR=10.9.0.66:7")
		<-stopped
		return
	}
	n := networksHere(t, 1)[0]
	if os.Getenv("ROLE") == "liar" {
		lie(t, n)
		return
	}
	var conn net.Conn
	awaitSo(t, "the liar listens", func() bool {
		var err error
		conn, err = net.DialTimeout("tcp", os.Getenv("LIAR"), time.Second)
		return err == nil
	})
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // the storm is on
		t.Fatal(err)
	}
	targets := addressList("10.9.0.8 10.9.0.66 10.9.0.99 10.9.0.200")
	began := time.Now()
	found, err := sweepHere(t.Context(), t, arpSweep{}, n, targets)
	if took := time.Since(began); took > 2*time.Second { // half a second, were this machine idle
		t.Errorf("it took %v", took)
	}
	if diff := cmp.Diff(addressList("10.9.0.8 10.9.0.66 10.9.0.99"), found, compareAddresses); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// awaitSo waits until it is so.
func awaitSo(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !isSo(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// lie sends replies in the name of .99 and of 100,000 others, until who connected
// is gone.
func lie(t *testing.T, n Network) {
	listener, err := net.Listen("tcp4", n.Own.String()+":7")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	i, err := net.InterfaceByIndex(n.Index)
	if err != nil {
		t.Fatal(err)
	}
	client, err := arp.Dial(i)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var gone atomic.Bool
	go func() {
		conn.Read(make([]byte, 1))
		gone.Store(true)
	}()
	sent := 0
	for ; !gone.Load(); sent++ {
		name := fromNumber(10<<24 | 77<<16 | uint32(sent%100_000))
		if sent%10 == 0 {
			name = netip.MustParseAddr("10.9.0.99")
		}
		p, err := arp.NewPacket(arp.OperationReply, i.HardwareAddr, name, everybody, n.Own)
		if err != nil {
			t.Fatal(err)
		}
		_ = client.WriteTo(p, everybody) // a full queue is no matter
		if sent == 1000 {
			if _, err := conn.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("sent %d replies", sent)
}
