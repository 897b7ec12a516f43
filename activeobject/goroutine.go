package activeobject

import (
	"bytes"
	"runtime"
	"strings"
)

// goroutineID identifies the calling goroutine. It costs microseconds, so it is
// asked only for what a spy or a picture of causes needs to be true: a post by
// somebody else, while a step runs, is not the step's.
func goroutineID() string {
	var buf [40]byte
	header := buf[:runtime.Stack(buf[:], false)]
	header, _, _ = bytes.Cut(header, []byte(" ["))
	return string(header)
}

// insideHandler reports whether the caller was called by a handler of any
// active object.
func insideHandler() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for {
			frame, more := frames.Next()
			if strings.HasSuffix(frame.Function, "activeobject.(*ActiveObject).step") {
				return true
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
