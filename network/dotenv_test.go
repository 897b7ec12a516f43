package network

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDotenv(t *testing.T) {
	type vars = map[string]string
	tests := []struct {
		name, text string
		want       vars
		wrong      string // what the error says
	}{
		{name: "empty", text: "", want: vars{}},
		{name: "plain", text: "A=1\nB=two words\n", want: vars{"A": "1", "B": "two words"}},
		{name: "no final newline", text: "A=1\nB=2", want: vars{"A": "1", "B": "2"}},
		{name: "empty value", text: "A=\nB=2\n", want: vars{"A": "", "B": "2"}},
		{name: "comments and blank lines", text: "# one\n\n  # two\nA=1 # three\nB=x#y\n", want: vars{"A": "1", "B": "x#y"}},
		{name: "export", text: "export A=1\n", want: vars{"A": "1"}},
		{name: "colon", text: "A: 1\n", want: vars{"A": "1"}},
		{name: "the last one wins", text: "A=1\nA=2\n", want: vars{"A": "2"}},
		{name: "Windows", text: "\ufeffA=1\r\nB=2\r\n", want: vars{"A": "1", "B": "2"}},
		{name: "quotes", text: "A='a # b'\nB=\"c # d\" # e\n", want: vars{"A": "a # b", "B": "c # d"}},
		{name: "escapes", text: `A="a\nb\"c"` + "\n" + `B='a\nb'`, want: vars{"A": "a\nb\"c", "B": `a\nb`}},
		{name: "several lines", text: "A='one\ntwo\nthree'\nB=2\n", want: vars{"A": "one\ntwo\nthree", "B": "2"}},
		{name: "as many lines as there may be", text: "A='" + strings.Repeat("\n", maxValueLines-1) + "'\n",
			want: vars{"A": strings.Repeat("\n", maxValueLines-1)}},
		{name: "dollar signs", text: "A=p$B\nC='p$B'\nD=\"p$B${B}\"\nE=\"p\\$B\"\nF=$$\n",
			want: vars{"A": "p$B", "C": "p$B", "D": "p$B${B}", "E": "p$B", "F": "$$"}},
		{name: "a key in base64", text: "K=aGVsbG8gd29ybGQtX2hlbGxvIHdvcmxkLV9oZWxsbw==\n",
			want: vars{"K": "aGVsbG8gd29ybGQtX2hlbGxvIHdvcmxkLV9oZWxsbw=="}},

		{name: "no equals sign", text: "A=1\nhidden\nB=2\n", wrong: "line 2"},
		{name: "no equals sign at the end", text: "A=1\nhidden", wrong: "line 2"},
		{name: "no name", text: "=hidden\n", wrong: "line 1"},
		{name: "bad name", text: "A=1\n\n# c\nhid-den=1\n", wrong: "line 4"},
		{name: "open quote", text: "A=1\nB='hidden\nC=3\n", wrong: "line 2"},
		{name: "after several lines", text: "A='1\n2\n3'\nhidden\n", wrong: "line 4"},
		{name: "after a quoted value", text: "A='1' hidden\n", wrong: "line 1"},
		{name: "a quoted value of too many lines", text: "A='" + strings.Repeat("hidden\n", maxValueLines) + "'\n", wrong: "line 1"},
		{name: "a quoted value without end", text: strings.Repeat("A=1\n", 9) + `A="` + strings.Repeat("hidden\n", 5000), wrong: "line 10"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseDotenv([]byte(test.text))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			switch {
			case test.wrong == "" && err != nil:
				t.Errorf("error %v", err)
			case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong+" ")):
				t.Errorf("error %v, want one that says %q", err, test.wrong)
			case err != nil && strings.Contains(err.Error(), "hid"):
				t.Errorf("error quotes the file: %v", err)
			}
		})
	}
}

func FuzzEnv(f *testing.F) {
	for _, seed := range []string{
		"", "A=1\n", "export A = 'x'\n#c\nB: \"y\\n$A\"", "A='1\n2'\n", "\ufeffA=1\r\n", "A", "=", "'", "A=\"\\", "A='' B=''", "\x85A=\xa0", "A=$A$A\nA=$A$A",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > maxDotenv {
			return
		}
		vars, err := parseDotenv(content)
		if (vars == nil) != (err != nil) {
			t.Fatalf("vars %v, error %v; want one of them", vars, err)
		}
		size := 0
		for name, value := range vars {
			if name == "" {
				t.Fatal("variable without a name")
			}
			size += len(value)
		}
		// Bytes that are not UTF-8 become three.
		if size > 3*len(content) {
			t.Fatalf("%d bytes of values from %d bytes", size, len(content))
		}
	})
}
