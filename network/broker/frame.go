package broker

import (
	"encoding/binary"
	"errors"
	"io"
)

// The kinds of frames (AMQP 0-9-1, 4.2.3), their end octet, and the octets around a payload.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8

	frameEnd      = 0xCE
	frameHead     = 7
	frameOverhead = frameHead + 1
)

// frameMin is the frame size every peer must take (AMQP 0-9-1, frame-min-size). It is the limit before tuning.
const frameMin = 4096

// readBuffer is how much is read at once from a peer that has logged in.
const readBuffer = 32 << 10

// frame is what a frameReader has read. The payload is valid until the next read.
type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

// errFrame is a frame that breaks the rules; the peer is told 501.
var errFrame = errors.New("broker: malformed frame")

// frameReader splits what it reads into frames. It holds one buffer, which never grows beyond the frame limit (or
// readBuffer, if that is more), whatever lengths the peer claims.
type frameReader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is read and not yet used
	max  int // the largest frame, with its head and end
}

func newFrameReader(src io.Reader) *frameReader {
	return &frameReader{src: src, buf: make([]byte, frameMin), max: frameMin}
}

// limit sets the largest frame and makes room to read many small ones at once.
func (f *frameReader) limit(max int) {
	f.max = max
	f.grow(readBuffer)
}

// grow makes the buffer at least n octets large.
func (f *frameReader) grow(n int) {
	if n <= len(f.buf) {
		return
	}
	buf := make([]byte, n)
	f.w = copy(buf, f.buf[f.r:f.w])
	f.buf, f.r = buf, 0
}

// fill reads until n octets are there.
func (f *frameReader) fill(n int) error {
	if f.w-f.r >= n {
		return nil
	}
	f.grow(n)
	if f.r > 0 && (f.r == f.w || f.r+n > len(f.buf)) {
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	}
	for f.w-f.r < n {
		m, err := f.src.Read(f.buf[f.w:])
		f.w += m
		if err != nil && f.w-f.r < n {
			if err == io.EOF && f.w > f.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// take reads n octets that are no frame. They are valid until the next read.
func (f *frameReader) take(n int) ([]byte, error) {
	if err := f.fill(n); err != nil {
		return nil, err
	}
	b := f.buf[f.r : f.r+n]
	f.r += n
	return b, nil
}

// ready tells whether the next frame has been read already, so that next will not block.
func (f *frameReader) ready() bool {
	have := f.buf[f.r:f.w]
	return len(have) >= frameHead && uint64(len(have)) >= uint64(binary.BigEndian.Uint32(have[3:]))+frameOverhead
}

// next reads one frame. The error is errFrame or that of the source.
func (f *frameReader) next() (frame, error) {
	if err := f.fill(frameHead); err != nil {
		return frame{}, err
	}
	head := f.buf[f.r:]
	kind, channel, size := head[0], binary.BigEndian.Uint16(head[1:]), binary.BigEndian.Uint32(head[3:])
	switch kind {
	case frameMethod, frameHeader, frameBody, frameHeartbeat:
	default:
		return frame{}, errFrame
	}
	if uint64(size) > uint64(f.max-frameOverhead) {
		return frame{}, errFrame
	}
	all, err := f.take(frameHead + int(size) + 1)
	if err != nil {
		return frame{}, err
	}
	if all[len(all)-1] != frameEnd {
		return frame{}, errFrame
	}
	return frame{kind, channel, all[frameHead : len(all)-1]}, nil
}

// appendFrame appends a whole frame.
func appendFrame(b []byte, kind byte, channel uint16, payload []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, payload...)
	return append(b, frameEnd)
}

// appendMethod appends a method frame.
func appendMethod(b []byte, channel uint16, id methodID, a args) []byte {
	b = append(b, frameMethod)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(a)))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = append(b, a...)
	return append(b, frameEnd)
}

// openMethod begins a method frame whose arguments the caller appends; closeFrame ends it.
func openMethod(b []byte, channel uint16, id methodID) (_ []byte, start int) {
	start = len(b)
	b = append(b, frameMethod)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, uint32(id)), start
}

// closeFrame ends the frame that begins at start.
func closeFrame(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+3:], uint32(len(b)-start-frameHead))
	return append(b, frameEnd)
}
