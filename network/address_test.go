package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"
)

// secretly lets cmp look at Secrets and print them as text.
var secretly = cmp.Transformer("Secret", func(s Secret) string { return s.Reveal() })

func TestParseAddress(t *testing.T) {
	guest := func(host string, port int) Address {
		return Address{Host: host, Port: port, User: "guest", Password: NewSecret("guest"), VHost: "/"}
	}
	tests := []struct {
		name, text string
		defaults   Address
		want       Address
	}{
		{name: "name", text: "rabbit", want: guest("rabbit", 5672)},
		{name: "name in capitals", text: "Rabbit.Example", want: guest("rabbit.example", 5672)},
		{name: "name and port", text: "rabbit:1234", want: guest("rabbit", 1234)},
		{name: "underscore", text: "my_rabbit", want: guest("my_rabbit", 5672)},
		{name: "IPv4", text: "10.0.0.1", want: guest("10.0.0.1", 5672)},
		{name: "IPv4 and port", text: "10.0.0.1:1", want: guest("10.0.0.1", 1)},
		{name: "IPv6", text: "2001:DB8::1", want: guest("2001:db8::1", 5672)},
		{name: "IPv6 in brackets", text: "[::1]", want: guest("::1", 5672)},
		{name: "IPv6 and port", text: "[::1]:65535", want: guest("::1", 65535)},
		{name: "IPv6 with zone", text: "fe80::1%eth0", want: guest("fe80::1%eth0", 5672)},
		{name: "IPv4 in IPv6", text: "::ffff:10.0.0.1", want: guest("10.0.0.1", 5672)},
		{name: "URL", text: "amqp://rabbit", want: guest("rabbit", 5672)},
		{name: "URL with a slash", text: "amqp://rabbit/", want: guest("rabbit", 5672)},
		{name: "URL in capitals", text: "AMQP://rabbit/", want: guest("rabbit", 5672)},
		{name: "URL, IPv6", text: "amqp://[fe80::1%25eth0]:99/", want: guest("fe80::1%eth0", 99)},
		{name: "all of it", text: "amqp://me:pw@rabbit:99/v?heartbeat=7",
			want: Address{Host: "rabbit", Port: 99, User: "me", Password: NewSecret("pw"), VHost: "v", Heartbeat: 7 * time.Second}},
		{name: "TLS", text: "amqps://me:pw@rabbit/v",
			want: Address{TLS: true, Host: "rabbit", Port: 5671, User: "me", Password: NewSecret("pw"), VHost: "v"}},
		{name: "percent-encoding", text: "amqp://a%40b:p%3A%2F%3f%23%40%25+@h/%2Fv%2F",
			want: Address{Host: "h", Port: 5672, User: "a@b", Password: NewSecret("p:/?#@%+"), VHost: "/v/"}},
		{name: "encoded virtual host /", text: "amqp://h/%2F", want: guest("h", 5672)},
		{name: "user without password", text: "amqp://me@h", want: Address{Host: "h", Port: 5672, User: "me", Password: NewSecret("guest"), VHost: "/"}},
		{name: "empty password", text: "amqp://me:@h", want: Address{Host: "h", Port: 5672, User: "me", VHost: "/"}},

		{name: "defaults", text: "h", defaults: Address{Port: 9, User: "u", Password: NewSecret("p"), VHost: "v", Heartbeat: time.Second},
			want: Address{Host: "h", Port: 9, User: "u", Password: NewSecret("p"), VHost: "v", Heartbeat: time.Second}},
		{name: "defaults are overruled", text: "amqp://me:pw@h:1/w?heartbeat=2", defaults: Address{Port: 9, User: "u", Password: NewSecret("p"), VHost: "v", Heartbeat: time.Second},
			want: Address{Host: "h", Port: 1, User: "me", Password: NewSecret("pw"), VHost: "w", Heartbeat: 2 * time.Second}},
		{name: "default port is not for the other scheme", text: "amqps://h", defaults: Address{Port: 9},
			want: Address{TLS: true, Host: "h", Port: 5671, User: "guest", Password: NewSecret("guest"), VHost: "/"}},
		{name: "TLS by default", text: "h", defaults: Address{TLS: true, Port: 9},
			want: Address{TLS: true, Host: "h", Port: 9, User: "guest", Password: NewSecret("guest"), VHost: "/"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseAddress(test.text, test.defaults)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, secretly); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(test.text, "://") && test.defaults == (Address{}) {
				sameAsClient(t, test.text, got)
			}
		})
	}
}

