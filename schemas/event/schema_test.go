package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/money"
)

var compiledSchemas sync.Map

func compiled(t testing.TB, name string) *jsonschema.Schema {
	if s, ok := compiledSchemas.Load(name); ok {
		return s.(*jsonschema.Schema)
	}
	text, err := os.ReadFile("../" + name + ".schema.json") // the package schemas imports this one
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("mem:"+name, doc))
	s, err := c.Compile("mem:" + name)
	require.NoError(t, err)
	compiledSchemas.Store(name, s)
	return s
}

func inputSchemas(t testing.TB) (all [Kinds]*jsonschema.Schema) {
	for k := range Kinds {
		all[k] = compiled(t, k.String())
	}
	return all
}

// huge exponents are left to the decoder: the schema's library would work the powers out.
var huge = regexp.MustCompile(`[eE][+-]?[0-9]{4,}`)

// record is an input as the tests draw it.
type record struct {
	kind      Kind
	opts      Options
	value     string
	headers   map[string]string
	timestamp int64
}

func (x *record) message() *Message {
	return &Message{Value: []byte(x.value), Timestamp: x.timestamp, Header: func(name string) ([]byte, bool) {
		h, ok := x.headers[name]
		return []byte(h), ok
	}}
}

// agree holds the decoder against the reference, and the schema against what the reference says that a schema can know.
func agree(t require.TestingT, s *jsonschema.Schema, d *Decoder, into *Result, x *record) *reference {
	want := judge(x.opts, x.kind, x.value, x.headers, x.timestamp, now)
	err := d.Decode(x.kind, x.message(), now, into)
	about := func() string {
		return fmt.Sprintf("%s %+v %q of %s: %s", x.kind, x.opts, x.headers, time.UnixMilli(x.timestamp).UTC(), x.value)
	}
	if want.unsure {
		return &reference{verdict: verdict{refusals: want.refusals}}
	}
	if len(want.refusals) > 0 {
		var refused *Refused
		require.ErrorAs(t, err, &refused, "should be refused: %v: %s", want.refusals, about())
		require.Contains(t, want.refusals, strings.TrimSpace(refused.Field+" "+string(refused.Reason)), about())
	} else {
		require.NoError(t, err, about())
		require.Equal(t, want.skip, into.Skip, about())
	}
	if want.event != nil {
		require.Equal(t, want.customer, into.Customer, about())
		require.Equal(t, want.time, into.Time, about())
		require.Equal(t, [2]bool{want.rounded, want.cut}, [2]bool{into.Rounded, into.Cut}, about())
		require.True(t, proto.Equal(want.event, &into.Event), "want %v\ngot  %v\n%s", want.event, &into.Event, about())
	}
	// The schemas say what senders should write, and know one reading of totals and ids: the default one. Of numbers they know values, not texts.
	asShipped := x.opts.Total != TotalSubtotal && (x.opts.Normalise == "" || x.opts.Normalise == NormaliseNone) && slices.Contains(x.opts.Anonymous, "null")
	if !asShipped || want.lenient || huge.MatchString(x.value) && !strings.Contains(x.value, "e1000") {
		return want
	}
	parsed, invalid := jsonschema.UnmarshalJSON(strings.NewReader(x.value))
	if invalid == nil {
		invalid = s.Validate(parsed)
	}
	if want.sayable {
		require.Error(t, invalid, "the schema should refuse: %v: %s", want.refusals, about())
	} else {
		require.NoError(t, invalid, "the schema should accept: %v: %s", want.refusals, about())
	}
	return want
}

