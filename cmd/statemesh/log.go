package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// logHandler writes what a node logs as the sentences of a command: "statemesh snoop: hosting
// the broker (address 127.0.0.1:5672)". Any goroutine may use it if its writer allows that.
type logHandler struct {
	w       io.Writer
	command string
	level   slog.Level
	attrs   []slog.Attr
}

// Enabled implements slog.Handler.
func (h logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements slog.Handler.
func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	var details []string
	add := func(a slog.Attr) bool {
		details = append(details, a.Key+" "+strings.TrimPrefix(a.Value.Resolve().String(), "network: "))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text := r.Message
	if details != nil {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	_, err := fmt.Fprintf(h.w, "statemesh %s: %s\n", h.command, strings.ReplaceAll(text, "\n", "; "))
	return err
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

// WithGroup implements slog.Handler; the names of groups are not shown.
func (h logHandler) WithGroup(string) slog.Handler { return h }
