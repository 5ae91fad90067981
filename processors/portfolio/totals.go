// Package portfolio owns the customer base as a whole, kept by difference: each customer counts as he was last said, a
// partition contributes its totals, and partition 0 adds them up and draws the bounds of the value tiers.
//
// It refuses to look at customers: what it costs does not grow with their number. Everything is an integer, so that the
// order in which customers change cannot be seen in a sum.
package portfolio

import (
	"math/bits"
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// Totals are sums over the customers of a partition, each as last last.
type Totals struct {
	Customers    int64    // of whom anything was said
	Active       int64    // with a standing order, and not churned
	Classes      [5]int64 // low, medium, high, none, churned
	Promoters    int64
	Passives     int64
	Detractors   int64
	HistoricCLV  int64
	PredictedCLV int64
	// Histogram counts customers with a standing order by the bucket of their total CLV.
	Histogram []int64
}

// Add counts a customer in as he was last last.
func (t *Totals) Add(last *customer.LastPublished) { t.count(last, 1) }

// Remove counts him out again, before he changes.
func (t *Totals) Remove(last *customer.LastPublished) { t.count(last, -1) }

func (t *Totals) count(last *customer.LastPublished, n int64) {
	if last.CLV || last.Churn != customer.ClassNotPublished || last.Category != customer.CategoryNotPublished {
		t.Customers += n
	}
	if last.Churn != customer.ClassNotPublished {
		t.Classes[last.Churn-1] += n
		if last.Churn <= customer.High {
			t.Active += n
		}
	}
	switch last.Category {
	case customer.Promoter:
		t.Promoters += n
	case customer.Passive:
		t.Passives += n
	case customer.Detractor:
		t.Detractors += n
	case customer.CategoryNotPublished, customer.Unknown:
	}
	if !last.CLV {
		return
	}
	t.HistoricCLV += n * last.Historic
	if last.Orders > 0 {
		t.PredictedCLV += n * last.Predicted
		b := Bucket(last.Historic + last.Predicted)
		if b >= len(t.Histogram) {
			t.Histogram = append(t.Histogram, make([]int64, b+1-len(t.Histogram))...)
		}
		t.Histogram[b] += n
	}
}

// steps are the buckets of each doubling: one is at most 1.6% wide.
const (
	stepBits = 6
	steps    = 1 << stepBits
)

// Bucket is where a total CLV is counted: amounts up to 63 minor units have one each, beyond that each doubling is cut
// into 64. What is negative counts as 0.
func Bucket(minor int64) int {
	if minor < steps {
		return int(max(0, minor))
	}
	v := uint64(minor)
	shift := bits.Len64(v) - stepBits - 1
	return shift<<stepBits + int(v>>shift) //nolint:gosec // below 2 * steps
}

// Floor is the least amount of a bucket.
func Floor(bucket int) int64 {
	if bucket < 2*steps {
		return int64(bucket)
	}
	shift := bucket>>stepBits - 1
	return int64(bucket-shift<<stepBits) << shift
}

// Clone is a copy that shares nothing.
func (t *Totals) Clone() Totals {
	c := *t
	c.Histogram = slices.Clone(t.Histogram)
	return c
}

// Encode is the form in which a partition keeps them. Trailing empty buckets are left out.
func (t *Totals) Encode() *state.Totals {
	return &state.Totals{
		Customers: t.Customers, Active: t.Active, ChurnClasses: t.Classes[:], Promoters: t.Promoters, Passives: t.Passives,
		Detractors: t.Detractors, HistoricClv: t.HistoricCLV, PredictedClv: t.PredictedCLV, Histogram: t.trimmed(),
	}
}

func (t *Totals) trimmed() []int64 {
	n := len(t.Histogram)
	for n > 0 && t.Histogram[n-1] == 0 {
		n--
	}
	return t.Histogram[:n]
}

// Decode takes over what Encode gave.
func (t *Totals) Decode(w *state.Totals) {
	*t = Totals{
		Customers: w.GetCustomers(), Active: w.GetActive(), Promoters: w.GetPromoters(), Passives: w.GetPassives(),
		Detractors: w.GetDetractors(), HistoricCLV: w.GetHistoricClv(), PredictedCLV: w.GetPredictedClv(), Histogram: w.GetHistogram(),
	}
	copy(t.Classes[:], w.GetChurnClasses())
}

// Contribution is what a partition tells of itself: absolute, in place of what it told before.
func (t *Totals) Contribution(partition int32, offset int64) *ledger.Contribution {
	return &ledger.Contribution{
		Partition: partition, Offset: offset, Customers: t.Customers, Active: t.Active, ChurnClasses: t.Classes[:],
		Promoters: t.Promoters, Passives: t.Passives, Detractors: t.Detractors,
		HistoricClv: t.HistoricCLV, PredictedClv: t.PredictedCLV, Histogram: t.trimmed(),
	}
}
