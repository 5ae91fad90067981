package onehistory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/event"
)

// fact is something that happened, whoever reports it.
type fact struct {
	customer string // "": nobody in particular
	id       string // of the order, or of the response
	currency string
	country  string
	// In minor units of the currency.
	total, tax, shipping, refunded int64
	cancelled                      bool
	at, updated                    time.Time // updated is zero if it is not stated
	refund                         string    // id of a refund that is an event of its own
	referrer                       string
	event, survey, comment         string // of a response: event_id, survey_id
	score                          int
}

// list is facts of one sort, which are reported together.
type list struct {
	what  string // one of kinds
	says  says
	facts []fact
}

// kinds are the sorts of facts, and the events that they are.
var kinds = map[string]event.Kind{
	"order": event.Purchase, // a snapshot
	"sale":  event.Purchase, "refund": event.Cancellation, "cancel": event.Cancellation, "referral": event.Referral, "response": event.Survey,
}

// says is what all facts of a list state, beyond what all reporters state. Not every form can, or can leave it out.
type says struct {
	numbers  bool // customers are numbers, and not names
	amounts  bool // tax, shipping and the country
	none     bool // that nothing was paid back
	refundAt bool // when it was
	cancelAt bool // when an order was cancelled
	updated  bool // when a sale or a response was told last
	timed    bool // when it occurred: all but referrals always do
}

var decimals = map[string]int{"EUR": 2, "JPY": 0, "KWD": 3}

// amount writes minor units.
func amount(minor int64, decimals int) string {
	text := fmt.Sprintf("%0*d", decimals+1, minor)
	if decimals == 0 {
		return text
	}
	return text[:len(text)-decimals] + "." + text[len(text)-decimals:]
}

func (f *fact) amount(minor int64) string { return amount(minor, decimals[f.currency]) }

