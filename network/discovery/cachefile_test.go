package discovery

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// cacheOf returns a cache with addresses as in the file.
func cacheOf(timeOut time.Duration, addresses ...string) Cache {
	c := Cache{TimeOut: timeOut}
	for _, text := range addresses {
		if addr, err := netip.ParseAddr(text); err == nil {
			c.Addresses = append(c.Addresses, netip.AddrPortFrom(addr, 0))
		} else {
			c.Addresses = append(c.Addresses, netip.MustParseAddrPort(text))
		}
	}
	return c
}

// diffCache compares what the files say.
func diffCache(want, got Cache) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(Cache{}, "Written"), cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty())
}

func TestReadCache(t *testing.T) {
	tests := []struct {
		name, content string
		want          Cache
	}{
		{"the originals'", `{"addresses": ["192.168.1.75", "192.168.1.68"], "amqp_urls": ["amqp://bob:dobbs@192.168.1.75:5672/%2F"], "time_out_in_minutes": 30}`,
			cacheOf(DefaultTimeOut, "192.168.1.75", "192.168.1.68")},
		{"ports", `{"addresses": ["10.77.0.2", "10.77.0.3:5673"], "time_out_in_minutes": 1}`, cacheOf(time.Minute, "10.77.0.2", "10.77.0.3:5673")},
		{"IPv6", `{"addresses": ["fe80::1%eth0", "[fe80::1%eth0]:5673", "::1"]}`, cacheOf(DefaultTimeOut, "fe80::1%eth0", "[fe80::1%eth0]:5673", "::1")},
		{"nobody", `{"addresses": []}`, cacheOf(DefaultTimeOut)},
		{"twice", `{"addresses": ["10.0.0.8", "10.0.0.7", "10.0.0.8", "10.0.0.8:1", "::ffff:10.0.0.7"]}`, cacheOf(DefaultTimeOut, "10.0.0.8", "10.0.0.7", "10.0.0.8:1")},
		{"expired", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 0}`, cacheOf(0, "10.0.0.8")},
		{"minus nothing", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": -0.0}`, cacheOf(0, "10.0.0.8")},
		{"fraction", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 0.5}`, cacheOf(30*time.Second, "10.0.0.8")},
		{"exponent", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 5E-1}`, cacheOf(30*time.Second, "10.0.0.8")},
		{"rounded", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 0.0000251}`, cacheOf(2*time.Millisecond, "10.0.0.8")},
		{"hardly anything", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 1e-400}`, cacheOf(0, "10.0.0.8")},
		{"a year", `{"addresses": ["10.0.0.8"], "time_out_in_minutes": 525600}`, cacheOf(MaxTimeOut, "10.0.0.8")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache")
			putFile(t, path, test.content)
			modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			if err := os.Chtimes(path, time.Time{}, modified); err != nil {
				t.Fatal(err)
			}
			got, err := ReadCache(path)
			if diff := diffCache(test.want, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if !got.Written.Equal(modified) {
				t.Errorf("written %v, want %v", got.Written, modified)
			}
		})
	}
}

