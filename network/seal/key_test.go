package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A key as Python's Fernet.generate_key() writes one: the bytes 0x80 to 0x9f.
const keyText = "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8="

func mustParse(t testing.TB, text string) Key {
	t.Helper()
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseKeyAccepts(t *testing.T) {
	want := mustParse(t, keyText)
	for i, b := range want.secret() {
		if b != byte(0x80+i) {
			t.Fatalf("byte %d is %#x, want %#x", i, b, 0x80+i)
		}
	}
	for _, tc := range []struct{ name, text string }{
		{"without padding", strings.TrimSuffix(keyText, "=")},
		{"with a line end", keyText + "\r\n"},
		{"indented", "\t " + keyText},
		{"with spare bits set", strings.TrimSuffix(keyText, "8=") + "9="},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseKey(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) {
				t.Errorf("parsed as %v, want %v", got, want)
			}
			if diff := cmp.Diff(keyText, got.Encode()); diff != "" {
				t.Errorf("Encode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseKeyRefuses(t *testing.T) {
	bare := strings.TrimSuffix(keyText, "=")
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "seal: bad key: 0 characters long, want 43 and a final =: 32 bytes in URL-safe base64"},
		{"too short", bare[:42], "seal: bad key: 42 characters long, want 43 and a final =: 32 bytes in URL-safe base64"},
		{"33 bytes", bare + "A", "seal: bad key: 44 characters long, want 43 and a final =: 32 bytes in URL-safe base64"},
		{"too long", keyText + "=", "seal: bad key: 45 characters long, want 43 and a final =: 32 bytes in URL-safe base64"},
		{"two keys", keyText + keyText, "seal: bad key: 88 characters long, want 43 and a final =: 32 bytes in URL-safe base64"},
		{"standard base64", bare[:9] + "+" + bare[10:], "seal: bad key: character 10 is not one of URL-safe base64 (A-Z, a-z, 0-9, - and _)"},
		{"a line end inside", bare[:9] + "\n" + bare[10:], "seal: bad key: character 10 is not one of URL-safe base64 (A-Z, a-z, 0-9, - and _)"},
		{"padding inside", bare[:42] + "=", "seal: bad key: character 43 is not one of URL-safe base64 (A-Z, a-z, 0-9, - and _)"},
		{"zero", strings.Repeat("A", 43) + "=", "seal: bad key: all its bits are zero"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := ParseKey(tc.text)
			if !errors.Is(err, ErrBadKey) {
				t.Fatalf("error %v, want an ErrBadKey", err)
			}
			if !k.IsZero() {
				t.Error("a key came with the error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What a key looks like wherever it is printed, and that nothing of the secret
// shows in any notation.
func TestKeyNeverPrints(t *testing.T) {
	k := mustParse(t, keyText)
	const shown = "seal.Key(id 0d931074)"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%10.3s", "% x", "%#x", "%!"} {
		if got := fmt.Sprintf(verb, k); !strings.Contains(got, shown) {
			t.Errorf("%s prints %q, want %q", verb, got, shown)
		}
		if got := fmt.Sprintf(verb, &k); !strings.Contains(got, shown) {
			t.Errorf("%s of a pointer prints %q, want %q", verb, got, shown)
		}
	}
	text, err := k.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"String": k.String(), "GoString": k.GoString(), "Sprint": fmt.Sprint(k), "LogValue": k.LogValue().String(), "MarshalText": string(text),
	} {
		if diff := cmp.Diff(shown, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff("seal.Key(none)", fmt.Sprint(Key{})); diff != "" {
		t.Errorf("zero Key (-want +got):\n%s", diff)
	}

	ring, err := NewRing(k)
	if err != nil {
		t.Fatal(err)
	}
	type inner struct{ key Key }
	holders := []any{
		k, &k, []Key{k}, map[string]Key{"mesh": k}, struct{ Key Key }{k}, struct{ Key *Key }{&k},
		inner{k}, &inner{k}, []inner{{k}}, []*inner{{k}}, fmt.Errorf("with %v", k), struct{ any any }{k},
		struct{ keys []Key }{[]Key{k}}, ring, NewSealer(ring, SealerConfig{}), NewOpener(ring, OpenerConfig{}),
	}
	for _, h := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%p", "%q"} {
			noSecret(t, fmt.Sprintf("%T with %s", h, verb), fmt.Sprintf(verb, h))
		}
		b, err := json.Marshal(h)
		if err == nil {
			noSecret(t, fmt.Sprintf("%T as JSON", h), string(b))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", h)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", h)
		noSecret(t, fmt.Sprintf("%T in slog", h), log.String())
	}
}

// noSecret looks for four bytes in a row of the key behind keyText, in base64, in
// hexadecimal, in decimal and raw.
func noSecret(t *testing.T, what, printed string) {
	t.Helper()
	for _, secret := range []string{
		keyText[:8], keyText[8:16], "80818283", "80 81 82 83", "0x80, 0x81, 0x82, 0x83", "8081828384", "\x80\x81\x82\x83", `\x80\x81`,
		"0X80, 0X81, 0X82, 0X83", "128 129 130 131", "128, 129, 130, 131", "128,129,130,131",
	} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s shows the secret: %q", what, printed)
		}
	}
}

func TestKeyIsAsDocumented(t *testing.T) {
	k := mustParse(t, keyText)
	for _, tc := range []struct{ name, want, got string }{
		{"id", "0d931074", k.ID().String()},
		{"derived", "HK-hkmJ-mkXK414okFI8IrqB80MhPhuwgSq6sdfY7SI=", k.Derive("trace").Encode()},
		{"derived, no label", "YTfD0ibPXhmwTKvRTuTMl8WZzmgq2vILObi_NBtDi-o=", k.Derive("").Encode()},
		{"derived twice", "Z3cnrDnQtiv0CVdgpfTGGAXNtk-PqEKAshpsBbbJwMs=", k.Derive("trace").Derive("trace").Encode()},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestZeroKey(t *testing.T) {
	var zero Key
	switch {
	case !zero.IsZero():
		t.Error("not zero")
	case zero.ID() != KeyID{}:
		t.Error("has an id")
	case zero.Encode() != "":
		t.Error("has a text form")
	case !zero.Derive("mesh").IsZero():
		t.Error("derives a key that anybody can guess")
	case !zero.Equal(Key{}):
		t.Error("is not equal to itself")
	case zero.Equal(NewKey()) || NewKey().Equal(zero):
		t.Error("is equal to a key")
	}
}

func TestKeysDiffer(t *testing.T) {
	a, b := NewKey(), NewKey()
	for name, pair := range map[string][2]Key{
		"two new ones":       {a, b},
		"derived and origin": {a, a.Derive("")},
		"two labels":         {a.Derive("trace"), a.Derive("spy")},
		"two origins":        {a.Derive("trace"), b.Derive("trace")},
		"order of labels":    {a.Derive("a").Derive("b"), a.Derive("b").Derive("a")},
	} {
		if pair[0].Equal(pair[1]) {
			t.Errorf("%s: equal", name)
		}
	}
	if !a.Derive("spy").Equal(a.Derive("spy")) {
		t.Error("the same label derives different keys")
	}
}

func TestKeyTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := [KeySize]byte(rapid.SliceOfN(rapid.Byte(), KeySize, KeySize).Draw(t, "secret"))
		secret[0] |= 1 // not the zero key
		k, err := ParseKey(newKey(secret).Encode())
		if err != nil {
			t.Fatal(err)
		}
		if *k.secret() != secret {
			t.Fatal("another secret came back")
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{
		"", keyText, strings.TrimSuffix(keyText, "="), keyText + "\n", strings.Repeat("=", 44), strings.Repeat("A", 43),
		strings.Repeat("-", 44), strings.Repeat("é", 22), keyText[:20] + "\n" + keyText[21:], NewKey().String(),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err != nil {
			if !errors.Is(err, ErrBadKey) || !k.IsZero() {
				t.Fatalf("key %v with error %v", k, err)
			}
			if trimmed := strings.TrimSpace(text); len(trimmed) > 12 && strings.Contains(err.Error(), trimmed) {
				t.Fatalf("the error shows the text: %v", err)
			}
			return
		}
		again, err := ParseKey(k.Encode())
		if err != nil || !again.Equal(k) {
			t.Fatalf("read back as %v, error %v", again, err)
		}
		if digits := strings.TrimRight(strings.TrimSpace(text), "="); digits[:42] != k.Encode()[:42] {
			t.Fatal("the text form changed")
		}
	})
}
