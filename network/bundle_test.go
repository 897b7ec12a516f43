package network

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// bundleOf is the bundle of these bodies.
func bundleOf(bodies ...string) []byte {
	var batch []outMessage
	for _, b := range bodies {
		batch = append(batch, outMessage{body: []byte(b)})
	}
	return bundle(nil, batch)
}

// unbundled is what unbundle gives.
func unbundled(b []byte) (parts []string, err error) {
	err = unbundle(b, func(part []byte) { parts = append(parts, string(part)) })
	return parts, err
}

func TestUnbundle(t *testing.T) {
	many := make([]string, bundleParts)
	tests := []struct {
		name   string
		bundle []byte
		want   []string
		err    error
	}{
		{"one", bundleOf("a"), []string{"a"}, nil},
		{"three", bundleOf("a", "", "ccc"), []string{"a", "", "ccc"}, nil},
		{"as many as can be", bundleOf(many...), many, nil},
		{"one more", bundleOf(append(many, "a")...), many, errBundleParts},
		{"as long as can be", bundleOf(strings.Repeat("x", bundleBytes-bundleHead-partHead)), []string{strings.Repeat("x", bundleBytes-bundleHead-partHead)}, nil},
		{"longer", bundleOf(strings.Repeat("x", bundleBytes-bundleHead-partHead+1)), nil, errBundleLength},
		{"none", bundleOf(), nil, errBundleEmpty},
		{"within a length", append(bundleOf("a"), 0, 0, 0), []string{"a"}, errBundleCut},
		{"within a part", append(bundleOf("a"), 0, 0, 0, 2, 'b'), []string{"a"}, errBundleCut},
		{"a length beyond everything", append(bundleOf("a"), 0xff, 0xff, 0xff, 0xff), []string{"a"}, errBundleCut},
		{"nested", bundleOf("a", string(bundleOf("b"))), []string{"a", string(bundleOf("b"))}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if !isBundle(tc.bundle) {
				t.Error("it is not taken for a bundle")
			}
			got, err := unbundled(tc.bundle)
			if !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBundleRoundTrip(t *testing.T) {
	var buffer []byte // is used again and again
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.String(), 1, bundleParts).Draw(t, "parts")
		var batch []outMessage
		size := bundleHead
		for _, part := range want {
			batch = append(batch, outMessage{body: []byte(part)})
			size += partHead + len(part)
		}
		if size > bundleBytes {
			t.Skip("longer than the outbox makes them")
		}
		buffer = bundle(buffer, batch)
		if len(buffer) != size {
			t.Errorf("a bundle of %d bytes, want %d", len(buffer), size)
		}
		got, err := unbundled(buffer)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v, parts (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzUnbundle: whatever comes, its parts lie in it one behind the other, do not reach into
// each other, and make it up if there is no error.
func FuzzUnbundle(f *testing.F) {
	f.Add(bundleOf("a"))
	f.Add(bundleOf("a", "", string(bundleOf("b", "c"))))
	f.Add(append(bundleOf("a"), 0xff, 0xff, 0xff, 0xff))
	f.Add(bundleOf(make([]string, bundleParts+1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !isBundle(b) {
			return
		}
		var batch []outMessage
		err := unbundle(b, func(part []byte) {
			if cap(part) != len(part) {
				t.Fatal("a part reaches into the next one")
			}
			batch = append(batch, outMessage{body: part})
		})
		if len(batch) > bundleParts {
			t.Fatalf("%d parts", len(batch))
		}
		again := bundle(nil, batch)
		if !bytes.HasPrefix(b, again) || (err == nil) != (len(again) == len(b) && len(batch) > 0) {
			t.Fatalf("error %v, %d of %d bytes are parts", err, len(again), len(b))
		}
	})
}
