package encoding

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// column is a column of a topic's rows.
type column struct {
	name     string
	kind     kind
	required bool // never null
}

// kind is what a column holds.
type kind uint8

const (
	text   kind = iota
	nested      // a list or an object, as the text of its JSON
	whole
	double
	amount // an exact decimal number, with the decimals of the currency
	boolean
	moment // ms
)

// neverNull are the columns that are not null in any row. No other column may ever be added to them: a registry refuses a new column that is
// required (BACKWARD), and a column that is required can never be left out of an output.
func neverNull() []string {
	return []string{"event_id", "event_type", "customer_id", "as_of", "sequence", "trigger", "currency"}
}

// maxColumns bounds the columns of a topic, so that a row is an array and costs no memory of its own.
const maxColumns = 64

// table is what the rows of a topic have in common.
type table struct {
	name    string
	base    money.Unit // of amounts
	columns []column
	index   map[string]int // of columns, by name
}

// recordName is the name of a topic's rows in schemas: churn-risk is ChurnRisk.
func recordName(t output.Topic) string {
	parts := strings.Split(t.String(), "-")
	for i, part := range parts {
		parts[i] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

const recordNamespace = "mainstay.v1"

func (t *table) indexed() *table {
	t.index = map[string]int{}
	for i, c := range t.columns {
		t.index[c.name] = i
	}
	return t
}

// SchemasOf are the names of the schemas of what an output topic has. The outputs by which customers end come last.
func SchemasOf(t output.Topic) []string {
	names := []string{[output.Topics]string{"clv", "churn-risk", "promoter-status", "alert", "milestone", "portfolio", "segment", "rejection"}[t]}
	if slices.Contains(output.AnswerTopics(), t) {
		names = append(names, "erased", "merged")
	}
	return names
}

var errColumns = errors.New("the JSON Schemas of a topic give no columns")

// columnsOf are the columns of all outputs of a topic: their fields, in the order of the JSON Schemas.
func columnsOf(t output.Topic) (columns []column, err error) {
	for _, name := range SchemasOf(t) {
		fields, err := fieldsOf(name)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			i := slices.IndexFunc(columns, func(c column) bool { return c.name == f.name })
			if i < 0 {
				columns = append(columns, f.column)
			} else if columns[i].kind != f.kind {
				return nil, fmt.Errorf("%w: %s of %s is of two kinds", errColumns, f.name, t)
			}
		}
	}
	if len(columns) > maxColumns {
		return nil, fmt.Errorf("%w: %s has %d of them", errColumns, t, len(columns))
	}
	return columns, nil
}

// field is a field of one type of output.
type field struct {
	column

	optional bool     // absent, and not null, where it has no value
	values   []string // the only ones; nil: any
}

// property is a field in a JSON Schema.
type property struct {
	Type   string     `json:"type"`
	Format string     `json:"format"`
	AnyOf  []property `json:"anyOf"` // of a field that may be null: what it is, and null
	Enum   []string   `json:"enum"`
}

// fieldsOf are the fields that a JSON Schema states, in its order.
func fieldsOf(name string) ([]field, error) {
	text, err := schemas.JSON(name)
	if err != nil {
		return nil, err
	}
	var schema struct {
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errColumns, name, err)
	}
	var fields []field
	decoder := json.NewDecoder(bytes.NewReader(schema.Properties))
	for _, err = decoder.Token(); err == nil && decoder.More(); { // the first token opens the object
		var key json.Token
		var p property
		if key, err = decoder.Token(); err == nil {
			err = decoder.Decode(&p)
		}
		f, _ := key.(string)
		fields = append(fields, field{column{f, kindOf(p), slices.Contains(neverNull(), f)}, !slices.Contains(schema.Required, f), p.Enum})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errColumns, name, err)
	}
	return fields, nil
}

func kindOf(p property) kind {
	if len(p.AnyOf) > 0 {
		p = p.AnyOf[0]
	}
	switch {
	case p.Type == "array", p.Type == "object":
		return nested
	case p.Type == "integer":
		return whole
	case p.Type == "number" && p.Format == "decimal":
		return amount
	case p.Type == "number":
		return double
	case p.Type == "boolean":
		return boolean
	case p.Format == "date-time":
		return moment
	}
	return text
}
