package encoding_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

var update = flag.Bool("update", false, "write the golden files")

const decimals = 2

var eur = money.Unit{Code: "EUR", Decimals: decimals}

func encoder(t testing.TB, e encoding.Encoding, topic output.Topic) *encoding.Encoder {
	t.Helper()
	x, err := encoding.NewEncoder(e, topic, eur)
	require.NoError(t, err)
	return x
}

// The schemas are part of the interface. One that changes needs a new logic version, since audits compare bytes from there on.
func TestSchemas(t *testing.T) {
	var all bytes.Buffer
	for topic := range output.Topics {
		for _, e := range []encoding.Encoding{encoding.Avro, encoding.ConnectJSON} {
			fmt.Fprintf(&all, "%s %s\n%s\n", topic, e, strings.ReplaceAll(encoder(t, e, topic).Schema(), `},{"`, "},\n  {\""))
		}
	}
	const file = "testdata/schemas.golden"
	if *update {
		require.NoError(t, os.WriteFile(file, all.Bytes(), 0o600))
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(golden), all.String())
}

// property is what the tests read of a JSON Schema, by a reader of their own.
type property struct {
	Type       string              `json:"type"`
	Format     string              `json:"format"`
	Enum       []string            `json:"enum"`
	AnyOf      []property          `json:"anyOf"`
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
	Items      *property           `json:"items"`
}

func schemaOf(t require.TestingT, name string) (p property, names []string) {
	text, err := schemas.JSON(name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &p))
	_, after, _ := strings.Cut(string(text), `"properties": {`)
	for line := range strings.SplitSeq(after, "\n") { // the fields are what is indented by four
		if strings.HasPrefix(line, `    "`) && strings.Contains(line, ": ") {
			name, _, _ := strings.Cut(line[5:], `"`)
			if _, ok := p.Properties[name]; ok {
				names = append(names, name)
			}
		}
	}
	return p, names
}

// draw draws a value by its schema, as JSON without white space.
func (p property) draw(t *rapid.T) string {
	number := func(decimals int) string {
		n := rapid.OneOf(rapid.Int64Range(-300, 300), rapid.Int64Range(-1<<50, 1<<50)).Draw(t, "number")
		sign := strings.Repeat("-", map[bool]int{true: 1}[n < 0])
		digits := fmt.Sprintf("%0*d", decimals+1, max(n, -n))
		return sign + digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
	}
	switch {
	case len(p.AnyOf) > 0:
		if rapid.Bool().Draw(t, "null") {
			return "null"
		}
		return p.AnyOf[0].draw(t)
	case len(p.Enum) > 0:
		return strconv.Quote(rapid.SampledFrom(p.Enum).Draw(t, "enum"))
	case p.Format == "date-time":
		ms := rapid.Int64Range(0, 4e12).Draw(t, "time") / rapid.SampledFrom([]int64{1, 1000}).Draw(t, "unit") * 1000
		return strconv.Quote(time.UnixMilli(ms/1000).UTC().Format("2006-01-02T15:04:05") + map[bool]string{true: ".250"}[ms%3 == 0] + "Z")
	case p.Format == "decimal":
		return number(decimals)
	case p.Type == "number":
		return number(rapid.IntRange(1, 4).Draw(t, "decimals"))
	case p.Type == "integer":
		return strconv.FormatInt(rapid.Int64().Draw(t, "integer"), 10)
	case p.Type == "boolean":
		return strconv.FormatBool(rapid.Bool().Draw(t, "boolean"))
	case p.Type == "array":
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, p.Items.draw(t))
		}
		return "[" + strings.Join(items, ",") + "]"
	case p.Type == "object":
		var members []string
		for _, name := range p.Required {
			members = append(members, strconv.Quote(name)+":"+p.Properties[name].draw(t))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	text, err := json.Marshal(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`a"b\c`, "\x00\n", "سلام", "{},:[]", ""})).Draw(t, "text"))
	require.NoError(t, err)
	return string(text)
}

// anOutput is an output of one of the types of a topic, and what its row must have.
type anOutput struct {
	json string
	row  map[string]any // by column; those that are null are missing
}

