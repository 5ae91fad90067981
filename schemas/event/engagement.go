package event

import (
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// engagementSpellings are what the types of engagement may be called, the type's own name first, in the order of the enumeration
// behind UNSPECIFIED: the names of Segment's and GA4's specifications and of Klaviyo's metrics. The same names are types of the event,
// since those specifications have no other place for it.
var engagementSpellings = [][]string{
	{"site_visit", "page", "page_view", "session_start", "active_on_site", "product_viewed", "viewed_product", "view_item"},
	{"app", "screen", "screen_view", "application_opened", "opened_app"},
	{"social_share", "share", "product_shared", "cart_shared"},
	{"review", "product_reviewed", "submitted_review"},
	{"support_contact", "live_chat_conversation_started"},
	{"feature_use", "feature_used"},
}

var (
	fEngagementType = declare(Field{
		Name: "engagement_type", Aliases: []string{"event_name"}, Format: Code, Codes: slices.Concat(engagementSpellings...), Example: "site_visit", Flag: "type", Default: "site_visit",
		Doc: "site_visit, app, social_share, review, support_contact or feature_use, or a name that Segment, GA4 or Klaviyo has for one; by default what type says, and site_visit if that is engagement.",
	})
	fCampaign = declare(Field{Name: "campaign", Format: Detail, Optional: true, Example: "spring", Flag: "campaign", Doc: "Campaign that brought it about."})
)

var engagement = Descriptor{
	Name: "engagement", Topic: "engagement", Topics: "Topics of visits, shares, reviews and whatever else customers do besides buying; none by default.",
	Title: "A customer visits, shares, reviews, asks for help or uses a feature.", Types: append([]string{"engagement"}, fEngagementType.Codes...),
	Customer: fCustomerID, Occurred: fOccurredAt,
	Fields:   withCommon(fCustomerID, fEngagementType, fChannel, fCampaign),
	Example:  "--customer me --type review",
	Optional: true,
	States:   true,
	read:     (*Decoder).readEngagement,
	facts:    func(b *canonical, e *ledger.Event, _ *common) { b.number(int64(e.Engagement.Type)) },
	is:       func(e *ledger.Event) bool { return e.Engagement != nil },
}

// readEngagement gives an event without event_id its time as the key, also the record's timestamp that stands in: a customer visits
// more than once. Channel and campaign are kept as details are: they never refuse the event.
func (d *Decoder) readEngagement(c *common) {
	r := &d.r
	x := &c.into.engagement
	c.into.Event.Engagement = x
	spelling := d.oneOf(fEngagementType)
	if spelling < 0 && r.refused == nil {
		spelling = d.spellingOfType(c)
	}
	*x = ledger.Engagement{Channel: r.detail(r.find(fChannel)), Campaign: r.detail(r.find(fCampaign))}
	if spelling < 0 {
		return
	}
	t := engagementTypes[spelling]
	x.Type = t
	c.key = key{what: "engagement:", id: engagementSpellings[t-1][0], at: c.into.Event.OccurredAt, timed: true}
}

// engagementTypes are the types by the index of their spelling in Codes.
var engagementTypes = func() (all []ledger.EngagementType) {
	for i, spellings := range engagementSpellings {
		for range spellings {
			all = append(all, ledger.EngagementType(i+1))
		}
	}
	return all
}()

// spellingOfType returns the spelling that stands in the event's type; the first, a visit, if the type only says that it is engagement.
func (d *Decoder) spellingOfType(c *common) int {
	if c.typeName == 0 {
		d.r.recordDefault("the usual type", fEngagementType.Codes[0])
		return 0
	}
	spelling := c.typeName - 1 // "engagement" stands before the spellings
	d.r.recordDefault(fType.Name, fEngagementType.Codes[spelling])
	return spelling
}
