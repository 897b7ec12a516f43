package network

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network/seal"
)

// eventID names a kept event: it is in the envelope, and the same however often and by
// whatever way that comes.
type eventID struct {
	sender   seal.SenderID
	epoch    uint64
	sequence uint64 // from 1; 0 stands for the sender itself
}

// journal knows which kept events an object has handled, in memory and in a file, so that
// a process that was killed knows it when it starts again. The file is in Config.Dir and
// is shared by all processes with an object of that name there. It survives the end of
// the process, however that comes, but it is not synced: after a power failure the last
// events may be handled again.
//
// It is a row of records of 48 bytes, newest last:
//
//	kind         1   1: handled; 2: a sender that the object itself was
//	zero         3
//	sender      16
//	epoch        8   big-endian, as are the others
//	sequence     8
//	time         8   of the record, unix nanoseconds
//	checksum     4   CRC-32C of the above
//
// What is no such record is skipped, and so is what is older than an envelope may be.
// When the file has become twice as long as what is remembered, it is written anew.
// Any goroutine may call the methods.
type journal struct {
	path string
	keep time.Duration // how long a record means something

	mu      sync.Mutex // guards what follows
	file    *os.File   // nil if there is none yet, or none any more
	read    int64      // what has been read of the file
	given   bool       // up, after an error: only memory is left
	closed  bool       // the file is closed after each use
	known   map[eventID]struct{}
	handled hsm.Deque[journalEntry] // the oldest first
	selves  hsm.Deque[journalEntry]
	most    int
}

type journalEntry struct {
	id eventID
	at time.Time
}

const (
	recordSize    = 48
	recordHandled = 1
	recordSelf    = 2

	// maxHandled is how many events an object remembers to have handled.
	maxHandled = 1 << 16

	// maxSelves is how many earlier lives of itself it remembers.
	maxSelves = 256
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journalPath returns the name of the file for an object.
func journalPath(dir, object string) string {
	name := url.PathEscape(object)
	if len(name) > 150 {
		sum := sha256.Sum256([]byte(object))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dir, ".statemesh_handled_"+name)
}

// openJournal reads the journal, or makes one.
func openJournal(path string, keep time.Duration, most int) (*journal, error) {
	j := &journal{path: path, keep: keep, most: most, known: map[eventID]struct{}{}}
	return j, j.exclusively(func() error { return nil })
}

// has says whether the object has handled the event. With look, it asks what other
// processes have written meanwhile.
func (j *journal) has(id eventID, look bool) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if look {
		err = j.exclusively(func() error { return nil })
	}
	_, known := j.known[id]
	return known, err
}

// add notes that the object has handled the event, or with sequence 0, that it was that
// sender. Whatever the error, it is in memory; there is one error, and then only memory.
func (j *journal) add(id eventID) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	var record [recordSize]byte
	appendRecord(record[:0], id, now)
	j.remember(id, now) // first: the file may be written anew
	return j.exclusively(func() error {
		n, err := j.file.WriteAt(record[:], j.read)
		j.read += int64(n)
		return err
	})
}

// exclusively calls f while no other process writes to the file, and what stands there
// is known. The caller holds mu, or nobody else has the journal.
func (j *journal) exclusively(f func() error) error {
	if j.closed {
		defer j.release()
	}
	for done := false; !done && !j.given; {
		var err error
		if done, err = j.attempt(f); err != nil {
			j.giveUp()
			return fmt.Errorf("network: what is handled is not remembered beyond this process: %s: %w", j.path, withoutPath(err))
		}
	}
	return nil
}

// attempt is exclusively; done is false if the file has been replaced by another.
func (j *journal) attempt(f func() error) (done bool, err error) {
	if j.file == nil {
		if err := j.open(); err != nil {
			return false, err
		}
	}
	file := j.file
	unlock, err := lockFile(file)
	if err != nil {
		return false, err
	}
	done, err = j.current()
	if err == nil && done {
		if err = j.catchUp(); err == nil {
			err = f()
		}
		if err == nil && j.read > int64(2*(j.most+maxSelves)*recordSize) {
			err = j.rewrite()
		}
	}
	unlock()
	if err == nil && !done {
		j.file, j.read = nil, 0
	}
	if j.file != file { // only now: the lock is the file's
		_ = file.Close()
	}
	return done, err
}

