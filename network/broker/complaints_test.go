package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// However often somebody tries passwords, holds handshakes, or breaks the protocol, the log has a
// line a minute for each, which says how many there were.
func TestComplaintsAreBounded(t *testing.T) {
	log := &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "time" {
			return slog.Attr{}
		}
		return a
	}}))
	bubble(t, Config{Logger: logger, Limits: Limits{Handshakes: 1}}, func(t *testing.T, s *Server) {
		for range 3 {
			for i := range 50 {
				x := connect(t, s)
				x.login("guest", fmt.Sprint("wrong", i))
				x.gone()
				synctest.Wait()
				connect(t, s).nc.Write(protocolHeader)
				c := open(t, s, 0)
				c.write(appendFrame(nil, 77, 0, nil))
				c.gone()
				synctest.Wait()
			}
			time.Sleep(complainEvery)
		}
	})
	counts := map[string]int{}
	unreported := map[string]int{}
	message := regexp.MustCompile(`msg="([^"]*)"`)
	for line := range strings.Lines(log.String()) {
		if m := message.FindStringSubmatch(line); m != nil {
			counts[m[1]]++
			if strings.Contains(line, "unreported=49") {
				unreported[m[1]]++
			}
		}
	}
	// 150 each.
	want := map[string]int{"login refused": 3, "too many handshakes, oldest dropped": 3, "connection closed for a mistake of the client": 3}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("lines (-want +got):\n%s\n%s", diff, log)
	}
	for why := range want {
		want[why] = 2
	}
	if diff := cmp.Diff(want, unreported); diff != "" {
		t.Errorf("lines that say that 49 were left out (-want +got):\n%s\n%s", diff, log)
	}
}
