package format_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

const now = 1_796_000_000_000

func decoder(t testing.TB) *event.Decoder {
	t.Helper()
	d, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	return d
}

// Each case is a payload of a vendor, by the names that the vendor documents, with what it must come to: the fields of the event that
// are written to the ledger, or the refusal, or why it is skipped. Cases with the name of a trap are about that trap.
func TestPayloads(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			c := readCase(t, file)
			kind, err := event.ParseKind(c.Topic)
			require.NoError(t, err)
			name := filepath.Base(filepath.Dir(file))
			f, err := format.Open(name)
			require.NoError(t, err)
			seen[name] = true
			var got event.Result
			var all, skips []string
			err = f.Decode(decoder(t), kind, &event.Message{Value: c.Record, Timestamp: now}, now, &got, func(int, []byte) {
				if got.Skip != "" {
					skips = append(skips, got.Skip)
					return
				}
				if len(all) < len(c.Events) && !bytes.Contains(c.Events[len(all)].Event, []byte(`"products"`)) {
					got.Event.PurchaseDetails = nil // a case that states the products is about all details
				}
				all = append(all, got.Customer+" "+got.Event.String())
			})
			if c.Refused != "" {
				require.EqualError(t, err, c.Refused)
				return
			}
			require.NoError(t, err)
			if c.Skipped != "" {
				require.Contains(t, skips, c.Skipped)
				require.Empty(t, all)
				return
			}
			var want []string
			for _, e := range c.Events {
				kind, err := event.ParseKind(e.Kind)
				require.NoError(t, err)
				var into event.Result
				require.NoError(t, decoder(t).Decode(kind, &event.Message{Value: e.Event, Timestamp: now}, now, &into))
				want = append(want, into.Customer+" "+into.Event.String())
			}
			require.Equal(t, want, all)
		})
	}
	for _, name := range format.Names() {
		require.True(t, seen[name], "format %s has no payload in testdata", name)
	}
}

// payload is a record of a vendor, and what it comes to.
type payload struct {
	Topic   string          `json:"topic"`
	Record  json.RawMessage `json:"record"`
	Event   json.RawMessage `json:"event"` // the only one, of the topic's kind
	Events  []expected      `json:"events"`
	Skipped string          `json:"skipped"` // every event for this reason
	Refused string          `json:"refused"`
}

func readCase(t testing.TB, file string) (c payload) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	require.NoError(t, strict.Decode(&c))
	if c.Event != nil {
		c.Events = []expected{{c.Topic, c.Event}}
	}
	return c
}

// expected is an event of a record.
type expected struct {
	Kind  string          `json:"kind"`
	Event json.RawMessage `json:"event"`
}

func TestTablesThatAreRefused(t *testing.T) {
	for table, want := range map[string]string{
		"events: []":                         "a name of its own",
		"format: x\nevents: [{kind: order}]": `"order" is not a kind of event`,
		"format: x\nevents: [{kind: purchase, fields: {colour: a}}]":                              `a purchase has no field "colour"`,
		"format: x\nevents: [{kind: purchase, fields: {total: {path: a, const: 1}}}]":             "one of path, const, sum",
		"format: x\nevents: [{kind: purchase, fields: {total: 'a..b'}}]":                          "an empty name",
		"format: x\nevents: [{kind: purchase, fields: {total: {path: a, tabel: {}}}}]":            "tabel",
		"format: x\nevents: [{kind: purchase, fields: {refunds: {each: 'a[]', fields: {x: y}}}}]": `refunds has no part "x"`,
		"format: x\nskip: [{when: [a], as: never}]\nevents: [{kind: purchase}]":                   "as` are wanted",
		"format: x\nevents: [{kind: purchase, fields: {total: {path: a, zone: CET}}}]":            "UTC only",
		"format: x\nevents: [{kind: purchase, fields: {total: {path: a, match: b}}}]":             "with one group",
		"format: x\nevents: [{kind: purchase, fields: {total: {sum: [a], match: (b)}}}]":          "match is of a path",
		"format: x\nextends: shopfy\nalso: [{kind: referral}]":                                    "none of the shipped formats",
		"format: x\nalso: [{kind: referral, fields: {colour: a}}]":                                "also[0]: a referral has no field",
		"format: x\neach: [{when: [a]}]\nevents: [{kind: purchase}]":                              "a list is wanted",
		"format: x\nevents: [{kind: purchase, fields: {total: 'a[b]'}}]":                          "is neither member=value nor !member",
	} {
		_, err := format.Parse([]byte(table))
		require.ErrorContains(t, err, want, table)
	}
	_, err := format.Open("shopfy")
	require.ErrorContains(t, err, "none of the shipped formats")
	f, err := format.Open("mainstay")
	require.NoError(t, err)
	require.Nil(t, f)
}

// A refusal names the field, the path in the record and the format, and nothing of the payload.
func TestRefusalsNameThePath(t *testing.T) {
	f, err := format.Open("shopify")
	require.NoError(t, err)
	order := `{"id":1,"financial_status":"paid","line_items":[],"customer":{"id":5},"currency":"EUR","total_price":"10.00","created_at":"CREATED"}`
	var into event.Result
	err = f.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(order)}, now, &into, func(int, []byte) {})
	require.EqualError(t, err, "occurred_at: bad_format: a time is wanted, such as 2026-03-01T12:00:00Z: format shopify, read from created_at")
	err = f.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(strings.NewReplacer(`"total_price":"10.00",`, "", "CREATED", "2026-05-01").Replace(order))}, now, &into, func(int, []byte) {})
	require.ErrorContains(t, err, "total: missing: format shopify, which reads it from current_total_price + refunds[]")
	err = f.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(`{"hello":1}`)}, now, &into, func(int, []byte) {})
	require.EqualError(t, err, "record: unknown_value: format shopify: is none of the records of this format, which are recognised by id, financial_status, displayFinancialStatus, shop_domain, orders_to_redact")
}

