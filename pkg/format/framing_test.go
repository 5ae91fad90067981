package format_test

import (
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

// around are the ways to put an event into what may stand around it.
var around = map[string]func(value string) string{
	"byte order mark": func(v string) string { return "\xef\xbb\xbf" + v },
	"registry, 4 bytes of id": func(v string) string {
		return "\x00" + string(binary.BigEndian.AppendUint32(nil, 12)) + v
	},
	"registry, 8 bytes of id": func(v string) string {
		return "\x00" + string(binary.BigEndian.AppendUint64(nil, 12)) + v
	},
	"Connect":                      func(v string) string { return `{"schema":{"type":"struct","fields":[]},"payload":` + v + `}` },
	"Connect, no schema":           func(v string) string { return ` { "schema" : null, "payload" : ` + v + ` }` },
	"Connect, the other order":     func(v string) string { return `{"payload":` + v + `,"schema":{}}` },
	"Debezium, created":            func(v string) string { return `{"before":null,"after":` + v + `,"op":"c","ts_ms":1772366400000}` },
	"Debezium, updated":            func(v string) string { return `{"before":{"customer_id":"x"},"after":` + v + `,"source":{},"op":"u"}` },
	"Debezium, read in a snapshot": func(v string) string { return `{"op":"r","after":` + v + `}` },
	"Debezium, another order": func(v string) string {
		return `{"ts_ms":1772366400000,"transaction":null,"source":{"db":"shop"},"op":"c","after":` + v + `,"before":null}`
	},
}

// What stands around an event changes nothing of it, also where one thing stands inside another.
func TestFramesAroundAnEvent(t *testing.T) {
	shopify, err := format.Open("shopify")
	require.NoError(t, err)
	records := []struct {
		format *format.Format
		kind   event.Kind
		value  string
	}{
		{nil, event.Purchase, `{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR","occurred_at":"2026-03-01T12:00:00Z"}`},
		{nil, event.Purchase, `{"specversion":"1.0","id":"e","source":"/shop","type":"purchase","data":{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}}`},
		{nil, event.Purchase, `[{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}]`},
		{nil, event.Survey, `{"customer_id":"c-1","response_id":"r-1","score":9}`},
		{nil, event.Referral, `{"referrer_customer_id":"c-1","referred_customer_id":"c-2","referral_id":"r","status":"approved"}`},
		{shopify, event.Purchase, `{"id":5001,"line_items":[{"price":"10.00","quantity":1}],"current_total_price":"10.00","total_price":"10.00","currency":"EUR","customer":{"id":7},"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","financial_status":"paid"}`},
	}
	names := make([]string, 0, len(around))
	for name := range around {
		names = append(names, name)
	}
	plain, framed := decoder(t), decoder(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(records).Draw(t, "record")
		const most = 4
		value := r.value
		for range rapid.IntRange(1, most).Draw(t, "frames") {
			name := rapid.SampledFrom(names).Draw(t, "frame, from the inside")
			if !json.Valid([]byte(value)) {
				name = "byte order mark" // a header and a mark stand at the start of a record, not within JSON
			}
			value = around[name](value)
		}
		var want, got event.Result
		require.NoError(t, r.format.Decode(plain, r.kind, &event.Message{Value: []byte(r.value), Timestamp: now}, now, &want, func(int, []byte) {}))
		require.Empty(t, want.Skip)
		wanted, err := want.Event.MarshalVT()
		require.NoError(t, err)
		require.NoError(t, r.format.Decode(framed, r.kind, &event.Message{Value: []byte(value), Timestamp: now}, now, &got, func(int, []byte) {}), value)
		read, err := got.Event.MarshalVT()
		require.NoError(t, err)
		require.Equal(t, [2]string{want.Customer, string(wanted)}, [2]string{got.Customer, string(read)})
	})
}

func TestFramesWithoutAnEvent(t *testing.T) {
	row := `{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}`
	for value, skip := range map[string]string{
		`{"before":` + row + `,"after":null,"op":"d","ts_ms":1}`:                                 event.SkipDeleted,
		`{"schema":{},"payload":{"before":` + row + `,"after":null,"op":"d","ts_ms":1}}`:         event.SkipDeleted,
		`{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR","__deleted":"true"}`:  event.SkipDeleted,
		`{"before":null,"after":null,"op":"t","ts_ms":1}`:                                        event.SkipOther,
		`{"schema":{},"payload":null}`:                                                           event.SkipNull,
		`{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR","__deleted":"false"}`: "",
		`{"schema":"orders/3","customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}`: "",
	} {
		var into event.Result
		var none *format.Format
		require.NoError(t, none.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(value), Timestamp: now}, now, &into, func(int, []byte) {}), value)
		require.Equal(t, skip, into.Skip, value)
	}
}

func TestRefusalsNameWhatTheySee(t *testing.T) {
	for value, message := range map[string]string{
		"\x00\x00\x00\x00\x0c\x02\x06abc": "record: malformed: begins with a schema registry's header (schema 12), and no JSON follows it: set registry.urls, so that Avro and Protobuf can be read by their schemas",
		"\x00":                            "record: malformed: a zero byte: one JSON object is wanted",
		`[{"total":1}`:                    "record: malformed: one JSON object is wanted, or an array of objects",
		`{"before":null,"after":{"order_id":"o-1"},"op":"c"}`: "customer_id: missing",
	} {
		var into event.Result
		var none *format.Format
		m := &event.Message{Value: []byte(value), Timestamp: now}
		require.EqualError(t, none.Decode(decoder(t), event.Purchase, m, now, &into, func(int, []byte) {}), message, "%q", value)
		readings := none.Readings(decoder(t), event.Purchase, m, now)
		shown := false
		for _, r := range readings {
			shown = shown || r.Refused == message
		}
		require.True(t, shown, "%+v", readings)
	}
}
