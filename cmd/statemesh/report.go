package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
)

// reportTables is a report for people: the rungs, the candidates, and a sentence.
func reportTables(r discovery.Report) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUNG\tINTERFACE\tNETWORK\tASKED\tFOUND\tTOOK\tNOTE")
	searched := false
	for _, rung := range r.Rungs {
		searched = searched || rung.Interface != ""
		row(w, rung.Rung, rung.Interface, prefix(rung.Network), fmt.Sprint(rung.Asked), fmt.Sprint(rung.Found), short(rung.Elapsed), note(rung))
	}
	w.Flush()
	if len(r.Candidates) > 0 {
		b.WriteString("\n")
		fmt.Fprintln(w, "ADDRESS\tNAME\tVERDICT\tVIA\tROUND TRIP\tNODES\tWHY")
		for _, c := range r.Candidates {
			names := make([]string, len(c.Nodes))
			for i, n := range c.Nodes {
				names[i] = n.Name
			}
			row(w, c.Address.String(), c.Name, c.Verdict.String(), c.Via, short(c.RoundTrip), strings.Join(names, ", "), why(c))
		}
		w.Flush()
	}
	b.WriteString("\n" + conclusion(r, searched) + "\n")
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ") // what is before an empty last cell
	}
	return strings.Join(lines, "\n")
}

// row writes a row; a dash stands for nothing, but at its end.
func row(w *tabwriter.Writer, cells ...string) {
	for i, cell := range cells {
		cell = strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, cell)
		switch {
		case i == len(cells)-1:
		case cell == "":
			cell = "-\t"
		default:
			cell += "\t"
		}
		fmt.Fprint(w, cell)
	}
	fmt.Fprintln(w)
}

func conclusion(r discovery.Report, searched bool) string {
	ours := r.Count(discovery.Ours)
	text := fmt.Sprintf("%d of %d addresses are ours", ours, len(r.Candidates))
	switch {
	case len(r.Candidates) == 0:
		text = "Nobody was found"
	case len(r.Candidates) == 1:
		text = "1 address, which is not ours"
		if ours == 1 {
			text = "1 address, which is ours"
		}
	case ours == 1:
		text = fmt.Sprintf("1 of %d addresses is ours", len(r.Candidates))
	}
	if !searched {
		text += "; this host is on no network that could be searched"
	}
	if r.Elapsed > 0 {
		text += ". It took " + short(r.Elapsed)
	}
	return text + "."
}

// note is why a rung gave up, or was not needed.
func note(r discovery.RungReport) string {
	switch {
	case r.Err != nil:
		return "gave up: " + oneLine(r.Err)
	case r.Skipped != "":
		return "skipped: " + r.Skipped
	}
	return ""
}

func why(c discovery.Candidate) string {
	if c.Err == nil {
		return ""
	}
	return oneLine(c.Err)
}

func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// short is a duration with three digits or so, "" for none.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d >= 10*time.Second:
		return d.Round(time.Second / 10).String()
	case d >= time.Second:
		return d.Round(time.Second / 100).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond / 10).String()
	}
	return d.Round(time.Microsecond).String()
}

// What -json prints. Lists are never null, and what is empty is left out.
type (
	jsonReport struct {
		Began      time.Time       `json:"began"`
		Elapsed    milliseconds    `json:"elapsed_ms"`
		Rungs      []jsonRung      `json:"rungs"`
		Candidates []jsonCandidate `json:"candidates"`
	}
	jsonRung struct {
		Rung      string       `json:"rung"`
		Interface string       `json:"interface,omitempty"`
		Network   string       `json:"network,omitempty"`
		Asked     int          `json:"asked"`
		Found     int          `json:"found"`
		Elapsed   milliseconds `json:"elapsed_ms"`
		Skipped   string       `json:"skipped,omitempty"`
		Error     string       `json:"error,omitempty"`
	}
	jsonCandidate struct {
		Address   string            `json:"address"`
		Name      string            `json:"name,omitempty"`
		Verdict   discovery.Verdict `json:"verdict"`
		Via       string            `json:"via"`
		Elapsed   milliseconds      `json:"elapsed_ms"`
		RoundTrip milliseconds      `json:"round_trip_ms,omitempty"`
		Nodes     []jsonNode        `json:"nodes"`
		Why       string            `json:"why,omitempty"`
	}
	jsonNode struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	milliseconds float64
)

func ms(d time.Duration) milliseconds { return milliseconds(float64(d) / float64(time.Millisecond)) }

// reportJSON is a report for programs, on one line.
func reportJSON(r discovery.Report) string {
	out := jsonReport{Began: r.Began, Elapsed: ms(r.Elapsed), Rungs: []jsonRung{}, Candidates: []jsonCandidate{}}
	for _, rung := range r.Rungs {
		j := jsonRung{
			Rung: rung.Rung, Interface: rung.Interface, Network: prefix(rung.Network),
			Asked: rung.Asked, Found: rung.Found, Elapsed: ms(rung.Elapsed), Skipped: rung.Skipped,
		}
		if rung.Err != nil {
			j.Error = oneLine(rung.Err)
		}
		out.Rungs = append(out.Rungs, j)
	}
	for _, c := range r.Candidates {
		j := jsonCandidate{
			Address: c.Address.String(), Name: c.Name, Verdict: c.Verdict, Via: c.Via,
			Elapsed: ms(c.Elapsed), RoundTrip: ms(c.RoundTrip), Nodes: []jsonNode{}, Why: why(c),
		}
		for _, n := range c.Nodes {
			j.Nodes = append(j.Nodes, jsonNode{hex.EncodeToString(n.ID[:]), n.Name})
		}
		out.Candidates = append(out.Candidates, j)
	}
	return jsonLine(out)
}

// jsonLine is a value that can be written as JSON, on a line of its own, with < and > as
// they are.
func jsonLine(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("{\"error\":%q}\n", err)
	}
	return b.String()
}
