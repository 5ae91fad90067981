// Package costs owns how an operator states what the shop spent: it checks an amount against the ledger's time and rates, and appends it
// to the ledger, where partition 0 keeps it (processors/cost).
//
// It refuses to change anything unless the amount can be kept.
package costs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Statement is an amount as an operator states it.
type Statement struct {
	Month, Kind, Source string // Source empty: of no particular one
	Amount              string // in whole units of Currency
	Currency            string // empty: the base currency
	Withdraw            bool   // take back what was stated, whatever Amount
}

// The refusals. Nothing was changed.
var (
	ErrNotOver   = errors.New("the month is not over")
	ErrNoRate    = errors.New("there is no rate into the base currency")
	ErrFull      = errors.New("there is no room for another month, kind or source")
	ErrNotStated = errors.New("no such amount is stated")
	errAmount    = errors.New("an amount that is not below 0 is wanted, such as 1200 or 1200.50")
)

// FieldError says which field of a statement is wrong.
type FieldError struct {
	Field string // month, kind, source, amount or currency
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

// Cost reads a statement, as of what partition 0 knows. An error is a *FieldError, or wraps one of the refusals.
func (s *Statement) Cost(p *processors.Partition, currencies *money.Table) (*ledger.Cost, error) {
	month, err := calendar.ParseMonth(s.Month)
	if err != nil {
		return nil, &FieldError{"month", err}
	}
	kind, err := cost.ParseKind(s.Kind)
	if err != nil {
		return nil, &FieldError{"kind", err}
	}
	source := strings.TrimSpace(s.Source)
	if len(source) > cost.MostSource || !utf8.ValidString(source) {
		return nil, &FieldError{"source", fmt.Errorf("at most %d bytes of UTF-8 are wanted", cost.MostSource)}
	}
	amount := int64(0)
	if !s.Withdraw {
		if amount, err = s.amount(p, currencies); err != nil {
			return nil, err
		}
	}
	if current, known := p.Month(); !known || month >= current {
		base, _ := p.BaseTime()
		return nil, fmt.Errorf("%v: %w: the ledger's time is %s; state its costs when it is over", month, ErrNotOver, timestamp.Append(nil, base))
	}
	costs := p.Costs()
	_, stated := costs.Amount(month, kind, source)
	switch {
	case s.Withdraw && !stated:
		return nil, fmt.Errorf("%v, %s: %w", month, s.Kind, ErrNotStated)
	case !s.Withdraw && !stated && costs.Full():
		return nil, fmt.Errorf("%w: %d amounts are kept; withdraw some", ErrFull, cost.MostCells)
	}
	return &ledger.Cost{Month: int32(month), Kind: kind, Source: source, Amount: amount, Withdrawn: s.Withdraw}, nil
}

// amount reads the amount in minor units of the base currency.
func (s *Statement) amount(p *processors.Partition, currencies *money.Table) (int64, error) {
	unit := p.Unit()
	if s.Currency != "" {
		var known bool
		if unit, known = currencies.Lookup([]byte(s.Currency)); !known {
			return 0, &FieldError{"currency", fmt.Errorf("%.20q is no code of ISO 4217 and none of money.currencies", s.Currency)}
		}
	}
	minor, rounded, err := unit.Parse([]byte(s.Amount), money.Text)
	switch {
	case err != nil:
		return 0, &FieldError{"amount", fmt.Errorf("%w: %w", err, errAmount)}
	case rounded:
		return 0, &FieldError{"amount", fmt.Errorf("%s has %d decimals", unit.Code, unit.Decimals)}
	}
	base, known := p.Convert(unit.Currency, minor)
	if !known {
		return 0, fmt.Errorf("%s: %w: set it in money.rates, or state the amount in %s", unit.Code, ErrNoRate, p.Unit().Code)
	}
	return base, nil
}

// Append appends a cost to the ledger.
func Append(ctx context.Context, l *enter.Ledger, k *ledger.Cost) (enter.Place, error) {
	place, err := l.Append(ctx, ledger.Kind_KIND_COST, "", k)
	if errors.Is(err, enter.ErrCopying) {
		err = fmt.Errorf("%w: state the cost in the ledger that is copied, of which the copy gets it", err)
	}
	return place, err
}
