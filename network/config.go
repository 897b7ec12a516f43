package network

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// Defaults of Config.
const (
	DefaultListen             = "127.0.0.1:5672"
	DefaultHeartbeat          = 10 * time.Second
	DefaultConnectionAttempts = 3
	DefaultOutbox             = 1024
	DefaultMaxMessage         = seal.DefaultMaxSize
	DefaultTTL                = 50 * time.Second
	DefaultForget             = 10 * time.Minute
	DefaultMaxWait            = time.Second
)

// Config says how a node behaves. Its zero value works: it joins the broker on this
// host, or becomes one, with the key in .env, which the first node writes.
//
// A field that is zero is looked up in the environment, then in the file .env, where
// there is a variable for it (see EnvUser and the following); then it is the default.
//
// Printing or logging a Config in whatever way shows no key and no password. An
// exception is a URL with a password in Broker or Peers, if the Config is an unexported
// field of the printed struct: it is better to have credentials in User and Password.
type Config struct {
	// Name of the node in logs, traces and the broker's list of connections. Default: the
	// host's name and the process id, as in "host-4711". At most 200 bytes, printable.
	Name string

	// Dir is the directory of the file .env; the current directory by default. The file
	// has lines NAME=value, comments (#) and quotes; a dollar sign is an ordinary character.
	// It may be 64 KiB long. The only thing ever written there is a new key; see MeshKey.
	Dir string

	// Broker is this node's own broker, in a form that ParseAddress reads, which on another
	// host begins with amqps:// or amqp://: in clear, whoever is on the way reads the password. The node
	// connects to it and never hosts one. "" means the default rule: join what listens at
	// Listen, and if nothing does, host a broker there. A broker hosted by a node is in
	// memory, and what it holds is lost when the process ends; another node takes over then.
	Broker string

	// Listen is "host:port" of the default rule, and has no place beside Broker. All nodes
	// of a host must have the same, for who can listen there is the one that hosts.
	// Default: 127.0.0.1 and Port; with LAN, all addresses and Port. On any other address than a
	// loopback one, credentials other than guest and guest and a mesh key are required, and
	// with LAN, a hosted broker takes connections only from what Discovery allows.
	Listen string

	// Port is meant where Broker, Listen or Peers name none, unless they say amqps, which
	// is 5671. Variable RABBIT_PORT. Default: 5672.
	Port int

	// User and Password are for all brokers whose URL has no others, and what a hosted
	// broker asks for. Variables RABBIT_USER and RABBIT_PASSWORD. Default: guest and guest,
	// which RabbitMQ accepts from its own host only.
	User     string
	Password Secret

	// Peers are the brokers of other hosts, in the same forms as Broker. What this node
	// sends goes to them too. They are never forgotten. Default: none.
	Peers []string

	// LAN makes the node look for peers on the networks of this host, when it starts and from
	// then on, and talk to who talks to it: hosts whose brokers take the same credentials, and
	// where a node has the same mesh key. All have to use the same port. It needs credentials
	// other than guest and guest, and a mesh key. By default a node stays on this host and sends
	// nothing to the network but to Peers. Variable STATEMESH_LAN: 1 or 0.
	LAN bool

	// Discovery says how to look; without LAN it has no effect and is an error. Variables
	// STATEMESH_LAN_INTERFACES and STATEMESH_LAN_PREFIXES, lists with commas. The files are meant
	// from Dir unless Discovery has another.
	Discovery discovery.Options

	// Forget is how long a peer that was found may be away before it is forgotten, with what
	// waits for it. It is found again when it returns. At least a second. Default: 10 minutes.
	Forget time.Duration

	// OnPeer, if set, is told of every change of a peer's state, on a goroutine of its own: if
	// it is slow it hears the newest state only. Node.Close waits for it, so it must not call
	// that.
	OnPeer func(PeerStatus)

	// Heartbeat is how often a sign of life is sent when there is nothing else to send, and
	// asked from the broker; a side that is silent for twice that is given up. Shorter finds
	// dead peers sooner, longer tolerates worse networks. Whole seconds, 1 s to 65535 s. A
	// heartbeat in a URL goes before it. Variable RABBIT_HEARTBEAT_INTERVAL, in seconds.
	// Default: 10 s.
	Heartbeat time.Duration

	// ConnectionAttempts is how often the node tries to reach its own broker when it starts,
	// before it gives up with an error. Once it had a connection it tries for ever, and
	// peers are tried for ever anyway. Variable CONNECTION_ATTEMPTS. Default: 3.
	ConnectionAttempts int

	// MeshKey seals what objects say to each other, TraceKey and SpyKey what is said of them.
	// Nodes hear each other only with the same keys. Variables MESH_ENCRYPTION_KEY,
	// SNOOP_TRACE_ENCRYPTION_KEY and SNOOP_SPY_ENCRYPTION_KEY, in the form that seal.ParseKey
	// reads.
	//
	// Default of MeshKey: a random one, which is written to .env (mode 0600, one more line if
	// the file is there), so that the next node finds it. Default of the others: derived from
	// MeshKey. A key of their own lets somebody watch who cannot take part.
	MeshKey  seal.Key
	TraceKey seal.Key
	SpyKey   seal.Key

	// OpenMeshKeys, OpenTraceKeys and OpenSpyKeys are further keys that open and do not seal,
	// for changing a key while everything runs; see Node.ChangeKeys. The variables of the keys
	// with _NEXT and _PREVIOUS at the end.
	OpenMeshKeys  []seal.Key
	OpenTraceKeys []seal.Key
	OpenSpyKeys   []seal.Key

	// Outbox is how many messages may wait for each broker; never more than 64 MiB of them.
	// More bridges longer gaps. When it is full, trace and spy give way to events.
	// Default: 1024.
	Outbox int

	// WhenFull says what Transmit does when the outbox of a broker is full. Default:
	// RejectNewest.
	WhenFull FullOutbox

	// MaxWait is how long Transmit may block with WaitForRoom, for all brokers together, and
	// with it the handler that called it. Default: 1 s; without WaitForRoom it has no effect and
	// is an error.
	MaxWait time.Duration

	// MaxMessage is the longest sealed message sent or taken, in bytes, 1 KiB to 16 MiB, which
	// is what brokers take by default. All nodes should have the same. Default: 1 MiB.
	MaxMessage int

	// TTL is how long a message may wait before it is dropped: in this node's queue at
	// the broker, when this node does not keep up, and in the outbox. 10 ms to 24 h.
	// Default: 50 s.
	TTL time.Duration

	// KeepFor is how long an event waits in the durable queue of an AtLeastOnce object until it
	// is put aside. 1 s to 30 days, in whole milliseconds. A queue that is there keeps what it
	// was made with. Default: 24 h.
	KeepFor time.Duration

	// HealthEvery is how often Node.Health is logged, as Info. Default: never.
	HealthEvery time.Duration

	// Logger hears of connections, and of messages that are refused, never of their content.
	// nil is silence.
	Logger *slog.Logger

	// TraceCharts, if set, gets the trace of the node's own charts: its connections, and how
	// discovery goes. It is written to by one goroutine at a time.
	TraceCharts io.Writer

	// SnoopOutput gets the trace and spy lines heard from the mesh. It is written to by one
	// goroutine at a time. Default: os.Stdout.
	SnoopOutput io.Writer

	// OnSnoop, if set, gets what would be printed there, on a goroutine of its own. Node.Close
	// waits for it.
	OnSnoop func(Heard)

	// Color says whether these lines are coloured. Default: ColorAuto.
	Color Color

	// Certificates are the files with which nodes and the brokers that they host speak TLS; see
	// there. For another Transport than the default they are an error. Variables
	// STATEMESH_TLS_CA, STATEMESH_TLS_CERT and STATEMESH_TLS_KEY. Default: none; a hosted broker
	// serves in clear.
	Certificates Certificates

	// TLS, if set, goes before Certificates. It is used for amqps addresses as it is, ServerName
	// being the address's host if empty. If it has certificates and ClientCAs, a broker that
	// the node hosts serves with it, too. nil, without Certificates, trusts what the system
	// trusts. For another Transport than the default it is an error.
	TLS *tls.Config

	// Seed, if not 0, makes the random waits of the node follow from it and from Name: before it
	// dials a broker again, and between two rounds of discovery. It is for tests in virtual time
	// that are to do the same again. Default: they are random, so that hosts which lost the same
	// broker do not come back in step.
	Seed uint64

	// Clock is the wall clock that messages are stamped with when they are sealed, and their
	// stamps compared with when they are opened. Any goroutine may call it. It is for tests of
	// clocks that are wrong; how long something takes is never measured with it. Default:
	// time.Now.
	Clock func() time.Time

	// Transport is the way to the brokers. Default: an AMQP with what is said here. One that
	// is given has a Heartbeat and TLS of its own, which are then an error here; tests give
	// a Memory. A broker is hosted only if it is an *AMQP.
	Transport Transport
}

