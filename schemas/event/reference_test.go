package event

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// reference reads records slowly and by other means than the decoder: encoding/json, regular expressions, big.Rat and
// package time. It goes on after a refusal, so that it knows all reasons, not only the first.
type reference struct {
	opts           Options
	now            int64
	body, envelope map[string]any
	headers        map[string]string
	verdict
}

// verdict is what should become of a record.
type verdict struct {
	refusals map[string]bool // field and reason
	sayable  bool            // a JSON Schema can say one of them
	lenient  bool            // a time or amount has another form than the schema asks of senders
	unsure   bool            // a time or amount may have a form that only the decoder knows
	skip     string
	customer string
	event    *ledger.Event
	time     int64
	rounded  bool
	cut      bool
	nobody   bool
}

func (r *reference) refuse(field string, reason Reason, sayable bool) {
	r.refusals[strings.TrimSpace(field+" "+string(reason))] = true
	r.sayable = r.sayable || sayable
}

// found is a value and where it comes from.
type found struct {
	value      any // nil: absent
	fromHeader bool
}

// get is the first that is there: "a b" are names in order, ce:a is an attribute.
func (r *reference) get(spellings string) found {
	for n := range strings.FieldsSeq(spellings) {
		properties, _ := r.body["properties"].(map[string]any)
		data, _ := r.body["data"].(map[string]any)
		places := []map[string]any{r.body, properties, data}
		if attribute, ok := strings.CutPrefix(n, "ce:"); ok {
			if r.envelope == nil {
				if h := r.headers["ce_"+attribute]; h != "" {
					return found{h, true}
				}
				continue
			}
			n, places = attribute, []map[string]any{r.envelope}
		}
		for _, place := range places {
			if v := place[n]; v != nil && v != "" && (n != "type" || v != "track") {
				return found{v, false}
			}
		}
	}
	return found{}
}

// need is get of what is required.
func (r *reference) need(field, spellings string) found {
	v := r.get(spellings)
	if v.value == nil {
		r.refuse(field, Missing, true)
	}
	return v
}

func (r *reference) null(spellings string) bool {
	for n := range strings.FieldsSeq(spellings) {
		for _, at := range []any{r.body, r.body["properties"], r.body["data"]} {
			if place, _ := at.(map[string]any); place != nil {
				if v, stated := place[n]; stated && v == nil {
					return true
				}
			}
		}
	}
	return false
}

// id is text, or a number's literal digits.
func (r *reference) id(field string, v found, limit int) string {
	if v.fromHeader && !utf8.ValidString(v.value.(string)) {
		r.refuse(field, Encoding, false)
		return ""
	}
	switch x := v.value.(type) {
	case nil:
		return ""
	case string:
		if len(x) > limit {
			r.refuse(field, TooLong, utf8.RuneCountInString(x) > limit && !v.fromHeader)
		}
		return x
	case json.Number:
		if len(x) > limit {
			r.refuse(field, TooLong, false) // a schema knows no length of numbers
		}
		return x.String()
	}
	r.refuse(field, WrongType, true)
	return ""
}

var asciiLower = func(c rune) rune {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// code is one of the names, or a refusal. known is nil where any is right.
func (r *reference) code(field string, v found, known ...string) string {
	s, ok := v.value.(string)
	if v.value == nil {
		return ""
	}
	if !ok {
		r.refuse(field, WrongType, true)
		return ""
	}
	c := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.Map(asciiLower, s))
	if known != nil && !slices.Contains(known, c) {
		r.refuse(field, UnknownValue, true)
	}
	return c
}

func (r *reference) boolean(field, spellings string) bool {
	switch v := r.get(spellings).value; v {
	case nil, false, "false":
		return false
	case true, "true":
		return true
	}
	r.refuse(field, WrongType, true)
	return false
}

var (
	rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	leap    = regexp.MustCompile(`:60(\.\d+)?[Z+-]`)
)

// at is the time in ms, or what stands in for it.
func (r *reference) at(field string, v found, absent, latest int64) int64 {
	if v.value == nil {
		return absent
	}
	s, ok := v.value.(string)
	if number, isNumber := v.value.(json.Number); isNumber {
		s, ok = number.String(), true
	}
	if !ok {
		r.refuse(field, WrongType, true)
		return 0
	}
	if v.fromHeader && !utf8.ValidString(s) {
		r.refuse(field, Encoding, false)
		return 0
	}
	ms, ok := instant(s)
	if !ok {
		if ms, ok = otherForm(s); !ok {
			r.unsure = r.unsure || digitRuns.MatchString(s) && !rfc3339.MatchString(s)
			r.refuse(field, BadFormat, !v.fromHeader)
			return 0
		}
		r.lenient = r.lenient || !v.fromHeader
	}
	r.bounds(field, ms, latest)
	return ms
}

