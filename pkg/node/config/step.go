package config

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// StepSettings returns what Step reads: the settings that hold by revision, in the form in which they stand in the ledger.
// The configuration must be valid. Equal settings give equal messages.
func (c Config) StepSettings() *ledger.SettingsValues {
	v := &ledger.SettingsValues{
		MemoryDays:             u32(c.Memory.Days),
		MemoryOrders:           u32(c.Memory.Orders),
		DedupDays:              u32(c.Dedup.Days),
		DedupEvents:            u32(c.Dedup.Events),
		ChurnMedium:            c.Churn.Medium,
		ChurnHigh:              c.Churn.High,
		ChurnGraceDays:         u32(c.Churn.GraceDays),
		PurchaseHorizonDays:    u32(c.Churn.PurchaseHorizonDays),
		PredictionHorizonDays:  u32(c.CLV.PredictionHorizonDays),
		DiscountRateAnnual:     c.CLV.DiscountRateAnnual,
		Margin:                 c.CLV.Margin,
		SimpleClvLifespanYears: c.SimpleCLV.LifespanYears,
		SurveyWindowDays:       u32(c.Surveys.WindowDays),
		ClvMaterial:            c.CLV.Material,
		ChurnMaterial:          c.Churn.Material,
		WakeLimit:              u32(c.Fold.WakeLimit),
		ContributionMinutes:    u32(int(c.Portfolio.ContributionInterval / time.Minute)),
		Rates:                  c.Money.rates(),
		TiersMinCustomers:      u32(c.Tiers.MinCustomers),
		KeepComments:           c.Surveys.KeepComments,
		AlertRules:             alert.Wire(c.Alerts.Rules),
		AlertsPublishBaseline:  c.Alerts.PublishBaseline,
		AlertsLateHours:        u32(c.Alerts.LateHours),
		AlertsFuseRaises:       u32(c.Alerts.FuseRaises),
		AlertsFuseShare:        c.Alerts.FuseShare,
	}
	if d := c.Portfolio.ContributionInterval; d%time.Minute != 0 {
		v.ContributionMinutes, v.ContributionSeconds = 1, u32(int(d/time.Second))
	}
	return v
}

// u32 never cuts: every setting that comes here has bounds far below.
func u32(n int) uint32 { return uint32(n) } //nolint:gosec // see above

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

var errRate = errors.New("must be a decimal above 0, of at most 12 digits before and 12 behind the point")

// rate turns the value of one unit in units of the base into minor units of both, exactly.
func rate(written string, unit, base money.Unit) (*ledger.Rate, error) {
	r, ok := new(big.Rat).SetString(written)
	if !ok || !rateForm.MatchString(written) || r.Sign() <= 0 {
		return nil, fmt.Errorf("%w; it is %q", errRate, written)
	}
	r.Mul(r, new(big.Rat).SetFrac(tens(base.Decimals), tens(unit.Decimals)))
	if !r.Num().IsInt64() || !r.Denom().IsInt64() {
		return nil, fmt.Errorf("has more digits than fit; it is %q", written)
	}
	return &ledger.Rate{Currency: unit.Code, Numerator: r.Num().Int64(), Denominator: r.Denom().Int64()}, nil
}

func tens(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
