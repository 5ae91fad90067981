//go:build real

package containers

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fact is an event of the recount, decoded by encoding/json from a sent payload or read from a line of a file. The recount does not use
// the code under test.
type fact struct {
	Type       string      `json:"type"`
	ID         string      `json:"event_id"`
	At         time.Time   `json:"occurred_at"`
	Customer   string      `json:"customer_id"`
	Order      string      `json:"order_id"`
	Total      json.Number `json:"total"`
	Kind       string      `json:"kind"`
	Refund     string      `json:"refund_id"`
	Effective  time.Time   `json:"effective_at"`
	Referral   string      `json:"referral_id"`
	Referrer   string      `json:"referrer_customer_id"`
	Referred   string      `json:"referred_customer_id"`
	Status     string      `json:"status"`
	Response   string      `json:"response_id"`
	SurveyType string      `json:"survey_type"`
	Score      int         `json:"score"`
	Created    time.Time   `json:"created_at"`
	Updated    time.Time   `json:"updated_at"`
}

// minor converts an amount with at most two decimals to hundredths.
func minor(t *testing.T, n string) int64 {
	t.Helper()
	whole, part, _ := strings.Cut(n, ".")
	require.LessOrEqual(t, len(part), 2, n)
	cents, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	require.NoError(t, err)
	return cents
}

// cdnow reads the file of purchases as facts.
func cdnow(t *testing.T, path string) []fact {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"masterid", "sampleid", "date", "cds", "sales"}, rows[0])
	var all []fact
	for i, row := range rows[1:] {
		at, err := time.Parse("20060102", row[2])
		require.NoError(t, err)
		all = append(all, fact{Type: "purchase", ID: strconv.Itoa(i), At: at, Customer: row[1], Order: strconv.Itoa(i), Total: json.Number(row[4])})
	}
	return all
}

// recountedCustomer holds the answers of a customer by a batch computation. Money is in minor units, times in days and weeks.
type recountedCustomer struct {
	purchases map[string]fact
	refunds   map[string]map[string]int64 // by order and refund
	cancelled map[string]bool
	closed    time.Time
	ends      time.Time // of the latest subscription that was cancelled
	referrals []fact
	responses map[string]fact

	orders, historic, referral int64
	net                        map[int64]int64 // by purchase day
	days                       []int64
	lastAt                     time.Time
	referrer                   string
	gone                       bool
	score, answered            int // score -1: none

	alive, soon, expected, predicted float64
}

// recount computes the answers of all customers as of a time.
func recount(t *testing.T, facts []fact, now time.Time) map[string]*recountedCustomer {
	t.Helper()
	all := map[string]*recountedCustomer{}
	of := func(id string) *recountedCustomer {
		if all[id] == nil {
			all[id] = &recountedCustomer{
				purchases: map[string]fact{}, refunds: map[string]map[string]int64{}, cancelled: map[string]bool{}, responses: map[string]fact{},
			}
		}
		return all[id]
	}
	for _, f := range facts {
		switch f.Type {
		case "purchase":
			of(f.Customer).purchases[f.Order] = f
		case "cancellation":
			p := of(f.Customer)
			switch f.Kind {
			case "order":
				p.cancelled[f.Order] = true
			case "refund":
				if p.refunds[f.Order] == nil {
					p.refunds[f.Order] = map[string]int64{}
				}
				p.refunds[f.Order][f.Refund] = minor(t, f.Total.String())
			case "account":
				if f.Effective.After(p.closed) {
					p.closed = f.Effective
				}
			case "subscription":
				if f.Effective.After(p.ends) {
					p.ends = f.Effective
				}
			default:
				require.Fail(t, "unknown kind", f.Kind)
			}
		case "referral":
			of(f.Referrer)
			p := of(f.Referred)
			p.referrals = append(p.referrals, f)
		case "survey":
			p := of(f.Customer)
			if old, ok := p.responses[f.Response]; !ok || f.Updated.After(old.Updated) {
				p.responses[f.Response] = f
			}
		default:
			require.Fail(t, "unknown type", f.Type)
		}
	}
	for _, p := range all {
		p.count(t, now)
		p.model(now)
	}
	for _, p := range all {
		if p.referrer != "" {
			all[p.referrer].referral += max(0, p.historic)
		}
	}
	return all
}

