package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Final compares the portfolio of a closed day with the sum over all customers of their scores as of its end. Amounts are minor units
// of the base currency.
type Final struct {
	AsOf           time.Time `json:"as_of"`                       // end of the day
	CustomerEquity int64     `json:"customer_equity_minor_units"` // as published
	Sum            int64     `json:"sum_minor_units"`             // of total CLV over the customers with a standing order
}

// finals are the closes of days. Each partition's customers are summed where its close begins, one by one and by the function that
// answers for a single customer: by none of the code of the close.
type finals struct {
	sums      map[int64]*finalSum            // by end of the day
	published map[int64]*ledger.Contribution // likewise
	bounds    map[int64]*ledger.Thresholds   // of the close's tiers, likewise
}

type finalSum struct {
	partitions                               int32
	customers, prospects                     int64
	historicRevenue, futureValue, equity     int64
	low, medium, high, churned, churnUnknown int64
	values                                   []int64 // total CLV of the customers who have a tier
	cancelled                                map[string]*output.CancelReason
	segments                                 map[[2]string]segmentSum // by dimension and segment
}

// segmentSum are figures of a segment.
type segmentSum struct{ customers, equity int64 }

func newFinals() *finals {
	return &finals{sums: map[int64]*finalSum{}, published: map[int64]*ledger.Contribution{}, bounds: map[int64]*ledger.Thresholds{}}
}

// trackFinals sums the partition's customers at the tick that begins a close, and notes what partition 0 publishes.
func (a *auditor) trackFinals(e *ledger.Entry) {
	if c := a.State.FinalPortfolio(); c != nil {
		a.finals.published[c.GetClose()] = c
	}
	if t := a.State.Thresholds(); t.GetClose() != 0 {
		a.finals.bounds[t.GetClose()] = t
	}
	if e.GetKind() != ledger.Kind_KIND_TICK {
		return
	}
	at, open := a.State.Closing()
	if !open {
		at = a.closedAtOnce()
	}
	if at == 0 || at == a.closing {
		return
	}
	a.closing = at
	sum := a.finals.sums[at]
	if sum == nil {
		sum = &finalSum{cancelled: map[string]*output.CancelReason{}, segments: map[[2]string]segmentSum{}}
		a.finals.sums[at] = sum
	}
	sum.partitions++
	sum.historicRevenue += a.sold
	a.Customers.Each(func(id string, s *customer.State) {
		if scores, known := processors.ScoreCustomerAsOf(a.State, id, s, at); known {
			sum.add(&scores)
		}
	})
}

// soldToErased returns the revenue from the customer whom an entry is about to erase.
func (a *auditor) soldToErased(e *ledger.Entry) int64 {
	if e.GetKind() != ledger.Kind_KIND_ERASE {
		return 0
	}
	s, _ := a.Customers.Customer(e.GetCustomer()) // it never fails
	if s == nil {
		return 0
	}
	scores := processors.ScoreCustomer(a.State, e.GetCustomer(), s)
	return scores.CLV.Historic
}

// closedAtOnce returns the end of the day that the last entry closed as a whole; 0: it closed none.
func (a *auditor) closedAtOnce() int64 {
	for _, s := range a.Out.Sends {
		var c ledger.Contribution
		if s.Entry.GetKind() == ledger.Kind_KIND_CONTRIBUTION && c.UnmarshalVT(s.Entry.GetPayload()) == nil && c.GetClose() != 0 {
			return c.GetClose()
		}
	}
	return 0
}

func (f *finalSum) add(a *processors.CustomerScores) {
	f.historicRevenue += a.CLV.Historic
	for _, r := range a.Reasons {
		n := f.cancelled[r.Reason.Value]
		if n == nil {
			n = new(output.CancelReason)
			f.cancelled[r.Reason.Value] = n
		}
		n.Orders, n.Refunds, n.Subscriptions, n.Accounts = n.Orders+r.Orders, n.Refunds+r.Refunds, n.Subscriptions+r.Subscriptions, n.Accounts+r.Accounts
	}
	if a.CLV.Orders > 0 {
		f.customers++
		f.futureValue += a.CLV.Predicted.Value
		f.equity += a.CLV.Total.Value
		// Not by what the tick that begins the close may itself have changed: the tier, which depends on the one published last, and whether they
		// were referred, since the name of a referrer who is erased is dropped by and by.
		f.count("churn_risk", a.Churn.Risk, a)
		f.count("nps_category", a.Promoter.Category, a)
		if a.Churn.Risk != customer.Churned.String() {
			f.values = append(f.values, a.CLV.Total.Value)
		}
	} else {
		f.prospects++
	}
	switch a.Churn.Risk {
	case customer.Low.String():
		f.low++
	case customer.Medium.String():
		f.medium++
	case customer.High.String():
		f.high++
	case customer.Churned.String():
		f.churned++
	default:
		f.churnUnknown++
	}
}

// count adds a customer to a segment.
func (f *finalSum) count(dimension, name string, a *processors.CustomerScores) {
	at := [2]string{dimension, cmp.Or(name, segment.None)}
	f.segments[at] = segmentSum{f.segments[at].customers + 1, f.segments[at].equity + a.CLV.Total.Value}
}

