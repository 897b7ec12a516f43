package network

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/statemesh/statemesh/network/seal"
)

// shareKey returns the mesh key that the .env file at path holds, and writes a new one
// there if it holds none: however many processes call it at once, all get the same. written
// says that it was this call. The rest of the file and its mode stay as they are; a
// new file has mode 0600.
func shareKey(path string) (key seal.Key, written bool, err error) {
	for {
		key, written, err = tryShareKey(path)
		if !errors.Is(err, errReplaced) {
			break
		}
	}
	switch {
	case err == nil || errors.Is(err, ErrConfig):
	default:
		err = misconfigured(EnvMeshKey, "it is not set, and a new key cannot be kept in %s (%w); set it in the environment",
			path, withoutPath(err))
	}
	return key, written, err
}

// errReplaced: while we waited for the lock, somebody put another file there.
var errReplaced = errors.New("replaced")

func tryShareKey(path string) (seal.Key, bool, error) {
	none := seal.Key{}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return none, false, errors.New(errNotRegular)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return none, false, err
	}
	defer f.Close()
	unlock, err := lockFile(f)
	if err != nil {
		return none, false, err
	}
	defer unlock()

	ours, err := f.Stat()
	if err != nil {
		return none, false, err
	}
	if there, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there) {
		return none, false, errReplaced
	}
	content, err := readLimited(f)
	if err != nil {
		return none, false, err
	}
	vars, err := parseDotenv(content)
	if err != nil {
		return none, false, misconfigured(path, "%w", err)
	}
	if text := vars[EnvMeshKey]; text != "" {
		key, err := seal.ParseKey(text)
		if err != nil {
			return none, false, misconfigured(EnvMeshKey+" in "+path, "%w", err)
		}
		return key, false, nil
	}
	key := seal.NewKey()
	if err := appendKey(f, content, key); err != nil {
		return none, false, err
	}
	return key, true, nil
}

// appendKey adds one line to the file with that content.
func appendKey(f *os.File, content []byte, key seal.Key) error {
	line := EnvMeshKey + "=" + key.Encode() + "\n"
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		line = "\n" + line
	}
	if len(content)+len(line) > maxDotenv {
		return errors.New(errDotenvTooBig)
	}
	_, err := io.WriteString(f, line)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(int64(len(content))))
	}
	return nil
}

// errLocked is returned by lockFile when it has waited too long.
func errLocked(name string) error {
	return fmt.Errorf("another process keeps %s locked", name)
}
