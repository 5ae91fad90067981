package alert

import (
	"cmp"
	"slices"

	"github.com/mainstay/mainstay/schemas/state"
)

// Fuses hold back what no support team could answer: of each rule, more alerts in an hour of the ledger than the limit. What
// is held back stays so: its episode is recorded as suppressed and ends silently.
type Fuses struct{ all []Fuse }

// Fuse is a rule's, in the hour in which it was last used.
type Fuse struct {
	Rule       uint32 // hash of its name
	Hour       int64  // since 1970
	Raised     int64
	Suppressed int64 // alerts that were not let through
}

// limit is how many alerts of a rule are let through in an hour.
func (r *Rules) limit(customers int64) int64 {
	return max(r.FuseRaises, int64(r.FuseShare*float64(customers)))
}

// allow counts an alert, and says whether it is let through. Hours only rise: one that comes late counts to the present.
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

// Encode is the form in which a partition keeps them.
func (f *Fuses) Encode() []*state.Fuse {
	var all []*state.Fuse
	for _, x := range f.all {
		all = append(all, &state.Fuse{Rule: x.Rule, Hour: x.Hour, Raised: x.Raised, Held: x.Suppressed})
	}
	return all
}

// Decode takes over what Encode gave.
func (f *Fuses) Decode(all []*state.Fuse) {
	f.all = nil
	for _, w := range all {
		f.all = append(f.all, Fuse{Rule: w.GetRule(), Hour: w.GetHour(), Raised: w.GetRaised(), Suppressed: w.GetHeld()})
	}
}

// Keep drops the fuses of rules that are no more.
func (f *Fuses) Keep(rules *Rules) {
	f.all = slices.DeleteFunc(f.all, func(x Fuse) bool { return rules.find(x.Rule) == nil })
}
