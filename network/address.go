package network

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an address means that leaves something out; see ParseAddress.
const (
	DefaultPort    = 5672 // amqp
	DefaultTLSPort = 5671 // amqps
	DefaultVHost   = "/"

	defaultUser     = "guest"
	defaultPassword = "guest"
)

// Address says how to reach one broker. Two are the same if they are ==. Printing
// one never shows the password.
type Address struct {
	TLS       bool          // amqps
	Host      string        // name or IP address in its canonical form, without brackets
	Port      int           // 1 to 65535
	User      string        // not empty
	Password  Secret        //
	VHost     string        // virtual host, not empty
	Heartbeat time.Duration // whole seconds; 0 leaves it to the Transport
}

// ParseAddress reads the address of a broker in one of these forms:
//
//	host            a name, an IPv4 address or an IPv6 address
//	host:port       an IPv6 address goes in brackets: [::1]:5672
//	amqp://user:password@host:port/vhost?heartbeat=10
//	amqps://...     the same over TLS
//
// Of an amqp URL, everything but the host may be missing. What is missing comes
// from defaults, and what is zero there is port 5672, or 5671 for amqps, user
// and password guest, and virtual host "/". defaults.Port counts only where its
// TLS is the same as the address's.
//
// The rules are those of the AMQP URI specification (rabbitmq.com/docs/uri-spec) as
// the clients read it, amqp091-go and pika among them: user, password and virtual
// host are percent-encoded; an empty path ("amqp://h/") is the default virtual
// host, and "amqp://h/%2F" is "/". The one option is heartbeat, in seconds, 1 to 65535;
// another one is an error.
//
// The error wraps ErrConfig and contains nothing of the text but the name of an
// option.
func ParseAddress(text string, defaults Address) (Address, error) {
	a, err := parseAddress(text, defaults)
	if err != nil {
		return Address{}, misconfigured("broker address", "%w", err)
	}
	return a, nil
}

var (
	errEncode = errors.New("a user name, password or virtual host with one of / ? # @ : % in it has to be percent-encoded")
	errForm   = errors.New("want host, host:port or amqp://user:password@host:port/vhost")
)

// parseAddress returns the reason alone as error.
func parseAddress(text string, defaults Address) (Address, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Address{}, errors.New("it holds a blank or a control character")
	}
	a := defaults.complete()
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		if strings.ContainsAny(text, "/?#@") {
			return Address{}, errForm
		}
		rest = text
	} else {
		switch strings.ToLower(scheme) {
		case "amqp":
			a.TLS = false
		case "amqps":
			a.TLS = true
		default:
			return Address{}, errors.New("the scheme has to be amqp or amqps")
		}
	}
	if a.TLS != defaults.TLS {
		a.Port = 0 // of the other scheme
	}

	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if strings.ContainsAny(tail, "@#") {
		return Address{}, errEncode
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if err := a.login(authority[:i]); err != nil {
			return Address{}, err
		}
		authority = authority[i+1:]
	}
	if err := a.hostPort(authority, !isURL); err != nil {
		return Address{}, err
	}
	path, query, _ := strings.Cut(tail, "?")
	if len(path) > 1 {
		vhost, err := url.PathUnescape(path[1:])
		if err != nil {
			return Address{}, errors.New("the virtual host has a bad percent-encoding")
		}
		a.VHost = vhost
	}
	if err := a.options(query); err != nil {
		return Address{}, err
	}
	a = a.complete()
	return a, a.check()
}

// complete fills in what is zero.
func (a Address) complete() Address {
	if a.Port == 0 {
		a.Port = DefaultPort
		if a.TLS {
			a.Port = DefaultTLSPort
		}
	}
	if a.VHost == "" {
		a.VHost = DefaultVHost
	}
	if a.User == "" {
		a.User = defaultUser
		if a.Password.IsZero() {
			a.Password = NewSecret(defaultPassword)
		}
	}
	return a
}

// check says what no broker could be asked: AMQP's short strings end at 255 bytes,
// and the PLAIN mechanism (RFC 4616) parts user and password by a zero byte.
func (a Address) check() error {
	switch {
	case a.Host == "":
		return errors.New("the host is empty")
	case a.Port < 1 || a.Port > 65535:
		return errors.New("the port has to be a number from 1 to 65535")
	case len(a.VHost) > 255:
		return errors.New("the virtual host is longer than 255 bytes")
	case len(a.User) > 255 || len(a.Password.Reveal()) > 4096:
		return errors.New("the user name or password is too long")
	case strings.ContainsRune(a.VHost+a.User+a.Password.Reveal(), 0):
		return errors.New("the user name, password or virtual host holds a zero byte")
	}
	return nil
}

