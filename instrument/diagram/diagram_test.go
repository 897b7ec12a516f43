package diagram_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/instrument/diagram"
)

var update = flag.Bool("update", false, "write the golden files")

func super(struct{}, hsm.Event) hsm.Status { return hsm.Super }

// reactions is a chart's state that makes a transition on each of its signals.
func reactions(name string, parent, init hsm.State, targets map[string]hsm.State) hsm.Spec[struct{}] {
	s := hsm.Spec[struct{}]{Name: name, Parent: parent, Init: init}
	for _, signal := range strings.Split("ABCDEFGHI", "") {
		if _, ok := targets[signal]; ok {
			s.Catches = append(s.Catches, hsm.NewSignal(signal))
		}
	}
	s.Handle = func(_ struct{}, e hsm.Event) hsm.Status {
		target, ok := targets[e.Signal.String()]
		switch {
		case !ok:
			return hsm.Super
		case target == hsm.Top:
			return hsm.Handled
		}
		return hsm.Tran(target)
	}
	return s
}

// qhsmtst is Samek's test chart, without its guards.
var qhsmtst = hsm.MustCompile([]hsm.Spec[struct{}]{
	1: reactions("s", hsm.Top, 3, map[string]hsm.State{"E": 3, "I": hsm.Top}),
	2: reactions("s1", 1, 3, map[string]hsm.State{"A": 2, "B": 3, "C": 4, "D": 1, "F": 6, "I": hsm.Top}),
	3: reactions("s11", 2, hsm.Top, map[string]hsm.State{"D": 2, "G": 6, "H": 1}),
	4: reactions("s2", 1, 6, map[string]hsm.State{"C": 2, "F": 3, "I": hsm.Top}),
	5: reactions("s21", 4, 6, map[string]hsm.State{"A": 5, "B": 6, "G": 2}),
	6: reactions("s211", 5, hsm.Top, map[string]hsm.State{"D": 5, "H": 1}),
})

