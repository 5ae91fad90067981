package shop

import (
	"strconv"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
)

// fact is an event before it is encoded.
type fact struct {
	kind     event.Kind
	key      string // "" for none
	customer string
	at       int64
	source   string
	body     []field
}

// field is a member of a JSON object. Its value is JSON already.
type field struct{ name, value string }

// text quotes the shop's own names and codes, all plain ASCII, for which Go's quoting is JSON's.
func text(name, value string) field { return field{name, strconv.Quote(value)} }

func number(name string, value int) field { return field{name, strconv.Itoa(value)} }

func at(name string, seconds int64) field { return text(name, rfc3339(seconds)) }

func rfc3339(seconds int64) string { return utc(seconds).Format(time.RFC3339) }

func (r *run) amount(name string, minor int64) field {
	return field{name, string(r.unit.Append(nil, minor))}
}

func (r *run) emitPurchase(c *customer, o *order) {
	u := c.rng.Float64()
	channel := "web"
	switch {
	case u < .2:
		channel = "app"
	case u < .3:
		channel = "store"
	case u < .33:
		channel = "phone"
	}
	tax := o.total / 6 // included at 20%
	body := []field{
		text("order_id", o.id), r.amount("total", o.total), text("currency", r.unit.Code),
		r.amount("subtotal", o.total-tax), r.amount("tax", tax), text("channel", channel),
	}
	if c.code != "" {
		body = append(body, text("referral_code", c.code))
		c.code = "" // emitted with the first order only
	}
	sku := "sku-" + strconv.Itoa(1+c.rng.IntN(500))
	body = append(body, field{"products", `[{"product_id":"` + sku + `","price":` +
		r.amount("", o.total-tax).value + `,"quantity":1}]`})
	r.emitFact(c, fact{kind: event.Purchase, key: c.id, customer: c.id, at: o.at, source: channel, body: body})
}

func (r *run) emitOrderCancelled(c *customer, o *order) {
	reasons := []string{"customer", "inventory", "declined", "fraud"}
	r.emitCancellation(c, o.id, text("kind", "order"), text("order_id", o.id),
		text("cancel_reason", reasons[c.rng.IntN(len(reasons))]))
}

func (r *run) emitRefund(c *customer, o *order, part int, amount int64) {
	r.emitCancellation(c, o.id, text("kind", "refund"), text("refund_id", o.id+"-"+strconv.Itoa(part)),
		text("order_id", o.id), r.amount("total", amount), text("currency", r.unit.Code))
}

func (r *run) emitSubscriptionCancelled(c *customer) {
	r.emitCancellation(c, c.id, text("kind", "subscription"), text("subscription_id", c.subscription),
		at("effective_at", r.now+30*day), text("cancel_reason", "price"))
}

func (r *run) emitAccountCancelled(c *customer) {
	r.emitCancellation(c, c.id, text("kind", "account"), at("effective_at", r.now), text("cancel_reason", "customer"))
}

func (r *run) emitCancellation(c *customer, key string, body ...field) {
	r.emitFact(c, fact{
		kind: event.Cancellation, key: key, customer: c.id, at: r.now, source: "back-office", body: body,
	})
}

func (r *run) emitReferral(referrer, friend *customer, referral, status string) {
	r.emitFact(friend, fact{
		kind: event.Referral, key: referral, at: r.now, source: "referrals",
		body: []field{
			text("referral_id", referral), text("referral_code", "code-"+referrer.id),
			text("referrer_customer_id", referrer.id), text("referred_customer_id", friend.id), text("status", status),
		},
	})
}

func (r *run) emitSurvey(c *customer, response, kind string, score int, created int64, update bool) {
	body := []field{
		text("response_id", response), text("survey_id", "after-order"), text("survey_type", kind),
		number("score", score), at("created_at", created),
	}
	if update {
		body = append(body, at("updated_at", r.now))
	}
	r.emitFact(c, fact{kind: event.Survey, customer: c.id, at: r.now, source: "surveys", body: body})
}

// emitFact chooses in which form, when and how often a fact is emitted. It draws the same random numbers without a consumer.
func (r *run) emitFact(c *customer, f fact) {
	r.events++
	form, late, twice := c.rng.Float64(), r.chance(c, r.mix.Late), r.chance(c, r.mix.Duplicate)
	lag, again := between(c, hour, 5*day), between(c, 1, 2*hour)
	if r.yield == nil {
		return
	}
	e := r.encode(f, form)
	if late {
		r.emitAt(e, r.now+int64(lag))
	} else {
		r.emitAt(e, r.now)
	}
	if twice {
		r.emitAt(e, r.now+int64(lag+again))
	}
}

// emitAt emits an event at a time, at the latest at the end of the simulated time, so that every fact is emitted.
func (r *run) emitAt(e Event, when int64) {
	if when > r.now {
		r.plan(min(when, r.end-1), func() { r.emitAt(e, r.now) })
		return
	}
	e.At = utc(r.now)
	if !r.stopped && !r.yield(e) {
		r.stopped = true
	}
}
