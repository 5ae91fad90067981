package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
)

// Explain adds to a refusal of the decoder where the format reads the field.
func (f *Format) Explain(refused *event.Refused, t *Translated) *event.Refused {
	path, detail := t.Paths[refused.Field], ""
	switch {
	case f == nil:
	case path != "":
		detail = "format " + f.Name + ", read from " + path + " "
	default:
		detail = "format " + f.Name + ", which reads it from " + f.sourcesOf(t.Kind, refused.Field) + " "
	}
	if t.In != "" {
		detail += "of " + t.In
	}
	detail = strings.TrimSuffix(detail, " ")
	if refused.Detail != "" {
		detail = refused.Detail + ": " + detail
	}
	return &event.Refused{Field: refused.Field, Reason: refused.Reason, Detail: detail}
}

// Readings returns, field by field, how Decode reads a record, with the paths of the record. They contain the payload.
func (f *Format) Readings(d *event.Decoder, kind event.Kind, m *event.Message, now int64) []event.FieldReading {
	if m.Null {
		return d.Explain(kind, m, now)
	}
	const field = "record"
	var into event.Result
	bare, _ := f.decode(d, kind, m, now, &into, func(int, []byte) {}) // the readings say what is refused
	var readings []event.FieldReading
	switch {
	case bare.broken != nil:
		readings = []event.FieldReading{{Field: field, Refused: bare.broken.Error()}}
	case bare.skip != "":
		readings = []event.FieldReading{{Field: field, Value: "skipped: " + bare.skip}}
	default:
		inside := *m
		inside.Value, inside.Null = bare.value, bare.null
		readings = f.readings(d, kind, &inside, now)
	}
	if bare.count > 0 {
		readings = append([]event.FieldReading{{Field: field, Value: "taken off: " + bare.String()}}, readings...)
	}
	return readings
}

func (f *Format) readings(d *event.Decoder, kind event.Kind, m *event.Message, now int64) []event.FieldReading {
	array := !m.Null && isArray(m.Value)
	if m.Null || f == nil && !array {
		return d.Explain(kind, m, now)
	}
	if array {
		m = withoutHeaders(m)
	}
	all, err := f.translateAll(kind, m.Value)
	if err != nil {
		return []event.FieldReading{{Field: "record", Refused: err.Error()}}
	}
	var readings []event.FieldReading
	for i := range all {
		if len(all) > 1 {
			readings = append(readings, event.FieldReading{Field: "record", From: all[i].In, Value: fmt.Sprintf("event %d of %d", i+1, len(all))})
		}
		readings = append(readings, all[i].readings(d, m, now)...)
	}
	return readings
}

func (t *Translated) readings(d *event.Decoder, m *event.Message, now int64) []event.FieldReading {
	if t.Skip != "" {
		return []event.FieldReading{{Field: "record", Value: "skipped: " + t.Skip}}
	}
	translated := t.message(m)
	readings := d.Explain(t.Kind, &translated, now)
	for i := range readings {
		if path, ok := t.Paths[readings[i].Field]; ok {
			readings[i].From = path
		}
	}
	return readings
}

// Guess returns the shipped formats under which a record of this kind of topic is accepted.
func Guess(d *event.Decoder, kind event.Kind, m *event.Message, now int64) []string {
	ofTheFormat := []string{"", event.SkipAnonymous, event.SkipTest} // reasons for which it is skipped all the same
	var fit []string
	for _, name := range Names() {
		f, err := Open(name)
		if err != nil {
			continue
		}
		var into event.Result
		known := false
		if f.Decode(d, kind, m, now, &into, func(int, []byte) { known = known || slices.Contains(ofTheFormat, into.Skip) }) == nil && known {
			fit = append(fit, name)
		}
	}
	return fit
}

// sourcesOf lists the paths of a field, of all events of a kind.
func (f *Format) sourcesOf(kind event.Kind, field string) string {
	var all []string
	for _, e := range f.all() {
		if e.kind != kind {
			continue
		}
		for _, m := range e.Fields {
			for _, s := range m.sources {
				if m.name == field {
					all = append(all, s.place())
				}
				for _, part := range s.parts {
					if m.name+"."+part.name == field {
						all = append(all, s.place()+"."+part.sources[0].place())
					}
				}
			}
		}
	}
	if len(all) == 0 {
		return "nowhere"
	}
	return strings.Join(all, " or ")
}

// all are all events that records of the format may tell.
func (f *Format) all() (all []*Event) {
	for _, layer := range f.layers() {
		for i := range layer.Events {
			all = append(all, &layer.Events[i])
		}
		for i := range layer.Also {
			all = append(all, &layer.Also[i])
		}
	}
	return all
}

// signs are the conditions by which events are recognised.
func (f *Format) signs() string {
	var all []string
	for _, e := range f.all() {
		for _, c := range e.When {
			sign := c.path.String()
			if c.values != nil {
				sign += "=" + strings.Join(c.values, "|")
			}
			if !c.not && !slices.Contains(all, sign) {
				all = append(all, sign)
			}
		}
	}
	return strings.Join(all, ", ")
}

// place is where a source is read from, for people.
func (s *source) place() string {
	switch {
	case s.constant != nil:
		return "the constant " + s.constant.Value
	case s.sum != nil:
		var all []string
		for _, t := range s.sum {
			sign := "+ "
			if t.minus {
				sign = "- "
			}
			all = append(all, sign+t.path.String())
		}
		return strings.TrimPrefix(strings.Join(all, " "), "+ ")
	case s.join != nil:
		var all []string
		for _, p := range s.join {
			all = append(all, p.String())
		}
		return strings.Join(all, "-")
	case s.each != nil:
		return s.each.String()
	}
	return s.path.String()
}
