package format_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

// sold is an order as it stands, whichever vendor reports it.
type sold struct {
	customer, order, currency string
	cents, refunded           int64
	cancelled                 bool
	at, updated               time.Time
}

// asRecords are the ways in which vendors write an order: each as one record of the format.
var asRecords = map[string]func(sold) map[string]any{
	"shopify": func(s sold) map[string]any {
		record := map[string]any{
			"id": json.Number(s.order), "customer": map[string]any{"id": json.Number(s.customer)}, "currency": s.currency, "financial_status": "paid",
			"total_price": amount(s.cents, 2), "current_total_price": amount(s.cents-s.refunded, 2), "processed_at": s.at, "updated_at": s.updated, "refunds": []any{},
		}
		if s.refunded > 0 {
			transactions := []any{map[string]any{"kind": "refund", "status": "success", "currency": s.currency, "amount": amount(s.refunded, 2)}}
			record["refunds"] = []any{map[string]any{"id": 7, "transactions": transactions}}
		}
		if s.cancelled {
			record["cancelled_at"] = s.updated
		}
		return record
	},
	"shopify, GraphQL": func(s sold) map[string]any {
		money := func(cents int64) map[string]any {
			return map[string]any{"shopMoney": map[string]any{"amount": amount(cents, 1), "currencyCode": s.currency}}
		}
		record := map[string]any{
			"id": "gid://shopify/Order/" + s.order, "customer": map[string]any{"id": "gid://shopify/Customer/" + s.customer}, "displayFinancialStatus": "PAID",
			"totalPriceSet": money(s.cents), "currentTotalPriceSet": money(s.cents - s.refunded), "processedAt": s.at, "updatedAt": s.updated, "refunds": []any{},
		}
		if s.refunded > 0 {
			record["refunds"] = []any{map[string]any{"id": "gid://shopify/Refund/7", "totalRefundedSet": money(s.refunded)}}
		}
		if s.cancelled {
			record["cancelledAt"] = s.updated
		}
		return record
	},
	"woocommerce": func(s sold) map[string]any {
		const gmt = "2006-01-02T15:04:05"
		record := map[string]any{
			"id": json.Number(s.order), "customer_id": json.Number(s.customer), "currency": s.currency, "status": "completed", "total": amount(s.cents, 2),
			"date_created": "2001-01-01T00:00:00", "date_created_gmt": s.at.Format(gmt), "date_modified_gmt": s.updated.Format(gmt), "refunds": []any{},
		}
		if s.refunded > 0 {
			record["refunds"] = []any{map[string]any{"id": 7, "total": "-" + amount(s.refunded, 2)}}
		}
		if s.cancelled {
			record["status"] = "wc-cancelled"
		}
		return record
	},
	"magento": func(s sold) map[string]any {
		record := map[string]any{
			"entity_id": json.Number(s.order), "customer_id": json.Number(s.customer), "base_currency_code": s.currency, "order_currency_code": "XXX", "state": "complete",
			"base_grand_total": json.Number(amount(s.cents, 4)), "created_at": s.at.Format(time.DateTime), "updated_at": s.updated.Format(time.DateTime),
		}
		if s.refunded > 0 {
			record["base_total_refunded"] = json.Number(amount(s.refunded, 4))
		}
		if s.cancelled {
			record["state"] = "canceled"
		}
		return record
	},
	"bigcommerce": func(s sold) map[string]any {
		record := map[string]any{
			"id": json.Number(s.order), "customer_id": json.Number(s.customer), "default_currency_code": s.currency, "currency_code": "XXX", "status_id": 10,
			"total_inc_tax": amount(s.cents, 4), "refunded_amount": amount(s.refunded, 4), "date_created": s.at.Format(time.RFC1123Z), "date_modified": s.updated.Format(time.RFC1123Z),
		}
		if s.cancelled {
			record["status_id"] = 5
		}
		return record
	},
	"stripe": func(s sold) map[string]any {
		status := "succeeded"
		if s.cancelled {
			status = "failed"
		}
		charge := map[string]any{
			"id": s.order, "object": "charge", "customer": s.customer, "currency": s.currency, "amount": s.cents, "amount_refunded": s.refunded, "captured": true,
			"created": s.at.Unix(), "status": status,
		}
		return map[string]any{"object": "event", "livemode": true, "type": "charge.updated", "created": s.updated.Unix(), "data": map[string]any{"object": charge}}
	},
}

