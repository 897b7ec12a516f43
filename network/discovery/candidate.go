package discovery

import (
	"net/netip"
	"time"
)

// Verdict is what a scout thinks of an address.
type Verdict uint8

// The verdicts.
const (
	Unknown          Verdict = iota // nobody has looked
	Ours                            // the broker lets us in, and somebody there opens our envelopes and we theirs
	Self                            // our own broker, by another way
	LetIn                           // the broker lets us in; the next question is who is there
	NotOurs                         // the broker lets us in, but nobody there answers; or not into the virtual host
	WrongCredentials                // a broker that does not take our user and password, or certificate
	NotAMQP                         // something else listens there, or only one side speaks TLS
	Refused                         // a host where nobody listens
	Dead                            // no answer
	NotAllowed                      // outside of what may be contacted; nothing was sent there
)

var verdicts = [...]string{"unknown", "ours", "self", "let in", "not ours", "wrong credentials", "not AMQP", "refused", "dead", "not allowed"}

// String returns the verdict in words, such as "wrong credentials".
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return "unknown"
}

// MarshalText returns what String does; there is no way back.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Candidate is an address at which there may be a peer, and what became of it.
type Candidate struct {
	Address   netip.AddrPort // of the broker that is, or may be, there
	Name      string         // as the hosts file has it, "" for an address found otherwise
	Via       string         // the rung that found it first: a RungReport's Rung, or "alien"
	Verdict   Verdict        // what became of it
	Elapsed   time.Duration  // from the finding to the verdict
	RoundTrip time.Duration  // of a question by way of the broker, 0 if nobody answered
	Nodes     []Node         // that answered, each once
	Err       error          // why the verdict is not Ours, in one sentence
}

// Node is one process that answered.
type Node struct {
	ID   [16]byte // random, of the process
	Name string
}

// The rungs of the ladder that are no Sweep.
const (
	RungHosts = "hosts" // the hosts file
	RungCache = "cache" // the cache file
	RungTable = "table" // the kernel's table of neighbours, as it stands
	RungAlien = "alien" // not a rung: somebody has spoken to us
)

// RungReport says what one rung of the ladder did.
type RungReport struct {
	Rung      string // RungHosts, RungCache, RungTable or the Name of a Sweep
	Interface string // "" for the files
	Network   netip.Prefix
	Asked     int // addresses asked, or entries read
	Found     int // addresses found, whether others found them too or not
	Elapsed   time.Duration
	Skipped   string // why it was not needed, "" if it was
	Err       error  // why it gave up
}

// Report is what one round of discovery did.
type Report struct {
	Began      time.Time
	Elapsed    time.Duration
	Rungs      []RungReport // each file, and the networks of this host, as they were done
	Candidates []Candidate  // in the order of the verdicts
}
