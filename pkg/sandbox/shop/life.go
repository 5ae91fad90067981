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

// run is one life of the shop. Everything in it happens through the agenda, at whole seconds.
type run struct {
	*Shop
	agenda
	now, end, lastArrival int64
	places                int        // customers who may still come
	arrivals              *rand.Rand // when customers come by themselves
	people, orders        int        // numbered so far
	events, letters       int
	yield                 func(Event) bool
	stopped               bool
	truth                 *Truth // nil: the life is told, otherwise it is only recorded
}

// customer is a person who has bought, or has been invited to.
type customer struct {
	nature
	id           string
	rng          *rand.Rand // of one's own, so that a life does not depend on other lives
	died         int64      // ParetoNBD: drawn at the first purchase; MBGNBD: 0 until it happens
	lastSurvey   int64
	subscription string
	code         string // the referral code that brought it
	known        int    // index in the truth
}

// order is a purchase as far as the rest of its life needs it.
type order struct {
	id    string
	at    int64
	total int64 // minor units
	known int   // index in the truth's customer
}

func newRun(s *Shop, yield func(Event) bool, truth *Truth) *run {
	start := s.cfg.Start.Unix()
	length := int64(s.cfg.Days) * day
	return &run{
		Shop: s, now: start, end: start + length, lastArrival: start + length/4*3,
		places: s.cfg.Customers, arrivals: source(s.cfg.Seed, 0), yield: yield, truth: truth,
	}
}

// source is the randomness of person n, or of the arrivals (0): the seed and n well mixed, since generators that
// start from neighbouring states are alike at first.
func source(seed uint64, n int) *rand.Rand {
	z := seed ^ (uint64(n)+1)*0x9e3779b97f4a7c15 //nolint:gosec // n >= 0
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return rand.New(rand.NewPCG(seed, z^z>>31)) //nolint:gosec // simulation, not secrecy
}

// play lives until the end of the simulated time, or until nobody listens.
func (r *run) play() {
	r.nextArrival()
	for r.Len() > 0 && !r.stopped {
		p := r.next()
		if p.at >= r.end {
			return
		}
		r.now = p.at
		p.do()
	}
}

// after plans something, unless it lies beyond the end. The float guards against delays beyond all integers.
func (r *run) after(seconds float64, do func()) {
	if at := float64(r.now) + seconds; at < float64(r.end) {
		r.plan(int64(at), do)
	}
}

// nextArrival plans the next customer who comes by itself: the least of as many uniform moments as there are places
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
	r.people++
	rng := source(r.cfg.Seed, r.people)
	c := &customer{nature: r.pop.draw(rng), id: "c-" + strconv.Itoa(r.people), rng: rng}
	if r.chance(c, r.mix.Subscription) {
		c.subscription = "sub-" + strconv.Itoa(r.people)
	}
	return c
}

func (r *run) chance(c *customer, share float64) bool { return c.rng.Float64() < share }

// between is a moment from one delay to another, in seconds.
func between(c *customer, from, to float64) float64 { return from + float64((to-from)*c.rng.Float64()) }

func (r *run) arrive(c, referrer *customer) {
	r.places--
	if r.pop.Model == ParetoNBD {
		c.died = r.now + int64(math.Min(c.rng.ExpFloat64()/c.loss, 1e12))
	}
	r.truth.arrive(r, c, referrer)
	r.purchase(c)
}

// purchase is the heart of a life: an order, what follows from it, and whether another one will come.
func (r *run) purchase(c *customer) {
	r.order(c, false)
	if r.chance(c, r.mix.SameDay) {
		left := float64(day - r.now%day)
		r.after(between(c, 5*minute, 6*hour)*left/day, func() { r.order(c, true) })
	}
	if r.pop.Model == MBGNBD && r.chance(c, c.dropout) {
		c.died = r.now
		r.truth.die(c)
	}
	r.survey(c)
	r.refer(c)
	wait := c.rng.ExpFloat64() / c.rate
	if left := float64(day - r.now%day); wait < left {
		wait += left // tomorrow: a day is the model's unit, on which one buys or does not
	}
	switch {
	case c.died == r.now:
		r.leave(c)
	case c.died > 0 && float64(r.now)+wait >= float64(c.died):
		r.after(float64(c.died-r.now), func() { r.leave(c) })
	default:
		r.after(wait, func() { r.purchase(c) })
	}
}

func (r *run) order(c *customer, sameDay bool) {
	r.orders++
	units := r.pop.order(c.nature, c.rng) * priceLevel(r.unit.Code)
	o := &order{
		id: strconv.Itoa(100_000 + r.orders), at: r.now,
		total: max(1, int64(math.Round(units*math.Pow10(r.unit.Decimals)))),
	}
	o.known = r.truth.order(c, o, sameDay)
	r.tellPurchase(c, o)
	switch u := c.rng.Float64(); {
	case u < r.mix.Cancel:
		r.after(between(c, 10*minute, day), func() {
			r.truth.cancel(c, o)
			r.tellOrderCancelled(c, o)
		})
	case u < r.mix.Cancel+r.mix.Refund:
		r.refund(c, o)
	}
}

// refund gives all of an order back, or a part of it, or a part in two parts.
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
			r.truth.refund(c, o, amount)
			r.tellRefund(c, o, i+1, amount)
		})
	}
}

// survey asks a few days after an order, at most once in 30 days. Those who have just left say so, if they answer.
func (r *run) survey(c *customer) {
	asked := r.now-c.lastSurvey >= 30*day && r.chance(c, r.mix.Survey)
	if !asked || !r.chance(c, c.answers) {
		return
	}
	c.lastSurvey = r.now
	opinion := c.satisfaction
	if c.died == r.now {
		opinion -= .75
	}
	opinion += float64(.3 * c.rng.NormFloat64())
	kind, score := "nps", int(math.Round(min(10, max(0, 7.6+2*opinion))))
	if r.chance(c, .1) {
		kind, score = "csat", int(math.Round(min(5, max(1, 3.8+opinion))))
	}
	r.letters++
	response := "resp-" + strconv.Itoa(r.letters)
	r.after(between(c, 2*day, 5*day), func() {
		created := r.now
		r.tellSurvey(c, response, kind, score, created, false)
		if r.chance(c, .08) {
			r.after(between(c, hour, 3*day), func() { r.tellSurvey(c, response, kind, max(1, score-1), created, true) })
		}
	})
}

// refer tells a friend, who may come because of it: the cause stands before the effect.
func (r *run) refer(c *customer) {
	if !r.chance(c, min(.5, r.mix.Referral*math.Exp(.8*c.satisfaction))) {
		return
	}
	r.after(between(c, hour, 3*day), func() {
		friend := r.person()
		friend.code = "code-" + c.id
		r.letters++
		referral := "ref-" + strconv.Itoa(r.letters)
		r.tellReferral(c, friend, referral, "pending")
		accepts, wait := r.chance(c, .6), between(c, day, 14*day)
		r.after(wait, func() {
			if accepts && r.places > 0 {
				r.arrive(friend, c)
				r.after(minute, func() { r.tellReferral(c, friend, referral, "approved") })
				return
			}
			r.after(16*day, func() { r.tellReferral(c, friend, referral, "voided") })
		})
	})
}

// leave is what little a shop hears of those who are gone. Most fall silent.
func (r *run) leave(c *customer) {
	if c.subscription != "" {
		r.after(between(c, day, 30*day), func() { r.tellSubscriptionCancelled(c) })
	}
	if r.chance(c, r.mix.Account) {
		r.after(between(c, day, 30*day), func() { r.tellAccountCancelled(c) })
	}
}