func amount(cents int64, decimals int) string {
	text := fmt.Sprintf("%d.%02d", cents/100, cents%100)
	for range decimals - 2 {
		text += "0"
	}
	if decimals == 1 && cents%10 == 0 {
		text = text[:len(text)-1]
	}
	return text
}

// An order is the same order, whichever vendor's record it is read from, and whatever list of the vendor it stands in.
func TestOneHistoryInAllFormats(t *testing.T) {
	formats := map[string]*format.Format{}
	for name := range asRecords {
		vendor := name
		if name == "shopify, GraphQL" {
			vendor = "shopify"
		}
		f, err := format.Open(vendor)
		require.NoError(t, err)
		formats[name] = f
	}
	lists := map[string]func([]any) any{
		"shopify": func(all []any) any { return map[string]any{"orders": all} },
		"shopify, GraphQL": func(all []any) any {
			return map[string]any{"data": map[string]any{"orders": map[string]any{"nodes": all}}}
		},
		"magento": func(all []any) any { return map[string]any{"items": all, "search_criteria": map[string]any{}} },
	}
	d := decoder(t)
	rapid.Check(t, func(t *rapid.T) {
		var want []sold
		for i := range rapid.IntRange(1, 4).Draw(t, "orders") {
			at := time.Unix(rapid.Int64Range(1_500_000_000, 1_700_000_000).Draw(t, "at"), 0).UTC()
			s := sold{
				customer: strconv.FormatUint(rapid.Uint64Range(1, 1<<63).Draw(t, "customer"), 10), order: strconv.FormatInt(1<<60+int64(i), 10),
				currency: rapid.SampledFrom([]string{"EUR", "USD", "CHF"}).Draw(t, "currency"), cents: rapid.Int64Range(1, 1<<40).Draw(t, "cents"),
				cancelled: rapid.Bool().Draw(t, "cancelled"), at: at, updated: at.Add(time.Duration(rapid.IntRange(0, 1<<20).Draw(t, "later")) * time.Second),
			}
			if rapid.Bool().Draw(t, "refunded") {
				s.refunded = rapid.Int64Range(1, s.cents).Draw(t, "back")
			}
			want = append(want, s)
		}
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(asRecords))).Draw(t, "vendor")
		var records []any
		for _, s := range want {
			records = append(records, asRecords[name](s))
		}
		if list := lists[name]; list != nil && rapid.Bool().Draw(t, "as a list") {
			records = []any{list(records)}
		}
		var got []sold
		for _, r := range records {
			value, err := json.Marshal(r)
			require.NoError(t, err)
			var into event.Result
			require.NoError(t, formats[name].Decode(d, event.Purchase, &event.Message{Value: value, Timestamp: now}, now, &into, func(int, []byte) {
				p := into.Event.GetPurchase()
				s := sold{
					customer: string([]byte(into.Customer)), order: string([]byte(p.GetOrderId())), currency: p.GetCurrency(), cents: p.GetTotal(), cancelled: p.GetCancelled(),
					at: time.UnixMilli(into.Event.GetOccurredAt()).UTC(), updated: time.UnixMilli(p.GetUpdatedAt()).UTC(),
				}
				for _, refund := range p.GetRefunds() {
					s.refunded += refund.GetTotal()
				}
				require.True(t, p.GetRefundsStated())
				got = append(got, s)
			}), "%s", value)
		}
		require.Equal(t, want, got)
	})
}
