package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/event"
)

// Translated is a record as an event with the plain field names.
type Translated struct {
	Value []byte            // JSON; nil if the record is skipped
	Skip  string            // "", or why it is skipped
	Paths map[string]string // of the record, by the field that is read from there
}

// Translate translates a record of a topic of this kind. The error is an *event.Refused.
func (f *Format) Translate(kind event.Kind, record []byte) (Translated, error) {
	root, err := f.parse(record)
	if err != nil {
		return Translated{}, err
	}
	for _, s := range f.Skip {
		if s.When.hold(root) {
			return Translated{Skip: s.As}, nil
		}
	}
	for _, r := range f.Refuse {
		if r.When.hold(root) {
			return Translated{}, f.refused(r.Field, event.Missing, r.Why)
		}
	}
	for i := range f.Events {
		e := &f.Events[i]
		if !e.When.hold(root) {
			continue
		}
		if e.kind != kind {
			return Translated{}, f.refused("type", event.Mismatch, "the record is a "+e.Kind+", and the topic holds "+kind.String()+" events")
		}
		w := writer{root: root, paths: map[string]string{}}
		w.object("", e.Fields, root)
		return Translated{Value: w.out, Paths: w.paths}, nil
	}
	return Translated{}, f.refused("", event.UnknownValue, "is none of the records of this format, which are recognised by "+f.signs())
}

func (f *Format) refused(field string, reason event.Reason, detail string) error {
	return &event.Refused{Field: field, Reason: reason, Detail: "format " + f.Name + ": " + detail}
}

// Explain adds to a refusal of the decoder where the format reads the field.
func (f *Format) Explain(refused *event.Refused, t *Translated) *event.Refused {
	path := t.Paths[refused.Field]
	detail := "format " + f.Name + ", "
	if path != "" {
		detail += "read from " + path
	} else {
		detail += "which reads it from " + f.sourcesOf(refused.Field)
	}
	if refused.Detail != "" {
		detail = refused.Detail + ": " + detail
	}
	return &event.Refused{Field: refused.Field, Reason: refused.Reason, Detail: detail}
}

// Decode takes off what stands around a record's event, translates it, and decodes it; without a format it is not translated. The error
// is an *event.Refused, or one of the decoder.
func (f *Format) Decode(d *event.Decoder, kind event.Kind, m *event.Message, now int64, into *event.Result) error {
	if m.Null {
		return d.Decode(kind, m, now, into) //nolint:wrapcheck // Refused says where
	}
	_, err := f.decode(d, kind, m, now, into)
	return err
}

// decode also returns the record without what stands around it. m is not null.
func (f *Format) decode(d *event.Decoder, kind event.Kind, m *event.Message, now int64, into *event.Result) (framed, error) {
	const quick, thorough = false, true
	bare := unframe(m.Value, quick)
	err := f.decodeBare(d, kind, m, &bare, now, into)
	if err == nil {
		return bare, nil
	}
	if more := unframe(m.Value, thorough); more.count > bare.count {
		return more, f.decodeBare(d, kind, m, &more, now, into)
	}
	return bare, err
}

func (f *Format) decodeBare(d *event.Decoder, kind event.Kind, m *event.Message, bare *framed, now int64, into *event.Result) error {
	switch {
	case bare.broken != nil:
		return bare.broken
	case bare.skip != "":
		into.Skip = bare.skip
		return nil
	case bare.count > 0:
		inside := *m
		inside.Value, inside.Null = bare.value, bare.null
		m = &inside
	}
	if f == nil || m.Null {
		return d.Decode(kind, m, now, into) //nolint:wrapcheck // Refused says where
	}
	t, err := f.Translate(kind, m.Value)
	if err != nil {
		return err
	}
	if t.Skip != "" {
		into.Skip = t.Skip
		return nil
	}
	translated := *m
	translated.Value = t.Value
	err = d.Decode(kind, &translated, now, into)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		return f.Explain(refused, &t)
	}
	return err //nolint:wrapcheck // likewise
}

// Readings returns, field by field, how Decode reads a record, with the paths of the record. They contain the payload.
func (f *Format) Readings(d *event.Decoder, kind event.Kind, m *event.Message, now int64) []event.FieldReading {
	if m.Null {
		return d.Explain(kind, m, now)
	}
	const field = "record"
	var into event.Result
	bare, _ := f.decode(d, kind, m, now, &into) // the readings say what is refused
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
	if f == nil || m.Null {
		return d.Explain(kind, m, now)
	}
	t, err := f.Translate(kind, m.Value)
	if err != nil {
		return []event.FieldReading{{Field: "record", Refused: err.Error()}}
	}
	if t.Skip != "" {
		return []event.FieldReading{{Field: "record", Value: "skipped: " + t.Skip}}
	}
	translated := *m
	translated.Value = t.Value
	readings := d.Explain(kind, &translated, now)
	for i := range readings {
		if path, ok := t.Paths[readings[i].Field]; ok {
			readings[i].From = path
		}
	}
	return readings
}

// Guess returns the shipped formats under which a record of this kind of topic is accepted.
func Guess(d *event.Decoder, kind event.Kind, m *event.Message, now int64) []string {
	var fit []string
	for _, name := range Names() {
		f, err := Open(name)
		var into event.Result
		if err != nil || f.Decode(d, kind, m, now, &into) != nil || into.Skip == event.SkipOther {
			continue
		}
		fit = append(fit, name)
	}
	return fit
}

