package processors_test

import (
	"maps"
	"math"
	"sort"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// recount is a batch computation of a customer's answers from the raw list of events, by maps, slices and the formulas of the
// papers. It calls nothing of the code under test. Weeks, cents, UTC days, default settings.
type recount struct {
	net, historic, referral     float64
	orders, days                int
	first, last                 int64 // days
	lastAt                      int64
	alive, expected, atLeastOne float64
	closed                      bool
	referrer                    string
	score, responses            int // score -1: none
	scores                      int
}

type fate struct {
	snapshot  *ledger.Event
	apart     map[string]int64
	cancelled bool
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
			all[id] = &recount{score: -1}
		}
		return all[id]
	}
	for id, list := range events {
		r := at(id)
		r.purchases(list, now)
		r.surveys(list, now)
		r.refer(list)
		r.model(now)
		if r.referrer != "" {
			at(r.referrer)
		}
	}
	for _, r := range all {
		if r.referrer != "" {
			all[r.referrer].referral += max(0, r.historic)
		}
	}
	return all
}

func (r *recount) purchases(list []*ledger.Event, now int64) {
	orders := map[string]*fate{}
	order := func(id string) *fate {
		if orders[id] == nil {
			orders[id] = &fate{apart: map[string]int64{}}
		}
		return orders[id]
	}
	closedAt := int64(0)
	for _, e := range list {
		if p := e.Purchase; p != nil {
			if o := order(p.OrderId); o.snapshot == nil || p.UpdatedAt > o.snapshot.Purchase.UpdatedAt {
				o.snapshot = e
			}
		}
		if c := e.Cancellation; c != nil {
			switch c.Kind {
			case ledger.CancellationKind_CANCELLATION_KIND_REFUND:
				order(c.OrderId).apart[c.RefundId] = c.Total
			case ledger.CancellationKind_CANCELLATION_KIND_ORDER:
				order(c.OrderId).cancelled = true
			case ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT:
				closedAt = max(closedAt, e.OccurredAt)
			default:
			}
		}
	}
	perDay := map[int64]bool{}
	for _, o := range orders {
		refunds := map[string]int64{}
		if o.snapshot != nil {
			for _, f := range o.snapshot.Purchase.Refunds {
				refunds[f.RefundId] = f.Total
			}
		}
		maps.Copy(refunds, o.apart)
		refunded := int64(0)
		for _, total := range refunds {
			refunded += total
		}
		if o.snapshot == nil {
			if !o.cancelled {
				r.historic -= float64(refunded)
			}
			continue
		}
		p := o.snapshot.Purchase
		if o.cancelled || p.Cancelled || refunded > 0 && refunded >= p.Total {
			continue
		}
		r.orders++
		r.net += float64(p.Total - refunded)
		perDay[o.snapshot.OccurredAt/86_400_000] = true
		r.lastAt = max(r.lastAt, o.snapshot.OccurredAt)
	}
	r.historic += r.net
	r.days = len(perDay)
	r.first = math.MaxInt64
	for d := range perDay {
		r.first, r.last = min(r.first, d), max(r.last, d)
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
	id := ""
	for _, e := range all {
		switch v := e.Referral; {
		case v.Status == ledger.ReferralStatus_REFERRAL_STATUS_APPROVED && r.referrer == "":
			r.referrer, id = v.Referrer, v.ReferralId
		case v.Status == ledger.ReferralStatus_REFERRAL_STATUS_VOIDED && v.ReferralId == id:
			r.referrer, id = "", ""
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

// repeat is the net value of all days but the first.
func repeat(list []*ledger.Event, r *recount) float64 {
	var without []*ledger.Event
	drop := map[string]bool{}
	newest := map[string]*ledger.Event{}
	for _, e := range list {
		if p := e.Purchase; p != nil && (newest[p.OrderId] == nil || p.UpdatedAt > newest[p.OrderId].Purchase.UpdatedAt) {
			newest[p.OrderId] = e
		}
	}
	for id, e := range newest {
		drop[id] = e.OccurredAt/86_400_000 == r.first
	}
	for _, e := range list {
		if p := e.Purchase; p != nil && drop[p.OrderId] {
			continue
		}
		if c := e.Cancellation; c != nil && drop[c.OrderId] {
			continue
		}
		without = append(without, e)
	}
	other := &recount{}
	other.purchases(without, 0)
	return other.net
}