func (r *reference) bounds(field string, ms, latest int64) {
	if ms < time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		r.refuse(field, TooEarly, false)
	}
	if ms > latest {
		r.refuse(field, TooLate, false)
	}
}

func instant(s string) (int64, bool) {
	if !rfc3339.MatchString(s) {
		return 0, false
	}
	s, leaps := strings.ToUpper(s), int64(0)
	if leap.MatchString(s) {
		s, leaps = strings.Replace(s, ":60", ":59", 1), 1000
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || leaps > 0 && at.UTC().Format("15:04:05") != "23:59:59" {
		return 0, false
	}
	return at.UnixMilli() + leaps, true
}

// otherAmount matches what may be an amount in other digits, or with the word of its currency.
var otherAmount = regexp.MustCompile(`[^\x00-\x7f]|(?i)toman`)

var (
	civilTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?: ?(?:Z|UTC))?$`)
	unixTime  = regexp.MustCompile(`^\d{9,19}(\.\d+)?$`)
	// digitRuns match what may be a time in one of the forms that this reading does not know.
	digitRuns = regexp.MustCompile(`\pN.*\pN`)
)

// otherForm reads the frequent ones of the other forms of a time: civil times, which are of UTC in these tests, and Unix time.
func otherForm(s string) (ms int64, ok bool) {
	if parts := civilTime.FindStringSubmatch(s); parts != nil {
		at, err := time.Parse("2006-01-02 15:04:05", parts[1]+" "+parts[2])
		return at.UnixMilli(), err == nil && at.Year() > 1500
	}
	if !unixTime.MatchString(s) {
		return 0, false
	}
	exact, _ := new(big.Rat).SetString(s)
	for range 4 { // seconds, ms, us, ns
		if seconds, _ := exact.Float64(); seconds >= 631152000 && seconds < 7258118400 {
			whole := new(big.Rat).Mul(exact, big.NewRat(1000, 1))
			return new(big.Int).Quo(whole.Num(), whole.Denom()).Int64(), true
		}
		exact.Mul(exact, big.NewRat(1, 1000))
	}
	return 0, false
}

var decimal = regexp.MustCompile(`^(-?)(\d+(?:\.\d+)?)(?:[eE]([+-]?\d+))?$`)

// amount is a decimal number times 10^scale, half to even, refused where it cannot be.
func (r *reference) amount(field string, v found, scale int) (minor int64, exact *big.Rat, ok bool) {
	text, isText := v.value.(string)
	if number, isNumber := v.value.(json.Number); isNumber {
		text = number.String()
	} else if !isText {
		r.refuse(field, WrongType, true)
		return 0, nil, false
	}
	parts := decimal.FindStringSubmatch(text)
	r.unsure = r.unsure || parts == nil && isText && otherAmount.MatchString(text)
	if parts == nil || isText && parts[3] != "" {
		r.refuse(field, BadFormat, true)
		return 0, nil, false
	}
	mantissa, _ := new(big.Rat).SetString(parts[2])
	if parts[1] == "-" && mantissa.Sign() > 0 {
		r.refuse(field, Negative, true)
	}
	exponent, _ := strconv.Atoi("0" + strings.TrimLeft(parts[3], "+-"))
	if exponent > 999 || len(parts[3]) > 18 && exponent != 0 {
		r.refuse(field, Overflow, false)
		if mantissa.Sign() == 0 {
			return 0, mantissa, false
		}
		return 0, nil, false
	}
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil))
	if strings.HasPrefix(parts[3], "-") {
		power.Inv(power)
	}
	exact = mantissa.Mul(mantissa, power)
	whole, rounded := round(exact, scale)
	if !whole.IsInt64() {
		r.refuse(field, Overflow, false)
		return 0, exact, false
	}
	r.rounded = r.rounded || rounded && field != "score"
	return whole.Int64(), exact, parts[1] == "" || exact.Sign() == 0
}

func round(exact *big.Rat, scale int) (whole *big.Int, rounded bool) {
	scaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	whole, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	if half := new(big.Int).Lsh(rest, 1).Cmp(scaled.Denom()); half > 0 || half == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole, rest.Sign() != 0
}

// positive is an amount above 0.
func (r *reference) positive(field string, v found, scale int) int64 {
	if v.value == nil {
		return 0
	}
	minor, exact, ok := r.amount(field, v, scale)
	if exact != nil && exact.Sign() == 0 || ok && minor == 0 {
		r.refuse(field, NotPositive, exact.Sign() == 0)
	}
	return minor
}

var known = func() *money.Table {
	t, err := money.NewTable(map[string]money.Alias{"POINT": {As: "EUR", Times: 100}})
	if err != nil {
		panic(err)
	}
	return t
}()

func (r *reference) currency() money.Unit {
	v := r.get("currency")
	code, ok := v.value.(string)
	switch {
	case v.value == nil && r.opts.Currency == "":
		r.refuse("currency", Missing, false)
	case v.value == nil:
		code = r.opts.Currency
	case !ok:
		r.refuse("currency", WrongType, true)
	}
	unit, ok := known.Lookup([]byte(code))
	if _, alias := r.opts.Currencies[unit.Code]; !ok || unit.Code != unit.Currency && !alias {
		if code != "" {
			r.refuse("currency", UnknownValue, !regexp.MustCompile(`^[A-Za-z0-9]{3,8}$`).MatchString(code))
		}
		r.unsure = r.unsure || otherAmount.MatchString(code)
		unit = money.Unit{Decimals: 2}
	}
	return unit
}

func (r *reference) who(field, spellings string) string {
	isNobody := func(id string) bool {
		return slices.ContainsFunc(r.opts.Anonymous, func(nobody string) bool { return strings.Map(asciiLower, nobody) == strings.Map(asciiLower, id) })
	}
	v := r.get(spellings)
	if v.value == nil && isNobody("null") && r.null(spellings) {
		r.nobody = true
		return ""
	}
	if v.value == nil {
		r.refuse(field, Missing, true)
		return ""
	}
	if r.opts.Normalise == NormaliseTrim || r.opts.Normalise == NormaliseLower {
		if s, ok := v.value.(string); ok {
			v.value = strings.Trim(s, " \t\r\n\v\f")
			if v.value == "" {
				r.refuse(field, Missing, false)
			}
		}
	}
	id := r.id(field, v, 256)
	if r.opts.Normalise == NormaliseLower {
		id = strings.Map(asciiLower, id)
	}
	r.nobody = r.nobody || id != "" && isNobody(id)
	return id
}

var (
	escapes   = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	surrogate = func(escape, of string) bool {
		return len(escape) == 6 && strings.ToLower(escape[2:3]) == "d" && strings.Contains(of, strings.ToLower(escape[3:4]))
	}
)

// halves says that a document has half of a surrogate pair. Backslashes stand in strings only.
func halves(doc string) bool {
	all := escapes.FindAllStringIndex(doc, -1)
	for i := 0; i < len(all); i++ {
		switch e := doc[all[i][0]:all[i][1]]; {
		case surrogate(e, "cdef"):
			return true
		case surrogate(e, "89ab"):
			if i++; i == len(all) || all[i][0] != all[i-1][1] || !surrogate(doc[all[i][0]:all[i][1]], "cdef") {
				return true
			}
		}
	}
	return false
}

func depth(doc string) (deepest int) {
	d := json.NewDecoder(strings.NewReader(doc))
	for at := 0; ; deepest = max(deepest, at) {
		switch t, err := d.Token(); {
		case err != nil:
			return deepest
		case t == json.Delim('{'), t == json.Delim('['):
			at++
		case t == json.Delim('}'), t == json.Delim(']'):
			at--
		}
	}
}

// judge reads a record.
func judge(opts Options, kind Kind, value string, headers map[string]string, timestamp, now int64) *reference {
	r := &reference{opts: opts, now: now, headers: headers, verdict: verdict{refusals: map[string]bool{}}}
	if !utf8.ValidString(value) || halves(value) {
		r.refuse("", Encoding, false)
	}
	if depth(value) > 128 {
		r.refuse("", Malformed, false)
	}
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var doc any
	err := d.Decode(&doc)
	if _, trailing := d.Token(); err == nil && trailing != io.EOF {
		err = trailing
		if err == nil {
			err = io.ErrShortBuffer
		}
	}
	body, ok := doc.(map[string]any)
	if err != nil || !ok {
		r.refuse("", Malformed, true)
		return r
	}
	r.body = body
	if r.open() {
		r.read(kind, timestamp)
	}
	return r
}

// open finds the event within a structured CloudEvent.
func (r *reference) open() bool {
	switch version := r.body["specversion"]; version {
	case nil, "":
		if contentType := []byte(r.headers["content-type"]); bytes.HasPrefix(bytes.ToLower(contentType), []byte("application/cloudevents+json")) {
			r.refuse("specversion", Missing, false)
		}
		return true
	case "1.0":
	default:
		_, isText := version.(string)
		r.refuse("specversion", map[bool]Reason{true: UnknownValue, false: WrongType}[isText], true)
	}
	data := r.body["data"]
	within, ok := data.(map[string]any)
	switch {
	case data == nil || data == "":
		r.refuse("data", Missing, true)
	case !ok:
		r.refuse("data", WrongType, true)
	}
	r.envelope, r.body = r.body, within
	return ok
}

// latest is the last time that is no time ahead.
func (r *reference) latest() int64 { return r.now + int64(48*time.Hour/time.Millisecond) }

const noLimit = math.MaxInt64
