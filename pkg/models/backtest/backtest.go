package backtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/season"
)

// Errors of the history and the split. Each returned error wraps one of them and names the flag to change.
var (
	ErrSplit  = errors.New("backtest: the split does not divide the history")
	ErrTooFew = errors.New("backtest: too few customers")
)

// leastCustomers is the minimum number of customers for a meaningful comparison of models.
const leastCustomers = 10

// farthest is the maximum number of days between the last purchase and the end; more than ten years is taken for a typing error.
const farthest = 3653

// Options are the parameters of Run. The zero value splits the time from the first to the last purchase in half.
type Options struct {
	// Split is the last day of the first part, Until that of the second; only year, month and day are used. The zero values are
	// the middle between the first purchase and Until, and the day of the last purchase.
	Split, Until time.Time
	// Seasons compares MBG/NBD and Pareto/NBD with the season that the purchases up to the split show, too. Campaigns are those of the
	// shop; a multiplier of 0 is to be estimated.
	Seasons   bool
	Campaigns []season.Campaign
	// MinorPerUnit is the number of minor units per unit of the currency; 0 means 100.
	MinorPerUnit float64
	// Progress, if not nil, is called before each step.
	Progress func(step string, done, total int)
}

// Run fits the models, predicts and measures. The error is ErrSplit, ErrTooFew, the error of a fit, or that of the context.
func Run(ctx context.Context, all []lifetimes.History, o Options) (*Result, error) {
	if !(o.MinorPerUnit > 0) {
		o.MinorPerUnit = 100
	}
	h, err := divide(all, o)
	if err != nil {
		return nil, err
	}
	step := 0
	begin := func(what string) error {
		if o.Progress != nil {
			o.Progress(what, step, max(steps, step+1))
		}
		step++
		return context.Cause(ctx)
	}
	candidates, spend, err := fit(h, all, o, begin)
	if err != nil {
		return nil, err
	}
	r := h.result()
	if o.Seasons {
		inSeason, err := h.fitInSeason(o.Campaigns, r, begin)
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, inSeason...)
	}
	for _, c := range candidates {
		if err := begin("measuring " + c.name); err != nil {
			return nil, err
		}
		r.Models = append(r.Models, c.in.judge(c, spend))
	}
	if err := begin("measuring the simple rules"); err != nil {
		return nil, err
	}
	r.Baselines = h.judgeBaselines()
	r.recommend()
	if err := begin("tracking purchases by week"); err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if c.name == r.Recommended {
			r.Intervals = c.in.intervals(c, spend)
			r.Notes = append(r.Notes, r.Intervals.String())
		}
		if c.name == r.Recommended || c.name == Live {
			r.Tracking.Predicted = append(r.Tracking.Predicted, c.in.track(c))
		}
	}
	r.Tracking.SplitWeek, r.Tracking.Actual = h.splitWeek(), h.trackActual()
	return r, nil
}

// steps is the approximate number of steps, for Progress; there are more if MBG/CNBD-k improves with k, and fewer without a season.
const steps = 19

// holdout is a history that is split at a day.
type holdout struct {
	first, split, until, last int32         // civil days
	clock                     *season.Clock // by which horizon, customers and rows count time; nil: civil time
	horizon                   float64       // weeks from the split to the end
	minorPerUnit              float64
	customers                 []lifetimes.Customer // state at the split
	rows                      []lifetimes.Summary  // summaries of customers
	known, later              []lifetimes.History  // histories up to the split, and up to the end
	actual, spent             []float64            // purchase days and net value after the split, by customer
}

func divide(all []lifetimes.History, o Options) (*holdout, error) {
	h := &holdout{minorPerUnit: o.MinorPerUnit}
	some := false
	for _, one := range all {
		first, ok := one.First()
		if !ok {
			continue
		}
		last, _ := one.Last()
		if !some {
			h.first, h.last, some = first, last, true
		}
		h.first, h.last = min(h.first, first), max(h.last, last)
	}
	if !some {
		return nil, fmt.Errorf("%w: the file contains no purchase; check the mapping of the columns", ErrTooFew)
	}
	h.until = h.last
	if !o.Until.IsZero() {
		h.until = civilDay(o.Until)
	}
	h.split = h.first + (min(h.until, h.last)-h.first)/2
	if !o.Split.IsZero() {
		h.split = civilDay(o.Split)
	}
	switch {
	case h.split < h.first || h.split >= h.last:
		return nil, fmt.Errorf("%w: purchases go from %s to %s, but the split is %s; give a --split in between",
			ErrSplit, date(h.first), date(h.last), date(h.split))
	case h.until-h.last > farthest:
		return nil, fmt.Errorf("%w: the last purchase is on %s, more than ten years before the end, %s; give an earlier --until", ErrSplit, date(h.last), date(h.until))
	case h.until <= h.split:
		return nil, fmt.Errorf("%w: the end, %s, is not after the split, %s; give a later --until", ErrSplit, date(h.until), date(h.split))
	}
	h.horizon = h.weeks(h.split, h.until)
	for _, one := range all {
		known := one.Until(h.split)
		if len(known) == 0 {
			continue
		}
		c := known.Customer(float64(h.split), 7, h.minorPerUnit)
		c.Summary = known.SummaryWithGaps(float64(h.split), 7, h.minorPerUnit)
		later := one.Until(h.until)
		h.customers, h.rows = append(h.customers, c), append(h.rows, c.Summary)
		h.known, h.later = append(h.known, known), append(h.later, later)
		h.actual = append(h.actual, float64(len(later)-len(known)))
		h.spent = append(h.spent, float64(later[len(known):].Net())/h.minorPerUnit)
	}
	if len(h.customers) < leastCustomers {
		return nil, fmt.Errorf("%w: %s had bought by %s, at least %d are needed; give a later --split or a longer history",
			ErrTooFew, counted(len(h.customers), "customer"), date(h.split), leastCustomers)
	}
	return h, nil
}

// result returns the part of the result that does not depend on models.
func (h *holdout) result() *Result {
	r := &Result{
		First: date(h.first), Split: date(h.split), Until: date(h.until),
		WeeksBefore: float64(h.split-h.first) / 7, WeeksAfter: float64(h.until-h.split) / 7, Customers: len(h.customers), Notes: []string{},
	}
	for i, c := range h.customers {
		if c.X > 0 {
			r.RepeatBuyers++
		}
		if h.actual[i] > 0 {
			r.HoldoutBuyers++
		}
		r.HoldoutPurchases += int(h.actual[i])
		r.HoldoutSpend += h.spent[i]
	}
	if h.until > h.last {
		r.Notes = append(r.Notes, fmt.Sprintf("The last purchase is on %s; the days from then to %s count as days without purchases.", date(h.last), date(h.until)))
	}
	if r.WeeksAfter > 1.5*r.WeeksBefore {
		r.Notes = append(r.Notes, "The second part is more than 1.5 times as long as the first: predictions so far ahead are less reliable.")
	}
	return r
}

func civilDay(t time.Time) int32 {
	y, m, d := t.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400) //nolint:gosec // good for five million years
}

func date(day int32) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }
