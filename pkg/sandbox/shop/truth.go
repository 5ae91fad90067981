package shop

import (
	"math"
	"time"
)

// Truth is what really was in the shop, which no record tells.
type Truth struct {
	// Customers are those who bought, in the order of their first purchase.
	Customers []Customer
	byID      map[string]int
}

// Customer is the truth of one customer.
type Customer struct {
	ID       string
	Referrer string    // whose referral brought it, "" for none
	Arrived  time.Time // first purchase
	Died     time.Time // zero: not lost within the simulated time. Under MBG/NBD it is the moment of a purchase
	Orders   []Order   // in order of time

	Rate         float64 // purchases a week while alive; same-day orders come on top
	Dropout      float64 // MBG/NBD: probability of being lost after a purchase
	Loss         float64 // Pareto/NBD: losses a week
	MeanOrder    float64 // expected value of an order in minor units
	Satisfaction float64 // standard normal over the population
}

// Order is the truth of one order, as of the end of the simulated time. Money is in minor units.
type Order struct {
	ID         string
	At         time.Time
	Total, Net int64 // Net: refunds taken off, 0 when cancelled
	Refunds    int
	Cancelled  bool
	SameDay    bool // follows another order on its day, and is no purchase of the model's process
}

// Customer finds a customer.
func (t *Truth) Customer(id string) (Customer, bool) {
	i, ok := t.byID[id]
	if !ok {
		return Customer{}, false
	}
	return t.Customers[i], true
}

// Alive says whether the customer has come and is not yet lost.
func (c Customer) Alive(at time.Time) bool {
	return !at.Before(c.Arrived) && (c.Died.IsZero() || at.Before(c.Died))
}

// Expected is the number of purchases that were truly to be expected of the customer within a horizon from a moment,
// for somebody who knew everything but the future: 0 for one who is not alive.
func (c Customer) Expected(from time.Time, horizon time.Duration) float64 {
	if !c.Alive(from) {
		return 0
	}
	weeks := horizon.Hours() / (7 * 24)
	switch {
	case c.Loss > 0: // the rate, while an exponential lifetime lasts
		return c.Rate * -math.Expm1(-c.Loss*weeks) / c.Loss
	case c.Dropout > 0: // purchases of a process that each one ends with this probability
		return -math.Expm1(-c.Rate*c.Dropout*weeks) / c.Dropout
	default:
		return c.Rate * weeks
	}
}

// Purchases counts the purchases of the model's process that really happened from one moment until before another:
// orders, those that follow another on the same day left out.
func (c Customer) Purchases(from, until time.Time) int {
	n := 0
	for _, o := range c.Orders {
		if !o.SameDay && !o.At.Before(from) && o.At.Before(until) {
			n++
		}
	}
	return n
}

// What follows records a life. A nil Truth records nothing.

func (t *Truth) arrive(r *run, c, referrer *customer) {
	if t == nil {
		return
	}
	known := Customer{
		ID: c.id, Arrived: moment(r.now), Rate: c.rate * week, Dropout: c.dropout, Loss: c.loss * week,
		MeanOrder:    r.pop.P / c.spend * priceLevel(r.unit.Code) * math.Pow10(r.unit.Decimals),
		Satisfaction: c.satisfaction,
	}
	if referrer != nil {
		known.Referrer = referrer.id
	}
	if c.died > 0 && c.died < r.end {
		known.Died = moment(c.died)
	}
	c.known = len(t.Customers)
	t.byID[c.id] = c.known
	t.Customers = append(t.Customers, known)
}

func (t *Truth) die(c *customer) {
	if t != nil {
		t.Customers[c.known].Died = moment(c.died)
	}
}

func (t *Truth) order(c *customer, o *order, sameDay bool) int {
	if t == nil {
		return 0
	}
	known := &t.Customers[c.known]
	known.Orders = append(known.Orders, Order{ID: o.id, At: moment(o.at), Total: o.total, Net: o.total, SameDay: sameDay})
	return len(known.Orders) - 1
}

func (t *Truth) cancel(c *customer, o *order) {
	if t != nil {
		known := &t.Customers[c.known].Orders[o.known]
		known.Net, known.Cancelled = 0, true
	}
}

func (t *Truth) refund(c *customer, o *order, amount int64) {
	if t != nil {
		known := &t.Customers[c.known].Orders[o.known]
		known.Net -= amount
		known.Refunds++
	}
}

func moment(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
