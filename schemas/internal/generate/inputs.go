package main

import "strings"

// named is a field: its names in order, and the attribute of CloudEvents that comes last.
type named struct {
	names     []string
	attribute string
	doc       string
	example   any
}

func name(attribute, doc string, example any, names ...string) named {
	return named{names, attribute, doc, example}
}

var (
	eventID    = name("id", "Unique within its source; a repeat is dropped. Without it the natural key stands in.", "0197b3c2-9f0e", "event_id", "messageId")
	typ        = name("type", "Must agree with the topic; taken from it when missing. May have a reverse domain name before it and a version behind it.", "purchase", "type", "event")
	occurredAt = name("time", "RFC 3339, from 1990 to 48 h ahead. Without it the record's timestamp stands in.", "2026-03-01T12:00:00Z", "occurred_at", "timestamp", "time")
	customer   = name("", "Whose event it is, at most 256 bytes.", "c-1001", "customer_id", "userId")
	source     = name("source", "Within which event_id is unique; by default the kind of event.", "webshop", "source")
	test       = name("", "true: counted and skipped.", false, "test")
	orderID    = name("", "The order.", "o-2001", "order_id", "transaction_id", "id")
	itsOrder   = name("", "The order that is cancelled or refunded.", "o-2001", "order_id", "transaction_id")
	total      = name("", "An amount in the currency's major unit, exactly: a number or its text.", 49.9, "total", "total_price", "value", "revenue")
	currency   = name("", "ISO 4217 in any case, or a code that the settings add. Without it the configured default.", "EUR", "currency")
	status     = name("", "Of the order, in any case.", "paid", "status")
	updatedAt  = name("", "The event is a snapshot as of then; the newest stands.", "2026-03-02T09:00:00Z", "updated_at")
	cancelled  = name("", "The order is cancelled.", "2026-03-02T09:00:00Z", "cancelled_at")
	refunds    = name("", "What was paid back of the order up to now; each refund_id counts once.", []any{object{{"refund_id", "r-1"}, {"total", 5}}}, "refunds")
	kind       = name("", "order, refund, subscription or account.", "refund", "kind")
	refundID   = name("", "The refund; it counts once.", "r-3001", "refund_id")
	subscript  = name("", "The subscription.", "s-4001", "subscription_id")
	effective  = name("", "When the cancellation takes effect; by default at once.", "2026-04-01T00:00:00Z", "effective_at")
	reason     = name("", "A code of at most 32 bytes; longer text becomes other.", "price", "cancel_reason")
	referralID = name("", "The referral.", "f-5001", "referral_id")
	referrer   = name("", "Who brought the other.", "c-1001", "referrer_customer_id", "advocate")
	referred   = name("", "Who was brought: the customer that the event belongs to.", "c-1002", "referred_customer_id", "friend")
	state      = name("", "pending, approved or voided.", "approved", "status")
	responseID = name("", "The response; an update of it replaces it.", "a-6001", "response_id")
	surveyID   = name("", "The survey.", "nps-2026", "survey_id")
	surveyType = name("", "nps (the default), csat, ces or equity; others are counted and skipped.", "nps", "survey_type")
	score      = name("", "A whole number: nps and equity 0-10, csat 1-5, ces 1-7.", 9, "score")
	comment    = name("", "Dropped unless surveys.keep_comments.", "Fast delivery", "comment")
	createdAt  = name("", "When the response was given; by default occurred_at.", "2026-03-01T12:00:00Z", "created_at")
	excluded   = name("", "The response does not count.", false, "excluded_from_calculations")
	dimension  = name("", "equity: brand, value or relationship.", "brand", "dimension")
)

// reading generates the rules for events that lie at one place: the record itself, or the data of a CloudEvent.
type reading struct{ prefix []string }

// candidates are the paths at which a field may lie, in order.
func (r reading) candidates(f named) [][]string {
	var paths [][]string
	for _, n := range f.names {
		for _, place := range [][]string{{}, {"properties"}, {"data"}} {
			paths = append(paths, join(r.prefix, place, []string{n}))
		}
	}
	if f.attribute != "" && len(r.prefix) > 0 {
		paths = append(paths, []string{f.attribute})
	}
	return paths
}

func join(parts ...[]string) (path []string) {
	for _, p := range parts {
		path = append(path, p...)
	}
	return path
}

// selected says that the first candidate that is present obeys the rule, or what holds where none is.
func (r reading) selected(f named, rule, absent any) any {
	paths := r.candidates(f)
	node := absent
	for i := len(paths) - 1; i >= 0; i-- {
		present := "present"
		if paths[i][len(paths[i])-1] == "type" {
			present = "present_type"
		}
		node = when(has(paths[i], ref(present)), in(paths[i], rule), node)
	}
	return node
}

