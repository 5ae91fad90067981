package processors_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// drawDetails draws the details of a purchase, from few texts, so that statements tie.
func drawDetails(t *rapid.T) *ledger.PurchaseDetails {
	text := func(label string, among ...string) string {
		return rapid.SampledFrom(append(among, "")).Draw(t, label)
	}
	d := &ledger.PurchaseDetails{
		Channel: text("channel", "web", "store"), Country: text("country", "DE", "FR"), Coupon: text("coupon", "", "", "TEN"),
		SubscriptionId: text("subscription", "", "", "s-1"), LoyaltyMemberStated: rapid.Bool().Draw(t, "member stated"),
	}
	d.LoyaltyMember = d.LoyaltyMemberStated && rapid.Bool().Draw(t, "member")
	if source := text("source", "ads", "newsletter"); source != "" {
		d.Acquisition = &ledger.Acquisition{Source: source, Medium: "m", Campaign: "c", HowHeard: text("how heard", "friend", "press")}
	}
	for range rapid.IntRange(0, 3).Draw(t, "products") {
		d.Products = append(d.Products, &ledger.Product{
			ProductId: "p", Category: text("category", "Kitchen", "Garden"), Brand: text("brand", "Nord"),
			Net: rapid.Int64Range(0, 3).Draw(t, "net"),
		})
	}
	return d
}

// statedTrait returns what an event states of a trait; empty: nothing.
func statedTrait(name string, d *ledger.PurchaseDetails) (text string) {
	dearest := func(of func(p *ledger.Product) string) (text string) {
		for net := int64(3); net >= 0 && text == ""; net-- {
			for _, p := range d.Products {
				if p.Net == net && text == "" {
					text = of(p)
				}
			}
		}
		return text
	}
	switch name {
	case "category":
		return dearest(func(p *ledger.Product) string { return p.Category })
	case "brand":
		return dearest(func(p *ledger.Product) string { return p.Brand })
	case "channel", "first_channel":
		return d.Channel
	case "source":
		return d.GetAcquisition().GetSource()
	case "how_heard":
		return d.GetAcquisition().GetHowHeard()
	case "country":
		return d.Country
	case "membership":
		if d.LoyaltyMemberStated {
			return map[bool]string{true: "yes", false: "no"}[d.LoyaltyMember]
		}
	case "coupon":
		if d.Coupon != "" {
			return "yes"
		}
	case "subscription":
		if d.SubscriptionId != "" {
			return "yes"
		}
	}
	return ""
}

// recountTrait sorts all that is stated of a trait, and takes the first.
func recountTrait(name string, events []*ledger.Event) string {
	latest := slices.Contains([]string{"channel", "country", "membership"}, name)
	var stated []*ledger.Event
	for _, e := range events {
		if e.PurchaseDetails != nil && statedTrait(name, e.PurchaseDetails) != "" {
			stated = append(stated, e)
		}
	}
	if len(stated) == 0 {
		return ""
	}
	slices.SortFunc(stated, func(a, b *ledger.Event) int {
		when := cmp.Or(cmp.Compare(a.OccurredAt, b.OccurredAt), cmp.Compare(xxhash.Sum64String(a.Purchase.OrderId), xxhash.Sum64String(b.Purchase.OrderId)))
		if latest {
			when = -when
		}
		return cmp.Or(when, cmp.Compare(b.Purchase.UpdatedAt, a.Purchase.UpdatedAt), cmp.Compare(statedTrait(name, b.PurchaseDetails), statedTrait(name, a.PurchaseDetails)))
	})
	return statedTrait(name, stated[0].PurchaseDetails)
}

// requireTraits requires the traits and attributes of a recount.
func requireTraits(t *rapid.T, w *world, id string, events []*ledger.Event) {
	for k := range trait.Traits {
		require.Equal(t, recountTrait(k.String(), events), w.trait(id, k), "%s of %s", k, id)
	}
	for _, name := range attributeNames {
		require.Equal(t, recountAttribute(name, events), w.attribute(id, name), "attribute %s of %s", name, id)
	}
}

func (w *world) trait(id string, k trait.Trait) string {
	return w.parts[w.partitionOf(id)].state.Trait(w.state(id), k)
}

// What purchases that are refused state is no trait, and neither is what cannot be read.
func TestTraitsOfRefusedPurchases(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	buy := func(order, id, currency, channel string, total int64) {
		e := purchase(order, total, start)
		e.Id, e.Purchase.Currency, e.PurchaseDetails = id, currency, &ledger.PurchaseDetails{Channel: channel}
		w.event("c", fact(e))
	}
	buy("1", "1", "XTS", "no rate", 10)
	require.Empty(t, w.trait("c", trait.Channel))
	buy("2", "2", "EUR", "web", 10)
	buy("2", "3", "EUR", "zzz: the order was told before", 20)
	require.Equal(t, "web", w.trait("c", trait.Channel))
}

// A partition tells so many texts apart, in the order of the ledger. Erased customers leave theirs behind, and have none if they come again.
func TestTextsAreBounded(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	buy := func(i int) string {
		id := fmt.Sprint("customer-", i)
		e := purchase("1", 100, start)
		e.PurchaseDetails = &ledger.PurchaseDetails{Country: fmt.Sprint("country-", i)}
		w.event(id, e)
		return id
	}
	for i := range trait.MaxTexts + 1 {
		id := buy(i)
		want := fmt.Sprint("country-", i)
		if i == trait.MaxTexts {
			want = trait.Other
		}
		require.Equal(t, want, w.trait(id, trait.Country))
	}
	require.Equal(t, "country-7", w.trait("customer-7", trait.Country), "numbers of others were added since")
	w.erase("customer-7", start+1)
	w.event("customer-7", purchase("2", 100, start+2))
	require.Empty(t, w.trait("customer-7", trait.Country))
	w.erase("customer-8", start+3)
	e := purchase("2", 100, start+4)
	e.PurchaseDetails = &ledger.PurchaseDetails{Country: "country-8"}
	w.event("customer-8", e)
	require.Equal(t, "country-8", w.trait("customer-8", trait.Country), "the text has kept its place")
}
