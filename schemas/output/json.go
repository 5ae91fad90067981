package output

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Opt is a value that may be unknown, which JSON states as null. The zero Opt is unknown.
type Opt[T any] struct {
	Value T
	Known bool
}

// Some returns a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Known: true} }

// Text returns a known text, or an unknown one if it is empty.
func Text(s string) Opt[string] { return Opt[string]{Value: s, Known: s != ""} }

// Decimals of values other than amounts.
const (
	probabilityDecimals = 4
	countDecimals       = 3 // of expected orders
	dayDecimals         = 1
	scoreDecimals       = 3 // of average scores
	percentDecimals     = 1 // of percentiles and net promoter scores
)

// line is a JSON object that is being written. A key is a constant with its quotes, the colon after it and the comma or brace before
// it, and is copied as it is, since every output has dozens of keys.
type line struct {
	dst  []byte
	unit money.Unit
}

func (l *line) key(key string) { l.dst = append(l.dst, key...) }

func (l *line) close() { l.dst = append(l.dst, '}') }

func (l *line) null(key string) {
	l.key(key)
	l.dst = append(l.dst, "null"...)
}

func (l *line) text(key, s string) {
	l.key(key)
	l.dst = appendString(l.dst, s)
}

func (l *line) optText(key string, s Opt[string]) {
	if !s.Known {
		l.null(key)
		return
	}
	l.text(key, s.Value)
}

func (l *line) whole(key string, n int64) {
	l.key(key)
	l.dst = strconv.AppendInt(l.dst, n, 10)
}

func (l *line) optWhole(key string, n Opt[int64]) {
	if !n.Known {
		l.null(key)
		return
	}
	l.whole(key, n.Value)
}

func (l *line) bool(key string, b bool) {
	l.key(key)
	l.dst = strconv.AppendBool(l.dst, b)
}

func (l *line) optBool(key string, b Opt[bool]) {
	if !b.Known {
		l.null(key)
		return
	}
	l.bool(key, b.Value)
}

func (l *line) money(key string, minor int64) {
	l.key(key)
	l.dst = l.unit.Append(l.dst, minor)
}

func (l *line) optMoney(key string, minor Opt[int64]) {
	if !minor.Known {
		l.null(key)
		return
	}
	l.money(key, minor.Value)
}

func (l *line) optFloat(key string, f Opt[float64], decimals int) {
	if !f.Known || math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		l.null(key)
		return
	}
	l.key(key)
	l.dst = appendFixed(l.dst, f.Value, decimals)
}

func (l *line) optTime(key string, ms Opt[int64]) {
	if !ms.Known {
		l.null(key)
		return
	}
	l.time(key, ms.Value)
}

func (l *line) time(key string, ms int64) {
	l.key(key)
	l.dst = append(l.dst, '"')
	l.dst = timestamp.Append(l.dst, ms)
	l.dst = append(l.dst, '"')
}

// appendFixed appends a finite number with at most four decimals, correctly rounded from its binary value, and never -0.
func appendFixed(dst []byte, f float64, decimals int) []byte {
	const most = 1 << 36 // times 10,000 it is still below 2^52, where halves exist
	if !(math.Abs(f) < most) {
		return strconv.AppendFloat(dst, f, 'f', decimals, 64)
	}
	// The rounded product and its rounding error add up to the scaled number exactly; the error matters only at a half.
	scale := [...]float64{1, 10, 100, 1000, 10_000}[decimals]
	scaled := float64(f * scale)
	roundingError := math.FMA(f, scale, -scaled)
	n := math.RoundToEven(scaled)
	switch half := scaled - n; {
	case half == .5 && roundingError > 0:
		n++
	case half == -.5 && roundingError < 0:
		n--
	}
	return money.Unit{Decimals: decimals}.Append(dst, int64(n))
}

const hex = "0123456789abcdef"

// appendString appends a JSON string. Each byte that is not UTF-8 becomes U+FFFD.
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
