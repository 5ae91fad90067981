package outcomes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/models/lift"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// LiftQuery says what is compared.
type LiftQuery struct {
	Rule  string
	Days  []int // lengths of the windows after the day of the alert, 1 to MostDays, rising
	Since int64 // ms: alerts raised before do not count; 0: all
}

// Lift is the comparison of the treated customers of a rule with those in control.
type Lift struct {
	Report *report.Report
	Share  float64 // of control; 0: no customer of the rule was ever in a group
	Fewest int     // customers below which nothing is stated
	Others int64   // customers who were left out, since their group was drawn with another share or salt
}

// ErrNoRule means that neither the settings nor an alert with a group names the rule.
var ErrNoRule = errors.New("no such rule")

// A customer counts with their first alert of the rule that was raised with a group: later ones are not independent of it, since the first
// may have been acted on. Their group says in which arm they are, whatever was done in fact, so that it stays a comparison of groups that were
// drawn at random. Customers whose groups were drawn with other settings than those of the newest alert are left out: when the share
// changes, the arms are of different seasons.

// subject is a customer of the experiment.
type subject struct {
	raisedAt  int64
	group     customer.Group
	drawn     drawing
	predicted float64 // CLV, minor units, as the alert stated it
}

// drawing is how groups were drawn.
type drawing struct {
	share float64
	salt  string
}

// trial sums the customers whose groups were drawn alike.
type trial struct {
	newest  int64 // time of the newest alert
	windows []window
}

// window sums the outcomes within some days.
type window struct {
	arms    [2][]lift.Arm // of Treated and Control: by outcome
	waiting int64         // customers whose window has not passed
}

// outcome is what is compared.
type outcome struct {
	name  string
	value func(*followed) float64
	form  func(float64) measure.Value
}

// followed is a customer whose window has passed.
type followed struct {
	bought

	clvChange int64
}

func outcomes() []outcome {
	const tenThousands = 10_000
	share := func(v float64) measure.Value {
		return measure.Share(int64(math.RoundToEven(v*tenThousands)), tenThousands)
	}
	amount := func(v float64) measure.Value { return measure.Amount(int64(math.RoundToEven(v))) }
	return []outcome{
		{"repurchase", func(f *followed) float64 { return float64(min(f.orders, 1)) }, share},
		{"revenue", func(f *followed) float64 { return float64(f.revenue) }, amount},
		{"clv_change", func(f *followed) float64 { return float64(f.clvChange) }, amount},
	}
}

// lifter folds for MeasureLift.
type lifter struct {
	query    LiftQuery
	known    bool // the rule
	unit     money.Unit
	rules    []string           // of the settings
	subjects map[string]subject // of the partition
	trials   map[drawing]*trial
	counts   map[drawing]int64
}

// MeasureLift folds the ledger and compares the groups of a rule.
func MeasureLift(ctx context.Context, cfg Config, k *kafka.Client, q LiftQuery) (*Lift, error) {
	l := &lifter{query: q, subjects: map[string]subject{}, trials: map[drawing]*trial{}, counts: map[drawing]int64{}}
	until, err := fold(ctx, cfg, k, l.readAlerts, l.follow)
	switch {
	case err != nil:
		return nil, err
	case !l.known:
		return nil, fmt.Errorf("%w: %q; the rules in force are %s", ErrNoRule, q.Rule, strings.Join(l.rules, ", "))
	}
	return l.compare(until), nil
}

// readAlerts notes who was raised an alert of the rule for the first time.
func (l *lifter) readAlerts(p *refold.Partition) error {
	for i := range p.Out.Records {
		r := &p.Out.Records[i]
		switch {
		case r.Topic != output.Alerts:
			continue
		case r.Type == output.TypeErased:
			delete(l.subjects, r.Key)
			continue
		case r.Type != output.TypeAlertRaised:
			continue
		}
		var a struct {
			Rule     string    `json:"rule"`
			Group    string    `json:"group"`
			Initial  bool      `json:"initial"`
			RaisedAt time.Time `json:"raised_at"`
			Scores   struct {
				Predicted float64 `json:"predicted_clv"`
			} `json:"scores"`
		}
		if err := json.Unmarshal(p.Out.Value(r), &a); err != nil {
			return fmt.Errorf("decode an alert: %w", err)
		}
		if a.Rule != l.query.Rule || a.Group == "" || a.Initial {
			continue
		}
		l.known = true
		//mutant:lift-counts-later-alerts if false && $
		if _, again := l.subjects[r.Key]; again {
			continue
		}
		v := p.State.Settings()
		s := subject{raisedAt: a.RaisedAt.UnixMilli(), group: customer.Treated, drawn: drawing{v.GetAlertsControlShare(), v.GetAlertsControlSalt()}}
		if a.Group == customer.Control.String() {
			s.group = customer.Control
		}
		s.predicted = a.Scores.Predicted * p.State.MinorPerUnit()
		l.subjects[r.Key] = s
	}
	return nil
}

