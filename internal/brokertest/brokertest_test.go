package brokertest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// verdict is a testing.TB that keeps what it is told.
type verdict struct {
	testing.TB
	said string
}

func (v *verdict) Helper()                   {}
func (v *verdict) Skipf(f string, a ...any)  { v.say("skip: ", f, a) }
func (v *verdict) Fatalf(f string, a ...any) { v.say("fail: ", f, a) }
func (v *verdict) say(how, f string, a []any) {
	v.said = how + fmt.Sprintf(f, a...)
	runtime.Goexit()
}

func TestRabbitMQ(t *testing.T) {
	for _, c := range []struct {
		name, url, require string
		want, said         string // the URL, or the beginning of what is said
	}{
		{"there is one", "amqp://u:p@h:1/", "", "amqp://u:p@h:1/", ""},
		{"there is one, and has to be", "amqp://u:p@h:1/", "1", "amqp://u:p@h:1/", ""},
		{"there is none", "", "", "", "skip: " + URLVariable + " is not set"},
		{"there is none, but has to be", "", "1", "", "fail: " + RequireVariable + "=1 asks for RabbitMQ"},
		{"not asked for", "", "0", "", "skip: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(URLVariable, c.url)
			t.Setenv(RequireVariable, c.require)
			var got string
			v := &verdict{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				got = RabbitMQ(v)
			}()
			<-done
			if got != c.want || !strings.HasPrefix(v.said, c.said) || (v.said == "") != (c.said == "") {
				t.Errorf("got %q and %q, want %q and %q", got, v.said, c.want, c.said)
			}
		})
	}
}
