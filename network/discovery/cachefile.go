package discovery

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Time-outs of a cache.
const (
	DefaultTimeOut = 30 * time.Minute
	MaxTimeOut     = 525600 * time.Minute // a year

	// NoTimeOut asks WriteCache for a time-out of 0 in the file. Every negative value does.
	NoTimeOut time.Duration = -1
)

// Cache is what was found the last time on the local network. Its zero value is what
// is known when there is no file: nothing, and that has expired.
type Cache struct {
	// Addresses of hosts. A port of 0 means that none was given. No names, as these
	// would have to be looked up before one can tell whether the cache is of any use.
	Addresses []netip.AddrPort

	// TimeOut is how long the file is to be trusted, 0 to MaxTimeOut, in whole
	// milliseconds: parts of one are rounded. A file with 0 has expired when it is
	// written. WriteCache takes 0 for "as it is in the file", and NoTimeOut for 0.
	TimeOut time.Duration

	// Written is when the file was last modified, by a node or by hand. Zero if there
	// is none. WriteCache ignores it.
	Written time.Time
}

// Expired says whether it is time to look again. A cache from the future, as a clock
// that was set back leaves behind, has expired.
func (c Cache) Expired(now time.Time) bool {
	age := now.Sub(c.Written)
	return c.Written.IsZero() || age < 0 || age >= c.TimeOut
}

// ReadCache reads the file in which a node keeps what it found on the local network:
//
//	{"addresses": ["10.77.0.2", "10.77.0.3:5673"], "time_out_in_minutes": 30}
//
// These are the rules:
//
//  1. Addresses come in the order of the file, each once, IPv4 in IPv6 as IPv4.
//     There are at most 1024.
//  2. The time-out may have a fraction, and is 30 minutes if it is missing. Other
//     fields are ignored.
//  3. A file that is not there is the zero Cache; that is no error.
//  4. The file is taken as a whole or not at all. The error is a *FileError: not a
//     regular file (a symbolic link to one will do), larger than 1 MiB, not JSON, without
//     "addresses", something else in it than addresses, a time-out that is none,
//     not readable.
//
// It waits for the disk, and for nothing else: nobody locks the file, as it is
// replaced and never changed. On Windows it may take a second to get it.
// Any goroutine of any process may call it at any time.
func ReadCache(path string) (Cache, error) {
	content, info, err := readSmallFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Cache{}, nil
	}
	if err != nil {
		return Cache{}, fileError(path, err)
	}
	c, err := parseCache(content)
	if err != nil {
		return Cache{}, fileError(path, err)
	}
	c.Written = info.ModTime()
	return c, nil
}

func parseCache(content []byte) (Cache, error) {
	values, err := jsonFields(content, "addresses", "time_out_in_minutes")
	if err != nil {
		return Cache{}, err
	}
	list, err := jsonList(values[0], "addresses")
	if err != nil {
		return Cache{}, err
	}
	if len(list) > maxFileEntries {
		return Cache{}, fmt.Errorf("%w: it has %d addresses, which is more than %d", ErrContent, len(list), maxFileEntries)
	}
	c := Cache{TimeOut: DefaultTimeOut}
	for i, value := range list {
		text, err := jsonText(value)
		var entry fileEntry
		if err == nil {
			entry, err = parseEntry(text)
		}
		if err == nil && !entry.addr.IsValid() {
			err = errors.New("it is a name, want an address")
		}
		if err != nil {
			return Cache{}, fmt.Errorf("%w: %w", ErrContent, EntryError{Number: i + 1, Text: showEntry(text), Err: err})
		}
		c.Addresses = append(c.Addresses, netip.AddrPortFrom(entry.addr, entry.port))
	}
	c.Addresses = unique(c.Addresses)
	if values[1] != nil {
		if c.TimeOut, err = parseTimeOut(values[1]); err != nil {
			return Cache{}, fmt.Errorf("%w: %q %w", ErrContent, "time_out_in_minutes", err)
		}
	}
	return c, nil
}

// parseTimeOut's error goes on after the name of the field.
func parseTimeOut(value json.RawMessage) (time.Duration, error) {
	if kind := jsonKind(value); kind != "a number" {
		return 0, fmt.Errorf("is %s instead of a number", kind)
	}
	minutes, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
	if err != nil || !(minutes >= 0 && minutes <= MaxTimeOut.Minutes()) {
		return 0, fmt.Errorf("has to be from 0 to %.0f", MaxTimeOut.Minutes())
	}
	// Milliseconds survive the way to a fraction of a minute and back, nanoseconds
	// do not.
	const perMinute = float64(time.Minute / time.Millisecond)
	return time.Duration(minutes*perMinute+0.5) * time.Millisecond, nil
}

// unique keeps the first of each, in place.
func unique(addresses []netip.AddrPort) []netip.AddrPort {
	kept := addresses[:0]
	seen := make(map[netip.AddrPort]bool, len(addresses))
	for _, a := range addresses {
		if !seen[a] {
			seen[a] = true
			kept = append(kept, a)
		}
	}
	return kept
}

