package activeobject

import (
	"runtime"
	"strings"
	"sync"
)

// goroutineID identifies the calling goroutine; no id is 0. It costs a
// microsecond, so it is asked only for what a spy or a picture of causes needs to
// be true: a post by somebody else, while a step runs, is not the step's.
func goroutineID() uint64 {
	buf := headers.Get().(*[40]byte)
	defer headers.Put(buf)
	header := buf[:runtime.Stack(buf[:], false)] // goroutine 4711 [running]: ...
	id := uint64(0)
	for _, c := range header[len("goroutine "):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	return id
}

// headers has the memory that goroutineID reads into.
var headers = sync.Pool{New: func() any { return new([40]byte) }}

// insideHandler reports whether the caller was called by a handler of any
// active object, or by a hook that the object's goroutine waits for.
func insideHandler() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for {
			frame, more := frames.Next()
			if strings.HasSuffix(frame.Function, "activeobject.(*ActiveObject).step") ||
				strings.HasSuffix(frame.Function, "activeobject.(*ActiveObject).enter") ||
				strings.HasSuffix(frame.Function, "activeobject.(*ActiveObject).decide") ||
				strings.HasSuffix(frame.Function, "activeobject.(*ActiveObject).afterStep") {
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
