package alert

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Rule opens an episode when a customer's metric meets the threshold, and closes it when the metric crosses the clear threshold.
type Rule struct {
	Name     string
	Metric   string        // one of Metrics
	Below    bool          // met at or below the threshold; false: at or above it
	At       float64       // the threshold; amounts in whole units of the base currency
	Clear    float64       // the clear threshold: equal to At or on the side where At is not met
	For      time.Duration // how long the metric must meet the threshold before the episode fires
	CoolDown time.Duration // after a published episode has closed, in which no other one fires
	Severity string        // info, warning or critical
	Tiers    []string      // only customers in one of these value tiers; none: all
	NPS      []string      // only customers of one of these categories; none: all
}

// String writes all that makes the rule, as an operator reads it.
func (r Rule) String() string {
	side := map[bool]string{false: "above", true: "below"}[r.Below]
	parts := []string{fmt.Sprintf("%s: %s %s: %v", r.Name, r.Metric, side, r.At), fmt.Sprint("clear: ", r.Clear)}
	if r.For != 0 {
		parts = append(parts, "for: "+r.For.String())
	}
	if r.CoolDown != 0 {
		parts = append(parts, "cool_down: "+r.CoolDown.String())
	}
	parts = append(parts, r.Severity)
	if len(r.Tiers) > 0 {
		parts = append(parts, fmt.Sprint("tiers: ", r.Tiers))
	}
	if len(r.NPS) > 0 {
		parts = append(parts, fmt.Sprint("nps: ", r.NPS))
	}
	return strings.Join(parts, ", ")
}

// Shipped returns the default rules. High value is top_10 or top_20.
func Shipped() []Rule {
	const day = 24 * time.Hour
	high := []string{"top_10", "top_20"}
	return []Rule{
		{Name: "high_value_gained", Metric: "value_tier", At: 1, Clear: 1, Severity: "info"},
		{Name: "high_value_lost", Metric: "high_value_lost", At: 1, Clear: 1, Severity: "critical"},
		{Name: "churn_risk_high", Metric: "churn_probability", At: .66, Clear: .5, For: day, CoolDown: 7 * day, Severity: "warning"},
		{Name: "high_value_at_risk", Metric: "churn_probability", At: .66, Clear: .5, CoolDown: 7 * day, Severity: "critical", Tiers: high},
		{Name: "top_decile_detractor", Metric: "nps_score", Below: true, At: 6, Clear: 6, Severity: "critical", Tiers: []string{"top_10"}},
		{Name: "promoter_silent", Metric: "days_since_last_order", At: 120, Clear: 120, Severity: "warning", NPS: []string{"promoter"}},
		{Name: "subscription_cancelled", Metric: "subscription_cancelled", At: 1, Clear: 1, Severity: "warning"},
	}
}

// Bounds of rules.
const (
	mostRules  = 64
	mostName   = 64
	longest    = 3650 * 24 * time.Hour
	mostAmount = 1e12
)

// Severities, tiers and categories that a rule may name.
func severities() []string { return []string{"info", "warning", "critical"} }
func tiers() []string      { return []string{"top_10", "top_20", "rest"} }
func categories() []string { return []string{"promoter", "passive", "detractor", "unknown"} }

// RuleError is an invalid field of a rule. Field is its name in a rule file.
type RuleError struct {
	Field   string
	Message string
}

// Error names the field.
func (f *RuleError) Error() string { return f.Field + ": " + f.Message }

