package event

import "github.com/mainstay/mainstay/schemas/ledger"

var erasure = Descriptor{
	Name: "erasure", Topic: "erasures", Topics: "Topics of requests to forget customers, as a consent tool sends them; none by default.",
	Title: "A customer is to be forgotten.", Types: []string{"erasure"}, Customer: fCustomerID, Occurred: fOccurredAt,
	Fields:   withCommon(fCustomerID),
	Example:  "--customer me",
	Optional: true, Apart: true,
	read:  (*Decoder).readErasure,
	facts: func(*canonical, *ledger.Event, *common) {},
	is:    func(e *ledger.Event) bool { return e.Erasure != nil },
}

func (d *Decoder) readErasure(c *common) {
	c.into.Event.Erasure = &c.into.erasure
	c.key = c.withOccurrence(key{what: "erasure"})
}
