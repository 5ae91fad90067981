package event

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// readPurchase reads an order, which may be a snapshot: the order as it stood at updated_at.
func (d *Decoder) readPurchase(c *common) {
	r := &d.r
	p := &c.into.purchase
	c.into.Event.Purchase = p
	p.OrderId = d.required(fOrderID)
	unit, known := d.currency()
	p.Currency, p.Total = unit.Currency, 0
	if known {
		p.Total = d.total(unit, c)
	}
	var updated, cancelled bool
	p.UpdatedAt, updated = r.time(fUpdatedAt, r.find(fUpdatedAt), d.now+ahead)
	p.CancelledAt, cancelled = r.time(fCancelledAt, r.find(fCancelledAt), d.now+ahead)
	p.Cancelled = d.cancels() || cancelled
	d.refunds(p, unit, known, c)
	c.key = key{what: "order:", id: p.OrderId, at: p.UpdatedAt, timed: updated}
}

func (d *Decoder) required(f *field) string {
	v := d.r.find(f)
	if !d.r.need(f, v) {
		return ""
	}
	return d.r.id(f, v, maxID)
}

// total is the amount that counts by the money.total setting.
func (d *Decoder) total(unit money.Unit, c *common) int64 {
	of := fTotal
	if d.opts.Total == TotalSubtotal {
		of = fSubtotal
	}
	v := d.r.find(of)
	if !d.r.need(of, v) {
		return 0
	}
	total := d.counted(of, v, unit, c)
	if d.opts.Total == TotalWithoutTax || d.opts.Total == TotalWithoutTaxAndShipping {
		total -= d.counted(fTax, d.r.find(fTax), unit, c)
	}
	if d.opts.Total == TotalWithoutShipping || d.opts.Total == TotalWithoutTaxAndShipping {
		total = max(total, -1) - d.counted(fShipping, d.r.find(fShipping), unit, c) // below 0 is below 0
	}
	if total < 0 {
		d.r.refuse(of, Negative, "less than the tax and shipping in it")
	}
	return total
}

// counted is an amount, whose rounding is counted.
func (d *Decoder) counted(f *field, v value, unit money.Unit, c *common) int64 {
	minor, rounded, _ := d.r.amount(f, v, unit)
	c.into.Rounded = c.into.Rounded || rounded
	return minor
}

// cancels reads the order's status. An order refunded in full, or never paid, counts as little as a cancelled one.
func (d *Decoder) cancels() bool {
	v := d.r.find(fStatus)
	var buf [32]byte
	code := d.r.code(fStatus, v, &buf)
	if code == nil {
		return false
	}
	switch string(code) {
	case "open", "pending", "placed", "on_hold", "authorized", "authorised", "confirmed", "processing", "partially_paid", "paid",
		"shipped", "delivered", "fulfilled", "partially_fulfilled", "partially_refunded", "complete", "completed", "closed":
		return false
	case "cancelled", "canceled", "voided", "refunded", "failed", "declined", "expired":
		return true
	}
	d.r.refuse(fStatus, UnknownValue, "")
	return false
}

// refunds reads the refunds of a snapshot. Their times stand in for each other: the refund's, the snapshot's, the order's.
func (d *Decoder) refunds(p *ledger.Purchase, unit money.Unit, known bool, c *common) {
	r := &d.r
	p.Refunds, c.into.refundTimed = p.Refunds[:0], c.into.refundTimed[:0]
	v := r.find(fRefunds)
	if v.tok == tokNone {
		return
	}
	if v.tok != tokArray {
		r.refuse(fRefunds, WrongType, "an array is wanted")
		return
	}
	r.elements(r.places[v.at].slots[nRefunds], func(tok token) {
		if tok != tokObject {
			r.refuse(fRefunds, WrongType, "objects are wanted")
			return
		}
		refund := c.into.nextRefund(len(p.Refunds))
		refund.RefundId, refund.Total, refund.OccurredAt = "", 0, p.UpdatedAt
		if v := r.part(fPartRefundID); r.need(fPartRefundID, v) {
			refund.RefundId = r.id(fPartRefundID, v, maxID)
		}
		if v := r.part(fPartTotal); r.need(fPartTotal, v) && known {
			refund.Total = d.positive(fPartTotal, v, unit, c)
		}
		at, stated := r.time(fPartOccurredAt, r.part(fPartOccurredAt), d.now+ahead)
		if stated {
			refund.OccurredAt = at
		} else if refund.OccurredAt == 0 {
			refund.OccurredAt = c.into.Event.OccurredAt
		}
		p.Refunds = append(p.Refunds, refund)
		c.into.refundTimed = append(c.into.refundTimed, stated)
	})
}

