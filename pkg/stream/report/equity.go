package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// EquityDay is customer equity at the close of a day, and what has moved it since the close before. Amounts are minor units.
type EquityDay struct {
	end       time.Time // as_of
	Customers int64
	Equity    int64
	Change    []int64 // in the order of output.EquityParts; nil: not known
}

// Moved is the difference of customer equity to the close before.
func (d *EquityDay) Moved() (sum int64) {
	for _, v := range d.Change {
		sum += v
	}
	return sum
}

// EquityParts are the measures of what has moved customer equity, which sum to the change.
func EquityParts() (all []measure.Measure[EquityDay]) {
	for i, name := range output.EquityParts() {
		all = append(all, measure.Measure[EquityDay]{Name: name, Better: measure.More, Of: func(d *EquityDay) measure.Value {
			if d.Change == nil {
				return measure.AmountPer(0, 0)
			}
			return measure.Amount(d.Change[i])
		}})
	}
	return all
}

// EquityMeasures are the measures of a closed day.
func EquityMeasures() []measure.Measure[EquityDay] {
	return append([]measure.Measure[EquityDay]{
		{Name: "customers", Of: func(d *EquityDay) measure.Value { return measure.Number(d.Customers) }},
		{Name: "customer_equity", Of: func(d *EquityDay) measure.Value { return measure.Amount(d.Equity) }},
		{Name: "change", Better: measure.More, Of: func(d *EquityDay) measure.Value {
			if d.Change == nil {
				return measure.AmountPer(0, 0)
			}
			return measure.Amount(d.Moved())
		}},
	}, EquityParts()...)
}

// Equity reports the last days of final portfolios, as they were published, in the order of time. zone is that of the ledger.
func Equity(closes []json.RawMessage, days int, zone *time.Location) (*Report, error) {
	r := &Report{Columns: columns(EquityMeasures(), "day")}
	for _, text := range closes[max(0, len(closes)-days):] {
		d, unit, err := ReadEquityDay(text)
		if err != nil {
			return nil, err
		}
		r.AsOf, r.Unit = d.end.UnixMilli(), unit
		r.Rows = append(r.Rows, row(EquityMeasures(), &d, d.end.Add(-time.Millisecond).In(zone).Format(time.DateOnly)))
	}
	return r, nil
}

// ReadEquityDay reads a final portfolio.
func ReadEquityDay(text json.RawMessage) (d EquityDay, unit money.Unit, err error) {
	var p struct {
		AsOf      time.Time      `json:"as_of"`
		Currency  string         `json:"currency"`
		Customers int64          `json:"customers"`
		Equity    json.Number    `json:"customer_equity"`
		Change    map[string]any `json:"customer_equity_change"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&p); err != nil {
		return d, unit, fmt.Errorf("decode a portfolio: %w", err)
	}
	unit, known := settings.BaseCurrency(p.Currency)
	if !known {
		return d, unit, fmt.Errorf("decode a portfolio: its currency %.20q is not known", p.Currency)
	}
	d = EquityDay{end: p.AsOf, Customers: p.Customers}
	if d.Equity, err = signed(unit, p.Equity); err != nil || p.Change == nil {
		return d, unit, err
	}
	for _, name := range output.EquityParts() {
		n, _ := p.Change[name].(json.Number)
		v, err := signed(unit, n)
		if err != nil {
			return d, unit, err
		}
		d.Change = append(d.Change, v)
	}
	return d, unit, nil
}

// signed reads an amount that may be below 0.
func signed(unit money.Unit, n json.Number) (int64, error) {
	text, below := strings.CutPrefix(n.String(), "-")
	minor, rounded, err := unit.Parse([]byte(text), money.Literal)
	switch {
	case err != nil:
		return 0, fmt.Errorf("decode a portfolio: an amount: %w", err)
	case rounded:
		return 0, errors.New("decode a portfolio: an amount has more decimals than its currency")
	case below:
		minor = -minor
	}
	return minor, nil
}
