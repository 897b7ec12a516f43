package network

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between a client and a broker, and can do to them what networks and hung
// processes do.
type proxy struct {
	Address // of the proxy, with the broker's credentials

	mu     sync.Mutex // guards what follows
	opened sync.Cond  // of mu
	frozen bool
	lag    time.Duration
	freeze int        // freezes when so many connections have come; 0 for never
	conns  []net.Conn // accepted ones
}

func newProxy(t testing.TB, to Address) *proxy {
	t.Helper()
	listener := listen(t)
	p := &proxy{Address: to}
	p.opened.L = &p.mu
	p.Port = addressOf(listener).Port
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to.HostPort())
			if err != nil {
				conn.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, conn)
			if len(p.conns) == p.freeze {
				p.frozen = true
			}
			p.mu.Unlock()
			work.Go(func() { p.pass(server, conn) })
			work.Go(func() { p.pass(conn, server) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.setFrozen(false)
		p.cut()
		work.Wait()
	})
	return p
}

// pass copies until one side ends.
func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 4096)
	for {
		p.thaw()
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.thaw()
		p.wait()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// thaw waits till the proxy is not frozen.
func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.frozen {
		p.opened.Wait()
	}
}

// wait waits as long as a slow way takes.
func (p *proxy) wait() {
	p.mu.Lock()
	lag := p.lag
	p.mu.Unlock()
	if lag > 0 {
		<-time.After(lag)
	}
}

// setLag makes each way take so long.
func (p *proxy) setLag(lag time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag = lag
}

// setFrozen makes the proxy neither read nor write any more, or go on.
func (p *proxy) setFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	p.opened.Broadcast()
}

// freezeAt freezes the proxy when so many connections have come.
func (p *proxy) freezeAt(connections int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freeze = connections
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
}

// say sends the newest client what the broker has not said. There must be nothing else
// on the way.
func (p *proxy) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.conns[len(p.conns)-1], text)
}
