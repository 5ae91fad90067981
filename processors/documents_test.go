package processors_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestTellingsOfOneOrder: what shops send of an order that changes comes to one answer, whatever order it arrives in.
func TestTellingsOfOneOrder(t *testing.T) {
	const (
		purchases     = event.Purchase
		cancellations = event.Cancellation
	)
	type document struct {
		kind event.Kind
		json string
	}
	order := func(rest string) document {
		return document{purchases, `{"customer_id":"c","order_id":"o","total":100,"currency":"EUR","occurred_at":"2026-05-01T10:00:00Z",` + rest + `}`}
	}
	cancelled := document{cancellations, `{"customer_id":"c","kind":"order","order_id":"o","cancel_reason":"unpaid","occurred_at":"2026-05-01T11:00:00Z"}`}
	refunded := `"refunds":[{"refund_id":"r","total":30}]`
	for name, of := range map[string]struct {
		documents []document
		historic  int64
		orders    int64
	}{
		"paid and cancelled within a second": {[]document{
			order(`"status":"paid","updated_at":"2026-05-01T10:00:05Z"`), order(`"status":"cancelled","updated_at":"2026-05-01T10:00:05Z"`),
		}, 0, 0},
		"refunded within a second": {[]document{
			order(`"status":"paid","updated_at":"2026-05-01T10:00:05Z"`), order(`"status":"paid","updated_at":"2026-05-01T10:00:05Z",` + refunded),
		}, 7000, 1},
		"cancelled by an event, then paid": {[]document{
			order(`"status":"pending","updated_at":"2026-05-01T10:00:00Z"`), cancelled, order(`"status":"processing","updated_at":"2026-05-01T12:00:00Z"`),
		}, 10000, 1},
		"cancelled by a snapshot, then paid": {[]document{
			order(`"status":"cancelled","updated_at":"2026-05-01T11:00:00Z"`), order(`"status":"processing","updated_at":"2026-05-01T12:00:00Z"`),
		}, 10000, 1},
		"a later snapshot does not mention refunds": {[]document{
			order(`"status":"paid","updated_at":"2026-05-02T10:00:00Z",` + refunded), order(`"status":"shipped","updated_at":"2026-05-03T10:00:00Z"`),
		}, 7000, 1},
		"a later snapshot has null for refunds": {[]document{
			order(`"status":"paid","updated_at":"2026-05-02T10:00:00Z",` + refunded), order(`"status":"shipped","updated_at":"2026-05-03T10:00:00Z","refunds":null`),
		}, 7000, 1},
		"a later snapshot says that there are no refunds": {[]document{
			order(`"status":"paid","updated_at":"2026-05-02T10:00:00Z",` + refunded), order(`"status":"shipped","updated_at":"2026-05-03T10:00:00Z","refunds":[]`),
		}, 10000, 1},
		"a refund of nothing beside a refund": {[]document{
			order(`"status":"paid","updated_at":"2026-05-02T10:00:00Z","refunds":[{"refund_id":"r","total":30},{"refund_id":"z","total":"0.00"}]`),
		}, 7000, 1},
		"trashed": {[]document{
			order(`"status":"processing","updated_at":"2026-05-01T10:00:00Z"`), order(`"status":"trash","updated_at":"2026-05-02T10:00:00Z"`),
		}, 0, 0},
		"refunded in two halves of a foreign currency": {[]document{{purchases, `{"customer_id":"c","order_id":"o","total":10.00,"currency":"USD","status":"partially_refunded",
			"occurred_at":"2026-05-01T10:00:00Z","updated_at":"2026-05-03T10:00:00Z","refunds":[{"refund_id":"a","total":5.00},{"refund_id":"b","total":5.00}]}`}}, 0, 0},
		"refunded in three parts of a foreign currency": {[]document{{purchases, `{"customer_id":"c","order_id":"o","total":10.00,"currency":"GBP","status":"partially_refunded",
			"occurred_at":"2026-05-01T10:00:00Z","updated_at":"2026-05-03T10:00:00Z","refunds":[{"refund_id":"a","total":3.34},{"refund_id":"b","total":3.33},{"refund_id":"c","total":3.33}]}`}}, 0, 0},
	} {
		for _, backwards := range []bool{false, true} {
			documents := slices.Clone(of.documents)
			if backwards {
				slices.Reverse(documents)
			}
			w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
			w.settings(func(v *ledger.SettingsValues) {
				v.Rates = []*ledger.Rate{{Currency: "GBP", Numerator: 231, Denominator: 200}, {Currency: "USD", Numerator: 181, Denominator: 200}}
			})
			decoder, err := event.NewDecoder(event.DefaultOptions())
			require.NoError(t, err)
			for _, s := range documents {
				var result event.Result
				require.NoError(t, decoder.Decode(s.kind, &event.Message{Value: []byte(s.json)}, ms("2026-06-01"), &result), name)
				require.Empty(t, result.Skip, name)
				w.event(result.Customer, &result.Event)
			}
			clv := w.scores("c").CLV
			require.Equal(t, []int64{of.historic, of.orders}, []int64{clv.Historic, clv.Orders}, "%s, backwards %t", name, backwards)
			for _, o := range w.outputs {
				require.NotEqual(t, output.Rejections, o.Topic, "%s: %s", name, o.json)
			}
		}
	}
}
