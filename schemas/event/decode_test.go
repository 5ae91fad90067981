package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/ledger"
)

var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func options() Options {
	o := DefaultOptions()
	o.Currency = "EUR"
	return o
}

func decoder(t require.TestingT, o Options) *Decoder {
	d, err := NewDecoder(o)
	require.NoError(t, err)
	return d
}

func message(value string, headers ...string) *Message {
	return &Message{Value: []byte(value), Timestamp: now - 1000, Header: func(name string) ([]byte, bool) {
		for i := 0; i < len(headers); i += 2 {
			if headers[i] == name {
				return []byte(headers[i+1]), true
			}
		}
		return nil, false
	}}
}

// decode decodes, and holds what comes of it against the reference and the schema.
func decode(t testing.TB, o Options, kind Kind, m *Message) (*Result, error) {
	into := new(Result)
	if !m.Null {
		x := &record{kind: kind, opts: o, value: string(m.Value), timestamp: m.Timestamp, headers: map[string]string{}}
		for _, name := range headerNames {
			if h, ok := m.Header(name); ok {
				x.headers[name] = string(h)
			}
		}
		agree(t, compiled(t, kind.String()), decoder(t, o), into, x)
	}
	return into, decoder(t, o).Decode(kind, m, now, into)
}

// says is a result in one line.
func says(r *Result) string {
	if r.Skip != "" {
		return "skip " + r.Skip
	}
	b, _ := r.Event.MarshalVT()
	copied := new(ledger.Event)
	_ = copied.UnmarshalVT(b)
	copied.Facts = 0
	out := r.Customer + " | " + strings.Join(strings.Fields(copied.String()), " ")
	if r.Rounded {
		out += " rounded"
	}
	if r.Cut {
		out += " cut"
	}
	return strings.ReplaceAll(out, `"`, "'")
}

const plainPurchase = `{"event_id":"e1","occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1","order_id":"o1","total":49.90,"currency":"EUR"}`

const understoodPurchase = `c1 | id:'e1' source:'purchase' occurred_at:1772366400000 purchase:{order_id:'o1' total:4990 currency:'EUR'}`

func TestForms(t *testing.T) {
	for name, m := range map[string]*Message{
		"plain":               message(plainPurchase),
		"alias":               message(`{"messageId":"e1","timestamp":"2026-03-01T13:00:00+01:00","userId":"c1","transaction_id":"o1","value":"49.90","currency":"eur"}`),
		"plain name wins":     message(`{"id":"x","revenue":[],"total_price":1,"messageId":"y","event_id":"e1","occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1","userId":7,"order_id":"o1","total":49.90}`),
		"empty is absent":     message(`{"event_id":"","messageId":"e1","occurred_at":null,"timestamp":"2026-03-01T12:00:00Z","customer_id":"","userId":"c1","order_id":"o1","total":"","value":49.9}`),
		"segment":             message(`{"type":"track","event":"Order Completed","messageId":"e1","userId":"c1","timestamp":"2026-03-01T12:00:00.000Z","properties":{"order_id":"o1","total":49.90,"currency":"EUR","products":[{"name":"a \"b\" \ud83d\ude00","price":1e2}]}}`),
		"under data":          message(`{"type":"purchase","data":{"event_id":"e1","customer_id":"c1","occurred_at":"2026-03-01T12:00:00Z","order_id":"o1","total":49.90}}`),
		"last one stands":     message(`{"total":1,"properties":{"total":2},"properties":{},"event_id":"e1","occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1","order_id":"o1","total":49.90}`),
		"escaped names":       message(`{"\u0065vent_id":"\u00651","occurred_at":"2026-03-01T12:00:00Z","customer\u005fid":"c1","order_id":"o1","total":"49\u002e90"}`),
		"binary":              message(`{"customer_id":"c1","order_id":"o1","total":49.90}`, "ce_specversion", "1.0", "ce_id", "e1", "ce_type", "com.example.order.completed.v1", "ce_source", "purchase", "ce_time", "2026-03-01T12:00:00Z"),
		"structured":          message(`{"specversion":"1.0","id":"e1","type":"com.example.purchase","source":"purchase","time":"2026-03-01T12:00:00Z","data":{"customer_id":"c1","id":"o1","total":49.90}}`),
		"structured, in data": message(`{"specversion":"1.0","id":"x","type":"survey","source":"y","data":{"type":"purchase","event_id":"e1","source":"purchase","properties":{"occurred_at":"2026-03-01T12:00:00Z"},"data":{"customer_id":"c1"},"order_id":"o1","total":49.90}}`),
	} {
		r, err := decode(t, options(), Purchase, m)
		require.NoError(t, err, name)
		r.Event.PurchaseDetails = nil // Segment's
		require.Equal(t, understoodPurchase, says(r), name)
	}
}

