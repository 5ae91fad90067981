package recount

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/mathext"
)

// Fact is an event under its plain field names.
type Fact struct {
	Type       string      `json:"type"`
	ID         string      `json:"event_id"` // empty: not known, so that its answer is not looked for
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

// Recount counts facts, in any order and any number of times. Add all facts, then Finish, then compare.
type Recount struct {
	customers map[string]*customer
	now       time.Time
	tally     map[string]int
}

// New returns an empty recount.
func New() *Recount { return &Recount{customers: map[string]*customer{}, tally: map[string]int{}} }

// Now is the time as of which answers are counted: that of the latest fact.
func (r *Recount) Now() time.Time { return r.now }

// Customers is the number of customers.
func (r *Recount) Customers() int { return len(r.customers) }

// Tally returns how many facts of each type were added, repeated ones included.
func (r *Recount) Tally() map[string]int { return r.tally }

// customer holds the facts and the answers of a customer. Money is in minor units, times in days and weeks.
type customer struct {
	stored    bool                        // by now: an own fact, or the credit for a referral, has made a state
	purchases map[string]purchase         // by order
	refunds   map[string]map[string]int64 // by order and refund
	cancelled map[string]bool             // orders
	closed    time.Time
	ends      time.Time // of the latest subscription that was cancelled
	referrals []Fact
	responses map[string]Fact

	orders, standing, historic, referral int64           // standing: the value of standing orders
	net                                  map[int64]int64 // by purchase day
	days                                 []int64
	lastAt                               time.Time
	referrer                             string
	gone                                 bool
	score, answered                      int // score -1: none

	alive, soon, expected, predicted float64

	exceeds func(n int) float64 // the probability of more orders than n within the horizon
}

// purchase is small, since a recount holds millions of them.
type purchase struct {
	at    int64  // Unix seconds: the shop's events and files of days have no fractions
	total int64  // minor units
	event string // id; empty: not known
}

func (r *Recount) of(id string) *customer {
	c := r.customers[id]
	if c == nil {
		c = &customer{}
		r.customers[id] = c
	}
	return c
}

// AddEvent decodes an event and adds it.
func (r *Recount) AddEvent(value []byte) error {
	var f Fact
	if err := json.Unmarshal(value, &f); err != nil {
		return fmt.Errorf("recount an event: %w", err)
	}
	return r.Add(f)
}

// Add adds a fact. It returns an error for a fact that it does not know, or whose amount has more than two decimals.
func (r *Recount) Add(f Fact) error {
	r.tally[f.Type]++
	if f.At.After(r.now) {
		r.now = f.At
	}
	own := func(id string) *customer {
		c := r.of(id)
		c.stored = true
		return c
	}
	switch f.Type {
	case "purchase":
		total, err := minor(f.Total.String())
		if err != nil {
			return err
		}
		put(&own(f.Customer).purchases, f.Order, purchase{f.At.Unix(), total, f.ID})
	case "cancellation":
		return own(f.Customer).cancel(f)
	case "referral":
		r.of(f.Referrer) // a referral that is not approved leaves no trace there
		c := own(f.Referred)
		c.referrals = append(c.referrals, f)
	case "survey":
		c := own(f.Customer)
		if old, ok := c.responses[f.Response]; !ok || f.Updated.After(old.Updated) {
			put(&c.responses, f.Response, f)
		}
	default:
		return fmt.Errorf("recount: unknown type of event %q", f.Type)
	}
	return nil
}

func (c *customer) cancel(f Fact) error {
	switch f.Kind {
	case "order":
		put(&c.cancelled, f.Order, true)
	case "refund":
		amount, err := minor(f.Total.String())
		if err != nil {
			return err
		}
		of := c.refunds[f.Order]
		put(&of, f.Refund, amount)
		put(&c.refunds, f.Order, of)
	case "account":
		if f.Effective.After(c.closed) {
			c.closed = f.Effective
		}
	case "subscription":
		if f.Effective.After(c.ends) {
			c.ends = f.Effective
		}
	default:
		return fmt.Errorf("recount: unknown kind of cancellation %q", f.Kind)
	}
	return nil
}

// put adds to a map, which is made with its first value: most customers have no refund and no response.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// minor converts an amount with at most two decimals to hundredths.
func minor(n string) (int64, error) {
	whole, part, _ := strings.Cut(n, ".")
	if len(part) > 2 {
		return 0, fmt.Errorf("recount: amount %q has more than two decimals", n)
	}
	cents, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("recount: amount %q: %w", n, err)
	}
	return cents, nil
}

// Finish counts the answers of all customers as of the latest fact.
func (r *Recount) Finish() {
	for _, c := range r.customers {
		c.count(r.now)
	}
	for _, c := range r.customers {
		if c.referrer != "" {
			referrer := r.customers[c.referrer]
			referrer.stored = true
			referrer.referral += max(0, c.historic)
		}
	}
}