// sameAsClient checks that amqp091-go understands the same.
func sameAsClient(t *testing.T, text string, got Address) {
	t.Helper()
	uri, err := amqp.ParseURI(text)
	if err != nil {
		t.Fatalf("amqp.ParseURI: %v", err)
	}
	want := Address{TLS: uri.Scheme == "amqps", Host: strings.ToLower(uri.Host), Port: uri.Port,
		User: uri.Username, Password: NewSecret(uri.Password), VHost: uri.Vhost, Heartbeat: got.Heartbeat}
	if diff := cmp.Diff(want, got, secretly); diff != "" {
		t.Errorf("amqp.ParseURI understands something else (-amqp +got):\n%s", diff)
	}
}

func TestParseAddressErrors(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "host is empty"},
		{"empty host", ":5672", "host is empty"},
		{"empty host in URL", "amqp:///v", "host is empty"},
		{"blank", "a b", "blank"},
		{"line end", "host\n", "control"},
		{"other scheme", "http://h", "amqp or amqps"},
		{"user without URL", "hidden:hidden@h", "amqp://user"},
		{"path without URL", "h/v", "amqp://user"},
		{"port in words", "h:amqp", "number from 1 to 65535"},
		{"empty port", "h:", "number from 1 to 65535"},
		{"port 0", "amqp://h:0", "number from 1 to 65535"},
		{"large port", "h:65536", "number from 1 to 65535"},
		{"signed port", "h:+5", "number from 1 to 65535"},
		{"IPv6 and port without brackets", "amqp://::1:5672", "brackets"},
		{"name in brackets", "[hidden]", "IPv6"},
		{"IPv4 in brackets", "[1.2.3.4]", "IPv6"},
		{"open bracket", "[::1", "want host"},
		{"after the bracket", "[::1]5", "want host"},
		{"odd host", "h,i", "neither a name nor"},
		{"host begins with a dot", ".h", "neither a name nor"},
		{"long host", strings.Repeat("h", 254), "neither a name nor"},
		{"empty user", "amqp://:pw@h", "user name is empty"},
		{"bad encoding in user", "amqp://%zzhidden:pw@h", "percent-encoded"},
		{"bad encoding in password", "amqp://me:%zzhidden@h", "percent-encoded"},
		{"bad encoding in virtual host", "amqp://h/%zzhidden", "virtual host"},
		{"slash in password", "amqp://me:1/hidden@h", "percent-encoded"},
		{"question mark in password", "amqp://me:1?hidden=1@h", "percent-encoded"},
		{"hash in password", "amqp://me:1#hidden@h", "percent-encoded"},
		{"colon in password", "amqp://me:1:hidden", "%3A"},
		{"fragment", "amqp://h/#hidden", "percent-encoded"},
		{"zero byte", "amqp://me:pw%00hidden@h", "zero byte"},
		{"long virtual host", "amqp://h/" + strings.Repeat("v", 256), "255"},
		{"heartbeat 0", "amqp://h/?heartbeat=0", "heartbeat has to be a number from 1 to 65535"},
		{"heartbeat in words", "amqp://h/?heartbeat=hidden", "heartbeat has to be"},
		{"two heartbeats", "amqp://h/?heartbeat=1&heartbeat=2", "more than once"},
		{"option of pika", "amqp://h/?connection_attempts=3&heartbeat=5", `no option "connection_attempts"; set ConnectionAttempts`},
		{"odd option", "amqp://h/?hid%20den=3", `no option "..."`},
		{"option without name", "amqp://h/?=3", `no option "..."`},
		{"bad encoding in option", "amqp://h/?heartbeat=%zzhidden", "bad percent-encoding"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseAddress(test.text, Address{})
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hid") {
				t.Errorf("error %q, want an ErrConfig that says %q and quotes nothing", err, test.want)
			}
		})
	}
}

