package eventfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

const (
	longestLine   = 1 << 20 // bytes; a longer line is refused
	longestQuoted = 1 << 18 // bytes; a quote that is open for longer was never closed
)

var (
	errLong     = errors.New("longer than 1 MiB")
	errUnclosed = errors.New("the file ends within its JSON array: it was cut off")
)

// records splits content into records: lines, or in CSV all lines that an open quote joins. The CSV reader gets one record at a
// time, so that a malformed one cannot consume those after it, and line and offset are always known.
type records struct {
	in     *bufio.Reader
	ahead  []byte // read and returned by unreadLines
	comma  byte   // CSV's delimiter; 0: every line is a record
	array  bool   // a record is an element of a JSON array, and its number takes the place of a line's
	opened bool   // the bracket of the array has been read
	line   int    // lines read
	offset int64  // bytes read
	buf    []byte // the record
	first  int    // length of its first line
}

func newRecords(in io.Reader, comma byte) *records {
	return &records{in: bufio.NewReaderSize(in, 1<<16), comma: comma}
}

// skip passes over a byte order mark and a number of lines at the beginning.
func (r *records) skip(lines int) error {
	if first, err := r.in.Peek(len(byteOrderMark)); err == nil && string(first) == byteOrderMark {
		_, _ = r.in.Discard(len(byteOrderMark)) // has just been peeked at
		r.offset = int64(len(byteOrderMark))
	}
	for range lines {
		r.buf = r.buf[:0]
		if err := r.readLine(); err != nil && !errors.Is(err, errLong) && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// next returns the next record that is not blank, with its line break, and the number of its first line. The bytes are
// valid until the next call. At the end the error is io.EOF; errLong concerns one line only.
func (r *records) next() (raw []byte, line int, err error) {
	if r.array {
		return r.element()
	}
	for {
		r.buf = r.buf[:0]
		line, r.first = r.line+1, 0
		if err := r.readLine(); err != nil {
			return nil, line, err
		}
		r.first = len(r.buf)
		if len(bytes.TrimRight(r.buf, "\r\n")) > 0 {
			break
		}
	}
	if r.comma == 0 {
		return r.buf, line, nil
	}
	for state := quoting(atStart, r.buf, r.comma); state == quoted; {
		soFar := len(r.buf)
		switch err := r.readLine(); {
		case errors.Is(err, io.EOF):
			r.unreadLines()
			return r.buf, line, nil
		case err != nil:
			return nil, line, err
		case len(r.buf) > longestQuoted:
			r.unreadLines()
			return r.buf, line, nil
		}
		state = quoting(state, r.buf[soFar:], r.comma)
	}
	return r.buf, line, nil
}

// element returns the next element of a JSON array. It follows quotes and brackets only: whether the element is valid JSON is the
// caller's to find out. errLong concerns one element only; io.EOF follows errUnclosed.
func (r *records) element() (raw []byte, number int, err error) {
	r.buf = r.buf[:0]
	var depth, size int
	var inString, escaped bool
	for {
		c, err := r.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && r.opened:
			r.opened = false
			return nil, r.line + 1, errUnclosed
		case err != nil:
			return nil, r.line + 1, err //nolint:wrapcheck // the caller names the file
		}
		r.offset++
		outside := depth == 0 && !inString
		switch {
		case !r.opened && c == '[':
			r.opened = true
			continue
		case outside && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || !r.opened): // what follows the array is not read
			continue
		case outside && (c == ',' || c == ']'):
			r.opened = c == ','
			if size == 0 && r.opened {
				continue
			}
			if size == 0 {
				return nil, r.line + 1, io.EOF
			}
			r.line++
			if size > longestLine {
				return nil, r.line, errLong
			}
			return r.buf, r.line, nil
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if size++; size <= longestLine {
			r.buf = append(r.buf, c)
		}
	}
}

// unreadLines keeps only the first line of the record, so that next returns the other lines as records of their own: the quote that
// seemed to join them is malformed.
func (r *records) unreadLines() {
	rest := r.buf[r.first:]
	if len(rest) == 0 {
		return
	}
	r.line -= bytes.Count(rest, []byte{'\n'})
	if rest[len(rest)-1] != '\n' {
		r.line--
	}
	r.offset -= int64(len(rest))
	r.ahead = slices.Concat(rest, r.ahead)
	r.buf = r.buf[:r.first]
}

// readLine appends one line. It skips a line that is too long.
func (r *records) readLine() error {
	start, long := len(r.buf), false
	for {
		part, err := r.read()
		r.offset += int64(len(part))
		if long = long || len(r.buf)-start+len(part) > longestLine; !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err != nil && !long && len(r.buf) == start:
			return io.EOF
		}
		r.line++
		if long {
			return errLong
		}
		return nil
	}
}

// read returns bytes up to and with the next line break, first those that unreadLines returned.
func (r *records) read() ([]byte, error) {
	if len(r.ahead) == 0 {
		return r.in.ReadSlice('\n')
	}
	part, end := r.ahead, bytes.IndexByte(r.ahead, '\n')
	if end < 0 {
		r.ahead = nil
		return part, bufio.ErrBufferFull // the rest of the line is still to come
	}
	part, r.ahead = r.ahead[:end+1], r.ahead[end+1:]
	return part, nil
}

const (
	atStart = iota // of a field
	unquoted
	quoted
	closing // a quote within quotes: the end, or the first half of a doubled one
)

// quoting applies the quoting rules of RFC 4180 to more bytes: a quote opens only at the start of a field.
func quoting(state int, more []byte, comma byte) int {
	if state != quoted && bytes.IndexByte(more, '"') < 0 {
		return atStart // more ends with a line
	}
	for _, c := range more {
		switch {
		case state == quoted:
			if c == '"' {
				state = closing
			}
		case c == comma || c == '\n':
			state = atStart
		case c == '"' && (state == atStart || state == closing):
			state = quoted
		case state == atStart && (c == ' ' || c == '\t'): // white space around a field is no part of it
		default:
			state = unquoted
		}
	}
	return state
}
