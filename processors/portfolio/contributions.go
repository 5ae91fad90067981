package portfolio

import (
	"cmp"
	"math"
	"slices"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// Contributions are the contributions of all partitions, which partition 0 holds.
type Contributions struct {
	latest    []*ledger.Contribution // of each partition, by partition
	published *ledger.Contribution   // the sums last published; nil: none

	finals         []*ledger.Contribution // of closes to which not all partitions have contributed, by close, partition and offset
	publishedFinal *ledger.Contribution   // the sums of the last close to which all have contributed; nil: none
}

// mostOpenCloses is how many closes wait for the contributions of all partitions. Partitions may be days apart while history is folded;
// what waits is about a byte for each customer and close.
const mostOpenCloses = 8

// Replace replaces the contribution of c's partition. It returns false, and changes nothing, if c is not newer.
func (b *Contributions) Replace(c *ledger.Contribution) bool {
	if c.GetClose() != 0 {
		return b.addFinal(c)
	}
	i, found := slices.BinarySearchFunc(b.latest, c.GetPartition(), func(k *ledger.Contribution, p int32) int {
		return cmp.Compare(k.GetPartition(), p)
	})
	switch {
	case !found:
		b.latest = slices.Insert(b.latest, i, c)
	case b.latest[i].GetOffset() >= c.GetOffset():
		return false
	default:
		b.latest[i] = c
	}
	return true
}

// Encode writes the contributions into the state of their partition.
func (b *Contributions) Encode(w *state.Partition) {
	w.Contributions, w.PublishedSums, w.Finals, w.PublishedFinal = b.latest, b.published, b.finals, b.publishedFinal
}

// Decode reads what Encode wrote.
func (b *Contributions) Decode(w *state.Partition) {
	b.latest, b.published, b.finals, b.publishedFinal = w.Contributions, w.PublishedSums, w.Finals, w.PublishedFinal
}

// addFinal adds a partition's contribution to a close. It returns false, and changes nothing, if the close is not after the one
// published last, or has the contribution.
func (b *Contributions) addFinal(c *ledger.Contribution) bool {
	i, found := slices.BinarySearchFunc(b.finals, c, func(a, c *ledger.Contribution) int {
		return cmp.Or(cmp.Compare(a.GetClose(), c.GetClose()), cmp.Compare(a.GetPartition(), c.GetPartition()), cmp.Compare(a.GetOffset(), c.GetOffset()))
	})
	if found || c.GetClose() <= b.publishedFinal.GetClose() {
		return false
	}
	b.finals = slices.Insert(b.finals, i, c)
	closes, before := 0, int64(0)
	for k, other := range slices.Backward(b.finals) {
		if other.GetClose() == before {
			continue
		}
		if closes, before = closes+1, other.GetClose(); closes > mostOpenCloses {
			b.finals = slices.Delete(b.finals, 0, k+1)
			break
		}
	}
	return true
}

// RemoveFinal removes and adds up the contributions to the first close to which all partitions have contributed; nil if there is none.
// Earlier closes are given up: a partition that contributes to a later one will not contribute to them.
func (b *Contributions) RemoveFinal(partitions int32) *ledger.Contribution {
	for from := 0; from < len(b.finals); {
		end, complete := from, int32(0)
		for ; end < len(b.finals) && b.finals[end].GetClose() == b.finals[from].GetClose(); end++ {
			if !b.finals[end].GetMore() {
				complete++
			}
		}
		//mutant:final-of-some if complete > 0
		if complete == partitions {
			all := b.finals[from:end]
			sum := sum(all)
			sum.Close = b.finals[from].GetClose()
			sum.EquityChange, sum.Cohort, sum.EquityScores = sumChanges(all, b.publishedFinal), sumCohorts(all), sumScores(all)
			var segments segment.Set
			for _, c := range all {
				segments.Plus(c.Segments)
			}
			sum.Segments = segments.Encode()
			b.finals = slices.Delete(b.finals, 0, end)
			return sum
		}
		from = end
	}
	return nil
}

// SetPublishedFinal records the sums of a close as published and returns those of the close before, nil if there was none.
func (b *Contributions) SetPublishedFinal(sum *ledger.Contribution) (previous *ledger.Contribution) {
	previous, b.publishedFinal = b.publishedFinal, sum
	return previous
}

// PublishedFinal returns the sums of the close published last, nil if there was none.
func (b *Contributions) PublishedFinal() *ledger.Contribution { return b.publishedFinal }

// Sum adds up the contributions of all partitions; nil if one of them has not contributed. Its time is that up to which all
// contributions reach.
func (b *Contributions) Sum(partitions int32) *ledger.Contribution {
	//mutant:sum-of-some if false && $
	if len(b.latest) < int(partitions) {
		return nil
	}
	if slices.ContainsFunc(b.latest, func(c *ledger.Contribution) bool { return c.GetTime() == 0 }) {
		return nil // of another meaning
	}
	return sum(b.latest)
}

func sum(all []*ledger.Contribution) *ledger.Contribution {
	sum := &ledger.Contribution{ChurnClasses: make([]int64, 5)}
	var values []int64
	var squares Squares
	var cancellations customer.CancellationCounts
	for i, c := range all {
		if i == 0 || c.GetTime() < sum.GetTime() {
			sum.Time = c.GetTime()
		}
		value := int64(0)
		for _, difference := range c.Values {
			value += difference
			values = append(values, value)
		}
		sum.Customers += c.GetCustomers()
		sum.Prospects += c.GetProspects()
		sum.CustomerEquity += c.GetCustomerEquity()
		sum.Active += c.GetActive()
		for i, n := range c.GetChurnClasses() {
			if i < len(sum.ChurnClasses) {
				sum.ChurnClasses[i] += n
			}
		}
		sum.Promoters += c.GetPromoters()
		sum.Passives += c.GetPassives()
		sum.Detractors += c.GetDetractors()
		for _, n := range customer.DecodeCancellations(c.Cancellations) {
			cancellations.AddAtMost(MostReasons, n)
		}
		sum.HistoricClv += c.GetHistoricClv()
		sum.PredictedClv += c.GetPredictedClv()
		sum.ExpectedOrders += c.GetExpectedOrders()
		sum.OrdersVariance += c.GetOrdersVariance()
		sum.OrdersError, sum.SpendError = max(sum.GetOrdersError(), c.GetOrdersError()), max(sum.GetSpendError(), c.GetSpendError())
		squares.plus(Squares{c.GetClvVarianceHigh(), c.GetClvVarianceLow()})
		if more := len(c.Histogram) - len(sum.Histogram); more > 0 {
			sum.Histogram = append(sum.Histogram, make([]int64, more)...)
		}
		for i, n := range c.Histogram {
			sum.Histogram[i] += n
		}
	}
	sum.ClvVarianceHigh, sum.ClvVarianceLow = squares.High, squares.Low
	sum.Cancellations = cancellations.Encode()
	if int64(len(values)) == counted(sum) {
		slices.Sort(values)
		sum.Values = differences(values)
	}
	return sum
}

// SetPublished records the sums as published and returns those published before, nil if none were.
func (b *Contributions) SetPublished(sum *ledger.Contribution) (previous *ledger.Contribution) {
	previous, b.published = b.published, sum
	return previous
}

// Published returns the sums last published, nil if none were.
func (b *Contributions) Published() *ledger.Contribution { return b.published }

// deviations is the normal bound of an interval of clv.Level.
const deviations = 1.2815515655446004

// orders returns the expected number of orders of all customers within the prediction horizon, and its interval.
func orders(sum *ledger.Contribution) (output.Opt[float64], output.Interval[int64]) {
	expected := float64(sum.GetExpectedOrders()) / 1000
	low, high := lifetimes.SumInterval(expected, float64(sum.GetOrdersVariance())/1000, sum.GetOrdersError(), deviations)
	return output.Some(expected), interval(math.Floor(low), math.Ceil(high))
}

// value returns the interval of the future value. The errors of orders and of spend are taken to be independent.
func value(sum *ledger.Contribution, unit money.Unit) output.Interval[int64] {
	a, b := sum.GetOrdersError(), sum.GetSpendError()
	common := math.Sqrt(float64(a*a) + float64(b*b))
	variance := Squares{sum.GetClvVarianceHigh(), sum.GetClvVarianceLow()}.float()
	low, high := lifetimes.SumInterval(float64(sum.GetPredictedClv()), variance, common, deviations)
	v := interval(math.RoundToEven(low), math.RoundToEven(high))
	v.Low.Value, v.High.Value = unit.Round(v.Low.Value), unit.Round(v.High.Value)
	return v
}

// interval of whole numbers; what does not fit into one is cut.
func interval(low, high float64) output.Interval[int64] {
	const most = 1 << 62
	return output.Interval[int64]{Low: output.Some(int64(math.Min(low, most))), High: output.Some(int64(math.Min(high, most)))}
}

// Describe sets all fields of the portfolio output except About and State.
func Describe(sum, previous *ledger.Contribution, t *ledger.Thresholds, least int64, e *output.PortfolioUpdated) {
	*e = output.PortfolioUpdated{
		About: e.About, State: e.State, Customers: sum.GetCustomers(), Prospects: sum.GetProspects(), Active: sum.GetActive(),
		Low: sum.ChurnClasses[0], Medium: sum.ChurnClasses[1], High: sum.ChurnClasses[2], None: sum.ChurnClasses[3], Churned: sum.ChurnClasses[4],
		Promoters: sum.GetPromoters(), Passives: sum.GetPassives(), Detractors: sum.GetDetractors(), NPS: nps(sum),
		HistoricRevenue: sum.GetHistoricClv(), FutureValue: sum.GetPredictedClv(), CustomerEquity: sum.GetCustomerEquity(),
		CancelReasons: CancelReasons(customer.DecodeCancellations(sum.Cancellations)),
	}
	e.PredictedOrders, e.PredictedOrdersInterval = orders(sum)
	e.FutureInterval = value(sum, e.Currency)
	if n := sum.GetCustomers(); n > 0 {
		e.AverageCLV = output.Some(e.Currency.Round(roundedRatio(e.CustomerEquity, n)))
	}
	if t.GetCustomers() >= least {
		e.Top10, e.Top20 = output.Some(e.Currency.Round(t.GetTop_10())), output.Some(e.Currency.Round(t.GetTop_20()))
	}
	if previous != nil {
		e.Previous = output.Some(output.PreviousPortfolio{
			Customers: previous.GetCustomers(), Prospects: previous.GetProspects(), Active: previous.GetActive(), NPS: nps(previous),
			HistoricRevenue: previous.GetHistoricClv(), FutureValue: previous.GetPredictedClv(), CustomerEquity: previous.GetCustomerEquity(),
		})
	}
}

// CancelReasons returns counts of cancellations as outputs state them: the most frequent reason first.
func CancelReasons(all customer.CancellationCounts) []output.CancelReason {
	slices.SortStableFunc(all, func(a, b customer.CancellationCount) int { return cmp.Compare(b.Total(), a.Total()) })
	var reasons []output.CancelReason
	for _, n := range all {
		reasons = append(reasons, output.CancelReason{Reason: output.Text(n.Reason), Orders: n.Orders, Refunds: n.Refunds, Subscriptions: n.Subscriptions, Accounts: n.Accounts})
	}
	return reasons
}

// nps returns the net promoter score: 100 (promoters - detractors) / customers in a category.
func nps(c *ledger.Contribution) output.Opt[float64] {
	n := c.GetPromoters() + c.GetPassives() + c.GetDetractors()
	if n == 0 {
		return output.Opt[float64]{}
	}
	return output.Some(100 * float64(c.GetPromoters()-c.GetDetractors()) / float64(n))
}

// roundedRatio returns v/n, halves rounded away from zero.
func roundedRatio(v, n int64) int64 {
	if v < 0 {
		return -roundedRatio(-v, n)
	}
	return v/n + (v%n*2)/n
}
