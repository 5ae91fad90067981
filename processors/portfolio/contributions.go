package portfolio

import (
	"cmp"
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// Contributions are what partition 0 knows of all partitions.
type Contributions struct {
	latest    []*ledger.Contribution // of each partition, by partition
	published *ledger.Contribution   // the sums last published; nil: none
}

// Replace replaces the contribution of c's partition. It returns false, and changes nothing, if c is not newer.
func (b *Contributions) Replace(c *ledger.Contribution) bool {
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
	w.Contributions, w.Announced = b.latest, b.published
}

// Decode reads what Encode wrote.
func (b *Contributions) Decode(w *state.Partition) {
	b.latest, b.published = w.Contributions, w.Announced
}

// Sum adds up what all have contributed, in the order of partitions. Nil when nobody has.
func (b *Contributions) Sum() *ledger.Contribution {
	if len(b.latest) == 0 {
		return nil
	}
	sum := &ledger.Contribution{ChurnClasses: make([]int64, 5)}
	for _, c := range b.latest {
		sum.Customers += c.GetCustomers()
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

// Announce notes the sums as published and returns those published before, nil if none were.
func (b *Contributions) SetPublished(sum *ledger.Contribution) (previous *ledger.Contribution) {
	previous, b.published = b.published, sum
	return previous
}

// Announced are the sums last published, nil if none were.
func (b *Contributions) Published() *ledger.Contribution { return b.published }

// Draw sets the bounds of the tiers: the total CLV from which the uppermost 10% and 20% begin, and the values at equal
// fractions of the base. A bucket's customers are taken as spread evenly over it.
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

// fractions is how many equal parts of the base are told apart by a value: a fifth of a percentile point each. Between two of
// them customers are taken as spread evenly, which those of the uppermost point are not.
const fractions = 500

// perPoint is how many times a drift goes into a percentile point: bounds are drawn anew when one of their percentiles has
// come to stand elsewhere by a tenth of a point. Percentiles are then right within half a point with room to spare, and a base
// that hardly changes is not scored anew again and again.
const perPoint = 10

// Stale says that bounds do not describe the base any more: the number of customers has come to the other side of least, below
// which there are no tiers, or a value that stands at a percentile has drifted from it.
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
		// A bucket's customers are taken as spread evenly over its values: those of this one stand from here to there.
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

// at is the value below which so many of all fractions of the customers lie; they must rise from call to call. All in integers.
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

// Describe fills in the output of the base as a whole: everything but what it says of itself.
func Describe(sum, previous *ledger.Contribution, t *ledger.Thresholds, least int64, e *output.PortfolioUpdated) {
	*e = output.PortfolioUpdated{
		About: e.About, Customers: sum.GetCustomers(), Active: sum.GetActive(),
		Low: sum.ChurnClasses[0], Medium: sum.ChurnClasses[1], High: sum.ChurnClasses[2], None: sum.ChurnClasses[3], Churned: sum.ChurnClasses[4],
		Promoters: sum.GetPromoters(), Passives: sum.GetPassives(), Detractors: sum.GetDetractors(), NPS: nps(sum),
		HistoricCLV: sum.GetHistoricClv(), PredictedCLV: sum.GetPredictedClv(), TotalCLV: sum.GetHistoricClv() + sum.GetPredictedClv(),
	}
	if n := sum.GetCustomers(); n > 0 {
		e.AverageCLV = output.Some(roundedRatio(e.TotalCLV, n))
	}
	if t.GetCustomers() >= least {
		e.Top10, e.Top20 = output.Some(t.GetTop_10()), output.Some(t.GetTop_20())
	}
	if previous != nil {
		e.Previous = output.Some(output.PreviousPortfolio{
			Customers: previous.GetCustomers(), Active: previous.GetActive(), NPS: nps(previous),
			HistoricCLV: previous.GetHistoricClv(), PredictedCLV: previous.GetPredictedClv(), TotalCLV: previous.GetHistoricClv() + previous.GetPredictedClv(),
		})
	}
}

// nps is 100 (promoters - detractors)/responses.
func nps(c *ledger.Contribution) output.Opt[float64] {
	n := c.GetPromoters() + c.GetPassives() + c.GetDetractors()
	if n == 0 {
		return output.Opt[float64]{}
	}
	return output.Some(100 * float64(c.GetPromoters()-c.GetDetractors()) / float64(n))
}

// roundedRatio is v/n, halves away from zero.
func roundedRatio(v, n int64) int64 {
	if v < 0 {
		return -roundedRatio(-v, n)
	}
	return v/n + (v%n*2)/n
}
