package broker

import (
	"encoding/binary"
	"slices"
)

// The bits of the flags of a content header (AMQP 0-9-1, 4.2.6.1) that this broker changes.
const (
	bitHeaders    = 13
	bitExpiration = 8
)

// headerFixed is how much of a content header comes before the properties: class, weight, size of the body, flags.
const headerFixed = 14

// headersOf returns the headers and the expiration of a content header that has been checked, nil for none.
func headersOf(payload []byte) (headers table, expiration []byte) {
	eachProperty(payload, func(bit int, raw []byte) {
		d := decoder{b: raw}
		switch bit {
		case bitHeaders:
			headers = d.table()
		case bitExpiration:
			expiration = d.shortstr()
		}
	})
	return headers, expiration
}

// withHeaders returns a copy of a content header that has been checked, with these headers in place of its own. Without
// expiration, it does not expire.
func withHeaders(payload []byte, headers table, expiration bool) []byte {
	flags := binary.BigEndian.Uint16(payload[headerFixed-2:])
	b := args(slices.Grow([]byte(nil), len(payload)+len(headers)+4))
	b = append(b, payload[:headerFixed]...)
	write := func() {
		if headers != nil {
			b = b.longstr(string(headers))
			headers = nil
		}
	}
	eachProperty(payload, func(bit int, raw []byte) {
		if bit < bitHeaders {
			write()
		}
		if bit != bitHeaders && (bit != bitExpiration || expiration) {
			b = append(b, raw...)
		}
	})
	write()
	flags |= 1 << bitHeaders
	if !expiration {
		flags &^= 1 << bitExpiration
	}
	binary.BigEndian.PutUint16(b[headerFixed-2:], flags)
	return b
}

// eachProperty calls f for each property that is present, in their order, with its octets.
func eachProperty(payload []byte, f func(bit int, raw []byte)) {
	flags := binary.BigEndian.Uint16(payload[headerFixed-2:])
	d := decoder{b: payload[headerFixed:]}
	for bit := 15; bit >= 2; bit-- {
		if flags&(1<<bit) == 0 {
			continue
		}
		before := d.b
		switch bit {
		case bitHeaders:
			d.longstr()
		case 12, 11: // delivery mode, priority
			d.octet()
		case 6: // timestamp
			d.longlong()
		default:
			d.shortstr()
		}
		f(bit, before[:len(before)-len(d.b)])
	}
}

// without returns the fields but for those of the names.
func (t table) without(names ...string) table {
	left := make(table, 0, len(t))
	for d := (decoder{b: t}); len(d.b) > 0; {
		before := d.b
		name := string(d.shortstr())
		d.value(0)
		if !slices.Contains(names, name) {
			left = append(left, before[:len(before)-len(d.b)]...)
		}
	}
	return left
}

// integer appends a table field that is a number.
func (a args) integer(name string, v int64) args {
	return a.shortstr(name).octet('l').longlong(uint64(v))
}

// header returns the content header of a delivery: that of the message, with x-delivery-count if it was given back to a
// quorum queue, unless there is no room for that in a frame.
func (e *entry) header(frameMax int) []byte {
	header := e.data[:e.message.header]
	if e.returns == 0 {
		return header
	}
	headers, _ := headersOf(header)
	counted := withHeaders(header, table(args(headers.without(deliveryCount)).integer(deliveryCount, int64(e.returns))), true)
	if len(counted) > frameMax-frameOverhead {
		return header
	}
	return counted
}

const deliveryCount = "x-delivery-count"
