package format_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

// eventsOf are the events of a record, each as the JSON of Mainstay's own format.
func eventsOf(t testing.TB, table, record string) (all []string, err error) {
	t.Helper()
	f, err := format.Parse([]byte(table))
	require.NoError(t, err)
	var into event.Result
	err = f.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(record), Timestamp: now}, now, &into, func(number int, value []byte) {
		read := "skipped " + into.Skip
		if into.Skip == "" {
			kind, _ := event.KindOf(&into.Event)
			read = kind.String() + " " + string(value)
		}
		all = append(all, fmt.Sprint(number, " ", read))
	})
	return all, err
}

const severalTable = `
format: several
each: [{list: "orders[]", when: [page]}, order]
skip:
  - {when: [state=draft], as: draft}
events:
  - kind: purchase
    when: [id]
    fields:
      order_id: {path: id, match: '^shop/(\d+)$'}
      customer_id: [buyer, $$.buyer]
      total: {sum: ["lines[!parent].price * quantity"]}
      currency: $$.currency
also:
  - kind: referral
    when: [code]
    fields:
      referrer_customer_id: {path: code, match: "^REF-(.+)$"}
      referred_customer_id: [buyer, $$.buyer]
      referral_id: {join: [id, missing, code]}
      status: {const: approved}
  - kind: cancellation
    each: {list: "returns[]", when: [accepted=true]}
    fields:
      kind: {const: refund}
      refund_id: no
      order_id: {path: $.id, match: '^shop/(\d+)$'}
      customer_id: $$.buyer
      total: amount
      currency: $$.currency
`

// A record is one event of each item of its list, and those of `also`.
func TestRecordsOfSeveralEvents(t *testing.T) {
	got, err := eventsOf(t, severalTable, `{"page":1,"buyer":"ada","currency":"EUR","orders":[
		{"id":"shop/1","code":"REF-bob","lines":[{"price":"2.50","quantity":2},{"price":9,"quantity":1,"parent":7}],"returns":[{"no":1,"amount":1,"accepted":true},{"no":2,"amount":2,"accepted":false},{"no":3,"amount":"0.5","accepted":true}]},
		{"id":"shop/2","state":"draft","code":"REF-bob"},
		{"id":"shop/3","buyer":"cy","lines":[{"price":1}]}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{
		`0 purchase {"order_id":"1","customer_id":"ada","total":5,"currency":"EUR"}`,
		`1 referral {"referrer_customer_id":"bob","referred_customer_id":"ada","referral_id":"shop/1-REF-bob","status":"approved"}`,
		`2 cancellation {"kind":"refund","refund_id":1,"order_id":"1","customer_id":"ada","total":1,"currency":"EUR"}`,
		`3 cancellation {"kind":"refund","refund_id":3,"order_id":"1","customer_id":"ada","total":"0.5","currency":"EUR"}`,
		`4 skipped draft`,
		`5 purchase {"order_id":"3","customer_id":"cy","total":1,"currency":"EUR"}`,
	}, got)
	got, err = eventsOf(t, severalTable, `{"currency":"EUR","order":{"id":"shop/4","buyer":"cy","lines":[{"price":1}]},"orders":[]}`)
	require.NoError(t, err)
	require.Equal(t, []string{`0 purchase {"order_id":"4","customer_id":"cy","total":1,"currency":"EUR"}`}, got, "an object")
	got, err = eventsOf(t, severalTable, `{"currency":"EUR","id":"shop/5","buyer":"cy","lines":[{"price":1}]}`)
	require.NoError(t, err)
	require.Len(t, got, 1, "the record itself")
	got, err = eventsOf(t, severalTable, `{"page":1,"orders":[]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"0 skipped other_record"}, got, "an empty list")
}