// judge compares the finals of which the close of every partition was folded.
func (f *finals) judge(res *Result) {
	ends := make([]int64, 0, len(f.published))
	for at := range f.published {
		ends = append(ends, at)
	}
	slices.Sort(ends)
	for _, at := range ends {
		p, s := f.published[at], f.sums[at]
		if s == nil || s.partitions != res.Partitions {
			continue
		}
		res.Finals++
		res.Final = &Final{AsOf: time.UnixMilli(at).UTC(), CustomerEquity: p.GetCustomerEquity(), Sum: s.equity}
		classes := []int64{s.low, s.medium, s.high, s.churnUnknown, s.churned}
		if p.GetCustomers() != s.customers || p.GetProspects() != s.prospects || p.GetHistoricClv() != s.historicRevenue ||
			p.GetPredictedClv() != s.futureValue || p.GetCustomerEquity() != s.equity || !slices.Equal(p.ChurnClasses, classes) || !s.countsAs(p.Cancellations) {
			res.add(Finding{Kind: Differing, Offset: -1, Place: "portfolio", Detail: "the portfolio as of " +
				res.Final.AsOf.Format(time.RFC3339) + " is not the sum over all customers"}, 1)
		}
		if differs := s.groupsOtherwise(p.Segments); differs != "" {
			res.add(Finding{Kind: Differing, Offset: -1, Place: "segments", Detail: "as of " + res.Final.AsOf.Format(time.RFC3339) + " " + differs}, 1)
		}
		if p.EquityChange != nil && !f.explains(p) {
			res.add(Finding{Kind: Differing, Offset: -1, Place: "portfolio", Detail: "the parts of the change of customer equity as of " +
				res.Final.AsOf.Format(time.RFC3339) + " do not sum to the change"}, 1)
		}
		if t := f.bounds[at]; t != nil && !s.agrees(t) {
			res.add(Finding{Kind: Differing, Offset: -1, Place: "thresholds", Detail: "the tiers as of " +
				res.Final.AsOf.Format(time.RFC3339) + " are not those of ranking all customers"}, 1)
		}
	}
}

// explains reports whether the parts of a change sum to the difference between two closes that were published, as far as both are known.
func (f *finals) explains(p *ledger.Contribution) bool {
	before := f.published[p.GetEquityChange().GetSince()]
	if before == nil {
		return true
	}
	sum := before.GetCustomerEquity()
	for _, part := range p.GetEquityChange().Parts {
		sum += part
	}
	return sum == p.GetCustomerEquity()
}

// groupsOtherwise names the first segment that is not the sum over its customers; empty: all of them are.
func (f *finalSum) groupsOtherwise(published []*ledger.SegmentSums) string {
	var segments segment.Set
	segments.Plus(published)
	found := 0
	for _, row := range segments.BoundedRows() {
		want, judged := f.segments[[2]string{row.Dimension, row.Segment}]
		if !judged {
			continue
		}
		if found++; want != (segmentSum{row.Customers, row.Historic + row.Predicted}) {
			return fmt.Sprintf("%s/%s has %d customers, published are %d; customer equity differs by %d minor units",
				row.Dimension, row.Segment, want.customers, row.Customers, want.equity-row.Historic-row.Predicted)
		}
	}
	if found < len(f.segments) {
		return fmt.Sprintf("%d segments were not published", len(f.segments)-found)
	}
	return ""
}

// countsAs reports whether cancellations by reason are those of all customers. Reasons that are not told apart count as other.
func (f *finalSum) countsAs(published []*ledger.CancellationCount) bool {
	apart := map[string]bool{}
	for _, n := range published {
		if r := n.GetReason(); r != "" && r != customer.OtherReason {
			apart[r] = true
		}
	}
	sums := map[string]output.CancelReason{}
	for reason, n := range f.cancelled {
		if reason != "" && !apart[reason] && len(apart) == portfolio.MostReasons {
			reason = customer.OtherReason
		}
		sum := sums[reason]
		sum.Orders, sum.Refunds, sum.Subscriptions, sum.Accounts = sum.Orders+n.Orders, sum.Refunds+n.Refunds, sum.Subscriptions+n.Subscriptions, sum.Accounts+n.Accounts
		sums[reason] = sum
	}
	for _, n := range published {
		if sums[n.GetReason()] != (output.CancelReason{Orders: n.GetOrders(), Refunds: n.GetRefunds(), Subscriptions: n.GetSubscriptions(), Accounts: n.GetAccounts()}) {
			return false
		}
	}
	return len(sums) == len(published)
}

// agrees reports whether bounds put every customer into the tier that ranking all of them by value gives: a percentile is the share
// strictly below plus half of the ties, top_10 begins at the 90th and top_20 at the 80th.
func (f *finalSum) agrees(t *ledger.Thresholds) bool {
	slices.Sort(f.values)
	n := len(f.values)
	for _, v := range f.values {
		below, _ := slices.BinarySearch(f.values, v)
		upTo, _ := slices.BinarySearch(f.values, v+1)
		percentile := 100 * float64(below+upTo) / float64(2*n)
		if v >= t.GetTop_10() != (percentile >= 90) || v >= t.GetTop_20() != (percentile >= 80) {
			return false
		}
	}
	return t.GetCustomers() == int64(n)
}
