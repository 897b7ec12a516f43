package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// header names the columns of a table.
var header = []string{"work", "ours", "rival", "theirs", "ratio", "by round", "target", "met", "allocs", "note"}

// cells are the columns of a row.
func (r Row) cells() []string {
	work := r.Work
	if r.Metric.Name != Time.Name && r.Metric.Name != Rate.Name {
		work += ", " + r.Metric.Name
	}
	if r.Label != "" {
		work += " (" + r.Label + ")"
	}
	target := r.Target.String()
	switch {
	case target == "":
	case r.Rival == "":
		target += " " + r.Metric.Unit
	default:
		target += " times"
	}
	if r.Aim != 0 {
		target += fmt.Sprintf(", aim %g", r.Aim)
	}
	met := metWord(r.Met)
	if met == "met" && r.AimMet != nil && *r.AimMet {
		met = "met, aim too"
	}
	return []string{
		work, r.Ours.text(r.Metric), r.Rival, r.Theirs.text(r.Metric), short(r.Ratio), short(r.RatioByRound),
		target, met, short(r.Allocs), r.Note,
	}
}

// text is the median, how far the rounds are spread, and the best of them.
func (f *Figure) text(m Metric) string {
	if f == nil {
		return ""
	}
	text := short(f.Median) + " " + m.Unit
	if m.Rate || m.Unit == "" { // 5000/s, and a mere number
		text = short(f.Median) + m.Unit
	}
	if f.Rounds > 1 {
		text += fmt.Sprintf(" ±%.0f%% (%s)", f.Spread*100, short(f.Best))
	}
	return text
}

// short is a number of two or three digits, or all digits before the point; "" for
// NaN.
func short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	case a < 0.001:
		return "0"
	case a < 0.1:
		return fmt.Sprintf("%.3f", v)
	case a < 10:
		return fmt.Sprintf("%.2f", v)
	case a < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// WriteTable writes the rows as a table for a terminal, in columns.
func WriteTable(w io.Writer, rows []Row) error {
	table := [][]string{header}
	for _, r := range rows {
		table = append(table, r.cells())
	}
	widths := make([]int, len(header))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, cells := range table {
		var line strings.Builder
		for i, c := range cells {
			line.WriteString(c)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes the rows as a table in Markdown.
func WriteMarkdown(w io.Writer, rows []Row) error {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	line(header)
	b.WriteString(strings.Repeat("|---", len(header)) + "|\n")
	for _, r := range rows {
		line(r.cells())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// jsonRow is the JSON form of a row: what is not there is null.
type jsonRow struct {
	Work         string   `json:"work"`
	Label        string   `json:"label,omitempty"`
	Metric       string   `json:"metric"`
	Unit         string   `json:"unit"`
	Rival        string   `json:"rival"`
	Ours         *float64 `json:"ours"`
	Theirs       *float64 `json:"theirs"`
	Ratio        *float64 `json:"ratio"`
	Target       *string  `json:"target"`
	Met          *bool    `json:"met"`
	RatioByRound *float64 `json:"ratio_by_round"`
	OursBest     *float64 `json:"ours_best"`
	OursSpread   *float64 `json:"ours_spread"`
	TheirsBest   *float64 `json:"theirs_best"`
	TheirsSpread *float64 `json:"theirs_spread"`
	Rounds       int      `json:"rounds"`
	Allocs       *float64 `json:"allocs"`
	NoAllocs     bool     `json:"no_allocs,omitempty"`
	Aim          *float64 `json:"aim,omitempty"`
	AimMet       *bool    `json:"aim_met,omitempty"`
	ScaledTarget *string  `json:"scaled_target,omitempty"`
	ScaledMet    *bool    `json:"scaled_met,omitempty"`
	Exponent     *float64 `json:"exponent,omitempty"`
	Failed       bool     `json:"failed,omitempty"`
	Note         string   `json:"note,omitempty"`
}

// WriteJSON writes each row as one JSON object on a line of its own.
func WriteJSON(w io.Writer, rows []Row) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, r := range rows {
		j := jsonRow{
			Work: r.Work, Label: r.Label, Metric: r.Metric.Name, Unit: r.Metric.Unit, Rival: r.Rival,
			Ratio: number(r.Ratio), RatioByRound: number(r.RatioByRound),
			Target: wording(r.Target), Met: r.Met, Allocs: number(r.Allocs), NoAllocs: r.NoAllocs,
			AimMet: r.AimMet, ScaledTarget: wording(r.Scaled), ScaledMet: r.ScaledMet,
			Exponent: number(r.Exponent), Failed: r.Failed, Note: r.Note,
		}
		if r.Aim != 0 {
			j.Aim = number(r.Aim)
		}
		if r.Ours != nil {
			j.Ours, j.OursBest, j.OursSpread, j.Rounds = number(r.Ours.Median), number(r.Ours.Best), number(r.Ours.Spread), r.Ours.Rounds
		}
		if r.Theirs != nil {
			j.Theirs, j.TheirsBest, j.TheirsSpread = number(r.Theirs.Median), number(r.Theirs.Best), number(r.Theirs.Spread)
		}
		if err := encoder.Encode(j); err != nil {
			return err
		}
	}
	return nil
}

// number is nil for what JSON has no number for.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// wording is nil for no target.
func wording(t Target) *string {
	if t.Kind == None {
		return nil
	}
	text := t.String()
	return &text
}