// count computes what needs no model. A refund whose order was not sent lowers the value, as if the order had left memory: where a load
// ends, some orders that the shop sends late are missing.
func (c *customer) count(now time.Time) {
	c.net = map[int64]int64{}
	last := int64(math.MinInt64)
	for id, p := range c.purchases {
		refunded := int64(0)
		for _, amount := range c.refunds[id] {
			refunded += amount
		}
		if c.cancelled[id] || refunded > 0 && refunded >= p.total {
			continue
		}
		c.orders++
		c.standing += p.total - refunded
		c.net[floorDay(p.at)] += p.total - refunded
		last = max(last, p.at)
	}
	c.historic = c.standing
	for id, refunds := range c.refunds {
		if _, sent := c.purchases[id]; !sent && !c.cancelled[id] {
			for _, amount := range refunds {
				c.historic -= amount
			}
		}
	}
	if c.orders > 0 {
		c.lastAt = time.Unix(last, 0).UTC()
	}
	for d := range c.net {
		c.days = append(c.days, d)
	}
	slices.Sort(c.days)
	c.gone = !c.closed.IsZero() && !c.closed.After(now) && !c.lastAt.After(c.closed) || c.unsubscribed() && !c.ends.After(now)

	slices.SortStableFunc(c.referrals, func(a, b Fact) int { return a.At.Compare(b.At) })
	by := ""
	for _, f := range c.referrals {
		switch {
		case f.Status == "approved" && c.referrer == "":
			c.referrer, by = f.Referrer, f.Referral
		case f.Status == "voided" && f.Referral == by:
			c.referrer, by = "", ""
		}
	}
	c.score = -1
	var newest Fact
	for _, f := range c.responses {
		if f.SurveyType != "nps" || now.Sub(f.Created) >= 365*24*time.Hour {
			continue
		}
		c.answered++
		if c.score < 0 || cmp.Or(f.Created.Compare(newest.Created), strings.Compare(f.Response, newest.Response)) > 0 {
			newest, c.score = f, f.Score
		}
	}
}

// unsubscribed says whether a subscription was cancelled, and no order was made after its end.
func (c *customer) unsubscribed() bool { return !c.ends.IsZero() && !c.lastAt.After(c.ends) }

func floorDay(seconds int64) int64 { return int64(math.Floor(float64(seconds) / 86400)) }

// model computes MBG/NBD (Batislam, Denizel and Filiztekin 2007) and Gamma-Gamma (Fader and Hardie 2013) under the documented
// prior: r .5, alpha 7.8 weeks, a+b 3 with logit(a/(a+b)) -1; p 6, q 4 around the customer's own average day.
func (c *customer) model(now time.Time) {
	if len(c.days) == 0 || c.gone {
		return
	}
	const r, alpha = .5, 7.8
	a := 3 / (1 + math.E)
	b := 3 - a
	first, last := c.days[0], c.days[len(c.days)-1]
	x, tx := float64(len(c.days)-1), float64(last-first)/7
	age := math.Max(tx, (float64(now.UnixMilli())/86_400_000-float64(first))/7)
	c.alive = 1 / (1 + a/(b+x)*math.Pow((alpha+age)/(alpha+tx), r+x))
	const soon, horizon = 90.0 / 7, 365.0 / 7
	c.soon = c.alive * (1 - math.Pow((alpha+age)/(alpha+age+soon), r+x))

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
	c.expected = c.alive * sum / mass

	// More than n orders: alive, n+1 purchases by a rate from a gamma distribution, and no dropout after the first n of them. The
	// uncertainty of the prior, a factor e^2, adds (2 r/(r+x))^2 to the relative variance of the rate.
	own := 2 * r / (r + x)
	shape := 1 / (1/(r+x) + own*own)
	time := horizon / (alpha + age) * (r + x)
	c.exceeds = func(n int) float64 {
		return c.alive * mathext.RegIncBeta(float64(n+1), shape, time/(shape+time)) * math.Exp(mathext.Lbeta(a, b+x+1+float64(n))-mathext.Lbeta(a, b+x+1))
	}

	all, repeat := 0.0, 0.0
	for _, d := range c.days {
		all += float64(c.net[d])
		if d != first {
			repeat += float64(c.net[d])
		}
	}
	mean := all / float64(len(c.days))
	if x > 0 && repeat > 0 {
		const shape, q = 6.0, 4.0
		v := mean * (q - 1) / shape
		mean = shape * (v + repeat) / (shape*x + q - 1)
	}
	c.predicted = c.expected * mean
}

// class returns the churn class at the default thresholds. near reports that the probability is so near to a threshold that rounding
// decides.
func (c *customer) class(now time.Time) (class string, near bool) {
	risk := 1 - c.alive
	switch {
	case c.gone:
		return "churned", false
	case len(c.days) == 0:
		return "none", false
	case c.unsubscribed():
		return "high", false
	case now.Sub(c.lastAt) < 30*24*time.Hour:
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

func (c *customer) String() string {
	return fmt.Sprintf("orders %d, historic %d, days %v, referrer %q, score %d", c.orders, c.historic, c.days, c.referrer, c.score)
}
