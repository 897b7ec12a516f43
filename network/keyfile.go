package network

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/statemesh/statemesh/network/seal"
)

// shareKey returns the mesh key that the .env file at path holds, and writes a new one
// there if it holds none: however many processes call it at once, all get the same. written
// says that it was this call. The rest of the file and its mode stay as they are; a
// new file has mode 0600.
func shareKey(path string) (key seal.Key, written bool, err error) {
	err = withDotenv(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, func(f *os.File, content []byte, _ fs.FileInfo) (err error) {
		key, written, err = keyOrNew(path, f, content)
		return err
	})
	switch {
	case err == nil || errors.Is(err, ErrConfig):
	default:
		err = misconfigured(EnvMeshKey, "it is not set, and a new key cannot be kept in %s (%w); set it in the environment",
			path, withoutPath(err))
	}
	return key, written, err
}

// keyOrNew reads the key in the file, or writes one.
func keyOrNew(path string, f *os.File, content []byte) (seal.Key, bool, error) {
	none := seal.Key{}
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
	return appendDotenv(f, content, line)
}

// errLocked is returned by lockFile when it has waited too long.
func errLocked(name string) error {
	return fmt.Errorf("another process keeps %s locked", name)
}