// history draws what happened, sort by sort. Nothing in it contradicts itself.
func history(t *rapid.T) []list {
	numbers := rapid.Bool().Draw(t, "numbers")
	people := []string{"Ada@Example.com", "ada@example.com", "bo-2", "سارا"}
	if numbers {
		people = []string{"7", "31", "900719925474099312", "18014398509481984"}
	}
	currencies := []string{"EUR"}
	if rapid.Bool().Draw(t, "currencies") {
		currencies = []string{"EUR", "JPY", "KWD"}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	moment := func() time.Time {
		return start.Add(time.Duration(rapid.Int64Range(0, 300*86_400).Draw(t, "at")) * time.Second)
	}
	say := func() says {
		b := func(label string) bool { return rapid.Bool().Draw(t, label) }
		return says{numbers, b("amounts"), b("none"), b("refund at"), b("cancel at"), b("updated"), true}
	}
	bought := func(prefix int, s says) fact {
		f := fact{
			customer: rapid.SampledFrom(append([]string{""}, people...)).Draw(t, "customer"), id: strconv.Itoa(prefix), at: moment(),
			currency: rapid.SampledFrom(currencies).Draw(t, "currency"), total: rapid.Int64Range(1, 1<<30).Draw(t, "total"),
		}
		if s.amounts {
			f.tax, f.shipping = rapid.Int64Range(0, f.total/2).Draw(t, "tax"), rapid.Int64Range(0, f.total/2).Draw(t, "shipping")
			f.country = rapid.SampledFrom([]string{"DE", "IR"}).Draw(t, "country")
		}
		return f
	}
	orders := list{what: "order", says: say()}
	orders.says.updated = true
	for i := range rapid.IntRange(0, 4).Draw(t, "orders") {
		f := bought(1<<50+i, orders.says)
		f.updated = f.at
		for range rapid.IntRange(1, 2).Draw(t, "snapshots") {
			f.updated = f.updated.Add(time.Duration(rapid.Int64Range(1, 1<<20).Draw(t, "later")) * time.Second)
			if rapid.Bool().Draw(t, "paid back") {
				f.refunded = rapid.Int64Range(f.refunded, f.total).Draw(t, "in all")
			} else if orders.says.none {
				f.refunded = 0
			}
			f.cancelled = rapid.IntRange(0, 4).Draw(t, "cancelled") == 0
			orders.facts = append(orders.facts, f)
		}
	}
	sales := list{what: "sale", says: say()}
	refunds, cancels := list{what: "refund", says: say()}, list{what: "cancel", says: say()}
	for i := range rapid.IntRange(0, 5).Draw(t, "sales") {
		f := bought(1<<51+i, sales.says)
		f.country = ""
		if sales.says.updated {
			f.updated = f.at
		}
		sales.facts = append(sales.facts, f)
		if f.customer == "" {
			continue
		}
		for r := range rapid.IntRange(0, 2).Draw(t, "refunds") {
			refunds.facts = append(refunds.facts, fact{
				customer: f.customer, id: f.id, currency: f.currency, at: moment(), refund: fmt.Sprint("r-", i, "-", r), total: rapid.Int64Range(1, f.total).Draw(t, "refund"),
			})
		}
		if rapid.IntRange(0, 4).Draw(t, "cancelled") == 0 {
			cancels.facts = append(cancels.facts, fact{customer: f.customer, id: f.id, at: moment()})
		}
	}
	referrals, responses := list{what: "referral", says: say()}, list{what: "response", says: say()}
	referrals.says.timed = rapid.Bool().Draw(t, "timed")
	for i, customer := range people {
		referrer := rapid.SampledFrom(people).Draw(t, "referrer")
		if rapid.Bool().Draw(t, "referred") && !strings.EqualFold(referrer, customer) {
			referrals.facts = append(referrals.facts, fact{customer: customer, referrer: referrer, at: moment()})
		}
		if rapid.Bool().Draw(t, "answers") {
			f := fact{customer: customer, id: fmt.Sprint("a-", i), event: fmt.Sprint("e-", i), at: moment(), score: rapid.IntRange(0, 10).Draw(t, "score")}
			f.comment = rapid.SampledFrom([]string{"", "Too late", `"Schön", says Bo`}).Draw(t, "comment")
			if responses.says.updated {
				f.updated = f.at.Add(time.Hour)
			} else {
				f.survey = "nps-2026"
			}
			responses.facts = append(responses.facts, f)
		}
	}
	return slices.DeleteFunc([]list{orders, sales, refunds, cancels, referrals, responses}, func(l list) bool { return len(l.facts) == 0 })
}

// own is a fact in Mainstay's own words: its members are texts, numbers, times and, of refunds, objects.
func (l *list) own(f *fact) map[string]any {
	m := map[string]any{"customer_id": f.customer, "occurred_at": f.at}
	if f.customer == "" {
		m["customer_id"] = "Guest"
	}
	number := func(minor int64) json.Number { return json.Number(f.amount(minor)) }
	switch l.what {
	case "order", "sale":
		maps.Copy(m, map[string]any{"order_id": f.id, "total": number(f.total), "currency": f.currency})
		if l.says.amounts {
			m["tax"], m["shipping"] = number(f.tax), number(f.shipping)
		}
		if f.country != "" {
			m["country"] = f.country
		}
		if !f.updated.IsZero() {
			m["updated_at"] = f.updated
		}
		if l.what == "sale" {
			break
		}
		m["status"] = "paid"
		switch {
		case f.cancelled && l.says.cancelAt:
			m["cancelled_at"] = f.updated
		case f.cancelled:
			m["status"] = "cancelled"
		}
		refund := map[string]any{"refund_id": f.id, "total": number(f.refunded)}
		if l.says.refundAt {
			refund["occurred_at"] = f.updated
		}
		if f.refunded > 0 {
			m["refunds"] = []any{refund}
		} else if l.says.none {
			m["refunds"] = []any{}
		}
	case "refund":
		maps.Copy(m, map[string]any{"kind": "refund", "refund_id": f.refund, "order_id": f.id, "total": number(f.total), "currency": f.currency})
	case "cancel":
		maps.Copy(m, map[string]any{"kind": "order", "order_id": f.id})
	case "referral":
		delete(m, "customer_id")
		maps.Copy(m, map[string]any{"referrer_customer_id": f.referrer, "referred_customer_id": f.customer, "status": "approved"})
		if !l.says.timed {
			delete(m, "occurred_at")
		}
	case "response":
		maps.Copy(m, map[string]any{"event_id": f.event, "response_id": f.id, "score": json.Number(strconv.Itoa(f.score)), "created_at": f.at})
		if f.comment != "" {
			m["comment"] = f.comment
		}
		if f.survey != "" {
			m["survey_id"] = f.survey
		}
		if !f.updated.IsZero() {
			m["updated_at"] = f.updated
		}
	}
	return m
}

// answers are what is recounted of a customer.
type answers struct{ orders, historic, responses int64 }

// recount counts a history without the code under test. A minor unit of each currency is worth one of the base currency.
func recount(all []list, o *event.Options) map[string]answers {
	type order struct {
		fact
		net  int64
		done bool // cancelled, or paid back in full
	}
	orders, counted := map[string]*order{}, map[string]answers{}
	for _, l := range all {
		for _, f := range l.facts {
			if f.customer == "" {
				continue
			}
			if o.Normalise == event.NormaliseLower {
				f.customer = strings.ToLower(f.customer)
			}
			switch known := orders[f.id]; l.what {
			case "order", "sale":
				net := f.total
				if o.Total == event.TotalWithoutTax || o.Total == event.TotalWithoutTaxAndShipping {
					net -= f.tax
				}
				if o.Total == event.TotalWithoutShipping || o.Total == event.TotalWithoutTaxAndShipping {
					net -= f.shipping
				}
				if known == nil || f.updated.After(known.updated) {
					orders[f.id] = &order{f, max(0, net-f.refunded), f.cancelled || f.refunded > 0 && f.refunded >= net}
				}
			case "refund":
				known.net = max(0, known.net-f.total)
				known.done = known.done || known.net == 0
			case "cancel":
				known.done = true
			case "response":
				of := counted[f.customer]
				of.responses++
				counted[f.customer] = of
			}
		}
	}
	for _, o := range orders {
		if of := counted[o.customer]; !o.done {
			of.orders, of.historic = of.orders+1, of.historic+o.net
			counted[o.customer] = of
		}
	}
	return counted
}