// sourcesOf lists the paths of a field, of all events of the format.
func (f *Format) sourcesOf(field string) string {
	var all []string
	for _, e := range f.Events {
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

// signs are the conditions by which events are recognised.
func (f *Format) signs() string {
	var all []string
	for _, e := range f.Events {
		for _, c := range e.When {
			sign := c.path.String()
			if c.values != nil {
				sign += "=" + strings.Join(c.values, "|")
			}
			if !c.not {
				all = append(all, sign)
			}
		}
	}
	return strings.Join(all, ", ")
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

// writer writes an event.
type writer struct {
	root  map[string]any
	paths map[string]string
	out   []byte
}

// object writes the fields of an event, or of an element of one; at is where their paths begin.
func (w *writer) object(prefix string, fields members, at map[string]any) {
	w.out = append(w.out, '{')
	start := len(w.out)
	for _, m := range fields {
		for i := range m.sources {
			s := &m.sources[i]
			before := len(w.out)
			if before > start {
				w.out = append(w.out, ',')
			}
			w.quoted(m.name)
			w.out = append(w.out, ':')
			if w.value(prefix+m.name, s, at) {
				w.paths[prefix+m.name] = s.place()
				break
			}
			w.out = w.out[:before]
		}
	}
	w.out = append(w.out, '}')
}

// value writes the value of a source; false if it has none.
func (w *writer) value(name string, s *source, at map[string]any) bool {
	switch {
	case s.constant != nil:
		if s.constant.Tag == "!!null" {
			w.out = append(w.out, "null"...)
		} else {
			w.quoted(s.constant.Value)
		}
		return true
	case s.sum != nil:
		return w.sum(s, at)
	case s.each != nil:
		return w.elements(name, s, at)
	}
	all := s.path.find(at, w.root)
	if len(all) == 0 {
		return false
	}
	if s.minor != nil {
		exact, ok := number(all[0].value)
		if !ok {
			return w.plain(all[0].value)
		}
		return w.decimal(exact, s, at)
	}
	if written := text(all[0].value); s.utc && !zoned(written) {
		w.quoted(written + "Z")
		return true
	}
	if meaning, ok := s.table[strings.ToLower(text(all[0].value))]; ok {
		w.quoted(meaning)
		return true
	}
	return w.plain(all[0].value)
}

// zoned reports whether a civil time states its zone, after the time of day.
func zoned(written string) bool {
	const day = len("2026-03-01")
	return len(written) <= day || strings.ContainsAny(written[day:], "Zz+-")
}

// plain writes a value as it is.
func (w *writer) plain(v any) bool {
	if n, ok := v.(json.Number); ok {
		w.out = append(w.out, n...)
		return true
	}
	if s, ok := v.(string); ok {
		w.quoted(s)
		return true
	}
	encoded, _ := json.Marshal(v) // it was decoded from JSON
	w.out = append(w.out, encoded...)
	return true
}

func (w *writer) quoted(s string) {
	encoded, _ := json.Marshal(s) // a string never fails
	w.out = append(w.out, encoded...)
}

// elements writes an object for each element of an array, or for an object. Where there is neither, nothing is said; an empty array
// says that there are none.
func (w *writer) elements(name string, s *source, at map[string]any) bool {
	whole := append(valuePath{}, s.each...)
	whole[len(whole)-1] = step{member: whole[len(whole)-1].member}
	switch first(whole.find(at, w.root)).(type) {
	case []any, map[string]any:
	default:
		return false
	}
	w.out = append(w.out, '[')
	written := false
	for _, e := range s.each.find(at, w.root) {
		object, ok := e.value.(map[string]any)
		if !ok {
			continue
		}
		if written {
			w.out = append(w.out, ',')
		}
		w.object(name+".", s.parts, object)
		written = true
	}
	w.out = append(w.out, ']')
	return true
}

// sum writes the sum of the terms, at least 0; there is none if the first term has no value.
func (w *writer) sum(s *source, at map[string]any) bool {
	total := new(big.Rat)
	for i, t := range s.sum {
		all := t.path.find(at, w.root)
		if i == 0 && len(all) == 0 {
			return false
		}
		for _, v := range all {
			n, ok := number(v.value)
			if !ok {
				return w.plain(v.value) // the decoder refuses it
			}
			if t.times != "" {
				factor, ok := number(v.beside[t.times])
				if !ok {
					factor = big.NewRat(1, 1)
				}
				n = n.Mul(n, factor)
			}
			if t.minus {
				n.Neg(n)
			}
			total.Add(total, n)
		}
	}
	if total.Sign() < 0 {
		total.SetInt64(0)
	}
	return w.decimal(total, s, at)
}

// decimal writes an amount, from minor units if the source says so.
func (w *writer) decimal(exact *big.Rat, s *source, at map[string]any) bool {
	if s.minor != nil {
		code := text(first(s.minor.currency.find(at, w.root)))
		if code == "" {
			code = text(first(s.minor.currency.find(w.root, w.root)))
		}
		exact = new(big.Rat).Mul(exact, new(big.Rat).SetFrac64(1, powerOfTen(s.minor.decimalsOf(code))))
	}
	const most = 18
	digits := exact.FloatString(most)
	digits = strings.TrimRight(digits, "0")
	w.out = append(w.out, strings.TrimSuffix(digits, ".")...)
	return true
}

// decimalsOf returns in how many decimals the vendor counts a currency: 2 of one that is unknown, which the decoder refuses.
func (m *minor) decimalsOf(code string) int {
	if n, ok := m.decimals[strings.ToUpper(code)]; ok {
		return n
	}
	if unit, ok := m.iso4217.Lookup([]byte(code)); ok {
		return unit.Decimals
	}
	return 2
}

func powerOfTen(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// number reads a number or its text.
func number(v any) (*big.Rat, bool) {
	written := text(v)
	if len(written) == 0 || len(written) > 40 || strings.Trim(written, "0123456789.-") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(written)
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
	case s.each != nil:
		return s.each.String()
	}
	return s.path.String()
}
