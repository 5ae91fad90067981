package event

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timeform"
)

// Decoder decodes input records. It is not safe for concurrent use.
type Decoder struct {
	opts   Options
	table  *money.Table
	unit   money.Unit // of Options.Currency; zero: none
	last   money.Unit // of the last record that stated a currency: shops rarely change it
	r      reading
	c      common
	now    int64
	canon  canonical        // the bytes that Event.Facts is a hash of
	stated *attributeReader // nil: no attributes are read
}

// NewDecoder checks the options; the error names the setting.
func NewDecoder(o Options) (*Decoder, error) {
	table, err := money.NewTable(o.Currencies)
	if err != nil {
		return nil, err
	}
	zone := o.Zone
	if zone == nil {
		zone = time.UTC
	}
	d := &Decoder{opts: o, table: table}
	d.r.times = timeform.NewReader(zone)
	if len(o.Attributes) > 0 {
		if d.stated, err = newAttributeReader(o.Attributes); err != nil {
			return nil, err
		}
	}
	if o.Currency != "" {
		var ok bool
		if d.unit, ok = table.Lookup([]byte(o.Currency)); !ok {
			return nil, fmt.Errorf("money.currency: %q is no code of ISO 4217 and not among money.currencies", o.Currency)
		}
	}
	switch o.Total {
	case "":
		d.opts.Total = TotalTotal
	case TotalTotal, TotalSubtotal, TotalWithoutTax, TotalWithoutShipping, TotalWithoutTaxAndShipping:
	default:
		return nil, fmt.Errorf("money.total: %q is none of total, subtotal, total_without_tax, total_without_shipping, total_without_tax_and_shipping", o.Total)
	}
	switch o.AnonymousPolicy {
	case "", AnonymousSkip, AnonymousDeadLetter:
	default:
		return nil, fmt.Errorf("the policy for anonymous customers: %q is neither skip nor dead_letter", o.AnonymousPolicy)
	}
	switch o.Normalise {
	case "", NormaliseNone, NormaliseTrim, NormaliseLower:
	default:
		return nil, fmt.Errorf("the normalisation of customer ids: %q is none of none, trim, lower", o.Normalise)
	}
	return d, nil
}

// Decode decodes a record of a topic of this kind. now (ms) is the caller's clock; times more than 48 h after it are refused.
// The error is a *Refused.
func (d *Decoder) Decode(kind Kind, m *Message, now int64, into *Result) error {
	d.begin(m, now, into)
	d.read(kind, m, into)
	if d.r.refused != nil {
		return d.r.refused
	}
	return nil
}

// Explain returns, field by field, how Decode reads a record. The readings contain the payload: show them to people only.
func (d *Decoder) Explain(kind Kind, m *Message, now int64) []FieldReading {
	var into Result
	d.begin(m, now, &into)
	d.r.explain = true
	d.read(kind, m, &into)
	readings := d.r.readings
	d.r.explain, d.r.readings = false, nil
	for i := range readings {
		if readings[i].Field == "" {
			readings[i].Field = "record"
		}
	}
	if into.Skip != "" {
		readings = append(readings, FieldReading{Field: "record", Value: "skipped: " + into.Skip})
	}
	return readings
}

func (d *Decoder) begin(m *Message, now int64, into *Result) {
	r := &d.r
	r.buf, r.scratch, r.header, r.structured, r.refused, r.bad = m.Value, r.scratch[:0], m.Header, false, nil, ""
	d.now = now
	into.Event = ledger.Event{}
	into.Customer, into.Time, into.Skip, into.Rounded, into.Cut, into.NoRefunds = "", 0, "", false, false, 0
}