func drawOutput(t *rapid.T, topic output.Topic) anOutput {
	schema, names := schemaOf(t, rapid.SampledFrom(encoding.SchemasOf(topic)).Draw(t, "type"))
	o := anOutput{row: map[string]any{}}
	var members []string
	for _, name := range names {
		p := schema.Properties[name]
		optional := true
		for _, required := range schema.Required {
			optional = optional && name != required
		}
		if optional && rapid.Bool().Draw(t, "absent") {
			continue
		}
		value := p.draw(t)
		members = append(members, strconv.Quote(name)+":"+value)
		if value == "null" {
			continue
		}
		if len(p.AnyOf) > 0 {
			p = p.AnyOf[0]
		}
		o.row[name] = p.column(t, value)
	}
	o.json = "{" + strings.Join(members, ",") + "}"
	return o
}

// column is what the column of a value must have.
func (p property) column(t require.TestingT, value string) any {
	var text string
	if value[0] == '"' {
		require.NoError(t, json.Unmarshal([]byte(value), &text))
	}
	switch {
	case p.Type == "array", p.Type == "object":
		return value
	case p.Type == "integer":
		n, err := strconv.ParseInt(value, 10, 64)
		require.NoError(t, err)
		return n
	case p.Format == "decimal":
		r, ok := new(big.Rat).SetString(value)
		require.True(t, ok)
		return r.FloatString(decimals)
	case p.Type == "number":
		f, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err)
		return f
	case p.Type == "boolean":
		return value == "true"
	case p.Format == "date-time":
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at.UnixMilli()
	}
	return text
}

// Every output becomes a row that an independent decoder of Avro reads, with every value and no other.
func TestAvro(t *testing.T) {
	for topic := range output.Topics {
		t.Run(topic.String(), func(t *testing.T) {
			x := encoder(t, encoding.Avro, topic)
			schema, err := avro.Parse(x.Schema())
			require.NoError(t, err)
			s := schemaregistry.Start(schemaregistry.Schema{ID: 7, Text: x.Schema()})
			defer s.Close()
			r, err := registry.New(registry.Config{URLs: []string{s.URL}, Timeout: time.Minute})
			require.NoError(t, err)
			defer r.Close()
			rapid.Check(t, func(rt *rapid.T) {
				o := drawOutput(rt, topic)
				encoded, err := x.Append(nil, []byte(o.json))
				require.NoError(rt, err, o.json)
				var got map[string]any
				rest, err := schema.Decode(encoded, &got)
				require.NoError(rt, err)
				require.Empty(rt, rest)
				for name, value := range got {
					switch v := value.(type) {
					case nil:
						delete(got, name)
					case time.Time:
						got[name] = v.UnixMilli()
					case *big.Rat:
						got[name] = v.FloatString(decimals)
					}
				}
				require.Equal(rt, o.row, got, o.json)

				m := event.Message{Value: append(encoding.Frame(7, false), encoded...)}
				require.Equal(rt, encoding.Avro, encoding.Of(m.Value))
				for err = registry.ErrPending; errors.Is(err, registry.ErrPending); {
					_, err = r.Open(t.Context(), &m)
				}
				require.NoError(rt, err)
				again, err := encoding.Restore(m.Value)
				require.NoError(rt, err)
				require.Equal(rt, exact(rt, o.json), exact(rt, string(again)))
			})
		})
	}
}

// exact is JSON with the names in order and each number as a fraction: 0.50 and 0.5 are the same, and no digit is lost.
func exact(t require.TestingT, text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v map[string]any
	require.NoError(t, decoder.Decode(&v))
	var reduce func(any) any
	reduce = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			r, ok := new(big.Rat).SetString(v.String())
			require.True(t, ok)
			return r.String()
		case map[string]any:
			for name := range v {
				v[name] = reduce(v[name])
			}
		case []any:
			for i := range v {
				v[i] = reduce(v[i])
			}
		}
		return v
	}
	return fmt.Sprint(reduce(v))
}

// connectTypes are how the JSON of a column of each of Kafka Connect's types is read, by the documentation of its JsonConverter.
var connectTypes = map[string]func(json.RawMessage) (any, error){
	"string": func(raw json.RawMessage) (v any, err error) {
		var s string
		err = json.Unmarshal(raw, &s)
		return s, err
	},
	"int64":   func(raw json.RawMessage) (v any, err error) { return strconv.ParseInt(string(raw), 10, 64) },
	"double":  func(raw json.RawMessage) (v any, err error) { return strconv.ParseFloat(string(raw), 64) },
	"boolean": func(raw json.RawMessage) (v any, err error) { return strconv.ParseBool(string(raw)) },
	"bytes": func(raw json.RawMessage) (v any, err error) { // a Decimal
		r, ok := new(big.Rat).SetString(string(raw))
		if !ok {
			return nil, strconv.ErrSyntax
		}
		return r.FloatString(decimals), nil
	},
}

