package alert

import (
	"cmp"
	"slices"

	"github.com/mainstay/mainstay/schemas/state"
)

// Fuses suppress floods of alerts, which no support team could answer: those of a rule above the limit in an hour of the ledger.
// The episode of a suppressed alert is recorded as suppressed, and its end is not published either.
type Fuses struct{ all []Fuse }

// Fuse counts the alerts of a rule in the latest hour in which it had any.
type Fuse struct {
	Rule       uint32 // hash of the rule's name
	Hour       int64  // since 1970-01-01
	Raised     int64  // alerts published in this hour
	Suppressed int64  // alerts suppressed in this hour
}

// limit returns how many alerts of a rule may be published in an hour.
func (r *Rules) limit(customers int64) int64 {
	return max(r.FuseRaises, int64(r.FuseShare*float64(customers)))
}

// allow counts an alert and reports whether it may be published. A fuse's hour never falls: a late alert counts to the latest hour.
func (f *Fuses) allow(rule uint32, hour, limit int64) bool {
	i, found := slices.BinarySearchFunc(f.all, rule, func(x Fuse, rule uint32) int { return cmp.Compare(x.Rule, rule) })
	if !found {
		f.all = slices.Insert(f.all, i, Fuse{Rule: rule, Hour: hour})
	}
	x := &f.all[i]
	//mutant:fuse-never-resets if false && $
	if hour > x.Hour {
		*x = Fuse{Rule: rule, Hour: hour}
	}
	//mutant:fuse-never-trips if false && $
	if x.Raised >= limit {
		x.Suppressed++
		return false
	}
	x.Raised++
	return true
}

// Tripped calls each for every rule whose alerts are suppressed in the hour of a time, ms.
func (f *Fuses) Tripped(at int64, each func(rule uint32)) {
	for _, x := range f.all {
		if x.Suppressed > 0 && x.Hour >= at/3_600_000 {
			each(x.Rule)
		}
	}
}

// Encode returns the fuses as the state of a partition holds them.
func (f *Fuses) Encode() []*state.Fuse {
	var all []*state.Fuse
	for _, x := range f.all {
		all = append(all, &state.Fuse{Rule: x.Rule, Hour: x.Hour, Raised: x.Raised, Suppressed: x.Suppressed})
	}
	return all
}

// Decode replaces the fuses by those that Encode returned.
func (f *Fuses) Decode(all []*state.Fuse) {
	f.all = nil
	for _, w := range all {
		f.all = append(f.all, Fuse{Rule: w.GetRule(), Hour: w.GetHour(), Raised: w.GetRaised(), Suppressed: w.GetSuppressed()})
	}
}

// Keep drops the fuses of all other rules.
func (f *Fuses) Keep(rules *Rules) {
	f.all = slices.DeleteFunc(f.all, func(x Fuse) bool { return rules.find(x.Rule) == nil })
}