// read reads a record in this order: its syntax, its envelope, whether it is a test, the common fields, the body, and last what
// follows from those: the id, the facts, and whether its customer is anonymous.
func (d *Decoder) read(kind Kind, m *Message, into *Result) {
	if m.Null {
		into.Skip = SkipNull
		return
	}
	r := &d.r
	if !d.open(m) {
		return
	}
	r.present = union(&r.places[inBody].present, &r.places[inProperties].present, &r.places[inData].present)
	if r.boolean(fTest, r.find(fTest)) {
		into.Skip = SkipTest
		return
	}
	if v := r.lookUp(fDeleted); v.tok == tokString && string(v.text) == "true" {
		into.Skip = SkipDeleted
		return
	}
	c := &d.c // a variable would be moved to the heap, since the kind's functions are called by their pointers
	*c = common{into: into}
	c.typeName = d.readType(kind)
	d.readCommon(kind, m, c)
	kinds[kind].read(d, c)
	if d.stated != nil && kinds[kind].States {
		d.readAttributes(m, into)
	}
	if r.refused != nil || into.Skip != "" {
		return
	}
	d.identify(c)
	d.facts(kind, c)
	if c.anonymous {
		d.handleAnonymous(into)
	}
}

// common holds what later steps need of the fields that all events have.
type common struct {
	into      *Result
	typeName  int  // index of the stated type among the names of the kind; 0: none is stated
	occurred  bool // occurred_at is stated; so are the next two
	created   bool
	updated   bool
	eventID   string // as stated
	anonymous bool   // a customer id stands for no particular customer
	key       key    // the natural key, which identifies an event without event_id
}

// open scans the record and finds its body: the record itself, or the data of a structured CloudEvent.
func (d *Decoder) open(m *Message) bool {
	r := &d.r
	if !utf8.Valid(m.Value) {
		r.refuse(fRecord, Encoding, "not UTF-8")
		return false
	}
	if !r.document(0) {
		detail := "one JSON object is wanted"
		if r.bad == Encoding {
			detail = "half of a surrogate pair"
		} else if i := r.space(0); i < len(r.buf) && r.buf[i] == '[' {
			detail += ", not an array"
		}
		r.refuse(fRecord, r.bad, detail)
		return false
	}
	body := &r.places[inBody]
	r.start = r.space(0)
	if !body.present.has(nSpecversion) {
		if contentType, ok := r.contentType(); ok && isStructured(contentType) {
			r.refuse(fSpecversion, Missing, "the content type says CloudEvents")
			return false
		}
		return true
	}
	return d.openStructured()
}

func (r *reading) contentType() ([]byte, bool) {
	if r.header == nil {
		return nil, false
	}
	return r.header("content-type")
}

func isStructured(contentType []byte) bool {
	const prefix = "application/cloudevents+json"
	return len(contentType) >= len(prefix) && bytes.EqualFold(contentType[:len(prefix)], []byte(prefix))
}

// openStructured keeps the envelope's attributes and scans the event in its data.
func (d *Decoder) openStructured() bool {
	r := &d.r
	body := &r.places[inBody]
	version := body.slots[nSpecversion]
	if version.tok != tokString {
		r.refuse(fSpecversion, WrongType, "text is wanted")
		return false
	}
	if string(r.plain(version)) != "1.0" {
		r.refuse(fSpecversion, UnknownValue, "1.0 is wanted")
		return false
	}
	for a := noAttribute + 1; a < attributes; a++ {
		r.attributes[a] = slot{}
		if n := attributeNames[a]; body.present.has(n) {
			r.attributes[a] = body.slots[n]
		}
	}
	if !body.present.has(nData) {
		r.refuse(fData, Missing, "")
		return false
	}
	data := body.slots[nData]
	if data.tok != tokObject {
		r.refuse(fData, WrongType, "an object is wanted")
		return false
	}
	r.structured, r.start = true, int(data.start)
	whole := r.buf
	r.buf = whole[:data.end]
	r.document(int(data.start)) // has been scanned before: it cannot fail
	r.buf = whole
	return true
}

// readType reads the type, and returns its index among the names of the kind; 0 if it is absent.
func (d *Decoder) readType(kind Kind) int {
	r := &d.r
	v := r.find(fType)
	switch v.tok {
	case tokNone:
		r.recordDefault("topic", kind.String())
		return 0
	case tokString:
	default:
		r.refuse(fType, WrongType, "text is wanted")
		return 0
	}
	stated, name, ok := kindOfType(v.text)
	switch {
	case !ok:
		r.refuse(fType, UnknownValue, "")
	case stated != kind:
		r.refuse(fType, Mismatch, "the topic holds "+kind.String()+" events")
	default:
		r.recordValue(kind.String())
	}
	return name
}