func TestBodies(t *testing.T) {
	const at = `"occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1",`
	for _, c := range []struct {
		kind        Kind
		value, want string
	}{
		{Purchase, `{"customer_id":1001,"order_id":1.50,"total":1e2,"currency":"JPY"}`, `1001 | id:'order:1.50' source:'purchase' occurred_at:1780271999000 purchase:{order_id:'1.50' total:100 currency:'JPY' time_stood_in:true}`},
		{Purchase, `{` + at + `"order_id":"o1","total":200000,"currency":"irt","source":"shop"}`, `c1 | id:'order:o1' source:'shop' occurred_at:1772366400000 purchase:{order_id:'o1' total:200000000 currency:'IRR'}`},
		{
			Purchase, `{` + at + `"order_id":"o1","total":0.125,"status":"Partially Refunded","updated_at":"2026-03-02T12:00:00Z","refunds":[{"refund_id":7,"total":"0.05"},{"refund_id":"r2","total":0.015,"occurred_at":"2026-03-03T12:00:00Z"}]}`,
			`c1 | id:'order:o1@1772452800000' source:'purchase' occurred_at:1772366400000 purchase:{order_id:'o1' total:12 currency:'EUR' updated_at:1772452800000 refunds:{refund_id:'7' total:5 occurred_at:1772452800000} refunds:{refund_id:'r2' total:2 occurred_at:1772539200000} status_stated:true refunds_stated:true} rounded`,
		},
		{Purchase, `{` + at + `"order_id":"o1","total":5,"status":"voided"}`, `c1 | id:'order:o1' source:'purchase' occurred_at:1772366400000 purchase:{order_id:'o1' total:500 currency:'EUR' cancelled:true status_stated:true}`},
		{Purchase, `{` + at + `"order_id":"o1","total":5,"status":"paid","cancelled_at":"2026-03-02T12:00:00Z"}`, `c1 | id:'order:o1' source:'purchase' occurred_at:1772366400000 purchase:{order_id:'o1' total:500 currency:'EUR' cancelled:true cancelled_at:1772452800000 status_stated:true}`},
		{Cancellation, `{` + at + `"kind":"order","order_id":"o1","cancel_reason":"fraud"}`, `c1 | id:'cancellation:o1' source:'cancellation' occurred_at:1772366400000 cancellation:{kind:CANCELLATION_KIND_ORDER order_id:'o1' reason:'fraud'}`},
		{Cancellation, `{` + at + `"kind":"Refund","order_id":"o1","refund_id":"r1","total":"5.00","cancel_reason":"she did not like the colour at all"}`, `c1 | id:'refund:r1' source:'cancellation' occurred_at:1772366400000 cancellation:{kind:CANCELLATION_KIND_REFUND order_id:'o1' refund_id:'r1' total:500 currency:'EUR' reason:'other'} cut`},
		{Cancellation, `{` + at + `"kind":"subscription","subscription_id":"s1","effective_at":"2027-01-01T00:00:00Z"}`, `c1 | id:'subscription:s1@1798761600000' source:'cancellation' occurred_at:1772366400000 cancellation:{kind:CANCELLATION_KIND_SUBSCRIPTION subscription_id:'s1' effective_at:1798761600000}`},
		{Cancellation, `{` + at + `"kind":"account"}`, `c1 | id:'account@1772366400000' source:'cancellation' occurred_at:1772366400000 cancellation:{kind:CANCELLATION_KIND_ACCOUNT}`},
		{Referral, `{"customer_id":[],"referrer_customer_id":"a","friend":"b","status":"approved","referral_id":9}`, `b | id:'referral:9:approved' source:'referral' occurred_at:1780271999000 referral:{referral_id:'9' referrer:'a' status:REFERRAL_STATUS_APPROVED}`},
		{Referral, `{"advocate":"a","referred_customer_id":"b","status":"PENDING"}`, `b | id:'referral:~d24ec4f1a98c6e5b:pending' source:'referral' occurred_at:1780271999000 referral:{referrer:'a' status:REFERRAL_STATUS_PENDING}`},
		{Survey, `{` + at + `"response_id":"r1","score":9.0,"comment":"John"}`, `c1 | id:'response:r1@1772366400000' source:'survey' occurred_at:1772366400000 survey:{response_id:'r1' type:SURVEY_TYPE_NPS score:9 created_at:1772366400000 updated_at:1772366400000}`},
		{Survey, `{` + at + `"response_id":"r1","survey_type":"csat","survey_id":"s","score":"5","updated_at":"2026-03-02T12:00:00Z","excluded_from_calculations":true}`, `c1 | id:'response:r1@1772452800000' source:'survey' occurred_at:1772366400000 survey:{response_id:'r1' survey_id:'s' type:SURVEY_TYPE_CSAT score:5 created_at:1772366400000 updated_at:1772452800000 excluded:true}`},
		{Survey, `{` + at + `"response_id":"r1","survey_type":"equity","dimension":"Brand","score":0}`, `c1 | id:'response:r1@1772366400000' source:'survey' occurred_at:1772366400000 survey:{response_id:'r1' type:SURVEY_TYPE_EQUITY created_at:1772366400000 updated_at:1772366400000 dimension:'brand'}`},
		{Survey, `{` + at + `"survey_type":"pmf","score":"very"}`, `skip survey_type`},
		{Purchase, `{"test":true}`, `skip test`},
		{Purchase, `{"customer_id":"Guest","order_id":"o1","total":1}`, `skip anonymous`},
		{Purchase, `{"customer_id":0,"order_id":"o1","total":1}`, `skip anonymous`},
		{Referral, `{"advocate":"undefined","friend":"b","status":"voided"}`, `skip anonymous`},
	} {
		r, err := decode(t, options(), c.kind, message(c.value))
		require.NoError(t, err, c.value)
		require.Equal(t, c.want, says(r), c.value)
	}
	null := message("")
	null.Null = true
	r, err := decode(t, options(), Survey, null)
	require.NoError(t, err)
	require.Equal(t, "skip null", says(r))
}

