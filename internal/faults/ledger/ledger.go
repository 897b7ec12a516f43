// Package ledger is what the processes of a fault run write down, and how it is read
// again: one line a fact, each written with one system call, so that what a killed
// process has written is there.
package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/statemesh/statemesh/network"
)

// Event names an event: the Number-th of a chart in one life of its process.
type Event struct {
	Life   string // of the process, such as h1a-0
	Chart  string
	Number uint64
}

// Kind says what a line tells.
type Kind string

// The kinds of lines.
const (
	Made        Kind = "made"        // a chart hears from now on; it has no number
	Try         Kind = "try"         // Transmit is about to be called
	Sent        Kind = "sent"        // it returned nil
	Failed      Kind = "failed"      // it returned an error
	Confirmed   Kind = "confirmed"   // TransmitConfirmed returned nil
	Unconfirmed Kind = "unconfirmed" // it returned an error; the event may arrive
	Got         Kind = "got"         // a chart handled an event
	Peering     Kind = "peering"     // a broker has another state
	Base        Kind = "base"        // the process has settled
	End         Kind = "end"         // the process ends as it should
)

// Line is one fact.
type Line struct {
	Kind Kind
	At   time.Time
	Event
	By     string        // the chart that got the event
	Took   time.Duration // of the call that has returned
	Err    string        // of Failed and Unconfirmed; of Peering, the broker and its state
	Report *Report       // of Base and End
}

// Usage is what a process holds.
type Usage struct {
	Goroutines int
	Files      int // open file descriptors
	Heap       int // bytes in use after a collection; 0 if not looked at
}

// Report is what a process tells of itself.
type Report struct {
	Node    string
	Hosting bool
	Before  Usage // there was a node
	Now     Usage // while it works
	After   Usage // it was closed; only in End
	Stats   network.NodeStats
	Peers   []Peer
	// Aside is how many events are put aside for each at-least-once object, as its broker
	// says; only in End.
	Aside   map[string]int
	Closing string // the error of closing the node
}

// Peer is a network.PeerStatus with its error in words.
type Peer struct {
	network.PeerStatus
	Err string
}

// Writer writes lines. Any goroutine may call its methods.
type Writer struct {
	file *os.File
	life string
}

// Create makes the file of a life, or goes on with one.
func Create(path, life string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &Writer{f, life}, err
}

// Write writes a line; the life of an event that was sent is the writer's.
func (w *Writer) Write(l Line) error {
	b := strconv.AppendInt(append([]byte(l.Kind), ' '), l.At.UnixMicro(), 10)
	switch l.Kind {
	case Base, End:
		report, err := json.Marshal(l.Report)
		if err != nil {
			return err
		}
		b = append(append(b, ' '), report...)
	case Peering:
		b = fmt.Appendf(b, " %s", l.Err)
	case Got:
		b = fmt.Appendf(b, " %s %d %s %s", l.Chart, l.Number, l.Life, l.By)
	default:
		b = fmt.Appendf(b, " %s %d %d %s", l.Chart, l.Number, l.Took.Microseconds(), strings.ReplaceAll(l.Err, "\n", "; "))
	}
	_, err := w.file.Write(append(b, '\n'))
	return err
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// ErrLine is wrapped by the error for a line that no Writer writes.
var ErrLine = errors.New("ledger: bad line")

// Read calls do with each line of the ledger of a life. A last line without an end,
// which a process was killed in, is left out.
func Read(r io.Reader, life string, do func(Line)) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		text, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l, err := parse(strings.TrimSuffix(text, "\n"), life)
		if err != nil {
			return err
		}
		do(l)
	}
}

// ReadFile is Read for a file, from an offset on.
func ReadFile(path, life string, offset int64, do func(Line)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	return Read(f, life, do)
}

func parse(text, life string) (Line, error) {
	bad := func() (Line, error) { return Line{}, fmt.Errorf("%w of %s: %.100q", ErrLine, life, text) }
	kind, rest, _ := strings.Cut(text, " ")
	stamp, rest, ok := strings.Cut(rest, " ")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil {
		return bad()
	}
	l := Line{Kind: Kind(kind), At: time.UnixMicro(at)}
	if l.Kind == Base || l.Kind == End {
		l.Report = new(Report)
		if err := json.Unmarshal([]byte(rest), l.Report); err != nil {
			return bad()
		}
		return l, nil
	}
	if l.Kind == Peering {
		l.Err = rest
		return l, nil
	}
	fields := strings.SplitN(rest, " ", 4)
	if len(fields) < 4 {
		return bad()
	}
	l.Chart = fields[0]
	if l.Number, err = strconv.ParseUint(fields[1], 10, 64); err != nil {
		return bad()
	}
	switch l.Kind {
	case Got:
		l.Life, l.By = fields[2], fields[3]
	case Made, Try, Sent, Failed, Confirmed, Unconfirmed:
		took, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return bad()
		}
		l.Life, l.Took, l.Err = life, time.Duration(took)*time.Microsecond, fields[3]
	default:
		return bad()
	}
	return l, nil
}