// kindOfType reads a type: one of the names in any ASCII case, optionally with a reverse domain name as prefix and a version as
// suffix, as in types of CloudEvents: com.example.purchase.v1. name is its index among the names of the kind.
func kindOfType(text []byte) (kind Kind, name int, ok bool) {
	if dot := bytes.LastIndexByte(text, '.'); dot >= 0 && len(text)-dot > 2 && text[dot+1]|0x20 == 'v' && skipDigits(text, dot+2) == len(text) {
		text = text[:dot]
	}
	for kind, d := range kinds {
		for name, t := range d.Types {
			before := len(text) - len(t)
			if before >= 0 && equalFold(text[before:], t) && (before == 0 || text[before-1] == '.') {
				return Kind(kind), name, true
			}
		}
	}
	return 0, 0, false
}

// equalFold compares in any ASCII case; lower is in lower case. A space and a hyphen are also its _, as in codes.
func equalFold(text []byte, lower string) bool {
	if len(text) != len(lower) {
		return false
	}
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] && (lower[i] != '_' || c != ' ' && c != '-') {
			return false
		}
	}
	return true
}

func (d *Decoder) readCommon(kind Kind, m *Message, c *common) {
	r, into := &d.r, c.into
	e := &into.Event
	c.eventID = r.id(fEventID, r.find(fEventID), maxID)
	if e.Source = r.id(fSource, r.find(fSource), maxID); e.Source == "" {
		e.Source = kind.String()
		r.recordDefault("topic", e.Source)
	}
	if e.OccurredAt, c.occurred = r.time(kinds[kind].Occurred, r.find(kinds[kind].Occurred), d.now+ahead); !c.occurred {
		d.useRecordTimestamp(m, e)
	}
	into.Time = m.Timestamp
	if d.opts.EventTime {
		into.Time = e.OccurredAt
	}
	into.Customer = d.customer(kinds[kind].Customer, c)
}

// useRecordTimestamp uses the record's timestamp as occurred_at, which is not stated.
func (d *Decoder) useRecordTimestamp(m *Message, e *ledger.Event) {
	r := &d.r
	e.OccurredAt = m.Timestamp
	r.recordDefault("record timestamp", "")
	if m.Timestamp < 0 {
		r.refuse(fOccurredAt, Missing, "and the record has no timestamp")
		return
	}
	r.checkTime(fOccurredAt, m.Timestamp, d.now+ahead)
	r.recordTime(m.Timestamp)
}

// customer reads a customer's id, normalises it, and notes whether it is anonymous. The JSON value null counts like the text
// "null".
func (d *Decoder) customer(f *Field, c *common) string {
	r := &d.r
	v := r.find(f)
	if v.tok == tokNone && r.isNull(f) && d.isAnonymous("null") {
		c.anonymous = true
		r.recordDefault("null", "null")
		return ""
	}
	if !r.require(f, v) {
		return ""
	}
	if d.opts.Normalise == NormaliseTrim || d.opts.Normalise == NormaliseLower {
		start := len(r.scratch)
		r.scratch = d.opts.Normalise.AppendCustomer(r.scratch, v.text)
		v.text = r.scratch[start:len(r.scratch):len(r.scratch)]
		if len(v.text) == 0 {
			r.refuse(f, Missing, "white space only")
			return ""
		}
	}
	id := r.id(f, v, maxCustomer)
	c.anonymous = c.anonymous || d.isAnonymous(id)
	return id
}

func (d *Decoder) isAnonymous(id string) bool {
	for _, nobody := range d.opts.Anonymous {
		if len(nobody) == len(id) && strings.EqualFold(nobody, id) {
			return true
		}
	}
	return false
}

func (d *Decoder) handleAnonymous(into *Result) {
	if d.opts.AnonymousPolicy == AnonymousDeadLetter {
		d.r.refuse(fCustomerID, Anonymous, "an id that stands for no particular customer")
		return
	}
	into.Skip = SkipAnonymous
}

