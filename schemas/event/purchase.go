package event

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// The statuses of an order that counts, and of one that does not.
var (
	standingStatuses = []string{
		"open", "pending", "placed", "on_hold", "authorized", "authorised", "confirmed", "processing", "partially_paid", "paid", "shipped", "delivered",
		"fulfilled", "partially_fulfilled", "partially_refunded", "complete", "completed", "closed",
	}
	cancelledStatuses = []string{"cancelled", "canceled", "voided", "refunded", "failed", "declined", "expired", "trash"}
	draftStatuses     = []string{"draft", "auto_draft", "checkout_draft"} // not an order yet: skipped
)

// MaxRefunds is the most refunds of one order: in a snapshot of it, and likewise as events of their own. All refunds of an order are part of
// the customer's state, so without a limit an order with tens of thousands of them would slow down every event of its customer.
const MaxRefunds = 1000

var (
	fOrderedAt = declare(Field{
		Name: "occurred_at", Aliases: []string{"timestamp", "time", "created_at", "processed_at"}, Attribute: "time", Format: Time, Example: fOccurredAt.Example,
		Flag: fOccurredAt.Flag, Default: fOccurredAt.Default, Doc: fOccurredAt.Doc + " A snapshot without it leaves the order's time as it is.",
	})
	fOrderID = declare(Field{
		Name: "order_id", Aliases: []string{"transaction_id", "id"}, Format: Identifier, Required: true, Identity: true, Example: "o-2001", Flag: "order",
		Doc: "The order.",
	})
	fTotal = declare(Field{
		Name: "total", Aliases: []string{"total_price", "value", "revenue"}, Format: Amount, Required: true, Example: 49.9, Flag: "total",
		Doc: "An amount in the currency's major unit, exactly: a number or its text.",
	})
	fCurrency = declare(Field{
		Name: "currency", Format: Currency, Example: "EUR", Flag: "currency",
		Doc: "ISO 4217 in any case, or a code that the settings add. Without it the configured default.",
	})
	fSubtotal  = declare(Field{Name: "subtotal", Format: Amount, Optional: true, Flag: "subtotal", Doc: "Amount before tax, shipping and discount."})
	fTax       = declare(Field{Name: "tax", Format: Amount, Optional: true, Flag: "tax", Doc: "Tax within the total."})
	fShipping  = declare(Field{Name: "shipping", Format: Amount, Optional: true, Flag: "shipping", Doc: "Shipping within the total."})
	fUpdatedAt = declare(Field{
		Name: "updated_at", Format: Time, Example: "2026-03-02T09:00:00Z", Flag: "updated-at", Doc: "The event is a snapshot of its order as of then; the newest stands.",
	})
	fStatus = declare(Field{
		Name: "status", Format: Code, Codes: slices.Concat(standingStatuses, cancelledStatuses, draftStatuses), Example: "paid", Flag: "status",
		Doc: "Of the order, in any case: paid, shipped, cancelled ... Without it a snapshot says nothing of it.",
	})
	fCancelledAt = declare(Field{Name: "cancelled_at", Format: Time, Example: "2026-03-02T09:00:00Z", Doc: "The order is cancelled."})
	fRefunds     = declare(Field{
		Name: "refunds", Format: Objects, Parts: []*Field{fPartRefundID, fPartTotal, fPartOccurredAt}, MaxItems: MaxRefunds,
		Example: []map[string]any{{"refund_id": "r-1", "total": 5}}, Doc: "What was paid back of the order up to now, at most 1,000 refunds; each refund_id counts once. Without it a snapshot says nothing of refunds; [] says that there are none.",
	})

	// Of an element of refunds.
	fPartRefundID   = declarePart("refunds[]", Field{Name: "refund_id", Format: Identifier, Required: true})
	fPartTotal      = declarePart("refunds[]", Field{Name: "total", Format: Amount, Required: true})
	fPartOccurredAt = declarePart("refunds[]", Field{Name: "occurred_at", Format: Time})
)