// giveUp goes on without a file. The caller holds mu.
func (j *journal) giveUp() {
	j.release()
	j.given = true
}

// release closes the file, which is opened again when it is needed. The caller holds mu.
func (j *journal) release() {
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.read = nil, 0
}

// open opens the file, which has to be one.
func (j *journal) open() error {
	if info, err := os.Lstat(j.path); err == nil && !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.file, j.read = file, 0
	return nil
}

// current says whether the open file is still the one of that name.
func (j *journal) current() (bool, error) {
	there, err := os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ours, err := j.file.Stat()
	return err == nil && os.SameFile(ours, there), err
}

// catchUp reads what is new in the file, of a long one the end, and takes off what is less
// than a record.
func (j *journal) catchUp() error {
	size, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < j.read {
		j.read = 0 // somebody has cut it
	}
	if torn := size % recordSize; torn > 0 {
		size -= torn
		if err := j.file.Truncate(size); err != nil {
			return err
		}
	}
	if least := size - int64(2*(j.most+maxSelves)*recordSize); j.read < least {
		j.read = least
	}
	b := make([]byte, size-j.read)
	if _, err := j.file.ReadAt(b, j.read); err != nil && len(b) > 0 {
		return err
	}
	j.read = size
	j.take(b, time.Now())
	return nil
}

// take remembers what the records say.
func (j *journal) take(b []byte, now time.Time) {
	for ; len(b) >= recordSize; b = b[recordSize:] {
		id, at, ok := parseRecord(b[:recordSize])
		if ok && now.Sub(at) <= j.keep && at.Sub(now) <= j.keep {
			j.remember(id, at)
		}
	}
}

func (j *journal) remember(id eventID, at time.Time) {
	if _, known := j.known[id]; known {
		return
	}
	j.known[id] = struct{}{}
	list, most := &j.handled, j.most
	if id.sequence == 0 {
		list, most = &j.selves, maxSelves
	}
	list.PushBack(journalEntry{id, at})
	for now := time.Now(); list.Len() > most || list.Len() > 0 && now.Sub(list.Front().at) > j.keep; {
		delete(j.known, list.PopFront().id)
	}
}

// rewrite puts a file in the place of ours that has only what is remembered. The lock
// is held on the old one; whoever waits for it sees that it is not the file any more.
func (j *journal) rewrite() error {
	var b []byte
	for _, list := range []*hsm.Deque[journalEntry]{&j.selves, &j.handled} {
		for i := range list.Len() {
			e := list.At(i)
			b = appendRecord(b, e.id, e.at)
		}
	}
	fresh, err := os.CreateTemp(filepath.Dir(j.path), ".statemesh_tmp_*")
	if err != nil {
		return err
	}
	_, err = fresh.Write(b)
	if err == nil {
		err = os.Rename(fresh.Name(), j.path)
	}
	if err != nil {
		_ = fresh.Close()
		_ = os.Remove(fresh.Name())
		return err
	}
	j.file, j.read = fresh, int64(len(b))
	return nil
}

// close closes the file. What is added later, by a step that has outlived its node, is
// written all the same.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.release()
	j.closed = true
}

func appendRecord(b []byte, id eventID, at time.Time) []byte {
	start := len(b)
	kind := byte(recordHandled)
	if id.sequence == 0 {
		kind = recordSelf
	}
	b = append(b, kind, 0, 0, 0)
	b = append(b, id.sender[:]...)
	b = binary.BigEndian.AppendUint64(b, id.epoch)
	b = binary.BigEndian.AppendUint64(b, id.sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixNano()))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseRecord(b []byte) (id eventID, at time.Time, ok bool) {
	sum := binary.BigEndian.Uint32(b[recordSize-4:])
	if crc32.Checksum(b[:recordSize-4], castagnoli) != sum || b[1]|b[2]|b[3] != 0 {
		return id, at, false
	}
	copy(id.sender[:], b[4:])
	id.epoch = binary.BigEndian.Uint64(b[20:])
	id.sequence = binary.BigEndian.Uint64(b[28:])
	at = time.Unix(0, int64(binary.BigEndian.Uint64(b[36:])))
	switch b[0] {
	case recordHandled:
		ok = id.sequence != 0
	case recordSelf:
		ok = id.sequence == 0
	}
	return id, at, ok
}
