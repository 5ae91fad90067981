package eventfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timeform"
)

// Row is one row of the file as an event, ready to be produced.
type Row struct {
	Skip   string    // why the row is no event, such as SkipCreditNote; "": it is one
	Line   int       // of the file, where the row begins; the first is 1. In a JSON array, the element's number
	Lines  int       // how many rows of the file it sums up; 1 unless Mapping.Lines is LinesSum or LinesFirst
	Offset int64     // bytes of the content up to the end of the row
	At     time.Time // when it occurred, UTC
	Key    []byte    // the customer's id; of a referral, the referred customer's
	Value  []byte    // JSON with the plain field names, in a fixed order
}

// SkipCreditNote is why the lines of credit notes are no events: see Mapping.CreditNotes.
const SkipCreditNote = "credit_note"

// RowError is why a row was refused. Reading continues after it.
type RowError struct {
	Line   int    `json:"line"`
	Field  string `json:"field,omitempty"` // "" for the row as a whole
	Reason string `json:"reason"`
}

// Error is one line for a report.
func (e *RowError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Reason)
}

// value is the value of a field in a record: text, or a JSON object or array.
type value struct {
	text   string
	json   []byte
	nobody bool // the customer is nobody in particular
}

// record is a row of the file before it is made an event.
type record interface {
	valueOf(b *binding) (value, bool) // false if it has none
}

// event makes an event of a record: it reads every field, fills in defaults, and checks required fields and amounts.
func (r *Reader) event(line int, from record) (Row, error) {
	row := Row{Line: line, Lines: 1, Offset: r.records.offset}
	summed := r.summed(from)
	if summed != nil {
		row.Lines = summed.rows
	}
	literals, texts := make([]string, len(r.fields)), make([]string, len(r.fields))
	r.word = ""
	for i := range r.fields {
		v, ok := r.valueOf(i, from)
		if summed != nil && r.mapping.Lines == LinesSum {
			switch name := r.fields[i].Name; name {
			case "total":
				_, r.word = money.CutWord(digits.Plain(v.text))
				texts[i] = summed.total.FloatString(summed.decimals)
				literals[i] = texts[i]
				continue
			case "customer_id", "currency":
				if text := summed.stated[name]; text != "" {
					v, ok = value{text: text}, true
				}
			}
		}
		if !ok {
			continue
		}
		if code := money.OfWord(v.text); code != "" && r.fields[i].Format == event.Currency {
			v.text = code
		}
		literal, reason := r.literal(i, v)
		if reason != "" {
			return Row{}, &RowError{Line: line, Field: r.fields[i].Name, Reason: reason}
		}
		if literals[i], texts[i] = literal, v.text; v.nobody {
			texts[i] = ""
		}
	}
	r.fillDefaults(line, literals, texts)
	for i, f := range r.fields {
		reason := ""
		switch {
		case literals[i] == "" && (f.required || f.Required && r.conditionHolds(f, texts)):
			reason = "missing"
		case f.form == amount && literals[i] != "":
			reason = r.checkAmount(literals[i], texts)
		}
		if reason != "" {
			return Row{}, &RowError{Line: line, Field: f.Name, Reason: reason}
		}
	}
	row.Key = []byte(texts[r.slot[r.kind.Descriptor().Customer.Name]])
	row.At, _ = time.Parse(`"`+time.RFC3339Nano+`"`, literals[r.slot["occurred_at"]]) // just written
	r.refund(literals)
	row.Value = object(r.fields, literals)
	return row, r.checkDecodes(&row)
}

// refund makes the refunded sum of an order its only refund.
func (r *Reader) refund(literals []string) {
	i, ok := r.slot[refunded]
	if !ok {
		return
	}
	if sum, err := strconv.ParseFloat(literals[i], 64); err == nil && sum != 0 && literals[r.slot["refunds"]] == "" {
		//mutant:preset-refund-lost insert literals[i] = "0"
		literals[r.slot["refunds"]] = `[{"refund_id":` + literals[r.slot["order_id"]] + `,"total":` + literals[i] + `}]`
	}
	literals[i] = ""
}

// refundItem is a refund in the list of an order that WooCommerce's exports have: amount:5.00|reason:Broken|date:2026-01-31 10:00:00, and ; before the
// next. A reason is any text.
var refundItem = regexp.MustCompile(`(?:^|;)amount:(\d+(?:\.\d+)?)\|reason:`)

// refundedInAll returns the sum of a list of refunds; what is no list stays as it is.
func refundedInAll(text string) string {
	items := refundItem.FindAllStringSubmatch(text, -1)
	sum, decimals := new(big.Rat), 0
	for _, item := range items {
		paid, _ := new(big.Rat).SetString(item[1]) // digits
		_, fraction, _ := strings.Cut(item[1], ".")
		//mutant:last-refund-alone insert sum = new(big.Rat)
		sum, decimals = sum.Add(sum, paid), max(decimals, len(fraction))
	}
	if len(items) == 0 {
		return text
	}
	return sum.FloatString(decimals)
}

