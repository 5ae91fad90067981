package event

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas"
)

func compiled(t testing.TB, name string) *jsonschema.Schema {
	text, err := schemas.JSON(name)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("mem:"+name, doc))
	s, err := c.Compile("mem:" + name)
	require.NoError(t, err)
	return s
}

func inputSchemas(t testing.TB) (all [Kinds]*jsonschema.Schema) {
	for k := range Kinds {
		all[k] = compiled(t, k.String())
	}
	return all
}

// exceptions are the refusals that JSON Schema cannot say, each with a rule of its own, by other means than the decoder's,
// for when it may occur. All else must be refused by both or by neither.
var exceptions = map[Reason]func(doc string) bool{
	Encoding:  func(doc string) bool { return !utf8.ValidString(doc) || surrogate.MatchString(doc) },
	Malformed: func(doc string) bool { return depth(doc) > maxDepth },
	TooLong:   func(doc string) bool { return anyText(doc, func(s string) bool { return len(s) > 32 }) }, // bytes, also of numbers; a schema counts characters of texts
	TooEarly:  func(doc string) bool { return anyTime(doc, func(at time.Time) bool { return at.Year() <= 1990 }) },
	TooLate: func(doc string) bool {
		return anyTime(doc, func(at time.Time) bool { return at.UnixMilli() > now+48*3600*1000 })
	},
	Overflow: func(doc string) bool {
		return huge.MatchString(doc) || anyNumber(doc, func(r *big.Rat) bool { return r.Cmp(big.NewRat(1e14, 1)) > 0 })
	},
	NotPositive: func(doc string) bool {
		return anyNumber(doc, func(r *big.Rat) bool { return r.Sign() > 0 && r.Cmp(big.NewRat(1, 2)) <= 0 })
	}, // rounds to 0
	UnknownValue: func(doc string) bool { // which codes there are is a setting
		return anyText(doc, func(s string) bool {
			return code.MatchString(s) && !strings.Contains("EUR USD JPY IRT", strings.ToUpper(s))
		})
	},
}

var (
	surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
	huge      = regexp.MustCompile(`[eE][+-]?[0-9]{4,}`)
	code      = regexp.MustCompile(`^[A-Za-z0-9]{3,8}$`)
	numeric   = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)
)

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

func anyText(doc string, is func(string) bool) bool {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch v := t.(type) {
		case string:
			if is(v) {
				return true
			}
		case json.Number:
			if is(v.String()) {
				return true
			}
		}
	}
}

func anyTime(doc string, is func(time.Time) bool) bool {
	return anyText(doc, func(s string) bool {
		at, err := time.Parse(time.RFC3339Nano, strings.Replace(strings.ToUpper(s), ":60", ":59", 1))
		return err == nil && is(at)
	})
}

func anyNumber(doc string, is func(*big.Rat) bool) bool {
	return anyText(doc, func(s string) bool {
		if !numeric.MatchString(s) {
			return false
		}
		r, ok := new(big.Rat).SetString(s)
		return ok && is(r)
	})
}

// compare holds the decoder against the schema.
func compare(t require.TestingT, d *Decoder, s *jsonschema.Schema, kind Kind, doc string) (accepted bool) {
	var into Result
	m := &Message{Value: []byte(doc), Timestamp: now - 1000}
	err := d.Decode(kind, m, now, &into)
	parsed, unparsed := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	invalid := unparsed
	if unparsed == nil {
		invalid = s.Validate(parsed)
	}
	if err == nil {
		require.NoError(t, invalid, "the decoder accepts, the schema does not: %s", doc)
		return true
	}
	if invalid != nil {
		return false
	}
	refused := err.(*Refused)
	excuse := exceptions[refused.Reason]
	require.NotNil(t, excuse, "the schema accepts, the decoder says %v: %s", err, doc)
	require.True(t, excuse(doc), "the schema accepts, the decoder says %v: %s", err, doc)
	require.True(t, refused.Reason != UnknownValue || refused.Field == "currency", "the schema accepts, the decoder says %v: %s", err, doc)
	return false
}

