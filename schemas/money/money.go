// Package money owns amounts: the table of currencies, and the exact conversion between decimal text and int64 minor units.
//
// It refuses to read floats, negative amounts and amounts beyond int64, and to know exchange rates.
//
// An alias such as the toman (IRT, 10 IRR) is a code whose amounts are held in minor units of another currency: 1 IRT is 1000 minor
// units of the rial. Nobody counts tomans in fractions, so they are written only where an amount has any: every text is exact.
package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Alias defines a code as a multiple of an ISO 4217 currency: 1 IRT is 10 IRR.
type Alias struct {
	As    string `yaml:"as" json:"as"`       // a code of ISO 4217
	Times int64  `yaml:"times" json:"times"` // a power of ten, so that every amount has an exact decimal form
}

// Shipped returns a copy of the aliases that every table has. Only they can be the base currency of a ledger, besides the codes of
// ISO 4217: genesis holds the code alone, so every release and every configuration must map it to the same unit. A shipped alias is
// never changed or removed.
func Shipped() map[string]Alias { return map[string]Alias{"IRT": {As: "IRR", Times: 10}} }

// Unit is a code in which amounts are stated, and the currency in which they are held. The zero Unit is no currency.
type Unit struct {
	Code     string // as stated, upper case
	Currency string // the code of ISO 4217 in which amounts are held; Code itself unless that is an alias
	Decimals int    // one Code is 10^Decimals minor units of Currency
	Optional int    // so many of the decimals are written only where an amount has them: all of a multiple of a currency
}

// Table is the set of known codes.
type Table struct{ units map[string]Unit }

// NewTable returns a table of the active codes of ISO 4217, the shipped aliases and the given ones, which may repeat a shipped alias
// but not change it. An error names the alias and what is wrong with it.
func NewTable(aliases map[string]Alias) (*Table, error) {
	t := &Table{units: make(map[string]Unit, 200)}
	for decimals, codes := range minorUnits {
		for code := range strings.FieldsSeq(codes) {
			t.units[code] = Unit{Code: code, Currency: code, Decimals: decimals}
		}
	}
	shipped := Shipped()
	added := make([]Unit, 0, len(aliases)+len(shipped))
	for code, alias := range aliases {
		if s, ok := shipped[code]; ok && alias != s {
			return nil, fmt.Errorf("money.currencies.%s: is shipped as %d %s and cannot be redefined", code, s.Times, s.As)
		}
		shipped[code] = alias
	}
	for code, alias := range shipped {
		u, err := t.alias(code, alias)
		if err != nil {
			return nil, err
		}
		added = append(added, u)
	}
	for _, u := range added {
		t.units[u.Code] = u
	}
	return t, nil
}

func (t *Table) alias(code string, alias Alias) (Unit, error) {
	if len(code) < 3 || len(code) > maxCode || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return Unit{}, fmt.Errorf("money.currencies.%s: a code has 3 to %d of A-Z and 0-9", code, maxCode)
	}
	if _, ok := t.units[code]; ok {
		return Unit{}, fmt.Errorf("money.currencies.%s: is a code of ISO 4217 and cannot be redefined", code)
	}
	currency, ok := t.units[alias.As]
	if !ok {
		return Unit{}, fmt.Errorf("money.currencies.%s.as: %q is no code of ISO 4217", code, alias.As)
	}
	for more := 0; more <= 6; more++ {
		if alias.Times == powers[more] {
			u := Unit{Code: code, Currency: alias.As, Decimals: currency.Decimals + more}
			if more > 0 {
				u.Optional = u.Decimals
			}
			return u, nil
		}
	}
	return Unit{}, fmt.Errorf("money.currencies.%s.times: %d is not one of 1, 10, 100 ... 1000000", code, alias.Times)
}

const maxCode = 8

