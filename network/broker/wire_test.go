package broker

import (
	"bytes"
	"strings"
	"testing"
)

// nestedTable returns the fields of a table that nests so deep.
func nestedTable(depth int, kind byte) []byte {
	var inner []byte
	for range depth {
		a := args{}
		if kind == 'F' {
			a = a.shortstr("k")
		}
		inner = a.octet(kind).longstr(string(inner))
	}
	if kind == 'A' {
		inner = append(args{}.shortstr("k"), inner...)
	}
	return inner
}

func TestTableDepth(t *testing.T) {
	for _, kind := range []byte{'F', 'A'} {
		for _, c := range []struct {
			depth int
			ok    bool
		}{{1, true}, {maxTableDepth, true}, {maxTableDepth + 1, false}, {1000, false}} {
			d := decoder{b: args{}.longstr(string(nestedTable(c.depth, kind)))}
			if d.table(); d.done() != c.ok {
				t.Errorf("%c nested %d deep: accepted is %v, want %v", kind, c.depth, !c.ok, c.ok)
			}
		}
	}
}

// allTypes is a table with a field of each type.
func allTypes() args { return commonTypes().shortstr("L").octet('L').longlong(1 << 41) }

// commonTypes leaves out the one that not every client reads.
func commonTypes() args {
	return args{}.
		flag("t", true).shortstr("b").octet('b').octet(0xff).shortstr("B").octet('B').octet(0xff).
		shortstr("s").octet('s').short(0xfffe).shortstr("u").octet('u').short(0xfffe).
		shortstr("I").octet('I').long(0xfffffffd).shortstr("i").octet('i').long(0xfffffffd).
		shortstr("l").octet('l').longlong(1<<40).
		shortstr("f").octet('f').long(0).shortstr("d").octet('d').longlong(0).
		shortstr("D").octet('D').octet(2).long(314).text("S", "text").shortstr("x").octet('x').longstr("\x00\x01").
		shortstr("T").octet('T').longlong(1).shortstr("V").octet('V').
		shortstr("F").octet('F').longstr(string(args{}.text("inner", "x"))).
		shortstr("A").octet('A').longstr(string(args{}.octet('t').octet(1).octet('V')))
}

func TestTableFind(t *testing.T) {
	d := decoder{b: args{}.longstr(string(allTypes()))}
	fields := d.table()
	if !d.done() {
		t.Fatal("refused")
	}
	for name, want := range map[string]int64{
		"b": -1, "B": 255, "s": -2, "u": 65534, "I": -3, "i": 1<<32 - 3, "l": 1 << 40, "L": 1 << 41,
	} {
		f, found := fields.find(name)
		got, ok := f.integer()
		if !found || !ok || got != want || f.kind != name[0] {
			t.Errorf("%s: %+v is %d, want %d", name, f, got, want)
		}
	}
	for _, name := range []string{"t", "f", "d", "D", "S", "x", "T", "V", "F", "A"} {
		f, found := fields.find(name)
		if _, ok := f.integer(); ok || !found || f.kind != name[0] {
			t.Errorf("%s: %+v, %v", name, f, ok)
		}
	}
	if _, found := fields.find("missing"); found {
		t.Error("found what is not there")
	}
	if f, _ := fields.find("S"); string(f.value) != "text" {
		t.Errorf("S is %q", f.value)
	}
}

func TestTableMalformed(t *testing.T) {
	whole := []byte(args{}.longstr(string(allTypes())))
	for n := range whole {
		d := decoder{b: whole[:n]}
		if d.table(); d.done() {
			t.Errorf("accepted the first %d octets", n)
		}
	}
	for _, b := range []string{
		"\x00\x00\x00\x02\x01k",                              // no value
		"\x00\x00\x00\x03\x01kq",                             // no such type
		"\x00\x00\x00\x07\x01kS\xff\xff\xff\xff",             // longer than everything
		"\x00\x00\x00\x09\x01kF\x00\x00\x00\x03\x01k",        // inner table longer than the outer
		"\x00\x00\x00\x08\x01kA\x00\x00\x00\x01S",            // item without value
		"\xff\xff\xff\xff",                                   // longer than everything
		"\x00\x00\x00\x00x",                                  // something after it
		"\x00\x00\x00\x05\x01kt\x01\x01" + "",                // half a name after it
		strings.Repeat("\x00", 3),                            // half a length
		"\x00\x00\x00\x0a\x01kF\x00\x00\x00\x03\x01kt" + "x", // inner table reads into the outer
	} {
		d := decoder{b: []byte(b)}
		if d.table(); d.done() {
			t.Errorf("accepted %q", b)
		}
	}
}

func TestTableCanonical(t *testing.T) {
	one := table(args{}.text("a", "1").flag("b", true))
	two := table(args{}.flag("b", true).text("a", "1"))
	other := table(args{}.flag("b", false).text("a", "1"))
	if one.canonical() != two.canonical() || one.canonical() == other.canonical() || table(nil).canonical() != "" {
		t.Error("not canonical")
	}
}

// FuzzTable checks that a table that is accepted can be walked to its end by all who use it.
func FuzzTable(f *testing.F) {
	f.Add([]byte(allTypes()))
	f.Add(nestedTable(maxTableDepth, 'F'))
	f.Add(nestedTable(maxTableDepth+1, 'A'))
	f.Add([]byte("\x01kS\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, fields []byte) {
		d := decoder{b: args{}.longstr(string(fields))}
		got := d.table()
		if !d.done() {
			return
		}
		if !bytes.Equal(got, fields) {
			t.Fatalf("table of %q is %q", fields, got)
		}
		if sorted := got.canonical(); len(sorted) != len(fields) || table(sorted).canonical() != sorted {
			t.Fatalf("canonical form of %q is %q", fields, sorted)
		}
		for w := (decoder{b: got}); len(w.b) > 0; {
			name := string(w.shortstr())
			kind, _ := w.value(0)
			if f, found := got.find(name); !found {
				t.Fatalf("%q has no field %q of type %c, but %+v", fields, name, kind, f)
			} else {
				f.integer()
			}
		}
		var s queueSettings
		s.parse(got)
	})
}

// A header that a client library would hang up on does not get to the consumers; a
// client's own tables may hold it.
func TestHeadersThatConsumersCannotRead(t *testing.T) {
	for _, tc := range []struct {
		name  string
		table []byte
		good  bool
	}{
		{"signed", []byte{1, 'a', 'l', 0, 0, 0, 0, 0, 0, 0, 1}, true},
		{"unsigned", []byte{1, 'a', 'L', 0, 0, 0, 0, 0, 0, 0, 1}, false},
		{"unsigned in a list", []byte{1, 'a', 'A', 0, 0, 0, 9, 'L', 0, 0, 0, 0, 0, 0, 0, 1}, false},
		{"unsigned in a table", []byte{1, 'a', 'F', 0, 0, 0, 11, 1, 'b', 'L', 0, 0, 0, 0, 0, 0, 0, 1}, false},
	} {
		size := byte(len(tc.table))
		payload := append([]byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, size}, tc.table...)
		var h contentHeader
		if got := h.decode(payload); got != tc.good {
			t.Errorf("%s in the headers of a message: %v, want %v", tc.name, got, tc.good)
		}
		d := decoder{b: append([]byte{0, 0, 0, size}, tc.table...)}
		if d.table(); !d.done() {
			t.Errorf("%s in another table is refused", tc.name)
		}
	}
}