// Every output becomes a record of Kafka Connect, whose payload has the types of its own schema; it reads as the output, byte by byte.
func TestConnectJSON(t *testing.T) {
	for topic := range output.Topics {
		t.Run(topic.String(), func(t *testing.T) {
			x := encoder(t, encoding.ConnectJSON, topic)
			rapid.Check(t, func(rt *rapid.T) {
				o := drawOutput(rt, topic)
				encoded, err := x.Append(nil, []byte(o.json))
				require.NoError(rt, err, o.json)
				require.Equal(rt, encoding.ConnectJSON, encoding.Of(encoded))
				var record struct {
					Schema struct {
						Type   string `json:"type"`
						Fields []struct {
							Field      string            `json:"field"`
							Type       string            `json:"type"`
							Name       string            `json:"name"`
							Optional   bool              `json:"optional"`
							Parameters map[string]string `json:"parameters"`
						} `json:"fields"`
					} `json:"schema"`
					Payload map[string]json.RawMessage `json:"payload"`
				}
				require.NoError(rt, json.Unmarshal(encoded, &record))
				require.Equal(rt, "struct", record.Schema.Type)
				got := map[string]any{}
				for _, f := range record.Schema.Fields {
					raw, ok := record.Payload[f.Field]
					require.True(rt, ok, f.Field)
					delete(record.Payload, f.Field)
					if string(raw) == "null" {
						require.True(rt, f.Optional, f.Field)
						continue
					}
					value, err := connectTypes[f.Type](raw)
					require.NoError(rt, err, f.Field)
					got[f.Field] = value
					require.Equal(rt, f.Type == "bytes", f.Name == "org.apache.kafka.connect.data.Decimal" && f.Parameters["scale"] == "2", f.Field)
				}
				require.Empty(rt, record.Payload, "a column without a schema")
				require.Equal(rt, o.row, got, o.json)

				again, err := encoding.ReadConnect(encoded)
				require.NoError(rt, err)
				require.Equal(rt, o.json, string(again))
			})
		})
	}
}

// What a step never writes is an error, and never a row that lacks something.
func TestRefused(t *testing.T) {
	begin := `{"event_id":"0-1-0","event_type":"mainstay.customer.erased.v1","customer_id":"c","as_of":"2026-03-01T12:00:00Z","sequence":1,"trigger":"erasure","cause_event_id":null,"currency":"EUR"`
	x := encoder(t, encoding.Avro, output.CLV)
	_, err := x.Append(nil, []byte(begin+`,"requested_at":"2026-03-01T12:00:00Z"}`))
	require.NoError(t, err)
	for value, want := range map[string]string{
		``:                                     "no output",
		`null`:                                 "no output",
		`{}`:                                   "no output",
		begin:                                  "no output",
		begin + `,"historic_clv":`:             "no output",
		begin + `} `:                           "no output",
		begin + `,"clv":1}`:                    `has a field without a column: "\"clv\""`,
		begin + `,"historic_clv":1.505}`:       "column historic_clv: it is no amount",
		begin + `,"historic_clv":NaN}`:         "column historic_clv: it is no amount",
		begin + `,"requested_at":"yesterday"}`: "column requested_at: it is no time",
		begin + `,"prediction_horizon_days":1.5}`:                       "column prediction_horizon_days",
		strings.Replace(begin, `"c"`, `null`, 1) + `}`:                  "column customer_id: it is null",
		strings.Replace(begin, `"customer_id":"c",`, ``, 1) + `}`:       "column customer_id: it is null",
		begin + `,"reasons":["a"}`:                                      "no output",
		begin + `,"merged_into":"unfinished}`:                           "no output",
		strings.Replace(begin, `"event_id"`, ` "event_id"`, 1) + `}`:    "without a column",
		strings.Replace(begin, `"event_id":`, `"event_id": `, 1) + `x}`: "no output",
	} {
		_, err := x.Append(nil, []byte(value))
		require.ErrorContains(t, err, want, value)
	}
}

