package eventfile

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Lines is what the rows of a file of purchases mean that have the same order id, no updated_at, and different totals.
type Lines string

// The meanings.
const (
	LinesUnknown Lines = ""       // opening the file fails with a *RepeatedOrderError
	LinesSum     Lines = "sum"    // each row is a line of its order; the order's total is the sum
	LinesFirst   Lines = "first"  // the first row states its order; further rows repeat its total or state none, and are lines of it
	LinesRefuse  Lines = "refuse" // the first row is the order; the others are refused
)

// RepeatedOrderError says that rows have the same order id and different totals.
type RepeatedOrderError struct {
	Column       string
	First, Again int // lines
}

// Error names the flag that resolves it.
func (e *RepeatedOrderError) Error() string {
	return fmt.Sprintf("event file: lines %d and %d have the same order id (column %q) and different totals: give --lines sum if each row is a "+
		"line of its order, or --lines refuse to read only the first row of each order", e.First, e.Again, e.Column)
}

// order is what all rows with one order id state.
type order struct {
	first    int               // line
	rows     int               // number of them
	stated   map[string]string // customer and currency, of the first row that has them
	total    *big.Rat          // of the first row, or of all; nil if a total is not a number
	decimals int
	refused  *RowError // why the order cannot be summed
}

// survey reads the whole file before the first row is an event: for its currencies, and for rows with the same order id. Snapshots,
// which have updated_at, may repeat an order. It keeps about 200 bytes for each order.
func (r *Reader) survey() error {
	if r.kind == event.Purchase && r.reads("order_id") && (!r.reads("updated_at") || r.ordersHaveLines()) {
		r.orders = map[string]*order{}
	}
	if r.mapping.Currency != "" {
		r.firstLine[r.mapping.Currency] = 0
	}
	i, ok := r.slot["currency"]
	constant := ok && r.bound[i].constant != ""
	if constant {
		r.noteCurrency(r.bound[i].constant, 0)
	}
	if !ok || constant || r.syntax == csvSyntax && r.bound[i].index < 0 {
		i = -1
	}
	if i < 0 && r.orders == nil {
		return nil
	}
	for {
		line, from, err := r.record()
		switch refused := (*RowError)(nil); {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &refused): // Next refuses it
		case err != nil:
			return err
		default:
			if i >= 0 {
				r.noteCurrency(r.fieldText(from, "currency"), line)
			}
			if err := r.addToOrder(line, from); err != nil {
				return err
			}
		}
	}
}

// ordersHaveLines reports whether rows with one order id are lines of it.
func (r *Reader) ordersHaveLines() bool {
	return r.mapping.Lines == LinesSum || r.mapping.Lines == LinesFirst
}

func (r *Reader) noteCurrency(text string, line int) {
	if code := money.OfWord(text); code != "" {
		text = code
	}
	if unit, ok := r.currencies.Lookup([]byte(text)); ok { // Next refuses an unknown one
		if _, noted := r.firstLine[unit.Code]; !noted {
			r.firstLine[unit.Code] = line
		}
	}
}

// Currencies returns the codes of the currencies in the file, each with the first line that has it; 0 if a flag states it.
func (r *Reader) Currencies() map[string]int { return r.firstLine }

// addToOrder notes one row. Where rows are summed, a line may leave out its total, its customer and its currency, as exports do
// that state them in the first line of an order only.
func (r *Reader) addToOrder(line int, from record) error {
	id := r.orderID(from)
	if id == "" || r.isCreditNote(from) {
		return nil
	}
	total, decimals := r.lineTotal(from)
	o := r.orders[id]
	if o == nil {
		o = &order{first: line, stated: map[string]string{}, total: total}
		r.orders[id] = o
	} else {
		switch {
		case r.mapping.Lines == LinesFirst && !r.repeatsFirst(o, from):
			return nil // Next refuses the row
		case r.mapping.Lines == LinesSum && total != nil && o.total != nil:
			o.total.Add(o.total, total)
		case r.mapping.Lines == LinesUnknown && !sameTotal(o.total, total):
			return &RepeatedOrderError{Column: r.columnOf(r.slot["order_id"]), First: o.first, Again: line}
		}
	}
	o.rows, o.decimals = o.rows+1, max(o.decimals, decimals)
	if r.mapping.Lines != LinesSum || o.refused != nil {
		return nil //nolint:nilerr // Next returns o.refused with the row
	}
	if total == nil {
		o.refused = &RowError{Line: line, Field: "total", Reason: "not a number, in a line of the order that begins in line " + strconv.Itoa(o.first)}
	}
	for _, name := range []string{"customer_id", "currency"} {
		switch text := r.fieldText(from, name); {
		case text == "":
		case o.stated[name] == "":
			o.stated[name] = text
		case o.stated[name] != text:
			o.refused = &RowError{Line: line, Field: name, Reason: "another one than in the lines before it of the same order, which begins in line " + strconv.Itoa(o.first)}
		}
	}
	return nil
}

