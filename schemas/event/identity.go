package event

import "github.com/mainstay/mainstay/schemas/ledger"

var (
	fMergedInto = declare(Field{
		Name: "customer_id", Aliases: []string{"userId"}, Format: CustomerID, Required: true, Example: "c-1001", Flag: "into",
		Doc: "The customer who remains, and takes over everything of the other.",
	})
	fPreviousID = declare(Field{
		Name: "previous_id", Aliases: []string{"previousId", "from_customer_id"}, Format: CustomerID, Required: true, Example: "c-1002", Flag: "customer",
		Doc: "The customer who is merged into the other, to whom the event belongs.",
	})
)

var identity = Descriptor{
	Name: "identity", Topic: "identities", Topics: "Topics of statements that two customer ids are one person, as a tool for identities sends them; none by default.",
	Title: "Two customer ids are one person, so one customer is merged into the other.", Types: []string{"identity", "identity.merged", "alias"},
	Customer: fPreviousID, Occurred: fOccurredAt,
	Fields:   withCommon(fMergedInto, fPreviousID),
	Example:  "--customer c-1002 --into me",
	Optional: true, Apart: true,
	read:  (*Decoder).readIdentity,
	facts: func(b *canonical, e *ledger.Event, _ *common) { b.text(e.Merge.Into) },
	is:    func(e *ledger.Event) bool { return e.Merge != nil },
}

func (d *Decoder) readIdentity(c *common) {
	x := &c.into.merge
	c.into.Event.Merge = x
	*x = ledger.Merge{Into: d.customer(fMergedInto, c)}
	if x.Into != "" && x.Into == c.into.Customer {
		d.r.refuse(fPreviousID, Mismatch, "the customer is merged with themselves: two ids are wanted")
	}
	c.key = key{what: "identity:", hashed: x.Into}
}
