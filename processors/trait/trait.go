// Package trait owns what purchases state of a customer besides days and amounts: where they came from, where they buy, what they bought
// first. The table lists the traits; a customer's state holds a text for each that any of their purchases has stated, and Texts numbers these
// texts.
//
// It refuses to know of which statement a customer has a trait, which is customer's, and what is computed by traits.
package trait

import "github.com/mainstay/mainstay/schemas/ledger"

// Trait is a trait of a customer, or an attribute: a trait that the shop names by a setting. Its value is its number in the state; the number of
// an attribute is the partition's.
type Trait uint8

// The traits. Numbers are never used again.
const (
	Category Trait = iota
	Brand
	FirstChannel
	Channel
	Source
	Country
	Membership
	Coupon
	Subscription
	HowHeard
	Traits // their number

	// FirstAttribute is the number of a partition's first attribute. Those below it are kept for traits.
	FirstAttribute Trait = 32
)

// MaxAttributes is the most attributes that a partition tells apart, those that the setting names no more included. A further one is not kept.
const MaxAttributes = 256 - int(FirstAttribute)

// Yes and No are the texts of traits that are one or the other.
const (
	Yes = "yes"
	No  = "no"
)

// Which says which of several purchases that state a trait the customer has it from.
type Which uint8

// A purchase that states nothing of a trait leaves it as it is.
const (
	Earliest Which = iota // of all that state it, the earliest
	Latest                // the latest
	Any                   // all that state it state the same
)

// row describes a trait.
type row struct {
	name, about string
	which       Which
	vocabulary  vocabulary
	of          func(d *ledger.Details) string // empty: not stated
}

// vocabulary is the number of a list of texts. Traits whose texts mean the same share one.
type vocabulary uint8

// The vocabularies, in the order of the state.
const (
	categories vocabulary = iota
	brands
	channels
	sources
	countries
	truths
	answers
	vocabularies // their number
)

var table = [Traits]row{ //nolint:gochecknoglobals // the one list of traits
	Category:     {"category", "by the category of the first order: that of its product with the greatest net amount", Earliest, categories, (*ledger.Details).Category},
	Brand:        {"brand", "likewise by the brand", Earliest, brands, (*ledger.Details).Brand},
	FirstChannel: {"first_channel", "by the channel of the first order", Earliest, channels, channelOf},
	Channel:      {"channel", "by the channel of the latest order", Latest, channels, channelOf},
	Source:       {"source", "by the source of acquisition of the first order", Earliest, sources, func(d *ledger.Details) string { return d.Source }},
	Country:      {"country", "by the country of the latest order", Latest, countries, func(d *ledger.Details) string { return d.Country }},
	Membership:   {"membership", "by whether the latest order is a member's", Latest, truths, memberOf},
	Coupon:       {"coupon", "by whether any order had a coupon", Any, truths, func(d *ledger.Details) string { return yesIf(d.Coupon) }},
	Subscription: {"subscription", "by whether any order renewed a subscription", Any, truths, func(d *ledger.Details) string { return yesIf(d.Subscription) }},
	HowHeard:     {"how_heard", "by how they say they have heard of the shop, as the first order states it", Earliest, answers, func(d *ledger.Details) string { return d.HowHeard }},
}

func channelOf(d *ledger.Details) string { return d.Channel }

func memberOf(d *ledger.Details) string {
	switch {
	case !d.MemberStated:
		return ""
	case d.Member:
		return Yes
	}
	return No
}

func yesIf(text string) string {
	if text == "" {
		return ""
	}
	return Yes
}

// Known reports whether a number is that of a trait.
func Known(number uint32) bool { return number < uint32(Traits) }

// String returns the trait's name.
func (t Trait) String() string { return table[t].name }

// About says what the trait is of a customer's orders, after "customers".
func (t Trait) About() string { return table[t].about }

// IsAttribute reports whether the trait is an attribute.
func (t Trait) IsAttribute() bool { return t >= FirstAttribute }

// IsTruth reports whether the trait is yes or no.
func (t Trait) IsTruth() bool { return !t.IsAttribute() && table[t].vocabulary == truths }

// Which says which of the purchases that state the trait the customer has it from.
func (t Trait) Which() Which {
	if t.IsAttribute() {
		return Latest
	}
	return table[t].which
}

// Of returns what a purchase states; empty: nothing. The text aliases the details.
func (t Trait) Of(d *ledger.Details) string { return table[t].of(d) }
