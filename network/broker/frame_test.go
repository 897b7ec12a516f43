package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// framesReference splits a whole stream into frames, and tells how it ends.
func framesReference(b []byte, max int) (frames []frame, end error) {
	for {
		if len(b) == 0 {
			return frames, io.EOF
		}
		if len(b) < frameHead {
			return frames, io.ErrUnexpectedEOF
		}
		size := int64(binary.BigEndian.Uint32(b[3:]))
		if k := b[0]; k != 1 && k != 2 && k != 3 && k != 8 || size > int64(max-frameOverhead) {
			return frames, errFrame
		}
		if int64(len(b)) < size+frameOverhead {
			return frames, io.ErrUnexpectedEOF
		}
		if b[size+frameHead] != frameEnd {
			return frames, errFrame
		}
		frames = append(frames, frame{b[0], binary.BigEndian.Uint16(b[1:]), bytes.Clone(b[frameHead : frameHead+size])})
		b = b[size+frameOverhead:]
	}
}

// checkFrames reads the stream with a frameReader and compares.
func checkFrames(t interface{ Fatalf(string, ...any) }, stream []byte, src io.Reader, max int) {
	want, wantEnd := framesReference(stream, max)
	f := newFrameReader(src)
	if max != frameMin {
		f.limit(max)
	}
	for i := 0; ; i++ {
		ready := f.ready()
		got, err := f.next()
		if len(f.buf) > f.max && len(f.buf) > readBuffer {
			t.Fatalf("the buffer has grown to %d", len(f.buf))
		}
		if err != nil {
			if i != len(want) || !errors.Is(err, wantEnd) {
				t.Fatalf("%d frames, then %v; want %d, then %v", i, err, len(want), wantEnd)
			}
			return
		}
		if i >= len(want) || got.kind != want[i].kind || got.channel != want[i].channel || !bytes.Equal(got.payload, want[i].payload) {
			t.Fatalf("frame %d is %+v, want %+v", i, got, want)
		}
		if next := f.ready(); !ready && next && f.r == 0 {
			t.Fatalf("a frame is ready in an empty buffer")
		}
	}
}

func TestFrameReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(0, 20).Draw(t, "frames") {
			kind := rapid.SampledFrom([]byte{1, 2, 3, 8, 1, 2, 3, 8, 1, 2, 3, 8, 1, 2, 3, 8, 9}).Draw(t, "kind")
			size := rapid.OneOf(rapid.IntRange(0, 50), rapid.IntRange(4085, 4090), rapid.IntRange(40000, 70000)).Draw(t, "size")
			stream = appendFrame(stream, kind, rapid.Uint16().Draw(t, "channel"), bytes.Repeat([]byte{kind}, size))
		}
		stream = stream[:len(stream)-min(len(stream), rapid.SampledFrom([]int{0, 0, 0, 1, 5, 100}).Draw(t, "cut"))]
		if len(stream) > 0 && rapid.IntRange(0, 3).Draw(t, "damaged") == 0 {
			stream[rapid.IntRange(0, len(stream)-1).Draw(t, "where")] ^= 1
		}
		src := io.Reader(bytes.NewReader(stream))
		if rapid.Bool().Draw(t, "halves") {
			src = iotest.HalfReader(src)
		}
		if rapid.Bool().Draw(t, "data and error at once") {
			src = iotest.DataErrReader(src)
		}
		checkFrames(t, stream, src, rapid.SampledFrom([]int{frameMin, 8192, 64 << 10, 128 << 10}).Draw(t, "max"))
	})
}

// A length that is never followed by so many octets must not be believed.
func TestFrameReaderMemory(t *testing.T) {
	f := newFrameReader(bytes.NewReader(args{frameMethod}.short(0).long(1 << 31)))
	if _, err := f.next(); err != errFrame || len(f.buf) > frameMin {
		t.Fatalf("%v, %d octets of buffer", err, len(f.buf))
	}
}

func TestFrameEnd(t *testing.T) {
	b := appendFrame(nil, frameMethod, 0, []byte("abc"))
	b[len(b)-1] = 0xCD
	if _, err := newFrameReader(bytes.NewReader(b)).next(); err != errFrame {
		t.Fatalf("got %v, want errFrame", err)
	}
}

func TestAppendMethod(t *testing.T) {
	b := appendMethod(nil, 7, basicAck, args{}.longlong(3).octet(1))
	again, start := openMethod(nil, 7, basicAck)
	again = closeFrame(args(again).longlong(3).octet(1), start)
	if diff := cmp.Diff(b, again); diff != "" {
		t.Fatalf("two ways to make a method frame (-append +open):\n%s", diff)
	}
	f, err := newFrameReader(bytes.NewReader(b)).next()
	var m method
	if err != nil || f.channel != 7 || m.decode(f.payload) != methodOK || m.delivery != 3 || !m.has(ackMultiple) {
		t.Fatalf("%+v, %v, %+v", f, err, m)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameMethod, 1, []byte("abc")), frameHeartbeat, 0, nil), uint16(frameMin), uint8(1))
	f.Add([]byte("\x01\x00\x00\xff\xff\xff\xff"), uint16(8192), uint8(3))
	f.Add([]byte("AMQP\x00\x00\x09\x01"), uint16(0), uint8(0))
	f.Fuzz(func(t *testing.T, stream []byte, max uint16, step uint8) {
		checkFrames(t, stream, &stepReader{stream, int(step) + 1}, int(max)+frameMin)
	})
}

// stepReader reads a few octets at a time.
type stepReader struct {
	b    []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b[:min(r.step, len(r.b))])
	r.b = r.b[n:]
	return n, nil
}
