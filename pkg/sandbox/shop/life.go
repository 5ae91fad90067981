package shop

import (
	"math"
	"math/rand/v2"
	"strconv"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// run is one simulation of the shop. Everything happens through the schedule, at whole seconds.
type run struct {
	*Shop
	schedule
	now, end, lastArrival int64
	places                int        // customers who may still arrive
	arrivals              *rand.Rand // when customers arrive without a referral
	numbered, orders      int        // customers and orders numbered so far
	events, messages      int
	yield                 func(Event) bool
	stopped               bool
	groundTruth           *GroundTruth // nil: events are emitted and nothing is recorded
}

// customer is a person who has bought, or has been invited to.
type customer struct {
	traits
	id           string
	rng          *rand.Rand // one per customer, so that customers do not depend on each other
	lostAt       int64      // ParetoNBD: drawn at the first purchase; MBGNBD: 0 until it happens
	lastSurvey   int64
	subscription string
	code         string // the referral code under which they arrived
	index        int    // index in the ground truth
}

// order is a purchase as far as its refunds and cancellation need it.
type order struct {
	id    string
	at    int64
	total int64 // minor units
	index int   // index in the customer of the ground truth
}

func newRun(s *Shop, yield func(Event) bool, groundTruth *GroundTruth) *run {
	start := s.cfg.Start.Unix()
	length := int64(s.cfg.Days) * day
	return &run{
		Shop: s, now: start, end: start + length, lastArrival: start + length/4*3,
		places: s.cfg.Customers, arrivals: source(s.cfg.Seed, 0), yield: yield, groundTruth: groundTruth,
	}
}

// source returns the random numbers of customer n, or of the arrivals (0): the seed and n well mixed, since generators that
// start from neighbouring states are alike at first.
func source(seed uint64, n int) *rand.Rand {
	z := seed ^ (uint64(n)+1)*0x9e3779b97f4a7c15 //nolint:gosec // n >= 0
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return rand.New(rand.NewPCG(seed, z^z>>31)) //nolint:gosec // simulation, not secrecy
}

// play runs the simulation until its end, or until the consumer of events stops.
func (r *run) play() {
	r.nextArrival()
	for r.Len() > 0 && !r.stopped {
		p := r.next()
		if p.at >= r.end {
			return
		}
		r.now = p.at
		p.run()
	}
}

// after plans a step, unless it is beyond the end. The float guards against delays beyond all integers.
func (r *run) after(seconds float64, do func()) {
	if at := float64(r.now) + seconds; at < float64(r.end) {
		r.plan(int64(at), do)
	}
}

// nextArrival plans the next customer who arrives without a referral: the least of as many uniform times as there are places
// left. A referred customer takes one of the places, so that all together come to Config.Customers.
func (r *run) nextArrival() {
	if r.places == 0 {
		return
	}
	u := 1 - r.arrivals.Float64()
	gap := float64(r.lastArrival-r.now) * -math.Expm1(math.Log(u)/float64(r.places))
	r.after(gap, func() {
		if r.places > 0 {
			r.arrive(r.person(), nil)
			r.nextArrival()
		}
	})
}

func (r *run) person() *customer {
	r.numbered++
	rng := source(r.cfg.Seed, r.numbered)
	c := &customer{traits: r.pop.draw(rng), id: "c-" + strconv.Itoa(r.numbered), rng: rng}
	if r.chance(c, r.mix.Subscription) {
		c.subscription = "sub-" + strconv.Itoa(r.numbered)
	}
	return c
}

func (r *run) chance(c *customer, share float64) bool { return c.rng.Float64() < share }

// between returns a delay from one bound to the other, in seconds.
func between(c *customer, from, to float64) float64 { return from + float64((to-from)*c.rng.Float64()) }

func (r *run) arrive(c, referrer *customer) {
	r.places--
	if r.pop.Model == ParetoNBD {
		c.lostAt = r.now + int64(math.Min(c.rng.ExpFloat64()/c.loss, 1e12))
	}
	r.groundTruth.arrive(r, c, referrer)
	r.purchase(c)
}

// purchase places an order, plans its consequences, and plans the next purchase unless the customer is lost.
func (r *run) purchase(c *customer) {
	r.order(c, false)
	if r.chance(c, r.mix.SameDay) {
		left := float64(day - r.now%day)
		r.after(between(c, 5*minute, 6*hour)*left/day, func() { r.order(c, true) })
	}
	if r.pop.Model == MBGNBD && r.chance(c, c.dropout) {
		c.lostAt = r.now
		r.groundTruth.lose(c)
	}
	r.survey(c)
	r.refer(c)
	wait := c.rng.ExpFloat64() / c.rate
	if left := float64(day - r.now%day); wait < left {
		wait += left // tomorrow: a day is the model's unit, on which one buys or does not
	}
	switch {
	case c.lostAt == r.now:
		r.cancelLater(c)
	case c.lostAt > 0 && float64(r.now)+wait >= float64(c.lostAt):
		r.after(float64(c.lostAt-r.now), func() { r.cancelLater(c) })
	default:
		r.after(wait, func() { r.purchase(c) })
	}
}

func (r *run) order(c *customer, sameDay bool) {
	r.orders++
	units := r.pop.order(c.traits, c.rng) * priceLevel(r.unit.Code)
	o := &order{
		id: strconv.Itoa(100_000 + r.orders), at: r.now,
		total: max(1, int64(math.Round(units*math.Pow10(r.unit.Decimals)))),
	}
	o.index = r.groundTruth.order(c, o, sameDay)
	r.emitPurchase(c, o)
	switch u := c.rng.Float64(); {
	case u < r.mix.Cancel:
		r.after(between(c, 10*minute, day), func() {
			r.groundTruth.cancel(c, o)
			r.emitOrderCancelled(c, o)
		})
	case u < r.mix.Cancel+r.mix.Refund:
		r.refund(c, o)
	}
}

// refund refunds an order in full, in part, or in two parts.
func (r *run) refund(c *customer, o *order) {
	parts := []int64{o.total}
	if !r.chance(c, .4) {
		parts[0] = max(1, int64(float64(o.total)*between(c, .1, .6)))
		if second := parts[0] / 2; second > 0 && r.chance(c, .2) {
			parts = append(parts, second)
		}
	}
	wait := between(c, day, 21*day)
	for i, amount := range parts {
		r.after(wait+float64(i)*between(c, hour, 5*day), func() {
			r.groundTruth.refund(c, o, amount)
			r.emitRefund(c, o, i+1, amount)
		})
	}
}

// survey asks a few days after an order, at most once in 30 days. Customers who have just been lost answer with a lower score.
func (r *run) survey(c *customer) {
	asked := r.now-c.lastSurvey >= 30*day && r.chance(c, r.mix.Survey)
	if !asked || !r.chance(c, c.responds) {
		return
	}
	c.lastSurvey = r.now
	opinion := c.satisfaction
	if c.lostAt == r.now {
		opinion -= .75
	}
	opinion += float64(.3 * c.rng.NormFloat64())
	kind, score := "nps", int(math.Round(min(10, max(0, 7.6+2*opinion))))
	if r.chance(c, .1) {
		kind, score = "csat", int(math.Round(min(5, max(1, 3.8+opinion))))
	}
	r.messages++
	response := "resp-" + strconv.Itoa(r.messages)
	r.after(between(c, 2*day, 5*day), func() {
		created := r.now
		r.emitSurvey(c, response, kind, score, created, false)
		if r.chance(c, .08) {
			r.after(between(c, hour, 3*day), func() { r.emitSurvey(c, response, kind, max(1, score-1), created, true) })
		}
	})
}

// refer refers a friend, who may arrive later: the referral event comes before their first order.
func (r *run) refer(c *customer) {
	if !r.chance(c, min(.5, r.mix.Referral*math.Exp(.8*c.satisfaction))) {
		return
	}
	r.after(between(c, hour, 3*day), func() {
		friend := r.person()
		friend.code = "code-" + c.id
		r.messages++
		referral := "ref-" + strconv.Itoa(r.messages)
		r.emitReferral(c, friend, referral, "pending")
		accepts, wait := r.chance(c, .6), between(c, day, 14*day)
		r.after(wait, func() {
			if accepts && r.places > 0 {
				r.arrive(friend, c)
				r.after(minute, func() { r.emitReferral(c, friend, referral, "approved") })
				return
			}
			r.after(16*day, func() { r.emitReferral(c, friend, referral, "voided") })
		})
	})
}

// cancelLater plans the cancellations of a lost customer. Most lost customers emit nothing.
func (r *run) cancelLater(c *customer) {
	if c.subscription != "" {
		r.after(between(c, day, 30*day), func() { r.emitSubscriptionCancelled(c) })
	}
	if r.chance(c, r.mix.Account) {
		r.after(between(c, day, 30*day), func() { r.emitAccountCancelled(c) })
	}
}
