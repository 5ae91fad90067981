package shop

import (
	"strconv"

	"github.com/mainstay/mainstay/schemas/event"
)

// encode writes a fact in one of the forms that shops use; form is a uniform random number from 0 to 1.
func (r *run) encode(f fact, form float64) Event {
	e := Event{Kind: f.kind}
	if f.key != "" {
		e.Key = []byte(f.key)
	}
	id := "e-" + strconv.Itoa(r.events)
	aliases, events := r.mix.Aliases, r.mix.CloudEvents
	var members []field
	switch {
	case form < aliases/2 && f.kind == event.Purchase:
		members = track(id, f)
	case form < aliases:
		members = flat(id, f)
	case form < aliases+events/2:
		members, e.Headers = binary(id, f)
	case form < aliases+events:
		members, e.Headers = structured(id, f)
	default:
		members = plain(id, f)
	}
	e.Value = []byte(object(members))
	return e
}

// plain has the plain field names.
func plain(id string, f fact) []field {
	members := []field{text("event_id", id), text("type", f.kind.String()), at("occurred_at", f.at), text("source", f.source)}
	return append(append(members, f.customerFields("customer_id")...), f.body...)
}

// track is Segment's call, with the fields under properties.
func track(id string, f fact) []field {
	members := []field{text("messageId", id), text("type", "track"), text("event", "Order Completed"), at("timestamp", f.at)}
	properties := make([]field, len(f.body))
	for i, b := range f.body {
		if b.name == "total" {
			b.name = "revenue"
		}
		properties[i] = b
	}
	return append(append(members, f.customerFields("userId")...), field{"properties", object(properties)})
}

// flat has the names of other clients, GA4 among them, the order's id as a number and its total as a string.
func flat(id string, f fact) []field {
	members := append([]field{text("messageId", id), at("timestamp", f.at)}, f.customerFields("userId")...)
	for _, b := range f.body {
		switch {
		case f.kind == event.Purchase && b.name == "order_id":
			b = field{"transaction_id", b.value[1 : len(b.value)-1]}
		case f.kind == event.Purchase && b.name == "total":
			b = text("value", b.value)
		case b.name == "referrer_customer_id":
			b.name = "advocate"
		case b.name == "referred_customer_id":
			b.name = "friend"
		}
		members = append(members, b)
	}
	return members
}

// binary is a CloudEvent in binary mode: the attributes are headers, the value is the data.
func binary(id string, f fact) ([]field, []Header) {
	return append(f.customerFields("customer_id"), f.body...), []Header{
		{"ce_specversion", "1.0"},
		{"ce_id", id},
		{"ce_type", f.kind.String()},
		{"ce_source", f.source},
		{"ce_time", rfc3339(f.at)},
		{"content-type", "application/json"},
	}
}

// structured is a CloudEvent in structured mode: an envelope around the data.
func structured(id string, f fact) ([]field, []Header) {
	return []field{
		text("specversion", "1.0"), text("id", id), text("type", f.kind.String()), text("source", f.source),
		at("time", f.at), text("datacontenttype", "application/json"),
		{"data", object(append(f.customerFields("customer_id"), f.body...))},
	}, []Header{{"content-type", "application/cloudevents+json"}}
}

// customerFields returns the customer's id as a field. A referral has none: its body names both customers.
func (f fact) customerFields(name string) []field {
	if f.customer == "" {
		return nil
	}
	return []field{text(name, f.customer)}
}

func object(fields []field) string {
	w := make([]byte, 0, 400)
	for i, f := range fields {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		w = append(append(append(w, separator, '"'), f.name...), '"', ':')
		w = append(w, f.value...)
	}
	return string(append(w, '}'))
}
