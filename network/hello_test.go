package network

import (
	"testing"
	"time"
)

func TestReachedFrom(t *testing.T) {
	for name, tc := range map[string]struct {
		own, there Address
		want       string // "" for nowhere
	}{
		"an address":          {Address{Host: "10.0.0.1", Port: 5673}, Address{Host: "10.0.0.2", Port: 1}, "10.0.0.1:5673"},
		"loopback, from here": {Address{Host: "127.0.0.1", Port: 5672}, Address{Host: "127.0.0.1", Port: 1}, ""},
		"no such host":        {Address{Host: "127.0.0.1", Port: 5672}, Address{Host: "not.a.name.invalid", Port: 1}, ""},
	} {
		got := reachedFrom(tc.own, tc.there)
		if text := got.String(); got.IsValid() && text != tc.want || !got.IsValid() && tc.want != "" {
			t.Errorf("%s: %s, want %q", name, text, tc.want)
		}
	}
}

// However many ask, a node does not answer more often than so.
func TestAnswersAreBounded(t *testing.T) {
	var d directory
	now := time.Now()
	n := 0
	for range 10 * answersInASecond {
		if d.mayAnswer(now) {
			n++
		}
	}
	if n != answersInASecond {
		t.Errorf("%d answers in a second, want %d", n, answersInASecond)
	}
	if !d.mayAnswer(now.Add(time.Second)) {
		t.Error("no answer a second later")
	}
}