var purchase = Descriptor{
	Name: "purchase", Topic: "purchases", Topics: "Topics of purchases. May be empty, as the others, but not all of them. A topic whose records have another format is written {topic: orders, format: shopify}, in variables and flags orders=shopify; mainstay formats list names the formats, and a path names a table of your own.",
	Title: "An order, or a snapshot of one.", Types: []string{"purchase", "order completed", "order.completed"}, Customer: fCustomerID, Occurred: fOrderedAt,
	Fields: withTime(fOrderedAt, fCustomerID, fOrderID, fTotal, fCurrency, fSubtotal, fTax, fShipping,
		fDiscount, fCoupon, fChannel, fAffiliation, fCountry, fLoyaltyMember, fOfSubscription, fReferralCodeOfOrder, fAcquisition,
		fUpdatedAt, fStatus, fCancelledAt,
		fProducts, fRefunds),
	Example: "--customer me --order 1 --total 49.90 --currency EUR",
	States:  true,
	read:    (*Decoder).readPurchase,
	facts: func(b *canonical, e *ledger.Event, c *common) {
		p := e.Purchase
		b.text(p.OrderId)
		b.number(p.Total)
		b.text(p.Currency)
		b.number(p.UpdatedAt)
		b.boolean(p.Cancelled)
		b.number(p.CancelledAt)
		b.number(int64(len(p.Refunds)))
		for i, r := range p.Refunds {
			b.text(r.RefundId)
			b.number(r.Total)
			b.time(r.OccurredAt, c.into.refundTimed[i])
		}
	},
	is: func(e *ledger.Event) bool { return e.Purchase != nil },
}

// readPurchase reads an order, which may be a snapshot: the order as it stood at updated_at.
func (d *Decoder) readPurchase(c *common) {
	r := &d.r
	p := &c.into.purchase
	c.into.Event.Purchase = p
	p.OrderId = d.required(fOrderID)
	unit, known := d.currency(fCurrency, d.amountOf())
	p.Currency, p.Total = unit.Currency, 0
	if known {
		p.Total = d.total(unit, c)
	}
	var updated, cancelled bool
	p.UpdatedAt, updated = r.time(fUpdatedAt, r.find(fUpdatedAt), d.now+ahead)
	p.CancelledAt, cancelled = r.time(fCancelledAt, r.find(fCancelledAt), d.now+ahead)
	status := d.oneOf(fStatus)
	if status >= len(standingStatuses)+len(cancelledStatuses) {
		c.into.Skip = SkipDraft
	}
	// An order refunded in full, or never paid, counts as little as a cancelled one.
	p.Cancelled = status >= len(standingStatuses) || cancelled
	p.StatusStated, p.TimeStoodIn = status >= 0 || cancelled, !c.occurred
	d.refunds(p, unit, known, c)
	d.purchaseDetails(unit, known, c)
	c.key = key{what: "order:", id: p.OrderId, at: p.UpdatedAt, timed: updated}
}

// amountOf is the field of the amount that counts, before tax and shipping are taken off it.
func (d *Decoder) amountOf() *Field {
	if d.opts.Total == TotalSubtotal {
		return fSubtotal
	}
	return fTotal
}

// total is the amount that counts by the money.total setting.
func (d *Decoder) total(unit money.Unit, c *common) int64 {
	of := d.amountOf()
	v := d.r.find(of)
	if !d.r.require(of, v) {
		return 0
	}
	total := d.amount(of, v, unit, c)
	if d.opts.Total == TotalWithoutTax || d.opts.Total == TotalWithoutTaxAndShipping {
		total -= d.amount(fTax, d.r.find(fTax), unit, c)
	}
	if d.opts.Total == TotalWithoutShipping || d.opts.Total == TotalWithoutTaxAndShipping {
		total = max(total, -1) - d.amount(fShipping, d.r.find(fShipping), unit, c) // below 0 is below 0
	}
	if total < 0 {
		d.r.refuse(of, Negative, "less than the tax and shipping in it")
	}
	return total
}

