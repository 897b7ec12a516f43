package main

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/statemesh/statemesh/network"
)

// patterns are globs as path.Match has them; none match everything.
type patterns []string

// set reads a list with commas.
func (p *patterns) set(text string) error {
	*p = splitList(text)
	if *p == nil {
		return errors.New("it holds no pattern")
	}
	for _, pattern := range *p {
		if _, err := path.Match(pattern, ""); err != nil {
			return errors.New("it is no pattern")
		}
	}
	return nil
}

func (p patterns) match(text string) bool {
	return p == nil || slices.ContainsFunc(p, func(pattern string) bool {
		ok, err := path.Match(pattern, text)
		return ok && err == nil
	})
}

// filter lets through what somebody wants to see.
type filter struct {
	name   patterns // of the object
	signal patterns
}

// pass returns what is left of something heard, and whether that is anything.
func (f filter) pass(h network.Heard) (network.Heard, bool) {
	switch {
	case !f.name.match(h.Name):
		return h, false
	case f.signal == nil:
		return h, true
	case h.Scribble != "":
		return h, false
	case len(h.Spy) > 0:
		var lines []string
		for _, line := range h.Spy {
			if signal, ok := spySignal(line); ok && f.signal.match(signal) {
				lines = append(lines, line)
			}
		}
		h.Spy = lines
		return h, len(lines) > 0
	}
	return h, f.signal.match(h.Trace.Signal)
}

// spySignal returns the signal that a line of the spy is about. There is none for the end of a
// step and for remarks.
func spySignal(line string) (string, bool) {
	if line == "START" {
		return "start_at", true // as the trace calls it
	}
	before, after, ok := strings.Cut(line, ":")
	if !ok || strings.HasPrefix(line, "<- ") {
		return "", false
	}
	switch before {
	case "POST_FIFO", "POST_LIFO", "POST_DEFERRED", "RECALL", "QUEUE_FULL":
		return after, true
	case "SUBSCRIBING TO", "UNSUBSCRIBING FROM", "PUBLISH":
		after = strings.TrimPrefix(after, "(")
		if end := strings.LastIndex(after, ", "); end >= 0 {
			return after[:end], true
		}
		return strings.TrimSuffix(after, ")"), true
	}
	return before, true
}