func fault(field, format string, args ...any) *RuleError {
	return &RuleError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// Check returns what is wrong with a rule, nil if nothing is.
func (r *Rule) Check() *RuleError {
	m, known := metricOf(r.Metric)
	side := map[bool]string{false: "above", true: "below"}[r.Below]
	switch {
	case !IsName(r.Name):
		return fault("name", "must be 1 to %d small letters, digits or underscores, and begin with a letter; it is %q", mostName, r.Name)
	case !known:
		return fault("metric", "must be one of %s; it is %q", strings.Join(Metrics(), ", "), r.Metric)
	case !(r.At >= 0 && r.At <= m.most):
		return fault(side, "must be from 0 to %v for %s; it is %v", m.most, r.Metric, r.At)
	case !(r.Clear >= 0 && r.Clear <= m.most):
		return fault("clear", "must be from 0 to %v for %s; it is %v", m.most, r.Metric, r.Clear)
	case !r.Below && r.At == 0 && !m.negative:
		return fault(side, "must be above 0 for %s, which is never below it; it is 0", r.Metric)
	case r.Below && r.At == m.most && m.bounded:
		return fault(side, "must be below %v for %s, which is never above it; it is %v", m.most, r.Metric, r.At)
	case !r.Below && r.Clear > r.At:
		return fault("clear", "must be at or below the threshold (above: %v), on the side away from the alert; it is %v", r.At, r.Clear)
	case r.Below && r.Clear < r.At:
		return fault("clear", "must be at or above the threshold (below: %v), on the side away from the alert; it is %v", r.At, r.Clear)
	case r.For < 0 || r.For > longest:
		return fault("for", "must be above 0 and at most 3650d; it is %s", r.For)
	case r.CoolDown < 0 || r.CoolDown > longest:
		return fault("cool_down", "must be above 0 and at most 3650d; it is %s", r.CoolDown)
	case !slices.Contains(severities(), r.Severity):
		return fault("severity", "must be one of %s; it is %q", strings.Join(severities(), ", "), r.Severity)
	}
	if f := among("tiers", r.Tiers, tiers()); f != nil {
		return f
	}
	return among("nps", r.NPS, categories())
}

func among(field string, values, allowed []string) *RuleError {
	for i, v := range values {
		switch {
		case !slices.Contains(allowed, v):
			return fault(field, "must be of %s; %q is not", strings.Join(allowed, ", "), v)
		case slices.Contains(values[:i], v):
			return fault(field, "%s is listed twice", v)
		}
	}
	return nil
}

// IsName reports whether a rule can have a name.
func IsName(name string) bool {
	if name == "" || len(name) > mostName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// CheckAll returns the index of the first invalid rule and what is wrong with it; -1, nil if all rules are valid together.
func CheckAll(all []Rule) (int, *RuleError) {
	if len(all) > mostRules {
		return mostRules, fault("name", "there may be %d rules at most; there are %d", mostRules, len(all))
	}
	seen := map[uint32]string{}
	for i := range all {
		if f := all[i].Check(); f != nil {
			return i, f
		}
		id := hash(all[i].Name)
		if other, taken := seen[id]; taken {
			return i, fault("name", "%s is used twice, or its hash equals that of %s: choose another name", all[i].Name, other)
		}
		seen[id] = all[i].Name
	}
	return -1, nil
}

func hash(name string) uint32 { return uint32(xxhash.Sum64String(name) >> 32) }

// Wire returns rules in the form in which the ledger holds them.
func Wire(all []Rule) []*ledger.AlertRule {
	wire := make([]*ledger.AlertRule, len(all))
	for i := range all {
		r := &all[i]
		wire[i] = &ledger.AlertRule{
			Name: r.Name, Metric: r.Metric, Below: r.Below, Threshold: r.At, ClearThreshold: r.Clear,
			ForMs: r.For.Milliseconds(), CoolDownMs: r.CoolDown.Milliseconds(), Severity: r.Severity, Tiers: r.Tiers, NpsCategories: r.NPS,
		}
	}
	return wire
}

// FromWire is the inverse of Wire.
func FromWire(wire []*ledger.AlertRule) []Rule {
	all := make([]Rule, len(wire))
	for i, w := range wire {
		all[i] = Rule{
			Name: w.GetName(), Metric: w.GetMetric(), Below: w.GetBelow(), At: w.GetThreshold(), Clear: w.GetClearThreshold(),
			For: duration(w.GetForMs()), CoolDown: duration(w.GetCoolDownMs()), Severity: w.GetSeverity(), Tiers: w.GetTiers(), NPS: w.GetNpsCategories(),
		}
	}
	return all
}

// duration converts milliseconds; a value out of bounds stays out of bounds.
func duration(ms int64) time.Duration {
	if ms > longest.Milliseconds() {
		return longest + 1
	}
	return time.Duration(max(ms, -1)) * time.Millisecond
}

// Rules are compiled rules and the settings for alerts of one partition. Amounts are minor units.
type Rules struct {
	all         []compiled
	retired     []compiled // removed, while customers may have episodes of them
	percentiles bool       // a rule's metric is clv_percentile, which any change of thresholds moves
	PublishBase bool       // alerts.publish_baseline
	LateMS      int64      // an event that happened so long before now is late
	FuseRaises  int64      // alerts of a rule that may be published in an hour
	FuseShare   float64    // of the partition's customers, likewise; the greater of the two holds
	groups      groups
}

type compiled struct {
	Rule

	id         uint32
	metric     *metric
	at, clear  float64 // in the metric's own unit: minor units of money
	forMS      int64
	coolMS     int64
	tiers      uint8 // bits of customer.Tier; 0: all
	categories uint8 // bits of customer.Category; 0: all
}

// Compile compiles the rules of settings that CheckAll accepts, and rules that such settings had before.
func Compile(v *ledger.SettingsValues, retired []*ledger.AlertRule, ledgerID string, unit money.Unit) Rules {
	rules := Rules{
		PublishBase: v.GetAlertsPublishBaseline(), LateMS: int64(v.GetAlertsLateHours()) * 3_600_000,
		FuseRaises: int64(v.GetAlertsFuseRaises()), FuseShare: v.GetAlertsFuseShare(),
		groups: groups{share: v.GetAlertsControlShare(), rules: NamesIn(v.GetAlertsControlRules()), salt: cmp.Or(v.GetAlertsControlSalt(), ledgerID)},
	}
	rules.all, rules.retired = compile(v.GetAlertRules(), unit), compile(retired, unit)
	for i := range rules.all {
		rules.percentiles = rules.percentiles || rules.all[i].metric.name == "clv_percentile"
	}
	return rules
}

func compile(wire []*ledger.AlertRule, unit money.Unit) []compiled {
	var all []compiled
	for _, r := range FromWire(wire) {
		m, known := metricOf(r.Metric)
		if !known {
			continue
		}
		c := compiled{Rule: r, id: hash(r.Name), metric: m, at: r.At, clear: r.Clear, forMS: r.For.Milliseconds(), coolMS: r.CoolDown.Milliseconds()}
		if m.unit == amount {
			c.at, c.clear = minor(unit, r.At), minor(unit, r.Clear)
		}
		for _, t := range r.Tiers {
			c.tiers |= 1 << (slices.Index(tiers(), t) + int(customer.Top10))
		}
		for _, n := range r.NPS {
			c.categories |= 1 << (slices.Index(categories(), n) + int(customer.Promoter))
		}
		all = append(all, c)
	}
	return all
}

func minor(unit money.Unit, major float64) float64 {
	if v, ok := unit.Minor(major); ok {
		return float64(v)
	}
	return math.Inf(int(major))
}

// Percentiles reports whether a rule's metric is clv_percentile.
func (r *Rules) Percentiles() bool { return r.percentiles }

// Firing calls each for the customer's firing episodes, in the order of the rules.
func (r *Rules) Firing(a *customer.Alerts, each func(r *Rule, e *customer.Episode)) {
	for i := range r.all {
		if j, ok := a.Find(r.all[i].id); ok && a.Episodes[j].Phase == customer.Firing {
			each(&r.all[i].Rule, &a.Episodes[j])
		}
	}
}

// Name returns the name of the rule with a hash, empty if there is none.
func (r *Rules) Name(id uint32) string {
	if c := r.find(id); c != nil {
		return c.Name
	}
	return ""
}

func (r *Rules) find(id uint32) *compiled { return byID(r.all, id) }

func (r *Rules) retiredRule(id uint32) *compiled { return byID(r.retired, id) }

func byID(all []compiled, id uint32) *compiled {
	for i := range all {
		if all[i].id == id {
			return &all[i]
		}
	}
	return nil
}
