package destination

import "slices"

// Form is what is sent, and to whom.
type Form string

// The forms with code of their own; all others are a line of the table below.
const (
	JSON     Form = "json"
	Slack    Form = "slack"
	Template Form = "template"
)

// Profile is a line of the table of forms: what a destination has that does not say otherwise. Each field of it can be set.
type Profile struct {
	Form          Form
	About         string // for the table in docs/webhooks.md
	URL           string // "": the destination states it
	Headers       map[string]string
	ContentType   string
	Template      string
	Concurrency   int
	RatePerSecond float64
	Authorized    bool   // it needs authorization_file
	Null          string // JSON that {{traits}} writes for what is not known; "": null
}

// Profiles is the table of forms. One request has one customer, also where a receiver takes batches: a batch of which one customer is refused
// would be accepted or refused as a whole, and the limits below suffice for changes of customers. The limits are those that the receivers
// document:
//
//   - Slack: one message per second and webhook, https://docs.slack.dev/apis/web-api/rate-limits
//   - Klaviyo: 75/s and 700/min, https://developers.klaviyo.com/en/reference/create_or_update_profile
//   - HubSpot: 100 requests in 10 s of an app, https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/batch/upsert-contacts
//   - Braze: 3,000 requests in 3 s, https://www.braze.com/docs/api/endpoints/user_data/post_user_track
func Profiles() []Profile {
	return []Profile{
		{Form: JSON, About: "a signed body with the whole output", ContentType: jsonType, Concurrency: 4, RatePerSecond: 50},
		{Form: Template, About: "a body of your own, by `template`", ContentType: jsonType, Concurrency: 4, RatePerSecond: 50},
		{Form: Slack, About: "a message for an incoming webhook; `template` is its text, and there is one if it is absent", ContentType: jsonType, Concurrency: 1, RatePerSecond: 1},
		{
			Form: "klaviyo", About: "properties of the profile whose external_id is the customer id; `authorization_file` has `Klaviyo-API-Key pk_...`",
			URL: "https://a.klaviyo.com/api/profile-import", Headers: map[string]string{"Revision": "2026-07-15"}, ContentType: "application/vnd.api+json",
			Template:    `{"data":{"type":"profile","attributes":{"external_id":{{json .customer_id}},"properties":{{traits}}}}}`,
			Concurrency: 4, RatePerSecond: 11, Authorized: true,
		},
		{
			Form: "hubspot", About: "properties of the contact whose property mainstay_customer_id, which must be unique, is the customer id; create the properties first. `authorization_file` has `Bearer pat-...`",
			URL: "https://api.hubapi.com/crm/v3/objects/contacts/batch/upsert", ContentType: jsonType,
			Template: `{"inputs":[{"idProperty":"mainstay_customer_id","id":{{json .customer_id}},"properties":{{traits}}}]}`, Null: `""`, // HubSpot clears by an empty text
			Concurrency: 4, RatePerSecond: 9, Authorized: true,
		},
		{
			Form: "braze", About: "custom attributes of the user whose external_id is the customer id; `url` is that of your instance, with `/users/track`, and `authorization_file` has `Bearer ...`",
			ContentType: jsonType, Template: `{"attributes":[{{traits external_id}}]}`,
			Concurrency: 8, RatePerSecond: 200, Authorized: true,
		},
	}
}

// profile returns the line of a form; false if there is none.
func (f Form) profile() (Profile, bool) {
	all := Profiles()
	if i := slices.IndexFunc(all, func(p Profile) bool { return p.Form == f }); i >= 0 {
		return all[i], true
	}
	return Profile{}, false
}

// The message to Slack of a destination that has no template: of an alert, and of another output.
const (
	slackAlert     = "*{{.rule}}* {{.state}} for customer {{.customer_id}} ({{.severity}}): {{.metric}} is {{.value}}, threshold {{.threshold}}; {{.value_at_stake}} {{.currency}} at stake\n{{.reasons}}"
	slackMilestone = "Customer {{.customer_id}} has reached {{.milestone_id}}"
	slackOutput    = "{{.event_type}} of customer {{.customer_id}}\n{{.reasons}}"
)