// nextRefund reuses what former results had.
func (into *Result) nextRefund(i int) *ledger.Refund {
	if i == len(into.refunds) {
		into.refunds = append(into.refunds, new(ledger.Refund))
	}
	return into.refunds[i]
}

// positive is an amount above 0, also after rounding.
func (d *Decoder) positive(f *field, v value, unit money.Unit, c *common) int64 {
	minor, rounded, stated := d.r.amount(f, v, unit)
	if stated && minor == 0 {
		d.r.refuse(f, NotPositive, "a refund is above 0")
	}
	c.into.Rounded = c.into.Rounded || rounded
	return minor
}

func (d *Decoder) readCancellation(c *common) {
	r := &d.r
	x := &c.into.cancellation
	c.into.Event.Cancellation = x
	x.Kind, x.OrderId, x.RefundId, x.Total, x.Currency = 0, "", "", 0, ""
	x.SubscriptionId, x.EffectiveAt = "", 0
	v := r.find(fKind)
	if !r.need(fKind, v) {
		return
	}
	var buf [32]byte
	var effective bool
	switch string(r.code(fKind, v, &buf)) {
	case "order":
		x.Kind = ledger.CancellationKind_CANCELLATION_KIND_ORDER
		x.OrderId = d.required(fCancelledOrder)
		c.key = key{what: "cancellation:", id: x.OrderId}
	case "refund":
		x.Kind = ledger.CancellationKind_CANCELLATION_KIND_REFUND
		x.RefundId = d.required(fRefundID)
		x.OrderId = d.required(fCancelledOrder)
		unit, known := d.currency()
		x.Currency = unit.Currency
		if v := r.find(fTotal); r.need(fTotal, v) && known {
			x.Total = d.positive(fTotal, v, unit, c)
		}
		c.key = key{what: "refund:", id: x.RefundId}
	case "subscription":
		x.Kind = ledger.CancellationKind_CANCELLATION_KIND_SUBSCRIPTION
		x.SubscriptionId = d.required(fSubscriptionID)
		x.EffectiveAt, effective = r.time(fEffectiveAt, r.find(fEffectiveAt), math.MaxInt64)
		c.key = c.again(key{what: "subscription:", id: x.SubscriptionId, at: x.EffectiveAt, timed: effective})
	case "account":
		x.Kind = ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT
		x.EffectiveAt, effective = r.time(fEffectiveAt, r.find(fEffectiveAt), math.MaxInt64)
		c.key = c.again(key{what: "account", at: x.EffectiveAt, timed: effective})
	default:
		if v.tok == tokString {
			r.refuse(fKind, UnknownValue, "order, refund, subscription or account is wanted")
		}
	}
	x.Reason = d.reason(c)
}

// again tells events of the same thing apart by when they happened, where no better time is stated.
func (c *common) again(k key) key {
	if !k.timed && c.occurred {
		k.at, k.timed = c.into.Event.OccurredAt, true
	}
	return k
}

// reason reads why something was cancelled: a code. Longer text may say anything of a person and becomes "other".
func (d *Decoder) reason(c *common) string {
	const limit = 32 // bytes
	v := d.r.find(fCancelReason)
	if len(v.text) > limit && v.tok == tokString {
		c.into.Cut = true
		d.r.became("other")
		return "other"
	}
	return d.r.id(fCancelReason, v, limit)
}

func (d *Decoder) readReferral(c *common) {
	r := &d.r
	x := &c.into.referral
	c.into.Event.Referral = x
	c.into.Customer = d.customer(fReferred, c)
	x.Referrer = d.customer(fReferrer, c)
	x.ReferralId = r.id(fReferralID, r.find(fReferralID), maxID)
	x.Status = 0
	v := r.find(fStatus)
	if !r.need(fStatus, v) {
		return
	}
	var buf [32]byte
	switch code := r.code(fStatus, v, &buf); string(code) {
	case "pending":
		x.Status = ledger.ReferralStatus_REFERRAL_STATUS_PENDING
	case "approved":
		x.Status = ledger.ReferralStatus_REFERRAL_STATUS_APPROVED
	case "voided":
		x.Status = ledger.ReferralStatus_REFERRAL_STATUS_VOIDED
	default:
		if v.tok == tokString {
			r.refuse(fStatus, UnknownValue, "pending, approved or voided is wanted")
		}
	}
	c.key = key{what: "referral:", id: x.ReferralId, hashed: x.Referrer, status: referralStatuses[x.Status]}
}

