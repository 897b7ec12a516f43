package network

import "time"

// FullOutbox says what Transmit does when the outbox of a broker is full.
type FullOutbox int

// The values of Config.WhenFull.
const (
	RejectNewest FullOutbox = iota // the event is lost for that broker, and Transmit says so
	DropOldest                     // the oldest event that waits is given up for it
	WaitForRoom                    // Transmit blocks for up to Config.MaxWait, then as RejectNewest
)

// Traffic counts what became of the messages for one broker, or for all. Whatever was
// handed in is in one of Queued, Sent, Full, Displaced, Expired, Refused and Lost. An event
// or a line of the trace counts as one, also when several travelled together: a broker,
// which counts those as one, has lower figures.
type Traffic struct {
	Queued    int    // wait, or are not confirmed yet
	Sent      uint64 // the broker took them
	Full      uint64 // not taken: the outbox was full
	Displaced uint64 // given up for others when it was full
	Expired   uint64 // waited longer than Config.TTL
	Refused   uint64 // the broker said no
	Lost      uint64 // still here when the node was closed or forgot the broker
	Retried   uint64 // sent once more, because a connection died before they were confirmed; any number of times a message
}

// Dropped is how many were given up.
func (t Traffic) Dropped() uint64 { return t.Full + t.Displaced + t.Expired + t.Refused + t.Lost }

func (t *Traffic) add(other Traffic) {
	t.Queued += other.Queued
	t.Sent += other.Sent
	t.Full += other.Full
	t.Displaced += other.Displaced
	t.Expired += other.Expired
	t.Refused += other.Refused
	t.Lost += other.Lost
	t.Retried += other.Retried
}

// lane says what a message is, and so how it is treated when there is no room.
type lane uint8

const (
	events  lane = iota // between objects
	talk                // trace and spy, which give way to events
	control             // between nodes, which do not count
)

// outMessage is a sealed message on its way to one broker.
type outMessage struct {
	exchange string
	key      string
	body     []byte
	plain    []byte    // what is sealed in it, the same for all brokers; nil if it is never sealed anew
	at       time.Time // when it was put here
	sent     time.Time // when it was given to the link
	lane     lane
	ticket   *ticket // of a kept event that somebody waits for
	again    bool    // a link that died had it; its broker may have it too
	stale    bool    // it waited for the link, and is to be sealed anew; set by next
	number   uint64  // under which the broker confirms it, that of its bundle; set by next
}

// size is what the message takes of the outbox's bytes.
func (m *outMessage) size() int { return len(m.body) + len(m.plain) }