// follow sums what the customers of a partition did, at its end.
func (l *lifter) follow(p *refold.Partition) error {
	l.unit, l.rules = p.State.Unit(), l.rules[:0]
	for _, r := range p.State.Settings().GetAlertRules() {
		l.rules = append(l.rules, r.GetName())
		l.known = l.known || r.GetName() == l.query.Rule
	}
	base, _ := p.State.BaseTime()
	today := p.State.CivilDay(base)
	for id, x := range l.subjects {
		s, err := p.Customers.Customer(id)
		if err != nil {
			return fmt.Errorf("read a customer: %w", err)
		}
		if s == nil || x.raisedAt < l.query.Since {
			continue
		}
		t := l.trials[x.drawn]
		if t == nil {
			t = &trial{windows: make([]window, len(l.query.Days))}
			for w := range t.windows {
				t.windows[w].arms = [2][]lift.Arm{make([]lift.Arm, len(outcomes())), make([]lift.Arm, len(outcomes()))}
			}
			l.trials[x.drawn] = t
		}
		t.newest = max(t.newest, x.raisedAt)
		l.counts[x.drawn]++
		day := p.State.CivilDay(x.raisedAt)
		for w, days := range l.query.Days {
			last := day + int32(days) //nolint:gosec // bounded
			//mutant:lift-counts-open-windows if false && $
			if last >= today {
				t.windows[w].waiting++
				continue
			}
			f := followed{boughtWithin(s, day+1, last), totalAt(p.State, id, s, last+1) - totalAt(p.State, id, s, day+1)}
			for i, o := range outcomes() {
				t.windows[w].arms[x.group-customer.Treated][i].Add(x.predicted, o.value(&f))
			}
		}
	}
	clear(l.subjects)
	return nil
}

// compare compares the arms of the newest trial.
func (l *lifter) compare(until int64) *Lift {
	r := &Lift{Report: &report.Report{AsOf: until, Unit: l.unit, Columns: LiftColumns()}}
	var of drawing
	var newest *trial
	for d, t := range l.trials {
		if newest == nil || t.newest > newest.newest {
			of, newest = d, t
		}
	}
	if newest == nil {
		return r
	}
	r.Share, r.Fewest = of.share, lift.FewestFor(of.share)
	for d, n := range l.counts {
		if d != of {
			r.Others += n
		}
	}
	for w, days := range l.query.Days {
		for i, o := range outcomes() {
			arms := newest.windows[w].arms
			r.Report.Rows = append(r.Report.Rows, l.row(days, o, newest.windows[w].waiting, &arms[0][i], &arms[1][i], of.share))
		}
	}
	return r
}

// The verdicts of a comparison.
const (
	Higher = "higher"          // the treated have more, beyond what chance does
	Lower  = "lower"           // they have less
	TooFew = "too few to tell" // the difference may be chance
)

// LiftColumns are the columns of the report.
func LiftColumns() []report.Column {
	var all []report.Column
	for _, name := range []string{"days", "measure", "treated_customers", "control_customers", "waiting_customers", "treated_mean", "control_mean", "difference", "difference_low", "difference_high", "lift", "verdict"} {
		all = append(all, report.Column{Name: name})
	}
	return all
}

func (l *lifter) row(days int, o outcome, waiting int64, treated, control *lift.Arm, share float64) []report.Cell {
	c := lift.Compare(treated, control, share)
	known := func(ok bool, v measure.Value) report.Cell {
		if !ok {
			return report.Cell{}
		}
		return report.Cell{Value: v}
	}
	count := func(n int64) report.Cell { return report.Cell{Value: measure.Number(n)} }
	both := treated.N() > 0 && control.N() > 0
	verdict := TooFew
	if c.Shown() {
		verdict = map[bool]string{true: Higher, false: Lower}[c.Low > 0]
	}
	return []report.Cell{
		count(int64(days)),
		{Text: o.name},
		count(int64(treated.N())), count(int64(control.N())), count(waiting),
		known(treated.N() > 0, o.form(c.Treated)), known(control.N() > 0, o.form(c.Control)), known(both, o.form(c.Difference)),
		known(c.Bounded, o.form(c.Low)), known(c.Bounded, o.form(c.High)),
		known(both && c.Control > 0, measure.Ratio(int64(math.RoundToEven(c.Difference/c.Control*thousands)), thousands, 3)),
		{Text: verdict},
	}
}

// ParseDays reads lengths of windows, separated by commas.
func ParseDays(text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := parseDays(part)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