// One thing that is wrong spoils all of a cache, because a node did not write it.
func TestReadCacheWrong(t *testing.T) {
	many := make([]string, maxFileEntries+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"10.0.%d.%d"`, i/250, i%250)
	}
	tests := []struct{ name, content, says string }{
		{"name", `{"addresses": ["10.0.0.7", "laptop.local"]}`, `entry 2, "laptop.local": it is a name`},
		{"number", `{"addresses": ["10.0.0.7", 7]}`, "entry 2: it is a number"},
		{"null", `{"addresses": [null]}`, "entry 1: it is null"},
		{"list", `{"addresses": [["10.0.0.7"]]}`, "entry 1: it is a list"},
		{"URL", `{"addresses": ["amqp://bob:dobbs@10.0.0.7/"]}`, "entry 1: it looks like a URL"},
		{"no address", `{"addresses": ["10.0.0.999"]}`, "not an IPv4 address"},
		{"nobody's address", `{"addresses": ["0.0.0.0"]}`, "no host has"},
		{"port", `{"addresses": ["10.0.0.7:0"]}`, "port"},
		{"too many", `{"addresses": [` + strings.Join(many, ",") + `]}`, "1025 addresses"},
		{"time-out negative", `{"addresses": [], "time_out_in_minutes": -1}`, "from 0 to 525600"},
		{"time-out hardly negative", `{"addresses": [], "time_out_in_minutes": -1e-300}`, "from 0 to 525600"},
		{"time-out too long", `{"addresses": [], "time_out_in_minutes": 525600.1}`, "from 0 to 525600"},
		{"time-out far too long", `{"addresses": [], "time_out_in_minutes": 1e999}`, "from 0 to 525600"},
		{"time-out a text", `{"addresses": [], "time_out_in_minutes": "30"}`, "a text instead of a number"},
		{"time-out null", `{"addresses": [], "time_out_in_minutes": null}`, "null instead of a number"},
		{"time-out a list", `{"addresses": [], "time_out_in_minutes": [30]}`, "a list instead of a number"},
		{"time-out twice", `{"addresses": [], "time_out_in_minutes": 1, "time_out_in_minutes": 2}`, "twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache")
			putFile(t, path, test.content)
			got, err := ReadCache(path)
			if diff := diffCache(Cache{}, got); diff != "" || !got.Written.IsZero() {
				t.Errorf("written %v (-want +got):\n%s", got.Written, diff)
			}
			wantFileError(t, err, path, ErrContent, test.says)
			if err != nil && strings.Contains(err.Error(), "dobbs") {
				t.Errorf("error %q shows a password", err)
			}
		})
	}
}

func TestCacheExpired(t *testing.T) {
	written := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	tests := []struct {
		name    string
		timeOut time.Duration
		age     time.Duration
		want    bool
	}{
		{"new", time.Minute, 0, false},
		{"nearly", time.Minute, time.Minute - 1, false},
		{"just now", time.Minute, time.Minute, true},
		{"long ago", time.Minute, time.Hour, true},
		{"at once", 0, 0, true},
		{"from the future", time.Minute, -1, true},
		{"from the far future", MaxTimeOut, -1 << 62, true},
		{"a year", MaxTimeOut, MaxTimeOut - 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := Cache{TimeOut: test.timeOut, Written: written}
			if got := c.Expired(written.Add(test.age)); got != test.want {
				t.Errorf("expired %v, want %v", got, test.want)
			}
		})
	}
	if !(Cache{TimeOut: math.MaxInt64}).Expired(time.Time{}) {
		t.Error("what was never written has not expired")
	}
}

func TestWriteCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".statemesh_lan_cache.json")
	c := cacheOf(90*time.Second, "10.77.0.2", "10.77.0.3:5673", "fe80::1%eth0", "[::1]:5672")
	before := time.Now().Add(-2 * time.Second) // file systems may be coarse
	if err := WriteCache(path, c); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "addresses": [
    "10.77.0.2",
    "10.77.0.3:5673",
    "fe80::1%eth0",
    "[::1]:5672"
  ],
  "time_out_in_minutes": 1.5
}
`
	if diff := cmp.Diff(want, getFile(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := ReadCache(path)
	if err != nil || got.Written.Before(before) || got.Written.After(time.Now()) || got.Expired(time.Now()) {
		t.Errorf("written %v, error %v", got.Written, err)
	}
	if err := WriteCache(path, Cache{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("{\n  \"addresses\": [],\n  \"time_out_in_minutes\": 1.5\n}\n", getFile(t, path)); diff != "" {
		t.Errorf("nobody (-want +got):\n%s", diff)
	}
	if err := WriteCache(path, cacheOf(time.Hour+1, "::ffff:10.0.0.7", "10.0.0.7")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("{\n  \"addresses\": [\n    \"10.0.0.7\"\n  ],\n  \"time_out_in_minutes\": 60\n}\n", getFile(t, path)); diff != "" {
		t.Errorf("in its plain form (-want +got):\n%s", diff)
	}
	if names := fileNames(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
}

func TestWriteCacheTimeOut(t *testing.T) {
	tests := []struct {
		name, old string // "" is no file
		write     time.Duration
		want      time.Duration
	}{
		{"default", "", 0, DefaultTimeOut},
		{"kept", `{"addresses": [], "time_out_in_minutes": 7}`, 0, 7 * time.Minute},
		{"none kept", `{"addresses": [], "time_out_in_minutes": 0}`, 0, 0},
		{"none to keep", `{"addresses": ["10.0.0.7"]}`, 0, DefaultTimeOut},
		{"broken", `{"addresses": ["10.0.0.7",], "time_out_in_minutes": 7}`, 0, DefaultTimeOut},
		{"wrong", `{"addresses": ["10.0.0.7"], "time_out_in_minutes": "7"}`, 0, DefaultTimeOut},
		{"empty", " \n", 0, DefaultTimeOut},
		{"set", `{"addresses": [], "time_out_in_minutes": 7}`, time.Hour, time.Hour},
		{"set to none", `{"addresses": [], "time_out_in_minutes": 7}`, NoTimeOut, 0},
		{"negative", `{"addresses": [], "time_out_in_minutes": 7}`, math.MinInt64, 0},
		{"first", "", time.Millisecond, time.Millisecond},
		{"rounded", "", time.Hour + 1, time.Hour},
		{"a year", "", MaxTimeOut, MaxTimeOut},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache")
			if test.old != "" {
				putFile(t, path, test.old)
			}
			if err := WriteCache(path, cacheOf(test.write, "10.0.0.8")); err != nil {
				t.Fatal(err)
			}
			got, err := ReadCache(path)
			if diff := diffCache(cacheOf(test.want, "10.0.0.8"), got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What is not a cache is not overwritten, and what is no cache is not written.
func TestWriteCacheRefuses(t *testing.T) {
	const good = `{"addresses": ["10.0.0.7"], "time_out_in_minutes": 7}`
	many := Cache{}
	for i := range maxFileEntries + 1 {
		many.Addresses = append(many.Addresses, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 0))
	}
	tests := []struct {
		name, old string
		write     Cache
		want      error
		says      string
	}{
		{"notes", "buy milk\n", Cache{}, ErrSyntax, "not replaced: it does not look like a cache"},
		{"a hosts file", `{"hosts": ["10.0.0.7"]}`, Cache{}, ErrContent, "not replaced: it does not look like a cache"},
		{"too large", good + strings.Repeat(" ", maxFileSize), Cache{}, ErrTooLarge, "not replaced: it is larger"},
		{"no address", good, Cache{Addresses: make([]netip.AddrPort, 1)}, nil, "address 1 of the cache: it is no address"},
		{"nobody's address", good, cacheOf(0, "10.0.0.7", "0.0.0.0"), nil, "address 2 of the cache: no host"},
		{"a strange zone", good, cacheOf(0, "fe80::1%a/b"), nil, "zone"},
		{"too many", good, many, nil, "1025 addresses are more than 1024"},
		{"time-out too long", good, Cache{TimeOut: MaxTimeOut + 1}, nil, "more than a year"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache")
			putFile(t, path, test.old)
			err := WriteCache(path, test.write)
			wantFileError(t, err, path, test.want, test.says)
			if got := getFile(t, path); got != test.old {
				t.Errorf("the file has changed: %.100q", got)
			}
			if names := fileNames(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("the directory has %q", names)
			}
		})
	}
	many.Addresses[maxFileEntries] = many.Addresses[0]
	if err := WriteCache(filepath.Join(t.TempDir(), "cache"), many); err != nil {
		t.Errorf("1024 addresses and one of them twice: %v", err)
	}
}

func TestWriteCacheOddPaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	wantFileError(t, WriteCache("", Cache{}), "", nil, "needs a name")
	none := filepath.Join(dir, "none", "cache")
	wantFileError(t, WriteCache(none, Cache{}), none, os.ErrNotExist, "in its directory")
	wantFileError(t, WriteCache(dir, Cache{}), dir, ErrNotRegular, "not replaced")
	slash := filepath.Join(dir, "cache") + string(filepath.Separator)
	if err := WriteCache(slash, Cache{}); err == nil {
		t.Error("the name of a directory is taken")
	}
	if names := fileNames(t, dir); len(names) != 0 {
		t.Errorf("the directory has %q", names)
	}
	if err := WriteCache("cache", cacheOf(0, "10.0.0.7")); err != nil {
		t.Errorf("in the current directory: %v", err)
	}
	if c, err := ReadCache(filepath.Join(dir, "cache")); err != nil || len(c.Addresses) != 1 {
		t.Errorf("in the current directory: %v, %v", c, err)
	}
}

// A symbolic link stays, and its target is replaced, if there is one.
func TestWriteCacheLink(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "link"), filepath.Join(dir, "elsewhere", "cache")
	link(t, filepath.Join("elsewhere", "cache"), path)
	if err := os.Mkdir(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	wantFileError(t, WriteCache(path, Cache{}), path, os.ErrNotExist, "symbolic link")
	putFile(t, target, "buy milk")
	wantFileError(t, WriteCache(path, Cache{}), path, ErrSyntax, "not replaced")
	putFile(t, target, `{"addresses": [], "time_out_in_minutes": 7}`)
	if err := WriteCache(path, cacheOf(0, "10.0.0.7")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, target} {
		got, err := ReadCache(name)
		if diff := diffCache(cacheOf(7*time.Minute, "10.0.0.7"), got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
	if text, err := os.Readlink(path); err != nil {
		t.Errorf("the link is no link any more: %q, %v", text, err)
	}
	if names := fileNames(t, filepath.Dir(target)); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
	ring := filepath.Join(dir, "ring")
	link(t, "ring", ring)
	wantFileError(t, WriteCache(ring, Cache{}), ring, nil, "symbolic link")
}

// What is written is read, and as text it does not change any more.
func TestCacheRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cache")
	addresses := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) netip.AddrPort {
		var addr netip.Addr
		if rapid.Bool().Draw(t, "IPv4") {
			addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
		} else {
			addr = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))).Unmap()
			if addr.Is6() {
				addr = addr.WithZone(rapid.StringMatching(`([a-z0-9.~_-]{1,8})?`).Draw(t, "zone"))
			}
		}
		if checkAddr(addr) != nil {
			addr = netip.IPv6Loopback()
		}
		return netip.AddrPortFrom(addr, rapid.Uint16().Draw(t, "port"))
	}), 0, 20, rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		want := Cache{
			Addresses: addresses.Draw(t, "addresses"),
			TimeOut:   time.Duration(rapid.Int64Range(1, int64(MaxTimeOut/time.Millisecond)).Draw(t, "ms")) * time.Millisecond,
		}
		if err := WriteCache(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCache(path)
		if diff := diffCache(want, got); diff != "" || err != nil {
			t.Fatalf("error %v (-want +got):\n%s", err, diff)
		}
	})
}

func FuzzCache(f *testing.F) {
	f.Add([]byte(`{"addresses": ["10.77.0.2", "10.77.0.3:5673"], "time_out_in_minutes": 30}`))
	f.Add([]byte(`{"addresses":["::ffff:10.0.0.7","[fe80::1%eth0]:1"],"time_out_in_minutes":1.00000001e-2,"x":{"addresses":[]}}`))
	f.Add([]byte("\ufeff{\"addresses\":[\"laptop\"]}"))
	f.Add([]byte(`{"addresses":[],"time_out_in_minutes":-0}`))
	f.Add([]byte(`{"addresses":[],"addresses":[]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := parseCache(content)
		if err != nil {
			if c.Addresses != nil || !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrContent) {
				t.Fatalf("%v, error %v", c, err)
			}
			return
		}
		if c.TimeOut < 0 || c.TimeOut > MaxTimeOut || len(c.Addresses) > maxFileEntries {
			t.Fatalf("%v", c)
		}
		for _, a := range c.Addresses {
			if !a.Addr().IsValid() || a.Addr().Is4In6() {
				t.Fatalf("address %v", a)
			}
		}
		text, err := formatCache(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseCache(text)
		if diff := diffCache(c, again); diff != "" || err != nil {
			t.Fatalf("error %v (-want +got):\n%s", err, diff)
		}
	})
}
