package registry_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/event"
)

// purchase is an event before it is encoded. Amounts are in cents, times in Unix ms.
type purchase struct {
	customer, order, coupon string
	total, tax              int64 // tax < 0: not stated
	member                  bool
	usd                     bool
	at, updated             int64
	refunds                 []refund
}

type refund struct {
	id, total int64
}

const (
	avroPurchase = `{"type":"record","name":"Purchase","namespace":"shop","fields":[
		{"name":"customer_id","type":"string"},
		{"name":"order_id","type":"string"},
		{"name":"coupon","type":["null","string"],"default":null},
		{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
		{"name":"tax","type":["null",{"type":"fixed","name":"Tax","size":12,"logicalType":"decimal","precision":20,"scale":2}]},
		{"name":"loyalty_member","type":"boolean"},
		{"name":"currency","type":{"type":"enum","name":"Currency","symbols":["EUR","USD"]}},
		{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"refunds","type":{"type":"array","items":"shop.Refund"}}]}`
	avroRefund = `{"type":"record","name":"Refund","namespace":"shop","fields":[
		{"name":"refund_id","type":"long"},
		{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}}]}`

	protoPurchase = `syntax = "proto3"; package shop;
		import "google/protobuf/timestamp.proto"; import "confluent/type/decimal.proto"; import "refund.proto";
		message Other {}
		message Shop { message Purchase {
			enum Currency { CURRENCY_UNSPECIFIED = 0; EUR = 1; USD = 2; }
			string customer_id = 1; string order_id = 2; optional string coupon = 3;
			confluent.type.Decimal total = 4; confluent.type.Decimal tax = 5; bool loyalty_member = 6; Currency currency = 7;
			google.protobuf.Timestamp occurred_at = 8; google.protobuf.Timestamp updated_at = 9; repeated shop.Refund refunds = 10;
		} }`
	protoRefund = `syntax = "proto3"; package shop; import "confluent/type/decimal.proto";
		message Refund { int64 refund_id = 1; confluent.type.Decimal total = 2; }`
)