// If one event of a record is refused, there is none, and the refusal names the element and the path.
func TestARefusedRecordHasNoEvents(t *testing.T) {
	for record, want := range map[string]string{
		`{"page":1,"currency":"EUR","orders":[{"id":"shop/1","buyer":"ada","lines":[{"price":1}]},{"id":"shop/2","lines":[{"price":1}]}]}`:              "customer_id: missing: format several, which reads it from buyer or $$.buyer of orders[1]",
		`{"page":1,"currency":"EUR","orders":[{"id":"shop/1","buyer":"ada","lines":[{"price":1}]},{"id":"2","buyer":"ada","lines":[{"price":1}]}]}`:     "order_id: missing: format several, which reads it from id of orders[1]",
		`{"page":1,"currency":"EUR","buyer":"ada","orders":[{"id":"shop/1","lines":[{"price":1}],"returns":[{"no":1,"amount":-1,"accepted":"true"}]}]}`: "total: negative: format several, read from amount of orders[0]",
		`{"page":1,"currency":"EUR","orders":[{"id":"shop/1","buyer":"ada","lines":[{"price":1}]},{"hello":1}]}`:                                        "record: unknown_value: format several: is none of the records of this format, which are recognised by id, code",
		`{"page":1,"orders":[5]}`: "record: wrong_type: format several: an object is wanted for orders[0]",
	} {
		got, err := eventsOf(t, severalTable, record)
		require.EqualError(t, err, want, record)
		require.Empty(t, got)
	}
}

// A table that extends a shipped one decides first, and leaves the rest to it. The example of the documentation reads a referral of an order of
// Shopify.
func TestTableThatExtends(t *testing.T) {
	text, err := os.ReadFile("../../docs/connecting.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(text), "```yaml\nformat: shopify-with")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	table := "format: shopify-with" + block
	order := `{"id":1,"financial_status":"paid","customer":{"id":5},"currency":"EUR","total_price":"10.00","created_at":"2026-05-01T10:00:00Z","discount_codes":[{"code":"SUMMER"},{"code":%q}]%s}`
	got, err := eventsOf(t, table, fmt.Sprintf(order, "FRIEND-77", ""))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Contains(t, got[0], "0 purchase")
	require.Equal(t, `1 referral {"referrer_customer_id":"77","referred_customer_id":5,"status":"approved","occurred_at":"2026-05-01T10:00:00Z"}`, got[1])
	got, err = eventsOf(t, table, fmt.Sprintf(order, "SPRING", ""))
	require.NoError(t, err)
	require.Len(t, got, 1, "a code of no friend")
	got, err = eventsOf(t, table, fmt.Sprintf(order, "FRIEND-77", `,"test":true`))
	require.NoError(t, err)
	require.Equal(t, []string{"0 skipped test"}, got)
	got, err = eventsOf(t, table, `{"orders":[`+fmt.Sprintf(order, "FRIEND-77", "")+`]}`)
	require.NoError(t, err)
	require.Len(t, got, 2, "the lists of the shipped table")
}

// Every payload that a vendor documents is known as that vendor's, and as no other's, unless it has no event.
func TestPayloadsAreGuessed(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	for _, file := range files {
		name, c := filepath.Base(filepath.Dir(file)), readCase(t, file)
		kind, err := event.ParseKind(c.Topic)
		require.NoError(t, err)
		guess := format.Guess(decoder(t), kind, &event.Message{Value: c.Record, Timestamp: now}, now)
		if c.Refused == "" && (c.Skipped == "" || c.Skipped == event.SkipAnonymous) {
			require.Equal(t, []string{name}, guess, file)
		} else {
			require.Subset(t, []string{name}, guess, file)
		}
	}
	for _, own := range []string{
		`{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}`,
		`{"type":"purchase","event":"Order Completed","customer_id":"c-1","id":"o-1","total_price":10,"currency":"EUR","created_at":"2026-05-01T10:00:00Z"}`,
	} {
		require.Empty(t, format.Guess(decoder(t), event.Purchase, &event.Message{Value: []byte(own), Timestamp: now}, now))
	}
}