func TestRefused(t *testing.T) {
	const c = `{"customer_id":"c1",`
	const p = c + `"order_id":"o1",`
	long := strings.Repeat("é", 129)
	for _, x := range []struct {
		kind  Kind
		value string
		field string
		why   Reason
	}{
		{Purchase, ``, "", Malformed},
		{Purchase, `null`, "", Malformed},
		{Purchase, `[` + p + `"total":1}]`, "", Malformed},
		{Purchase, p + `"total":1}{}`, "", Malformed},
		{Purchase, p + `"total":01}`, "", Malformed},
		{Purchase, p + `"total":1,}`, "", Malformed},
		{Purchase, p + "\"total\":1,\"x\":\"\t\"}", "", Malformed},
		{Purchase, "\ufeff" + plainPurchase, "", Malformed},
		{Purchase, p + `"total":1,"x":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`, "", Malformed},
		{Purchase, p + "\"total\":1,\"x\":\"\xff\"}", "", Encoding},
		{Purchase, p + `"total":1,"x":"\ud800"}`, "", Encoding},
		{Purchase, p + `"total":1,"x":"\udc00\ud800"}`, "", Encoding},
		{Purchase, `{"order_id":"o1","total":1}`, "customer_id", Missing},
		{Purchase, `{"customer_id":"","order_id":"o1","total":1}`, "customer_id", Missing},
		{Purchase, `{"customer_id":{},"userId":"c1","order_id":"o1","total":1}`, "customer_id", WrongType},
		{Purchase, `{"customer_id":"` + long + `","order_id":"o1","total":1}`, "customer_id", TooLong},
		{Purchase, c + `"total":1}`, "order_id", Missing},
		{Purchase, p + `"x":1}`, "total", Missing},
		{Purchase, p + `"total":-0.001}`, "total", Negative},
		{Purchase, p + `"total":"1e3"}`, "total", BadFormat},
		{Purchase, p + `"total":"NaN"}`, "total", BadFormat},
		{Purchase, p + `"total":true}`, "total", WrongType},
		{Purchase, p + `"total":1e17}`, "total", Overflow},
		{Purchase, p + `"total":1,"currency":"ABC"}`, "currency", UnknownValue},
		{Purchase, p + `"total":1,"currency":978}`, "currency", WrongType},
		{Purchase, p + `"total":1,"type":"survey"}`, "type", Mismatch},
		{Purchase, p + `"total":1,"type":"pageview"}`, "type", UnknownValue},
		{Purchase, p + `"total":1,"type":"repurchase"}`, "type", UnknownValue},
		{Purchase, p + `"total":1,"occurred_at":"yesterday"}`, "occurred_at", BadFormat},
		{Purchase, p + `"total":1,"occurred_at":true}`, "occurred_at", WrongType},
		{Purchase, p + `"total":1,"occurred_at":17}`, "occurred_at", BadFormat},
		{Purchase, p + `"total":1,"occurred_at":"1989-12-31T23:59:59Z"}`, "occurred_at", TooEarly},
		{Purchase, p + `"total":1,"occurred_at":"2026-06-03T00:00:00.001Z"}`, "occurred_at", TooLate},
		{Purchase, p + `"total":1,"status":"lost"}`, "status", UnknownValue},
		{Purchase, p + `"total":1,"refunds":{}}`, "refunds", WrongType},
		{Purchase, p + `"total":1,"refunds":[1]}`, "refunds", WrongType},
		{Purchase, p + `"total":1,"refunds":` + refundsOf(1001) + `}`, "refunds", TooMany},
		{Purchase, p + `"total":1,"refunds":[{"total":1}]}`, "refunds.refund_id", Missing},
		{Purchase, p + `"total":1,"refunds":[{"refund_id":"r","total":-0.001}]}`, "refunds.total", Negative},
		{Purchase, p + `"total":1,"test":"yes"}`, "test", WrongType},
		{Purchase, `{"specversion":"0.3","data":` + plainPurchase + `}`, "specversion", UnknownValue},
		{Purchase, `{"specversion":"1.0"}`, "data", Missing},
		{Purchase, `{"specversion":"1.0","data":"x"}`, "data", WrongType},
		{Cancellation, c + `"order_id":"o1"}`, "kind", Missing},
		{Cancellation, c + `"kind":"return"}`, "kind", UnknownValue},
		{Cancellation, c + `"kind":"order","id":"o1"}`, "order_id", Missing},
		{Cancellation, c + `"kind":"refund","order_id":"o1","total":1}`, "refund_id", Missing},
		{Cancellation, c + `"kind":"refund","order_id":"o1","refund_id":"r","total":0}`, "total", NotPositive},
		{Cancellation, c + `"kind":"subscription"}`, "subscription_id", Missing},
		{Referral, `{"customer_id":"c","advocate":"a","status":"approved"}`, "referred_customer_id", Missing},
		{Referral, `{"friend":"b","status":"approved"}`, "referrer_customer_id", Missing},
		{Referral, `{"advocate":"a","friend":"b"}`, "status", Missing},
		{Referral, `{"advocate":"a","friend":"b","status":"done"}`, "status", UnknownValue},
		{Survey, c + `"score":9}`, "response_id", Missing},
		{Survey, c + `"response_id":"r"}`, "score", Missing},
		{Survey, c + `"response_id":"r","score":11}`, "score", OutOfRange},
		{Survey, c + `"response_id":"r","score":9.5}`, "score", NotWhole},
		{Survey, c + `"response_id":"r","score":0,"survey_type":"csat"}`, "score", OutOfRange},
		{Survey, c + `"response_id":"r","score":8,"survey_type":"ces"}`, "score", OutOfRange},
		{Survey, c + `"response_id":"r","score":8,"survey_type":"equity"}`, "dimension", Missing},
		{Survey, c + `"response_id":"r","score":8,"survey_type":"equity","dimension":"price"}`, "dimension", UnknownValue},
	} {
		_, err := decode(t, options(), x.kind, message(x.value))
		var refused *Refused
		require.ErrorAs(t, err, &refused, x.value)
		require.Equal(t, x.field+" "+string(x.why), refused.Field+" "+string(refused.Reason), x.value)
		require.NotContains(t, err.Error(), "c1")
	}
	_, err := decode(t, options(), Purchase, message(plainPurchase, "content-type", "application/cloudevents+json; charset=utf-8"))
	require.EqualError(t, err, "specversion: missing: the content type says CloudEvents")
	_, err = decode(t, options(), Purchase, message(plainPurchase, "ce_type", "\xff"))
	require.EqualError(t, err, "type: encoding: the header is not UTF-8")
}

