package diagram

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/statemesh/statemesh/hsm"
)

// Mermaid writes the description as a state diagram of Mermaid
// (stateDiagram-v2), as Markdown renders it.
//
//  1. State number n has the identifier sn, and its name as label. A name or a
//     signal that could mean something to Mermaid is written with its character
//     codes, and so is what cannot be printed, as Go escapes it.
//  2. The signals that a state catches stand below its name; those of a state
//     that has states inside stand behind it, in parentheses, since Mermaid
//     shows one line there.
//  3. The declared initial transition is the arrow from the dot inside the
//     state. If it leads more than one level down, it ends at the state on the
//     way and has the name of the target as label: Mermaid would move a state
//     that an outer one mentions out of its superstate.
//  4. A transition that was seen is an arrow with its signal, a start one from
//     the dot outside all states.
func Mermaid(d *hsm.Description) string {
	m := newPen(d)
	m.printf("stateDiagram-v2\n")
	m.mermaidStates(hsm.Top, "    ")
	for _, t := range d.Seen {
		from := "[*]"
		if t.From != hsm.Top {
			from = id(t.From)
		}
		m.printf("    %s --> %s : %s\n", from, id(t.To), mermaidText(t.Signal))
	}
	return m.String()
}

// pen is a picture while it is drawn.
type pen struct {
	strings.Builder
	d      *hsm.Description
	inside map[hsm.State][]hsm.DescribedState // by superstate
}

func newPen(d *hsm.Description) *pen {
	p := &pen{d: d, inside: make(map[hsm.State][]hsm.DescribedState)}
	for _, s := range d.States {
		p.inside[s.Parent] = append(p.inside[s.Parent], s)
	}
	return p
}

func (p *pen) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *pen) composite(s hsm.State) bool { return len(p.inside[s]) > 0 }

// id is the name of a state in a picture.
func id(s hsm.State) string { return fmt.Sprintf("s%d", s) }

func (p *pen) mermaidStates(parent hsm.State, indent string) {
	for _, s := range p.inside[parent] {
		label, catches := mermaidText(s.Name), joinSignals(s.Catches, mermaidText)
		if p.composite(s.State) && catches != "" {
			label += " (" + catches + ")"
		}
		p.printf("%sstate \"%s\" as %s\n", indent, label, id(s.State))
		if !p.composite(s.State) {
			if catches != "" {
				p.printf("%s%s : %s\n", indent, id(s.State), catches)
			}
			continue
		}
		p.printf("%sstate %s {\n", indent, id(s.State))
		p.mermaidStates(s.State, indent+"    ")
		if s.Init != hsm.Top {
			p.mermaidInit(s, indent+"    ")
		}
		p.printf("%s}\n", indent)
	}
}

func (p *pen) mermaidInit(s hsm.DescribedState, indent string) {
	via := s.Init
	for p.d.States[via-1].Parent != s.State {
		via = p.d.States[via-1].Parent
	}
	p.printf("%s[*] --> %s", indent, id(via))
	if via != s.Init {
		p.printf(" : %s", mermaidText(p.d.Name(s.Init)))
	}
	p.printf("\n")
}

func joinSignals(signals []hsm.Signal, text func(string) string) string {
	each := make([]string, len(signals))
	for i, s := range signals {
		each[i] = text(s.String())
	}
	return strings.Join(each, ", ")
}

// mermaidText writes all but letters, digits, and underscores between them, as
// Mermaid's entity codes, which have no meaning to its grammar, to Markdown or
// to HTML. Blanks are among them because "direction TB" has one.
func mermaidText(name string) string {
	var b strings.Builder
	runes := []rune(printable(name))
	plain := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		if plain(i) || r == '_' && plain(i-1) && plain(i+1) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
