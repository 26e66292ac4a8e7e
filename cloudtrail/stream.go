package cloudtrail

import (
	"bytes"
	"context"
	"io"
)

// firstBuffer is what a worker reads at once, unpacked. Only a longer record
// needs more.
const firstBuffer = 128 << 10

// stream hands out the bytes of a file piece by piece: buf[lo:hi] is what has
// been read and not yet used.
type stream struct {
	ctx    context.Context // of the scan; a stream does not outlive a file
	r      io.Reader
	buf    []byte
	lo, hi int
	base   int64 // offset of buf[0] in the file
	limit  int64 // how many bytes of the file may be read
	record int   // how large buf may become
	err    error // what reading ended with, io.EOF too
	escape int64 // offset up to which, from the present one on, nothing is escaped
}

// begin starts a new file, in the memory of the last one unless that is large.
func (s *stream) begin(ctx context.Context, r io.Reader, o *ScanOptions) {
	if len(s.buf) < o.firstBuffer || len(s.buf) > 4*o.firstBuffer {
		s.buf = make([]byte, o.firstBuffer)
	}
	s.ctx, s.r, s.limit, s.record = ctx, r, o.MaxFile, o.MaxRecord
	s.lo, s.hi, s.base, s.err, s.escape = 0, 0, 0, nil, 0
}

// bytes is what can be looked at. It is good until fill.
func (s *stream) bytes() []byte { return s.buf[s.lo:s.hi] }

// offset is where in the file bytes begins.
func (s *stream) offset() int64 { return s.base + int64(s.lo) }

// clean is how many bytes from the present one on have nothing escaped, or fewer.
func (s *stream) clean() int {
	if s.escape <= s.offset() {
		n := bytes.IndexByte(s.bytes(), '\\')
		if n < 0 {
			n = s.hi - s.lo
		}
		s.escape = s.offset() + int64(n)
	}
	return int(s.escape - s.offset())
}

// fill reads more. If nothing more can be had it says why: the error of the
// reader, io.EOF at the end, errTooLarge, or errTooLong if what is unused already
// fills the memory allowed.
func (s *stream) fill() error {
	if s.err != nil {
		return s.err
	}
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return err
	}
	if s.lo > 0 {
		copy(s.buf, s.buf[s.lo:s.hi])
		s.base += int64(s.lo)
		s.lo, s.hi = 0, s.hi-s.lo
	}
	if s.hi == len(s.buf) {
		if len(s.buf) >= s.record {
			return errTooLong
		}
		buf := make([]byte, min(2*len(s.buf), s.record))
		copy(buf, s.buf[:s.hi])
		s.buf = buf
	}
	had := s.hi
	for empty := 0; s.hi < len(s.buf) && s.err == nil; {
		n, err := s.r.Read(s.buf[s.hi:])
		s.hi += n
		s.err = err
		if empty++; n > 0 {
			empty = 0
		} else if empty > 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
	if over := s.base + int64(s.hi) - s.limit; over > 0 {
		s.hi -= int(min(over, int64(s.hi-had)))
		s.err = errTooLarge
	}
	if s.hi > had {
		return nil
	}
	return s.err
}

// peek returns the next byte that is no space, without using it.
func (s *stream) peek() (byte, error) {
	for {
		if s.lo += skipSpace(s.bytes(), 0); s.lo < s.hi {
			return s.buf[s.lo], nil
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// skip uses up one value of any size.
func (s *stream) skip() error {
	for {
		n := valueEnd(s.bytes(), 0)
		switch {
		case n >= 0:
			s.lo += n
			return nil
		case n == invalid:
			return errInvalid
		}
		switch err := s.fill(); err {
		case nil:
		case errTooLong: //nolint:errorlint // fill returns it as it is
			return s.skipLong()
		default:
			return inside(err)
		}
	}
}

// skipLong uses up a string, object or array that is too large for the memory.
func (s *stream) skipLong() error {
	var (
		depth    int
		inString bool
		escaped  bool
	)
	for {
		for i, c := range s.bytes() {
			switch {
			case escaped:
				escaped = false
				continue
			case inString && c == '\\':
				escaped = true
				continue
			case c == '"':
				inString = !inString
			case inString:
				continue
			default:
				switch kinds[c] {
				case open:
					depth++
				case closing:
					depth--
				case alien:
					s.lo += i
					return errInvalid
				}
			}
			if depth <= 0 && !inString {
				s.lo += i + 1
				return nil
			}
		}
		s.lo = s.hi
		if err := s.fill(); err != nil {
			return inside(err)
		}
	}
}

// inside is what an error means within a value: that there is no more is one.
func inside(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader gives it
		return errTruncated
	}
	return err
}