func TestOptions(t *testing.T) {
	for want, change := range map[string]func(*Options){
		`money.currency: "ABC"`: func(o *Options) { o.Currency = "ABC" },
		"money.currencies.TOM.times: 12": func(o *Options) {
			o.Currencies["TOM"] = o.Currencies["IRT"]
			a := o.Currencies["TOM"]
			a.Times = 12
			o.Currencies["TOM"] = a
		},
		`money.total: "net"`:          func(o *Options) { o.Total = "net" },
		`anonymous customers: "drop"`: func(o *Options) { o.AnonymousPolicy = "drop" },
		`customer ids: "upper"`:       func(o *Options) { o.Normalise = "upper" },
	} {
		o := options()
		change(&o)
		_, err := NewDecoder(o)
		require.ErrorContains(t, err, want)
	}

	value := `{"customer_id":" C1 ","order_id":"o","total":"100","subtotal":80,"tax":"15.005","shipping":5}`
	for total, want := range map[Total]int64{TotalTotal: 10000, TotalSubtotal: 8000, TotalWithoutTax: 8500, TotalWithoutShipping: 9500, TotalWithoutTaxAndShipping: 8000} {
		o := options()
		o.Total, o.Normalise, o.EventTime = total, NormaliseLower, true
		r, err := decode(t, o, Purchase, message(value))
		require.NoError(t, err)
		require.Equal(t, want, r.Event.Purchase.Total, total)
		require.Equal(t, total == TotalWithoutTax || total == TotalWithoutTaxAndShipping, r.Rounded)
		require.Equal(t, "c1", r.Customer)
		require.Equal(t, r.Event.OccurredAt, r.Time)
	}
	o := options()
	o.Total = TotalWithoutTax
	_, err := decode(t, o, Purchase, message(`{"customer_id":"c","order_id":"o","total":1,"tax":2}`))
	require.EqualError(t, err, "total: negative: less than the tax and shipping in it")
	o.Currency = ""
	_, err = decode(t, o, Purchase, message(`{"customer_id":"c","order_id":"o","total":1}`))
	require.EqualError(t, err, "currency: missing: and there is no default (money.default_currency)")
	o.Normalise = NormaliseTrim
	_, err = decode(t, o, Purchase, message(`{"customer_id":"  ","order_id":"o","total":1,"currency":"EUR"}`))
	require.EqualError(t, err, "customer_id: missing: white space only")
	o.AnonymousPolicy = AnonymousDeadLetter
	_, err = decode(t, o, Purchase, message(`{"customer_id":" guest","order_id":"o","total":1,"currency":"EUR"}`))
	require.EqualError(t, err, "customer_id: anonymous: an id that stands for no particular customer")
	o.KeepComments = true
	r, err := decode(t, o, Survey, message(`{"customer_id":"c","response_id":"o","score":1,"comment":"`+strings.Repeat("aé", 1000)+`"}`))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("aé", 666)+"a", strings.TrimSuffix(r.Event.Survey.Comment, "é"))
	require.True(t, r.Cut)
	early := message(`{"customer_id":"c","response_id":"o","score":1}`)
	early.Timestamp = -1
	_, err = decode(t, o, Survey, early)
	require.EqualError(t, err, "occurred_at: missing: and the record has no timestamp")
}

