package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors/alert"
)

// Source folds a history under terms: a ledger, or a file of orders.
type Source func(ctx context.Context, terms Terms) (*Result, error)

// Ledger returns the source that folds a ledger. Terms of cfg are replaced.
func Ledger(cfg Config, k *kafka.Client) Source {
	return func(ctx context.Context, terms Terms) (*Result, error) {
		cfg := cfg
		cfg.Terms = terms
		return run(ctx, cfg, k, true)
	}
}

// Forecast is how many alerts rules would have raised: the history goes on like this, or it does not.
type Forecast struct {
	From  string         `json:"from"`  // the Monday of the first full week, YYYY-MM-DD
	Weeks int            `json:"weeks"` // full ones, to which the figures by week refer
	Until time.Time      `json:"until"`
	Rules []RuleForecast `json:"rules"`
}

// RuleForecast is what a rule would have raised.
type RuleForecast struct {
	Rule  string  `json:"rule"`
	Mean  float64 `json:"mean_per_week"`
	Least int64   `json:"least_in_a_week"`
	Most  int64   `json:"most_in_a_week"`
	Counts
}

var errWeek = errors.New("the history has no full week, from a Monday to a Sunday")

// Foresee counts the alerts of rules, with parameters unless these are nil.
func (fold Source) Foresee(ctx context.Context, terms Terms) (*Forecast, error) {
	r, err := fold(ctx, terms)
	if err != nil {
		return nil, err
	}
	if r.FullWeeks == 0 {
		return nil, errWeek
	}
	f := &Forecast{From: dateOf(r.firstMonday), Weeks: r.FullWeeks, Until: r.Until}
	for _, rule := range terms.Settings.GetAlertRules() {
		f.Rules = append(f.Rules, r.forecast(rule.GetName()))
	}
	return f, nil
}

// forecast sums the full weeks, those without an alert included.
func (r *Result) forecast(rule string) RuleForecast {
	f := RuleForecast{Rule: rule}
	for _, n := range r.Rules {
		if n.Rule == rule {
			f.Counts = n.After
		}
	}
	from, end := dateOf(r.firstMonday), dateOf(r.firstMonday+int32(r.FullWeeks)*daysPerWeek) //nolint:gosec // weeks of a history
	sum, some := int64(0), 0
	for _, w := range r.Weeks {
		if w.Rule != rule || w.Week < from || w.Week >= end || w.After == 0 {
			continue
		}
		if sum, f.Most = sum+w.After, max(f.Most, w.After); some == 0 || w.After < f.Least {
			f.Least = w.After
		}
		some++
	}
	//mutant:forecast-of-busy-weeks if false && $
	if some < r.FullWeeks {
		f.Least = 0
	}
	f.Mean = float64(sum) / float64(r.FullWeeks)
	return f
}

// Threshold is the mildest threshold of a rule that was found to raise at most so many alerts a day.
type Threshold struct {
	Rule      string  `json:"rule"`
	Metric    string  `json:"metric"`
	Below     bool    `json:"below"`
	Threshold float64 `json:"threshold"`
	Clear     float64 `json:"clear"`
	PerDay    float64 `json:"per_day"` // that it raised
	Weeks     int     `json:"weeks"`   // full ones of the history
	Tried     int     `json:"tried"`   // thresholds

	// The next milder threshold that was tried, and what it raised; null: none is milder.
	Milder       *float64 `json:"milder_threshold"`
	MilderPerDay *float64 `json:"milder_per_day"`
}

// The refusals of a search.
var (
	ErrNoRule     = errors.New("no such rule in the file")
	ErrFewValues  = errors.New("the metric has few values, each of which means something else: choose among them by a forecast of each")
	ErrOutOfReach = errors.New("no threshold that was tried raises so few")
)

// Thresholds that are tried side by side in one fold, as rules of their own: episodes of a rule depend on no other rule. So a search
// needs few folds: passes.
const (
	tries  = 32
	passes = 3
)

