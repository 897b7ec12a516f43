package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sameFile says that r reads the ordinary file of that name. Devices may be
// read and written at once.
func sameFile(r io.Reader, name string) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// replaceFile has write make the content of the file of that name. An ordinary
// file changes at once, when all is written, or not at all; it keeps its mode.
// A device, a pipe or the like is written to directly.
func replaceFile(name string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // replace what the link leads to, not the link
	}
	// Opened for the answer to whether it may be written, and not emptied.
	old, err := os.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return createFile(name, nil, write)
	}
	if err != nil {
		return err
	}
	info, err := old.Stat()
	if err != nil {
		return errors.Join(err, old.Close())
	}
	if !info.Mode().IsRegular() {
		return errors.Join(write(old), old.Close())
	}
	if err := old.Close(); err != nil {
		return err
	}
	return createFile(name, info, write)
}

// createFile writes a new file beside name and then gives it that name, and
// the mode of the old one if there is one.
func createFile(name string, old fs.FileInfo, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(fmt.Sprintf("%s.%016x", name, rand.Uint64()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		pe.Path = name // the name that its reader knows
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = write(f)
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