func (a *Address) login(userinfo string) error {
	name, password, given := strings.Cut(userinfo, ":")
	user, err := url.PathUnescape(name)
	if err != nil {
		return errEncode
	}
	if user == "" {
		return errors.New("the user name is empty")
	}
	a.User = user
	if given {
		if password, err = url.PathUnescape(password); err != nil {
			return errEncode
		}
		a.Password = NewSecret(password)
	}
	return nil
}

func (a *Address) hostPort(text string, bare bool) error {
	host, port, hasPort := text, "", false
	switch {
	case strings.HasPrefix(text, "["):
		inside, after, closed := strings.Cut(text[1:], "]")
		if port, hasPort = strings.CutPrefix(after, ":"); !closed || !hasPort && after != "" {
			return errForm
		}
		inside = strings.Replace(inside, "%25", "%", 1) // a zone in a URL, RFC 6874
		if ip, err := netip.ParseAddr(inside); err != nil || !ip.Is6() {
			return errors.New("what is in the brackets is not an IPv6 address")
		}
		host = inside
	case strings.Count(text, ":") == 1:
		host, port, hasPort = strings.Cut(text, ":")
	case strings.Contains(text, ":"):
		if ip, err := netip.ParseAddr(text); err != nil || !ip.Is6() || !bare {
			return errors.New("too many colons: an IPv6 address goes in brackets, and a colon in a user name or password is written %3A")
		}
	}
	if host == "" {
		return errors.New("the host is empty")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if strings.ContainsAny(ip.Zone(), "[]%/?#@") {
			return errors.New("the zone of the IPv6 address is not the name of an interface")
		}
		a.Host = ip.Unmap().String()
	} else if a.Host = strings.ToLower(host); !isName(a.Host) {
		return errors.New("the host is neither a name nor an IP address")
	}
	if hasPort {
		n, err := parsePort(port)
		if err != nil {
			return err
		}
		a.Port = n
	}
	return nil
}

// isName says whether it looks like a host name (RFC 1123), underscores let in
// because containers have them.
func isName(host string) bool {
	for _, r := range host {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_') {
			return false
		}
	}
	return host != "" && len(host) <= 253 && host[0] != '.' && host[0] != '-' && !strings.Contains(host, "..")
}

func parsePort(text string) (int, error) {
	n, err := wholeNumber(text, 1, 65535)
	if err != nil {
		return 0, fmt.Errorf("the port has to be %w", err)
	}
	return n, nil
}

// wholeNumber's error reads "a number from x to y" and does not repeat the text.
func wholeNumber(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most || text[0] == '+' {
		return 0, fmt.Errorf("a number from %d to %d", least, most)
	}
	return n, nil
}

// instead tells where a setting is found that other clients take from the URL.
var instead = map[string]string{
	"connection_attempts": "; set ConnectionAttempts or CONNECTION_ATTEMPTS",
	"heartbeat_interval":  "; it is called heartbeat",
	"cacertfile":          "; set TLS of the transport",
	"certfile":            "; set TLS of the transport",
	"keyfile":             "; set TLS of the transport",
}

func (a *Address) options(query string) error {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("its options have a bad percent-encoding")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if name != "heartbeat" {
			if len(name) > 40 || !isName(name) {
				name = "..."
			}
			return fmt.Errorf("there is no option %q%s", name, instead[name])
		}
		if len(value) != 1 {
			return errors.New("option heartbeat is given more than once")
		}
		seconds, err := wholeNumber(value[0], 1, 65535)
		if err != nil {
			return fmt.Errorf("option heartbeat has to be %w", err)
		}
		a.Heartbeat = time.Duration(seconds) * time.Second
	}
	return nil
}

// HostPort returns "host:port", which net.Dial understands.
func (a Address) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// String returns the address as a URL without the password. ParseAddress reads it.
func (a Address) String() string {
	var b strings.Builder
	b.WriteString("amqp")
	if a.TLS {
		b.WriteByte('s')
	}
	b.WriteString("://")
	if a.User != "" {
		b.WriteString(url.User(a.User).String() + "@")
	}
	b.WriteString(strings.Replace(a.HostPort(), "%", "%25", 1))
	b.WriteByte('/')
	if a.VHost != DefaultVHost {
		b.WriteString(strings.ReplaceAll(url.PathEscape(a.VHost), "@", "%40"))
	}
	if a.Heartbeat != 0 {
		fmt.Fprintf(&b, "?heartbeat=%d", a.Heartbeat/time.Second)
	}
	return b.String()
}
