package diagram

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/statemesh/statemesh/hsm"
)

// DOT writes the description as a graph of Graphviz, for the program dot.
//
//  1. A state without states inside is the node sn, n being its number; one with
//     states inside is the cluster cluster_sn, in which sn is a point: the start
//     of the initial transition if one is declared, else invisible.
//  2. The label of a state is its name, and below it the signals that it catches.
//     What cannot be printed is written as Go escapes it.
//  3. An edge to or from a state with states inside ends at the border of its
//     cluster.
//  4. A transition that was seen is an edge with its signal, a start one from the
//     point top.
func DOT(d *hsm.Description) string {
	p := newPen(d)
	p.printf("digraph chart {\n\tcompound=true;\n\tnode [shape=box, style=rounded];\n")
	p.dotStates(hsm.Top, "\t")
	for _, s := range d.States {
		if s.Init != hsm.Top {
			p.dotEdge(s.State, s.Init, "")
		}
	}
	if len(d.Seen) > 0 && d.Seen[0].From == hsm.Top {
		p.printf("\ttop [shape=point, width=0.15];\n")
	}
	for _, t := range d.Seen {
		p.dotEdge(t.From, t.To, t.Signal)
	}
	p.printf("}\n")
	return p.String()
}

func (p *pen) dotStates(parent hsm.State, indent string) {
	for _, s := range p.inside[parent] {
		label := dotText(s.Name)
		if len(s.Catches) > 0 {
			label += `\n` + joinSignals(s.Catches, dotText)
		}
		if !p.composite(s.State) {
			p.printf("%s%s [label=\"%s\"];\n", indent, id(s.State), label)
			continue
		}
		style := ", style=invis"
		if s.Init != hsm.Top {
			style = ""
		}
		p.printf("%ssubgraph cluster_%s {\n", indent, id(s.State))
		p.printf("%s\tlabel=\"%s\";\n%s\tstyle=rounded;\n", indent, label, indent)
		p.printf("%s\t%s [shape=point%s];\n", indent, id(s.State), style)
		p.dotStates(s.State, indent+"\t")
		p.printf("%s}\n", indent)
	}
}

// dotEdge writes an edge. It has no label if it is an initial transition, which
// begins at the point itself.
func (p *pen) dotEdge(from, to hsm.State, signal string) {
	var attributes []string
	if signal != "" {
		attributes = append(attributes, `label="`+dotText(signal)+`"`)
	}
	// Graphviz cannot end an edge at the border of a cluster that the other end
	// is in.
	if signal != "" && p.composite(from) && from != hsm.Top && !p.within(from, to) {
		attributes = append(attributes, "ltail=cluster_"+id(from))
	}
	if p.composite(to) && !p.within(to, from) {
		attributes = append(attributes, "lhead=cluster_"+id(to))
	}
	tail := id(from)
	if from == hsm.Top {
		tail = "top"
	}
	p.printf("\t%s -> %s", tail, id(to))
	if len(attributes) > 0 {
		p.printf(" [%s]", strings.Join(attributes, ", "))
	}
	p.printf(";\n")
}

// within reports whether inner is outer or inside it.
func (p *pen) within(outer, inner hsm.State) bool {
	for inner != outer && inner != hsm.Top {
		inner = p.d.States[inner-1].Parent
	}
	return inner == outer
}

// dotText escapes what ends a quoted text, begins an escape or an entity.
func dotText(name string) string { return dotEscapes.Replace(printable(name)) }

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`)

// printable replaces what cannot be printed by what Go writes for it in a
// quoted text, a backslash not being escaped.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
