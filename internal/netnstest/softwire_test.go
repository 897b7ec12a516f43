package netnstest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"
)

// echoPort is where TestEcho listens.
const echoPort = "7007"

// TestEcho is what other tests run on a host: it answers datagrams, and counts the
// bytes of each connection, until it is killed.
func TestEcho(t *testing.T) {
	if !InChild() {
		return
	}
	RequireInside(t)
	at := net.JoinHostPort(os.Getenv("AT"), echoPort)
	packets, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(buffer[:n], from)
		}
	}()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, conn)
		_, _ = fmt.Fprintln(conn, n)
		conn.Close()
	}
}

// echo runs TestEcho on the host until the test ends.
func echo(t *testing.T, on *Host) {
	t.Helper()
	ended := make(chan struct{})
	go func() { // ends when the lab is closed, or before
		defer close(ended)
		_, _ = Rerun(t.Context(), "TestEcho", time.Minute, on.Command, "AT="+on.Addr(0).String())
	}()
	t.Cleanup(func() { <-ended })
}

// dial reaches the echo, and waits for it to listen.
func dial(t *testing.T, to string) net.Conn {
	t.Helper()
	var conn net.Conn
	err := until("the echo listens", func() (bool, error) {
		var err error
		conn, err = net.DialTimeout("tcp", net.JoinHostPort(to, echoPort), 5*time.Second)
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// pings sends datagrams one after the other and returns how many came back, and after
// what time at least and at most.
func pings(t *testing.T, to string, n int, patience time.Duration) (back int, least, most time.Duration) {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(to, echoPort))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	least = time.Hour
	buffer := make([]byte, 64)
	for i := range n {
		began := time.Now()
		if _, err := conn.Write([]byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(began.Add(patience)); err != nil {
			t.Fatal(err)
		}
		for {
			got, err := conn.Read(buffer)
			if err != nil {
				break // lost
			}
			if string(buffer[:got]) == strconv.Itoa(i) {
				took := time.Since(began)
				back, least, most = back+1, min(least, took), max(most, took)
				break
			}
		}
	}
	return back, least, most
}

func TestSoftWire(t *testing.T) {
	if InChild() {
		RequireInside(t)
		to := os.Getenv("TO")
		switch os.Getenv("DO") {
		case "delay":
			dial(t, to).Close()
			back, least, most := pings(t, to, 10, 5*time.Second)
			t.Logf("%d of 10 pings came back after %v to %v", back, least, most)
			want, err := time.ParseDuration(os.Getenv("WANT"))
			if err != nil {
				t.Fatal(err)
			}
			if back != 10 || least < want || least > want+80*time.Millisecond {
				t.Errorf("want all after about %v", want)
			}
		case "loss":
			dial(t, to).Close()
			back, _, _ := pings(t, to, 400, 40*time.Millisecond)
			t.Logf("%d of 400 pings came back", back)
			if back < 270 || back > 340 {
				t.Error("want about 306, 7 of 8 twice")
			}
		case "throughput":
			conn := dial(t, to)
			defer conn.Close()
			const size = 64 << 20
			began := time.Now()
			for range size >> 20 {
				if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err := fmt.Fscan(conn, &n); err != nil || n != size {
				t.Errorf("%d of %d bytes arrived, %v", n, size, err)
			}
			rate := 8 * size / time.Since(began).Seconds() / 1e6
			t.Logf("%.0f Mbit/s", rate)
			if rate < 100 {
				t.Error("want 100 Mbit/s at least")
			}
		case "cut":
			carrier, err := os.ReadFile("/sys/class/net/eth0/carrier")
			if err != nil || string(carrier) != "0\n" {
				t.Errorf("the carrier of what is cut: %q, %v", carrier, err)
			}
			if got := reach(t, to, 200*time.Millisecond); got != "silent" {
				t.Errorf("a host that is cut off is %s", got)
			}
		case "mended":
			if got := reach(t, to, 20*time.Second); got != "there" {
				t.Errorf("a host that is back is %s", got)
			}
		}
		return
	}
	lab := New(t)
	a := lab.SoftHost("a", netip.MustParsePrefix("10.1.0.1/24"))
	b := lab.SoftHost("b", netip.MustParsePrefix("10.1.0.2/24"))
	c := lab.SoftHost("c", netip.MustParsePrefix("10.1.0.3/24"))
	echo(t, b)
	to := "TO=" + b.Addr(0).String()
	impair := func(h *Host, is Impairment) {
		t.Helper()
		if err := h.Impair(0, is); err != nil {
			t.Fatal(err)
		}
	}

	RunTest(t, a.Unprivileged, to, "DO=delay", "WANT=0s")
	impair(a, Impairment{Delay: 100 * time.Millisecond})
	impair(b, Impairment{Delay: 60 * time.Millisecond, Jitter: 10 * time.Millisecond})
	RunTest(t, a.Unprivileged, to, "DO=delay", "WANT=150ms")
	RunTest(t, c.Unprivileged, to, "DO=delay", "WANT=50ms")

	impair(a, Impairment{Loss: 0.125, Seed: 1})
	impair(b, Impairment{Loss: 0.125, Seed: 2})
	before, err := a.SoftStats(0)
	if err != nil {
		t.Fatal(err)
	}
	RunTest(t, a.Unprivileged, to, "DO=loss")
	after, err := a.SoftStats(0)
	if err != nil {
		t.Fatal(err)
	}
	if lost, sent := after.Lost-before.Lost, after.Sent-before.Sent; lost*20 < sent || lost*5 > sent {
		t.Errorf("%d of %d frames were lost, want about an eighth", lost, sent)
	}

	impair(a, Impairment{})
	impair(b, Impairment{})
	RunTest(t, a.Unprivileged, to, "DO=throughput")

	if err := a.Cut(0); err != nil {
		t.Fatal(err)
	}
	RunTest(t, a.Command, to, "DO=cut")
	if err := a.Mend(0); err != nil {
		t.Fatal(err)
	}
	RunTest(t, a.Command, to, "DO=mended")
	RunTest(t, c.Command, "TO="+a.Addr(0).String(), "DO=mended")
}

func TestTheSameSeedLosesTheSameFrames(t *testing.T) {
	lost := func(seed uint64) (pattern string) {
		var p softPort
		p.impair(Impairment{Loss: 0.5, Seed: seed})
		for range 64 {
			if p.sends(make([]byte, 60)) {
				pattern += "."
			} else {
				pattern += "x"
			}
		}
		return pattern
	}
	if one, other := lost(1), lost(1); one != other {
		t.Errorf("of one seed:\n%s\n%s", one, other)
	}
	if one, other := lost(1), lost(2); one == other {
		t.Errorf("of two seeds: %s", one)
	}
}

func TestKindsOfHosts(t *testing.T) {
	lab := New(t)
	hard := lab.Host("hard", netip.MustParsePrefix("10.1.0.1/24"))
	soft := lab.SoftHost("soft", netip.MustParsePrefix("10.2.0.1/24"))
	if _, err := lab.Lab.SoftHost("a", netip.MustParsePrefix("10.1.0.2/24")); !errors.Is(err, ErrKind) {
		t.Errorf("a soft host on a bridge: %v", err)
	}
	if _, err := lab.Lab.Host("b", netip.MustParsePrefix("10.2.0.2/24")); !errors.Is(err, ErrKind) {
		t.Errorf("a host of a bridge on a soft wire: %v", err)
	}
	for _, h := range []*Host{hard, soft} {
		if err := h.Impair(1, Impairment{}); !errors.Is(err, ErrInterface) {
			t.Errorf("%s: Impair(1): %v", h.Name(), err)
		}
	}
	if err := soft.Netem(0, "delay", "1ms"); err != nil && !errors.Is(err, ErrNetem) {
		t.Errorf("Netem on a soft wire: %v", err)
	}
	if err := hard.Impair(0, Impairment{Delay: time.Millisecond}); err != nil && !errors.Is(err, ErrNetem) {
		t.Errorf("Impair on a bridge: %v", err)
	}
}
