package processors

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// LogicVersion is raised by a release that changes an answer. State is one version's function of the ledger.
const LogicVersion = 1

// EntryVersion is the envelope's version that Step reads.
const EntryVersion = ledger.Version

// DefaultSettings are those that hold until the ledger says others. With them a customer of ten orders takes about 150
// bytes; each remembered order costs 12 to 15 bytes, each event id within dedup_days 9.
func DefaultSettings() *ledger.SettingsValues {
	return &ledger.SettingsValues{
		MemoryDays: 400, MemoryOrders: 1024, DedupDays: 7, DedupEvents: 256,
		ChurnMedium: .33, ChurnHigh: .66, ChurnGraceDays: 30, PurchaseHorizonDays: 90,
		PredictionHorizonDays: 365, Margin: 1, SimpleClvLifespanYears: 2,
		SurveyWindowDays: 365, ClvMaterial: .01, ChurnMaterial: .05,
		WakeLimit: 256, ContributionMinutes: 5, TiersMinCustomers: 100,
		AlertRules: alert.Wire(alert.Shipped()), AlertsLateHours: 48, AlertsFuseRaises: 100, AlertsFuseShare: .01,
	}
}

// ErrSettings is a setting out of its bounds. The text names it.
var ErrSettings = errors.New("settings")

// ValidateSettings returns an error that wraps ErrSettings for the first value out of its bounds, and names it.
func ValidateSettings(v *ledger.SettingsValues) error {
	if v == nil {
		return fmt.Errorf("%w: no values", ErrSettings)
	}
	for _, w := range []struct {
		name        string
		value       float64
		least, most float64
	}{
		{"memory_days", float64(v.GetMemoryDays()), 1, 36500},
		{"memory_orders", float64(v.GetMemoryOrders()), 1, 1 << 16},
		{"dedup_days", float64(v.GetDedupDays()), 0, 36500},
		{"dedup_events", float64(v.GetDedupEvents()), 0, 1 << 16},
		{"churn_medium", v.GetChurnMedium(), 0, 1},
		{"churn_high", v.GetChurnHigh(), v.GetChurnMedium(), 1},
		{"churn_grace_days", float64(v.GetChurnGraceDays()), 0, 36500},
		{"purchase_horizon_days", float64(v.GetPurchaseHorizonDays()), 1, 36500},
		{"prediction_horizon_days", float64(v.GetPredictionHorizonDays()), 1, 36500},
		{"discount_rate_annual", v.GetDiscountRateAnnual(), 0, 10},
		{"margin", v.GetMargin(), 0, 1},
		{"simple_clv_lifespan_years", v.GetSimpleClvLifespanYears(), 0, 100},
		{"survey_window_days", float64(v.GetSurveyWindowDays()), 1, 36500},
		{"clv_material", v.GetClvMaterial(), 0, 1},
		{"churn_material", v.GetChurnMaterial(), .001, 1},
		{"wake_limit", float64(v.GetWakeLimit()), 1, 10_000},
		{"contribution_minutes", float64(v.GetContributionMinutes()), 1, 7 * 24 * 60},
		{"contribution_seconds", float64(v.GetContributionSeconds()), 0, 7 * 24 * 3600},
		{"tiers_min_customers", float64(v.GetTiersMinCustomers()), 1, math.MaxUint32},
		{"alerts_late_hours", float64(v.GetAlertsLateHours()), 0, 36500 * 24},
		{"alerts_fuse_raises", float64(v.GetAlertsFuseRaises()), 0, math.MaxUint32},
		{"alerts_fuse_share", v.GetAlertsFuseShare(), 0, 1},
	} {
		if !(w.value >= w.least && w.value <= w.most) {
			return fmt.Errorf("%w: %s is %v, want %v to %v", ErrSettings, w.name, w.value, w.least, w.most)
		}
	}
	if i, f := alert.CheckAll(alert.FromWire(v.GetAlertRules())); f != nil {
		return fmt.Errorf("%w: alert_rules[%d]: %w", ErrSettings, i, f)
	}
	for i, r := range v.GetRates() {
		switch {
		case r.GetCurrency() == "" || r.GetNumerator() <= 0 || r.GetDenominator() <= 0:
			return fmt.Errorf("%w: rates[%d]: want a currency, and a numerator and denominator above 0", ErrSettings, i)
		case i > 0 && v.GetRates()[i-1].GetCurrency() >= r.GetCurrency():
			return fmt.Errorf("%w: rates[%d]: %s stands twice, or not in order", ErrSettings, i, r.GetCurrency())
		}
	}
	return nil
}

// HashSettings tells settings of one revision apart. It is a hash of their canonical encoding: equal values, equal hash.
func HashSettings(v *ledger.SettingsValues) uint64 {
	blob, err := v.MarshalVT()
	if err != nil {
		panic("marshal settings: " + err.Error()) // numbers and codes cannot fail
	}
	return xxhash.Sum64(blob)
}

// PriorParameters hold until the ledger says others: MBG/NBD at the means of its weak priors (lifetimes.PriorMBGNBD), for
// weeks. Spend is the Gamma-Gamma prior at each customer's own average, since a prior knows no currency's scale: p, q and v
// are 0.
func PriorParameters() *ledger.Parameters {
	m := prior()
	return &ledger.Parameters{Model: modelName, Status: priorStatus, R: m.R, Alpha: m.Alpha, A: m.A, B: m.B}
}

var prior = sync.OnceValue(lifetimes.PriorMBGNBD) //nolint:gochecknoglobals // a constant that is computed

const (
	modelName   = "mbg_nbd"
	priorStatus = "prior"
)

func validateParameters(v *ledger.Parameters) error {
	if v.GetModel() != modelName {
		return fmt.Errorf("%w: model %q", ErrUnknownModel, v.GetModel())
	}
	if !slices.Contains([]string{priorStatus, "provisional", "fitted"}, v.GetStatus()) {
		return fmt.Errorf("%w: status %q", ErrUnknownModel, v.GetStatus())
	}
	if err := purchases(v).Validate(); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if s := spending(v); s != (lifetimes.GammaGamma{}) {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
	}
	return nil
}

func purchases(v *ledger.Parameters) lifetimes.MBGNBD {
	return lifetimes.MBGNBD{R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB()}
}

func spending(v *ledger.Parameters) lifetimes.GammaGamma {
	return lifetimes.GammaGamma{P: v.GetP(), Q: v.GetQ(), V: v.GetV()}
}

// adopt makes parameters and settings the terms on which customers are scored.
func (p *Partition) adopt() {
	p.terms.Settings = p.settings
	p.rules = alert.Compile(p.settings, p.terms.Unit)
	p.fuses.Keep(&p.rules)
	p.terms.Thresholds = p.thresholds
	if m := purchases(p.parameters); p.terms.Purchases == nil || p.terms.Purchases.MBGNBD != m {
		p.terms.Purchases = lifetimes.NewPrepared(m)
	}
	p.terms.Spend = spending(p.parameters)
	p.terms.Model = output.Model{Name: p.parameters.GetModel(), Version: p.parameters.GetVersion(), Status: p.parameters.GetStatus()}
}
