package seal

import (
	"bytes"
	"testing"
)

// FuzzOpen: whatever comes in, nothing panics, nothing but the one envelope that was
// sealed opens, that only where it was sealed for, and only once.
func FuzzOpen(f *testing.F) {
	s, _ := goldenSealer(f)
	sealed := mustSeal(f, s, goldenMessage)
	f.Add(sealed, exchange, routingKey)
	f.Add(sealed, exchange, "archer.woman")
	f.Add(sealed, exchange+"a", routingKey[1:])
	f.Add(sealed[:Overhead], exchange, routingKey)
	f.Add(sealed[:headerSize], "", "")
	f.Add(append(bytes.Clone(sealed), 0), exchange, routingKey)
	f.Add([]byte{}, "", "")
	f.Add([]byte{version, xchacha20poly1305}, exchange, routingKey)
	f.Fuzz(func(t *testing.T, envelope []byte, onExchange, withKey string) {
		_, o := pair(t)
		before := bytes.Clone(envelope)
		m, err := o.Open(nil, envelope, onExchange, withKey)
		if !bytes.Equal(before, envelope) {
			t.Fatal("the envelope changed")
		}
		genuine := bytes.Equal(envelope, sealed) && onExchange == exchange && withKey == routingKey
		if genuine != (err == nil) {
			t.Fatalf("genuine: %v, error: %v", genuine, err)
		}
		if err != nil {
			if m.Body != nil || Reason(err) == "other" || len(o.heard.senders) != 0 {
				t.Fatalf("refused with %v, but left %v and %d senders", err, m, len(o.heard.senders))
			}
			return
		}
		if string(m.Body) != goldenMessage {
			t.Fatalf("opened as %q", m.Body)
		}
		if _, err := o.Open(nil, envelope, onExchange, withKey); Reason(err) != "replay" {
			t.Fatalf("opened twice, error %v", err)
		}
	})
}