// WriteCache replaces the cache file by another one, or makes the first one.
//
//  1. Who reads meanwhile gets the old or the new one. Who is killed while it writes
//     leaves the old one, no lock, and maybe a file *.tmp beside it, which the next
//     WriteCache after a minute removes. Of several writers the last one wins.
//  2. With c.TimeOut 0 the time-out that is in the old file stays, because a user may have
//     set it there; if there is none to keep it is 30 minutes.
//  3. What is no cache is left alone, with an error: a directory or pipe or device,
//     a file larger than 1 MiB, one that cannot be read, and one that is not empty and
//     nowhere has the word "addresses" in quotes. A broken cache is replaced.
//  4. A symbolic link stays; what it leads to is replaced by the same rules. It has to
//     lead to something, so that no link can make us write files elsewhere.
//  5. A new file has mode 0644 less the umask. The directory has to be there.
//  6. The content is on the disk before the file gets its name. After a power failure
//     it is the old or the new one.
//
// The error is a *FileError, and the old file is as it was: what rules 3 and 4
// refuse, more than 1024 addresses, one that no host has, a time-out of more than
// MaxTimeOut, or what the system says, as fs.ErrPermission.
//
// It waits for the disk; on Windows it may take a second until readers let go of
// the old file. Any goroutine of any process may call it at any time.
func WriteCache(path string, c Cache) error {
	if err := tryWriteCache(path, c); err != nil {
		return fileError(path, err)
	}
	return nil
}

func tryWriteCache(path string, c Cache) error {
	if path == "" {
		return errors.New("a cache needs a name")
	}
	target, err := behindLink(path)
	if err != nil {
		return err
	}
	old, err := replaceable(target)
	if err != nil {
		return fmt.Errorf("it is not replaced: %w", bareError(err))
	}
	if c.TimeOut == 0 {
		c.TimeOut = old.TimeOut
	}
	content, err := formatCache(c)
	if err != nil {
		return err
	}
	removeLeftovers(target, time.Now())
	return replaceFile(target, content)
}

// behindLink returns the file that is meant.
func behindLink(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil // what is wrong with it shows later
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("it is a symbolic link that cannot be followed: %w", bareError(err))
	}
	return target, nil
}

// replaceable returns the cache that is there, a default one if none can be read, and
// an error if what is there is not a cache.
func replaceable(path string) (Cache, error) {
	none := Cache{TimeOut: DefaultTimeOut}
	content, _, err := readSmallFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	c, err := parseCache(content)
	switch {
	case err == nil:
		return c, nil
	case len(bytes.TrimSpace(content)) == 0, bytes.Contains(content, []byte(`"addresses"`)):
		return none, nil
	}
	return none, fmt.Errorf("it does not look like a cache: %w", err)
}

// formatCache returns the content of the file.
func formatCache(c Cache) ([]byte, error) {
	if c.TimeOut > MaxTimeOut {
		return nil, fmt.Errorf("a time-out of %v is more than a year", c.TimeOut)
	}
	addresses := make([]netip.AddrPort, len(c.Addresses))
	for i, a := range c.Addresses {
		addresses[i] = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if err := checkAddr(addresses[i].Addr()); err != nil {
			return nil, fmt.Errorf("address %d of the cache: %w", i+1, err)
		}
	}
	addresses = unique(addresses)
	if len(addresses) > maxFileEntries {
		return nil, fmt.Errorf("%d addresses are more than %d", len(addresses), maxFileEntries)
	}
	file := struct {
		Addresses []string `json:"addresses"`
		TimeOut   float64  `json:"time_out_in_minutes"`
	}{make([]string, len(addresses)), max(c.TimeOut, 0).Round(time.Millisecond).Minutes()}
	for i, a := range addresses {
		file.Addresses[i] = a.String()
		if a.Port() == 0 {
			file.Addresses[i] = a.Addr().String()
		}
	}
	content, err := json.MarshalIndent(file, "", "  ")
	return append(content, '\n'), err
}

// replaceFile puts a file with that content in the place of another one, or nothing.
func replaceFile(path string, content []byte) error {
	name := path + leftoverMark + newLeftoverID() + leftoverEnd
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("no file can be made in its directory: %w", bareError(err))
	}
	_, err = io.Copy(f, bytes.NewReader(content))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = whileShared(func() error { return os.Rename(name, path) })
	}
	if err != nil {
		_ = os.Remove(name)
		return fmt.Errorf("it cannot be written: %w", bareError(err))
	}
	return nil
}

// A file not yet in its place is called as the file itself, then the mark, an id
// of 16 hexadecimal digits, and the end: nobody else's files are called so.
const (
	leftoverMark = ".statemesh-"
	leftoverEnd  = ".tmp"
	leftoverAge  = time.Minute // nobody takes so long from making the file to naming it
)

func newLeftoverID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// isLeftover says whether a file of that name can only be one that a writer of the
// file called base was about to put in its place.
func isLeftover(name, base string) bool {
	id, ok := strings.CutPrefix(name, base+leftoverMark)
	if !ok {
		return false
	}
	id, ok = strings.CutSuffix(id, leftoverEnd)
	return ok && len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}

// removeLeftovers removes what killed writers of the file left behind. It is no
// error if it cannot: then the next one may.
func removeLeftovers(path string, now time.Time) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	var ours []string
	for err == nil {
		var names []string
		names, err = d.Readdirnames(256) // a directory may be long
		for _, name := range names {
			if isLeftover(name, base) {
				ours = append(ours, filepath.Join(dir, name))
			}
		}
	}
	for _, name := range ours {
		info, err := os.Lstat(name)
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) >= leftoverAge {
			_ = os.Remove(name)
		}
	}
}
