package format

import (
	"encoding/json"
	"fmt"
	"strings"
)

// valuePath leads to values: a.b is a member of a member; a[] is every element of an array; a[kind=refund,status=success] every
// element with these values, [field.type=nps] with this value further inside. A value that begins with $. is a path from the record itself:
// [currency=$.currency].
type valuePath []step

type step struct {
	member  string
	each    bool
	filters []filter
}

type filter struct {
	within valuePath // the element
	value  string
	path   valuePath // of the record, instead of value
}

// found is a value and the object that has it.
type found struct {
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
				if !ok {
					return nil, fmt.Errorf("%q is not member=value", pair)
				}
				f := filter{value: value}
				if f.within, err = parsePath(name); err != nil {
					return nil, err
				}
				if root, ok := strings.CutPrefix(value, "$."); ok {
					if f.path, err = parsePath(root); err != nil {
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
			b.WriteString(f.within.String() + "=" + f.value)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// find returns the values at a path; null and "" are absent, as for the decoder.
func (p valuePath) find(at, root map[string]any) []found {
	if len(p) == 0 {
		return nil
	}
	if p[0].member == "$" {
		return p[1:].find(root, root)
	}
	value := at[p[0].member]
	if !p[0].each {
		return p.follow(value, at, root)
	}
	elements, _ := value.([]any)
	var all []found
	for _, e := range elements {
		object, _ := e.(map[string]any)
		if p[0].holds(object, root) {
			all = append(all, p.follow(e, at, root)...)
		}
	}
	return all
}

// follow returns what the rest of the path finds in a value.
func (p valuePath) follow(value any, beside, root map[string]any) []found {
	if len(p) == 1 {
		if value == nil || value == "" {
			return nil
		}
		return []found{{value, beside}}
	}
	object, _ := value.(map[string]any)
	return p[1:].find(object, root)
}

func (s *step) holds(element, root map[string]any) bool {
	for _, f := range s.filters {
		want := f.value
		if f.path != nil {
			want = text(first(f.path.find(root, root)))
		}
		if text(first(f.within.find(element, root))) != want {
			return false
		}
	}
	return true
}

func first(all []found) any {
	if len(all) == 0 {
		return nil
	}
	return all[0].value
}

// text is a single value as text: a number by its digits.
func text(v any) string {
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

// condition is written `path` (it has a value), `!path` (it has none), `path=a|b` or `path!=a|b`. Values are compared in any case.
type condition struct {
	path   valuePath
	not    bool
	values []string
}

// UnmarshalText parses a condition.
func (c *condition) UnmarshalText(written []byte) (err error) {
	head, tail := "", string(written)
	if i := strings.LastIndexByte(tail, ']'); i >= 0 { // = also stands within the path
		head, tail = tail[:i+1], tail[i+1:]
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

func (all conditions) hold(record map[string]any) bool {
	for _, c := range all {
		values := c.path.find(record, record)
		holds := len(values) > 0
		if c.values != nil {
			holds = false
			for _, v := range values {
				for _, want := range c.values {
					holds = holds || strings.EqualFold(text(v.value), want)
				}
			}
		}
		if holds == c.not {
			return false
		}
	}
	return true
}
