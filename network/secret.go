package network

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Secret is a text, such as a password, that is not shown by printing, logging or
// marshalling it in whatever way and inside whatever struct; only Reveal gives it
// away. The zero Secret is the empty text. Secrets may be compared with == and
// copied and used from any goroutine.
type Secret struct {
	// A pointer to the text, in the end: fmt and its like read unexported fields of
	// other people's structs without asking Format, but do not follow pointers there.
	text unique.Handle[string]
}

// NewSecret returns the text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

// Reveal returns the text. Keep it out of logs and errors.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero says whether the text is empty.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns "(secret)", or "(none)" for the empty text.
func (s Secret) String() string {
	if s.IsZero() {
		return "(none)"
	}
	return "(secret)"
}

// Format writes what String returns, whatever the verb and its flags.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String does; there is no way back.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
