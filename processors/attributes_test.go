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

var attributeNames = []string{"plan", "region", "size"}

// drawAttributes draws what an event states, from few texts, so that statements tie, and in any order, as if the setting changed.
func drawAttributes(t *rapid.T) (all []*ledger.Attribute) {
	for _, name := range rapid.Permutation(attributeNames).Draw(t, "attributes") {
		if text := rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, name); text != "" {
			all = append(all, &ledger.Attribute{Name: name, Text: text})
		}
	}
	return all
}

// recountAttribute sorts all events that state an attribute, and takes the latest.
func recountAttribute(name string, events []*ledger.Event) string {
	text := func(e *ledger.Event) string {
		i := slices.IndexFunc(e.Attributes, func(a *ledger.Attribute) bool { return a.Name == name })
		if i < 0 {
			return ""
		}
		return e.Attributes[i].Text
	}
	place := func(e *ledger.Event) uint64 { // of what happened at once: the first bits of the hash of the order, or of the event
		return xxhash.Sum64String(cmp.Or(e.GetPurchase().GetOrderId(), e.Id)) >> 48
	}
	stated := slices.DeleteFunc(slices.Clone(events), func(e *ledger.Event) bool { return text(e) == "" })
	if len(stated) == 0 {
		return ""
	}
	return text(slices.MaxFunc(stated, func(a, b *ledger.Event) int {
		return cmp.Or(cmp.Compare(a.OccurredAt, b.OccurredAt), cmp.Compare(place(a), place(b)), cmp.Compare(a.GetPurchase().GetUpdatedAt(), b.GetPurchase().GetUpdatedAt()), cmp.Compare(text(a), text(b)))
	}))
}

func (w *world) attribute(id, name string) string {
	return w.parts[w.partitionOf(id)].state.Attribute(w.state(id), name)
}

func stating(e *ledger.Event, pairs ...string) *ledger.Event {
	for i := 0; i < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, &ledger.Attribute{Name: pairs[i], Text: pairs[i+1]})
	}
	return e
}

// A name that the setting gives up keeps what was known, and goes on when it comes back, whatever was named in between and in which order.
func TestAttributeThatLeavesAndComesBack(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.event("c", stating(purchase("1", 100, start), "plan", "pro", "region", "north"))
	w.event("c", stating(purchase("2", 100, start+day), "size", "small", "region", "south"))
	w.event("other", stating(engagement("visit", siteVisit, start+day), "size", "large"))
	require.Equal(t, []string{"pro", "south", "small"}, []string{w.attribute("c", "plan"), w.attribute("c", "region"), w.attribute("c", "size")})
	require.Equal(t, []string{"", "", "large"}, []string{w.attribute("other", "plan"), w.attribute("other", "region"), w.attribute("other", "size")})
	w.event("c", stating(engagement("visit", siteVisit, start+2*day), "region", "east", "plan", "free"))
	w.event("c", stating(purchase("3", 100, start+day/2), "plan", "late", "colour", "red"))
	require.Equal(t, []string{"free", "east", "small", "red"}, []string{w.attribute("c", "plan"), w.attribute("c", "region"), w.attribute("c", "size"), w.attribute("c", "colour")})
	require.Empty(t, w.attribute("c", "never"))
	w.erase("c", start+3*day)
	w.event("c", purchase("4", 100, start+4*day))
	require.Empty(t, w.attribute("c", "plan"))
}

// A partition tells so many texts of an attribute apart, in the order of the ledger, and so many attributes.
func TestAttributesAreBounded(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	for i := range trait.MaxTexts + 2 {
		id, text := fmt.Sprint("customer-", i), fmt.Sprint("region-", i)
		w.event(id, stating(purchase("1", 100, start), "plan", "pro", "region", text))
		want := text
		if i >= trait.MaxTexts {
			want = trait.Other
		}
		require.Equal(t, want, w.attribute(id, "region"))
		require.Equal(t, "pro", w.attribute(id, "plan"), "each attribute has texts of its own")
	}
	for i := range trait.MaxAttributes {
		w.event("c", stating(purchase(fmt.Sprint(i), 100, start+int64(i)), fmt.Sprint("name-", i), "x"))
	}
	require.Equal(t, "x", w.attribute("c", fmt.Sprint("name-", trait.MaxAttributes-3)), "two names are of before")
	require.Empty(t, w.attribute("c", fmt.Sprint("name-", trait.MaxAttributes-2)))
	w.event("customer-7", stating(purchase("2", 100, start+1), "region", "region-8"))
	require.Equal(t, "region-8", w.attribute("customer-7", "region"))
}

// What is refused states nothing.
func TestAttributesOfRefusedPurchases(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	e := stating(purchase("1", 10, start), "plan", "no rate")
	e.Purchase.Currency = "XTS"
	w.event("c", fact(e))
	require.Empty(t, w.attribute("c", "plan"))
	w.event("c", fact(stating(purchase("2", 10, start), "plan", "pro")))
	again := stating(purchase("2", 20, start), "plan", "zzz: the order was told before")
	again.Id = "again"
	w.event("c", fact(again))
	require.Equal(t, "pro", w.attribute("c", "plan"))
}