// recorded runs a machine and returns its trace, as text or as JSON: only that
// tells a name with an arrow in it.
func recorded(t *testing.T, json bool, chart *hsm.Chart[struct{}], start hsm.State, events string) string {
	t.Helper()
	m := hsm.NewMachine(chart, struct{}{})
	r := instrument.NewRecorder(instrument.Source{Name: "chart", Tree: m.Tree()}, instrument.Config{Trace: true}, nil)
	m.SetLog(r.Log())
	err := m.Start(start)
	for _, event := range strings.Fields(events) {
		err = errors.Join(err, m.Dispatch(hsm.Event{Signal: hsm.NewSignal(event)}))
	}
	if err != nil {
		t.Fatal(err)
	}
	if !json {
		return r.TraceText()
	}
	var b strings.Builder
	p := instrument.NewPrinter(&b, false)
	for _, line := range r.Trace() {
		if err := p.JSON(line); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// odd has a state that rests above states inside it, an initial transition two
// levels deep, and names that mean something to the languages of pictures.
var odd = hsm.MustCompile([]hsm.Spec[struct{}]{
	1: reactions("end", hsm.Top, hsm.Top, map[string]hsm.State{"A": 2, "B": 1, "C": 4}),
	2: reactions("state \"a\" as s9 { [*] --> b: <<fork>> }", 1, hsm.Top, map[string]hsm.State{"A": 1}),
	3: reactions("direction TB", hsm.Top, 5, map[string]hsm.State{"A": 1}),
	4: reactions("%%{init}%% #35; &amp; _x_ to_inner", 3, hsm.Top, map[string]hsm.State{"D": 3}),
	5: reactions("two\nlines \\N \x01 ü", 4, hsm.Top, nil),
})

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chart  *hsm.Chart[struct{}]
		start  hsm.State
		events string
		json   bool
	}{
		{"qhsmtst", qhsmtst, 4, "G I A D D C C E E G H I A B", false},
		{"odd", odd, 1, "A A B C D", true},
	} {
		d := tt.chart.Describe()
		if n, err := diagram.AddTrace(d, strings.NewReader(recorded(t, tt.json, tt.chart, tt.start, tt.events))); err != nil || n < 4 {
			t.Fatalf("AddTrace gives %d, %v", n, err)
		}
		for ext, got := range map[string]string{"txt": d.String(), "mmd": diagram.Mermaid(d), "dot": diagram.DOT(d)} {
			t.Run(tt.name+"."+ext, func(t *testing.T) {
				file := "testdata/" + tt.name + "." + ext
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("differs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// names draws charts whose states and signals have any name whatever.
func names(t *rapid.T) *hsm.Description {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"end", "state", "note", "[*]", "direction TB", "direction  LR", "<<fork>>", "a:b", `"`, `\`, `\"`, "a--b", "%%", "#35;", "{", "}", "&lt;", "s1", "top", "\xff", "\n", "class x", "style:#a;",
	}))
	each := rapid.SliceOfNDistinct(text.Filter(func(s string) bool { return s != "" }), 1, 8, rapid.ID[string]).Draw(t, "names")
	specs := make([]hsm.Spec[struct{}], len(each)+1)
	for i, name := range each {
		specs[i+1] = hsm.Spec[struct{}]{Name: name, Handle: super, Parent: hsm.State(rapid.IntRange(0, i).Draw(t, "parent"))}
		if signal := text.Draw(t, "signal"); signal != "" && !hsm.Intern(signal).IsInner() {
			specs[i+1].Catches = []hsm.Signal{hsm.Intern(signal)}
		}
	}
	for i := range each {
		inner := hsm.State(i + 1)
		for outer := specs[inner].Parent; outer != hsm.Top; outer = specs[outer].Parent {
			if rapid.Bool().Draw(t, "init") {
				specs[outer].Init = inner
			}
		}
	}
	d := hsm.MustCompile(specs).Describe()
	for range rapid.IntRange(0, 5).Draw(t, "transitions") {
		from, to := rapid.SampledFrom(each).Draw(t, "from"), rapid.SampledFrom(each).Draw(t, "to")
		if err := d.Add(rapid.SampledFrom(each).Draw(t, "signal"), from, to); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// visible is what a label shows of a name.
func visible(name string) string {
	quoted := strconv.Quote(name)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

var (
	mermaidLine = regexp.MustCompile(`^ *(?:stateDiagram-v2|\}|state s\d+ \{|s\d+ : (\S.*)|state "([^"]+)" as (s\d+)|(?:s\d+|\[\*\]) --> s\d+(?: : (\S+))?)$`)
	mermaidSafe = regexp.MustCompile(`^(?:[\pL\pN_(), ]|#\d+;)*$`)
	mermaidCode = regexp.MustCompile(`#(\d+);`)
)

// TestMermaidNames: whatever the names, every line is one of the forms that the
// grammar has, identifiers are unique, and labels show the names.
func TestMermaidNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := names(t)
		labels := make(map[string]string)
		depth := 0
		for line := range strings.Lines(diagram.Mermaid(d)) {
			m := mermaidLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
			if m == nil {
				t.Fatalf("%q is no line of Mermaid", line)
			}
			for _, text := range []string{m[1], m[2], m[4]} {
				if !mermaidSafe.MatchString(text) {
					t.Fatalf("%q is not safe in %q", text, line)
				}
			}
			depth += strings.Count(line, "{") - strings.Count(line, "}")
			if m[3] == "" {
				continue
			}
			if _, twice := labels[m[3]]; twice {
				t.Fatalf("%s twice", m[3])
			}
			labels[m[3]] = mermaidCode.ReplaceAllStringFunc(m[2], func(code string) string {
				n, _ := strconv.Atoi(code[1 : len(code)-1])
				return string(rune(n))
			})
		}
		if len(labels) != len(d.States) || depth != 0 {
			t.Fatalf("%d labels for %d states, %d braces open", len(labels), len(d.States), depth)
		}
		for _, s := range d.States {
			label, name := labels[fmt.Sprintf("s%d", s.State)], visible(s.Name)
			if label != name && !strings.HasPrefix(label, name+" (") {
				t.Fatalf("the label of %q is %q", name, label)
			}
		}
	})
}

const dotString = `"(?:[^"\\\n]|\\[\\"n])*"`

var (
	dotLine = regexp.MustCompile(`^\t*(?:digraph chart \{|compound=true;|node \[shape=box, style=rounded\];|\}|style=rounded;` +
		`|subgraph cluster_s\d+ \{|label=(` + dotString + `);|s\d+ \[shape=point(?:, style=invis)?\];|top \[shape=point, width=0.15\];` +
		`|(s\d+) \[label=(` + dotString + `)\];|(?:s\d+|top) -> s\d+(?: \[(?:label=` + dotString + `)?(?:(?:, )?ltail=cluster_s\d+)?(?:(?:, )?lhead=cluster_s\d+)?\])?;)$`)
	dotEntity = regexp.MustCompile(`&(?:amp;)?`)
)

// TestDOTNames is TestMermaidNames for Graphviz.
func TestDOTNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := names(t)
		var got []string
		cluster := ""
		for line := range strings.Lines(diagram.DOT(d)) {
			line = strings.TrimSpace(line)
			m := dotLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%q is no line of DOT", line)
			}
			for _, entity := range dotEntity.FindAllString(line, -1) {
				if entity != "&amp;" {
					t.Fatalf("an entity in %q", line)
				}
			}
			if strings.HasPrefix(line, "subgraph") {
				cluster = strings.TrimSuffix(strings.TrimPrefix(line, "subgraph cluster_"), " {")
			}
			if m[1] != "" {
				got = append(got, cluster+" "+m[1])
			}
			if m[2] != "" {
				got = append(got, m[2]+" "+m[3])
			}
		}
		labels := make(map[string]string)
		for _, label := range got {
			id, text, _ := strings.Cut(label, " ")
			if _, twice := labels[id]; twice {
				t.Fatalf("%s twice", id)
			}
			labels[id] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", "&amp;", "&").Replace(text[1 : len(text)-1])
		}
		for _, s := range d.States {
			name, _, _ := strings.Cut(labels[fmt.Sprintf("s%d", s.State)], "\n")
			if name != visible(s.Name) {
				t.Fatalf("the label of %q is %q", s.Name, name)
			}
		}
	})
}
