// Package measure owns what a measure of a report is, and the form of its values. A table of measures is declared once, and the commands
// and tests walk it.
//
// It refuses to know what is measured.
package measure

import (
	"strconv"

	"github.com/mainstay/mainstay/schemas/money"
)

// Measure is a measure of T: of a month, a cohort or a group of customers.
type Measure[T any] struct {
	Name string // as reports state it
	Of   func(*T) Value
}

// Value is the value of a measure. The zero value is not known.
type Value struct {
	n, of    int64
	form     form
	decimals uint8 // of a ratio
}

type form uint8

const (
	unknown form = iota
	number
	amount // minor units of the base currency; for each of so many
	ratio
	truth
)

// Number is a number of customers, orders or answers.
func Number(n int64) Value { return Value{n: n, of: 1, form: number} }

// Amount is an amount in minor units.
func Amount(minor int64) Value { return Value{n: minor, of: 1, form: amount} }

// AmountPer is an amount in minor units for each of so many; not known for each of none.
func AmountPer(minor, of int64) Value { return perOf(minor, of, amount, 0) }

// Ratio is n/of with so many decimals; not known where of is 0.
func Ratio(n, of int64, decimals uint8) Value { return perOf(n, of, ratio, decimals) }

func perOf(n, of int64, f form, decimals uint8) Value {
	if of <= 0 {
		return Value{}
	}
	return Value{n, of, f, decimals}
}

// Share is n/of as reports state shares: from 0 to 1, with four decimals.
func Share(n, of int64) Value { return Ratio(n, of, 4) }

// Truth is true or false.
func Truth(is bool) Value {
	v := Value{form: truth}
	if is {
		v.n = 1
	}
	return v
}

// Known returns false for a ratio of nothing.
func (v Value) Known() bool { return v.form != unknown }

// Append appends the value as JSON: a number, true or false; null if it is not known.
func (v Value) Append(dst []byte, currency money.Unit) []byte {
	switch v.form {
	case number:
		return strconv.AppendInt(dst, v.n, 10)
	case amount:
		if v.of == 1 {
			return currency.Append(dst, v.n)
		}
		return currency.Append(dst, currency.Round(rounded(v.n, v.of)))
	case ratio:
		return strconv.AppendFloat(dst, float64(v.n)/float64(v.of), 'f', int(v.decimals), 64)
	case truth:
		return strconv.AppendBool(dst, v.n != 0)
	default:
		return append(dst, "null"...)
	}
}

// rounded returns n/of, halves rounded away from zero, as the portfolio's average_clv is.
func rounded(n, of int64) int64 {
	if n < 0 {
		return -rounded(-n, of)
	}
	return n/of + (n%of*2)/of
}
