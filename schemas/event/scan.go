package event

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// token is a kind of JSON value.
type token uint8

const (
	tokNone token = iota
	tokNull
	tokBool
	tokNumber
	tokString
	tokObject
	tokArray
)

const maxDepth = 128

// slot is the position of a value in the record.
type slot struct {
	start, end int32 // with quotes
	tok        token
	escaped    bool // a string with escapes
}

// place is an object whose members may be fields.
type place struct {
	present nameSet // names whose value is neither null nor ""
	nulls   nameSet // names whose value is null
	slots   [maxNames]slot
}

// The places of fields, in the order in which find searches them.
const (
	inBody = iota
	inProperties
	inData
	inPart // an element of an array, or an inner object, that is being read
	places
)

func (p *place) reset() { p.present, p.nulls = nameSet{}, nameSet{} }

// scanner reads a record once: it checks the whole syntax, as strictly as RFC 8259, and notes the positions of the known members.
type scanner struct {
	buf     []byte
	places  [places]place
	scratch []byte // unescaped strings
	bad     Reason // why scanning failed
}

// document scans buf from start to its end, which must be one object.
func (s *scanner) document(start int) bool {
	for at := inBody; at <= inData; at++ {
		s.places[at].reset()
	}
	i := s.space(start)
	if i >= len(s.buf) || s.buf[i] != '{' {
		s.bad = Malformed
		return false
	}
	if i = s.object(i, inBody, 1); i < 0 {
		return false
	}
	if s.space(i) != len(s.buf) {
		s.bad = Malformed
		return false
	}
	return true
}

func (s *scanner) fail(r Reason) int {
	s.bad = r
	return -1
}

func (s *scanner) space(i int) int {
	for i < len(s.buf) && s.buf[i] <= ' ' && (s.buf[i] == ' ' || s.buf[i] == '\n' || s.buf[i] == '\t' || s.buf[i] == '\r') {
		i++
	}
	return i
}

// object scans from '{' and returns the position after '}', or -1. It notes the members in the place, unless that is negative.
func (s *scanner) object(i, at, depth int) int {
	if depth > maxDepth {
		return s.fail(Malformed)
	}
	if i = s.space(i + 1); i < len(s.buf) && s.buf[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.buf) || s.buf[i] != '"' {
			return s.fail(Malformed)
		}
		keyStart := i + 1
		var escaped bool
		if i, escaped = s.string(i); i < 0 {
			return -1
		}
		n := nUnknown
		if at >= 0 {
			key := s.buf[keyStart : i-1]
			if escaped {
				key = s.unescape(key)
			}
			if at == inPart {
				n = partNames.of(key)
			} else {
				n = names.of(key)
			}
		}
		if i = s.space(i); i >= len(s.buf) || s.buf[i] != ':' {
			return s.fail(Malformed)
		}
		if i = s.member(s.space(i+1), at, n, depth); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.buf) {
			return s.fail(Malformed)
		}
		switch s.buf[i] {
		case '}':
			return i + 1
		case ',':
			i = s.space(i + 1)
		default:
			return s.fail(Malformed)
		}
	}
}

// member scans the value of a member, and notes it if its name is known.
func (s *scanner) member(i, at int, n name, depth int) int {
	if n == nUnknown {
		_, end := s.value(i, -1, depth)
		return end
	}
	inner := -1
	if at == inBody && n == nProperties {
		inner = inProperties
	} else if at == inBody && n == nData {
		inner = inData
	}
	if inner >= 0 {
		s.places[inner].reset() // of a repeated member the last counts
	}
	v, end := s.value(i, inner, depth)
	if end < 0 {
		return -1
	}
	p := &s.places[at]
	p.slots[n] = v
	p.nulls.remove(n)
	switch {
	case v.tok == tokNull:
		p.present.remove(n)
		p.nulls.add(n)
	case v.tok == tokString && v.end-v.start == 2:
		p.present.remove(n)
	case at != inPart && n == nType && v.tok == tokString && string(s.plain(v)) == "track": // Segment's envelope: its member event has the name
		p.present.remove(n)
	default:
		p.present.add(n)
	}
	return end
}

