package main

import (
	"context"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// command is one of the words that may follow statemesh.
type command struct {
	name  string
	args  string // what follows the flags, for the help
	least int    // how many of these there have to be
	most  int
	about string // one sentence
	more  string // the rest of its help

	// setUp declares the flags and returns what works when they are parsed.
	setUp func(*tool, *flag.FlagSet) func(ctx context.Context, args []string) error
}

// commands are in the order in which one needs them.
var commands = []command{keygenCommand, discoverCommand, snoopCommand, sendCommand, healthCommand, testCommand}

func commandNamed(name string) (command, bool) {
	for _, c := range commands {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// overview is the help on everything.
func overview() string {
	var b strings.Builder
	b.WriteString("usage: statemesh COMMAND [flags] [arguments]\n\nLooks at a mesh from outside, and gets one started.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, c := range commands {
		fmt.Fprintf(w, "  %s\t%s\n", c.name, c.about)
	}
	fmt.Fprintf(w, "  help\thelp on a command: statemesh help COMMAND\n  version\tprint the version\n")
	w.Flush()
	b.WriteString("\nExit codes: 0 all went well, 1 something went wrong, 2 wrong usage.\n")
	return b.String()
}

// help is the help on one command.
func (c command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n\n%s\n\n", strings.TrimSpace("statemesh "+c.name+" [flags] "+c.args), sentence(c.about))
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.setUp(&tool{}, flags)
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	line := func(name, usage string) {
		first := "  -" + name
		for text := range strings.SplitSeq(usage, "\n") {
			fmt.Fprintf(w, "%s\t%s\n", first, text)
			first = ""
		}
	}
	flags.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		line(strings.TrimSpace(f.Name+" "+arg), usage)
	})
	line("h", "print this and end")
	w.Flush()
	if c.more != "" {
		b.WriteString("\n" + c.more)
	}
	return b.String()
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

func (t *tool) help(args []string) error {
	switch len(args) {
	case 0:
		return t.print(overview())
	case 1:
	default:
		return wrongUsage("unexpected argument %q", args[1])
	}
	if c, found := commandNamed(args[0]); found {
		return t.print(c.help())
	}
	switch args[0] {
	case "help", "version":
		return t.print(overview())
	}
	return unknownCommand(args[0])
}

// version prints what the build knows of itself.
func (t *tool) version(args []string) error {
	if len(args) > 0 {
		return wrongUsage("unexpected argument %q", args[0])
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t.print("statemesh (unknown version)\n")
	}
	text := "statemesh " + info.Main.Version + " " + info.GoVersion
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			text += " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			text += " (modified)"
		}
	}
	return t.print(text + "\n")
}

// unknownCommand names the command that was perhaps meant.
func unknownCommand(name string) error {
	names := []string{"help", "version"}
	for _, c := range commands {
		names = append(names, c.name)
	}
	best, least := "", 3
	for _, n := range names {
		d := distance(name, n)
		if len(name) > 1 && strings.HasPrefix(n, name) {
			d = 0
		}
		if d < least && d < len(name) {
			best, least = n, d
		}
	}
	if best == "" {
		return wrongUsage("there is no command %q", name)
	}
	return wrongUsage("there is no command %q (did you mean %s?)", name, best)
}

// distance is how many letters have to be changed, added, dropped or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j == 0:
				rows[i][j] = i
			default:
				change := 1
				if a[i-1] == b[j-1] {
					change = 0
				}
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}
