package portfolio

import (
	"cmp"
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// Contributions are the contributions of all partitions, which partition 0 holds.
type Contributions struct {
	latest    []*ledger.Contribution // of each partition, by partition
	published *ledger.Contribution   // the sums last published; nil: none

	finals         []*ledger.Contribution // of closes to which not all partitions have contributed, by close and partition
	publishedFinal *ledger.Contribution   // the sums of the last close to which all have contributed; nil: none
}

// mostOpenCloses is how many closes wait for the contributions of all partitions. Partitions may be days apart while history is folded;
// what waits is a few kilobytes for each.
const mostOpenCloses = 32

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
		return cmp.Or(cmp.Compare(a.GetClose(), c.GetClose()), cmp.Compare(a.GetPartition(), c.GetPartition()))
	})
	if found || c.GetClose() <= b.publishedFinal.GetClose() {
		return false
	}
	b.finals = slices.Insert(b.finals, i, c)
	closes, before := 0, int64(0)
	for k := len(b.finals) - 1; k >= 0; k-- {
		if b.finals[k].GetClose() == before {
			continue
		}
		if closes, before = closes+1, b.finals[k].GetClose(); closes > mostOpenCloses {
			b.finals = slices.Delete(b.finals, 0, k+1)
			break
		}
	}
	return true
}

// TakeFinal removes and adds up the contributions to the first close to which all partitions have contributed; nil if there is none.
// Earlier closes are given up: a partition that contributes to a later one will not contribute to them.
func (b *Contributions) TakeFinal(partitions int32) *ledger.Contribution {
	for from, i := 0, 0; i < len(b.finals); i++ {
		if b.finals[i].GetClose() != b.finals[from].GetClose() {
			from = i
		}
		//mutant:final-of-some if true || $
		if i-from+1 == int(partitions) {
			sum := sum(b.finals[from : i+1])
			sum.Close = b.finals[from].GetClose()
			b.finals = slices.Delete(b.finals, 0, i+1)
			return sum
		}
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
	for i, c := range all {
		if i == 0 || c.GetTime() < sum.GetTime() {
			sum.Time = c.GetTime()
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
		sum.HistoricClv += c.GetHistoricClv()
		sum.PredictedClv += c.GetPredictedClv()
		if more := len(c.Histogram) - len(sum.Histogram); more > 0 {
			sum.Histogram = append(sum.Histogram, make([]int64, more)...)
		}
		for i, n := range c.Histogram {
			sum.Histogram[i] += n
		}
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

// DrawThresholds computes the thresholds: the total CLV from which the uppermost 10% and 20% of the customers begin, and the
// quantiles at equal fractions. It takes the customers of a bucket to be spread evenly over it.
func DrawThresholds(sum *ledger.Contribution) *ledger.Thresholds {
	t := new(ledger.Thresholds)
	for _, n := range sum.GetHistogram() {
		t.Customers += n
	}
	if t.Customers <= 0 {
		t.Customers = 0
		return t
	}
	q := quantiles{histogram: sum.GetHistogram(), customers: t.GetCustomers()}
	t.Percentiles = make([]int64, fractions+1)
	for i := range t.Percentiles {
		t.Percentiles[i] = q.valueAt(int64(i))
	}
	t.Top_20, t.Top_10 = t.Percentiles[fractions/10*8], t.Percentiles[fractions/10*9]
	return t
}

// fractions is the number of equal parts into which quantiles divide the customers, each a fifth of a percentile point. Between two
// quantiles customers are taken to be spread evenly. Those of the uppermost percentile point are not, so 100 parts would be too few.
const fractions = 500

// perPoint divides a percentile point into the drift that is accepted: new thresholds are computed when one of the quantiles has
// drifted by a tenth of a point. Percentiles are then well within half a point, and customers who hardly change are not rescored
// again and again.
const perPoint = 10

// Stale reports whether thresholds no longer describe the customers: the number of customers has crossed least, below which there
// are no tiers, or a quantile has drifted.
func Stale(t *ledger.Thresholds, sum *ledger.Contribution, least int64) bool {
	n := int64(0)
	for _, count := range sum.GetHistogram() {
		n += count
	}
	if before := t.GetCustomers() >= least; before != (n >= least) || !before {
		return before != (n >= least)
	}
	at, below, parts := 0, int64(0), float64(len(t.GetPercentiles())-1)
	for part, v := range t.GetPercentiles() {
		b := Bucket(v)
		for ; at < b && at < len(sum.GetHistogram()); at++ {
			below += sum.Histogram[at]
		}
		// A bucket's customers are taken to be spread evenly over its values. Those with the value v have the ranks from to to.
		from, to := float64(below), float64(below)
		if at == b && at < len(sum.GetHistogram()) {
			share := float64(sum.Histogram[at]) / float64(Floor(b+1)-Floor(b))
			from += float64(share * float64(v-Floor(b)))
			to = from + share
		}
		place, slack := float64(part)*float64(n)/parts, float64(n)/(100*perPoint)
		if place < from-slack || place > to+slack {
			return true
		}
	}
	return false
}

// quantiles walks a histogram upwards.
type quantiles struct {
	histogram []int64
	customers int64
	bucket    int
	below     int64 // customers in lower buckets
}

// valueAt returns the value below which so many fractions of the customers are; parts must rise from call to call.
func (q *quantiles) valueAt(parts int64) int64 {
	// rank = parts/fractions x customers, kept as a multiple of 1/fractions
	rank := parts * q.customers
	for q.bucket < len(q.histogram)-1 && (q.below+q.histogram[q.bucket])*fractions <= rank {
		q.below += q.histogram[q.bucket]
		q.bucket++
	}
	floor, width := Floor(q.bucket), Floor(q.bucket+1)-Floor(q.bucket)
	n := q.histogram[q.bucket]
	if n <= 0 || width == 1 {
		return floor
	}
	within := min(max(0, rank-q.below*fractions), n*fractions)
	// floor + width x within/(n x fractions), without leaving int64
	return floor + int64(float64(width)*(float64(within)/float64(n*fractions)))
}

// Describe sets all fields of the portfolio output except About and State.
func Describe(sum, previous *ledger.Contribution, t *ledger.Thresholds, least int64, e *output.PortfolioUpdated) {
	*e = output.PortfolioUpdated{
		About: e.About, State: e.State, Customers: sum.GetCustomers(), Prospects: sum.GetProspects(), Active: sum.GetActive(),
		Low: sum.ChurnClasses[0], Medium: sum.ChurnClasses[1], High: sum.ChurnClasses[2], None: sum.ChurnClasses[3], Churned: sum.ChurnClasses[4],
		Promoters: sum.GetPromoters(), Passives: sum.GetPassives(), Detractors: sum.GetDetractors(), NPS: nps(sum),
		HistoricRevenue: sum.GetHistoricClv(), FutureValue: sum.GetPredictedClv(), CustomerEquity: sum.GetCustomerEquity(),
	}
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