// vocabulary is what documents of a kind are made of: names, with values that are right for them.
var vocabulary = [Kinds]map[string][]string{
	Purchase: {
		"customer_id userId": {`"c1"`, `1001`, `" C1 "`, `"Guest"`}, "order_id transaction_id id": {`"o1"`, `7.50`}, "total total_price value revenue": amounts,
		"currency": {`"EUR"`, `"usd"`, `"IRT"`, `"point"`, `"Jpy"`}, "status": {`"paid"`, `"On Hold"`, `"canceled"`}, "updated_at": times, "cancelled_at": times,
		"subtotal": amounts, "tax": {`1`, `"0.50"`, `-1`, `[]`, `0.005`}, "shipping": {`2.5`, `"100"`},
		"refunds": {`[]`, `[{"refund_id":"r1","total":1.5}]`, `[{"refund_id":7,"total":"2","occurred_at":"2026-01-01T00:00:00Z"},{"refund_id":"r2","total":1}]`, `[{"refund_id":1,"total":0},{"refund_id":2,"total":5.005},{"refund_id":3,"total":"5.005"},{"refund_id":4,"total":0.004}]`},
		"type":    {`"purchase"`, `"track"`, `"com.example.order.completed.v2"`}, "event": {`"Order Completed"`},
		"channel": {`" web "`, `7`}, "country": {`"DE"`, `"` + strings.Repeat("aé ", 60) + `"`}, "discount": {`5`, `"-1"`, `"x"`}, "loyalty_member": {`true`, `"false"`, `1`, `"yes"`},
		"acquisition": {`{"source":"ads","medium":"cpc","campaign":7,"how_heard":" a friend "}`, `{"source":null,"x":{"medium":"y"}}`, `[]`},
		"products": {
			`[{"product_id":"p1","category":"Shoes","brand":"Nord","price":10,"quantity":2},{"sku":7,"id":"x","price":"0.005","quantity":"1.5"},7,{}]`,
			`[{"price":0.0005,"quantity":3},{"price":1e15,"quantity":1e15},{"price":-1,"quantity":-1},{"price":{},"quantity":[],"type":"track","category":""}]`,
			`[` + strings.Repeat(`{"id":"p","price":1,"quantity":3},`, 101) + `{}]`,
		},
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
		"score": {`1`, `3`, `5.0`, `"4"`, `2e0`, `6`, `"7"`, `8`, `10`, `0`}, "dimension": {`"brand"`}, "order_id transaction_id": {`"o-1"`, `7`, `{}`}, "product_id item_id sku": {`"p-7"`, `""`, `[1]`}, "comment": {`"Fast"`, `12`, `{}`, `"` + strings.Repeat("aé", 700) + `"`}, "created_at": times, "updated_at": times, "excluded_from_calculations": {`true`, `"false"`}, "type": {`"survey"`},
	},
	Engagement: {
		"customer_id userId": {`"c1"`}, "engagement_type event_name": {`"site_visit"`, `"Screen View"`, `"REVIEW"`, `"feature-use"`, `"purchase"`}, "channel": {`" web "`, `7`, `[]`},
		"campaign": {`"spring"`, `{}`}, "type": {`"engagement"`, `"page"`, `"track"`, `"x.Page-View.v2"`, `"Active on Site"`}, "event": {`"Product Shared"`, `"Clicked"`},
	},
	Identity: {
		"customer_id userId": {`"c1"`, `1`, `"Guest"`}, "previous_id previousId from_customer_id": {`"c2"`, `2`, `"c1"`}, "type": {`"identity"`, `"alias"`, `"x.identity.merged.v2"`, `"track"`}, "event": {`"identity.merged"`},
	},
}

var (
	aliased = []string{"customer_id userId", "order_id transaction_id id", "total total_price value revenue", "total value", "referrer_customer_id advocate", ""}
	amounts = []string{`49.90`, `"49.90"`, `0`, `1e2`, `-0`, `"-0.0"`, `0.005`}
	times   = []string{`"2026-03-01T12:00:00Z"`, `"2026-03-01t12:00:00.123456+01:00"`, `"2016-12-31T23:59:60Z"`, `"2026-03-01T12:00:00Z"`, `1772366400`, `"2026-03-01 12:00:00.5"`}
	shared  = map[string][]string{"event_id messageId": {`"e1"`, `12`}, "occurred_at timestamp time": times, "source": {`"shop"`}, "test": {`false`, `"false"`, `false`, `false`, `""`, `true`}, "unknown": {`{"a":[1,{}]}`}}
	wrong   = []string{
		`null`, `""`, `" "`, `[]`, `{}`, `true`, `"true"`, `-1`, `"-1"`, `11`, `0`, `1e999`, `1e1000`, `1e-999`, `99999999999999999999`, `0.001`, `"0.001"`, `"0"`, `9.5`, `"1e3"`, `"x"`, `"guest"`, `" Guest"`, `"nobody"`, `0e1000`, `-1e1000`, `92233720368547758.075`,
		`"1989-12-31T23:59:59Z"`, `"2026-06-03T00:00:01Z"`, `"2026-02-30T00:00:00Z"`, `"2026-03-01 12:00:00Z"`, `"2026-03-01T12:00:60Z"`, `"2026-03-01T+1:00:00Z"`, `"ABC"`, `"purchase"`, `"survey"`, `"x.purchase"`, `"track"`, `"\ud800"`,
		`"` + strings.Repeat("é", 200) + `"`, `"` + strings.Repeat("x", 1025) + `"`, `[1]`, `[{"refund_id":"r"}]`, `[{"refund_id":"r","total":0}]`, `[{"refund_id":"","total":1}]`, `[{"refund_id":"r","total":1,"occurred_at":""}]`,
	}
)