func TestExplain(t *testing.T) {
	var lines []string
	for _, f := range decoder(t, options()).Explain(Purchase, message(`{"type":"track","event":"Order Completed","userId":"c1","properties":{"order_id":7,"value":"-5"},"messageId":"m1"}`), now) {
		lines = append(lines, strings.Join([]string{f.Field, f.From, f.Text, f.Value, f.Refused}, " | "))
	}
	require.Equal(t, []string{
		"test |  |  |  | ",
		"type | event | Order Completed | purchase | ",
		"event_id | messageId | m1 | m1 | ",
		"source | topic |  | purchase | ",
		"occurred_at | record timestamp |  | 2026-05-31T23:59:59Z | ",
		"customer_id | userId | c1 | c1 | ",
		"order_id | properties.order_id | 7 | 7 | ",
		"currency | setting money.currency |  | EUR | ",
		"total | properties.value | -5 |  | total: negative",
		"updated_at |  |  |  | ",
		"cancelled_at |  |  |  | ",
		"status |  |  |  | ",
		"refunds |  |  |  | ",
		"channel |  |  |  | ",
		"affiliation |  |  |  | ",
		"country |  |  |  | ",
		"coupon |  |  |  | ",
		"subscription_id |  |  |  | ",
		"referral_code |  |  |  | ",
		"discount |  |  |  | ",
		"loyalty_member |  |  |  | ",
		"acquisition |  |  |  | ",
		"products |  |  |  | ",
	}, lines)
}

