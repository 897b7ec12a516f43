package discovery

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// ReadHosts reads the file in which a user names hosts of the mesh:
//
//	{"hosts": ["10.0.0.7", "laptop.local", "10.0.0.8:5673", "fe80::1%eth0", "[::1]:5672"]}
//
// These are the rules:
//
//  1. A host is an IPv4 or IPv6 address or a host name of RFC 1123 (letters, digits and
//     hyphens, at most 63 between two dots and 253 in all), with a port of 1 to 65535 if
//     need be; an IPv6 address with a port goes in brackets. No URL, no user, no password.
//     Addresses that are nobody's are refused: 0.0.0.0, ::, 255.255.255.255 and multicast.
//  2. The hosts come in the order of the file and as the user wrote them. One that is there
//     twice, maybe written differently (LAPTOP.local, 0:0::1), comes once, in its first form.
//  3. Fields other than "hosts" are ignored.
//  4. A file that is not there, names no hosts; that is no error.
//  5. What can be used comes back even beside an error. The error is an *EntriesError if
//     single hosts are left out: those that are no hosts, and what is beyond the first 1024.
//     It is a *FileError, and there are no hosts, if the file as a whole is unusable: not a
//     regular file (a symbolic link to one will do), larger than 1 MiB, not JSON, without
//     "hosts", not readable.
//
// It waits for the disk, and for nothing else. Any goroutine may call it.
func ReadHosts(path string) ([]string, error) {
	content, _, err := readSmallFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	hosts, bad, err := parseHosts(content)
	if err != nil {
		return nil, fileError(path, err)
	}
	if bad.Bad+bad.Unused > 0 {
		bad.Path = path
		return hosts, bad
	}
	return hosts, nil
}

// EntriesError says which hosts of a hosts file are not used. The others are.
type EntriesError struct {
	Path   string
	Total  int          // entries in the file
	Bad    int          // entries that are not hosts
	First  []EntryError // the first of these, at most 10
	Unused int          // hosts beyond the first 1024
}

// EntryError is one entry that is not a host.
type EntryError struct {
	Number int    // of the entry, from 1
	Text   string // the entry, shortened; "" if it might hold a password, as a URL does
	Err    error  // what is wrong
}

const maxEntryErrors = 10

// Error names the first bad entries and counts the rest.
func (e *EntriesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "discovery: file %s: ", e.Path)
	if e.Bad > 0 {
		fmt.Fprintf(&b, "%d of %d entries cannot be used", e.Bad, e.Total)
		for i, entry := range e.First {
			b.WriteString([...]string{": ", "; "}[min(i, 1)] + entry.Error())
		}
		if more := e.Bad - len(e.First); more > 0 {
			fmt.Fprintf(&b, "; and %d more", more)
		}
	}
	if e.Unused > 0 {
		if e.Bad > 0 {
			b.WriteString("; besides, ")
		}
		fmt.Fprintf(&b, "it has %d entries, and only the first %d hosts are used", e.Total, maxFileEntries)
	}
	return b.String()
}

// Unwrap returns the first bad entries, each an EntryError.
func (e *EntriesError) Unwrap() []error {
	errs := make([]error, len(e.First))
	for i, entry := range e.First {
		errs[i] = entry
	}
	return errs
}

// Error tells the entry and what is wrong.
func (e EntryError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("entry %d: %v", e.Number, e.Err)
	}
	return fmt.Sprintf("entry %d, %q: %v", e.Number, e.Text, e.Err)
}

// Unwrap returns what is wrong.
func (e EntryError) Unwrap() error { return e.Err }

// parseHosts reads the content of a hosts file. The EntriesError is never nil.
func parseHosts(content []byte) ([]string, *EntriesError, error) {
	values, err := jsonFields(content, "hosts")
	if err != nil {
		return nil, nil, err
	}
	list, err := jsonList(values[0], "hosts")
	if err != nil {
		return nil, nil, err
	}
	var hosts []string
	bad := &EntriesError{Total: len(list)}
	seen := make(map[fileEntry]bool)
	for i, value := range list {
		text, err := jsonText(value)
		var entry fileEntry
		if err == nil {
			entry, err = parseEntry(text)
		}
		switch {
		case err != nil:
			if bad.Bad++; bad.Bad <= maxEntryErrors {
				bad.First = append(bad.First, EntryError{Number: i + 1, Text: showEntry(text), Err: err})
			}
		case seen[entry]:
		case len(hosts) == maxFileEntries:
			seen[entry] = true
			bad.Unused++
		default:
			seen[entry] = true
			hosts = append(hosts, text)
		}
	}
	return hosts, bad, nil
}

