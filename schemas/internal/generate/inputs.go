package main

import (
	"slices"
	"strings"
)

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

// definitions are the $defs of one input. JSON Schema has no functions, so that "the first of these names that is present,
// in the body, in properties or in data" is spelled out for each name once, and refers to the next name.
type definitions struct {
	events     object // the whole, which a reader wants to see first
	fields     object // where each is found, and what it must be
	values     object
	predicates object
}

// define adds a definition, if there is none of this name, and refers to it.
func define(into *object, name string, rule object) object {
	if !slices.ContainsFunc(*into, func(m member) bool { return m.name == name }) {
		*into = append(*into, member{name, rule})
	}
	return ref(name)
}

// place is where a field may lie: the body itself, or an object within it.
type place string

const (
	body       place = ""
	properties place = "properties"
	within     place = "data"
)

// has says that an object stands at the place and obeys the rule.
func (p place) has(rule object) object {
	if p == body {
		return rule
	}
	return object{{"required", list{string(p)}}, {"properties", object{{string(p), rule}}}}
}

// obeys says that a member at the place, which is there, obeys the rule.
func (p place) obeys(name string, rule any) object {
	o := object{{"properties", object{{name, rule}}}}
	if p == body {
		return o
	}
	return object{{"properties", object{{string(p), o}}}}
}

// present says that an object has a member that counts as present.
func (d *definitions) present(name string) object {
	counts := "present"
	if name == "type" {
		counts = "present_type"
	}
	return define(&d.predicates, "has_"+name, object{{"type", "object"}, {"required", list{name}}, {"properties", object{{name, ref(counts)}}}})
}

// first says that the first of the field's names that is present obeys the rule, or what holds where none is. suffix tells
// several rules for one field apart.
func (d *definitions) first(f named, suffix string, rule object, absent any) object {
	if rule[0].name != "$ref" {
		rule = define(&d.values, f.names[0]+suffix+"_value", rule)
	}
	for i, n := range f.names {
		next := absent
		if i+1 < len(f.names) {
			next = ref(f.names[i+1] + suffix)
		}
		has := d.present(n)
		for _, p := range []place{within, properties, body} {
			next = when(p.has(has), p.obeys(n, rule), next)
		}
		chain := next.(object)
		if i == 0 && len(f.names) > 1 {
			chain = append(object{{"description", "the first that is present of " + strings.Join(f.names, ", ")}}, chain...)
		}
		define(&d.fields, n+suffix, chain)
	}
	return ref(f.names[0] + suffix)
}

func (d *definitions) required(f named, rule object) object { return d.first(f, "", rule, false) }
func (d *definitions) optional(f named, rule object) object { return d.first(f, "", rule, true) }

// is says that a field is present and obeys the rule.
func (d *definitions) is(f named, what string, rule object) object {
	return d.first(f, "_is_"+what, rule, false)
}

// someone is a required customer; null, with no other id beside it, stands for nobody in particular: such an event is skipped.
func (d *definitions) someone(f named) any {
	var nulls list
	for _, n := range f.names {
		null := define(&d.predicates, "null_"+n, object{{"type", "object"}, {"required", list{n}}, {"properties", object{{n, object{{"type", "null"}}}}}})
		for _, p := range []place{body, properties, within} {
			nulls = append(nulls, p.has(null))
		}
	}
	nobody := define(&d.predicates, "nobody_"+f.names[0], object{{"description", "null stands for nobody in particular: the event is skipped"}, {"anyOf", nulls}})
	return d.first(f, "", ref("customer"), nobody)
}

// attribute is the attribute of a CloudEvent that stands in for a field which its data does not state.
func (d *definitions) attribute(f named, rule object) any {
	var stated list
	for _, n := range f.names {
		for _, p := range []place{body, properties, within} {
			stated = append(stated, p.has(d.present(n)))
		}
	}
	counts := "present"
	if f.attribute == "type" {
		counts = "present_type"
	}
	states := define(&d.predicates, "states_"+f.names[0], object{{"anyOf", stated}})
	absent := object{{"not", ref(counts)}}
	return when(object{{"properties", object{{"data", states}}}}, true, object{{"properties", object{{f.attribute, object{{"anyOf", list{absent, rule}}}}}}})
}

