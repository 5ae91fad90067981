package clv

import (
	"math"

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
	step := t.Unit.Step()
	most := float64(enough-enough%step) + float64(0.499*float64(step)) // is rounded to enough or less
	least := most - float64(overshoot*(a.exact-most))
	weeks, ok := t.Purchases.FallsTo(input, horizon(t), discount(t), a.orders, a.orders*(least/a.exact), a.orders*(most/a.exact), before)
	if !ok {
		return 0
	}
	first, _ := s.Days().First()
	//mutant:value-deadline-late insert weeks *= 1.1
	local := math.Ceil(float64((float64(first) + float64(weeks*customer.DaysPerWeek)) * customer.DayMS))
	if !(local < latest) {
		return 0
	}
	return max(t.Until(int64(local)), m.Now+1)
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
