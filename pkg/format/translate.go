package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/event"
)

// MaxEvents is the most events of one record, so that the work for a record and the memory that its entries take are bounded.
const MaxEvents = 1000

// Translated is one event of a record, with the plain field names.
type Translated struct {
	Kind  event.Kind
	Value []byte            // JSON; nil if it is skipped
	Skip  string            // "", or why it is skipped
	Paths map[string]string // of the record, by the field that is read from there
	In    string            // the element of the record's list that it was read from, such as events[2]; "" if there is no list

	from scope
}

// message is the record as one that has this event alone.
func (t *Translated) message(m *event.Message) event.Message {
	one := *m
	one.Value = t.Value
	if t.from.record != nil { // otherwise the value is as the record has it
		one.Lookup = t.lookup
	}
	return one
}

// lookup finds what is at a path of plain names, in the vendor's event, and if nothing is there, in the whole record.
func (t *Translated) lookup(path []string) any {
	for _, at := range []map[string]any{t.from.event, t.from.record} {
		for i, name := range path {
			if i == len(path)-1 && at[name] != nil {
				return at[name]
			}
			at, _ = at[name].(map[string]any)
		}
	}
	return nil
}

// Translate translates a record of a topic of this kind into its events, at least one, in an order that depends on the record and the table
// alone. The error is an *event.Refused.
func (f *Format) Translate(kind event.Kind, record []byte) ([]Translated, error) {
	root, err := f.parse(record)
	if err != nil {
		return nil, err
	}
	list, found := f.list(root)
	if found == nil {
		return f.translate(nil, kind, "", scope{event: root, record: root})
	}
	var all []Translated
	for i, item := range found {
		in := ""
		if list[len(list)-1].each {
			in = list.list().String() + "[" + strconv.Itoa(i) + "]"
		}
		object, ok := item.value.(map[string]any)
		if !ok {
			return nil, f.refused("", event.WrongType, "an object is wanted for "+in)
		}
		if all, err = f.translate(all, kind, in, scope{event: object, record: root}); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		all = append(all, Translated{Skip: event.SkipOther})
	}
	return all, nil
}

// list returns what a record lists; nil: the record itself is the event.
func (f *Format) list(root map[string]any) (valuePath, []foundValue) {
	in := scope{event: root, record: root}
	for _, layer := range f.layers() {
		for _, it := range layer.Each {
			if !it.when.hold(root, &in) {
				continue
			}
			switch first(it.path.list().find(root, &in)).(type) {
			case []any:
				if it.path[len(it.path)-1].each {
					return it.path, append([]foundValue{}, it.path.find(root, &in)...)
				}
			case map[string]any:
				if !it.path[len(it.path)-1].each {
					return it.path, it.path.find(root, &in)
				}
			}
		}
	}
	return nil, nil
}

// layers are the tables that read a record, one after the other.
func (f *Format) layers() []*Format {
	if f.base == nil {
		return []*Format{f}
	}
	return []*Format{f, f.base}
}

// translate adds the events of one item of a record.
func (f *Format) translate(all []Translated, kind event.Kind, in string, s scope) ([]Translated, error) {
	var err error
	decided := false
	for _, layer := range f.layers() {
		if decided {
			break
		}
		for _, skip := range layer.Skip {
			if skip.When.hold(s.event, &s) {
				return append(all, Translated{Skip: skip.As, In: in}), nil
			}
		}
		for _, r := range layer.Refuse {
			if r.When.hold(s.event, &s) {
				return nil, f.refused(r.Field, event.Missing, r.Why)
			}
		}
		for i := range layer.Events {
			if e := &layer.Events[i]; e.When.hold(s.event, &s) {
				if all, err = f.add(all, kind, e, in, s); err != nil {
					return nil, err
				}
				decided = true
				break
			}
		}
	}
	before := len(all)
	for _, layer := range f.layers() {
		for i := range layer.Also {
			if e := &layer.Also[i]; e.When.hold(s.event, &s) {
				if all, err = f.add(all, kind, e, in, s); err != nil {
					return nil, err
				}
			}
		}
	}
	decided = decided || len(all) > before
	if !decided {
		return nil, f.refused("", event.UnknownValue, "is none of the records of this format, which are recognised by "+f.signs())
	}
	return all, nil
}

// add adds an event, or one for each element of its list.
func (f *Format) add(all []Translated, kind event.Kind, e *Event, in string, s scope) ([]Translated, error) {
	//mutant:format-erases if false && $
	if e.kind != kind && (e.kind.Descriptor().Apart || kind.Descriptor().Apart) {
		return nil, f.refused("type", event.Mismatch, "the record is of the kind "+e.Kind+", and the topic holds "+kind.String()+" events")
	}
	nearest := []map[string]any{s.event}
	if e.Each != nil {
		nearest = nil
		for _, element := range e.Each.path.find(s.event, &s) {
			if object, ok := element.value.(map[string]any); ok && e.Each.when.hold(object, &s) {
				nearest = append(nearest, object)
			}
		}
	}
	for _, at := range nearest {
		if len(all) == MaxEvents {
			return nil, f.refused("", event.TooMany, fmt.Sprintf("at most %d events", MaxEvents))
		}
		w := writer{scope: s, paths: map[string]string{}}
		w.object("", e.Fields, at)
		all = append(all, Translated{Kind: e.kind, Value: w.out, Paths: w.paths, In: in, from: s})
	}
	return all, nil
}

func (f *Format) refused(field string, reason event.Reason, detail string) error {
	return &event.Refused{Field: field, Reason: reason, Detail: "format " + f.Name + ": " + detail}
}