// checkDecodes decodes the row as intake will, and refuses what would become a dead letter, with its line.
func (r *Reader) checkDecodes(row *Row) error {
	// Only intake has a clock, and refuses times in the future. An order may have been updated long after it was placed.
	const noClock = 253_402_300_799_999 // the end of the year 9999, ms
	err := r.decoder.Decode(r.kind, &event.Message{Key: row.Key, Value: row.Value, Timestamp: row.At.UnixMilli()}, noClock, &r.result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		reason := string(refused.Reason)
		if refused.Detail != "" {
			reason += ": " + refused.Detail
		}
		line := row.Line
		*row = Row{}
		return &RowError{Line: line, Field: refused.Field, Reason: reason}
	}
	return err //nolint:wrapcheck // Decode returns no others
}

// literal returns a value as JSON, or the reason why it cannot be read.
func (r *Reader) literal(i int, v value) (literal, reason string) {
	if v.nobody {
		return "null", ""
	}
	if v.json != nil {
		if r.fields[i].form != nested {
			return "", "not a single value"
		}
		return string(v.json), ""
	}
	switch r.fields[i].form {
	case moment:
		return r.moment(i, v.text)
	case amount, score:
		if r.fields[i].Name == refunded {
			v.text = refundedInAll(v.text)
		}
		text, word := money.CutWord(digits.Plain(v.text))
		if word != "" {
			r.word = word
		}
		literal, ok := money.Spelled(text, r.mapping.DecimalComma)
		switch {
		case !ok && !r.mapping.DecimalComma && strings.Count(v.text, ",") == 1:
			return "", quote(v.text) + " is not a number: if the comma stands for the decimal point, give --decimal-comma; " +
				"otherwise export without thousands separators"
		case !ok:
			return "", quote(v.text) + " is not a number: give digits with a decimal point, without currency signs or separators"
		}
		if r.fields[i].form == score {
			if _, rounded, err := money.Decimal([]byte(literal), 0, money.Literal); rounded || err != nil {
				return "", quote(v.text) + " is not a whole number of 0 or more"
			}
		}
		return literal, ""
	case flag:
		switch strings.ToLower(v.text) {
		case "true", "t", "yes", "y", "1":
			return "true", ""
		case "false", "f", "no", "n", "0":
			return "false", ""
		}
		return "", quote(v.text) + " is neither true nor false"
	case kind:
		if other := strings.ToLower(v.text); other != r.mapping.Type && slices.Contains(event.KindNames(), other) {
			return "", "is a " + other + ": read those with --type " + other
		}
		return "", "" // fillDefaults writes it
	case nested:
		return "", "not a list"
	default:
		if f := r.fields[i].Format; (f == event.Identifier || f == event.CustomerID) && convertedID.MatchString(v.text) {
			return "", quote(v.text) + " is an id that a spreadsheet or a program has turned into a number: export the ids as text"
		}
		return string(appendText(nil, v.text)), ""
	}
}

// convertedID matches what is left of an id that was stored as a floating-point number. Its digits may no longer be those of the id.
var convertedID = regexp.MustCompile(`^\d+\.0+$|^\d(\.\d+)?[eE]\+?\d+$`)

func (r *Reader) moment(i int, text string) (literal, reason string) {
	format := r.times[i]
	if format == nil { // no row that was examined had a time
		return "", quote(text) + " is the first of its column: give --time-format"
	}
	t, _, err := format.Parse(text)
	switch {
	case err != nil:
		return "", quote(text) + " is not a time of the column's format"
	case t.UTC().Year() < timeform.FirstYear || t.UTC().Year() > 9999:
		return "", fmt.Sprintf("%s lies before %d or after 9999", quote(text), timeform.FirstYear)
	}
	return `"` + t.UTC().Format(time.RFC3339Nano) + `"`, ""
}

// fillDefaults fills in what a row does not state: its type, the currency, an identity.
func (r *Reader) fillDefaults(line int, literals, texts []string) {
	fill := func(name, text string) {
		if i, ok := r.slot[name]; ok && literals[i] == "" && text != "" {
			literals[i], texts[i] = string(appendText(nil, text)), text
		}
	}
	fill("type", r.mapping.Type)
	if i, ok := r.slot["total"]; ok && literals[i] != "" {
		fill("currency", r.word)
		fill("currency", r.mapping.Currency)
	}
	if i, ok := r.slot["created_at"]; ok && literals[r.slot["occurred_at"]] == "" {
		literals[r.slot["occurred_at"]] = literals[i]
	}
	identity := r.sum[:12] + "-" + strconv.Itoa(line)
	for _, f := range r.fields {
		//mutant:referral-of-its-line if $ || f.Name == "referral_id"
		if f.Identity && r.conditionHolds(f, texts) {
			fill(f.Name, identity)
		}
	}
}