// code is a name in any ASCII case; _ also matches a space and a hyphen.
func code(names ...string) object {
	return object{{"description", strings.Join(names, ", ") + "; in any case"}, {"type", "string"}, {"pattern", "^(" + alternatives(names) + ")$"}}
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
	return object{{"description", strings.Join(names, ", ") + "; in any case"}, {"type", "string"}, {"pattern", `^([\s\S]*\.)?(` + alternatives(names) + `)(\.[Vv][0-9]+)?$`}}
}

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

// event defines all rules for one kind: those of every event, and of its kind.
func (d *definitions) event(types object, rules ...any) {
	define(&d.values, "type_of_event", types)
	rules = append(list{
		d.optional(typ, ref("type_of_event")), d.optional(eventID, ref("identifier")), d.optional(source, ref("identifier")), d.optional(occurredAt, ref("moment")),
	}, rules...)
	isTest := d.is(test, "true", object{{"enum", list{true, "true"}}})
	define(&d.events, "body", object{
		{"description", "the event: the record itself, or the data of a CloudEvent"},
		{"allOf", list{d.optional(test, ref("truth"))}},
		{"if", isTest},
		{"else", object{{"allOf", rules}}},
	})
	define(&d.events, "cloudevent", object{
		{"description", "attributes stand in for what the data does not state"},
		{"required", list{"data"}},
		{"properties", object{{"specversion", object{{"const", "1.0"}}}, {"data", object{{"type", "object"}, {"allOf", list{ref("body")}}}}}},
		{"if", object{{"properties", object{{"data", isTest}}}}},
		{"else", all(d.attribute(typ, ref("type_of_event")), d.attribute(eventID, ref("identifier")), d.attribute(source, ref("identifier")), d.attribute(occurredAt, ref("moment")))},
	})
}

func (d *definitions) purchase() {
	part := func(f named, rule, absent any) any {
		return when(d.present(f.names[0]), object{{"properties", object{{f.names[0], rule}}}}, absent)
	}
	define(&d.fields, "refund", object{{"type", "object"}, {"allOf", list{
		part(refundID, ref("identifier"), false), part(total, ref("positive_amount"), false), part(occurredAt, ref("moment"), true),
	}}})
	d.event(typeOf("purchase", "order completed", "order.completed"),
		d.someone(customer), d.required(orderID, ref("identifier")), d.required(total, ref("amount")),
		d.optional(currency, ref("currency_code")), d.optional(updatedAt, ref("moment")), d.optional(cancelled, ref("moment")),
		d.optional(status, code("open", "pending", "placed", "on_hold", "authorized", "authorised", "confirmed", "processing", "partially_paid",
			"paid", "shipped", "delivered", "fulfilled", "partially_fulfilled", "partially_refunded", "complete", "completed", "closed",
			"cancelled", "canceled", "voided", "refunded", "failed", "declined", "expired")),
		d.optional(refunds, object{{"type", "array"}, {"items", ref("refund")}}))
}

func (d *definitions) cancellation() {
	is := func(what string, rules ...any) any {
		return object{{"if", d.is(kind, what, code(what))}, {"then", all(rules...)}}
	}
	d.event(typeOf("cancellation"),
		d.someone(customer), d.required(kind, code("order", "refund", "subscription", "account")), d.optional(reason, object{{"type", list{"string", "number"}}}),
		is("order", d.required(itsOrder, ref("identifier"))),
		is("refund", d.required(refundID, ref("identifier")), d.required(itsOrder, ref("identifier")), d.optional(currency, ref("currency_code")), d.required(total, ref("positive_amount"))),
		is("subscription", d.required(subscript, ref("identifier")), d.optional(effective, ref("moment"))),
		is("account", d.optional(effective, ref("moment"))))
}

func (d *definitions) referral() {
	d.event(typeOf("referral"),
		d.someone(referrer), d.someone(referred), d.optional(referralID, ref("identifier")), d.required(state, code("pending", "approved", "voided")))
}

func (d *definitions) survey() {
	known := d.first(surveyType, "_is_known", code("nps", "csat", "ces", "equity"), true)
	d.event(typeOf("survey"), d.someone(customer), d.optional(surveyType, object{{"type", "string"}}),
		object{{"if", known}, {"then", all(
			d.required(responseID, ref("identifier")), d.optional(surveyID, ref("identifier")), d.optional(createdAt, ref("moment")), d.optional(updatedAt, ref("moment")),
			d.optional(excluded, ref("truth")),
			when(d.is(surveyType, "csat", code("csat")), d.is(score, "1_to_5", scoreFrom(1, 5, "[1-5]")),
				when(d.is(surveyType, "ces", code("ces")), d.is(score, "1_to_7", scoreFrom(1, 7, "[1-7]")), d.is(score, "0_to_10", scoreFrom(0, 10, "([0-9]|10)")))),
			object{{"if", d.is(surveyType, "equity", code("equity"))}, {"then", d.required(dimension, code("brand", "value", "relationship"))}},
		)}})
}