// An amount has the decimals that the schema states, also where the unit leaves out those that are 0.
func TestDecimalsThatAreLeftOut(t *testing.T) {
	table, err := money.NewTable(nil)
	require.NoError(t, err)
	unit, ok := table.Lookup([]byte("IRT"))
	require.True(t, ok)
	x, err := encoding.NewEncoder(encoding.Avro, output.Rejections, unit)
	require.NoError(t, err)
	schema, err := avro.Parse(x.Schema())
	require.NoError(t, err)
	for _, minor := range []int64{0, 5000, -5100, 5123} {
		value := `{"event_id":"0-1-0","event_type":"mainstay.rejection.v1","customer_id":"c","as_of":"2026-03-01T12:00:00Z","trigger":"event","currency":"IRT","excess":` + string(unit.Append(nil, minor)) + `}`
		encoded, err := x.Append(nil, []byte(value))
		require.NoError(t, err, value)
		var got map[string]any
		_, err = schema.Decode(encoded, &got)
		require.NoError(t, err)
		require.Zero(t, big.NewRat(minor, 1000).Cmp(got["excess"].(*big.Rat)), value)
	}
}

// A reader of the present schema reads what a later one writes that has a column more, and the other way around.
func TestALaterSchema(t *testing.T) {
	x := encoder(t, encoding.Avro, output.CLV)
	now, err := avro.Parse(x.Schema())
	require.NoError(t, err)
	later, err := avro.Parse(strings.Replace(x.Schema(), `"fields":[`, `"fields":[{"name":"plan","type":["null","string"],"default":null},`, 1))
	require.NoError(t, err)
	require.NoError(t, avro.CheckCompatibility(now, later), "BACKWARD")
	require.NoError(t, avro.CheckCompatibility(later, now))

	row := map[string]any{}
	rapid.Check(t, func(rt *rapid.T) {
		o := drawOutput(rt, output.CLV)
		encoded, err := x.Append(nil, []byte(o.json))
		require.NoError(rt, err)
		clear(row)
		_, err = now.Decode(encoded, &row)
		require.NoError(rt, err)
		row["plan"] = "gold"
		ofLater, err := later.Encode(row)
		require.NoError(rt, err)
		for _, pair := range [][2]*avro.Schema{{later, now}, {now, later}} {
			resolved, err := avro.Resolve(pair[0], pair[1])
			require.NoError(rt, err)
			got := map[string]any{}
			_, err = resolved.Decode(map[*avro.Schema][]byte{now: encoded, later: ofLater}[pair[0]], &got)
			require.NoError(rt, err)
			require.Equal(rt, o.row["event_id"], got["event_id"])
			require.Equal(rt, o.row["customer_id"], got["customer_id"])
		}
	})
}

// clv is an output of usual size.
const clv = `{"event_id":"3-1234-0","event_type":"mainstay.customer.clv.updated.v1","customer_id":"c-4711","as_of":"2026-03-01T12:00:00Z","sequence":17,"trigger":"event","cause_event_id":"purchase-991","currency":"EUR","model":{"name":"mbg_nbd","version":3,"status":"fitted"},"historic_clv":249.50,"predicted_clv":100.10,"predicted_clv_low":40.00,"predicted_clv_high":180.00,"total_clv":349.60,"prediction_horizon_days":365,"historic_number_of_orders":5,"predicted_number_of_orders":2.345,"predicted_number_of_orders_low":1,"predicted_number_of_orders_high":4,"average_order_value":49.90,"average_days_between_orders":30.5,"expected_date_of_next_order":"2026-04-01T08:30:00.250Z","days_overdue":null,"simple_clv":120.00,"clv_percentile":99.0,"value_tier":"top_10","referral_value":0.00,"reasons":["An order of 49.90 EUR"],"previous":{"historic_clv":199.60,"predicted_clv":98.00,"total_clv":297.60,"historic_number_of_orders":4,"value_tier":"top_20","referral_value":0.00}}`

func BenchmarkAppend(b *testing.B) {
	value := []byte(clv)
	for _, e := range []encoding.Encoding{encoding.ConnectJSON, encoding.Avro} {
		b.Run(string(e), func(b *testing.B) {
			x := encoder(b, e, output.CLV)
			dst, err := x.Append(nil, value)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = x.Append(dst[:0], value)
			}
			b.ReportMetric(float64(len(dst)), "B/record")
		})
	}
}
