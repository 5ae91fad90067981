package event

import "github.com/mainstay/mainstay/schemas/ledger"

var (
	fReferralID = declare(Field{Name: "referral_id", Format: Identifier, Example: "f-5001", Flag: "referral", Doc: "The referral."})
	fReferrer   = declare(Field{
		Name: "referrer_customer_id", Aliases: []string{"advocate"}, Format: CustomerID, Required: true, Example: "c-1001", Flag: "referrer",
		Doc: "The customer that referred the other.",
	})
	fReferred = declare(Field{
		Name: "referred_customer_id", Aliases: []string{"friend"}, Format: CustomerID, Required: true, Example: "c-1002", Flag: "customer",
		Doc: "The customer that was referred, to which the event belongs.",
	})
	fReferralStatus = declare(Field{
		Name: "status", Format: Code, Codes: []string{"pending", "approved", "voided"}, Required: true, Example: "approved", Flag: "status", Default: "approved",
		Doc: "pending, approved or voided.",
	})
)

var referral = Descriptor{
	Name: "referral", Topic: "referrals", Topics: "Topics of referrals.",
	Title: "A customer referred another.", Types: []string{"referral"}, Customer: fReferred, Occurred: fOccurredAt,
	Fields: withCommon(declare(Field{Name: "customer_id", Aliases: []string{"userId"}, Optional: true, Doc: "Not read: a referral names both customers."}),
		fReferralID, declare(Field{Name: "referral_code", Optional: true, Flag: "referral-code", Doc: "Code that was used; not read."}),
		fReferrer, fReferred, fReferralStatus),
	Example: "--referrer me --customer friend",
	read:    (*Decoder).readReferral,
	facts: func(b *canonical, e *ledger.Event, _ *common) {
		x := e.Referral
		b.text(x.ReferralId)
		b.text(x.Referrer)
		b.number(int64(x.Status))
	},
	is: func(e *ledger.Event) bool { return e.Referral != nil },
}

func (d *Decoder) readReferral(c *common) {
	r := &d.r
	x := &c.into.referral
	c.into.Event.Referral = x
	x.Referrer = d.customer(fReferrer, c)
	x.ReferralId = r.id(fReferralID, r.find(fReferralID), maxID)
	x.Status = 0
	i := d.oneOf(fReferralStatus)
	if i < 0 {
		return
	}
	x.Status = ledger.ReferralStatus(i + 1) //nolint:gosec // the codes stand in the order of the enumeration
	c.key = key{what: "referral:", id: x.ReferralId, hashed: x.Referrer, status: fReferralStatus.Codes[i]}
}
