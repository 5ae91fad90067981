package event

import (
	"bytes"
	"math/bits"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// MaxProducts is the most products of an order that the ledger keeps one by one; it keeps the sums of those behind them.
const MaxProducts = 100

// maxDetail is the most bytes of a detail that are kept.
const maxDetail = 100

// The details of a purchase: what is bought, where, and how the customer came. They never refuse the purchase that they belong to: what
// is of no use is left out.
var (
	fDiscount       = declare(Field{Name: "discount", Format: Amount, Optional: true, Flag: "discount", Doc: "Discount that was given."})
	fCoupon         = declare(Field{Name: "coupon", Format: Detail, Optional: true, Flag: "coupon", Doc: "Code of a coupon."})
	fChannel        = declare(Field{Name: "channel", Format: Detail, Optional: true, Flag: "channel", Doc: "Web, store, app, phone ..."})
	fAffiliation    = declare(Field{Name: "affiliation", Format: Detail, Optional: true, Flag: "affiliation", Doc: "Shop or partner."})
	fCountry        = declare(Field{Name: "country", Format: Detail, Optional: true, Flag: "country", Doc: "Country that the order goes to."})
	fLoyaltyMember  = declare(Field{Name: "loyalty_member", Format: Flag, Optional: true, Doc: "Whether the customer is a member of the loyalty programme."})
	fOfSubscription = declare(Field{
		Name: "subscription_id", Format: Detail, Optional: true, Flag: "subscription", Doc: "Subscription that the order renews.",
	})
	fReferralCodeOfOrder = declare(Field{
		Name: "referral_code", Format: Detail, Optional: true, Flag: "referral-code", Doc: "Code by which the customer came.",
	})
	fAcquisition = declare(Field{
		Name: "acquisition", Format: Object, Optional: true, Parts: []*Field{fPartSource, fPartMedium, fPartCampaign, fPartHowHeard},
		Example: map[string]any{"source": "newsletter", "medium": "email", "campaign": "spring"}, Doc: "How the customer came to the order.",
	})
	fProducts = declare(Field{
		Name: "products", Format: Objects, Optional: true,
		Parts:   []*Field{fPartProductID, fPartCategory, fPartBrand, fPartPrice, fPartQuantity},
		Example: []map[string]any{{"product_id": "p-7", "category": "Kitchen", "brand": "Nord", "price": 24.95, "quantity": 2}},
		Doc:     "Products of the order. The first 100 are kept; of the others, the sums of quantities and amounts.",
	})

	// Of acquisition.
	fPartSource   = declarePart("acquisition", Field{Name: "source", Format: Detail})
	fPartMedium   = declarePart("acquisition", Field{Name: "medium", Format: Detail})
	fPartCampaign = declarePart("acquisition", Field{Name: "campaign", Format: Detail})
	fPartHowHeard = declarePart("acquisition", Field{Name: "how_heard", Format: Detail})

	// Of an element of products.
	fPartProductID = declarePart("products[]", Field{Name: "product_id", Aliases: []string{"sku", "id"}, Format: Detail})
	fPartCategory  = declarePart("products[]", Field{Name: "category", Format: Detail})
	fPartBrand     = declarePart("products[]", Field{Name: "brand", Format: Detail})
	fPartPrice     = declarePart("products[]", Field{Name: "price", Format: Amount}) // of one
	fPartQuantity  = declarePart("products[]", Field{Name: "quantity", Format: Amount})
)

// detailNames are the names of the fields of details.
var detailNames = union(&fDiscount.mask, &fCoupon.mask, &fChannel.mask, &fAffiliation.mask, &fCountry.mask, &fLoyaltyMember.mask, &fOfSubscription.mask,
	&fReferralCodeOfOrder.mask, &fAcquisition.mask, &fProducts.mask)

// details is room for the details of a purchase, so that reading allocates none.
type details struct {
	body        ledger.PurchaseDetails
	acquisition ledger.Acquisition
	products    []*ledger.Product // grows to the most that this result has needed
}

// purchaseDetails reads the details of a purchase. Amounts are read if its unit is known.
func (d *Decoder) purchaseDetails(unit money.Unit, known bool, c *common) {
	r := &d.r
	if !r.present.meets(&detailNames) && !r.explain {
		return
	}
	room := &c.into.details
	p := &room.body
	*p = ledger.PurchaseDetails{
		Channel: r.detail(r.find(fChannel)), Affiliation: r.detail(r.find(fAffiliation)), Country: r.detail(r.find(fCountry)), Coupon: r.detail(r.find(fCoupon)),
		SubscriptionId: r.detail(r.find(fOfSubscription)), ReferralCode: r.detail(r.find(fReferralCodeOfOrder)), Products: p.Products[:0],
	}
	if known {
		p.Discount, _ = r.detailNumber(r.find(fDiscount), unit.Decimals)
	}
	switch v := r.find(fLoyaltyMember); string(v.text) {
	case "true", "1":
		p.LoyaltyMember, p.LoyaltyMemberStated = true, true
	case "false", "0":
		p.LoyaltyMemberStated = true
	}
	if v := r.find(fAcquisition); v.tok == tokObject {
		r.scanner.part(r.places[v.at].slots[v.name])
		room.acquisition = ledger.Acquisition{
			Source: r.detail(r.findPart(fPartSource)), Medium: r.detail(r.findPart(fPartMedium)), Campaign: r.detail(r.findPart(fPartCampaign)),
			HowHeard: r.detail(r.findPart(fPartHowHeard)),
		}
		p.Acquisition = &room.acquisition
	}
	if v := r.find(fProducts); v.tok == tokArray {
		r.elements(r.places[v.at].slots[v.name], func(tok token) {
			if tok == tokObject {
				d.product(room, unit, known)
			}
		})
	}
	c.into.Event.PurchaseDetails = p
}

// product reads the product that is being read. Without a quantity it is one.
func (d *Decoder) product(room *details, unit money.Unit, known bool) {
	r := &d.r
	quantity, stated := r.detailNumber(r.findPart(fPartQuantity), fineDecimals)
	if !stated {
		quantity = fineUnits
	}
	net := int64(0)
	if known {
		price, _ := r.detailNumber(r.findPart(fPartPrice), unit.Decimals+fineDecimals)
		net = multiplyFine(price, quantity)
	}
	p := &room.body
	if len(p.Products) == MaxProducts {
		p.MoreLines++
		p.MoreQuantity, p.MoreNet = addUpTo(p.MoreQuantity, quantity), addUpTo(p.MoreNet, net)
		return
	}
	if len(p.Products) == len(room.products) {
		room.products = append(room.products, new(ledger.Product))
	}
	product := room.products[len(p.Products)]
	*product = ledger.Product{
		ProductId: r.detail(r.findPart(fPartProductID)), Category: r.detail(r.findPart(fPartCategory)), Brand: r.detail(r.findPart(fPartBrand)),
		Quantity: quantity, Net: net,
	}
	p.Products = append(p.Products, product)
}

// detail reads text, or a number's literal digits, without white space at its ends; what is too long ends before maxDetail.
func (r *reading) detail(v value) string {
	if v.tok != tokString && v.tok != tokNumber {
		return ""
	}
	whole := bytes.TrimSpace(v.text)
	text := whole[:min(len(whole), maxDetail)]
	for len(text) < len(whole) && !utf8.RuneStart(whole[len(text)]) {
		text = text[:len(text)-1]
	}
	text = bytes.TrimSpace(text)
	detail := view(text)
	r.recordValue(detail)
	return detail
}

// detailNumber reads a number or its text in units of 10^-scale. stated is false if it is absent, negative, or no number of 64 bits.
func (r *reading) detailNumber(v value, scale int) (n int64, stated bool) {
	form := money.Literal
	switch v.tok {
	case tokString:
		form = money.Text
	case tokNumber:
	default:
		return 0, false
	}
	n, _, err := money.Decimal(v.text, scale, form)
	if err != nil {
		return 0, false
	}
	r.recordValue(view(v.text))
	return n, true
}

// multiplyFine multiplies thousandths of minor units by thousandths, and rounds half to even to minor units; 0 if that is beyond int64.
func multiplyFine(price, quantity int64) int64 {
	const unit = fineUnits * fineUnits
	high, low := bits.Mul64(uint64(price), uint64(quantity)) //nolint:gosec // neither is negative
	if high >= unit/2 {
		return 0
	}
	whole, rest := bits.Div64(high, low, unit)
	if rest > unit/2 || rest == unit/2 && whole%2 == 1 {
		whole++
	}
	if whole > 1<<63-1 {
		return 0
	}
	return int64(whole)
}

// addUpTo adds what is not negative, up to the largest int64.
func addUpTo(a, b int64) int64 {
	if sum := a + b; sum >= 0 {
		return sum
	}
	return 1<<63 - 1
}