func (r reading) required(f named, rule any) any { return r.selected(f, rule, false) }
func (r reading) optional(f named, rule any) any { return r.selected(f, rule, true) }

// is says that a field is present and obeys the rule.
func (r reading) is(f named, rule any) any { return r.selected(f, rule, false) }

func has(path []string, leaf any) any {
	for i := len(path) - 1; i >= 0; i-- {
		leaf = object{{"type", "object"}, {"required", list{path[i]}}, {"properties", object{{path[i], leaf}}}}
	}
	return leaf
}

func in(path []string, leaf any) any {
	for i := len(path) - 1; i >= 0; i-- {
		leaf = object{{"properties", object{{path[i], leaf}}}}
	}
	return leaf
}

// code is a name in any ASCII case; _ also matches a space and a hyphen.
func code(names ...string) object {
	return object{{"type", "string"}, {"pattern", "^(" + alternatives(names) + ")$"}}
}

func alternatives(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, c := range n {
			switch {
			case c == '_':
				b.WriteString("[ _-]")
			case c == '.':
				b.WriteString(`\.`)
			case c >= 'a' && c <= 'z':
				b.WriteString("[" + strings.ToUpper(string(c)) + string(c) + "]")
			default:
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

func typeOf(names ...string) object {
	return object{{"type", "string"}, {"pattern", `^([\s\S]*\.)?(` + alternatives(names) + `)(\.[Vv][0-9]+)?$`}}
}

var truth = object{{"enum", list{true, false, "true", "false"}}}

func scoreFrom(low, high int, digits string) object {
	text := `^0*` + digits + `(\.0+)?$`
	if low == 0 {
		text = `^(0*` + digits + `|-0+)(\.0+)?$`
	}
	return object{{"anyOf", list{
		object{{"type", "integer"}, {"minimum", low}, {"maximum", high}},
		object{{"type", "string"}, {"pattern", text}},
	}}}
}

// event is the whole of the rules for one kind, within what is common to all.
func (r reading) event(types object, rules ...any) any {
	common := []any{r.optional(typ, types), r.optional(eventID, ref("id")), r.optional(source, ref("id")), r.optional(occurredAt, ref("time"))}
	return all(
		r.optional(test, truth),
		when(r.is(test, object{{"enum", list{true, "true"}}}), true, object{{"allOf", append(common, rules...)}}),
	)
}

func (r reading) purchase() any {
	part := func(f named, rule, absent any) any {
		return when(has(f.names[:1], ref("present")), in(f.names[:1], rule), absent)
	}
	return r.event(typeOf("purchase", "order completed", "order.completed"),
		r.required(customer, ref("customer")), r.required(orderID, ref("id")), r.required(total, ref("amount")),
		r.optional(currency, ref("currency")), r.optional(updatedAt, ref("time")), r.optional(cancelled, ref("time")),
		r.optional(status, code("open", "pending", "placed", "on_hold", "authorized", "authorised", "confirmed", "processing", "partially_paid",
			"paid", "shipped", "delivered", "fulfilled", "partially_fulfilled", "partially_refunded", "complete", "completed", "closed",
			"cancelled", "canceled", "voided", "refunded", "failed", "declined", "expired")),
		r.optional(refunds, object{{"type", "array"}, {"items", object{{"type", "object"}, {"allOf", list{
			part(refundID, ref("id"), false), part(total, ref("positive_amount"), false), part(occurredAt, ref("time"), true)}}}}}))
}

func (r reading) cancellation() any {
	return r.event(typeOf("cancellation"),
		r.required(customer, ref("customer")), r.required(kind, code("order", "refund", "subscription", "account")), r.optional(reason, object{{"type", list{"string", "number"}}}),
		when(r.is(kind, code("order")), r.required(itsOrder, ref("id")), true),
		when(r.is(kind, code("refund")), all(r.required(refundID, ref("id")), r.required(itsOrder, ref("id")), r.optional(currency, ref("currency")), r.required(total, ref("positive_amount"))), true),
		when(r.is(kind, code("subscription")), all(r.required(subscript, ref("id")), r.optional(effective, ref("time"))), true),
		when(r.is(kind, code("account")), r.optional(effective, ref("time")), true))
}

func (r reading) referral() any {
	return r.event(typeOf("referral"),
		r.required(referrer, ref("customer")), r.required(referred, ref("customer")), r.optional(referralID, ref("id")),
		r.required(state, code("pending", "approved", "voided")))
}

func (r reading) survey() any {
	known := code("nps", "csat", "ces", "equity")
	return r.event(typeOf("survey"), r.required(customer, ref("customer")), r.optional(surveyType, object{{"type", "string"}}),
		when(r.selected(surveyType, known, true), all(
			r.required(responseID, ref("id")), r.optional(surveyID, ref("id")), r.optional(createdAt, ref("time")), r.optional(updatedAt, ref("time")), r.optional(excluded, truth),
			when(r.is(surveyType, code("csat")), r.required(score, scoreFrom(1, 5, "[1-5]")),
				when(r.is(surveyType, code("ces")), r.required(score, scoreFrom(1, 7, "[1-7]")), r.required(score, scoreFrom(0, 10, "([0-9]|10)")))),
			when(r.is(surveyType, code("equity")), r.required(dimension, code("brand", "value", "relationship")), true),
		), true))
}

func inputs() []file {
	common := []named{eventID, typ, occurredAt, source, test}
	of := func(fs ...named) []named { return append(append([]named{}, common...), fs...) }
	return []file{
		input("purchase", "An order, or a snapshot of one.", reading.purchase, of(customer, orderID, total, currency, status, updatedAt, cancelled, refunds)),
		input("cancellation", "An order, a part of one, a subscription or an account is given up.", reading.cancellation, of(customer, kind, itsOrder, refundID, total, currency, subscript, effective, reason)),
		input("referral", "A customer brought another.", reading.referral, of(referralID, referrer, referred, state)),
		input("survey", "A response to a survey.", reading.survey, of(customer, responseID, surveyID, surveyType, score, dimension, comment, createdAt, updatedAt, excluded)),
	}
}

func input(name, doc string, rules func(reading) any, fields []named) file {
	var properties, example object
	for _, f := range fields {
		text := f.doc
		if len(f.names) > 1 {
			text += " Also read from " + strings.Join(f.names[1:], ", ") + "."
		}
		properties = append(properties, member{f.names[0], object{{"title", f.names[0]}, {"description", text}, {"examples", list{f.example}}}})
		if f.names[0] == "type" {
			f.example = name
		}
		if f.names[0] != "cancelled_at" && f.names[0] != "dimension" && f.names[0] != "subscription_id" {
			example = append(example, member{f.names[0], f.example})
		}
	}
	return file{name, object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", base + name + ".schema.json"},
		{"title", name},
		{"description", doc + " Plain JSON, or a CloudEvent in structured mode, told by specversion. Fields may also lie under properties or data, and under the names given with each; the first name that is neither null nor an empty string is the one that is read, and only that one is looked at. Unknown fields are ignored. Generated: see internal/generate."},
		{"examples", list{example, object{{"specversion", "1.0"}, {"id", "0197b3c2-9f0e"}, {"type", "com.example." + name + ".v1"}, {"source", "/webshop"}, {"time", "2026-03-01T12:00:00Z"}, {"data", example}}}},
		{"type", "object"},
		{"properties", properties},
		{"if", has([]string{"specversion"}, ref("present"))},
		{"then", ref("cloudevent")},
		{"else", ref("plain")},
		{"$defs", object{
			{"plain", rules(reading{})},
			{"cloudevent", object{{"properties", object{{"specversion", object{{"const", "1.0"}}}, {"data", object{{"type", "object"}}}}}, {"required", list{"data"}}, {"allOf", list{rules(reading{[]string{"data"}})}}}},
			{"present", object{{"description", "null and the empty string count as absent"}, {"not", object{{"enum", list{nil, ""}}}}}},
			{"present_type", object{{"description", "track is the envelope of Segment, whose event stands in event"}, {"not", object{{"enum", list{nil, "", "track"}}}}}},
			{"id", object{{"description", "text, or a number taken literally; at most 1,024 bytes"}, {"type", list{"string", "number"}}, {"maxLength", 1024}}},
			{"customer", object{{"description", "text, or a number taken literally; at most 256 bytes"}, {"type", list{"string", "number"}}, {"maxLength", 256}}},
			{"amount", object{{"description", "at least 0; more decimals than the currency has are rounded half to even"}, {"anyOf", list{
				object{{"type", "number"}, {"minimum", 0}}, object{{"type", "string"}, {"pattern", `^([0-9]+(\.[0-9]+)?|-0+(\.0+)?)$`}}}}}},
			{"positive_amount", object{{"description", "above 0"}, {"anyOf", list{
				object{{"type", "number"}, {"exclusiveMinimum", 0}}, object{{"type", "string"}, {"pattern", `^[0-9]+(\.[0-9]+)?$`}, {"allOf", list{object{{"pattern", "[1-9]"}}}}}}}}},
			{"currency", object{{"type", "string"}, {"pattern", "^[A-Za-z0-9]{3,8}$"}}},
			{"time", object{{"description", "RFC 3339, from 1990 on"}, {"type", "string"}, {"format", "date-time"},
				{"pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`}}},
		}},
	}}
}
