package faulttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"

	"github.com/twmb/avro"

	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
)

// The serializer of the shop names a schema in many of its records, so that a process asks the registry for it, which fails as often as not. Now
// and then a record names a schema that nobody has registered: it is refused, and nothing of it may count.
const (
	registeredSchemas = 4 // their ids are 1 and those that follow
	unknownSchema     = 99
)

func newSchemaRegistry() *schemaregistry.Server {
	var all []schemaregistry.Schema
	for id := range registeredSchemas {
		all = append(all, schemaregistry.Schema{ID: 1 + id, Type: "JSON", Text: `{"type":"object"}`})
	}
	return schemaregistry.New(all...)
}

// withSchema is a record as the serializer writes it: by its length, so that the events of a seed are the same with and without.
func withSchema(value []byte) []byte {
	if id := len(value) % (registeredSchemas + 2); id > 0 && id <= registeredSchemas {
		return naming(id, value)
	}
	return value
}

func naming(schema int, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(schema)), value...) //nolint:gosec // small
}

// withUnknownSchema is a record of the same events under other ids that names a schema that nobody has registered; nil: there is none.
func withUnknownSchema(value []byte) []byte {
	if len(value)%16 > 0 {
		return nil
	}
	return naming(unknownSchema, neverCounts([]json.RawMessage{value})[0])
}

// withoutSchema is a record as it was before the serializer; nil if its schema is unknown.
func withoutSchema(record []byte) []byte {
	switch {
	case len(record) < 5 || record[0] != 0:
		return record
	case binary.BigEndian.Uint32(record[1:]) == unknownSchema:
		return nil
	}
	return record[5:]
}

// registryThatAnswers answers the requests of those who are no process.
type registryThatAnswers struct{ *world }

func (w registryThatAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	w.schemas.ServeHTTP(answer, req)
	return answer.Result(), nil
}

// registryOf answers the requests of a process to the schema registry.
type registryOf struct{ *process }

func (p registryOf) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	err := p.request(req.Context(), step(p.role+".registry"), "", func(context.Context) error {
		if !p.w.registryAnswers && p.w.intn(map[string]int{"intake": 2, "fold": 6}[p.role]) == 0 { // a fold asks once for each topic
			answer.WriteHeader(http.StatusServiceUnavailable)
		} else {
			p.w.schemas.ServeHTTP(answer, req)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// openOutput returns an output as JSON, by a decoder of its own: of a record in Avro by the schema that the registry has under the record's
// id, of one of Kafka Connect its payload. Columns that are null are left out.
func (w *world) openOutput(value []byte) ([]byte, error) {
	if value == nil || value[0] == '{' && w.cfg.Outputs.Encoding == "json" {
		return value, nil
	}
	row := map[string]any{}
	if w.cfg.Outputs.Encoding == "connect-json" {
		var record struct {
			Payload map[string]any `json:"payload"`
		}
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.UseNumber()
		if err := decoder.Decode(&record); err != nil {
			return nil, err
		}
		row = record.Payload
	} else {
		answer := httptest.NewRecorder()
		w.schemas.ServeHTTP(answer, httptest.NewRequestWithContext(w.ctx, http.MethodGet, fmt.Sprint("/schemas/ids/", binary.BigEndian.Uint32(value[1:])), nil))
		var registered schemaregistry.Schema
		if err := json.Unmarshal(answer.Body.Bytes(), &registered); err != nil {
			return nil, err
		}
		schema, err := avro.Parse(registered.Text)
		if err != nil {
			return nil, err
		}
		if rest, err := schema.Decode(value[5:], &row); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("decode an output: %w, %d bytes are left", err, len(rest))
		}
	}
	for name, column := range row {
		switch v := column.(type) {
		case nil:
			delete(row, name)
		case *big.Rat: // an amount
			row[name] = json.Number(v.FloatString(2))
		}
	}
	return json.Marshal(row)
}
