// Package measure owns what a measure of a report is, and the form of its values. A table of measures is declared once, and the commands
// and tests walk it.
//
// It refuses to know what is measured.
package measure

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/schemas/money"
)

// Measure is a measure of T: of a month, a cohort or a group of customers. All its values are of one kind.
type Measure[T any] struct {
	Name   string // as reports state it
	Better Better
	Of     func(*T) Value
}

// Better says which of two values of a measure a shop wishes for.
type Better uint8

// Neither is of measures of which more is not better: sums, which grow with what they are taken over.
const (
	Neither Better = iota
	More
	Less
)

// Value is the value of a measure. The zero value is not known, and of no kind.
type Value struct {
	n, of    int64 // of 0: not known
	kind     Kind
	decimals uint8 // of a ratio
}

// Kind says what a value is.
type Kind uint8

// The kinds of values. Text is no value.
const (
	Text   Kind = iota
	Count       // a number of customers, orders or answers
	Money       // an amount of the base currency
	Plain       // a ratio that is stated as it is
	Part        // a part of a whole, from 0 to 1; a balance of two parts may lie outside
	Choice      // true or false
)

// Number is a number of customers, orders or answers.
func Number(n int64) Value { return Value{n: n, of: 1, kind: Count} }

// Amount is an amount in minor units.
func Amount(minor int64) Value { return Value{n: minor, of: 1, kind: Money} }

// AmountPer is an amount in minor units for each of so many; not known for each of none.
func AmountPer(minor, of int64) Value { return Value{n: minor, of: max(of, 0), kind: Money} }

// Ratio is n/of with so many decimals; not known where of is 0.
func Ratio(n, of int64, decimals uint8) Value { return Value{n, max(of, 0), Plain, decimals} }

// Share is n/of as reports state shares: from 0 to 1, with four decimals.
func Share(n, of int64) Value { return Value{n, max(of, 0), Part, 4} }

// Bool is true or false.
func Bool(is bool) Value {
	v := Value{of: 1, kind: Choice}
	if is {
		v.n = 1
	}
	return v
}

// Known returns false for a ratio of nothing.
func (v Value) Known() bool { return v.of != 0 }

// Kind returns what the value is, also if it is not known.
func (v Value) Kind() Kind { return v.kind }

// Unknown returns a value of the same kind that is not known.
func (v Value) Unknown() Value {
	v.of = 0
	return v
}

// True returns whether the value is true.
func (v Value) True() bool { return v.kind == Choice && v.n != 0 }

// Float returns the value, amounts in whole units of the currency; 0 if it is not known. It is for drawing and for comparing: Append has
// the exact text.
func (v Value) Float(currency money.Unit) float64 {
	switch {
	case v.of == 0:
		return 0
	case v.kind == Money:
		return currency.Major(v.n) / float64(v.of)
	default:
		return float64(v.n) / float64(v.of)
	}
}

// Append appends the value as JSON: a number, true or false; null if it is not known.
func (v Value) Append(dst []byte, currency money.Unit) []byte {
	switch {
	case v.of == 0:
		return append(dst, "null"...)
	case v.kind == Count:
		return strconv.AppendInt(dst, v.n, 10)
	case v.kind == Money && v.of == 1:
		return currency.Append(dst, v.n)
	case v.kind == Money:
		return currency.Append(dst, currency.Round(PerEach(v.n, v.of)))
	case v.kind == Choice:
		return strconv.AppendBool(dst, v.n != 0)
	default:
		text := strconv.FormatFloat(float64(v.n)/float64(v.of), 'f', int(v.decimals), 64)
		if strings.Trim(text, "-0.") == "" {
			text = strings.TrimPrefix(text, "-") // there is no -0
		}
		return append(dst, text...)
	}
}

// PerEach returns n/of, halves rounded away from zero, as the portfolio's average_clv is.
func PerEach(n, of int64) int64 {
	if n < 0 {
		return -PerEach(-n, of)
	}
	return n/of + (n%of*2)/of
}

// Read returns the value that Append wrote as a JSON number, true, false or null: of the same kind, with the same decimals.
func (v Value) Read(text string, currency money.Unit) (Value, error) {
	read := Value{kind: v.kind, decimals: v.decimals}
	if text == "null" {
		return read, nil
	}
	decimals := int(v.decimals)
	switch v.kind {
	case Choice:
		is, err := strconv.ParseBool(text)
		return Bool(is), err
	case Money:
		decimals = currency.Decimals
	case Text, Count, Plain, Part:
	}
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > decimals {
		return read, fmt.Errorf("%q has more than %d decimals", text, decimals)
	}
	if strings.Trim(whole, "-") == "" {
		return read, fmt.Errorf("%q is not a number", text)
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", decimals-len(part)), 10, 64)
	if err != nil {
		return read, fmt.Errorf("%q is not a number", text)
	}
	read.n, read.of = n, 1
	if v.kind != Money {
		for range decimals {
			read.of *= 10
		}
	}
	return read, nil
}