// Color says when output is coloured.
type Color int

// The values of Config.Color.
const (
	ColorAuto   Color = iota // if SnoopOutput is a terminal and NO_COLOR is not set
	ColorAlways              // even into files and pipes
	ColorNever
)

// String returns "auto", "always" or "never".
func (c Color) String() string {
	switch c {
	case ColorAuto:
		return "auto"
	case ColorAlways:
		return "always"
	case ColorNever:
		return "never"
	}
	return fmt.Sprintf("Color(%d)", int(c))
}

// shown is what may be seen of a Config: the fields that are not zero, without secrets.
func (c Config) shown() []slog.Attr {
	var attrs []slog.Attr
	add := func(present bool, name string, value any) {
		if present {
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	add(c.Name != "", "Name", c.Name)
	add(c.Dir != "", "Dir", c.Dir)
	add(c.Broker != "", "Broker", showAddress(c.Broker))
	add(c.Listen != "", "Listen", showAddress(c.Listen))
	add(c.Port != 0, "Port", c.Port)
	add(c.User != "", "User", c.User)
	add(!c.Password.IsZero(), "Password", c.Password)
	peers := make([]string, len(c.Peers))
	for i, peer := range c.Peers {
		peers[i] = showAddress(peer)
	}
	add(len(peers) > 0, "Peers", peers)
	add(c.LAN, "LAN", c.LAN)
	add(c.Forget != 0, "Forget", c.Forget)
	add(c.Heartbeat != 0, "Heartbeat", c.Heartbeat)
	add(c.ConnectionAttempts != 0, "ConnectionAttempts", c.ConnectionAttempts)
	add(!c.MeshKey.IsZero(), "MeshKey", c.MeshKey)
	add(!c.TraceKey.IsZero(), "TraceKey", c.TraceKey)
	add(!c.SpyKey.IsZero(), "SpyKey", c.SpyKey)
	add(len(c.OpenMeshKeys) > 0, "OpenMeshKeys", c.OpenMeshKeys)
	add(len(c.OpenTraceKeys) > 0, "OpenTraceKeys", c.OpenTraceKeys)
	add(len(c.OpenSpyKeys) > 0, "OpenSpyKeys", c.OpenSpyKeys)
	add(c.Outbox != 0, "Outbox", c.Outbox)
	add(c.WhenFull != RejectNewest, "WhenFull", int(c.WhenFull))
	add(c.MaxWait != 0, "MaxWait", c.MaxWait)
	add(c.MaxMessage != 0, "MaxMessage", c.MaxMessage)
	add(c.TTL != 0, "TTL", c.TTL)
	add(c.KeepFor != 0, "KeepFor", c.KeepFor)
	add(c.HealthEvery != 0, "HealthEvery", c.HealthEvery)
	add(c.Color != ColorAuto, "Color", c.Color)
	add(c.Certificates != Certificates{}, "Certificates", c.Certificates)
	add(c.TLS != nil, "TLS", "set")
	add(c.Seed != 0, "Seed", c.Seed)
	add(c.Clock != nil, "Clock", "set")
	add(c.Transport != nil, "Transport", fmt.Sprintf("%T", c.Transport))
	return attrs
}

// showAddress returns the text of an address as it is if it cannot hold a password.
func showAddress(text string) string {
	a, err := parseAddress(text, Address{})
	switch {
	case err != nil:
		return "(not an address)"
	case strings.Contains(text, "://"):
		return a.String()
	}
	return text
}

// String returns the fields that are not zero, without secrets.
func (c Config) String() string {
	parts := []string{}
	for _, attr := range c.shown() {
		parts = append(parts, fmt.Sprintf("%s:%v", attr.Key, attr.Value))
	}
	return "network.Config{" + strings.Join(parts, " ") + "}"
}

// Format writes what String returns, whatever the verb and its flags.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText returns what String does; there is no way back.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue returns what String does, as a group.
func (c Config) LogValue() slog.Value { return slog.GroupValue(c.shown()...) }