// sameTotal reports whether two rows with one order id may repeat each other. A row whose total is not a number is refused by itself.
func sameTotal(a, b *big.Rat) bool { return a == nil || b == nil || a.Cmp(b) == 0 }

// repeatsFirst reports whether a further row of an order can be a line of it: it states no total, or that of the first row again.
func (r *Reader) repeatsFirst(o *order, from record) bool {
	total, _ := r.lineTotal(from)
	return r.fieldText(from, "total") == "" || total != nil && o.total != nil && total.Cmp(o.total) == 0
}

// repeats decides on a row that has the order id of an earlier one: whether it is part of that order, or refused.
func (r *Reader) repeats(line int, from record) (partOf bool, err error) {
	o := r.orders[r.orderID(from)]
	if o == nil || line == o.first && o.refused == nil || o.rows == 1 && r.mapping.Lines != LinesFirst {
		return false, nil
	}
	switch sum := r.mapping.Lines == LinesSum; {
	case r.mapping.Lines == LinesFirst && r.repeatsFirst(o, from):
		return true, nil
	case sum && o.refused == nil:
		return true, nil
	case sum && line == o.refused.Line:
		return false, o.refused
	case sum:
		return false, &RowError{Line: line, Field: "order_id", Reason: "of an order that is refused because of line " + strconv.Itoa(o.refused.Line)}
	}
	if total, _ := r.lineTotal(from); !sameTotal(o.total, total) {
		return false, &RowError{Line: line, Field: "total", Reason: "another one than in line " + strconv.Itoa(o.first) + ", which has the same order id"}
	}
	return false, nil
}

// summed returns the order that begins with a row and has more lines, nil if there is none.
func (r *Reader) summed(from record) *order {
	if o := r.orders[r.orderID(from)]; o != nil && o.rows > 1 && r.ordersHaveLines() {
		return o
	}
	return nil
}

// reads reports whether a field is read from the file.
func (r *Reader) reads(name string) bool {
	b := r.bound[r.slot[name]]
	return b.constant == "" && (b.index >= 0 || r.syntax != csvSyntax && (b.column != "" || name == "order_id"))
}

// fieldText is the value of a field as text, "" for none.
func (r *Reader) fieldText(from record, name string) string {
	if v, _ := r.valueOf(r.slot[name], from); !v.nobody {
		return v.text
	}
	return ""
}

// isCreditNote reports whether a row is a line of a credit note.
func (r *Reader) isCreditNote(from record) bool {
	//mutant:credit-note-counts insert return false
	return r.mapping.CreditNotes != "" && strings.HasPrefix(r.fieldText(from, "order_id"), r.mapping.CreditNotes)
}

// orderID identifies the order of a row among those of the file, "" if it has none. An order belongs to its customer, whom lines of
// an order may leave out.
func (r *Reader) orderID(from record) string {
	if r.orders == nil {
		return ""
	}
	id := r.fieldText(from, "order_id")
	if id == "" || r.ordersHaveLines() {
		return id
	}
	return id + "\x00" + r.fieldText(from, "customer_id") + "\x00" + r.fieldText(from, "updated_at")
}

// lineTotal returns the total of a row: 0 if it states none, nil if it is not a number.
func (r *Reader) lineTotal(from record) (total *big.Rat, decimals int) {
	text, _ := money.CutWord(digits.Plain(r.fieldText(from, "total")))
	if text == "" {
		return new(big.Rat), 0
	}
	literal, ok := money.Spelled(text, r.mapping.DecimalComma)
	if !ok || strings.ContainsAny(literal, "eE") {
		return nil, 0
	}
	total, _ = new(big.Rat).SetString(literal)
	_, fraction, _ := strings.Cut(literal, ".")
	return total, len(fraction)
}