// refunds reads the refunds of a snapshot. Their times stand in for each other: the refund's, the snapshot's, the order's.
func (d *Decoder) refunds(p *ledger.Purchase, unit money.Unit, known bool, c *common) {
	r := &d.r
	p.Refunds, c.into.refundTimed = p.Refunds[:0], c.into.refundTimed[:0]
	v := r.find(fRefunds)
	if p.RefundsStated = v.tok != tokNone; !p.RefundsStated {
		return
	}
	if v.tok != tokArray {
		r.refuse(fRefunds, WrongType, "an array is wanted")
		return
	}
	left := fRefunds.MaxItems
	r.elements(r.places[v.at].slots[nRefunds], func(tok token) {
		if left--; left < 0 {
			if left == -1 {
				r.refuse(fRefunds, TooMany, "at most "+strconv.Itoa(fRefunds.MaxItems))
			}
			return
		}
		if tok != tokObject {
			r.refuse(fRefunds, WrongType, "objects are wanted")
			return
		}
		refund := c.into.nextRefund(len(p.Refunds))
		refund.RefundId, refund.Total, refund.OccurredAt = "", 0, p.UpdatedAt
		if v := r.findPart(fPartRefundID); r.require(fPartRefundID, v) {
			refund.RefundId = r.id(fPartRefundID, v, maxID)
		}
		if v := r.findPart(fPartTotal); r.require(fPartTotal, v) && known {
			refund.Total = d.fineAmount(fPartTotal, v, unit, c)
		}
		at, stated := r.time(fPartOccurredAt, r.findPart(fPartOccurredAt), d.now+ahead)
		if stated {
			refund.OccurredAt = at
		} else if refund.OccurredAt == 0 {
			refund.OccurredAt = c.into.Event.OccurredAt
		}
		p.Refunds = append(p.Refunds, refund)
		c.into.refundTimed = append(c.into.refundTimed, stated)
	})
	roundRefunds(p.Refunds)
	kept := 0
	for i, refund := range p.Refunds {
		if refund.Total > 0 { // nothing may be left of an amount that is rounded
			p.Refunds[kept], p.Refunds[i] = refund, p.Refunds[kept]
			c.into.refundTimed[kept] = c.into.refundTimed[i]
			kept++
		}
	}
	c.into.NoRefunds += len(p.Refunds) - kept
	p.Refunds, c.into.refundTimed = p.Refunds[:kept], c.into.refundTimed[:kept]
}

// Refunds of a snapshot are read with three decimals more than their currency has.
const (
	fineDecimals = 3
	fineUnits    = 1000
)

// roundRefunds rounds amounts in thousandths of the minor unit to minor units so that their sum is right: to round each by itself
// would leave a cent of an order of 10.01 of which 5.005 was paid back twice. The order of the list does not matter.
func roundRefunds(all []*ledger.Refund) {
	var odd []*ledger.Refund // those that are no whole minor units
	whole, fractions := int64(0), int64(0)
	for _, r := range all {
		if fraction := r.Total % fineUnits; fraction != 0 {
			odd = append(odd, r)
			whole += r.Total / fineUnits
			fractions += fraction
		}
	}
	slices.SortFunc(odd, func(a, b *ledger.Refund) int {
		return cmp.Or(cmp.Compare(b.Total%fineUnits, a.Total%fineUnits), strings.Compare(a.RefundId, b.RefundId))
	})
	up := fractions / fineUnits
	if rest := fractions % fineUnits; rest > fineUnits/2 || rest == fineUnits/2 && (whole+up)%2 == 1 {
		up++
	}
	for i, r := range odd {
		if r.Total -= r.Total % fineUnits; int64(i) < up {
			r.Total += fineUnits
		}
	}
	for _, r := range all {
		r.Total /= fineUnits
	}
}

// nextRefund reuses what former results had.
func (into *Result) nextRefund(i int) *ledger.Refund {
	if i == len(into.refunds) {
		into.refunds = append(into.refunds, new(ledger.Refund))
	}
	return into.refunds[i]
}
