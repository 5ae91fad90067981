package event

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// purchaseDetails are the details that the record states; nil if it names none of them.
func (r *reference) purchaseDetails(decimals int) *ledger.PurchaseDetails {
	stated := false
	get := func(name string) any {
		v := r.get(name).value
		stated = stated || v != nil
		return v
	}
	d := &ledger.PurchaseDetails{
		Channel: detailText(get("channel")), Affiliation: detailText(get("affiliation")), Country: detailText(get("country")), Coupon: detailText(get("coupon")),
		SubscriptionId: detailText(get("subscription_id")), ReferralCode: detailText(get("referral_code")),
	}
	d.Discount, _ = r.detailAmount(get("discount"), decimals)
	switch v := get("loyalty_member"); v {
	case true, "true", "1", json.Number("1"):
		d.LoyaltyMember, d.LoyaltyMemberStated = true, true
	case false, "false", "0", json.Number("0"):
		d.LoyaltyMemberStated = true
	}
	if a, ok := get("acquisition").(map[string]any); ok {
		d.Acquisition = &ledger.Acquisition{
			Source: detailText(a["source"]), Medium: detailText(a["medium"]), Campaign: detailText(a["campaign"]), HowHeard: detailText(a["how_heard"]),
		}
	}
	products, _ := get("products").([]any)
	for _, one := range products {
		p, ok := one.(map[string]any)
		if !ok {
			continue
		}
		var id any
		for _, n := range []string{"id", "sku", "product_id"} { // the last wins
			if p[n] != nil && p[n] != "" {
				id = p[n]
			}
		}
		quantity, ok := r.detailAmount(p["quantity"], 3)
		if !ok {
			quantity = 1000
		}
		price, _ := r.detailAmount(p["price"], decimals+3)
		product := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(price), big.NewInt(quantity)), big.NewInt(1_000_000))
		net, _ := round(product, 0)
		if !net.IsInt64() {
			net.SetInt64(0)
		}
		if len(d.Products) < 100 {
			d.Products = append(d.Products, &ledger.Product{
				ProductId: detailText(id), Category: detailText(p["category"]), Brand: detailText(p["brand"]), Quantity: quantity, Net: net.Int64(),
			})
			continue
		}
		d.MoreLines++
		d.MoreQuantity += quantity
		d.MoreNet += net.Int64()
	}
	if !stated {
		return nil
	}
	return d
}

func detailText(v any) string {
	text, _ := v.(string)
	if n, ok := v.(json.Number); ok {
		text = n.String()
	}
	runes := []rune(strings.TrimSpace(text))
	for len(string(runes)) > 100 {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimSpace(string(runes))
}

// detailAmount is an amount that refuses nothing.
func (r *reference) detailAmount(v any, scale int) (n int64, ok bool) {
	if v == nil || v == "" {
		return 0, false
	}
	apart := reference{verdict: verdict{refusals: map[string]bool{}}}
	n, _, _ = apart.amount("", found{v, false}, scale)
	if len(apart.refusals) > 0 {
		return 0, false
	}
	return n, true
}
