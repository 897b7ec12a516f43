package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	maxFileSize    = 1 << 20 // bytes
	maxFileEntries = 1024
)

// What can be wrong with a whole file. A FileError wraps one of these, or what the
// system said.
var (
	ErrNotRegular = errors.New("it is not a regular file")
	ErrTooLarge   = errors.New("it is larger than 1 MiB")
	ErrSyntax     = errors.New("it is not JSON")
	ErrContent    = errors.New("its content is wrong")
)

// FileError says that a file cannot be used at all, or cannot be written, and why.
type FileError struct {
	Path string
	Err  error // wraps one of the errors above or of the system, as fs.ErrPermission, if it is one
}

// Error returns one sentence with the path and the reason.
func (e *FileError) Error() string { return "discovery: file " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// fileError drops operation and path from what the system said.
func fileError(path string, err error) error {
	return &FileError{Path: path, Err: bareError(err)}
}

func bareError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// readSmallFile returns the content of a regular file, and what the system says of
// it. It follows symbolic links, and does not wait for what is no file on a disk.
func readSmallFile(path string) ([]byte, fs.FileInfo, error) {
	// Looked at before it is opened, as opening a device can have effects.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, ErrNotRegular
	}
	// It may have become a pipe meanwhile, whose opening would wait for a writer.
	var f *os.File
	err = whileShared(func() error {
		f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return readRegular(f)
}

// readRegular reads an open file that may be anything.
func readRegular(f *os.File) ([]byte, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, ErrNotRegular
	}
	if info.Size() > maxFileSize {
		return nil, nil, ErrTooLarge
	}
	content, err := readInTime(f)
	return content, info, err
}

// readInTime gives up after a second when there is nothing to read: some files of
// Linux, as /proc/kmsg, look regular and wait for news. These know deadlines.
func readInTime(f *os.File) ([]byte, error) {
	_ = f.SetReadDeadline(time.Now().Add(time.Second))
	return readToLimit(f)
}

// readToLimit trusts no size told before: a file may grow while it is read.
func readToLimit(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err == nil && len(content) > maxFileSize {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}

// whileShared tries again, for about a second, what Windows refuses while another
// process has the file open or is just replacing it.
func whileShared(try func() error) error {
	const (
		patience = time.Second
		pause    = 10 * time.Millisecond

		errorAccessDenied     = syscall.Errno(5)
		errorSharingViolation = syscall.Errno(32)
	)
	for tries := 0; ; tries++ {
		err := try()
		if err == nil || runtime.GOOS != "windows" || tries == int(patience/pause) ||
			!errors.Is(err, errorAccessDenied) && !errors.Is(err, errorSharingViolation) {
			return err
		}
		time.Sleep(pause)
	}
}

// jsonFields returns the values of those fields of a JSON object whose names are
// given, nil for one that is missing. Other fields are passed over, so that later
// versions may have more.
//
// It is stricter than encoding/json: a field's name is taken to the letter, and one
// of those asked for must not be there twice. Arrays and objects may be nested
// 10,000 deep.
func jsonFields(content []byte, names ...string) ([]json.RawMessage, error) {
	content, err := plainText(content)
	if err != nil {
		return nil, err
	}
	// All of it is checked first, because only here the error has the right place.
	var all json.RawMessage
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, notJSON(content, err)
	}
	if kind := jsonKind(all); kind != "an object" {
		return nil, fmt.Errorf("%w: %s instead of an object with %q", ErrContent, kind, names[0])
	}
	values := make([]json.RawMessage, len(names))
	dec := json.NewDecoder(bytes.NewReader(content))
	if _, err := dec.Token(); err != nil { // the opening brace
		return nil, notJSON(content, err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, notJSON(content, err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(content, err)
		}
		for i := range names {
			if name != names[i] {
				continue
			}
			if values[i] != nil {
				return nil, fmt.Errorf("%w: %q is there twice", ErrContent, names[i])
			}
			values[i] = value
		}
	}
	return values, nil
}

// plainText drops the byte order mark that some editors write.
func plainText(content []byte) ([]byte, error) {
	content, _ = bytes.CutPrefix(content, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.HasPrefix(content, []byte("\xfe\xff")), bytes.HasPrefix(content, []byte("\xff\xfe")):
		return nil, fmt.Errorf("%w: it is UTF-16, save it as UTF-8", ErrSyntax)
	case len(bytes.TrimSpace(content)) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrSyntax)
	}
	return content, nil
}

// notJSON tells where it goes wrong, and quotes no more than the one character.
func notJSON(content []byte, err error) error {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	// The offset counts the byte that is wrong, if there is one.
	before := content[:min(max(syntax.Offset-1, 0), int64(len(content)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Errorf("%w: line %d, column %d: %w", ErrSyntax, line, column, err)
}

// jsonKind names the kind of a value that is known to be JSON.
func jsonKind(value json.RawMessage) string {
	value = bytes.TrimLeft(value, " \t\r\n")
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// jsonList returns the elements of a field that has to be there and be a list.
func jsonList(value json.RawMessage, name string) ([]json.RawMessage, error) {
	if value == nil {
		return nil, fmt.Errorf("%w: it has no %q", ErrContent, name)
	}
	if kind := jsonKind(value); kind != "a list" {
		return nil, fmt.Errorf("%w: %q is %s instead of a list", ErrContent, name, kind)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return list, nil
}

// jsonText returns a value that has to be a text.
func jsonText(value json.RawMessage) (string, error) {
	if kind := jsonKind(value); kind != "a text" {
		return "", fmt.Errorf("it is %s instead of a text", kind)
	}
	var text string
	err := json.Unmarshal(value, &text)
	return text, err
}