func inputs() []file {
	common := []named{eventID, typ, occurredAt, source, test}
	of := func(fs ...named) []named { return append(append([]named{}, common...), fs...) }
	return []file{
		input("purchase", "An order, or a snapshot of one.", (*definitions).purchase, of(customer, orderID, total, currency, status, updatedAt, cancelled, refunds)),
		input("cancellation", "An order, a part of one, a subscription or an account is given up.", (*definitions).cancellation, of(customer, kind, itsOrder, refundID, total, currency, subscript, effective, reason)),
		input("referral", "A customer brought another.", (*definitions).referral, of(referralID, referrer, referred, state)),
		input("survey", "A response to a survey.", (*definitions).survey, of(customer, responseID, surveyID, surveyType, score, dimension, comment, createdAt, updatedAt, excluded)),
	}
}

func input(name, doc string, rules func(*definitions), fields []named) file {
	var fieldsOf, example object
	for _, f := range fields {
		text := f.doc
		if len(f.names) > 1 {
			text += " Also read from " + strings.Join(f.names[1:], ", ") + "."
		}
		fieldsOf = append(fieldsOf, member{f.names[0], object{{"title", f.names[0]}, {"description", text}, {"examples", list{f.example}}}})
		if f.names[0] == "type" {
			f.example = name
		}
		if f.names[0] != "cancelled_at" && f.names[0] != "dimension" && f.names[0] != "subscription_id" {
			example = append(example, member{f.names[0], f.example})
		}
	}
	var d definitions
	rules(&d)
	return file{name, object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", base + name + ".schema.json"},
		{"title", name},
		{"description", doc + " Plain JSON, or a CloudEvent in structured mode, told by specversion. Fields may also lie under properties or data, and under the names given with each; the first name that is neither null nor an empty string is the one that is read, and only that one is looked at. Unknown fields are ignored. Generated: see internal/generate."},
		{"examples", list{example, object{{"specversion", "1.0"}, {"id", "0197b3c2-9f0e"}, {"type", "com.example." + name + ".v1"}, {"source", "/webshop"}, {"time", "2026-03-01T12:00:00Z"}, {"data", example}}}},
		{"type", "object"},
		{"properties", fieldsOf},
		{"if", d.present("specversion")},
		{"then", ref("cloudevent")},
		{"else", ref("body")},
		{"$defs", slices.Concat(d.events, d.fields, d.values, types, d.predicates)},
	}}
}

// types are the rules for values.
var types = object{
	{"present", object{{"description", "null and the empty string count as absent"}, {"not", object{{"enum", list{nil, ""}}}}}},
	{"present_type", object{{"description", "track is the envelope of Segment, whose event stands in event"}, {"not", object{{"enum", list{nil, "", "track"}}}}}},
	{"identifier", object{{"description", "text, or a number taken literally; at most 1,024 bytes"}, {"type", list{"string", "number"}}, {"maxLength", 1024}}},
	{"customer", object{{"description", "text, or a number taken literally; at most 256 bytes"}, {"type", list{"string", "number"}}, {"maxLength", 256}}},
	{"amount", object{{"description", "at least 0; more decimals than the currency has are rounded half to even"}, {"anyOf", list{
		object{{"type", "number"}, {"minimum", 0}}, object{{"type", "string"}, {"pattern", `^([0-9]+(\.[0-9]+)?|-0+(\.0+)?)$`}},
	}}}},
	{"positive_amount", object{{"description", "above 0"}, {"anyOf", list{
		object{{"type", "number"}, {"exclusiveMinimum", 0}}, object{{"type", "string"}, {"pattern", `^[0-9]+(\.[0-9]+)?$`}, {"allOf", list{object{{"pattern", "[1-9]"}}}}},
	}}}},
	{"currency_code", object{{"type", "string"}, {"pattern", "^[A-Za-z0-9]{3,8}$"}}},
	{"truth", object{{"enum", list{true, false, "true", "false"}}}},
	{"moment", object{
		{"description", "RFC 3339, from 1990 on"},
		{"type", "string"},
		{"format", "date-time"},
		{"pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$`},
	}},
}