// value scans any value. It notes the members of an object in the place at, unless that is negative.
func (s *scanner) value(i, at, depth int) (v slot, end int) {
	if i >= len(s.buf) {
		return v, s.fail(Malformed)
	}
	switch c := s.buf[i]; {
	case c == '"':
		v.tok = tokString
		end, v.escaped = s.string(i)
	case c == '-' || c-'0' <= 9:
		v.tok, end = tokNumber, s.number(i)
	case c == '{':
		v.tok, end = tokObject, s.object(i, at, depth+1)
	case c == '[':
		v.tok, end = tokArray, s.array(i, depth+1)
	case c == 't':
		v.tok, end = tokBool, s.literal(i, "true")
	case c == 'f':
		v.tok, end = tokBool, s.literal(i, "false")
	case c == 'n':
		v.tok, end = tokNull, s.literal(i, "null")
	default:
		end = s.fail(Malformed)
	}
	v.start, v.end = int32(i), int32(end) //nolint:gosec // Kafka's records are below 2 GiB
	return v, end
}

func (s *scanner) array(i, depth int) int {
	if depth > maxDepth {
		return s.fail(Malformed)
	}
	if i = s.space(i + 1); i < len(s.buf) && s.buf[i] == ']' {
		return i + 1
	}
	for {
		if _, i = s.value(i, -1, depth); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.buf) {
			return s.fail(Malformed)
		}
		switch s.buf[i] {
		case ']':
			return i + 1
		case ',':
			i = s.space(i + 1)
		default:
			return s.fail(Malformed)
		}
	}
}

func (s *scanner) literal(i int, text string) int {
	if len(s.buf)-i < len(text) || string(s.buf[i:i+len(text)]) != text {
		return s.fail(Malformed)
	}
	return i + len(text)
}

func (s *scanner) number(i int) int {
	b := s.buf
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || i-start > 1 && b[start] == '0' {
		return s.fail(Malformed)
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return s.fail(Malformed)
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, start); i == start {
			return s.fail(Malformed)
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// special returns the index of the first quote, backslash or control character within eight bytes of a string; 8 if there is none.
// It tests all bytes at once: a subtraction borrows from a byte that is below the subtrahend. Bytes after a hit may be marked
// wrongly; the first mark is always right.
func special(b uint64) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash := b^ones*'"', b^ones*'\\'
	marks := ((quote-ones)&^quote | (backslash-ones)&^backslash | (b-ones*' ')&^b) & tops
	return bits.TrailingZeros64(marks) / 8
}

// string scans from the opening quote and returns the position after the closing one, or -1.
func (s *scanner) string(i int) (end int, escaped bool) {
	b := s.buf
	for i++; i < len(b); {
		if i+8 <= len(b) {
			skip := special(binary.LittleEndian.Uint64(b[i:]))
			i += skip
			if skip == 8 {
				continue
			}
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c >= ' ' && c != '\\': // among the last eight bytes of the record
			i++
			continue
		case c != '\\' || i+1 >= len(b):
			return s.fail(Malformed), escaped
		}
		escaped = true
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			r, ok := hex4(b, i+2)
			if !ok {
				return s.fail(Malformed), escaped
			}
			i += 6
			if !utf16.IsSurrogate(r) {
				break
			}
			var low rune
			if i+1 < len(b) && b[i] == '\\' && b[i+1] == 'u' {
				low, _ = hex4(b, i+2)
			}
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return s.fail(Encoding), escaped
			}
			i += 6
		default:
			return s.fail(Malformed), escaped
		}
	}
	return s.fail(Malformed), escaped
}

func hex4(b []byte, i int) (r rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// plain returns the text of a string or a number, and the JSON of any other value.
func (s *scanner) plain(v slot) []byte {
	if v.tok != tokString {
		return s.buf[v.start:v.end:v.end]
	}
	raw := s.buf[v.start+1 : v.end-1 : v.end-1]
	if v.escaped {
		return s.unescape(raw)
	}
	return raw
}

// unescape appends a string's text to the scratch. Its escapes have been checked.
func (s *scanner) unescape(raw []byte) []byte {
	start := len(s.scratch)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			s.scratch = append(s.scratch, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(raw, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw, i+3)
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			s.scratch = utf8.AppendRune(s.scratch, r)
			continue
		}
		s.scratch = append(s.scratch, c)
	}
	return s.scratch[start:len(s.scratch):len(s.scratch)]
}

// part scans an object that was scanned before; its members are in inPart.
func (s *scanner) part(v slot) {
	s.places[inPart].reset()
	s.value(int(v.start), inPart, 1)
}

// elements calls each with every element of a scanned array; the members of an object are in inPart.
func (s *scanner) elements(v slot, each func(tok token)) {
	i := s.space(int(v.start) + 1)
	if s.buf[i] == ']' {
		return
	}
	for {
		s.places[inPart].reset()
		e, end := s.value(i, inPart, 1)
		each(e.tok)
		if i = s.space(end); s.buf[i] == ']' {
			return
		}
		i = s.space(i + 1)
	}
}
