package main

import (
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
)

// definitions are the $defs of one input. JSON Schema has no functions, so that "the first of these names that is present,
// in the body, in properties or in data" is spelled out for each name once, and refers to the next name.
type definitions struct {
	events     object // the whole, which a reader wants to see first
	fields     object // where each is found, and what it must be
	values     object
	predicates object

	fieldsOf *event.Descriptor
}

func (d *definitions) of(field string) *event.Field { return d.fieldsOf.Field(field) }

// define adds a definition, if there is none of this name, and refers to it.
func define(into *object, name string, rule object) object {
	if !slices.ContainsFunc(*into, func(m member) bool { return m.name == name }) {
		*into = append(*into, member{name, rule})
	}
	return ref(name)
}

// spellings are the names of a field in the order in which they are looked for.
func spellings(f *event.Field) []string { return append([]string{f.Name}, f.Aliases...) }

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

// first requires the rule of the first of the field's names that is present, and otherwise applies where no name is present. suffix
// distinguishes several rules for one field.
func (d *definitions) first(f *event.Field, suffix string, rule object, absent any) object {
	if rule[0].name != "$ref" {
		rule = define(&d.values, f.Name+suffix+"_value", rule)
	}
	all := spellings(f)
	for i, n := range all {
		next := absent
		if i+1 < len(all) {
			next = ref(all[i+1] + suffix)
		}
		has := d.present(n)
		for _, p := range []place{within, properties, body} {
			next = when(p.has(has), p.obeys(n, rule), next)
		}
		chain := next.(object)
		if i == 0 && len(all) > 1 {
			chain = append(object{{"description", "the first that is present of " + strings.Join(all, ", ")}}, chain...)
		}
		define(&d.fields, n+suffix, chain)
	}
	return ref(f.Name + suffix)
}

func (d *definitions) required(f *event.Field, rule object) object {
	return d.first(f, "", rule, false)
}

func (d *definitions) optional(f *event.Field, rule object) object { return d.first(f, "", rule, true) }

// is says that a field is present and obeys the rule.
func (d *definitions) is(f *event.Field, what string, rule object) object {
	return d.first(f, "_is_"+what, rule, false)
}

// requiredCustomer requires a customer id. An event whose only customer id is null has no customer, and is skipped.
func (d *definitions) requiredCustomer(f *event.Field) any {
	var nulls list
	for _, n := range spellings(f) {
		null := define(&d.predicates, "null_"+n, object{{"type", "object"}, {"required", list{n}}, {"properties", object{{n, object{{"type", "null"}}}}}})
		for _, p := range []place{body, properties, within} {
			nulls = append(nulls, p.has(null))
		}
	}
	nobody := define(&d.predicates, "nobody_"+f.Name, object{{"description", "null stands for nobody in particular: the event is skipped"}, {"anyOf", nulls}})
	return d.first(f, "", ref("customer"), nobody)
}

// attribute is the attribute of a CloudEvent that stands in for a field which its data does not state.
func (d *definitions) attribute(f *event.Field, rule object) any {
	var stated list
	for _, n := range spellings(f) {
		for _, p := range []place{body, properties, within} {
			stated = append(stated, p.has(d.present(n)))
		}
	}
	counts := "present"
	if f.Attribute == "type" {
		counts = "present_type"
	}
	states := define(&d.predicates, "states_"+f.Name, object{{"anyOf", stated}})
	absent := object{{"not", ref(counts)}}
	return when(object{{"properties", object{{"data", states}}}}, true, object{{"properties", object{{f.Attribute, object{{"anyOf", list{absent, rule}}}}}}})
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
		d.optional(d.of("type"), ref("type_of_event")), d.optional(d.of("event_id"), ref("identifier")), d.optional(d.of("source"), ref("identifier")), d.optional(d.of("occurred_at"), ref("moment")),
	}, rules...)
	isTest := d.is(d.of("test"), "true", object{{"enum", list{true, "true"}}})
	define(&d.events, "body", object{
		{"description", "the event: the record itself, or the data of a CloudEvent"},
		{"allOf", list{d.optional(d.of("test"), ref("truth"))}},
		{"if", isTest},
		{"else", object{{"allOf", rules}}},
	})
	define(&d.events, "cloudevent", object{
		{"description", "attributes stand in for what the data does not state"},
		{"required", list{"data"}},
		{"properties", object{{"specversion", object{{"const", "1.0"}}}, {"data", object{{"type", "object"}, {"allOf", list{ref("body")}}}}}},
		{"if", object{{"properties", object{{"data", isTest}}}}},
		{"else", all(d.attribute(d.of("type"), ref("type_of_event")), d.attribute(d.of("event_id"), ref("identifier")), d.attribute(d.of("source"), ref("identifier")), d.attribute(d.of("occurred_at"), ref("moment")))},
	})
}

// formats are the rules for values by format. A format without a rule is not constrained.
var formats = map[event.Format]object{
	event.Identifier: ref("identifier"), event.CustomerID: ref("customer"), event.Label: {{"type", list{"string", "number"}}}, event.Currency: ref("currency_code"),
	event.Amount: ref("amount"), event.PositiveAmount: ref("positive_amount"), event.Time: ref("moment"), event.Flag: ref("truth"),
}