// nearly are values that are almost right for a name.
var nearly = map[string][]string{
	"total": {`-0.001`, `"-5"`, `0`, `"0.00"`, `0.001`, `0.005`, `0.0051`, `1e17`, `"1e2"`, `1e-1000`, `0e1000`, `-1e1000`, `92233720368547758.075`, `92233720368547758.07`},
	"score": {`9.5`, `11`, `-1`, `"10"`, `"010"`, `"5.0"`, `"-0"`, `-0`, `1e1`, `10e-1`, `0e1000`, `1e-999`, `"1e0"`},
	"type":  {`"survey"`, `"purchase.v12"`, `"a.cancellation.v1.v2"`, `"repurchase"`, `"com.referral"`, `"ORDER completed"`, `"track"`, `"survey.v"`},
	"occurred_at": {
		`"1990-01-01T00:00:00Z"`, `"1989-12-31T23:59:59.999Z"`, `"2026-06-03T00:00:00Z"`, `"2026-06-03T00:00:00.001Z"`, `"2026-02-29T00:00:00Z"`, `"2026-03-01T23:59:60Z"`,
		`"2026-03-01T12:00:60Z"`, `"2026-03-01T12:00:00.1+24:00"`, `"2026-03-01T12:00:00-23:59"`, `1772366400`,
	},
	"customer_id":   {`null`, `"null"`, `0`, `"0"`, `-0`, `"UNDEFINED"`, `"` + strings.Repeat("x", 256) + `"`, `" ` + strings.Repeat("x", 256) + ` "`, `"` + strings.Repeat("é", 129) + `"`, `" \t"`, `1` + strings.Repeat("0", 256)},
	"status":        {`"On-Hold"`, `"on hold"`, `"onhold"`, `"APPROVED"`, `"Kancelled"`, `"refunded"`},
	"currency":      {`"eu"`, `"XAU"`, `"EURO"`, `"ABCDEFGHI"`, `" EUR"`, `"pOiNt"`, `978`},
	"cancel_reason": {`"` + strings.Repeat("x", 32) + `"`, `"` + strings.Repeat("x", 33) + `"`, `1` + strings.Repeat("0", 32), `"é é é é é é é é é é é é"`},
	"refunds":       {`[{"refund_id":"r","total":"-1"}]`, `[{"refund_id":"r","total":1,"occurred_at":"1989-01-01T00:00:00Z"}]`, `[[]]`, `{}`, `[{"refund_id":null,"total":1}]`, refundsOf(1000), refundsOf(1001)},
}

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
		values := wrong
		if near := nearly[strings.Fields(spellings)[0]]; near != nil && rapid.Bool().Draw(t, "nearly right") {
			values = near
		}
		put(spellings, rapid.SampledFrom(values).Draw(t, "wrong value"))
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
	if rapid.IntRange(0, 7).Draw(t, "repeat") == 0 { // the last one stands
		again := rapid.SampledFrom([]string{`{}`, `null`, `1`, `{"total":7,"test":"","customer_id":null}`}).Draw(t, "again")
		body = append(body, `"`+rapid.SampledFrom([]string{"properties", "data"}).Draw(t, "repeated")+`":`+again)
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

var headerNames = []string{"ce_id", "ce_type", "ce_source", "ce_time", "content-type"}

// drawn is any record under any options.
func drawn(t *rapid.T) *record {
	x := &record{kind: Kind(rapid.IntRange(0, int(Kinds)-1).Draw(t, "kind")), timestamp: now - 1000, headers: map[string]string{}}
	x.value = document(t, x.kind)
	x.opts = settings(rapid.SampledFrom([]uint32{0, rapid.Uint32().Draw(t, "settings")}).Draw(t, "as shipped"))
	if rapid.IntRange(0, 9).Draw(t, "odd timestamp") == 0 {
		x.timestamp = rapid.SampledFrom([]int64{-1, 0, earliest - 1, earliest, now + 48*3600*1000, now + 48*3600*1000 + 1}).Draw(t, "timestamp")
	}
	if rapid.IntRange(0, 2).Draw(t, "binary") > 0 {
		return x
	}
	right := map[string]string{"ce_id": "ce1", "ce_type": "com.example." + x.kind.String() + ".v1", "ce_source": "/shop", "ce_time": "2026-03-01T12:00:00Z", "content-type": "application/json"}
	for _, name := range headerNames {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
			x.headers[name] = rapid.SampledFrom([]string{"", "x", "\xff", "survey", "track", "1989-01-01T00:00:00Z", "Application/CloudEvents+JSON; charset=utf-8", strings.Repeat("y", 1025)}).Draw(t, "wrong "+name)
		case 1, 2:
		default:
			x.headers[name] = right[name]
		}
	}
	return x
}