// conditionHolds reports whether the condition of a field holds in a row. The first code is the default of a field that is not
// required.
func (r *Reader) conditionHolds(f field, texts []string) bool {
	if f.When == nil {
		return true
	}
	code := texts[r.slot[f.When.Field.Name]]
	if code == "" && !f.When.Field.Required {
		code = f.When.Field.Codes[0]
	}
	return f.When.Holds(code)
}

// checkAmount returns why an amount in the row's currency is refused, "" if it is not.
func (r *Reader) checkAmount(literal string, texts []string) (reason string) {
	decimals := 2
	if code := texts[r.slot["currency"]]; code != "" {
		if r.word != "" && !strings.EqualFold(r.word, code) {
			return "is in " + r.word + ", and the row's currency is " + quote(code)
		}
		unit, ok := r.currencies.Lookup([]byte(code))
		if !ok {
			return "the currency " + quote(code) + " is unknown"
		}
		decimals = unit.Decimals
	}
	_, _, err := money.Decimal([]byte(literal), decimals, money.Literal)
	switch {
	case errors.Is(err, money.ErrNegative) && r.kind == event.Purchase:
		return "is negative: money given back is a cancellation, kind refund, with a positive total"
	case err != nil:
		return "is " + err.Error()
	}
	return ""
}

func object(fields []field, literals []string) []byte {
	out := make([]byte, 0, 256)
	for i, literal := range literals {
		if literal == "" {
			continue
		}
		separator := byte(',')
		if len(out) == 0 {
			separator = '{'
		}
		out = append(append(append(out, separator, '"'), fields[i].Name...), '"', ':')
		out = append(out, literal...)
	}
	return append(out, '}')
}

// appendText writes a JSON string.
func appendText(out []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string never fails
			return append(out, quoted...)
		}
	}
	return append(append(append(out, '"'), text...), '"')
}

func quote(text string) string { return strconv.Quote(shortened(text, 40)) }

// cells is a CSV record.
type cells []string

func (c cells) valueOf(b *binding) (value, bool) {
	if b.constant != "" {
		return value{text: b.constant}, true
	}
	if b.index < 0 {
		return value{}, false
	}
	text := strings.TrimSpace(c[b.index])
	if len(b.factors) == 0 || text == "" {
		return value{text: text}, text != ""
	}
	texts := []string{text}
	for _, i := range b.factors {
		if text = strings.TrimSpace(c[i]); text == "" {
			return value{}, false
		}
		texts = append(texts, text)
	}
	return value{text: product(texts, b.decimalComma)}, true
}

// members is an NDJSON record: an object, and its objects properties and data, which may hold fields too.
type members struct {
	top, properties, data map[string]json.RawMessage
}

var errObject = errors.New("not one JSON object")

func parseMembers(raw []byte) (m members, err error) {
	if json.Unmarshal(raw, &m.top) != nil || m.top == nil {
		return m, errObject
	}
	_ = json.Unmarshal(m.top["properties"], &m.properties) // only objects hold fields
	_ = json.Unmarshal(m.top["data"], &m.data)
	return m, nil
}

func (m members) valueOf(b *binding) (value, bool) {
	if b.constant != "" {
		return value{text: b.constant}, true
	}
	if b.column != "" {
		return m.mapped(b)
	}
	for _, name := range b.names {
		for _, place := range []map[string]json.RawMessage{m.top, m.properties, m.data} {
			if v, ok := single(place[name]); ok {
				return v, true
			}
		}
	}
	return value{}, false
}

// mapped finds what a mapping states: as objects may differ, each alternative is one of the object.
func (m members) mapped(b *binding) (value, bool) {
	if v, ok := m.path(b.column); ok {
		return v, true
	}
	for _, columns := range b.products {
		texts := make([]string, 0, len(columns))
		for _, name := range columns {
			if v, ok := m.path(strings.TrimSpace(name)); ok && v.json == nil {
				texts = append(texts, v.text)
			}
		}
		switch {
		case len(texts) < len(columns):
		case len(texts) == 1:
			return value{text: texts[0]}, true
		default:
			return value{text: product(texts, b.decimalComma)}, true
		}
	}
	return value{}, false
}

// path finds a member by its whole name, or by a.b as a member of a member.
func (m members) path(column string) (value, bool) {
	at := m.top
	for {
		if raw, ok := at[column]; ok {
			return single(raw)
		}
		outer, inner, ok := strings.Cut(column, ".")
		if !ok {
			return value{}, false
		}
		var next map[string]json.RawMessage
		if json.Unmarshal(at[outer], &next) != nil {
			return value{}, false
		}
		at, column = next, inner
	}
}

// single returns a JSON value as text: the content of a string, the digits of a number. It returns false for null and "".
func single(raw json.RawMessage) (value, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return value{}, false
	}
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return value{text: text}, err == nil && text != ""
	case '[', '{':
		var compact bytes.Buffer
		err := json.Compact(&compact, raw)
		return value{json: compact.Bytes()}, err == nil
	default:
		return value{text: string(raw)}, true
	}
}
