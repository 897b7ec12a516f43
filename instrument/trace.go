package instrument

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// TimeLayout is the form of a time in trace lines and scribbles, for
// time.Format. Times are local.
const TimeLayout = "2006-01-02 15:04:05.000000"

// Trace is one line of the trace: a step that made a transition, or a start.
type Trace struct {
	Time   time.Time // when the handler had asked for the transition
	Name   string    // of the object
	Signal string    // "start_at" for a start
	From   string    // the leaf before, "top" for a start
	To     string    // the leaf after

	// What a picture needs and the text line has no room for.
	Node  string // the process on the mesh, "" outside of one
	Event uint64 // identifies the event, 0 if unknown
	Cause uint64 // the Event whose handling sent this one, 0 if unknown
}

// String is the text line, without a newline.
func (t Trace) String() string {
	return string(t.AppendText(nil))
}

// AppendText appends the text line, without a newline.
func (t Trace) AppendText(b []byte) []byte {
	b = appendHead(b, t.Time, t.Name)
	b = append(b, " e->"...)
	b = append(b, t.Signal...)
	b = append(b, "() "...)
	b = append(b, t.From...)
	b = append(b, "->"...)
	return append(b, t.To...)
}

func appendHead(b []byte, at time.Time, name string) []byte {
	b = append(b, '[')
	b = at.AppendFormat(b, TimeLayout)
	b = append(b, "] ["...)
	b = append(b, name...)
	return append(b, ']')
}

// traceJSON is the second output format. The identifiers are hexadecimal text,
// because JSON's numbers are not wide enough in most readers.
type traceJSON struct {
	Time   time.Time `json:"time"`
	Node   string    `json:"node,omitempty"`
	Name   string    `json:"name"`
	Signal string    `json:"signal"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Event  string    `json:"event,omitempty"`
	Cause  string    `json:"cause,omitempty"`
}

// MarshalJSON gives one object with time, node, name, signal, from, to, event
// and cause; the last two are hexadecimal text, and left out if unknown.
func (t Trace) MarshalJSON() ([]byte, error) {
	return json.Marshal(traceJSON{t.Time, t.Node, t.Name, t.Signal, t.From, t.To, hex(t.Event), hex(t.Cause)})
}

// UnmarshalJSON reads what MarshalJSON gives.
func (t *Trace) UnmarshalJSON(b []byte) error {
	var j traceJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	event, err := unhex(j.Event)
	if err != nil {
		return err
	}
	cause, err := unhex(j.Cause)
	if err != nil {
		return err
	}
	*t = Trace{Time: j.Time, Name: j.Name, Signal: j.Signal, From: j.From, To: j.To, Node: j.Node, Event: event, Cause: cause}
	return nil
}

func hex(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 16)
}

func unhex(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseUint(s, 16, 64)
}

// Source names where records come from: what the records themselves leave out.
type Source struct {
	Name string // of the object
	Node string // the process on the mesh, "" outside of one
	Tree *hsm.Tree
	// NoSearch leaves the classical SEARCH_FOR_SUPER_SIGNAL lines out of the spy.
	NoSearch bool
}

// Trace makes the line of a transition.
func (s *Source) Trace(t hsm.Transition) Trace {
	signal := t.Signal.String()
	if t.Signal == (hsm.Signal{}) {
		signal = "start_at"
	}
	return Trace{
		Time: t.Time(), Name: s.Name, Node: s.Node, Signal: signal,
		From: s.Tree.Name(t.From), To: s.Tree.Name(t.To),
		Event: t.Origin.ID, Cause: t.Origin.Cause,
	}
}

// Scribble is the text form of a remark: [time] [name] # text.
func Scribble(at time.Time, name, text string) string {
	return string(append(appendHead(nil, at, name), (" # " + text)...))
}

// Stripped returns the lines of a trace without their time stamps, so that what
// a chart did can be compared with what it should do: a leading
// "[2018-05-04 08:02:40.594301] " goes, blanks round a line and empty lines too.
func Stripped(trace string) []string {
	var out []string
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "["); ok {
			if stamp, rest, ok := strings.Cut(rest, "] "); ok && isStamp(stamp) {
				line = strings.TrimSpace(rest)
			}
		}
		out = append(out, line)
	}
	return out
}

// isStamp reports whether a text in brackets is a time, with or without a date,
// however precise. The colon tells it from a name that is made of digits.
func isStamp(text string) bool {
	return strings.Contains(text, ":") && strings.Trim(text, "0123456789-:. ") == ""
}
