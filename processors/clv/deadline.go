package clv

import (
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
)

// latest is the latest time that is returned: the end of the year 9999.
const latest = 253_402_300_799_999

// overshoot is the part of a material fall by which the predicted CLV may have fallen further at its deadline. Being more exact costs
// another evaluation of the model.
const overshoot = 1.0 / 64

// Deadline returns the time (ms) after now at which silence makes the value material: the total CLV has fallen by clv.material since it
// was last published, or below its tier. It returns 0 if that never happens, or not before until, when the customer is scored in
// any case; an until of 0 is no bound. The value is the one scored at m.
//
// The time is a root that is bracketed, the same on every machine, and the value is material then, whatever rounding gives: the search
// aims a little below the predicted CLV that is material.
func Deadline(t *customer.Terms, m customer.Moment, a *Value, s *customer.State, last *customer.LastPublished, until int64) int64 {
	if !last.CLV || !a.PredictedKnown || a.Gone {
		return 0
	}
	enough := fallen(t, a, last) - a.Historic // a predicted CLV that is material
	switch {
	case enough < 0:
		return 0 // even without any predicted CLV
	case a.Predicted <= enough:
		return m.Now + 1
	}
	input, _ := s.Customer(t, m)
	before := math.Inf(1)
	if until != 0 {
		then, _ := s.Summary(t, t.At(until, m.Base, m.Based))
		before = then.T
	}
	f := fall{t: t, input: input, days: s.Days(), horizon: horizon(t, m), discount: discount(t, m), now: a.orders, exact: a.exact, before: before}
	step := t.Unit.Step()
	f.most = float64(enough-enough%step) + float64(0.499*float64(step)) // is rounded to enough or less
	f.least = f.most - float64(overshoot*(a.exact-f.most))
	local, ok := f.to(1)
	//mutant:season-moves-untold if false && $
	if t.Season != nil {
		local, ok = f.inSeason(m, local, ok, until, risen(t, a, last)-a.Historic)
	}
	if !ok || !(local < latest) {
		return 0
	}
	return max(t.Until(int64(local)), m.Now+1)
}

// fall is the search for the time at which silence has lowered a predicted CLV to between least and most.
type fall struct {
	t                 *customer.Terms
	input             lifetimes.Customer
	days              lifetimes.History
	horizon, discount float64
	now, exact        float64 // the count of orders now, and the predicted CLV
	least, most       float64
	before            float64 // the age at which the search ends
}

// to returns the time (ms) on the clock of the ledger's time zone at which the predicted CLV, over a horizon that keeps its length, has fallen
// to scale times the limits.
func (f *fall) to(scale float64) (float64, bool) {
	least, most := f.now*(f.least*scale/f.exact), f.now*(f.most*scale/f.exact)
	weeks, ok := f.t.Purchases.FallsTo(f.input, f.horizon, f.discount, f.now, least, most, f.before)
	if !ok {
		return 0, false
	}
	first, _ := f.days.First()
	//mutant:value-deadline-late insert weeks *= 1.1
	return f.t.LocalAt(first, weeks), true
}

// mostAhead bounds (days) how far ahead the season of a horizon is looked at.
const mostAhead = 400

// inSeason corrects the time of a fall for a horizon whose length in the models' time changes as it moves through the season. The count
// changes at most in proportion to that length. So the fall cannot come before that of a horizon that has its least length at once; the
// customer is scored then, or a day from now if that is later, and if the value is not material yet, another deadline is set. raised is a
// predicted CLV to which the season alone may raise it, so that it is material again: the customer is scored before that too.
func (f *fall) inSeason(m customer.Moment, local float64, ok bool, until, raised int64) (float64, bool) {
	from, days := float64(m.Local)/customer.DayMS, float64(f.t.Settings.GetPredictionHorizonDays())
	within := float64(mostAhead)
	if until != 0 {
		within = min(within, float64(until-m.Now)/customer.DayMS)
	}
	next, found := math.Inf(1), false
	if ok {
		next, found = local, true
	} else if within == mostAhead {
		next, found = float64(m.Local)+mostAhead*customer.DayMS, true
	}
	within = min(within, max(1, (next-float64(m.Local))/customer.DayMS))
	least, most := f.t.Season.Spans(from, within, days)
	tomorrow := float64(m.Local + customer.DayMS)
	if share := least / (f.horizon * customer.DaysPerWeek); share < 1-1e-9 {
		early, ok := f.to(1 / share)
		if f.most/share >= f.exact {
			early, ok = tomorrow, true
		}
		if ok {
			next, found = min(next, max(early, tomorrow)), true
		}
	}
	if length := f.horizon * customer.DaysPerWeek * (float64(raised) / f.exact); raised > 0 && most >= length {
		if at, rises := f.t.Season.SpanReaches(from, within, days, length); rises {
			next, found = min(next, math.Ceil(float64(at*customer.DayMS))), true
		}
	}
	return next, found
}

// fallen returns the greatest total CLV that is material when silence has lowered the total to it.
func fallen(t *customer.Terms, a *Value, last *customer.LastPublished) int64 {
	before := last.Historic + last.Predicted
	total := before - max(1, int64(math.Ceil(float64(t.Settings.GetClvMaterial()*math.Abs(float64(before))))))
	switch a.Tier {
	case customer.Top10:
		total = max(total, keepBound(t.Thresholds.GetTop_10())-1)
	case customer.Top20:
		total = max(total, keepBound(t.Thresholds.GetTop_20())-1)
	case customer.Rest, customer.NoTier:
	}
	return total
}

// risen returns the least total CLV that is material when the season has raised the total to it.
func risen(t *customer.Terms, a *Value, last *customer.LastPublished) int64 {
	before := last.Historic + last.Predicted
	total := before + max(1, int64(math.Ceil(float64(t.Settings.GetClvMaterial()*math.Abs(float64(before))))))
	switch a.Tier {
	case customer.Rest:
		total = min(total, t.Thresholds.GetTop_20())
	case customer.Top20:
		total = min(total, t.Thresholds.GetTop_10())
	case customer.Top10, customer.NoTier:
	}
	return total
}