// vocabulary is what documents of a kind are made of: names, with values that are right for them.
var vocabulary = [Kinds]map[string][]string{
	Purchase: {
		"customer_id userId": {`"c1"`, `1001`}, "order_id transaction_id id": {`"o1"`, `7.50`}, "total total_price value revenue": amounts,
		"currency": {`"EUR"`, `"usd"`, `"IRT"`}, "status": {`"paid"`, `"On Hold"`, `"canceled"`}, "updated_at": times, "cancelled_at": times,
		"refunds": {`[]`, `[{"refund_id":"r1","total":1.5}]`, `[{"refund_id":7,"total":"2","occurred_at":"2026-01-01T00:00:00Z"},{"refund_id":"r2","total":1}]`},
		"type":    {`"purchase"`, `"track"`, `"com.example.order.completed.v2"`}, "event": {`"Order Completed"`},
	},
	Cancellation: {
		"customer_id userId": {`"c1"`}, "kind": {`"order"`, `"refund"`, `"subscription"`, `"account"`}, "order_id transaction_id": {`"o1"`}, "refund_id": {`"r1"`, `5`},
		"total value": {`1`, `"2.50"`}, "currency": {`"EUR"`}, "subscription_id": {`"s"`}, "effective_at": times, "cancel_reason": {`"fraud"`, `"a text that is longer than any code may be"`}, "type": {`"CANCELLATION"`},
	},
	Referral: {
		"referrer_customer_id advocate": {`"a"`, `1`}, "referred_customer_id friend": {`"b"`, `2`}, "status": {`"approved"`, `"Pending"`, `"voided"`}, "referral_id": {`"x"`}, "type": {`"referral"`},
	},
	Survey: {
		"customer_id userId": {`"c1"`}, "response_id": {`"a1"`}, "survey_id": {`"s1"`}, "survey_type": {`"nps"`, `"CSAT"`, `"ces"`, `"equity"`, `"pmf"`},
		"score": {`1`, `3`, `5.0`, `"4"`, `2e0`, `6`, `"7"`, `8`, `10`, `0`}, "dimension": {`"brand"`}, "created_at": times, "updated_at": times, "excluded_from_calculations": {`true`, `"false"`}, "type": {`"survey"`},
	},
}

var (
	aliased = []string{"customer_id userId", "order_id transaction_id id", "total total_price value revenue", "total value", "referrer_customer_id advocate", ""}
	amounts = []string{`49.90`, `"49.90"`, `0`, `1e2`, `-0`, `"-0.0"`, `0.005`}
	times   = []string{`"2026-03-01T12:00:00Z"`, `"2026-03-01t12:00:00.123456+01:00"`, `"2016-12-31T23:59:60Z"`}
	shared  = map[string][]string{"event_id messageId": {`"e1"`, `12`}, "occurred_at timestamp time": times, "source": {`"shop"`}, "test": {`false`, `"false"`, `true`}, "unknown": {`{"a":[1,{}]}`}}
	wrong   = []string{`null`, `""`, `" "`, `[]`, `{}`, `true`, `"true"`, `-1`, `"-1"`, `11`, `0`, `1e999`, `1e1000`, `1e-999`, `99999999999999999999`, `0.001`, `"0.001"`, `"0"`, `9.5`, `"1e3"`, `"x"`, `"guest"`,
		`"1989-12-31T23:59:59Z"`, `"2026-06-03T00:00:01Z"`, `"2026-02-30T00:00:00Z"`, `"2026-03-01 12:00:00Z"`, `"2026-03-01T12:00:60Z"`, `"2026-03-01T+1:00:00Z"`, `"ABC"`, `"purchase"`, `"survey"`, `"x.purchase"`, `"track"`, `"\ud800"`,
		`"` + strings.Repeat("é", 200) + `"`, `"` + strings.Repeat("x", 1025) + `"`, `[1]`, `[{"refund_id":"r"}]`, `[{"refund_id":"r","total":0}]`, `[{"refund_id":"","total":1}]`, `[{"refund_id":"r","total":1,"occurred_at":""}]`}
)

