package eventfile

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// A mapping states for a field:
//
//	Order No            a column
//	=refund             a constant
//	Quantity*Price      the product of columns, exactly
//	Customer ID|Email   the first of these that the file has
//	Email|=null         what a row without a value has; null is a customer who is nobody in particular
//	Coupon|=            a column that the file may lack
//
// A column that has such a name in whole comes first. Columns are found by their names as they are, or else by their letters and
// digits (plainName), if only one column has those.
//
// Alternatives are columns of the file, not values of a row: customers who are known by an id in one row and by an address in the next
// would count as two.

// binding is where a field's value comes from.
type binding struct {
	constant string
	column   string     // mapped
	names    []string   // not mapped: its own name and aliases, in order
	products [][]string // mapped: the alternatives
	instead  string     // of a value that is missing
	optional bool       // the file may lack the column
	index    int        // of the CSV column; -1: none
	factors  []int      // of the columns by which it is multiplied

	decimalComma bool
}

func (m *Mapping) bind(fields []field) []binding {
	bound := make([]binding, len(fields))
	for i, f := range fields {
		bound[i].index, bound[i].decimalComma = -1, m.DecimalComma
		column, mapped := m.Columns[f.Name]
		switch {
		case mapped && strings.HasPrefix(column, "="):
			bound[i].constant = column[1:]
		case mapped:
			bound[i].column = column
			columns, instead, ok := strings.Cut(column, "|=")
			bound[i].instead, bound[i].optional = instead, ok && instead == ""
			for alternative := range strings.SplitSeq(columns, "|") {
				bound[i].products = append(bound[i].products, strings.Split(alternative, "*"))
			}
		case f.Name == refunded: // a column of that name can be a flag
		default:
			bound[i].names = append([]string{f.Name}, f.aliases...)
		}
	}
	return bound
}

// resolve finds the columns of a CSV file by its header, or by number if it has none.
func (m *Mapping) resolve(bound []binding, fields []field, header []string) error {
	for i := range bound {
		b := &bound[i]
		if err := b.resolve(header); err != nil {
			return err
		}
		if b.column != "" && b.index < 0 && !b.optional {
			return fmt.Errorf("event file: field %q is mapped to column %q, which the file does not have; its columns are %s",
				fields[i].Name, b.column, shortened(strings.Join(header, ", "), 400))
		}
		if fields[i].form == nested && b.index >= 0 {
			if b.column != "" {
				return fmt.Errorf("event file: field %q is a list, which only NDJSON can hold", fields[i].Name)
			}
			b.index = -1
		}
	}
	missing := &MissingColumnsError{Header: header}
	for i, f := range fields {
		if f.required && bound[i].index < 0 && bound[i].constant == "" && !createdAtServes(fields, bound, f.Name) {
			missing.Fields = append(missing.Fields, f.Name)
		}
	}
	if len(missing.Fields) == 0 {
		return nil
	}
	missing.guess(m, fields, bound)
	return missing
}

func (b *binding) resolve(header []string) error {
	for _, name := range append(slices.Clip(b.names), b.column) {
		if name != "" && slices.Contains(header, name) {
			_, err := b.bindColumns([]string{name}, header)
			return err
		}
	}
	for _, columns := range b.products {
		if found, err := b.bindColumns(columns, header); found || err != nil {
			return err
		}
	}
	return nil
}

// bindColumns binds the product of columns, if the header has all of them.
func (b *binding) bindColumns(names, header []string) (bool, error) {
	found := make([]int, len(names))
	for i, name := range names {
		var err error
		if found[i], err = find(header, strings.TrimSpace(name)); err != nil || found[i] < 0 {
			return false, err
		}
	}
	b.index, b.factors = found[0], found[1:]
	return true, nil
}

// find returns the index of a column, -1 if the header does not have it.
func find(header []string, name string) (int, error) {
	same := func(other string) bool { return other == name }
	if !slices.Contains(header, name) {
		plain := plainName(name)
		same = func(other string) bool { return plain != "" && plainName(other) == plain }
	}
	i := slices.IndexFunc(header, same)
	if i >= 0 {
		if j := slices.IndexFunc(header[i+1:], same); j >= 0 {
			if again := header[i+1+j]; again != name {
				return -1, fmt.Errorf("event file: the columns %q and %q both fit %q: name one with --map", header[i], again, name)
			}
			return -1, fmt.Errorf("event file: two columns are named %q: rename one", name)
		}
	}
	return i, nil
}

// plainName is a column's name without what exports write in different ways: case, spaces and punctuation, and the two forms of
// Persian and Arabic letters.
func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == 'ي':
			return 'ی'
		case c == 'ك':
			return 'ک'
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, name)
}

// createdAtServes reports whether created_at is used as occurred_at.
func createdAtServes(fields []field, bound []binding, name string) bool {
	i := slices.IndexFunc(fields, func(f field) bool { return f.Name == "created_at" })
	return name == "occurred_at" && i >= 0 && (bound[i].index >= 0 || bound[i].constant != "")
}

// valueOf reads the value of a field: its column, product or constant, in the words of events.
func (r *Reader) valueOf(i int, from record) (value, bool) {
	b := &r.bound[i]
	v, ok := from.valueOf(b)
	if !ok && b.instead != "" {
		v, ok = value{text: b.instead}, true
	}
	switch f := r.fields[i]; {
	case f.Format == event.CustomerID && v.text == "null" && (b.constant != "" || b.instead != ""):
		v.nobody = true
	case f.Name == "status" && r.mapping.Statuses != nil:
		if code, known := r.mapping.Statuses[statusWord(v.text)]; known {
			v.text = code
		}
	case r.mapping.WholeIDs && (f.Format == event.Identifier || f.Format == event.CustomerID):
		const exact = 15 // digits of a whole number that a floating-point number keeps
		if whole, fraction, ok := strings.Cut(v.text, "."); ok && len(whole) <= exact && strings.Trim(whole, "0123456789") == "" && strings.Trim(fraction, "0") == "" {
			v.text = whole
		}
	}
	return v, ok
}

// product multiplies amounts exactly. What is not a number makes a text that is none either.
func product(texts []string, decimalComma bool) string {
	result, decimals := big.NewRat(1, 1), 0
	for _, text := range texts {
		literal, ok := money.Spelled(digits.Plain(text), decimalComma)
		factor, readable := new(big.Rat).SetString(literal)
		if !ok || !readable || strings.ContainsAny(literal, "eE") {
			return strings.Join(texts, "*")
		}
		_, fraction, _ := strings.Cut(literal, ".")
		result, decimals = result.Mul(result, factor), decimals+len(fraction)
	}
	text := result.FloatString(decimals)
	if decimalComma {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}
