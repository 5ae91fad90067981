package output

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Opt is a value that may be unknown, which is null in JSON. The zero Opt is unknown.
type Opt[T any] struct {
	Value T
	Known bool
}

// Some is a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Known: true} }

// Text is a known text, or null where it is empty.
func Text(s string) Opt[string] { return Opt[string]{Value: s, Known: s != ""} }

// Decimals of what is no money.
const (
	probabilityDecimals = 4
	countDecimals       = 3 // of expected orders
	dayDecimals         = 1
	scoreDecimals       = 3 // of average scores
	percentDecimals     = 1 // of percentiles and net promoter scores
)

// line is a JSON object that is being written. Names are constants of this package and need no escaping.
type line struct {
	dst  []byte
	unit money.Unit
	next bool // a member stands before
}

func (l *line) open() {
	l.dst = append(l.dst, '{')
	l.next = false
}

func (l *line) close() {
	l.dst = append(l.dst, '}')
	l.next = true
}

func (l *line) name(name string) {
	if l.next {
		l.dst = append(l.dst, ',')
	}
	l.next = true
	l.dst = append(l.dst, '"')
	l.dst = append(l.dst, name...)
	l.dst = append(l.dst, '"', ':')
}

func (l *line) object(name string) {
	l.name(name)
	l.open()
}

func (l *line) null(name string) {
	l.name(name)
	l.dst = append(l.dst, "null"...)
}

func (l *line) text(name, s string) {
	l.name(name)
	l.dst = appendString(l.dst, s)
}

func (l *line) optText(name string, s Opt[string]) {
	if !s.Known {
		l.null(name)
		return
	}
	l.text(name, s.Value)
}

func (l *line) texts(name string, all []string) {
	l.name(name)
	l.dst = append(l.dst, '[')
	for i, s := range all {
		if i > 0 {
			l.dst = append(l.dst, ',')
		}
		l.dst = appendString(l.dst, s)
	}
	l.dst = append(l.dst, ']')
}

func (l *line) whole(name string, n int64) {
	l.name(name)
	l.dst = strconv.AppendInt(l.dst, n, 10)
}

func (l *line) optWhole(name string, n Opt[int64]) {
	if !n.Known {
		l.null(name)
		return
	}
	l.whole(name, n.Value)
}

func (l *line) bool(name string, b bool) {
	l.name(name)
	l.dst = strconv.AppendBool(l.dst, b)
}

func (l *line) optBool(name string, b Opt[bool]) {
	if !b.Known {
		l.null(name)
		return
	}
	l.bool(name, b.Value)
}

func (l *line) money(name string, minor int64) {
	l.name(name)
	l.dst = l.unit.Append(l.dst, minor)
}

func (l *line) optMoney(name string, minor Opt[int64]) {
	if !minor.Known {
		l.null(name)
		return
	}
	l.money(name, minor.Value)
}

func (l *line) optFloat(name string, f Opt[float64], decimals int) {
	if !f.Known || math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		l.null(name)
		return
	}
	l.name(name)
	l.dst = appendFixed(l.dst, f.Value, decimals)
}

func (l *line) optTime(name string, ms Opt[int64]) {
	if !ms.Known {
		l.null(name)
		return
	}
	l.time(name, ms.Value)
}

func (l *line) time(name string, ms int64) {
	l.name(name)
	l.dst = append(l.dst, '"')
	l.dst = timestamp.Append(l.dst, ms)
	l.dst = append(l.dst, '"')
}

// appendFixed writes a finite number with so many decimals, correctly rounded from its binary value, and never -0.
func appendFixed(dst []byte, f float64, decimals int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', decimals, 64)
	if dst[start] != '-' {
		return dst
	}
	for _, c := range dst[start+1:] {
		if '1' <= c && c <= '9' {
			return dst
		}
	}
	return append(dst[:start], dst[start+1:]...)
}

const hex = "0123456789abcdef"

// appendString writes a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
