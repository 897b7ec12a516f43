package discovery

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAliens(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.verdict["10.0.0.2"] = Ours
		s.verdict["10.0.0.3"] = Ours
		d, err := New(s.config(fake{name: "arp", takes: time.Second}))
		if err != nil {
			s.t.Fatal(err)
		}
		defer d.Close()
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		two, three := netip.MustParseAddrPort("10.0.0.2:5672"), netip.MustParseAddrPort("10.0.0.3:5672")
		d.Alien(two) // while it searches
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.2:5672"}, s.knocked()); diff != "" {
			s.t.Errorf("knocked at (-want +got):\n%s", diff)
		}
		<-d.Settled()
		synctest.Wait()
		d.Alien(three) // while it rests
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.2:5672", "10.0.0.3:5672"}, s.knocked()); diff != "" {
			s.t.Errorf("knocked at (-want +got):\n%s", diff)
		}
		s.mu.Lock()
		s.known[two] = true
		n := len(s.found)
		s.mu.Unlock()
		d.Alien(two) // is connected
		synctest.Wait()
		if len(s.knocked()) != 2 || n != 2 || s.found[1].Via != RungAlien || s.found[1].Verdict != Ours {
			s.t.Errorf("knocked at %v, found %+v", s.knocked(), s.found)
		}
		// The next start finds them in the cache.
		cached, err := ReadCache(filepath.Join(d.lan.config.Dir, DefaultCacheFile))
		if err != nil || len(cached.Addresses) != 2 {
			s.t.Errorf("cache %+v, %v, want both", cached, err)
		}
	})
}

// Somebody who was found before his broker listened, and then speaks to us, is not left
// to the next round.
func TestAlienWhoWasRefusedInThisRound(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.verdict["10.0.0.2"] = Refused
		d, err := New(s.config(fake{name: "arp", finds: []string{"10.0.0.2"}, takes: time.Second}))
		if err != nil {
			s.t.Fatal(err)
		}
		defer d.Close()
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		synctest.Wait()
		s.verdict["10.0.0.2"] = Ours
		d.Alien(netip.MustParseAddrPort("10.0.0.2:5672"))
		synctest.Wait()
		if n := len(s.found); n != 2 || s.found[1].Verdict != Ours {
			s.t.Errorf("found %+v, want it refused and then ours", s.found)
		}
	})
}

// Who was no peer is left alone for a while, but not if he speaks to us with our key.
func TestAlienWhoWasNotOurs(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.verdict["10.0.0.2"] = NotOurs
		d, err := New(s.config(fake{name: "arp", finds: []string{"10.0.0.2"}}))
		if err != nil {
			s.t.Fatal(err)
		}
		defer d.Close()
		if err := d.Start(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		<-d.Settled()
		d.Look()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.verdict["10.0.0.2"] = Ours
		d.Alien(netip.MustParseAddrPort("10.0.0.2:5672"))
		synctest.Wait()
		if last := s.found[len(s.found)-1]; last.Verdict != Ours {
			s.t.Errorf("found %+v, want it ours in the end", s.found)
		}
	})
}

// A broker that lets a scout in and is gone before it can ask is dead, not a stranger.
func TestGoneBeforeTheQuestion(t *testing.T) {
	inVirtualTime(t, func(s *scene) {
		s.verdict["10.0.0.2"] = Ours
		s.gone = true
		report, err := Round(context.Background(), s.config(fake{name: "arp", finds: []string{"10.0.0.2"}}))
		if err != nil || report.Count(Dead) != 1 {
			s.t.Errorf("%+v, %v, want it dead", report.Candidates, err)
		}
	})
}