func TestAddressString(t *testing.T) {
	tests := []struct{ text, want string }{
		{"h", "amqp://guest@h:5672/"},
		{"amqps://me:hidden@h/v%2Fw", "amqps://me@h:5671/v%2Fw"},
		{"amqp://m%40e@[fe80::1%25eth0]:1/?heartbeat=3", "amqp://m%40e@[fe80::1%25eth0]:1/?heartbeat=3"},
	}
	for _, test := range tests {
		a, err := ParseAddress(test.text, Address{})
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{a.String(), fmt.Sprintf("%+v", a), fmt.Sprintf("%v", []Address{a})} {
			if strings.Trim(got, "[]") != strings.Trim(test.want, "[]") {
				t.Errorf("%q is printed as %q, want %q", test.text, got, test.want)
			}
		}
	}
}

// An address printed and read again is the same, but for the password.
func TestAddressRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Address{
			TLS:       rapid.Bool().Draw(t, "tls"),
			Host:      rapid.SampledFrom([]string{"h", "a-b.c_d", "10.0.0.1", "::1", "fe80::1%eth0"}).Draw(t, "host"),
			Port:      rapid.IntRange(1, 65535).Draw(t, "port"),
			User:      rapid.StringMatching(`[^\x00]{1,20}`).Draw(t, "user"),
			Password:  NewSecret(rapid.StringMatching(`[^\x00]{0,20}`).Draw(t, "password")),
			VHost:     rapid.StringMatching(`[^\x00]{1,20}`).Draw(t, "vhost"),
			Heartbeat: time.Duration(rapid.IntRange(0, 65535).Draw(t, "heartbeat")) * time.Second,
		}
		got, err := ParseAddress(a.String(), Address{Password: a.Password, User: "x"})
		if err != nil {
			t.Fatalf("%v: %v", a, err)
		}
		if got != a {
			t.Fatalf("(-want +got):\n%s", cmp.Diff(a, got, secretly))
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"h", "[::1]:5", "amqp://me:pw@rabbit:99/v?heartbeat=7", "amqps://%40:%zz@h//?=", "amqp://[fe80::1%25eth0]:99/", "::ffff:1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text, Address{})
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("error %v, want an ErrConfig", err)
			}
			return
		}
		b, err := ParseAddress(a.String(), Address{User: "x", Password: a.Password})
		if err != nil || a != b {
			t.Fatalf("%q is %q, and that is %q, %v", text, a, b, err)
		}
	})
}

func TestSecret(t *testing.T) {
	const text = "hidden"
	s := NewSecret(text)
	type outer struct {
		Shown  Secret
		inside Secret
		list   []Secret
		by     *Secret
	}
	o := outer{s, s, []Secret{s}, &s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, value := range []any{s, &s, o, &o, []any{o}, Address{Password: s}, struct{ a Address }{Address{Password: s}}} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
	if got, err := json.Marshal(map[string]any{"s": s, "o": o, "a": Address{Password: s}}); err != nil || strings.Contains(string(got), text) {
		t.Errorf("JSON is %s, %v", got, err)
	}
	switch {
	case s.Reveal() != text, s.IsZero(), s.String() != "(secret)":
		t.Error("a Secret is not what it should be")
	case s != NewSecret("hid"+"den"), s == NewSecret("other"), Secret{} != NewSecret(""):
		t.Error("comparing does not work")
	case !(Secret{}).IsZero(), (Secret{}).Reveal() != "", (Secret{}).String() != "(none)":
		t.Error("the zero Secret is not the empty text")
	}
}
