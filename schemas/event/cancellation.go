package event

import (
	"math"

	"github.com/mainstay/mainstay/schemas/ledger"
)

var (
	fKind = declare(Field{
		Name: "kind", Format: Code, Codes: []string{"order", "refund", "subscription", "account"}, Required: true, Example: "refund", Flag: "kind",
		Doc: "order, refund, subscription or account.",
	})
	fRefundID = declare(Field{
		Name: "refund_id", Format: Identifier, Required: true, When: &Condition{fKind, []string{"refund"}}, Identity: true, Example: "r-3001", Flag: "refund",
		Doc: "The refund; it counts once.",
	})
	fCancelledOrder = declare(Field{ // a cancellation's own id is not its order's
		Name: "order_id", Aliases: []string{"transaction_id"}, Format: Identifier, Required: true, When: &Condition{fKind, []string{"order", "refund"}},
		Example: "o-2001", Flag: "order", Doc: "The order that is cancelled or refunded.",
	})
	fRefundTotal = declare(Field{
		Name: "total", Aliases: fTotal.Aliases, Format: PositiveAmount, Required: true, When: &Condition{fKind, []string{"refund"}}, Example: 49.9, Flag: "total",
		Doc: "An amount in the currency's major unit, exactly: a number or its text.",
	})
	fRefundCurrency = declare(Field{
		Name: "currency", Format: Currency, When: &Condition{fKind, []string{"refund"}}, Example: "EUR", Flag: "currency", Doc: fCurrency.Doc,
	})
	fSubscriptionID = declare(Field{
		Name: "subscription_id", Format: Identifier, Required: true, When: &Condition{fKind, []string{"subscription"}}, Example: "s-4001", Flag: "subscription",
		Doc: "The subscription.",
	})
	fEffectiveAt = declare(Field{
		Name: "effective_at", Format: Time, When: &Condition{fKind, []string{"subscription", "account"}}, Example: "2026-04-01T00:00:00Z", Flag: "effective-at",
		Doc: "When the cancellation takes effect; by default at once.",
	})
	fCancelReason = declare(Field{
		Name: "cancel_reason", Format: Label, Example: "price", Flag: "reason", Doc: "A code of at most 32 bytes (customer, fraud, price ...); longer text becomes other.",
	})
)

var cancellation = Descriptor{
	Name: "cancellation", Topic: "cancellations", Topics: "Topics of cancellations and refunds.",
	Title: "An order, a part of one, a subscription or an account is given up.", Types: []string{"cancellation"}, Customer: fCustomerID, Occurred: fOccurredAt,
	Fields:  withCommon(fCustomerID, fKind, fRefundID, fCancelledOrder, fRefundTotal, fRefundCurrency, fSubscriptionID, fEffectiveAt, fCancelReason),
	Example: "--customer me --order 1 --refund 1 --total 10 --currency EUR",
	read:    (*Decoder).readCancellation,
	facts: func(b *canonical, e *ledger.Event, _ *common) {
		x := e.Cancellation
		b.number(int64(x.Kind))
		b.text(x.OrderId)
		b.text(x.RefundId)
		b.number(x.Total)
		b.text(x.Currency)
		b.text(x.SubscriptionId)
		b.number(x.EffectiveAt)
		b.text(x.Reason)
	},
	is: func(e *ledger.Event) bool { return e.Cancellation != nil },
}

func (d *Decoder) readCancellation(c *common) {
	r := &d.r
	x := &c.into.cancellation
	c.into.Event.Cancellation = x
	x.OrderId, x.RefundId, x.Total, x.Currency = "", "", 0, ""
	x.SubscriptionId, x.EffectiveAt = "", 0
	var effective bool
	x.Kind = ledger.CancellationKind(d.oneOf(fKind) + 1) //nolint:gosec // the codes stand in the order of the enumeration
	switch x.Kind {
	case ledger.CancellationKind_CANCELLATION_KIND_UNSPECIFIED:
		return
	case ledger.CancellationKind_CANCELLATION_KIND_ORDER:
		x.OrderId = d.required(fCancelledOrder)
		c.key = key{what: "cancellation:", id: x.OrderId}
	case ledger.CancellationKind_CANCELLATION_KIND_REFUND:
		x.RefundId = d.required(fRefundID)
		x.OrderId = d.required(fCancelledOrder)
		unit, known := d.currency(fRefundCurrency, fRefundTotal)
		x.Currency = unit.Currency
		if v := r.find(fRefundTotal); r.require(fRefundTotal, v) && known {
			x.Total = d.positiveAmount(fRefundTotal, v, unit, c)
		}
		c.key = key{what: "refund:", id: x.RefundId}
	case ledger.CancellationKind_CANCELLATION_KIND_SUBSCRIPTION:
		x.SubscriptionId = d.required(fSubscriptionID)
		x.EffectiveAt, effective = r.time(fEffectiveAt, r.find(fEffectiveAt), math.MaxInt64)
		c.key = c.withOccurrence(key{what: "subscription:", id: x.SubscriptionId, at: x.EffectiveAt, timed: effective})
	case ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT:
		x.EffectiveAt, effective = r.time(fEffectiveAt, r.find(fEffectiveAt), math.MaxInt64)
		c.key = c.withOccurrence(key{what: "account", at: x.EffectiveAt, timed: effective})
	}
	x.Reason = d.reason(c)
}

// reason reads why something was cancelled: a code. Longer text may say anything of a person and becomes "other".
func (d *Decoder) reason(c *common) string {
	const limit = 32 // bytes
	v := d.r.find(fCancelReason)
	if len(v.text) > limit && v.tok == tokString {
		c.into.Cut = true
		d.r.recordValue("other")
		return "other"
	}
	return d.r.id(fCancelReason, v, limit)
}