// ThresholdFor looks for the threshold of a rule that raises at most so many alerts a day, in the mean over the full weeks. The number of
// alerts need not fall with every step towards a stricter threshold: a mild one may have one long episode where a stricter one has two. So
// it goes from the strictest threshold towards the mildest until one raises more, and then between these two.
func (fold Source) ThresholdFor(ctx context.Context, rules []alert.Rule, name string, perDay float64, terms Terms) (*Threshold, error) {
	rule, err := ruleOf(rules, name)
	if err != nil {
		return nil, err
	}
	scale, graded := alert.ScaleOf(rule.Metric)
	if !graded {
		return nil, fmt.Errorf("rule %s: %w", rule.Name, ErrFewValues)
	}
	found := &Threshold{Rule: rule.Name, Metric: rule.Metric, Below: rule.Below}
	at := first(rule, scale)
	var good, bad *tried
	for range passes {
		all, weeks, err := fold.try(ctx, rule, scale, at, terms)
		if err != nil {
			return nil, err
		}
		found.Weeks, found.Tried = weeks, found.Tried+len(all)
		for i := range all {
			//mutant:threshold-raises-more if all[i].perDay > 2*perDay
			if all[i].perDay > perDay {
				bad = &all[i]
				break
			}
			good = &all[i]
		}
		if good == nil && bad == nil {
			return nil, fmt.Errorf("rule %s: %w", rule.Name, ErrOutOfReach)
		}
		if good == nil {
			return nil, fmt.Errorf("rule %s: %w as %g a day: even %g raises %.2f", rule.Name, ErrOutOfReach, perDay, bad.rule.At, bad.perDay)
		}
		if bad == nil {
			break
		}
		if at = between(good.rule.At, bad.rule.At, scale); len(at) == 0 {
			break
		}
	}
	found.Threshold, found.Clear, found.PerDay = good.rule.At, good.rule.Clear, good.perDay
	if bad != nil {
		found.Milder, found.MilderPerDay = &bad.rule.At, &bad.perDay
	}
	return found, nil
}

func ruleOf(rules []alert.Rule, name string) (alert.Rule, error) {
	if name == "" && len(rules) == 1 {
		return rules[0], nil
	}
	names := make([]string, len(rules))
	for i := range rules {
		if names[i] = rules[i].Name; names[i] == name {
			return rules[i], nil
		}
	}
	return alert.Rule{}, fmt.Errorf("%w: %q; it has %s", ErrNoRule, name, strings.Join(names, ", "))
}

// tried is a threshold and what it raised.
type tried struct {
	rule   alert.Rule
	perDay float64
}

// try folds the history under copies of a rule with other thresholds, and returns them from the strictest on.
func (fold Source) try(ctx context.Context, rule alert.Rule, scale alert.Scale, at []float64, terms Terms) ([]tried, int, error) {
	var all []tried
	var copies []alert.Rule
	for i, threshold := range at {
		r := rule
		r.Name, r.At, r.Clear = fmt.Sprint("try_", i), threshold, clearFor(rule, threshold, scale)
		if r.Check() == nil {
			copies = append(copies, r)
		}
	}
	r, err := fold(ctx, terms.With(Rules(copies)))
	if err != nil {
		return nil, 0, err
	}
	if r.FullWeeks == 0 {
		return nil, 0, errWeek
	}
	for _, c := range copies {
		all = append(all, tried{c, r.forecast(c.Name).Mean / daysPerWeek})
	}
	slices.SortFunc(all, func(a, b tried) int {
		if rule.Below {
			a, b = b, a
		}
		return cmp.Compare(b.rule.At, a.rule.At)
	})
	return all, r.FullWeeks, nil
}

// clearFor keeps the proportion of the clear threshold to the threshold.
func clearFor(rule alert.Rule, at float64, scale alert.Scale) float64 {
	if rule.At == 0 || rule.Clear == rule.At {
		return at
	}
	return min(round(at*rule.Clear/rule.At, scale), scale.Most)
}

// first returns the thresholds that are tried first: evenly where the metric is bounded, and otherwise each half as much again as the one
// before, from a thousandth of the rule's own on.
func first(rule alert.Rule, scale alert.Scale) []float64 {
	const step, down = 1.5, 17
	own := rule.At
	if own == 0 {
		own = 1
	}
	all := make([]float64, 0, tries)
	for i := range tries {
		if scale.Bounded {
			all = append(all, round(scale.Most*float64(i+1)/(tries+1), scale))
		} else {
			all = append(all, min(round(own*math.Pow(step, float64(i-down)), scale), scale.Most))
		}
	}
	return distinct(all)
}

// between returns the thresholds that are tried between two.
func between(a, b float64, scale alert.Scale) []float64 {
	all := make([]float64, 0, tries)
	for i := range tries {
		all = append(all, round(a+(b-a)*float64(i+1)/(tries+1), scale))
	}
	return slices.DeleteFunc(distinct(all), func(x float64) bool { return x == a || x == b })
}

func distinct(all []float64) []float64 {
	slices.Sort(all)
	return slices.Compact(all)
}

// round rounds to the decimals that make a difference, so that what is reported is what was tried.
func round(x float64, scale alert.Scale) float64 {
	unit := math.Pow10(scale.Decimals)
	return math.Round(x*unit) / unit
}