func (p *recountedCustomer) count(t *testing.T, now time.Time) {
	p.net = map[int64]int64{}
	for id, f := range p.purchases {
		total, refunded := minor(t, f.Total.String()), int64(0)
		for _, amount := range p.refunds[id] {
			refunded += amount
		}
		if p.cancelled[id] || refunded > 0 && refunded >= total {
			continue
		}
		p.orders++
		p.historic += total - refunded
		p.net[f.At.Unix()/86400] += total - refunded
		if f.At.After(p.lastAt) {
			p.lastAt = f.At
		}
	}
	for id := range p.refunds {
		require.Contains(t, p.purchases, id, "a refund without its order")
	}
	for d := range p.net {
		p.days = append(p.days, d)
	}
	slices.Sort(p.days)
	p.gone = !p.closed.IsZero() && !p.closed.After(now) && !p.lastAt.After(p.closed) || p.unsubscribed() && !p.ends.After(now)

	slices.SortStableFunc(p.referrals, func(a, b fact) int { return a.At.Compare(b.At) })
	by := ""
	for _, f := range p.referrals {
		switch {
		case f.Status == "approved" && p.referrer == "":
			p.referrer, by = f.Referrer, f.Referral
		case f.Status == "voided" && f.Referral == by:
			p.referrer, by = "", ""
		}
	}
	p.score = -1
	var newest fact
	for _, f := range p.responses {
		if f.SurveyType != "nps" || now.Sub(f.Created) >= 365*24*time.Hour {
			continue
		}
		p.answered++
		if p.score < 0 || cmp.Or(f.Created.Compare(newest.Created), strings.Compare(f.Response, newest.Response)) > 0 {
			newest, p.score = f, f.Score
		}
	}
}

// unsubscribed says whether a subscription was cancelled, and no order was made after its end.
func (p *recountedCustomer) unsubscribed() bool { return !p.ends.IsZero() && !p.lastAt.After(p.ends) }

// model computes MBG/NBD (Batislam, Denizel and Filiztekin 2007) and Gamma-Gamma (Fader and Hardie 2013) under the documented
// prior: r .5, alpha 7.8 weeks, a+b 3 with logit(a/(a+b)) -1; p 6, q 4 around the customer's own average day.
func (p *recountedCustomer) model(now time.Time) {
	if len(p.days) == 0 || p.gone {
		return
	}
	const r, alpha = .5, 7.8
	a := 3 / (1 + math.E)
	b := 3 - a
	first, last := p.days[0], p.days[len(p.days)-1]
	x, tx := float64(len(p.days)-1), float64(last-first)/7
	age := math.Max(tx, (float64(now.UnixMilli())/86_400_000-float64(first))/7)
	p.alive = 1 / (1 + a/(b+x)*math.Pow((alpha+age)/(alpha+tx), r+x))
	const soon, horizon = 90.0 / 7, 365.0 / 7
	p.soon = p.alive * (1 - math.Pow((alpha+age)/(alpha+age+soon), r+x))

	// A customer who is alive now has not dropped out x+1 times: p ~ Beta(a, b+x+1), lambda ~ Gamma(r+x, alpha+T). Given both, the
	// expected number of purchases within t is (1 - exp(-lambda p t)) / p. The mean over lambda has a closed form; the mean over p is
	// computed by the midpoint rule in the angle whose squared sine is p.
	const steps = 20_000
	var sum, mass float64
	for i := range steps {
		angle := (float64(i) + .5) / steps * math.Pi / 2
		sin, cos := math.Sincos(angle)
		drop := sin * sin
		weight := math.Pow(sin, 2*a-1) * math.Pow(cos, 2*(b+x+1)-1)
		mass += weight
		sum += weight * -math.Expm1(-(r+x)*math.Log1p(drop*horizon/(alpha+age))) / drop
	}
	p.expected = p.alive * sum / mass

	all, repeat := 0.0, 0.0
	for _, d := range p.days {
		all += float64(p.net[d])
		if d != first {
			repeat += float64(p.net[d])
		}
	}
	mean := all / float64(len(p.days))
	if x > 0 && repeat > 0 {
		const shape, q = 6.0, 4.0
		v := mean * (q - 1) / shape
		mean = shape * (v + repeat) / (shape*x + q - 1)
	}
	p.predicted = p.expected * mean
}

// class returns the churn class at the default thresholds. near reports that the probability is so near to a threshold that rounding
// decides.
func (p *recountedCustomer) class(now time.Time) (class string, near bool) {
	risk := 1 - p.alive
	switch {
	case p.gone:
		return "churned", false
	case len(p.days) == 0:
		return "none", false
	case p.unsubscribed():
		return "high", false
	case now.Sub(p.lastAt) < 30*24*time.Hour:
		return "low", false
	}
	near = math.Abs(risk-.33) < 1e-6 || math.Abs(risk-.66) < 1e-6
	switch {
	case risk < .33:
		return "low", near
	case risk < .66:
		return "medium", near
	}
	return "high", near
}

func (p *recountedCustomer) String() string {
	return fmt.Sprintf("orders %d, historic %d, days %v, referrer %q, score %d", p.orders, p.historic, p.days, p.referrer, p.score)
}