// The table in the documentation is a table, and reads what it says.
func TestTableOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/connecting.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(text), "```yaml\nformat:")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	f, err := format.Parse([]byte("format:" + block))
	require.NoError(t, err)
	got, err := f.Translate(event.Purchase, []byte(`{"kind":"order","buyer":null,"order":{"number":7,"cents":1005,"currency":"EUR","placed":"2026-03-01T12:00:00","state":"Done",
		"returns":[{"id":1,"state":"accepted","amount":"5.00","fee":"0.50","quantity":2},{"id":2,"state":"open","amount":"1"}]}}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"order_id":7,"customer_id":null,"total":10.05,"currency":"EUR","occurred_at":"2026-03-01T12:00:00Z","status":"paid","refunds":[{"refund_id":1,"total":4}]}`, string(got[0].Value))
	require.Len(t, got, 1)
	got, err = f.Translate(event.Purchase, []byte(`{"orders":[{"kind":"order","order":{"number":7},"buyer":{"code":"C-9"},"complaints":[{"no":1,"closed":false},{"no":2,"closed":true,"paid_back":3}]}]}`))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.JSONEq(t, `{"kind":"refund","refund_id":"7-2","order_id":7,"customer_id":"9","total":3}`, string(got[1].Value))
	got, err = f.Translate(event.Purchase, []byte(`{"kind":"visit"}`))
	require.NoError(t, err)
	require.Equal(t, event.SkipOther, got[0].Skip)
}

func TestGuess(t *testing.T) {
	woo := `{"id":727,"customer_id":26,"status":"processing","currency":"EUR","date_created":"2026-05-01T10:00:00","date_created_gmt":"2026-05-01T08:00:00","total":"29.35","line_items":[],"refunds":[]}`
	require.Equal(t, []string{"woocommerce"}, format.Guess(decoder(t), event.Purchase, &event.Message{Value: []byte(woo)}, now))
	require.Empty(t, format.Guess(decoder(t), event.Purchase, &event.Message{Value: []byte(`{"a":1}`)}, now))
}

// Whatever the bytes are, a translation is a JSON object, a skip or a refusal.
// FuzzTranslate reads anything in every format, and in none: it is an event, or skipped, or refused with a reason that check --sample shows.
func FuzzTranslate(f *testing.F) {
	f.Add(`{"id":1,"line_items":[{"gift_card":true,"price":"5","quantity":2}],"refunds":[{"id":2,"transactions":[{"kind":"refund"}]}],"current_total_price":"3"}`)
	f.Add(`{"object":"event","type":"charge.refunded","data":{"object":{"object":"charge","id":"ch","amount":100,"currency":"jpy"}}}`)
	f.Add(`{"type":"track","event":"Order Completed","properties":{"total":1e9}}`)
	f.Add(`{"batch":[{"type":"track","event":"Order Refunded","userId":"c"},5]}`)
	f.Add(`{"user_id":"c","timestamp_micros":1,"events":[{"name":"refund","params":{"transaction_id":"t"}},{"name":"purchase","params":{"items":[{}]}}]}`)
	f.Add(`{"items":[{"entity_id":1,"base_grand_total":1,"items":[{"parent_item_id":1}]}],"search_criteria":{}}`)
	f.Add(`{"data":[{"relationships":{"metric":{"data":{"id":"M"}}}}],"included":[{"type":"metric","id":"M","attributes":{"name":"Placed Order"}}]}`)
	f.Add(`{"type":"advocateReward","data":[{"customerId":"c","friends":[{"friendCustomerId":"d"}]}]}`)
	f.Add(`{"id":"gid://shopify/Order/1","displayFinancialStatus":"PAID","customer":{"id":"gid://shopify/Customer/2?x"}}`)
	var all []*format.Format
	for _, name := range format.Names() {
		one, err := format.Open(name)
		require.NoError(f, err)
		all = append(all, one)
	}
	f.Add("\x00\x00\x00\x00\x0c{\"schema\":{},\"payload\":{\"op\":\"c\",\"before\":null,\"after\":{\"customer_id\":\"c\"}}}")
	d := decoder(f)
	f.Fuzz(func(t *testing.T, record string) {
		for _, one := range append(all, nil) {
			for kind := range event.Kinds {
				var into event.Result
				m := &event.Message{Value: []byte(record), Timestamp: now}
				err := one.Decode(d, kind, m, now, &into, func(int, []byte) {})
				if refused := (*event.Refused)(nil); err != nil {
					require.ErrorAs(t, err, &refused)
				}
				shown := false
				for _, r := range one.Readings(d, kind, m, now) {
					shown = shown || r.Refused != ""
				}
				require.Equal(t, err != nil, shown, "Readings and Decode disagree: %v", err)
			}
		}
		for _, one := range all {
			for kind := range event.Kinds {
				translated, err := one.Translate(kind, []byte(record))
				switch refused := (*event.Refused)(nil); {
				case err != nil:
					require.ErrorAs(t, err, &refused)
				default:
					require.NotEmpty(t, translated)
					require.LessOrEqual(t, len(translated), format.MaxEvents)
					for _, one := range translated {
						require.True(t, one.Skip != "" || json.Valid(one.Value), "%s", one.Value)
					}
				}
			}
		}
	})
}