// Lookup finds a code without regard to ASCII case. It does not allocate.
func (t *Table) Lookup(code []byte) (Unit, bool) {
	var upper [maxCode]byte
	if len(code) > maxCode {
		return Unit{}, false
	}
	for i, c := range code {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	u, ok := t.units[string(upper[:len(code)])]
	return u, ok
}

// Errors of Parse and Decimal.
var (
	ErrFormat   = errors.New("not a decimal number")
	ErrNegative = errors.New("negative")
	ErrOverflow = errors.New("beyond int64 in minor units")
)

// Number is the syntax of a number.
type Number bool

// The two syntaxes.
const (
	Literal Number = true  // a JSON number, exponent allowed
	Text    Number = false // a string: digits and a fraction, no exponent, leading zeros allowed
)

// Parse reads a non-negative amount into minor units, rounded half to even; rounded is true if it had more decimals than the unit.
func (u Unit) Parse(text []byte, form Number) (minor int64, rounded bool, err error) {
	return Decimal(text, u.Decimals, form)
}

// Decimal reads a non-negative decimal number times 10^scale, rounded half to even; rounded is true if digits were lost. -0 is 0. An
// exponent beyond three digits is an overflow, so that the work is bounded by the length of the text.
func Decimal(text []byte, scale int, form Number) (v int64, rounded bool, err error) {
	n, err := split(text, form)
	if err != nil {
		return 0, false, err
	}
	keep := n.point + n.exponent + scale // number of digits before the decimal point of the result
	var value uint64
	seen, last := 0, byte('0') // last: the first digit after the decimal point of the result
	tail := false              // a digit other than 0 follows it
	for _, c := range n.digits {
		if c == '.' {
			continue
		}
		switch {
		case seen < keep:
			if value > (math.MaxInt64-uint64(c-'0'))/10 {
				return 0, false, ErrOverflow
			}
			value = value*10 + uint64(c-'0')
		case seen == keep:
			last = c
		case c != '0':
			tail = true
		}
		seen++
	}
	if value != 0 {
		for ; seen < keep; seen++ {
			if value > math.MaxInt64/10 {
				return 0, false, ErrOverflow
			}
			value *= 10
		}
	}
	if keep < 0 { // the first digit after the decimal point is a 0 that the text does not contain
		tail, last = tail || last != '0' || n.nonzero, '0'
	}
	if last > '5' || last == '5' && (tail || value%2 == 1) {
		value++
	}
	if value > math.MaxInt64 {
		return 0, false, ErrOverflow
	}
	if n.negative && n.nonzero {
		return 0, false, ErrNegative
	}
	return int64(value), last != '0' || tail, nil
}

// number is a parsed decimal number: digits, with at most one decimal point among them, after the first point digits, times
// 10^exponent.
type number struct {
	digits            []byte
	point, exponent   int
	negative, nonzero bool
}

func split(text []byte, form Number) (n number, err error) {
	i := 0
	if i < len(text) && text[i] == '-' {
		n.negative = true
		i++
	}
	start := i
	for ; i < len(text) && isDigit(text[i]); i++ {
		n.nonzero = n.nonzero || text[i] != '0'
	}
	n.point = i - start
	if n.point == 0 || form == Literal && n.point > 1 && text[start] == '0' {
		return n, ErrFormat
	}
	if i < len(text) && text[i] == '.' {
		i++
		fraction := i
		for ; i < len(text) && isDigit(text[i]); i++ {
			n.nonzero = n.nonzero || text[i] != '0'
		}
		if i == fraction {
			return n, ErrFormat
		}
	}
	n.digits = text[start:i]
	if i < len(text) && form == Literal && (text[i] == 'e' || text[i] == 'E') {
		if n.exponent, i, err = exponent(text, i+1); err != nil {
			return n, err
		}
	}
	if i != len(text) {
		return n, ErrFormat
	}
	return n, nil
}

func exponent(text []byte, i int) (value, end int, err error) {
	negative := false
	if i < len(text) && (text[i] == '+' || text[i] == '-') {
		negative = text[i] == '-'
		i++
	}
	start := i
	for ; i < len(text) && isDigit(text[i]); i++ {
		if value < 1000 {
			value = value*10 + int(text[i]-'0')
		}
	}
	if i == start || i != len(text) {
		return 0, i, ErrFormat
	}
	if value > 999 {
		return 0, i, ErrOverflow
	}
	if negative {
		value = -value // of the smallest int64 too
	}
	return value, i, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Append writes minor units as a number with all decimals of the unit but optional ones that are 0: 4990 in EUR is 49.90, 5000 in
// IRT is 5, and 5100 is 5.1.
func (u Unit) Append(dst []byte, minor int64) []byte {
	value := uint64(minor) //nolint:gosec // two's complement, negated below
	if minor < 0 {
		dst = append(dst, '-')
		value = -value
	}
	if u.Decimals == 0 {
		return strconv.AppendUint(dst, value, 10)
	}
	whole, part := value/100, value%100 // most units have 2 decimals, and the compiler replaces a division by a constant
	if u.Decimals != 2 {
		one := uint64(powers[u.Decimals]) //nolint:gosec // above 0
		whole, part = value/one, value%one
	}
	dst = strconv.AppendUint(dst, whole, 10)
	dst = append(dst, ".0000000000"[:1+u.Decimals]...)
	for i := len(dst) - 1; part > 0; i-- {
		dst[i] += byte(part % 10)
		part /= 10
	}
	for range u.Optional {
		if dst[len(dst)-1] != '0' {
			return dst
		}
		dst = dst[:len(dst)-1]
	}
	if u.Optional == u.Decimals {
		dst = dst[:len(dst)-1] // the point
	}
	return dst
}

// Round rounds an amount to the decimals that are always written, half to even. Amounts that are computed rather than added up, such
// as a predicted value, are rounded with it.
func (u Unit) Round(minor int64) int64 {
	one := u.Step()
	left := minor % one
	if left < 0 {
		left += one
	}
	down := minor - left
	if 2*left > one || 2*left == one && down/one%2 != 0 {
		return down + one
	}
	return down
}

// Step returns the least amount, in minor units, that the decimals that are always written can express.
func (u Unit) Step() int64 { return powers[u.Optional] }

// Major returns an amount in whole units of Code, as the models use them.
func (u Unit) Major(minor int64) float64 { return float64(minor) / float64(powers[u.Decimals]) }

// Minor converts an amount in whole units of Code to minor units, rounded half to even; false if it is NaN or beyond int64.
func (u Unit) Minor(major float64) (int64, bool) {
	scaled := math.RoundToEven(float64(major * float64(powers[u.Decimals])))
	if !(math.Abs(scaled) < 1<<63) {
		return 0, false
	}
	return int64(scaled), true
}