// json writes a purchase by hand; so do the two below, from the specifications: the readers are of the libraries that they test.
//
// A list without elements is stated by Avro, and JSON can, while Protobuf has no form for it.
func (p purchase) json(emptyList bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"customer_id":%q,"order_id":%q,"total":%s,"currency":%q,"loyalty_member":%t,"occurred_at":%q,"updated_at":%q`,
		p.customer, p.order, cents(p.total), p.currency(), p.member, stamp(p.at), stamp(p.updated))
	if p.coupon != "" {
		fmt.Fprintf(&b, `,"coupon":%q`, p.coupon)
	}
	if p.tax >= 0 {
		fmt.Fprintf(&b, `,"tax":%s`, cents(p.tax))
	}
	if len(p.refunds) > 0 || emptyList {
		b.WriteString(`,"refunds":[`)
		for i, r := range p.refunds {
			fmt.Fprintf(&b, `%s{"refund_id":%d,"total":%s}`, strings.Repeat(",", min(i, 1)), r.id, cents(r.total))
		}
		b.WriteString(`]`)
	}
	return b.String() + `}`
}

func (p purchase) currency() string {
	if p.usd {
		return "USD"
	}
	return "EUR"
}

func cents(n int64) string { return strconv.FormatInt(n/100, 10) + fmt.Sprintf(".%02d", n%100) }

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// unscaled is a number in two's complement.
func unscaled(n int64) []byte { return append([]byte{0}, big.NewInt(n).Bytes()...) }

func avroText(b []byte, s string) []byte { return append(binary.AppendVarint(b, int64(len(s))), s...) }

func (p purchase) avro() []byte {
	b := avroText(avroText(nil, p.customer), p.order)
	if p.coupon == "" {
		b = append(b, 0)
	} else {
		b = avroText(append(b, 2), p.coupon)
	}
	b = avroText(b, string(unscaled(p.total)))
	if p.tax < 0 {
		b = append(b, 0)
	} else {
		b = append(b, 2)
		b = append(b, new(big.Int).SetInt64(p.tax).FillBytes(make([]byte, 12))...)
	}
	b = append(b, map[bool]byte{true: 1}[p.member], map[bool]byte{true: 2}[p.usd])
	b = binary.AppendVarint(b, p.at)
	b = binary.AppendVarint(b, p.updated*1000)
	if len(p.refunds) > 0 {
		b = binary.AppendVarint(b, int64(len(p.refunds)))
		for _, r := range p.refunds {
			b = avroText(binary.AppendVarint(b, r.id), string(unscaled(r.total)))
		}
	}
	return append(b, 0)
}

func protoBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func protoInt(b []byte, field protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func protoDecimal(n int64) []byte {
	return protoInt(protoInt(protoBytes(nil, 1, unscaled(n)), 2, 20), 3, 2)
}

func protoTime(ms int64) []byte {
	return protoInt(protoInt(nil, 1, ms/1000), 2, ms%1000*1e6)
}

func (p purchase) protobuf() []byte {
	b := protoBytes(protoBytes([]byte{4, 2, 0}, 1, []byte(p.customer)), 2, []byte(p.order)) // two indexes: 1, 0
	if p.coupon != "" {
		b = protoBytes(b, 3, []byte(p.coupon))
	}
	b = protoBytes(b, 4, protoDecimal(p.total))
	if p.tax >= 0 {
		b = protoBytes(b, 5, protoDecimal(p.tax))
	}
	b = protoInt(b, 6, map[bool]int64{true: 1}[p.member])
	b = protoInt(b, 7, map[bool]int64{false: 1, true: 2}[p.usd])
	b = protoBytes(protoBytes(b, 8, protoTime(p.at)), 9, protoTime(p.updated))
	for _, r := range p.refunds {
		b = protoBytes(b, 10, protoBytes(protoInt(nil, 1, r.id), 2, protoDecimal(r.total)))
	}
	return b
}

func drawPurchase(t *rapid.T) purchase {
	const from, to = 1_600_000_000_000, 1_790_000_000_000 // ms
	amount := rapid.OneOf(rapid.Int64Range(0, 100_000), rapid.Int64Range(1<<53, 1<<62))
	p := purchase{
		customer: rapid.StringMatching(`[a-z0-9é]{1,8}`).Draw(t, "customer"), order: rapid.StringMatching(`[A-Z0-9]{1,9}`).Draw(t, "order"),
		coupon: rapid.StringMatching(`[A-Z]{0,5}`).Draw(t, "coupon"), total: amount.Draw(t, "total"), tax: rapid.Int64Range(-1, 5000).Draw(t, "tax"),
		member: rapid.Bool().Draw(t, "member"), usd: rapid.Bool().Draw(t, "usd"),
		at: rapid.Int64Range(from, to).Draw(t, "at"), updated: rapid.Int64Range(from, to).Draw(t, "updated"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "refunds") {
		p.refunds = append(p.refunds, refund{rapid.Int64Range(1<<53, 1<<62).Draw(t, "refund id"), rapid.Int64Range(1, 1<<40).Draw(t, "refund")})
	}
	return p
}

// One history ends in the same entries of the ledger in every encoding, to the last digit.
func TestEncodingsAgree(t *testing.T) {
	s := start(t,
		schemaregistry.Schema{ID: 7, Text: avroPurchase, References: []schemaregistry.Reference{{Name: "shop.Refund", Subject: "refund", Version: 1}}},
		schemaregistry.Schema{Subject: "refund", Version: 1, ID: 6, Text: avroRefund},
		schemaregistry.Schema{ID: 8, Type: "PROTOBUF", Text: protoPurchase, References: []schemaregistry.Reference{{Name: "refund.proto", Subject: "refund-proto", Version: 2}}},
		schemaregistry.Schema{Subject: "refund-proto", Version: 2, ID: 5, Type: "PROTOBUF", Text: protoRefund},
		schemaregistry.Schema{ID: 9, Type: "JSON", Text: `{"type":"object"}`},
	)
	r := open(t, registry.Config{URLs: []string{s.URL}})
	decoder, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	const now = 1_800_000_000_000
	decoded := func(t require.TestingT, m event.Message) string {
		var into event.Result
		got := ""
		require.NoError(t, (*format.Format)(nil).Decode(decoder, event.Purchase, &m, now, &into, func(int, []byte) {
			payload, err := into.Event.MarshalVT()
			require.NoError(t, err)
			got = fmt.Sprintf("%s %d %q %x", into.Customer, into.Time, into.Skip, payload)
		}), "%s", m.Value)
		return got
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPurchase(rt)
		for _, c := range []struct {
			json  string
			value []byte
		}{
			{p.json(true), framed(7, p.avro()...)},
			{p.json(false), framed(8, p.protobuf()...)},
			{p.json(true), framed(9, []byte(p.json(true))...)},
		} {
			want := decoded(rt, event.Message{Value: []byte(c.json), Timestamp: now})
			text, framing, err := read(t, r, event.Message{Value: c.value})
			require.NoError(rt, err)
			require.Equal(rt, want, decoded(rt, event.Message{Value: []byte(text), Timestamp: now}), "%s: %s", framing, text)
		}
	})
}

// The JSON of each type, by hand from the specifications of Avro and Protobuf.
func TestJSONOfEachType(t *testing.T) {
	for name, c := range map[string]struct{ schema, kind, body, want string }{
		"union of null, empty":     {`["null","long"]`, "", "\x00", `null`},
		"union, the other":         {`["null","long"]`, "", "\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", `9223372036854775807`},
		"int":                      {`"int"`, "", "\x03", `-2`},
		"float":                    {`"float"`, "", "\xcd\xcc\xcc\x3d", `0.1`},
		"double":                   {`"double"`, "", "\x9a\x99\x99\x99\x99\x99\xb9\x3f", `0.1`},
		"double, no number":        {`"double"`, "", "\x01\x00\x00\x00\x00\x00\xf8\x7f", `"NaN"`},
		"bytes":                    {`"bytes"`, "", "\x04\xff\x00", `"/wA="`},
		"map":                      {`{"type":"map","values":"int"}`, "", "\x04\x02b\x02\x02a\x04\x00", `{"a":2,"b":1}`},
		"date":                     {`{"type":"int","logicalType":"date"}`, "", string(binary.AppendVarint(nil, 20513)), `"2026-03-01"`},
		"timestamp-millis":         {`{"type":"long","logicalType":"timestamp-millis"}`, "", string(binary.AppendVarint(nil, 1772366400123)), `"2026-03-01T12:00:00.123Z"`},
		"timestamp-micros":         {`{"type":"long","logicalType":"timestamp-micros"}`, "", string(binary.AppendVarint(nil, 1772366400123456)), `"2026-03-01T12:00:00.123456Z"`},
		"local-timestamp-millis":   {`{"type":"long","logicalType":"local-timestamp-millis"}`, "", string(binary.AppendVarint(nil, 1772366400000)), `"2026-03-01T12:00:00"`},
		"decimal, negative":        {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}`, "", "\x02\xff", `-0.001`},
		"decimal, no bytes":        {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, "", "\x00", `0.00`},
		"decimal of 20 digits":     {`{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}`, "", "\x12\x00\xab\x54\xa9\x8c\xeb\x1f\x0a\xd2", `123456789012345678.90`},
		"uuid":                     {`{"type":"string","logicalType":"uuid"}`, "", "\x02u", `"u"`},
		"uuid, fixed":              {`{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, "", "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x11\x22\x33\x44\x55\x66\x77\x88", `"12345678-9abc-def0-1122-334455667788"`},
		"fixed":                    {`{"type":"fixed","name":"F","size":2}`, "", "\x01\x02", `"AQI="`},
		"time-millis":              {`{"type":"int","logicalType":"time-millis"}`, "", string(binary.AppendVarint(nil, 43_200_000)), `"12h0m0s"`},
		"a logical type of others": {`{"type":"long","logicalType":"io.debezium.time.ZonedTimestamp"}`, "", "\x02", `1`},

		"proto: zeros and presence": {`syntax="proto3"; message M { int64 a=1; optional int64 b=2; string c=3; bool d=4; double e=5; repeated int32 f=6; M g=7; }`, "PROTOBUF", "\x00", `{"a":0,"d":false,"e":0}`},
		"proto: explicit zero":      {`syntax="proto3"; message M { optional int64 b=2; }`, "PROTOBUF", "\x00\x10\x00", `{"b":0}`},
		"proto: 64 bits":            {`syntax="proto3"; message M { uint64 a=1; }`, "PROTOBUF", "\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", `{"a":18446744073709551615}`},
		"proto: names as written":   {`syntax="proto3"; message M { string orderId=1; string customer_id=2 [json_name="x"]; }`, "PROTOBUF", "\x00\x0a\x01a\x12\x01b", `{"orderId":"a","customer_id":"b"}`},
		"proto: enum":               {`syntax="proto3"; message M { E a=1; E b=2; } enum E { UNSET=0; NEW=1; }`, "PROTOBUF", "\x00\x08\x01\x10\x07", `{"a":"NEW","b":7}`},
		"proto: wrapper":            {`syntax="proto3"; import "google/protobuf/wrappers.proto"; message M { google.protobuf.Int64Value a=1; google.protobuf.StringValue b=2; }`, "PROTOBUF", "\x00\x0a\x02\x08\x05", `{"a":5}`},
		"proto: map":                {`syntax="proto3"; message M { map<string,int32> a=1; }`, "PROTOBUF", "\x00\x0a\x05\x0a\x01y\x10\x02\x0a\x05\x0a\x01x\x10\x01", `{"a":{"x":1,"y":2}}`},
		"proto: oneof":              {`syntax="proto3"; message M { oneof o { int32 a=1; int32 b=2; } }`, "PROTOBUF", "\x00\x10\x00", `{"b":0}`},
		"proto: bytes":              {`syntax="proto3"; message M { bytes a=1; }`, "PROTOBUF", "\x00\x0a\x01\xff", `{"a":"/w=="}`},
		"proto: duration":           {`syntax="proto3"; import "google/protobuf/duration.proto"; message M { google.protobuf.Duration a=1; }`, "PROTOBUF", "\x00\x0a\x02\x08\x01", `{"a":"1s"}`},
		"proto: meta of Confluent":  {`syntax="proto3"; import "confluent/meta.proto"; message M { string a=1 [(confluent.field_meta).doc="x"]; }`, "PROTOBUF", "\x00\x0a\x01a", `{"a":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, schemaregistry.Schema{ID: 7, Text: c.schema, Type: c.kind})
			value, _, err := read(t, open(t, registry.Config{URLs: []string{s.URL}}), event.Message{Value: framed(7, []byte(c.body)...)})
			require.NoError(t, err)
			require.Equal(t, c.want, value)
		})
	}
}

