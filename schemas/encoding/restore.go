package encoding

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/mainstay/mainstay/schemas"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Of returns how the value of an output's record is encoded, as far as its first bytes tell: a record that names a registered schema is
// in Avro.
func Of(value []byte) Encoding {
	switch {
	case len(value) > 0 && value[0] == 0:
		return Avro
	case bytes.HasPrefix(value, []byte(connectStart)):
		return ConnectJSON
	}
	return JSON
}

// ReadConnect returns the JSON of an output in Kafka Connect's JSON.
func ReadConnect(value []byte) ([]byte, error) {
	var record struct {
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(value, &record); err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	return Restore(record.Payload)
}

// Restore returns the JSON of an output, given its row as an object. It has the fields and the order of the JSON Schema, and the numbers as
// the row states them: those that are no amounts have lost the zeros at their end. An output of a later release keeps the columns that this one does not know.
func Restore(flat []byte) ([]byte, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(flat, &values); err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	types, err := fieldsByType()
	if err != nil {
		return nil, err
	}
	eventType, _ := textOf(values["event_type"])
	dst := []byte{'{'}
	member := func(name string, value []byte) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(append(dst, '"'), name...), `":`...), value...)
	}
	for _, f := range types[eventType] {
		value := values[f.name]
		delete(values, f.name)
		if !isNull(value) {
			if value, err = f.restore(value); err != nil {
				return nil, fmt.Errorf("column %s: %w", f.name, err)
			}
			member(f.name, value)
			continue
		}
		//mutant:absent-field-is-null if true
		if !f.optional {
			member(f.name, []byte("null"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !isNull(values[name]) {
			member(name, values[name])
		}
	}
	return append(dst, '}'), nil
}

func isNull(value []byte) bool { return len(value) == 0 || value[0] == 'n' }

// restore returns the JSON of a field from that of its column.
func (f *field) restore(value []byte) ([]byte, error) {
	switch {
	case f.kind == nested && value[0] == '"':
		s, err := textOf(value)
		if err == nil && !json.Valid([]byte(s)) {
			err = errOutput
		}
		return []byte(s), err
	case f.kind == moment:
		ms, err := strconv.ParseInt(string(value), 10, 64)
		if value[0] == '"' {
			ms, err = millisecondsOf(value)
		}
		return append(timestamp.Append([]byte{'"'}, ms), '"'), err
	}
	return value, nil
}

// fieldsByType are the fields of each type of output.
var fieldsByType = sync.OnceValues(func() (map[string][]field, error) { //nolint:gochecknoglobals // a constant that is computed
	types := map[string][]field{}
	for _, name := range schemas.Outputs() {
		fields, err := fieldsOf(name)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f.name == "event_type" {
				for _, t := range f.values {
					types[t] = fields
				}
			}
		}
	}
	return types, nil
})
