// Package portfolio owns the figures of all customers together. Each partition updates its totals by difference, with each customer
// counted as last published, and contributes them to partition 0, which adds them up and computes the thresholds of the value tiers.
//
// A customer has a standing order; whoever is known without one is a prospect: a referrer, somebody who answered a survey or visited the
// shop, or whose orders were all cancelled. Prospects enter no average.
//
// It refuses to iterate over customers, so its cost does not grow with their number. All sums are integers, so they do not depend
// on the order in which customers change.
package portfolio

import (
	"math/bits"
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// Totals are sums over the customers of a partition, each as last published. Amounts are minor units.
type Totals struct {
	Known        int64    // customers and prospects
	Customers    int64    // with a standing order
	Active       int64    // of these, those who are not churned
	Classes      [5]int64 // customers and prospects by churn class: low, medium, high, none (0: it is the rest of Known), churned
	Promoters    int64    // customers and prospects in this category
	Passives     int64    // likewise
	Detractors   int64    // likewise
	HistoricCLV  int64    // sum over customers and prospects
	ErasedCLV    int64    // sum of the historic CLV of those who were erased, each as last published
	PredictedCLV int64    // sum over customers
	Equity       int64    // customer equity: sum of the total CLV of customers
	// ExpectedOrders is the sum of the customers' expected orders within the prediction horizon, OrdersVariance that of their variances,
	// thousandths, and CLVVariance that of the variances of their predicted CLV, square minor units.
	ExpectedOrders, OrdersVariance int64
	CLVVariance                    Squares
	// Cancellations counts those of customers and prospects by reason, at most MostReasons besides none and other. Unlike the other
	// sums it counts those that are known, whether or not an output has followed.
	Cancellations customer.CancellationCounts
	// Histogram counts customers with a standing order who are not churned by the bucket of their total CLV.
	Histogram []int64

	counted int64   // by Histogram
	values  []int64 // their total CLV, rising, as long as they were never more than ExactCustomers; otherwise empty
}

// ExactCustomers is the number of customers of the whole base up to which thresholds between closes are exact as well.
const ExactCustomers = 500

// Add adds a customer as last published.
func (t *Totals) Add(last *customer.LastPublished) { t.count(last, 1) }

// Remove removes a customer as last published, before the customer changes.
func (t *Totals) Remove(last *customer.LastPublished) { t.count(last, -1) }

// Erase removes a customer who is erased. What was sold to them remains; no score does, since nothing would ever change it again, and no
// cancellation, since its reason is a text of theirs.
func (t *Totals) Erase(last *customer.LastPublished, all customer.CancellationCounts) {
	t.Leave(last, all)
	if last.CLV {
		//mutant:erased-revenue-lost delete
		t.ErasedCLV += last.Historic
	}
}

// Leave removes a customer who is merged into another: what was sold to them is counted there.
func (t *Totals) Leave(last *customer.LastPublished, all customer.CancellationCounts) {
	t.Known--
	t.Remove(last)
	t.RemoveCancellations(all)
}

func (t *Totals) count(last *customer.LastPublished, n int64) {
	switch last.Churn {
	case customer.Low, customer.Medium, customer.High:
		t.Active += n
		t.Classes[last.Churn-1] += n
	case customer.Churned:
		t.Classes[last.Churn-1] += n
	case customer.ClassNotPublished, customer.None:
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
	//mutant:prospects-are-customers if true || $
	if last.Orders > 0 {
		t.Customers += n
		t.PredictedCLV += n * last.Predicted
		t.ExpectedOrders += n * last.ExpectedOrders
		t.OrdersVariance += n * last.OrdersVariance
		t.CLVVariance.add(last.PredictedDeviation, n)
		t.Equity += n * (last.Historic + last.Predicted)
	}
	if Ranked(last) {
		t.keepValue(last.Historic+last.Predicted, n)
		b := Bucket(last.Historic + last.Predicted)
		if b >= len(t.Histogram) {
			t.Histogram = append(t.Histogram, make([]int64, b+1-len(t.Histogram))...)
		}
		t.Histogram[b] += n
	}
}

// MostReasons is the number of reasons of cancellations that are told apart, besides none and other.
const MostReasons = 32

// AddCancellations adds a customer's cancellations.
func (t *Totals) AddCancellations(all customer.CancellationCounts) {
	for _, n := range all {
		t.Cancellations.AddAtMost(MostReasons, n)
	}
}

// RemoveCancellations removes a customer's cancellations, before the customer changes.
func (t *Totals) RemoveCancellations(all customer.CancellationCounts) {
	//mutant:cancellations-twice delete
	for _, n := range all {
		t.Cancellations.Subtract(n)
	}
}

// Ranked reports whether a customer has a percentile and a tier: one with a standing order who is not churned.
func Ranked(last *customer.LastPublished) bool {
	return last.Orders > 0 && last.Churn != customer.Churned
}

// keepValue adds (1) or removes (-1) a value, while the values are few and complete.
func (t *Totals) keepValue(v, n int64) {
	complete := int64(len(t.values)) == t.counted
	t.counted += n
	i, found := slices.BinarySearch(t.values, v)
	switch {
	case !complete || t.counted > ExactCustomers:
		t.values = nil
	case n > 0:
		t.values = slices.Insert(t.values, i, v)
	case found:
		t.values = slices.Delete(t.values, i, i+1)
	}
}

// steps is the number of buckets per doubling of the amount: the width of a bucket is at most 1.6% of its amounts.
const (
	stepBits = 6
	steps    = 1 << stepBits
)

// Bucket returns the bucket of a total CLV: amounts up to 63 minor units have a bucket each, and each doubling above that has 64. A
// negative amount is counted as 0.
func Bucket(minor int64) int {
	if minor < steps {
		return int(max(0, minor))
	}
	v := uint64(minor)
	shift := bits.Len64(v) - stepBits - 1
	return shift<<stepBits + int(v>>shift) //nolint:gosec // below 2 * steps
}

// Floor returns the least amount of a bucket.
func Floor(bucket int) int64 {
	if bucket < 2*steps {
		return int64(bucket)
	}
	shift := bucket>>stepBits - 1
	return int64(bucket-shift<<stepBits) << shift
}

// Clone returns a deep copy.
func (t *Totals) Clone() Totals {
	c := *t
	c.Histogram, c.values, c.Cancellations = slices.Clone(t.Histogram), slices.Clone(t.values), slices.Clone(t.Cancellations)
	return c
}

// Encode returns the totals as the state of a partition holds them, without empty buckets at the end of the histogram.
func (t *Totals) Encode() *state.Totals {
	return &state.Totals{
		Known: t.Known, Customers: t.Customers, Active: t.Active, ChurnClasses: t.Classes[:], Promoters: t.Promoters, Passives: t.Passives,
		Detractors: t.Detractors, HistoricClv: t.HistoricCLV, PredictedClv: t.PredictedCLV, CustomerEquity: t.Equity, Histogram: t.trimmed(), Values: t.values,
		Cancellations: t.Cancellations.Encode(), ErasedClv: t.ErasedCLV,
		ExpectedOrders: t.ExpectedOrders, OrdersVariance: t.OrdersVariance, ClvVarianceHigh: t.CLVVariance.High, ClvVarianceLow: t.CLVVariance.Low,
	}
}

func (t *Totals) trimmed() []int64 {
	n := len(t.Histogram)
	for n > 0 && t.Histogram[n-1] == 0 {
		n--
	}
	return t.Histogram[:n]
}

// Decode replaces the totals by those that Encode returned.
func (t *Totals) Decode(w *state.Totals) {
	*t = Totals{
		Known: w.GetKnown(), Customers: w.GetCustomers(), Active: w.GetActive(), Promoters: w.GetPromoters(), Passives: w.GetPassives(),
		Detractors: w.GetDetractors(), HistoricCLV: w.GetHistoricClv(), PredictedCLV: w.GetPredictedClv(), Equity: w.GetCustomerEquity(), Histogram: w.GetHistogram(), values: w.GetValues(),
		Cancellations: customer.DecodeCancellations(w.GetCancellations()), ErasedCLV: w.GetErasedClv(),
		ExpectedOrders: w.GetExpectedOrders(), OrdersVariance: w.GetOrdersVariance(), CLVVariance: Squares{w.GetClvVarianceHigh(), w.GetClvVarianceLow()},
	}
	for _, n := range t.Histogram {
		t.counted += n
	}
	copy(t.Classes[:], w.GetChurnClasses())
}

// Contribution returns the partition's contribution: absolute totals as of a base time (ms), which replace its former contribution.
// terms are those by which the customers were valued.
func (t *Totals) Contribution(partition int32, offset, base int64, terms *customer.Terms) *ledger.Contribution {
	classes := t.Classes
	classes[customer.None-1] = t.Known - t.Active - t.Classes[customer.Churned-1]
	return &ledger.Contribution{
		Partition: partition, Offset: offset, Time: base, Customers: t.Customers, Prospects: t.Known - t.Customers, Active: t.Active,
		ChurnClasses: classes[:], Promoters: t.Promoters, Passives: t.Passives, Detractors: t.Detractors,
		HistoricClv: t.HistoricCLV + t.ErasedCLV, PredictedClv: t.PredictedCLV, CustomerEquity: t.Equity, Histogram: t.trimmed(),
		Values: differences(t.values), Cancellations: t.Cancellations.Encode(),
		ExpectedOrders: t.ExpectedOrders, OrdersVariance: t.OrdersVariance, ClvVarianceHigh: t.CLVVariance.High, ClvVarianceLow: t.CLVVariance.Low,
		OrdersError: terms.OrdersError, SpendError: terms.SpendError,
	}
}

// SortedDifferences sorts values and returns each less the one before.
func SortedDifferences(values []int64) []int64 {
	slices.Sort(values)
	return differences(values)
}

// differences returns rising values, each less the one before.
func differences(values []int64) []int64 {
	var all []int64
	before := int64(0)
	for _, v := range values {
		all = append(all, v-before)
		before = v
	}
	return all
}
