package broker

import (
	"encoding/binary"
	"slices"
)

// maxTableDepth is how deep tables and arrays may nest. RabbitMQ has no limit; nobody needs more than a few levels.
const maxTableDepth = 32

// decoder reads the data types of AMQP 0-9-1, 4.2.5, from a payload. What it returns aliases the payload. The first
// thing that is not there or not well-formed makes it bad for good, and all later reads return zero values, so that a
// whole method can be read before asking.
type decoder struct {
	b      []byte
	bad    bool
	common bool // only what all clients read: amqp091-go hangs up on unsigned integers of 64 bits
}

// take returns the next n octets, or nil if they are not there.
func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) octet() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) short() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) long() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) longlong() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) shortstr() []byte { return d.take(int(d.octet())) }

func (d *decoder) longstr() []byte {
	n := d.long()
	if uint64(n) > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	return d.take(int(n))
}

// table reads a field table, checks it to the last octet, and returns its fields.
func (d *decoder) table() table { return d.nested(0) }

func (d *decoder) nested(depth int) table {
	t := d.longstr()
	fields := decoder{b: t, bad: depth > maxTableDepth, common: d.common}
	for !fields.bad && len(fields.b) > 0 {
		fields.shortstr()
		fields.value(depth)
	}
	d.bad = d.bad || fields.bad
	return t
}

// value reads one field value and returns its type and its octets. The types are those RabbitMQ knows, which are not
// quite those of the specification (https://www.rabbitmq.com/amqp-0-9-1-errata).
func (d *decoder) value(depth int) (kind byte, value []byte) {
	kind = d.octet()
	switch kind {
	case 't', 'b', 'B':
		return kind, d.take(1)
	case 's', 'u':
		return kind, d.take(2)
	case 'I', 'i', 'f':
		return kind, d.take(4)
	case 'D':
		return kind, d.take(5)
	case 'l', 'd', 'T':
		return kind, d.take(8)
	case 'L':
		d.bad = d.bad || d.common
		return kind, d.take(8)
	case 'S', 'x':
		return kind, d.longstr()
	case 'V':
		return kind, nil
	case 'F':
		return kind, d.nested(depth + 1)
	case 'A':
		value = d.longstr()
		items := decoder{b: value, bad: depth >= maxTableDepth, common: d.common}
		for !items.bad && len(items.b) > 0 {
			items.value(depth + 1)
		}
		d.bad = d.bad || items.bad
		return kind, value
	}
	d.bad = true
	return kind, nil
}

// done tells whether the payload was well-formed and has been read to its end.
func (d *decoder) done() bool { return !d.bad && len(d.b) == 0 }

// table is the fields of a field table that has been checked.
type table []byte

// field is one field of a table.
type field struct {
	kind  byte
	value []byte
}

// find returns the field of the name.
func (t table) find(name string) (field, bool) {
	for d := (decoder{b: t}); len(d.b) > 0; {
		found := string(d.shortstr()) == name
		if kind, value := d.value(0); found {
			return field{kind, value}, true
		}
	}
	return field{}, false
}

// canonical returns the fields sorted, so that tables that differ in order only are the same string.
func (t table) canonical() string {
	var fields []string
	for d := (decoder{b: t}); len(d.b) > 0; {
		before := d.b
		d.shortstr()
		d.value(0)
		fields = append(fields, string(before[:len(before)-len(d.b)]))
	}
	slices.Sort(fields)
	var all []byte
	for _, f := range fields {
		all = append(all, f...)
	}
	return string(all)
}

// integer returns the value of a field of any integer type.
func (f field) integer() (int64, bool) {
	d := decoder{b: f.value}
	switch f.kind {
	case 'b':
		return int64(int8(d.octet())), true
	case 'B':
		return int64(d.octet()), true
	case 's':
		return int64(int16(d.short())), true
	case 'u':
		return int64(d.short()), true
	case 'I':
		return int64(int32(d.long())), true
	case 'i':
		return int64(d.long()), true
	case 'l', 'L':
		return int64(d.longlong()), true
	}
	return 0, false
}

// args builds the arguments of a method.
type args []byte

func (a args) octet(v byte) args      { return append(a, v) }
func (a args) short(v uint16) args    { return binary.BigEndian.AppendUint16(a, v) }
func (a args) long(v uint32) args     { return binary.BigEndian.AppendUint32(a, v) }
func (a args) longlong(v uint64) args { return binary.BigEndian.AppendUint64(a, v) }
func (a args) longstr(v string) args  { return append(a.long(uint32(len(v))), v...) }

// shortstr appends a string of at most 255 octets; the rest of a longer one is cut off.
func (a args) shortstr(v string) args {
	v = v[:min(len(v), 255)]
	return append(a.octet(byte(len(v))), v...)
}

// flag appends a table field that is true or false.
func (a args) flag(name string, v bool) args {
	a = a.shortstr(name).octet('t')
	if v {
		return a.octet(1)
	}
	return a.octet(0)
}

// text appends a table field that is a string.
func (a args) text(name, v string) args { return a.shortstr(name).octet('S').longstr(v) }