// Decode takes off what stands around a record's event, translates it, and decodes it; without a format it is not translated. After each event
// of the record, also one that is skipped, it calls each with the event's number in the record, and with the event in Mainstay's own format; into holds
// the event until each returns. If one of the events is refused, the record is, and each was never called. The error is an *event.Refused, or one of the decoder.
func (f *Format) Decode(d *event.Decoder, kind event.Kind, m *event.Message, now int64, into *event.Result, each func(number int, value []byte)) error {
	if m.Null {
		return decodeAlone(d, kind, m, now, into, each)
	}
	_, err := f.decode(d, kind, m, now, into, each)
	return err
}

func decodeAlone(d *event.Decoder, kind event.Kind, m *event.Message, now int64, into *event.Result, each func(int, []byte)) error {
	if err := d.Decode(kind, m, now, into); err != nil {
		return err //nolint:wrapcheck // Refused says where
	}
	each(0, m.Value)
	return nil
}

// translateAll translates a value, or each element of an array of values: one record may be a batch of them.
func (f *Format) translateAll(kind event.Kind, value []byte) ([]Translated, error) {
	if !isArray(value) {
		return f.translateOne(kind, value)
	}
	var elements []json.RawMessage
	if json.Unmarshal(value, &elements) != nil {
		return nil, &event.Refused{Reason: event.Malformed, Detail: "one JSON object is wanted, or an array of objects"}
	}
	var all []Translated
	for i, element := range elements {
		in := "[" + strconv.Itoa(i) + "]"
		events, err := f.translateOne(kind, element)
		if refused := (*event.Refused)(nil); errors.As(err, &refused) {
			return nil, &event.Refused{Field: refused.Field, Reason: refused.Reason, Detail: strings.TrimPrefix(refused.Detail+": of "+in, ": ")}
		}
		if err != nil {
			return nil, err
		}
		if len(all)+len(events) > MaxEvents {
			return nil, &event.Refused{Reason: event.TooMany, Detail: fmt.Sprintf("at most %d events", MaxEvents)}
		}
		for _, e := range events {
			e.In = in + e.In
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		all = append(all, Translated{Skip: event.SkipOther})
	}
	return all, nil
}

// translateOne translates a value, which Mainstay's own format leaves as it is.
func (f *Format) translateOne(kind event.Kind, value []byte) ([]Translated, error) {
	if f == nil {
		return []Translated{{Kind: kind, Value: value}}, nil
	}
	return f.Translate(kind, value)
}

func isArray(value []byte) bool {
	i := skipSpace(value, 0)
	return i < len(value) && value[i] == '['
}

// withoutHeaders is a record whose headers say nothing of its events: the id of a CloudEvent in binary mode is that of one event.
func withoutHeaders(m *event.Message) *event.Message {
	batch := *m
	//mutant:array-shares-an-id delete
	batch.Header = nil
	return &batch
}

// decode also returns the record without what stands around it. m is not null.
func (f *Format) decode(d *event.Decoder, kind event.Kind, m *event.Message, now int64, into *event.Result, each func(int, []byte)) (framed, error) {
	const quick, thorough = false, true
	bare := unframe(m.Value, quick)
	err := f.decodeBare(d, kind, m, &bare, now, into, each)
	if err == nil {
		return bare, nil
	}
	if more := unframe(m.Value, thorough); more.count > bare.count {
		return more, f.decodeBare(d, kind, m, &more, now, into, each)
	}
	return bare, err
}

func (f *Format) decodeBare(d *event.Decoder, kind event.Kind, m *event.Message, bare *framed, now int64, into *event.Result, each func(int, []byte)) error {
	switch {
	case bare.broken != nil:
		return bare.broken
	case bare.skip != "":
		into.Skip = bare.skip
		each(0, nil)
		return nil
	case bare.count > 0:
		inside := *m
		inside.Value, inside.Null = bare.value, bare.null
		m = &inside
	}
	array := !m.Null && isArray(m.Value)
	if m.Null || f == nil && !array {
		return decodeAlone(d, kind, m, now, into, each)
	}
	if array {
		m = withoutHeaders(m)
	}
	all, err := f.translateAll(kind, m.Value)
	if err != nil {
		return err
	}
	//mutant:half-a-record if false && $
	if len(all) > 1 { // the decoder keeps one event at a time, and none may count before all are known to be good
		for i := range all {
			if err := f.decodeTranslated(d, m, &all[i], now, into); err != nil {
				return err
			}
		}
	}
	for i := range all {
		if err := f.decodeTranslated(d, m, &all[i], now, into); err != nil {
			return err
		}
		each(i, all[i].Value)
	}
	return nil
}

func (f *Format) decodeTranslated(d *event.Decoder, m *event.Message, t *Translated, now int64, into *event.Result) error {
	if t.Skip != "" {
		into.Skip = t.Skip
		return nil
	}
	translated := t.message(m)
	err := d.Decode(t.Kind, &translated, now, into)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		return f.Explain(refused, t)
	}
	return err //nolint:wrapcheck // likewise
}

var errTrailing = errors.New("more than one value")

func (f *Format) parse(record []byte) (map[string]any, error) {
	if !utf8.Valid(record) {
		return nil, f.refused("", event.Encoding, "not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber() // ids may have more digits than a float
	var root map[string]any
	err := d.Decode(&root)
	if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errTrailing
	}
	if err != nil || root == nil {
		return nil, f.refused("", event.Malformed, "one JSON object is wanted")
	}
	return root, nil
}
