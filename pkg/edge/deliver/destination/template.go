package destination

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bodyTemplate is a text with places for fields of an output:
//
//	{{.field}}, {{.scores.value_tier}}   a field, or one within another, as text; the elements of a list each on a line
//	{{json .field}}                      a field as JSON
//	{{traits}}, {{traits NAME}}          the figures of the output as a JSON object, with the customer's id first as NAME
//
// text/template was rejected: it calls methods by name, so the linker would keep every method of every type of the program, which adds
// about ten megabytes. Conditions were left out: a destination whose outputs need different bodies is two destinations.
type bodyTemplate []place

// place is text, and the field that follows it.
type place struct {
	text string
	line int
	verb string   // "", json, traits, or end: nothing follows
	path []string // of the field; of traits, the name of the customer's id
}

var errOpen = errors.New("{{ without }}")

// parseTemplate names the line in its errors.
func parseTemplate(text string) (bodyTemplate, error) {
	var t bodyTemplate
	line := 1
	for {
		before, rest, found := strings.Cut(text, "{{")
		line += strings.Count(before, "\n")
		if !found {
			return append(t, place{text: before, line: line, verb: "end"}), nil
		}
		inner, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, fmt.Errorf("line %d: %w", line, errOpen)
		}
		p := place{text: before, line: line}
		words := strings.Fields(inner)
		if len(words) > 0 && (words[0] == "json" || words[0] == "traits") {
			p.verb, words = words[0], words[1:]
		}
		switch {
		case p.verb == "traits" && len(words) <= 1:
			p.path = words
		case p.verb != "traits" && len(words) == 1 && len(words[0]) > 1 && words[0][0] == '.':
			p.path = strings.Split(words[0][1:], ".")
		default:
			return nil, fmt.Errorf("line %d: {{%s}} is none of {{.field}}, {{json .field}}, {{traits}} and {{traits NAME}}", line, inner)
		}
		t = append(t, p)
		text = after
	}
}

// execute returns the text for an output. A field that it does not have is an error, which names line and field, and shows no value.
func (t bodyTemplate) execute(fields map[string]any, null string) (string, error) {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
		switch p.verb {
		case "end":
			return b.String(), nil
		case "traits":
			b.WriteString(traits(fields, p.path, null))
			continue
		}
		var value any = fields
		for _, name := range p.path {
			within, _ := value.(map[string]any)
			inner, ok := within[name]
			if !ok {
				return "", fmt.Errorf("line %d: the output has no field %s", p.line, strings.Join(p.path, "."))
			}
			value = inner
		}
		if p.verb == "json" {
			b.WriteString(quoted(value))
		} else {
			b.WriteString(plain(value))
		}
	}
	return b.String(), nil
}

// plain is a value as text. What is not known is written so.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return "unknown"
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		lines := make([]string, len(v))
		for i := range v {
			lines[i] = plain(v[i])
		}
		return strings.Join(lines, "\n")
	}
	return quoted(value)
}

// notTraits are fields that say something of the output and not of the customer.
func notTraits() []string {
	return []string{"event_id", "event_type", "customer_id", "sequence", "trigger", "cause_event_id", "group"}
}

// traits returns the figures of an output as a JSON object, in the order of their names, which begin with mainstay_. Objects and lists are
// left out: marketing systems segment on single values. null stands for what is not known.
func traits(fields map[string]any, id []string, null string) string {
	var members []string
	for _, name := range id {
		members = append(members, quoted(name)+":"+quoted(fields["customer_id"]))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text := null
		switch value := fields[name].(type) {
		case map[string]any, []any:
			continue
		case nil:
		default:
			text = quoted(value)
		}
		if !slices.Contains(notTraits(), name) {
			members = append(members, quoted("mainstay_"+name)+":"+text)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}