func (d *Decoder) readSurvey(c *common) {
	r := &d.r
	x := &c.into.survey
	c.into.Event.Survey = x
	low, high, ok := d.scale(x, c)
	if !ok {
		return
	}
	x.ResponseId = d.required(fResponseID)
	x.SurveyId = r.id(fSurveyID, r.find(fSurveyID), maxID)
	x.Score = d.score(low, high)
	x.Dimension = ""
	if x.Type == ledger.SurveyType_SURVEY_TYPE_EQUITY {
		x.Dimension = d.dimension()
	}
	var created, updated bool
	if x.CreatedAt, created = r.time(fCreatedAt, r.find(fCreatedAt), d.now+ahead); !created {
		x.CreatedAt = c.into.Event.OccurredAt
		r.stoodIn("occurred_at", "")
	}
	if x.UpdatedAt, updated = r.time(fUpdatedAt, r.find(fUpdatedAt), d.now+ahead); !updated {
		x.UpdatedAt = x.CreatedAt
		r.stoodIn("created_at", "")
	}
	x.Excluded = r.truth(fExcluded, r.find(fExcluded))
	x.Comment = ""
	if d.opts.KeepComments {
		x.Comment = d.comment(c)
	}
	c.created, c.updated = created, updated
	c.key = c.again(key{what: "response:", id: x.ResponseId, at: x.UpdatedAt, timed: created || updated})
}

// scale reads the survey's type, and between what its scores lie. Types that are not known are skipped.
func (d *Decoder) scale(x *ledger.Survey, c *common) (low, high int64, ok bool) {
	r := &d.r
	v := r.find(fSurveyType)
	var buf [32]byte
	code := r.code(fSurveyType, v, &buf)
	if code == nil {
		x.Type = ledger.SurveyType_SURVEY_TYPE_NPS
		if v.tok == tokNone {
			r.stoodIn("the usual type", "nps")
		}
		return 0, 10, true
	}
	switch string(code) {
	case "nps":
		x.Type = ledger.SurveyType_SURVEY_TYPE_NPS
		return 0, 10, true
	case "csat":
		x.Type = ledger.SurveyType_SURVEY_TYPE_CSAT
		return 1, 5, true
	case "ces":
		x.Type = ledger.SurveyType_SURVEY_TYPE_CES
		return 1, 7, true
	case "equity":
		x.Type = ledger.SurveyType_SURVEY_TYPE_EQUITY
		return 0, 10, true
	}
	if r.refused == nil {
		c.into.Skip = SkipSurveyType
	}
	return 0, 0, false
}

func (d *Decoder) score(low, high int64) int32 {
	r := &d.r
	v := r.find(fScore)
	if !r.need(fScore, v) {
		return 0
	}
	score, rounded, ok := r.decimal(fScore, v, 0)
	switch {
	case !ok:
	case rounded:
		r.refuse(fScore, NotWhole, "")
	case score < low || score > high:
		r.refuse(fScore, OutOfRange, "from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
	default:
		r.became(strconv.FormatInt(score, 10))
		return int32(score) //nolint:gosec // at most 10
	}
	return 0
}

func (d *Decoder) dimension() string {
	r := &d.r
	v := r.find(fDimension)
	if !r.need(fDimension, v) {
		return ""
	}
	var buf [32]byte
	switch string(r.code(fDimension, v, &buf)) {
	case "brand":
		return "brand"
	case "value":
		return "value"
	case "relationship":
		return "relationship"
	}
	if v.tok == tokString {
		r.refuse(fDimension, UnknownValue, "brand, value or relationship is wanted")
	}
	return ""
}

func (d *Decoder) comment(c *common) string {
	v := d.r.find(fComment)
	if v.tok == tokString && len(v.text) > maxComment {
		end := maxComment
		for !utf8.RuneStart(v.text[end]) {
			end--
		}
		v.text, c.into.Cut = v.text[:end], true
	}
	return d.r.id(fComment, v, maxComment)
}
