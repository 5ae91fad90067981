// Package encoding owns the forms of outputs for programs that need a schema: Kafka Connect's JSON and Avro. An output is one flat row in each of
// them, whose columns come from the JSON Schemas of its topic: what is a list or an object in JSON is a column with its JSON as text, so that
// a sink for a database fills a table without a transform.
//
// The same JSON gives the same bytes, and an audit compares them. It refuses to know a network: ids of schemas are arguments.
package encoding

import (
	"encoding/binary"
	"fmt"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Encoding is a form of outputs.
type Encoding string

// The encodings.
const (
	JSON        Encoding = "json"         // as a step writes it
	ConnectJSON Encoding = "connect-json" // with the schema in each record
	Avro        Encoding = "avro"         // with the id of a schema in a registry
)

// NeedsRegistry reports whether the records of an encoding name a schema that is registered.
func (e Encoding) NeedsRegistry() bool { return e == Avro }

// Encoder encodes the outputs of one topic. It may be used concurrently.
type Encoder struct {
	encoding Encoding
	table    *table
	schema   string
}

// NewEncoder returns the encoder of a topic in another encoding than JSON. Amounts have the decimals of the base currency.
func NewEncoder(e Encoding, t output.Topic, base money.Unit) (*Encoder, error) {
	columns, err := columnsOf(t)
	if err != nil {
		return nil, err
	}
	return newEncoder(e, &table{name: recordName(t), base: base, columns: columns}), nil
}

func newEncoder(e Encoding, t *table) *Encoder {
	x := &Encoder{encoding: e, table: t.indexed()}
	switch e {
	case ConnectJSON:
		x.schema = t.connectSchema()
	case Avro:
		x.schema = t.avroSchema()
	case JSON:
	}
	return x
}

// Schema is the schema, as JSON.
func (x *Encoder) Schema() string { return x.schema }

// Frame is what stands before a record of an encoding with a registered schema: a zero byte and the id.
func Frame(id uint64, long bool) []byte {
	if long {
		return binary.BigEndian.AppendUint64([]byte{0}, id)
	}
	return binary.BigEndian.AppendUint32([]byte{0}, uint32(id)) //nolint:gosec // registries count ids of 32 bits
}

// Append appends an output, given as JSON of a step. What stands before it (Frame) is for the caller.
func (x *Encoder) Append(dst, value []byte) ([]byte, error) {
	var row row
	if err := x.table.split(value, &row); err != nil {
		return dst, err
	}
	if x.encoding == ConnectJSON {
		return x.appendConnect(dst, &row)
	}
	return x.appendAvro(dst, &row)
}

// each calls write for each column that is not null, and null for the others, in order.
func (t *table) each(r *row, null func(*column), write func(*column, []byte) error) error {
	for i := range t.columns {
		c := &t.columns[i]
		if r[i] == nil || r[i][0] == 'n' {
			//mutant:null-in-required-column if false
			if c.required {
				return fmt.Errorf("column %s: %w", c.name, errNull)
			}
			null(c)
			continue
		}
		if err := write(c, r[i]); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}