// What a short record may become is bounded, and a schema may refer to itself.
func TestBounds(t *testing.T) {
	nested := `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`
	long := strings.Repeat("x", 1000)
	s := start(t,
		schemaregistry.Schema{ID: 1, Text: nested},
		schemaregistry.Schema{ID: 2, Text: `{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"` + long + `","type":"int"}]}}`},
		schemaregistry.Schema{ID: 3, Text: `syntax = "proto3"; message N { N n = 1; }`, Type: "PROTOBUF"},
		schemaregistry.Schema{ID: 5, Text: `{"type":"record","name":"T","fields":[{"name":"t","type":{"type":"array","items":"T"}}]}`},
		schemaregistry.Schema{ID: 4, Text: `{"type":"bytes","logicalType":"decimal","precision":2000,"scale":2}`},
		schemaregistry.Schema{ID: 6, Text: `{"type":"array","items":"b.Flag"}`, References: []schemaregistry.Reference{{Name: "b.Flag", Subject: "flag", Version: 1}}},
		schemaregistry.Schema{ID: 7, Subject: "flag", Version: 1, Text: `{"type":"record","name":"b.Flag","fields":[{"name":"a","type":"boolean"}]}`},
		schemaregistry.Schema{ID: 8, Text: `{"type":"array","items":{"type":"array","items":"null"}}`},
		schemaregistry.Schema{ID: 9, Text: `{"type":"array","items":{"type":"map","values":"boolean"}}`},
	)
	s.Add(schemaregistry.Schema{ID: 10, Type: "PROTOBUF", Text: `syntax = "proto2"; message M {
		repeated M m = 1; repeated bool b = 2 [packed = true]; repeated double d = 3 [packed = true]; repeated float f = 4 [packed = true]; repeated string s = 5;
		map<int32, M> e = 6; repeated group G = 7 { repeated M m = 1; } }`})
	r := open(t, registry.Config{URLs: []string{s.URL}})
	times := func(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
	first := func(b []byte) []byte { return framed(10, append([]byte{0}, b...)...) } // the first message of the file
	const most = 1 << 18
	protoNested := func(depth int) []byte {
		var b []byte
		for range depth {
			b = protoBytes(nil, 1, b)
		}
		return append([]byte{0}, b...)
	}
	for name, c := range map[string]struct {
		value []byte
		want  string // of the error; "": none
	}{
		"a tree":                 {framed(5, 4, 0, 0, 0), ""},
		"nested":                 {framed(1, append(slicesOf(2, 100), 0)...), ""},
		"nested too deep":        {framed(1, append(slicesOf(2, 200), 0)...), "deep"},
		"nested Protobuf":        {framed(3, protoNested(50)...), ""},
		"Protobuf, too deep":     {framed(3, protoNested(200)...), "cannot be read by schema 3"},
		"messages":               {first(times(most, 0x0a, 0)), ""},
		"too many messages":      {first(times(most+1, 0x0a, 0)), "262144 values"},
		"too many in a message":  {first(protoBytes(nil, 1, times(most, 0x0a, 0))), "262144 values"},
		"too many in a group":    {first(append(append([]byte{0x3b}, times(most, 0x0a, 0)...), 0x3c)), "262144 values"},
		"too many in a map":      {first(times(most/3+1, 0x32, 4, 8, 0, 0x12, 0)), "262144 values"},
		"too many texts":         {first(times(most+1, 0x2a, 0)), "262144 values"},
		"packed":                 {first(protoBytes(nil, 2, times(most-1, 1))), ""},
		"too many packed":        {first(protoBytes(nil, 2, times(most, 1))), "262144 values"},
		"packed of 8 bytes":      {first(protoBytes(nil, 3, times(8*(most-1), 0))), ""},
		"too many of 8 bytes":    {first(protoBytes(nil, 3, times(8*most, 0))), "262144 values"},
		"too many of 4 bytes":    {first(protoBytes(nil, 4, times(4*most, 0))), "262144 values"},
		"malformed in a message": {first(protoBytes(nil, 1, []byte{0x0a, 9})), "cannot be read by schema 10"},
		"long names":             {framed(2, block(50_000, slicesOf(2, 50_000))...), "16 MiB"},
		"records":                {framed(6, block(80_000, slicesOf(1, 80_000))...), ""},
		"too many records":       {framed(6, block(90_000, slicesOf(1, 90_000))...), "262144 values"},
		"nulls":                  {framed(8, block(50, []byte(strings.Repeat(string(block(4096, nil)), 50)))...), ""},
		"too many nulls":         {framed(8, block(70, []byte(strings.Repeat(string(block(4096, nil)), 70)))...), "262144 values"},
		"nulls without end":      {framed(8, block(1, block(1<<40, nil))...), "limit"},
		"too many maps":          {framed(9, block(140_000, slicesOf(0, 140_000))...), "262144 values"},
		"a decimal":              {framed(4, append(binary.AppendVarint(nil, 500), slicesOf(1, 500)...)...), "decimal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, r, event.Message{Value: c.value})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// block is an array of one block.
func block(n int64, items []byte) []byte {
	return append(append(binary.AppendVarint(nil, n), items...), 0)
}

func slicesOf(b byte, n int) []byte { return []byte(strings.Repeat(string(rune(b)), n)) }

// A vendor's table reads a record in Avro as it reads one in JSON.
func TestAFormatReadsAvro(t *testing.T) {
	s := start(t, schemaregistry.Schema{ID: 7, Text: `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},
		{"name":"customer","type":{"type":"record","name":"Customer","fields":[{"name":"id","type":"long"}]}},
		{"name":"total_price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"current_total_price","type":"string"},{"name":"currency","type":"string"},
		{"name":"financial_status","type":"string"},{"name":"processed_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"refunds","type":{"type":"array","items":"string"}}]}`})
	f, err := format.Open("shopify")
	require.NoError(t, err)
	body := binary.AppendVarint(binary.AppendVarint(nil, 1<<53+1), 77)
	body = avroText(avroText(avroText(avroText(body, string(unscaled(4990))), "49.90"), "EUR"), "paid")
	body = append(binary.AppendVarint(body, 1772366400000), 0)
	value, _, err := read(t, open(t, registry.Config{URLs: []string{s.URL}}), event.Message{Value: framed(7, body...)})
	require.NoError(t, err)
	decoder, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	var into event.Result
	require.NoError(t, f.Decode(decoder, event.Purchase, &event.Message{Value: []byte(value)}, 1_800_000_000_000, &into, func(int, []byte) {
		require.Equal(t, "77", into.Customer)
		require.Equal(t, "9007199254740993", into.Event.Purchase.OrderId)
		require.Equal(t, int64(4990), into.Event.Purchase.Total)
	}), "%s", value)
}
