package discovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRound(t *testing.T) {
	noPrivilege := fmt.Errorf("raw socket: %w", fs.ErrPermission)
	for name, tc := range map[string]struct {
		sweeps  []Sweep
		hosts   string
		cache   string
		verdict map[string]Verdict
		want    []string
		within  time.Duration
	}{
		"alone": {
			sweeps: []Sweep{fake{name: "arp"}, fake{name: "udp"}},
			want:   []string{"arp 0", "cache 0", "hosts 0", "table 0", "udp 0"},
		},
		"the first rung that finds somebody is the last": {
			sweeps:  []Sweep{fake{name: "arp", err: noPrivilege}, fake{name: "udp", finds: []string{"10.0.0.2", "10.0.0.3"}}, fake{name: "tcp", finds: []string{"10.0.0.4"}}},
			verdict: map[string]Verdict{"10.0.0.2": Ours, "10.0.0.3": WrongCredentials},
			want: []string{
				"10.0.0.2:5672 ours via udp", "10.0.0.3:5672 wrong credentials via udp",
				"arp 0 gave up", "cache 0", "hosts 0", "table 0", "tcp 0 skipped: udp has answered", "udp 2",
			},
		},
		"a partial one runs beside, and is not enough": {
			sweeps:  []Sweep{fake{name: "ping", finds: []string{"10.0.0.9"}, takes: 200 * time.Millisecond, partial: true}, fake{name: "arp", finds: []string{"10.0.0.2"}}},
			verdict: map[string]Verdict{"10.0.0.2": Ours, "10.0.0.9": Ours},
			want:    []string{"10.0.0.2:5672 ours via arp", "10.0.0.9:5672 ours via ping", "arp 1", "cache 0", "hosts 0", "ping 1", "table 0"},
			within:  250 * time.Millisecond,
		},
		"files": {
			sweeps:  []Sweep{fake{name: "arp", finds: []string{"10.0.0.2"}}},
			hosts:   `{"hosts": ["10.0.0.3", "192.168.7.7", "10.0.0.4:5673", "10.0.0.1"]}`,
			cache:   `{"addresses": ["10.0.0.5", "172.16.0.1", "10.0.0.2"], "time_out_in_minutes": 30}`,
			verdict: map[string]Verdict{"10.0.0.2": Ours, "10.0.0.3": Ours, "10.0.0.4": Ours, "10.0.0.5": NotAMQP, "192.168.7.7": Ours, "172.16.0.1": Ours},
			want: []string{
				"10.0.0.1:5672 self via hosts", "10.0.0.2:5672 ours via ?", "10.0.0.3:5672 ours via hosts", "10.0.0.4:5673 ours via hosts",
				"10.0.0.5:5672 not AMQP via cache",
				"172.16.0.1:5672 not allowed via cache", // a cache may not lead us anywhere
				"192.168.7.7:5672 ours via hosts",       // who was named is allowed
				"arp 1", "cache 3", "hosts 4", "table 0",
			},
		},
		"expired cache": {
			sweeps: []Sweep{fake{name: "arp"}},
			cache:  `{"addresses": ["10.0.0.5"], "time_out_in_minutes": 0}`,
			want:   []string{"arp 0", "cache 0 skipped: expired", "hosts 0", "table 0"},
		},
		"torn files": {
			sweeps:  []Sweep{fake{name: "arp", finds: []string{"10.0.0.2"}}},
			hosts:   `{"hosts": ["10.0.0.3", "10.0`,
			cache:   `{"addresses": ["10.0.0.5"`,
			verdict: map[string]Verdict{"10.0.0.2": Ours},
			want:    []string{"10.0.0.2:5672 ours via arp", "arp 1", "cache 0 gave up", "hosts 0 gave up", "table 0"},
		},
		"all verdicts": {
			sweeps: []Sweep{fake{name: "arp", finds: []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"}}},
			verdict: map[string]Verdict{
				"10.0.0.2": Ours, "10.0.0.3": Self, "10.0.0.4": NotOurs, "10.0.0.5": WrongCredentials, "10.0.0.6": NotAMQP, "10.0.0.7": Refused,
			},
			want: []string{
				"10.0.0.2:5672 ours via arp", "10.0.0.3:5672 self via arp", "10.0.0.4:5672 not ours via arp", "10.0.0.5:5672 wrong credentials via arp",
				"10.0.0.6:5672 not AMQP via arp", "10.0.0.7:5672 refused via arp", "10.0.0.8:5672 dead via arp",
				"arp 7", "cache 0", "hosts 0", "table 0",
			},
			within: greetTimeout + time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(s *scene) {
				s.verdict = tc.verdict
				c := s.config(tc.sweeps...)
				if tc.hosts != "" {
					s.write(c, DefaultHostsFile, tc.hosts)
				}
				if tc.cache != "" {
					s.write(c, DefaultCacheFile, tc.cache)
					now := time.Now() // virtual, and the file's is not
					if err := os.Chtimes(filepath.Join(c.Dir, DefaultCacheFile), now, now); err != nil {
						s.t.Fatal(err)
					}
				}
				began := time.Now()
				report, err := Round(context.Background(), c)
				if err != nil {
					s.t.Fatal(err)
				}
				if took := time.Since(began); tc.within > 0 && took > tc.within {
					s.t.Errorf("took %v, want at most %v", took, tc.within)
				}
				got := summary(report)
				for i, line := range got { // found by the cache or the sweep, whichever was first
					if strings.HasPrefix(line, "10.0.0.2:5672 ours via") && slices.Contains(tc.want, "10.0.0.2:5672 ours via ?") {
						got[i] = "10.0.0.2:5672 ours via ?"
					}
				}
				if diff := cmp.Diff(slices.Sorted(slices.Values(tc.want)), got); diff != "" {
					s.t.Errorf("report (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Nothing is sent to an address that is not allowed, wherever it comes from.
func TestNothingGoesOutside(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		c := s.config(fake{name: "arp", finds: []string{"10.0.0.2", "10.0.0.77"}})
		c.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/28")}
		s.write(c, DefaultCacheFile, `{"addresses": ["10.0.0.99", "8.8.8.8"], "time_out_in_minutes": 100000}`)
		d, err := New(c)
		if err != nil {
			s.t.Fatal(err)
		}
		defer d.Close()
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		<-d.Settled()
		d.Alien(netip.MustParseAddrPort("10.0.0.200:5672"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.2:5672"}, s.knocked()); diff != "" {
			s.t.Errorf("knocked at (-want +got):\n%s", diff)
		}
	})
}

// Hosts that accept and stay silent cost a bounded time, however many they are.
func TestTarpits(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		var finds []string
		for i := 2; i < 252; i++ {
			a := fmt.Sprintf("10.0.0.%d", i)
			finds = append(finds, a)
			s.silent[a] = true
		}
		began := time.Now()
		report, err := Round(context.Background(), s.config(fake{name: "arp", finds: finds}))
		if err != nil {
			s.t.Fatal(err)
		}
		if n := report.Count(Dead); n != 250 {
			s.t.Errorf("%d dead, want 250", n)
		}
		if took, limit := time.Since(began), 4*knockTimeout+time.Millisecond; took > limit { // 250 scouts, 64 at once
			s.t.Errorf("took %v, want at most %v", took, limit)
		}
	})
}

func TestManyHosts(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		var b strings.Builder
		b.WriteString(`{"hosts": ["10.0.0.2"`)
		for i := range 9999 {
			fmt.Fprintf(&b, `, "10.1.%d.%d"`, i/250, i%250+1)
		}
		b.WriteString("]}")
		c := s.config(fake{name: "arp"})
		s.write(c, DefaultHostsFile, b.String())
		s.verdict["10.0.0.2"] = Ours
		report, err := Round(context.Background(), c)
		if err != nil {
			s.t.Fatal(err)
		}
		if n := len(report.Candidates); n != 1024 || report.Count(Ours) != 1 {
			s.t.Errorf("%d candidates, %d ours, want 1024 and 1", n, report.Count(Ours))
		}
		i := slices.IndexFunc(report.Rungs, func(r RungReport) bool { return r.Rung == RungHosts })
		if report.Rungs[i].Err == nil {
			s.t.Error("nothing says that hosts were left out")
		}
	})
}

// A sweep that goes mad costs nothing but its own time.
func TestStorm(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		storm := make([]string, 300_000)
		for i := range storm {
			storm[i] = fmt.Sprintf("10.0.0.%d", i%256)
		}
		report, err := Round(context.Background(), s.config(fake{name: "arp", finds: storm}))
		if err != nil {
			s.t.Fatal(err)
		}
		if n := len(report.Candidates); n != 256 {
			s.t.Errorf("%d candidates, want each address once", n)
		}
	})
}

// Rounds come by themselves and when asked for; a look during a round is not lost.
// Who was no peer is left alone for longer and longer.
func TestRounds(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.verdict = map[string]Verdict{"10.0.0.2": WrongCredentials, "10.0.0.3": Refused}
		c := s.config(fake{name: "arp", finds: []string{"10.0.0.2", "10.0.0.3"}, takes: time.Second})
		c.Every = time.Minute
		d, err := New(c)
		if err != nil {
			s.t.Fatal(err)
		}
		defer d.Close()
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		d.Look()
		d.Look()
		<-d.Settled()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		count := func(address string) int {
			n := 0
			for _, k := range s.knocked() {
				if k == address {
					n++
				}
			}
			return n
		}
		if n := count("10.0.0.3:5672"); n != 2 {
			s.t.Errorf("%d rounds, want the first and one for both looks", n)
		}
		time.Sleep(64 * time.Minute)
		synctest.Wait()
		refused, wrong := count("10.0.0.3:5672"), count("10.0.0.2:5672")
		if refused < 60 || refused > 72 {
			s.t.Errorf("%d rounds in 64 minutes", refused)
		}
		if wrong < 6 || wrong > 9 { // after 1, 2, 4, 8, 16, 32 rounds
			s.t.Errorf("knocked %d times at a broker that does not want us", wrong)
		}
	})
}

