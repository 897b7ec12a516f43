//go:build !linux

package netnstest

import "os"

// tap stands for what only Linux has.
type tap struct{ *os.File }

func openTap(string, string) (tap, error) { return tap{}, ErrUnavailable }

func (tap) carrier(bool) error { return ErrUnavailable }
