package processors_test

import (
	"cmp"
	"math"
	"sort"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// recount is a batch computation of a customer's answers from the raw list of events, by maps, slices and the formulas of the
// papers. It calls nothing of the code under test. Weeks, cents, UTC days, default settings.
type recount struct {
	net, historic, referral     float64
	repeat                      float64 // net of all days but the first
	orders, days                int
	first, last                 int64 // days
	lastAt                      int64
	alive, expected, atLeastOne float64
	closed                      bool
	referrer                    string
	referredAt                  int64
	perDay                      map[int64]float64 // net
	ordersOn                    map[int64]int64
	closedAt                    int64 // of the account; 0: it was not
	score, responses            int   // score -1: none
	scores                      int

	engagement customer.Engagement
	cancelled  map[string]*[4]int64 // orders, refunds, subscriptions, accounts, by reason
}

// The prior that the product states, to be compared with lifetimes' own: r, alpha, a, b.
const (
	priorR, priorAlpha = .5, 7.8
	priorSum           = 3.0
)

var priorA = priorSum / (1 + math.E)

func recountAll(events map[string][]*ledger.Event, now int64) map[string]*recount {
	all := map[string]*recount{}
	at := func(id string) *recount {
		if all[id] == nil {
			all[id] = &recount{score: -1, cancelled: map[string]*[4]int64{}}
		}
		return all[id]
	}
	for id, list := range events {
		r := at(id)
		r.purchases(list, now)
		r.surveys(list, now)
		r.refer(list)
		r.engagement = recountEngagement(list, now)
		r.model(now)
		if r.referrer != "" {
			at(r.referrer)
		}
	}
	for _, r := range all {
		if r.referrer != "" {
			after := r.historic
			for d, net := range r.perDay {
				if d < r.referredAt/86_400_000 {
					after -= net
				}
			}
			all[r.referrer].referral += max(0, after)
		}
	}
	return all
}

// halfEven returns v*n/d rounded half to even.
func halfEven(v, n, d int64) int64 {
	q, rest := v*n/d, v*n%d
	if 2*rest > d || 2*rest == d && q%2 == 1 {
		q++
	}
	return q
}

func euros(total int64, currency string) int64 {
	if currency == "USD" {
		return halfEven(total, dollar, 1000)
	}
	return total
}

// statements are what has been stated of an order.
type statements struct {
	snapshots []*ledger.Event
	cancelled []*ledger.Event                 // its cancellations
	apart     map[string]*ledger.Cancellation // its refunds that are events of their own
}

// newest returns the snapshot that states something last; less decides between two of the same time.
func (o *statements) newest(states func(p *ledger.Purchase) bool, less func(a, b *ledger.Event) int) *ledger.Event {
	var newest *ledger.Event
	for _, e := range o.snapshots {
		if states(e.Purchase) && (newest == nil || cmp.Or(cmp.Compare(e.Purchase.UpdatedAt, newest.Purchase.UpdatedAt), less(e, newest)) > 0) {
			newest = e
		}
	}
	return newest
}

func (o *statements) occurredAt() int64 {
	stated := o.newest(func(p *ledger.Purchase) bool { return !p.TimeStoodIn }, func(a, b *ledger.Event) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
	if stated != nil {
		return stated.OccurredAt
	}
	first := int64(math.MaxInt64)
	for _, e := range o.snapshots {
		first = min(first, e.OccurredAt)
	}
	return first
}

func (o *statements) isCancelled() bool {
	at, is := int64(-1), false
	for _, e := range o.snapshots {
		if p := e.Purchase; (p.Cancelled || p.StatusStated && p.UpdatedAt > 0) && (p.UpdatedAt > at || p.UpdatedAt == at && p.Cancelled) {
			at, is = p.UpdatedAt, p.Cancelled
		}
	}
	for _, c := range o.cancelled {
		is = is || c.OccurredAt >= at
	}
	return is
}

func refundSum(e *ledger.Event) (sum int64) {
	for _, f := range e.Purchase.Refunds {
		sum += f.Total
	}
	return sum
}

// reason returns the newest reason of the order's cancellations; of two at the same time the greater.
func (o *statements) reason() string {
	at, reason := int64(-1), ""
	for _, c := range o.cancelled {
		if r := c.Cancellation.Reason; r != "" && (c.OccurredAt > at || c.OccurredAt == at && r > reason) {
			at, reason = c.OccurredAt, r
		}
	}
	return reason
}

// list returns the newest list of refunds that a snapshot states.
func (o *statements) list() []*ledger.Refund {
	e := o.newest(func(p *ledger.Purchase) bool { return len(p.Refunds) > 0 || p.RefundsStated && p.UpdatedAt > 0 },
		func(a, b *ledger.Event) int { return cmp.Compare(refundSum(a), refundSum(b)) })
	if e == nil {
		return nil
	}
	return e.Purchase.Refunds
}

// amount returns the total of the order and its refunds, in its own currency.
func (o *statements) amount() (total, refunded int64, currency string) {
	p := o.newest(func(*ledger.Purchase) bool { return true }, func(a, b *ledger.Event) int { return cmp.Compare(a.Purchase.Total, b.Purchase.Total) }).Purchase
	refunds := map[string]int64{}
	for _, f := range o.list() {
		refunds[f.RefundId] = f.Total
	}
	for id, c := range o.apart {
		refunds[id] = c.Total
		if p.Currency != c.Currency {
			refunds[id] = halfEven(c.Total, 1000, dollar) // euros for an order in dollars
		}
	}
	for _, f := range refunds {
		refunded += f
	}
	return p.Total, refunded, p.Currency
}

// countOrder counts the cancellation of an order and its refunds, each refund once.
func (r *recount) countOrder(o *statements) {
	if len(o.snapshots) > 0 && o.isCancelled() {
		r.countsOf(o.reason())[0]++
	}
	for _, c := range o.apart {
		r.countsOf(c.Reason)[1]++
	}
	for _, f := range o.list() {
		if o.apart[f.RefundId] == nil {
			r.countsOf("")[1]++
		}
	}
}

func (r *recount) countsOf(reason string) *[4]int64 {
	if r.cancelled[reason] == nil {
		r.cancelled[reason] = new([4]int64)
	}
	return r.cancelled[reason]
}

func (r *recount) purchases(list []*ledger.Event, now int64) {
	orders := map[string]*statements{}
	order := func(id string) *statements {
		if orders[id] == nil {
			orders[id] = &statements{apart: map[string]*ledger.Cancellation{}}
		}
		return orders[id]
	}
	closedAt, closeReason := int64(0), ""
	for _, e := range list {
		if p := e.Purchase; p != nil {
			order(p.OrderId).snapshots = append(order(p.OrderId).snapshots, e)
		}
		if c := e.Cancellation; c != nil {
			switch c.Kind {
			case ledger.CancellationKind_CANCELLATION_KIND_REFUND:
				order(c.OrderId).apart[c.RefundId] = c
			case ledger.CancellationKind_CANCELLATION_KIND_ORDER:
				order(c.OrderId).cancelled = append(order(c.OrderId).cancelled, e)
			case ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT:
				switch { // of two at the same time the greater reason holds
				case e.OccurredAt > closedAt:
					closedAt, closeReason = e.OccurredAt, c.Reason
				case e.OccurredAt == closedAt:
					closeReason = max(closeReason, c.Reason)
				}
			default:
			}
		}
	}
	perDay := map[int64]float64{}
	r.ordersOn, r.closedAt = map[int64]int64{}, closedAt
	for _, o := range orders {
		r.countOrder(o)
		if len(o.snapshots) == 0 {
			for _, c := range o.apart {
				r.historic -= float64(euros(c.Total, c.Currency))
			}
			continue
		}
		total, refunded, currency := o.amount()
		if o.isCancelled() || refunded > 0 && refunded >= total {
			continue
		}
		r.orders++
		net := float64(max(0, euros(total, currency)-euros(refunded, currency)))
		r.net += net
		perDay[o.occurredAt()/86_400_000] += net
		r.ordersOn[o.occurredAt()/86_400_000]++
		r.lastAt = max(r.lastAt, o.occurredAt())
	}
	r.historic += r.net
	r.days = len(perDay)
	r.first = math.MaxInt64
	for d := range perDay {
		r.first, r.last = min(r.first, d), max(r.last, d)
	}
	r.perDay = perDay
	r.repeat = r.net - perDay[r.first]
	if closedAt > 0 && r.lastAt <= closedAt {
		r.countsOf(closeReason)[3]++
	}
	r.closed = closedAt > 0 && closedAt <= now && r.lastAt <= closedAt
}

func (r *recount) surveys(list []*ledger.Event, now int64) {
	newest := map[string]*ledger.Survey{}
	for _, e := range list {
		if v := e.Survey; v != nil && (newest[v.ResponseId] == nil || v.UpdatedAt > newest[v.ResponseId].UpdatedAt) {
			newest[v.ResponseId] = v
		}
	}
	var latest *ledger.Survey
	for _, v := range newest {
		if v.Excluded || v.Type != ledger.SurveyType_SURVEY_TYPE_NPS || now-v.CreatedAt >= 365*86_400_000 {
			continue
		}
		r.responses++
		r.scores += int(v.Score)
		if latest == nil || v.CreatedAt > latest.CreatedAt || v.CreatedAt == latest.CreatedAt && v.ResponseId > latest.ResponseId {
			latest = v
		}
	}
	if latest != nil {
		r.score = int(latest.Score)
	}
}

func (r *recount) refer(list []*ledger.Event) {
	var all []*ledger.Event
	for _, e := range list {
		if e.Referral != nil {
			all = append(all, e)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].OccurredAt < all[j].OccurredAt })
	for i, e := range all {
		if e.Referral.Status != ledger.ReferralStatus_REFERRAL_STATUS_APPROVED {
			continue
		}
		voided := false
		for _, later := range all[i:] {
			voided = voided || later.Referral.Status == ledger.ReferralStatus_REFERRAL_STATUS_VOIDED && later.Referral.ReferralId == e.Referral.ReferralId
		}
		if !voided {
			r.referrer, r.referredAt = e.Referral.Referrer, e.OccurredAt
			for _, same := range all[:i] {
				if same.Referral.ReferralId == e.Referral.ReferralId && same.Referral.Status == ledger.ReferralStatus_REFERRAL_STATUS_PENDING {
					r.referredAt = min(r.referredAt, same.OccurredAt)
				}
			}
			return
		}
	}
}

func (r *recount) model(now int64) {
	if r.days == 0 || r.closed {
		return
	}
	x, a, b := float64(r.days-1), priorA, priorSum-priorA
	tx := float64(r.last-r.first) / 7
	age := max(tx, (float64(now)/86_400_000-float64(r.first))/7)
	r.alive = 1 / (1 + a/(b+x)*math.Pow((priorAlpha+age)/(priorAlpha+tx), priorR+x))
	r.atLeastOne = r.alive * (1 - math.Pow((priorAlpha+age)/(priorAlpha+age+90.0/7), priorR+x))
	// E over p ~ Beta(a, b+x+1) of (1 - (1 + p t/(alpha+T))^-(r+x))/p, by Simpson in u = p^a
	horizon := 365.0 / 7
	f := func(u float64) float64 {
		p := math.Pow(u, 1/a)
		g := (priorR + x) * horizon / (priorAlpha + age)
		if p > 1e-12 {
			g = (1 - math.Pow(1+p*horizon/(priorAlpha+age), -(priorR+x))) / p
		}
		return g * math.Pow(1-p, b+x) / a
	}
	const n = 2000
	sum := f(0) + f(1)
	for i := 1; i < n; i++ {
		sum += float64(2+2*(i%2)) * f(float64(i)/n)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b + x + 1)
	lab, _ := math.Lgamma(a + b + x + 1)
	r.expected = r.alive * sum / 3 / n / math.Exp(la+lb-lab)
}

// spend is the Gamma-Gamma expectation under the stated prior, p 6 and q 4, around the customer's own average day.
func (r *recount) spend(repeat float64) float64 {
	if r.net <= 0 {
		return 0
	}
	own := r.net / float64(r.days)
	v := own * 3 / 6
	x := float64(r.days - 1)
	if x == 0 || repeat <= 0 {
		return own
	}
	return 6 * (v + repeat) / (6*x + 3)
}
