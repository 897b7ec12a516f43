package instrument

import (
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
)

// Printer writes lines to a writer, one at a time whoever calls, and colours
// names: objects of this program blue, others purple, scribbles grey. Its
// methods fit the functions of a LiveConfig.
type Printer struct {
	blue, purple, grey *color.Color

	mu sync.Mutex // guards w, so that lines stay whole
	w  io.Writer
}

// NewPrinter returns a printer that colours if colours is set.
func NewPrinter(w io.Writer, colours bool) *Printer {
	p := &Printer{
		w:      w,
		blue:   color.New(color.FgBlue),
		purple: color.New(color.FgMagenta),
		grey:   color.New(color.FgHiBlack),
	}
	for _, c := range []*color.Color{p.blue, p.purple, p.grey} {
		if colours {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

// Colours reports whether lines written to w should be coloured: w is a
// terminal, and the environment has no NO_COLOR and no TERM=dumb.
func Colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Trace writes the line of a local object. The error of all these methods is the
// writer's, and they block as long as it does.
func (p *Printer) Trace(t Trace) error { return p.line("", t, true) }

// Spy writes a spy line of a local object.
func (p *Printer) Spy(name, line string) error {
	return p.write(p.name(name, true) + " " + line + "\n")
}

// SnoopTrace writes a line heard from the network, as [+t] line. Own says that
// the object belongs to this program.
func (p *Printer) SnoopTrace(t Trace, own bool) error { return p.line("[+t] ", t, own) }

// SnoopSpy writes a spy line heard from the network, as [+s] name line.
func (p *Printer) SnoopSpy(name, line string, own bool) error {
	return p.write("[+s] " + p.name(name, own) + " " + line + "\n")
}

// Scribble writes a remark, as [time] [name] # text.
func (p *Printer) Scribble(at time.Time, name, text string, own bool) error {
	return p.write("[" + at.Format(TimeLayout) + "] [" + p.name(name, own) + "] " + p.grey.Sprint("# "+text) + "\n")
}

// JSON writes the line of a trace as one line of JSON.
func (p *Printer) JSON(t Trace) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return p.write(string(b) + "\n")
}

func (p *Printer) line(tag string, t Trace, own bool) error {
	t.Name = p.name(t.Name, own)
	return p.write(tag + t.String() + "\n")
}

func (p *Printer) name(name string, own bool) string {
	if own {
		return p.blue.Sprint(name)
	}
	return p.purple.Sprint(name)
}

func (p *Printer) write(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(p.w, line)
	return err
}
