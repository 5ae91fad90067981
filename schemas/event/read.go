package event

import (
	"errors"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timeform"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// value is a field's value and where it was found.
type value struct {
	text []byte // first, so that the struct is passed in registers
	tok  token  // tokNone: absent
	at   int8   // place, or one of the two below
	name name
}

const (
	fromHeader    = -1
	fromAttribute = -2
)

// reading is the record that is being read. The first refusal counts; reading continues after it, since Explain covers all fields.
type reading struct {
	scanner
	header     func(string) ([]byte, bool)
	present    nameSet // names that are present at any place of the body
	structured bool
	start      int              // of the event in buf: its opening brace
	attributes [attributes]slot // of a structured event
	refused    *Refused
	explain    bool
	times      *timeform.Reader
	readings   []FieldReading
}

func (r *reading) refuse(f *Field, reason Reason, detail string) {
	refused := &Refused{Field: f.Name, Reason: reason, Detail: detail}
	if r.refused == nil {
		r.refused = refused
	}
	if !r.explain {
		return
	}
	last := len(r.readings) - 1
	if last < 0 || r.readings[last].Field != f.Name {
		r.readings = append(r.readings, FieldReading{Field: f.Name})
		last++
	}
	r.readings[last].Refused = refused.Error()
}

// recordSource notes for Explain where a field was found.
func (r *reading) recordSource(f *Field, v value) {
	note := FieldReading{Field: f.Name, Text: string(v.text)}
	switch {
	case v.tok == tokNone:
	case v.at == fromHeader:
		note.From = "header " + attributeHeaders[f.attribute]
	case v.at == fromAttribute:
		note.From = attributeTexts[f.attribute]
	default:
		note.From = [places]string{inProperties: "properties.", inData: "data."}[v.at] + names.texts[v.name]
		if v.at == inPart {
			note.From = f.within + partNames.texts[v.name]
		}
		if r.structured {
			note.From = "data." + note.From
		}
	}
	r.readings = append(r.readings, note)
}

// recordValue notes for Explain how a field was decoded.
func (r *reading) recordValue(s string) {
	if r.explain {
		r.readings[len(r.readings)-1].Value = s
	}
}

// recordDefault notes for Explain which value is used for an absent field, and where it comes from.
func (r *reading) recordDefault(from, s string) {
	if r.explain {
		note := &r.readings[len(r.readings)-1]
		note.From, note.Value = from, s
	}
}

// find looks up a field: its names in order, for each of them the places in order, and last the CloudEvents attribute.
func (r *reading) find(f *Field) value {
	if !r.present.meets(&f.mask) && f.attribute == noAttribute && !r.explain {
		return value{} // most fields of most records
	}
	if n := f.names[0]; r.places[inBody].present.has(n) && !r.explain {
		return r.valueAt(inBody, n) // most others
	}
	v := r.lookUp(f)
	if r.explain {
		r.recordSource(f, v)
	}
	return v
}

func (r *reading) lookUp(f *Field) value {
	if r.present.meets(&f.mask) {
		for _, n := range f.names {
			for at := inBody; at <= inData; at++ {
				if r.places[at].present.has(n) {
					return r.valueAt(at, n)
				}
			}
		}
	}
	if f.attribute == noAttribute {
		return value{}
	}
	if r.structured {
		if s := r.attributes[f.attribute]; s.tok != tokNone {
			return value{tok: s.tok, text: r.plain(s), at: fromAttribute}
		}
		return value{}
	}
	if r.header == nil {
		return value{}
	}
	text, ok := r.header(attributeHeaders[f.attribute])
	if !ok || len(text) == 0 {
		return value{}
	}
	if !utf8.Valid(text) {
		r.refuse(f, Encoding, "the header is not UTF-8")
		return value{}
	}
	return value{tok: tokString, text: text, at: fromHeader}
}

func (r *reading) valueAt(at int, n name) value {
	s := r.places[at].slots[n]
	return value{tok: s.tok, text: r.plain(s), at: int8(at), name: n} //nolint:gosec // one of four places
}

// isNull reports whether some place states null for a field, which is absent.
func (r *reading) isNull(f *Field) bool {
	return r.places[inBody].nulls.meets(&f.mask) || r.places[inProperties].nulls.meets(&f.mask) || r.places[inData].nulls.meets(&f.mask)
}

// findPart looks up a field of the inner object that is being read.
func (r *reading) findPart(f *Field) (v value) {
	if present := &r.places[inPart].present; present.meets(&f.mask) {
		for _, n := range f.names {
			if present.has(n) {
				v = r.valueAt(inPart, n)
				break
			}
		}
	}
	if r.explain {
		r.recordSource(f, v)
	}
	return v
}

// require reports whether a required field is present, and refuses the record if it is not.
func (r *reading) require(f *Field, v value) bool {
	if v.tok == tokNone {
		r.refuse(f, Missing, "")
		return false
	}
	return true
}

// id reads text, or a number's literal digits; "" if it is absent.
func (r *reading) id(f *Field, v value, limit int) string {
	if v.tok == tokNone {
		return ""
	}
	if v.tok != tokString && v.tok != tokNumber {
		r.refuse(f, WrongType, "text or a number is wanted")
		return ""
	}
	if len(v.text) > limit {
		r.refuse(f, TooLong, "at most "+strconv.Itoa(limit)+" bytes")
		return ""
	}
	id := view(v.text)
	r.recordValue(id)
	return id
}

// code reads a code, and returns it in lower case, with _ for space and -; nil if it is absent or not text.
func (r *reading) code(f *Field, v value, into *[32]byte) []byte {
	if v.tok == tokNone {
		return nil
	}
	if v.tok != tokString {
		r.refuse(f, WrongType, "text is wanted")
		return nil
	}
	if len(v.text) > len(into) {
		return into[:0]
	}
	for i, c := range v.text {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == ' ' || c == '-':
			c = '_'
		}
		into[i] = c
	}
	code := into[:len(v.text)]
	if r.explain {
		r.recordValue(string(code))
	}
	return code
}

