package config

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// StepSettings returns the settings that hold by revision, in the form of the ledger. The configuration
// must be valid. Equal settings give equal messages.
func (c Config) StepSettings() *ledger.SettingsValues {
	v := new(ledger.SettingsValues)
	for _, s := range fields() {
		if s.row == nil || s.row.Holds != settings.Revision {
			continue
		}
		switch value := s.field(&c).Interface().(type) {
		case Rules:
			s.row.SetValue(v, []alert.Rule(value))
		case map[string]string:
			s.row.SetValue(v, c.Money.rates())
		default:
			s.row.SetValue(v, value)
		}
	}
	return v
}

// Genesis returns the first entry of a ledger that is created with this configuration. The ledger's id is still missing.
func (c Config) Genesis() *ledger.Genesis {
	g := &ledger.Genesis{CustomerHash: settings.CustomerHash}
	for _, s := range fields() {
		if s.row != nil && s.row.Holds == settings.Genesis {
			s.row.SetGenesis(g, s.field(&c).Interface())
		}
	}
	return g
}

// AdoptGenesis replaces the settings that genesis fixes with those of a ledger.
func (c *Config) AdoptGenesis(g *ledger.Genesis) {
	for _, s := range fields() {
		if s.row == nil || s.row.Holds != settings.Genesis {
			continue
		}
		if value := s.row.OfGenesis(g); value != nil {
			s.field(c).Set(reflect.ValueOf(value))
		}
	}
}

// rates returns the exchange rates in the order of their codes.
func (m Money) rates() []*ledger.Rate {
	table, err := money.NewTable(m.Currencies)
	if err != nil {
		return nil // not valid
	}
	base, _ := table.Lookup([]byte(m.Currency))
	var all []*ledger.Rate
	for _, code := range slices.Sorted(maps.Keys(m.Rates)) {
		unit, _ := table.Lookup([]byte(code))
		if r, err := rate(m.Rates[code], unit, base); err == nil {
			all = append(all, r)
		}
	}
	return all
}

// Convertible reports whether an amount in a currency can be converted into the base currency.
func (m Money) Convertible(code string) bool {
	table, err := money.NewTable(m.Currencies)
	if err != nil {
		return false // not valid
	}
	unit, known := table.Lookup([]byte(code))
	base, _ := table.Lookup([]byte(m.Currency))
	return known && (unit.Currency == base.Currency ||
		slices.ContainsFunc(m.rates(), func(r *ledger.Rate) bool { return r.GetCurrency() == unit.Currency }))
}

var errRate = errors.New("must be a decimal above 0, with at most 12 digits before and 12 after the point")

// rate converts an exchange rate between whole units into an exact one between minor units.
func rate(written string, unit, base money.Unit) (*ledger.Rate, error) {
	r, ok := new(big.Rat).SetString(written)
	if !ok || !rateForm.MatchString(written) || r.Sign() <= 0 {
		return nil, fmt.Errorf("%w; it is %q", errRate, written)
	}
	r.Mul(r, new(big.Rat).SetFrac(tens(base.Decimals), tens(unit.Decimals)))
	if !r.Num().IsInt64() || !r.Denom().IsInt64() {
		return nil, fmt.Errorf("has too many digits; it is %q", written)
	}
	return &ledger.Rate{Currency: unit.Code, Numerator: r.Num().Int64(), Denominator: r.Denom().Int64()}, nil
}

func tens(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