// TestExplainNamesPartsOfObjects: a part is named with the object that it was found in.
func TestExplainNamesPartsOfObjects(t *testing.T) {
	var lines []string
	body := `{"customer_id":"c","order_id":1,"total":5,"acquisition":{"source":"ads"},"products":[{"sku":"s","price":"2.5"}],"refunds":[{"refund_id":"r","total":1}]}`
	for _, f := range decoder(t, options()).Explain(Purchase, message(body), now) {
		if strings.Contains(f.Field, ".") && f.From != "" {
			lines = append(lines, strings.Join([]string{f.Field, f.From, f.Text, f.Value}, " | "))
		}
	}
	require.Equal(t, []string{
		"refunds.refund_id | refunds[].refund_id | r | r",
		"refunds.total | refunds[].total | 1 | 1.00 EUR",
		"acquisition.source | acquisition.source | ads | ads",
		"products.price | products[].price | 2.5 | 2.5",
		"products.product_id | products[].sku | s | s",
	}, lines)
}

func TestExplainOfWhatCannotBeRead(t *testing.T) {
	d := decoder(t, options())
	require.Equal(t, []FieldReading{{Field: "record", Refused: "record: malformed: one JSON object is wanted, not an array"}}, d.Explain(Purchase, message("[]"), now))
	readings := d.Explain(Purchase, message(`{"test":true}`), now)
	require.Equal(t, FieldReading{Field: "record", Value: "skipped: test"}, readings[len(readings)-1])
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	d := decoder(t, options())
	into := new(Result)
	for kind, value := range map[Kind]string{
		Purchase:     `{"customer_id":"c\u0031","order_id":"o1","total":49.90,"refunds":[{"refund_id":"r","total":1}],"channel":"web","acquisition":{"source":"ads"},"products":[{"id":"p","price":1,"quantity":2}]}`,
		Cancellation: `{"customer_id":"c1","kind":"refund","order_id":"o1","refund_id":"r","total":"1.00"}`,
		Referral:     `{"advocate":"a","friend":"b","status":"approved"}`,
		Survey:       `{"customer_id":"c1","response_id":"r","score":9,"updated_at":"2026-03-01T12:00:00Z"}`,
	} {
		m := &Message{Value: []byte(value), Timestamp: now}
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			if err := d.Decode(kind, m, now, into); err != nil {
				panic(err)
			}
		}), 1.0, kind)
	}
}

func BenchmarkDecode(b *testing.B) {
	value := `{"event_id":"0197b3c2-9f0e-7c1a-b1de-1f2e3d4c5b6a","type":"purchase","occurred_at":"2026-03-01T12:34:56.789Z","customer_id":"cust-0012345","order_id":"order-00987654","total":49.90,"currency":"EUR","subtotal":41.93,"tax":7.97,"channel":"web","loyalty_member":true}`
	m := &Message{Value: []byte(value), Timestamp: now}
	d := decoder(b, options())
	into := new(Result)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(Purchase, m, now, into); err != nil {
			b.Fatal(err)
		}
	}
}

// Tools look a customer up under the id that the decoder gives them.
func TestAppendCustomerIsWhatTheDecoderDoes(t *testing.T) {
	for _, how := range []Normalise{NormaliseNone, NormaliseTrim, NormaliseLower} {
		options := DefaultOptions()
		options.Normalise, options.Anonymous = how, nil
		d, err := NewDecoder(options)
		require.NoError(t, err)
		rapid.Check(t, func(t *rapid.T) {
			id := rapid.StringOf(rapid.RuneFrom([]rune(" \t\n\v\u00a0aZÄäßI.0"))).Draw(t, "id")
			value, err := json.Marshal(map[string]string{"customer_id": id, "order_id": "1", "total": "1", "currency": "EUR"})
			require.NoError(t, err)
			var result Result
			if d.Decode(Purchase, &Message{Value: value}, 1_700_000_000_000, &result) == nil {
				require.Equal(t, result.Customer, string(how.AppendCustomer(nil, []byte(id))))
			}
		})
	}
}

// refundsOf is the refunds of a snapshot that has n of them.
func refundsOf(n int) string {
	return `[` + strings.TrimSuffix(strings.Repeat(`{"refund_id":"r","total":1},`, n), ",") + `]`
}

func TestAsManyRefundsAsAllowed(t *testing.T) {
	d, err := NewDecoder(DefaultOptions())
	require.NoError(t, err)
	var got Result
	err = d.Decode(Purchase, &Message{Value: []byte(`{"customer_id":"c1","order_id":"o1","total":1,"currency":"EUR","refunds":` + refundsOf(MaxRefunds) + `}`), Timestamp: now}, now, &got)
	require.NoError(t, err)
	require.Len(t, got.Event.Purchase.Refunds, 1000)
}
