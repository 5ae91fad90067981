package format

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// valuePath leads to values: a.b is a member of a member; a[] is every element of an array; a[kind=refund,status=success] every
// element with these values, [field.type=nps] with this value further inside, [!parent_id] without one. A path begins at the nearest object: the element that is
// being read, or else the event. One that begins with $. begins at the event, with $$. at the whole record, which are the same unless the
// record has a list of events; @ is the nearest object itself. The value of a filter may be such a path: [currency=$.currency].
type valuePath []step

// scope is where paths begin, besides the nearest object.
type scope struct {
	event  map[string]any // $
	record map[string]any // $$
}

type step struct {
	member  string
	each    bool
	filters []filter
}

type filter struct {
	within valuePath // the element
	absent bool      // it has no value there; value and path have no meaning
	value  string
	path   valuePath // instead of value; it begins at the event or the record
}

// foundValue is a value and the object that has it.
type foundValue struct {
	value  any
	beside map[string]any
}

func parsePath(text string) (p valuePath, err error) {
	for text != "" {
		end := strings.IndexAny(text, ".[")
		if end < 0 {
			end = len(text)
		}
		s := step{member: text[:end]}
		if text = text[end:]; strings.HasPrefix(text, "[") {
			inside, rest, ok := strings.Cut(text[1:], "]")
			if !ok {
				return nil, fmt.Errorf("%q: ] is missing", text)
			}
			s.each, text = true, rest
			for pair := range strings.SplitSeq(inside, ",") {
				if inside == "" {
					break
				}
				name, value, ok := strings.Cut(pair, "=")
				f := filter{value: value}
				if !ok {
					name, f.absent = strings.CutPrefix(pair, "!")
				}
				if !ok && !f.absent {
					return nil, fmt.Errorf("%q is neither member=value nor !member", pair)
				}
				if f.within, err = parsePath(name); err != nil {
					return nil, err
				}
				if strings.HasPrefix(value, "$") {
					if f.path, err = parsePath(value); err != nil {
						return nil, err
					}
				}
				s.filters = append(s.filters, f)
			}
		}
		if s.member == "" {
			return nil, fmt.Errorf("a path such as customer.id is wanted; there is an empty name before %q", text)
		}
		p = append(p, s)
		if text == "" {
			return p, nil
		}
		var more bool
		if text, more = strings.CutPrefix(text, "."); !more || text == "" {
			return nil, fmt.Errorf("a name is wanted after the last dot or ] before %q", text)
		}
	}
	return nil, fmt.Errorf("a path such as customer.id is wanted")
}

// UnmarshalText parses a path.
func (p *valuePath) UnmarshalText(written []byte) (err error) {
	*p, err = parsePath(string(written))
	return err
}

// String is the path as it is written.
func (p valuePath) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.member)
		if !s.each {
			continue
		}
		b.WriteByte('[')
		for i, f := range s.filters {
			if i > 0 {
				b.WriteByte(',')
			}
			if f.absent {
				b.WriteString("!" + f.within.String())
				continue
			}
			b.WriteString(f.within.String() + "=" + f.value)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// find returns the values at a path; null and "" are absent, as for the decoder.
func (p valuePath) find(at map[string]any, in *scope) []foundValue {
	if len(p) == 0 {
		return nil
	}
	switch p[0].member {
	case "$":
		return p.from(in.event, in)
	case "$$":
		return p.from(in.record, in)
	case "@":
		return p.from(at, in)
	}
	value := at[p[0].member]
	if !p[0].each {
		return p.follow(value, at, in)
	}
	elements, _ := value.([]any)
	var all []foundValue
	for _, e := range elements {
		object, _ := e.(map[string]any)
		if p[0].holds(object, in) {
			all = append(all, p.follow(e, at, in)...)
		}
	}
	return all
}

// from returns what a path finds that begins with the name of an object.
func (p valuePath) from(object map[string]any, in *scope) []foundValue {
	if len(p) == 1 && object != nil {
		return []foundValue{{object, object}}
	}
	return p[1:].find(object, in)
}

// follow returns what the rest of the path finds in a value.
func (p valuePath) follow(value any, beside map[string]any, in *scope) []foundValue {
	if len(p) == 1 {
		if value == nil || value == "" {
			return nil
		}
		return []foundValue{{value, beside}}
	}
	object, _ := value.(map[string]any)
	return p[1:].find(object, in)
}

func (s *step) holds(element map[string]any, in *scope) bool {
	for _, f := range s.filters {
		if f.absent {
			if len(f.within.find(element, in)) > 0 {
				return false
			}
			continue
		}
		want := f.value
		if f.path != nil {
			want = valueText(first(f.path.find(in.event, in)))
		}
		if valueText(first(f.within.find(element, in))) != want {
			return false
		}
	}
	return true
}

// list is where a path that ends with [] has its array, or the path itself.
func (p valuePath) list() valuePath {
	whole := append(valuePath{}, p...)
	whole[len(whole)-1] = step{member: whole[len(whole)-1].member}
	return whole
}

func first(all []foundValue) any {
	if len(all) == 0 {
		return nil
	}
	return all[0].value
}

// valueText is a single value as text: a number by its digits.
func valueText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		if x {
			return "true"
		}
		return "false"
	}
	return ""
}

// conditions all hold, or the record is something else.
type conditions []condition

// condition is written `path` (it has a value), `!path` (it has none), `path=a|b`, `path!=a|b`, or `path~expression`. Values are compared in
// any case.
type condition struct {
	path   valuePath
	not    bool
	values []string
	match  *regexp.Regexp // nil: values are compared
}

// UnmarshalText parses a condition.
func (c *condition) UnmarshalText(written []byte) (err error) {
	head, tail := "", string(written)
	if i := strings.LastIndexByte(tail, ']'); i >= 0 { // = also stands within the path
		head, tail = tail[:i+1], tail[i+1:]
	}
	if before, expression, ok := strings.Cut(tail, "~"); ok && !strings.Contains(before, "=") {
		if c.match, err = regexp.Compile(expression); err != nil {
			return fmt.Errorf("%q: %w", written, err)
		}
		c.path, err = parsePath(head + before)
		return err
	}
	path, values, compares := strings.Cut(tail, "=")
	switch path = head + path; {
	case compares:
		path, c.not = strings.TrimSuffix(path, "!"), strings.HasSuffix(path, "!")
		c.values = strings.Split(values, "|")
	case strings.HasPrefix(path, "!"):
		path, c.not = path[1:], true
	}
	c.path, err = parsePath(path)
	return err
}

func (all conditions) hold(at map[string]any, in *scope) bool {
	for _, c := range all {
		values := c.path.find(at, in)
		holds := len(values) > 0
		if c.match != nil {
			holds = slices.ContainsFunc(values, func(v foundValue) bool { return c.match.MatchString(valueText(v.value)) })
		}
		if c.values != nil {
			holds = false
			for _, v := range values {
				for _, want := range c.values {
					holds = holds || strings.EqualFold(valueText(v.value), want)
				}
			}
		}
		if holds == c.not {
			return false
		}
	}
	return true
}