// showEntry returns what may be shown of an entry that is not a host: nothing of a
// URL, and nothing after a colon that is no port, as in user:password.
func showEntry(text string) string {
	const most = 60 // bytes
	if strings.ContainsAny(text, "@/") {
		return ""
	}
	if before, after, colon := strings.Cut(text, ":"); colon && strings.Trim(after, "0123456789abcdefABCDEF:.[]") != "" {
		text = before + ":..."
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// fileEntry is a host of one of the files. Two are the same if they are ==.
type fileEntry struct {
	addr netip.Addr // not valid if it is a name
	name string     // in lower case, "" if it is an address
	port uint16     // 0 if none is given
}

// parseEntry reads a host with or without a port. Its errors do not quote the text.
func parseEntry(text string) (fileEntry, error) {
	for _, r := range text {
		switch {
		case r <= ' ' || r == 0x7f:
			return fileEntry{}, errors.New("it holds a blank or a control character")
		case strings.ContainsRune("/@?#", r):
			return fileEntry{}, errors.New("it looks like a URL, want only the host and maybe a port")
		}
	}
	host, port, hasPort := text, "", false
	inside, bracketed := strings.CutPrefix(text, "[")
	switch {
	case bracketed:
		var closed bool
		host, port, closed = strings.Cut(inside, "]")
		port, hasPort = strings.CutPrefix(port, ":")
		if !closed || !hasPort || !strings.Contains(host, ":") {
			return fileEntry{}, errors.New("brackets are for an IPv6 address with a port, as in [::1]:5672")
		}
	case strings.Count(text, ":") == 1:
		host, port, hasPort = strings.Cut(text, ":")
	}
	entry, err := parseEntryHost(host)
	if err != nil || !hasPort {
		return entry, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return fileEntry{}, errors.New("the port has to be a number from 1 to 65535")
	}
	entry.port = uint16(number)
	return entry, nil
}

func parseEntryHost(host string) (fileEntry, error) {
	switch {
	case host == "":
		return fileEntry{}, errors.New("it is empty")
	case len(host) > 253:
		return fileEntry{}, errors.New("it is longer than 253 characters")
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.Contains(host, ":"):
		return fileEntry{}, errors.New("it is not an IPv6 address")
	case err != nil:
		return fileEntry{name: strings.ToLower(host)}, checkName(host)
	}
	return fileEntry{addr: addr.Unmap()}, checkAddr(addr.Unmap())
}

// checkAddr says whether a host can have that address.
func checkAddr(addr netip.Addr) error {
	switch {
	case !addr.IsValid():
		return errors.New("it is no address")
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("no host has this address")
	case strings.ContainsFunc(addr.Zone(), func(r rune) bool { return !isNameRune(r) && !strings.ContainsRune("._~", r) }):
		return errors.New("the zone of the address is not the name of an interface")
	}
	return nil
}

// checkName says whether it is a host name: RFC 1123, section 2.1. A name that ends
// in a number would be taken for an IPv4 address, and is not one.
func checkName(name string) error {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, label := range labels {
		switch {
		case label == "":
			return errors.New("there is nothing between two dots")
		case len(label) > 63:
			return errors.New("more than 63 characters between two dots")
		case strings.ContainsFunc(label, func(r rune) bool { return !isNameRune(r) }):
			return errors.New("a host name has letters, digits, hyphens and dots only (RFC 1123)")
		case label[0] == '-' || label[len(label)-1] == '-':
			return errors.New("no part of a host name begins or ends with a hyphen (RFC 1123)")
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		return errors.New("it is not an IPv4 address")
	}
	return nil
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-'
}