// document draws a document that is right but for a few members.
func document(t *rapid.T, kind Kind) string {
	var objects [3][]string // body, properties, data
	put := func(spellings, value string) {
		at := rapid.SampledFrom([]int{inBody, inBody, inBody, inProperties, inData}).Draw(t, "place")
		objects[at] = append(objects[at], `"`+rapid.SampledFrom(strings.Fields(spellings)).Draw(t, "name")+`":`+value)
	}
	for _, words := range []map[string][]string{vocabulary[kind], shared} {
		for _, spellings := range sorted(words) {
			if rapid.IntRange(0, 9).Draw(t, "leave out") > 0 || words["test"] == nil && rapid.Bool().Draw(t, "keep") {
				put(spellings, rapid.SampledFrom(words[spellings]).Draw(t, "value"))
			}
		}
	}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 4}).Draw(t, "wrong") {
		spellings := rapid.SampledFrom(append(sorted(vocabulary[kind]), sorted(shared)...)).Draw(t, "which")
		put(spellings, rapid.SampledFrom(wrong).Draw(t, "wrong value"))
	}
	if several := rapid.SampledFrom(aliased).Draw(t, "several"); vocabulary[kind][several] != nil { // which of them is read?
		put(several, rapid.SampledFrom(wrong).Draw(t, "another"))
		put(several, rapid.SampledFrom(vocabulary[kind][several]).Draw(t, "and another"))
	}
	body := rapid.Permutation(objects[inBody]).Draw(t, "order")
	for at := inProperties; at <= inData; at++ {
		if len(objects[at]) > 0 {
			body = append(body, `"`+[...]string{inProperties: "properties", inData: "data"}[at]+`":{`+strings.Join(objects[at], ",")+`}`)
		}
	}
	doc := `{` + strings.Join(body, ", ") + `}`
	if rapid.IntRange(0, 3).Draw(t, "structured") > 0 {
		return doc
	}
	attribute := func(n, right string) string {
		if rapid.IntRange(0, 5).Draw(t, "attribute") > 0 {
			return `"` + n + `":` + right + `,`
		}
		return `"` + n + `":` + rapid.SampledFrom(wrong).Draw(t, n) + `,`
	}
	return `{` + attribute("specversion", `"1.0"`) + attribute("id", `"ce1"`) + attribute("source", `"/shop"`) + attribute("type", `"com.example.`+kind.String()+`"`) +
		attribute("time", `"2026-03-01T12:00:00Z"`) + `"data":` + doc + `}`
}

func sorted(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestDecoderAndSchemaAgree(t *testing.T) {
	all := inputSchemas(t)
	d := decoder(t, options())
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			kind := Kind(rapid.IntRange(0, int(Kinds)-1).Draw(t, "kind"))
			if compare(t, d, all[kind], kind, document(t, kind)) {
				accepted++
			} else {
				refused++
			}
		}
	})
	require.Greater(t, accepted, 100, "accepted %d, refused %d", accepted, refused)
	require.Greater(t, refused, 100, "accepted %d, refused %d", accepted, refused)
	t.Logf("accepted %d, refused %d", accepted, refused)
}

// Each named document is read by both in the way that its test says; here only that they agree.
func TestDecoderAndSchemaAgreeOnExamples(t *testing.T) {
	d := decoder(t, options())
	for k := range Kinds {
		text, err := schemas.JSON(k.String())
		require.NoError(t, err)
		var s struct{ Examples []json.RawMessage }
		require.NoError(t, json.Unmarshal(text, &s))
		require.NotEmpty(t, s.Examples)
		for _, example := range s.Examples {
			require.True(t, compare(t, d, compiled(t, k.String()), k, string(example)), "%s", example)
		}
	}
}

func FuzzDecode(f *testing.F) {
	all := inputSchemas(f)
	f.Add(uint8(Purchase), plainPurchase)
	f.Add(uint8(Cancellation), `{"userId":1,"kind":"refund","refund_id":"r","order_id":"o","total":"1.50"}`)
	f.Add(uint8(Referral), `{"properties":{"advocate":"a","friend":"b","status":"approved"}}`)
	f.Add(uint8(Survey), `{"specversion":"1.0","id":"e","data":{"customer_id":"c","response_id":"r","score":9.0}}`)
	f.Add(uint8(Purchase), `{"\u0074otal":1e-999,"x":"\ud83d\ude00","refunds":[{"refund_id":1,"total":1}]}`)
	f.Fuzz(func(t *testing.T, k uint8, doc string) {
		kind := Kind(k) % Kinds
		d := decoder(t, options())
		var first, second Result
		m := &Message{Value: []byte(doc), Timestamp: now - 1000}
		err := d.Decode(kind, m, now, &first)
		said, _ := first.Event.MarshalVT() // before the decoder's next record
		if err != nil || first.Skip != "" {
			said = nil
		}
		d.Explain(kind, m, now)
		again := d.Decode(kind, m, now, &second)
		if err == nil && second.Skip == "" {
			bytes, err := second.Event.MarshalVT()
			require.NoError(t, err)
			require.Equal(t, said, bytes)
		}
		require.Equal(t, err, again)
		if !huge.MatchString(doc) { // the schema's library would work out such powers
			compare(t, d, all[kind], kind, doc)
		}
	})
}
