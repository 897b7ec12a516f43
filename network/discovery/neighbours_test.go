package discovery

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const exampleTable = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.2         0x1         0x2         7e:14:f1:3a:ae:d6     *        eth0
10.0.0.3         0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.4         0x1         0x6         7e:14:f1:3a:ae:d7     *        eth0
10.0.0.5         0x1         0x2         7e:14:f1:3a:ae:d8     *        eth1
10.0.0.6         0x1         0xc         00:00:00:00:00:00     *        eth0
10.0.0.2         0x1         0x2         7e:14:f1:3a:ae:d6     *        eth0
`

func TestParseNeighbours(t *testing.T) {
	for _, c := range []struct {
		name, table, device, want string
	}{
		{"complete ones", exampleTable, "eth0", "10.0.0.2 10.0.0.4 10.0.0.2"},
		{"of another interface", exampleTable, "eth1", "10.0.0.5"},
		{"of no interface", exampleTable, "eth", ""},
		{"the heading", exampleTable, "Device", ""},
		{"nothing", "", "eth0", ""},
		{"no newline at the end", "1.2.3.4 0x1 0x2 - * e", "e", "1.2.3.4"},
		{"too short", "1.2.3.4 0x1 0x2 - e\n", "e", ""},
		{"too long", "1.2.3.4 0x1 0x2 - * e e\n", "e", ""},
		{"bad flags", "1.2.3.4 0x1 0xg - * e\n1.2.3.4 0x1 -2 - * e\n", "e", ""},
		{"bad address", "1.2.3 0x1 0x2 - * e\n::1 0x1 0x2 - * e\n1.2.3.5 0x1 0x2 - * e", "e", "1.2.3.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(addressList(c.want), parseNeighbours([]byte(c.table), c.device), compareAddresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseNeighbours(f *testing.F) {
	f.Add(exampleTable, "eth0")
	f.Add("1.2.3.4 0x1 0x2 - * e", "e")
	f.Add("1.2.3.4 1 2 - *  \n\n", "")
	f.Fuzz(func(t *testing.T, table, device string) {
		got := parseNeighbours([]byte(table), device)
		if len(got) > strings.Count(table, "\n")+1 {
			t.Errorf("%d neighbours in %d lines", len(got), strings.Count(table, "\n")+1)
		}
		for _, a := range got {
			if !a.Is4() || !strings.Contains(table, a.String()) || !strings.Contains(table, device) {
				t.Errorf("%v on %q is not in the table", a, device)
			}
		}
		// A line is understood by itself.
		var single []netip.Addr
		for line := range strings.Lines(table) {
			single = append(single, parseNeighbours([]byte(line), device)...)
		}
		if !slices.Equal(got, single) {
			t.Errorf("together %v, line by line %v", got, single)
		}
	})
}
