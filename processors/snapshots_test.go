package processors_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// input is a record of an input topic.
type input struct {
	kind  event.Kind
	at    string // the record's timestamp
	value string
}

// permutations calls each with every order of n things.
func permutations(n int, each func(order []int)) {
	var add func(order []int)
	add = func(order []int) {
		if len(order) == n {
			each(order)
			return
		}
	next:
		for i := range n {
			for _, j := range order {
				if i == j {
					continue next
				}
			}
			add(append(slices.Clip(order), i))
		}
	}
	add(nil)
}

// TestSnapshotsInAnyOrder: what records of one order come to does not depend on the order in which they arrive.
func TestSnapshotsInAnyOrder(t *testing.T) {
	const (
		at     = "2026-05-01T12:00:00Z"
		order  = `{"customer_id":"c","order_id":"o","currency":"EUR","occurred_at":"2026-05-01T10:00:00Z",`
		order2 = `{"customer_id":"c","order_id":"o","currency":"USD","occurred_at":"2026-05-01T10:00:00Z",`
	)
	snapshot := func(fields string) input { return input{event.Purchase, at, order + fields + `}`} }
	cancellation := func(fields string) input {
		return input{event.Cancellation, at, `{"customer_id":"c","order_id":"o","currency":"EUR",` + fields + `}`}
	}
	for name, c := range map[string]struct {
		inputs   []input
		historic int64
		orders   int64
		lastAt   string // "": 2026-05-01T10:00:00Z
	}{
		"of one second, cancelled holds before paid": {inputs: []input{
			snapshot(`"total":100,"status":"paid","updated_at":"2026-05-01T10:00:05Z"`),
			snapshot(`"total":100,"status":"cancelled","updated_at":"2026-05-01T10:00:05Z"`),
		}},
		"of one second, more refunded holds before less": {inputs: []input{
			snapshot(`"total":100,"status":"paid","updated_at":"2026-05-01T10:00:05Z"`),
			snapshot(`"total":100,"status":"paid","updated_at":"2026-05-01T10:00:05Z","refunds":[{"refund_id":"r1","total":30}]`),
			snapshot(`"total":100,"status":"paid","updated_at":"2026-05-01T10:00:05Z","refunds":[{"refund_id":"r1","total":20}]`),
		}, historic: 7000, orders: 1},
		"of one second, the greater total holds": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-01T10:00:05Z"`), snapshot(`"total":90,"updated_at":"2026-05-01T10:00:05Z"`),
		}, historic: 10_000, orders: 1},
		"refunds that are absent or null say nothing": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-01T10:00:00Z"`),
			snapshot(`"total":100,"updated_at":"2026-05-02T10:00:00Z","refunds":[{"refund_id":"r1","total":30}]`),
			snapshot(`"total":100,"updated_at":"2026-05-03T10:00:00Z","status":"shipped"`),
			snapshot(`"total":100,"updated_at":"2026-05-03T11:00:00Z","refunds":null`),
		}, historic: 7000, orders: 1},
		"an empty list says that nothing is refunded": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-02T10:00:00Z","refunds":[{"refund_id":"r1","total":30}]`),
			snapshot(`"total":100,"updated_at":"2026-05-03T10:00:00Z","refunds":[]`),
		}, historic: 10_000, orders: 1},
		"a status that is absent says nothing": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-02T10:00:00Z","status":"cancelled"`),
			snapshot(`"total":100,"updated_at":"2026-05-03T10:00:00Z"`),
		}},
		"a newer snapshot stands after a cancellation": {inputs: []input{
			snapshot(`"total":100,"status":"pending","updated_at":"2026-05-01T10:00:00Z"`),
			cancellation(`"kind":"order","occurred_at":"2026-05-01T11:00:00Z"`),
			snapshot(`"total":100,"status":"processing","updated_at":"2026-05-01T12:00:00Z"`),
		}, historic: 10_000, orders: 1},
		"an older snapshot does not": {inputs: []input{
			snapshot(`"total":100,"status":"processing","updated_at":"2026-05-01T10:00:00Z"`),
			cancellation(`"kind":"order","occurred_at":"2026-05-01T11:00:00Z"`),
		}},
		"nor does one that says nothing of the status": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-01T12:00:00Z"`),
			cancellation(`"kind":"order","occurred_at":"2026-05-01T11:00:00Z"`),
		}},
		"trash ends an order": {inputs: []input{
			snapshot(`"total":100,"status":"processing","updated_at":"2026-05-01T10:00:00Z"`),
			snapshot(`"total":100,"status":"trash","updated_at":"2026-05-02T10:00:00Z"`),
			snapshot(`"total":100,"status":"checkout-draft","updated_at":"2026-05-03T10:00:00Z"`),
		}},
		"a refund of 0 beside another is left out": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-02T10:00:00Z","refunds":[{"refund_id":"r1","total":30},{"refund_id":"r2","total":"0.00"}]`),
		}, historic: 7000, orders: 1},
		"halves of a cent of an order in euros": {inputs: []input{
			snapshot(`"total":10.01,"updated_at":"2026-05-02T10:00:00Z","refunds":[{"refund_id":"r1","total":5.005},{"refund_id":"r2","total":5.005}]`),
		}},
		"two halves of an order in dollars": {inputs: []input{
			{event.Purchase, at, order2 + `"total":10}`},
			{event.Cancellation, at, `{"customer_id":"c","order_id":"o","kind":"refund","refund_id":"r1","currency":"USD","total":5}`},
			{event.Cancellation, at, `{"customer_id":"c","order_id":"o","kind":"refund","refund_id":"r2","currency":"USD","total":5}`},
		}},
		"one half of it": {inputs: []input{
			{event.Purchase, at, order2 + `"total":10}`},
			{event.Cancellation, at, `{"customer_id":"c","order_id":"o","kind":"refund","refund_id":"r1","currency":"USD","total":5}`},
		}, historic: 453, orders: 1},
		"an order in dollars refunded in euros": {inputs: []input{
			{event.Purchase, at, order2 + `"total":10}`}, cancellation(`"kind":"refund","refund_id":"r1","total":9.05`),
		}},
		"thirds of an order in pounds": {inputs: []input{
			{event.Purchase, at, `{"customer_id":"c","order_id":"o","currency":"GBP","total":10,"updated_at":"2026-05-03T10:00:00Z","refunds":[{"refund_id":"r1","total":3.34},{"refund_id":"r2","total":3.33},{"refund_id":"r3","total":3.33}]}`},
		}},
		"created_at is the time of an order": {inputs: []input{
			{event.Purchase, "2026-05-11T17:12:19Z", `{"customer_id":"c","id":1,"currency":"EUR","total_price":"120.00","created_at":"2026-05-11T17:12:14Z","updated_at":"2026-05-11T17:12:19Z"}`},
			{event.Purchase, "2026-11-27T17:12:14Z", `{"customer_id":"c","id":1,"currency":"EUR","total_price":"120.00","created_at":"2026-05-11T17:12:14Z","updated_at":"2026-11-27T17:12:14Z"}`},
		}, historic: 12_000, orders: 1, lastAt: "2026-05-11T17:12:14Z"},
		"a time that stands in does not overwrite one that is stated": {inputs: []input{
			snapshot(`"total":100,"updated_at":"2026-05-02T10:00:00Z"`),
			{event.Purchase, "2026-05-20T10:00:00Z", `{"customer_id":"c","order_id":"o","currency":"EUR","total":100,"updated_at":"2026-05-20T10:00:00Z"}`},
		}, historic: 10_000, orders: 1},
		"nor an earlier one that stands in": {inputs: []input{
			{event.Purchase, "2026-05-01T10:00:00Z", `{"customer_id":"c","order_id":"o","currency":"EUR","total":90,"updated_at":"2026-05-01T10:00:00Z"}`},
			{event.Purchase, "2026-05-20T10:00:00Z", `{"customer_id":"c","order_id":"o","currency":"EUR","total":100,"updated_at":"2026-05-20T10:00:00Z"}`},
		}, historic: 10_000, orders: 1},
	} {
		t.Run(name, func(t *testing.T) {
			permutations(len(c.inputs), func(order []int) {
				w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
				w.settings(func(v *ledger.SettingsValues) {
					v.Rates = []*ledger.Rate{{Currency: "GBP", Numerator: 231, Denominator: 200}, {Currency: "USD", Numerator: 181, Denominator: 200}}
				})
				decoder, err := event.NewDecoder(event.DefaultOptions())
				require.NoError(t, err)
				for _, i := range order {
					in := c.inputs[i]
					var r event.Result
					require.NoError(t, decoder.Decode(in.kind, &event.Message{Value: []byte(in.value), Timestamp: ms(in.at)}, ms("2026-12-01"), &r))
					if r.Skip == "" {
						w.put(r.Customer, &r.Event, r.Time)
					}
				}
				a := w.scores("c")
				require.Equal(t, c.historic, a.CLV.Historic, order)
				require.Equal(t, c.orders, a.CLV.Orders, order)
				if c.orders > 0 {
					lastAt := c.lastAt
					if lastAt == "" {
						lastAt = "2026-05-01T10:00:00Z"
					}
					require.Equal(t, output.Some(ms(lastAt)), a.Churn.LastOrderAt, order)
				}
				for _, o := range w.takeOutputs() {
					require.NotContains(t, o.json, "over_refund")
				}
			})
		})
	}
}
