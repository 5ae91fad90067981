package destination

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"text/template"

	"github.com/mainstay/mainstay/schemas/output"
)

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
	Authorized    bool // it needs authorization_file
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
		{Form: Slack, About: "a message for an incoming webhook; `template` is its text", ContentType: jsonType, Template: slackTemplate, Concurrency: 1, RatePerSecond: 1},
		{
			Form: "klaviyo", About: "properties of the profile whose external_id is the customer id; `authorization_file` has `Klaviyo-API-Key pk_...`",
			URL: "https://a.klaviyo.com/api/profile-import", Headers: map[string]string{"Revision": "2026-07-15"}, ContentType: "application/vnd.api+json",
			Template:    `{"data":{"type":"profile","attributes":{"external_id":{{json .customer_id}},"properties":{{"{"}}{{traits . nil}}{{"}"}}}}}`,
			Concurrency: 4, RatePerSecond: 11, Authorized: true,
		},
		{
			Form: "hubspot", About: "properties of the contact whose property mainstay_customer_id, which must be unique, is the customer id; create the properties first. `authorization_file` has `Bearer pat-...`",
			URL: "https://api.hubapi.com/crm/v3/objects/contacts/batch/upsert", ContentType: jsonType,
			Template:    `{"inputs":[{"idProperty":"mainstay_customer_id","id":{{json .customer_id}},"properties":{{"{"}}{{traits . ""}}{{"}"}}}]}`, // HubSpot clears by an empty text
			Concurrency: 4, RatePerSecond: 9, Authorized: true,
		},
		{
			Form: "braze", About: "custom attributes of the user whose external_id is the customer id; `url` is that of your instance, with `/users/track`, and `authorization_file` has `Bearer ...`",
			ContentType: jsonType, Template: `{"attributes":[{"external_id":{{json .customer_id}},{{traits . nil}}}]}`,
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

func parseTemplate(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"json": quoted, "traits": traits}).Parse(text)
}

// notTraits are fields that say something of the output and not of the customer.
func notTraits() []string {
	return []string{"event_id", "event_type", "customer_id", "sequence", "trigger", "cause_event_id"}
}

// traits returns the figures of an output as members of a JSON object, in the order of their names, which begin with mainstay_. Objects
// and lists are left out: marketing systems segment on single values. unknown stands for null.
func traits(fields map[string]any, unknown any) string {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		switch value.(type) {
		case map[string]any, []any:
			continue
		case nil:
			value = unknown
		}
		if slices.Contains(notTraits(), name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", quoted("mainstay_"+name), quoted(value))
	}
	return b.String()
}

// slackTemplate is the message of a destination in Slack that has no template.
const slackTemplate = `{{if eq .event_type "` + output.TypeAlertRaised + `" "` + output.TypeAlertCleared + `"}}` +
	`{{if eq .state "raised"}}:rotating_light:{{else}}:white_check_mark:{{end}} *{{.rule}}* {{.state}} for customer {{.customer_id}} ({{.severity}}): {{.metric}} is {{.value}}, threshold {{.threshold}}` +
	`{{if .value_at_stake}}; {{.value_at_stake}} {{.currency}} at stake{{end}}{{range .reasons}}` + "\n• {{.}}{{end}}" +
	`{{else}}Customer {{.customer_id}}: {{.event_type}}{{range .reasons}}` + "\n• {{.}}{{end}}{{end}}"