// settings are options by number; 0 is how they are shipped, with a currency.
func settings(n uint32) Options {
	pick := func(of int) int {
		i := int(n % uint32(of))
		n /= uint32(of)
		return i
	}
	o := DefaultOptions()
	o.Currency = []string{"EUR", "", "JPY", "IRT"}[pick(4)]
	o.Total = []Total{TotalTotal, TotalSubtotal, TotalWithoutTax, TotalWithoutShipping, TotalWithoutTaxAndShipping, ""}[pick(6)]
	o.Normalise = []Normalise{NormaliseNone, NormaliseTrim, NormaliseLower, ""}[pick(4)]
	o.AnonymousPolicy = []AnonymousPolicy{AnonymousSkip, AnonymousDeadLetter, ""}[pick(3)]
	if pick(2) == 1 {
		o.Currencies["POINT"] = money.Alias{As: "EUR", Times: 100}
	}
	if pick(3) == 2 {
		o.Anonymous = []string{"Nobody"}
	}
	o.KeepComments, o.EventTime = pick(2) == 1, pick(2) == 1
	return o
}

// The decoder, an independent reading of the same record, and the JSON Schema accept the same and refuse the same.
func TestDecoderAndSchemaAgree(t *testing.T) {
	all := inputSchemas(t)
	var into Result                   // reused, as intake does
	decoders := map[string]*Decoder{} // and they remember what they read last
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			x := drawn(t)
			settings := fmt.Sprint(x.opts)
			if decoders[settings] == nil {
				decoders[settings] = decoder(t, x.opts)
			}
			switch want := agree(t, all[x.kind], decoders[settings], &into, x); {
			case want.event != nil:
				counts["accepted"]++
			case want.skip != "":
				counts["skipped "+want.skip]++
			default:
				for refusal := range want.refusals {
					_, reason, ok := strings.Cut(refusal, " ")
					if !ok {
						reason = refusal
					}
					counts[reason]++
				}
			}
		}
	})
	refused := 0
	for outcome, n := range counts {
		if outcome != "accepted" && !strings.HasPrefix(outcome, "skipped") {
			refused += n
		}
	}
	require.Greater(t, counts["accepted"], 100)
	require.Greater(t, refused, 100)
	t.Log(counts)
}

// Each named document is read by both in the way that its test says; here only that they agree.
func TestDecoderAndSchemaAgreeOnExamples(t *testing.T) {
	d := decoder(t, options())
	for k := range Kinds {
		text, err := os.ReadFile("../" + k.String() + ".schema.json")
		require.NoError(t, err)
		var s struct {
			Examples []json.RawMessage `json:"examples"`
		}
		require.NoError(t, json.Unmarshal(text, &s))
		require.NotEmpty(t, s.Examples)
		for _, example := range s.Examples {
			x := &record{kind: k, opts: options(), value: string(example), timestamp: now - 1000}
			require.NotNil(t, agree(t, compiled(t, k.String()), d, new(Result), x).event, "%s", example)
		}
	}
}

func FuzzDecode(f *testing.F) {
	all := inputSchemas(f)
	add := func(kind Kind, settings uint32, value, ceType, ceTime string) {
		f.Add(uint8(kind), settings, value, ceType, ceTime)
	}
	add(Purchase, 0, plainPurchase, "", "")
	add(Cancellation, 0, `{"userId":1,"kind":"refund","refund_id":"r","order_id":"o","total":"1.50"}`, "com.example.cancellation.v1", "2026-03-01T12:00:00Z")
	add(Referral, 0, `{"properties":{"advocate":"a","friend":"b","status":"approved"}}`, "", "")
	add(Survey, 1, `{"specversion":"1.0","id":"e","data":{"customer_id":"c","response_id":"r","score":9.0}}`, "", "")
	add(Purchase, 12345, `{"\u0074otal":1e-999,"x":"\ud83d\ude00","refunds":[{"refund_id":1,"total":1}]}`, "x", "")
	add(Purchase, 4, `{"customer_id":null,"order_id":"o","subtotal":1}`, "", "")
	f.Fuzz(func(t *testing.T, k uint8, n uint32, value, ceType, ceTime string) {
		x := &record{kind: Kind(k) % Kinds, opts: settings(n), value: value, timestamp: now - 1000, headers: map[string]string{"ce_type": ceType, "ce_time": ceTime}}
		advances(t, []byte(value))
		d := decoder(t, x.opts)
		var first, second Result
		agree(t, all[x.kind], d, &first, x)
		encoded, _ := first.Event.MarshalVT() // before the decoder's next record
		d.Explain(x.kind, x.message(), now)
		if agree(t, all[x.kind], d, &second, x).event != nil {
			again, err := second.Event.MarshalVT()
			require.NoError(t, err)
			require.Equal(t, encoded, again)
		}
	})
}