const (
	earliest = 631152000000     // 1990-01-01
	ahead    = 48 * 3600 * 1000 // ms
)

// time reads a time, not before 1990 and not after latest; stated is false if it is absent. RFC 3339 is the usual form.
func (r *reading) time(f *Field, v value, latest int64) (ms int64, stated bool) {
	if v.tok == tokNone {
		return 0, false
	}
	if v.tok != tokString && v.tok != tokNumber {
		r.refuse(f, WrongType, "text or a number is wanted, a time")
		return 0, true
	}
	ms, ok := timestamp.Parse(v.text)
	if !ok {
		var err error
		if ms, err = r.times.Read(v.text, latest); err != nil {
			r.refuse(f, BadFormat, err.Error())
			return 0, true
		}
	}
	r.checkTime(f, ms, latest)
	r.recordTime(ms)
	return ms, true
}

func (r *reading) checkTime(f *Field, ms, latest int64) {
	switch {
	case ms < earliest:
		r.refuse(f, TooEarly, "before 1990")
	case ms > latest:
		r.refuse(f, TooLate, "more than 48 h ahead")
	}
}

func (r *reading) recordTime(ms int64) {
	if r.explain {
		r.recordValue(string(timestamp.Append(nil, ms)))
	}
}

// amount reads a number or its text, exactly; stated is false if it is absent.
func (r *reading) amount(f *Field, v value, unit money.Unit) (minor int64, rounded, stated bool) {
	minor, rounded, stated = r.decimal(f, v, unit.Decimals)
	if stated && r.explain {
		r.recordValue(string(unit.Append(nil, minor)) + " " + unit.Code)
	}
	return minor, rounded, stated
}

func (r *reading) decimal(f *Field, v value, scale int) (n int64, rounded, stated bool) {
	form := money.Literal
	switch v.tok {
	case tokNone:
		return 0, false, false
	case tokString:
		form = money.Text
	case tokNumber:
	default:
		r.refuse(f, WrongType, "a number or its text is wanted")
		return 0, false, false
	}
	n, rounded, err := money.Decimal(v.text, scale, form)
	if errors.Is(err, money.ErrFormat) && v.tok == tokString {
		if literal, ok := spelledAmount(v.text); ok {
			n, rounded, err = money.Decimal([]byte(literal), scale, money.Literal)
		}
	}
	switch {
	case err == nil:
		return n, rounded, true
	case errors.Is(err, money.ErrNegative):
		r.refuse(f, Negative, "")
	case errors.Is(err, money.ErrOverflow):
		r.refuse(f, Overflow, "more than 64 bits, or an exponent of more than three digits")
	default:
		r.refuse(f, BadFormat, "digits are wanted, with a point before the decimals")
	}
	return 0, false, false
}

// spelledAmount reads an amount in the digits and with the separators of Persian and Arabic, or with the word of its currency.
func spelledAmount(text []byte) (literal string, ok bool) {
	plain := digits.Plain(string(text))
	amount, word := money.CutWord(plain)
	if word == "" && plain == string(text) {
		return "", false // ASCII alone is a decimal number, or nothing
	}
	return money.Spelled(amount, false)
}

// boolean reads true, false, or their text; absent is false.
func (r *reading) boolean(f *Field, v value) bool {
	if v.tok == tokNone {
		return false
	}
	if v.tok == tokBool || v.tok == tokString {
		switch string(v.text) {
		case "true":
			r.recordValue("true")
			return true
		case "false":
			r.recordValue("false")
			return false
		}
	}
	r.refuse(f, WrongType, "true or false is wanted")
	return false
}

// view returns a string over bytes that must not change while it is used (see Result).
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // a copy per field would be the decoder's only allocations
}