func TestCloseInTheMiddle(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.silent["10.0.0.2"] = true
		d, err := New(s.config(fake{name: "arp", finds: []string{"10.0.0.2"}, takes: time.Hour}))
		if err != nil {
			s.t.Fatal(err)
		}
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		d.Close()
		d.Close()
		if took := time.Since(began); took != 0 {
			s.t.Errorf("Close took %v", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := Round(ctx, s.config(fake{name: "arp", takes: time.Hour})); !errors.Is(err, context.DeadlineExceeded) {
			s.t.Errorf("a round that was cut short: %v", err)
		}
	})
}

func TestOptionsErrors(t *testing.T) {
	for name, o := range map[string]Options{
		"too often":    {Every: time.Millisecond},
		"bad prefix":   {Prefixes: []netip.Prefix{{}}},
		"no name":      {Sweeps: []Sweep{fake{}}},
		"a name twice": {Sweeps: []Sweep{fake{name: "a"}, fake{name: "a"}}},
		"no sweep":     {Sweeps: []Sweep{nil}},
	} {
		if _, err := New(Config{Options: o, Prober: &scene{}}); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v, want ErrOptions", name, err)
		}
	}
	if _, err := New(Config{}); !errors.Is(err, ErrOptions) {
		t.Errorf("no prober: %v, want ErrOptions", err)
	}
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]bool{}
	for v := Unknown; v <= NotAllowed; v++ {
		if name := v.String(); seen[name] || name == "" {
			t.Errorf("verdict %d is called %q", v, name)
		} else {
			seen[name] = true
		}
	}
	if got := Verdict(200).String(); got != "unknown" {
		t.Errorf("Verdict(200) is %q", got)
	}
}