// rule is what a field of a kind must be where it is present.
func (d *definitions) rule(f *event.Field) object {
	switch f.Format {
	case event.Code:
		return code(f.Codes...)
	case event.Objects:
		var parts list
		for _, p := range f.Parts {
			_, member, _ := strings.Cut(p.Name, ".")
			parts = append(parts, when(d.present(member), object{{"properties", object{{member, d.rule(p)}}}}, !p.Required))
		}
		define(&d.fields, f.Name+"_element", object{{"type", "object"}, {"allOf", parts}})
		rule := object{{"type", "array"}, {"items", ref(f.Name + "_element")}}
		if f.MaxItems > 0 {
			rule = append(rule, member{"maxItems", f.MaxItems})
		}
		return rule
	case event.Text:
		return object{{"type", "string"}}
	default:
		return formats[f.Format]
	}
}

// field is what a kind demands of a field.
func (d *definitions) field(f *event.Field) any {
	switch {
	case f.Format == event.CustomerID:
		return d.requiredCustomer(f)
	case f.Required:
		return d.required(f, d.rule(f))
	}
	return d.optional(f, d.rule(f))
}

// kind defines all rules for a kind of event. Fields under a condition are demanded where the field that they depend on has
// one of the condition's codes.
func (d *definitions) kind(k event.Kind) {
	var rules list
	var conditions []*event.Field // on which others depend
	byCode := map[string]list{}
	for _, f := range own(k) {
		switch {
		case f.Optional || f.Format == event.Score: // see scores
		case f.When == nil:
			rules = append(rules, d.field(f))
		default:
			if !slices.Contains(conditions, f.When.Field) {
				conditions = append(conditions, f.When.Field)
			}
			for _, c := range f.When.Codes {
				byCode[c] = append(byCode[c], d.field(f))
			}
		}
	}
	for _, on := range conditions {
		for _, c := range on.Codes {
			if k == event.Survey {
				byCode[c] = append(byCode[c], d.scores(k.Descriptor().Field("score"), c))
			}
			if len(byCode[c]) > 0 {
				rules = append(rules, object{{"if", d.has(on, c)}, {"then", all(byCode[c]...)}})
			}
		}
	}
	d.event(typeOf(k.Descriptor().Types...), rules...)
}

// has says that a field has a code; the first code of one that is not required stands in where it is absent.
func (d *definitions) has(f *event.Field, c string) object {
	return d.first(f, "_is_"+c, code(c), !f.Required && c == f.Codes[0])
}

// scores is the range of scores of a type of survey.
func (d *definitions) scores(f *event.Field, surveyType string) any {
	switch surveyType {
	case "csat":
		return d.is(f, "1_to_5", scoreFrom(1, 5, "[1-5]"))
	case "ces":
		return d.is(f, "1_to_7", scoreFrom(1, 7, "[1-7]"))
	}
	return d.is(f, "0_to_10", scoreFrom(0, 10, "([0-9]|10)"))
}

// common are the fields of events of every kind.
var common = []string{"type", "event_id", "occurred_at", "source", "schema_version", "test"}

// own are the fields of a kind beyond the common ones.
func own(k event.Kind) []*event.Field {
	return slices.DeleteFunc(slices.Clone(k.Descriptor().Fields), func(f *event.Field) bool { return slices.Contains(common, f.Name) })
}

func inputs() []file {
	var files []file
	for k := range event.Kinds {
		files = append(files, input(k))
	}
	return files
}

func input(k event.Kind) file {
	kind := k.Descriptor()
	name := kind.Name
	var properties, example object
	for _, f := range kind.Fields {
		if f.Optional && f.Example == nil {
			continue
		}
		text, value := f.Doc, f.Example
		if len(f.Aliases) > 0 {
			text += " Also read from " + strings.Join(f.Aliases, ", ") + "."
		}
		properties = append(properties, member{f.Name, object{{"title", f.Name}, {"description", text}, {"examples", list{value}}}})
		if f.Name == "type" {
			value = name
		}
		exampleOf := ""
		if f.When != nil {
			exampleOf, _ = f.When.Field.Example.(string)
		}
		if f.When.Holds(exampleOf) && f.Name != "cancelled_at" {
			example = append(example, member{f.Name, value})
		}
	}
	d := definitions{fieldsOf: kind}
	d.kind(k)
	return file{name, object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", base + name + ".schema.json"},
		{"title", name},
		{"description", kind.Title + " Plain JSON, or a CloudEvent in structured mode, told by specversion. Fields may also lie under properties or data, and under the names given with each; the first name that is neither null nor an empty string is the one that is read, and only that one is looked at. Unknown fields are ignored. Generated: see internal/generate."},
		{"examples", list{example, object{{"specversion", "1.0"}, {"id", "0197b3c2-9f0e"}, {"type", "com.example." + name + ".v1"}, {"source", "/webshop"}, {"time", "2026-03-01T12:00:00Z"}, {"data", example}}}},
		{"type", "object"},
		{"properties", properties},
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
