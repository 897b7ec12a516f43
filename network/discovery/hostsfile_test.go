package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostsJSON returns the content of a hosts file.
func hostsJSON(t testing.TB, hosts ...string) string {
	t.Helper()
	content, err := json.Marshal(map[string]any{"hosts": append([]string{}, hosts...)})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func readHostsFile(t *testing.T, content string) ([]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts.json")
	putFile(t, path, content)
	return ReadHosts(path)
}

func TestReadHosts(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := label + "." + label + "." + label + "." + label[:61]
	tests := []struct {
		name        string
		hosts, want []string // want is hosts if nil
	}{
		{"none", []string{}, nil},
		{"addresses", []string{"10.0.0.7", "127.0.0.1", "0.0.0.1", "223.255.255.255"}, nil},
		{"addresses with ports", []string{"10.0.0.8:5673", "10.0.0.8:1", "10.0.0.8:65535", "10.0.0.8"}, nil},
		{"IPv6", []string{"::1", "fe80::1%eth0", "fe80::1%br-1.2", "[::1]:5672", "[fe80::1%eth0]:5672", "2001:db8::"}, nil},
		{"names", []string{"localhost", "laptop.local", "a", "x1", "1x", "3com.com", "a-b", "x.0y", "xn--bcher-kva.example"}, nil},
		{"names with ports", []string{"laptop.local:5673", "localhost:1"}, nil},
		{"name with a dot at the end", []string{"laptop.local.", "laptop.local.:5672"}, nil},
		{"case stays", []string{"Laptop.LOCAL"}, nil},
		{"the longest name", []string{longest, longest + ":65535"}, nil},
		{"order stays", []string{"c", "a", "b", "10.0.0.2", "10.0.0.1"}, nil},
		{"twice", []string{"b", "a", "b", "a:1", "a:2", "a:1"}, []string{"b", "a", "a:1", "a:2"}},
		{"twice in other words", []string{"Laptop.local", "LAPTOP.LOCAL", "::1", "0:0::1", "10.0.0.7", "::ffff:10.0.0.7", "a:05672", "a:5672"},
			[]string{"Laptop.local", "::1", "10.0.0.7", "a:05672"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want == nil {
				want = append(want, test.hosts...)
			}
			got, err := readHostsFile(t, hostsJSON(t, test.hosts...))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// badHosts are entries that are no hosts, and what is said of them.
var badHosts = []struct{ entry, says string }{
	{"", "empty"},
	{":5672", "empty"},
	{"[]:5672", "brackets"},
	{" 10.0.0.7", "blank"},
	{"10.0.0.7 ", "blank"},
	{"my host", "blank"},
	{"a\nb", "control character"},
	{"a\x00b", "control character"},
	{"a\x1b[31mb", "control character"},
	{"a\x7fb", "control character"},
	{"10.0.0.999", "not an IPv4 address"},
	{"10.0.0", "not an IPv4 address"},
	{"10.0.0.1.2", "not an IPv4 address"},
	{"010.0.0.7", "not an IPv4 address"},
	{"10.0.0.7.", "not an IPv4 address"},
	{"0x7f.0x1", "not an IPv4 address"},
	{"0X7F000001", "not an IPv4 address"},
	{"0x", "not an IPv4 address"},
	{"2130706433", "not an IPv4 address"},
	{"laptop.7", "not an IPv4 address"},
	{"10.0.0.0/24", "URL"},
	{"amqp://10.0.0.7", "URL"},
	{"amqp://guest:hunter2@10.0.0.7:5672/", "URL"},
	{"guest@10.0.0.7", "URL"},
	{"10.0.0.7?heartbeat=3", "URL"},
	{"10.0.0.7#", "URL"},
	{"10.0.0.7:0", "port"},
	{"10.0.0.7:65536", "port"},
	{"10.0.0.7:-1", "port"},
	{"10.0.0.7:+1", "port"},
	{"10.0.0.7:", "port"},
	{"10.0.0.7:5672x", "port"},
	{"10.0.0.7:99999999999999999999", "port"},
	{"laptop:http", "port"},
	{"guest:hunter2", "port"},
	{"10.0.0.7:1:2", "not an IPv6 address"},
	{"laptop:1:2", "not an IPv6 address"},
	{"::g", "not an IPv6 address"},
	{":::", "not an IPv6 address"},
	{"1:2:3:4:5:6:7:8:9", "not an IPv6 address"},
	{"fe80::1%", "not an IPv6 address"},
	{"fe80::1%a!b", "zone"},
	{"fe80::1%\u00e9", "zone"},
	{"[::1]", "brackets"},
	{"[::1", "brackets"},
	{"[::1]5672", "brackets"},
	{"[::1]:", "port"},
	{"[::1]:0", "port"},
	{"[10.0.0.7]:5672", "brackets"},
	{"[laptop]:5672", "brackets"},
	{"[[::1]]:5672", "brackets"},
	{"::1]:5672", "not an IPv6 address"},
	{"0.0.0.0", "no host has"},
	{"0.0.0.0:5672", "no host has"},
	{"::", "no host has"},
	{"::ffff:0.0.0.0", "no host has"},
	{"255.255.255.255", "no host has"},
	{"224.0.0.1", "no host has"},
	{"ff02::1", "no host has"},
	{"b\u00fcro.local", "RFC 1123"},
	{"\u212aelvin", "RFC 1123"}, // a sign whose lower case is k
	{"a\u00a0b", "RFC 1123"},
	{"under_score", "RFC 1123"},
	{"a%b", "RFC 1123"},
	{"*.local", "RFC 1123"},
	{"-a", "hyphen"},
	{"a-", "hyphen"},
	{"a.-b.c", "hyphen"},
	{"a..b", "two dots"},
	{".a", "two dots"},
	{"a..", "two dots"},
	{".", "two dots"},
	{strings.Repeat("a", 64), "63 characters"},
	{strings.Repeat("a.", 127), "253 characters"},
	{"fe80::1%" + strings.Repeat("a", 250), "253 characters"},
	{strings.Repeat("a", 100_000), "253 characters"},
}

// A bad entry is told, and the others are used.
func TestReadHostsBadEntry(t *testing.T) {
	for _, test := range badHosts {
		name := test.entry[:min(len(test.entry), 40)]
		t.Run(name, func(t *testing.T) {
			hosts, err := readHostsFile(t, hostsJSON(t, "first", test.entry, "10.0.0.7"))
			if diff := cmp.Diff([]string{"first", "10.0.0.7"}, hosts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var bad *EntriesError
			if !errors.As(err, &bad) || bad.Total != 3 || bad.Bad != 1 || len(bad.First) != 1 || bad.Unused != 0 || bad.First[0].Number != 2 {
				t.Fatalf("error %#v, want the second entry alone", err)
			}
			text := strings.ReplaceAll(err.Error(), bad.Path, "PATH")
			if !strings.Contains(text, test.says) || len(text) > 500 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("error %q, want a line with %q", text, test.says)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("error %q shows a password", text)
			}
			if shown := test.entry != "" && len(test.entry) < 20 && !strings.ContainsAny(test.entry, "@/"); shown && bad.First[0].Text == "" {
				t.Errorf("error %q does not show the entry", text)
			}
		})
	}
}

func TestReadHostsWrongTypes(t *testing.T) {
	hosts, err := readHostsFile(t, `{"hosts": [null, 7, "a", true, {"b": "b"}, ["c"], "d", 1e999]}`)
	if diff := cmp.Diff([]string{"a", "d"}, hosts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var bad *EntriesError
	if !errors.As(err, &bad) || bad.Bad != 6 {
		t.Fatalf("error %v, want six bad entries", err)
	}
	var got []string
	for _, entry := range bad.First {
		got = append(got, entry.Error())
	}
	if diff := cmp.Diff([]string{
		"entry 1: it is null instead of a text",
		"entry 2: it is a number instead of a text",
		"entry 4: it is true or false instead of a text",
		"entry 5: it is an object instead of a text",
		"entry 6: it is a list instead of a text",
		"entry 8: it is a number instead of a text",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of many bad entries the first ten are told, and the rest is counted.
func TestReadHostsManyBadEntries(t *testing.T) {
	entries := []string{"good"}
	for i := range 25 {
		entries = append(entries, fmt.Sprintf("10.0.0.%d", 256+i))
	}
	hosts, err := readHostsFile(t, hostsJSON(t, entries...))
	if diff := cmp.Diff([]string{"good"}, hosts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var bad *EntriesError
	if !errors.As(err, &bad) || bad.Bad != 25 || len(bad.First) != 10 || bad.Total != 26 || bad.First[9].Text != "10.0.0.265" {
		t.Fatalf("error %#v, want the first ten of 25", err)
	}
	for _, part := range []string{bad.Path + ": 25 of 26 entries", `entry 2, "10.0.0.256": it is not`, `; entry 11, "10.0.0.265"`, "; and 15 more"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	var entry EntryError
	if !errors.As(err, &entry) || entry.Number != 2 {
		t.Errorf("errors.As finds %v, want the first entry", entry)
	}
}

func TestReadHostsTooMany(t *testing.T) {
	var entries []string
	for i := range 10_000 {
		entries = append(entries, fmt.Sprintf("10.1.%d.%d", i/250, i%250))
	}
	hosts, err := readHostsFile(t, hostsJSON(t, append(entries, entries...)...))
	if diff := cmp.Diff(entries[:maxFileEntries], hosts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var bad *EntriesError
	if !errors.As(err, &bad) || bad.Bad != 0 || bad.Total != 20_000 || bad.Unused != 10_000-maxFileEntries {
		t.Fatalf("error %#v, want the unused ones counted once", err)
	}
	if !strings.Contains(err.Error(), "it has 20000 entries, and only the first 1024 hosts are used") {
		t.Errorf("error %q", err)
	}
	if hosts, err := readHostsFile(t, hostsJSON(t, append(entries[:maxFileEntries:maxFileEntries], entries[0])...)); len(hosts) != maxFileEntries || err != nil {
		t.Errorf("%d hosts, error %v; want all", len(hosts), err)
	}
}

// A file of which the end is missing names no hosts.
func TestReadHostsTorn(t *testing.T) {
	content := "\ufeff" + `{"a": [1, {"b": null}], "hosts": ["10.0.0.7", "laptop.local:5673", "::1"], "c": "d"}` + "\n"
	for cut := range content {
		hosts, bad, err := parseHosts([]byte(content[:cut]))
		if cut == len(content)-1 { // only the newline is missing
			if len(hosts) != 3 || err != nil {
				t.Errorf("without the newline: hosts %q, error %v", hosts, err)
			}
			continue
		}
		if hosts != nil || bad != nil || !errors.Is(err, ErrSyntax) {
			t.Errorf("the first %d bytes: hosts %q, error %v; want ErrSyntax", cut, hosts, err)
		}
	}
}

func FuzzHosts(f *testing.F) {
	f.Add([]byte(hostsJSON(f, "10.0.0.7", "laptop.local", "10.0.0.8:5673", "::1", "[fe80::1%eth0]:5672")))
	f.Add([]byte("\ufeff{\"hosts\":[1,null,\"\\ud800\",\"a\\u0000\"],\"x\":{\"hosts\":[]}}"))
	f.Add([]byte(`{"hosts":["a"],"hosts":[]}`))
	for _, bad := range badHosts {
		if len(bad.entry) < 100 {
			f.Add([]byte(hostsJSON(f, bad.entry, "a")))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		hosts, bad, err := parseHosts(content)
		if err != nil {
			if hosts != nil || !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrContent) {
				t.Fatalf("hosts %q, error %v", hosts, err)
			}
			return
		}
		if n := len(hosts) + bad.Bad + bad.Unused; n > bad.Total || len(hosts) > maxFileEntries || len(bad.First) != min(bad.Bad, maxEntryErrors) {
			t.Fatalf("%d hosts, %+v", len(hosts), bad)
		}
		if text := bad.Error(); strings.Contains(text, "\n") || len(text) > 4000 {
			t.Fatalf("error %q", text)
		}
		for _, host := range hosts {
			if !usableHost(host) {
				t.Fatalf("host %q", host)
			}
		}
		again, bad, err := parseHosts([]byte(hostsJSON(t, hosts...)))
		if diff := cmp.Diff(hosts, again); diff != "" || err != nil || bad.Bad+bad.Unused > 0 {
			t.Fatalf("error %v, %+v (-want +got):\n%s", err, bad, diff)
		}
	})
}

// usableHost says, in other words than parseEntry, whether net.Dial could make
// something of it.
func usableHost(text string) bool {
	host := text
	if _, err := netip.ParseAddr(text); err != nil {
		if h, port, err := net.SplitHostPort(text); err == nil {
			n, err := net.LookupPort("tcp", port)
			if err != nil || n < 1 {
				return false
			}
			host = h
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return !addr.Unmap().IsUnspecified() && !addr.Unmap().IsMulticast()
	}
	return host != "" && len(host) <= 253 && strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == ""
}
