package destination

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/output"
)

// Message is an output that was read from its topic.
type Message struct {
	Topic  output.Topic
	Value  []byte // as it is in the topic
	Fields map[string]any
}

// ErrUnreadable is the error of a record that is no output.
var ErrUnreadable = errors.New("the record is not an output in JSON")

// Read decodes an output. Numbers keep their text.
func Read(t output.Topic, value []byte) (*Message, error) {
	m := &Message{Topic: t, Value: value}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	if err := decoder.Decode(&m.Fields); err != nil || m.Fields == nil {
		return nil, ErrUnreadable // the decoder's error may quote the record
	}
	if _, stated := m.Fields["group"]; t == output.Alerts && !stated {
		m.Fields["group"] = nil // there are no groups: templates may still name the field
	}
	return m, nil
}

func (m *Message) text(field string) string {
	text, _ := m.Fields[field].(string)
	return text
}

// end reports whether the output says that the customer is no more: erased, or merged into another.
func (m *Message) end() bool { return output.Ends(m.text("event_type")) }

// Wants reports whether the destination gets an output. A filter applies to outputs that have the field it is about. The end of a customer passes
// all filters, because a receiver that is not told goes on storing the customer; it has fields of its own, which templates do not know, so
// that only the form json gets it.
func (d *Destination) Wants(m *Message) bool {
	if m.end() {
		return d.Form == JSON
	}
	if m.Topic == output.Alerts && len(d.Rules) > 0 && !slices.Contains(d.Rules, m.text("rule")) {
		return false
	}
	//mutant:control-delivered if false && $
	if group := m.text("group"); group != "" && !slices.Contains(d.Group, group) {
		return false
	}
	if m.Topic == output.Milestones && !m.isOneOf("milestone", d.Milestones) {
		return false
	}
	return m.isOneOf("value_tier", d.Tiers) && m.isOneOf("churn_risk", d.ChurnRisk) && m.changed(d.Changed)
}

// isOneOf looks at a field of the output, or of the scores that an alert has.
func (m *Message) isOneOf(field string, wanted []string) bool {
	if len(wanted) == 0 {
		return true
	}
	value, stated := m.Fields[field]
	if scores, ok := m.Fields["scores"].(map[string]any); !stated && ok {
		value, stated = scores[field]
	}
	if !stated {
		return true
	}
	text, _ := value.(string) // null is in no list
	return slices.Contains(wanted, text)
}

// changed compares with the figures last published. The first output about a customer has none, and counts as changed.
func (m *Message) changed(fields []string) bool {
	previous, _ := m.Fields["previous"].(map[string]any)
	compared := false
	for _, field := range fields {
		before, ok := previous[field]
		if !ok {
			continue
		}
		compared = true
		if !reflect.DeepEqual(before, m.Fields[field]) {
			return true
		}
	}
	return !compared
}

var errNotJSON = errors.New("the template's result is not JSON; quote texts with {{json .field}}, or set content_type")

// Body returns the body of a request, and its content type.
func (d *Destination) Body(m *Message) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	if d.Form == JSON { // the envelope that the specification of Standard Webhooks recommends, around the output as it is
		fmt.Fprintf(&b, `{"type":%s,"timestamp":%s,"data":`, quoted(m.text("event_type")), quoted(m.text("as_of")))
		b.Write(m.Value)
		b.WriteByte('}')
		return b.Bytes(), d.ContentType, nil
	}
	fields := m.Fields
	if d.Form == Slack {
		fields, _ = escaped(fields).(map[string]any)
	}
	profile, _ := d.Form.profile()
	text, err := d.bodyOf(m.Topic).execute(fields, cmp.Or(profile.Null, "null"))
	if err != nil {
		return nil, "", err
	}
	if d.Form == Slack {
		text = `{"text":` + quoted(text) + `}`
	}
	if strings.HasSuffix(d.ContentType, "json") && !json.Valid([]byte(text)) {
		return nil, "", errNotJSON
	}
	return []byte(text), d.ContentType, nil
}

// bodyOf returns the template for an output.
func (d *Destination) bodyOf(t output.Topic) bodyTemplate {
	if d.Template != "" {
		return d.body
	}
	text := slackOutput // no other form is without a template
	switch t {
	case output.Alerts:
		text = slackAlert
	case output.Milestones:
		text = slackMilestone
	default:
	}
	parsed, _ := parseTemplate(text) // a constant
	return parsed
}

// quoted returns a text as JSON.
func quoted(text any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return "null"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// escaped replaces the characters that Slack reads as markup in all texts of an output: a customer could otherwise choose an id that
// becomes a link, or calls everybody in the channel. The template's own markup stays.
func escaped(value any) any {
	switch v := value.(type) {
	case string:
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = escaped(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for key := range v {
			all[key] = escaped(v[key])
		}
		return all
	}
	return value
}
