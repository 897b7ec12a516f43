package network

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

const (
	dotenvName      = ".env"
	maxDotenv       = 64 << 10 // bytes
	maxValueLines   = 256      // of one quoted value
	errNotRegular   = "it is not a regular file"
	errDotenvTooBig = "it is larger than 64 KiB"
)

// readDotenv returns the content of the .env file at path, nil if there is none.
// Its errors do not quote the file.
func readDotenv(path string) ([]byte, fs.FileMode, error) {
	// Looked at before it is opened, because opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(errNotRegular)
	}
	if err != nil {
		return nil, 0, misconfigured(path, "%w", withoutPath(err))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, misconfigured(path, "%w", withoutPath(err))
	}
	defer f.Close()
	content, err := readLimited(f)
	if err != nil {
		return nil, 0, misconfigured(path, "%w", withoutPath(err))
	}
	return content, info.Mode(), nil
}

func readLimited(f io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, maxDotenv+1))
	if err == nil && len(content) > maxDotenv {
		err = errors.New(errDotenvTooBig)
	}
	return content, err
}

// errReplaced: while we waited for the lock, somebody put another file there.
var errReplaced = errors.New("replaced")

// withDotenv calls f with the .env file at path, what it holds and what it is, while no
// other process that does the same has it. flag is how to open it, os.O_RDWR and
// more; with os.O_CREATE, a new file has mode 0600. If another file was put there meanwhile,
// that one is taken. It blocks while another process has the file, for ten seconds at most.
// The error is f's, or says what is wrong with the file, without quoting it.
func withDotenv(path string, flag int, f func(file *os.File, content []byte, info fs.FileInfo) error) error {
	for {
		err := tryDotenv(path, flag, f)
		if !errors.Is(err, errReplaced) {
			return err
		}
	}
}

func tryDotenv(path string, flag int, f func(file *os.File, content []byte, info fs.FileInfo) error) error {
	// Looked at before it is opened, because opening a pipe would wait for a reader.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return errors.New(errNotRegular)
	}
	file, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	unlock, err := lockFile(file)
	if err != nil {
		return err
	}
	defer unlock()
	ours, err := file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there) {
		return errReplaced
	}
	content, err := readLimited(file)
	if err != nil {
		return err
	}
	return f(file, content, ours)
}

// appendDotenv adds text to a file of that content, or leaves it as it is.
func appendDotenv(f *os.File, content []byte, added string) error {
	_, err := io.WriteString(f, added)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(int64(len(content))))
	}
	return nil
}

// withoutPath drops the operation and the path from a file error; the caller names the
// path.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// parseDotenv reads the variables of a .env file as github.com/joho/godotenv does, with
// one difference: a dollar sign is an ordinary character, nothing is expanded, because
// passwords hold such signs. The error tells the line and does not quote it.
func parseDotenv(content []byte) (map[string]string, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	lines := strings.SplitAfter(string(content), "\n")
	vars := map[string]string{}
	// Statement by statement, as the parser cannot tell where it failed. A statement has
	// several lines if a quoted value does.
	for from := 0; from < len(lines); {
		to, err := from+1, error(nil)
		for ; to <= len(lines) && to-from <= maxValueLines; to++ {
			if err = parseStatement(strings.Join(lines[from:to], ""), vars); err == nil {
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d is neither NAME=value nor a comment, or a quote in it is not closed", from+1)
		}
		from = to
	}
	return vars, nil
}

var errStatement = errors.New("not a statement")

func parseStatement(text string, vars map[string]string) error {
	// Escaped, so that nothing is expanded; in single quotes the escape stays.
	parsed, err := godotenv.Unmarshal(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "$", `\$`))
	if err != nil {
		return err
	}
	if _, nameless := parsed[""]; nameless {
		return errStatement
	}
	for name, value := range parsed {
		vars[name] = strings.ReplaceAll(value, `\$`, "$")
	}
	return nil
}
