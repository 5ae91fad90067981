package eventfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Purchase is an order, with what the models need of it.
type Purchase struct {
	Customer string
	At       time.Time // UTC
	Amount   int64     // minor units of the file's one currency
}

// Purchases reads a file of purchases whole, in the order of the file, with the rows that were refused and the unit of
// the amounts (the zero Unit with two decimals where no currency is stated). An order that is stated again with the same
// facts counts once, with other facts it is refused; orders of anonymous customers and tests are left out.
func Purchases(path string, m Mapping) (purchases []Purchase, unit money.Unit, refused []*RowError, err error) {
	if m.Type == "" {
		m.Type = "purchase"
	}
	if m.Type != "purchase" {
		return nil, unit, nil, fmt.Errorf("event file: a file of purchases is needed, not of type %q", m.Type)
	}
	r, err := Open(path, m)
	if err != nil {
		return nil, unit, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	unit.Decimals = 2
	nobody := event.DefaultOptions().Anonymous
	seen := map[[2]string]Purchase{} // by customer and order
	for {
		row, err := r.Next()
		bad := (*RowError)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return purchases, unit, refused, nil
		case errors.As(err, &bad):
			refused = append(refused, bad)
			continue
		case err != nil:
			return nil, unit, nil, err
		}
		p, order, err := r.purchase(row, &unit)
		if err != nil {
			return nil, unit, nil, err
		}
		if order == "" || slices.Contains(nobody, strings.ToLower(p.Customer)) {
			continue
		}
		before, again := seen[[2]string{p.Customer, order}]
		switch {
		case again && before != p:
			refused = append(refused, &RowError{Line: row.Line, Field: "order_id", Reason: "stated before, with another time or total"})
		case !again:
			seen[[2]string{p.Customer, order}] = p
			purchases = append(purchases, p)
		}
	}
}

// purchase decodes a row. The order is "" for a test.
func (r *Reader) purchase(row Row, unit *money.Unit) (p Purchase, order string, err error) {
	var stated struct {
		Order    string      `json:"order_id"`
		Total    json.Number `json:"total"`
		Currency string      `json:"currency"`
		Test     bool        `json:"test"`
	}
	if err := json.Unmarshal(row.Value, &stated); err != nil {
		return p, "", fmt.Errorf("event file: line %d: read back: %w", row.Line, err)
	}
	if stated.Test {
		return p, "", nil
	}
	if currency, ok := r.currencies.Lookup([]byte(stated.Currency)); ok {
		if unit.Code != "" && unit.Code != currency.Code {
			return p, "", fmt.Errorf("event file: line %d: the file has amounts in %s and in %s: give one currency at a time",
				row.Line, unit.Code, currency.Code)
		}
		*unit = currency
	}
	p = Purchase{Customer: string(row.Key), At: row.At}
	p.Amount, _, err = unit.Parse([]byte(stated.Total), money.Literal)
	if err != nil {
		return p, "", fmt.Errorf("event file: line %d: total: %w", row.Line, err)
	}
	return p, stated.Order, nil
}
