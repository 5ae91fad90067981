package shop

import (
	"math"
	"time"
)

// GroundTruth records the customers and orders of the shop with the parameters that no event states.
type GroundTruth struct {
	// Customers have bought at least once; they are in the order of their first purchase.
	Customers []Customer
	byID      map[string]int
}

// Customer is the ground truth of one customer.
type Customer struct {
	ID       string
	Referrer string    // who referred them; "": nobody
	Arrived  time.Time // first purchase
	LostAt   time.Time // zero: not lost within the simulated time. Under MBG/NBD it is the moment of a purchase
	Orders   []Order   // in order of time

	Rate         float64 // purchases a week while alive; same-day orders come on top
	Dropout      float64 // MBG/NBD: probability of being lost after a purchase
	Loss         float64 // Pareto/NBD: losses a week
	MeanOrder    float64 // expected value of an order in minor units
	Satisfaction float64 // standard normal over the population
}

// Order is the ground truth of one order, as of the end of the simulated time. Money is in minor units.
type Order struct {
	ID         string
	At         time.Time
	Total, Net int64 // Net: refunds taken off, 0 when cancelled
	Refunds    int
	Cancelled  bool
	SameDay    bool // follows another order on its day, and is no purchase of the model's process
}

// Customer returns a customer by id.
func (t *GroundTruth) Customer(id string) (Customer, bool) {
	i, ok := t.byID[id]
	if !ok {
		return Customer{}, false
	}
	return t.Customers[i], true
}

// Alive reports whether the customer has arrived and is not lost.
func (c Customer) Alive(at time.Time) bool {
	return !at.Before(c.Arrived) && (c.LostAt.IsZero() || at.Before(c.LostAt))
}

// Expected returns the expected number of purchases within a horizon, given the customer's true parameters and whether they are
// alive: 0 for a customer who is not.
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

// Purchases counts the purchases of the model's process in [from, until):
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

// The methods below record a simulation. A nil GroundTruth records nothing.

func (t *GroundTruth) arrive(r *run, c, referrer *customer) {
	if t == nil {
		return
	}
	recorded := Customer{
		ID: c.id, Arrived: utc(r.now), Rate: c.rate * week, Dropout: c.dropout, Loss: c.loss * week,
		MeanOrder:    r.pop.P / c.spend * priceLevel(r.unit.Code) * math.Pow10(r.unit.Decimals),
		Satisfaction: c.satisfaction,
	}
	if referrer != nil {
		recorded.Referrer = referrer.id
	}
	if c.lostAt > 0 && c.lostAt < r.end {
		recorded.LostAt = utc(c.lostAt)
	}
	c.index = len(t.Customers)
	t.byID[c.id] = c.index
	t.Customers = append(t.Customers, recorded)
}

func (t *GroundTruth) lose(c *customer) {
	if t != nil {
		t.Customers[c.index].LostAt = utc(c.lostAt)
	}
}

func (t *GroundTruth) order(c *customer, o *order, sameDay bool) int {
	if t == nil {
		return 0
	}
	recorded := &t.Customers[c.index]
	recorded.Orders = append(recorded.Orders, Order{ID: o.id, At: utc(o.at), Total: o.total, Net: o.total, SameDay: sameDay})
	return len(recorded.Orders) - 1
}

func (t *GroundTruth) cancel(c *customer, o *order) {
	if t != nil {
		recorded := &t.Customers[c.index].Orders[o.index]
		recorded.Net, recorded.Cancelled = 0, true
	}
}

func (t *GroundTruth) refund(c *customer, o *order, amount int64) {
	if t != nil {
		recorded := &t.Customers[c.index].Orders[o.index]
		recorded.Net -= amount
		recorded.Refunds++
	}
}

func utc(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