// currency reads the currency of the amounts: that of the field, or that which the amount of the event names by a word. The two must
// agree.
func (d *Decoder) currency(f, amount *Field) (money.Unit, bool) {
	r := &d.r
	v := r.find(f)
	word := d.currencyWord(amount)
	switch v.tok {
	case tokNone:
		if word != "" {
			unit, _ := d.table.Lookup([]byte(word)) // words name codes that every table has
			r.recordDefault(amount.Name, word)
			return unit, true
		}
		if d.unit.Code == "" {
			r.refuse(f, Missing, "and there is no default (money.default_currency)")
			return d.unit, false
		}
		r.recordDefault("setting money.currency", d.unit.Code)
		return d.unit, true
	case tokString:
	default:
		r.refuse(f, WrongType, "text is wanted")
		return money.Unit{}, false
	}
	unit := d.last
	if string(v.text) != unit.Code { // never "": that is absent
		var ok bool
		unit, ok = d.table.Lookup(v.text)
		if code := money.OfWord(string(v.text)); !ok && code != "" {
			unit, ok = d.table.Lookup([]byte(code))
		}
		if !ok {
			r.refuse(f, UnknownValue, "a code of ISO 4217 is wanted, or one of money.currencies")
			return money.Unit{}, false
		}
		d.last = unit
	}
	if word != "" && word != unit.Code {
		r.refuse(f, Mismatch, "the amount names "+word)
		return unit, false
	}
	if r.explain {
		r.recordValue(unit.Code + ", held in " + unit.Currency + " minor units, " + strconv.Itoa(unit.Decimals) + " decimals")
	}
	return unit, true
}

// currencyWord returns the code of the currency that an amount names by a word; "" if it names none.
func (d *Decoder) currencyWord(amount *Field) string {
	v := d.r.lookUp(amount)
	if n := len(v.text); v.tok != tokString || n == 0 || v.text[n-1]-'0' <= 9 {
		return "" // nearly all amounts
	}
	_, word := money.CutWord(digits.Plain(string(v.text)))
	return word
}

func (d *Decoder) required(f *Field) string {
	v := d.r.find(f)
	if !d.r.require(f, v) {
		return ""
	}
	return d.r.id(f, v, maxID)
}

// oneOf reads a code, and returns its index in the field's codes; -1 if it is absent or refused.
func (d *Decoder) oneOf(f *Field) int {
	const shown = 8 // most codes that a refusal lists
	r := &d.r
	v := r.find(f)
	if v.tok == tokNone {
		if f.Required {
			r.refuse(f, Missing, "")
		}
		return -1
	}
	var buf [32]byte
	code := r.code(f, v, &buf)
	if code == nil {
		return -1
	}
	for i, c := range f.Codes {
		if string(code) == c {
			return i
		}
	}
	detail := ""
	if len(f.Codes) <= shown {
		detail = "one of " + strings.Join(f.Codes, ", ") + " is wanted"
	}
	r.refuse(f, UnknownValue, detail)
	return -1
}

// amount reads an amount, and notes whether it was rounded.
func (d *Decoder) amount(f *Field, v value, unit money.Unit, c *common) int64 {
	minor, rounded, _ := d.r.amount(f, v, unit)
	c.into.Rounded = c.into.Rounded || rounded
	return minor
}

// positiveAmount reads an amount that must be above 0, also after rounding.
func (d *Decoder) positiveAmount(f *Field, v value, unit money.Unit, c *common) int64 {
	minor, rounded, stated := d.r.amount(f, v, unit)
	if stated && minor == 0 {
		d.r.refuse(f, NotPositive, "a refund is above 0")
	}
	c.into.Rounded = c.into.Rounded || rounded
	return minor
}

// fineAmount reads an amount in thousandths of the minor unit.
func (d *Decoder) fineAmount(f *Field, v value, unit money.Unit, c *common) int64 {
	fine, rounded, stated := d.r.decimal(f, v, unit.Decimals+fineDecimals)
	c.into.Rounded = c.into.Rounded || rounded || fine%fineUnits != 0
	if stated && d.r.explain {
		d.r.recordValue(string(unit.Append(nil, fine/fineUnits)) + " " + unit.Code)
	}
	return fine
}

// withOccurrence adds occurred_at to a key that has no time of its own: it tells events about the same thing apart.
func (c *common) withOccurrence(k key) key {
	if !k.timed && c.occurred {
		k.at, k.timed = c.into.Event.OccurredAt, true
	}
	return k
}
