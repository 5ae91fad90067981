// Package report owns the reports: which columns and rows retention, revenue, cohorts and segments have, which months they cover, and
// their JSON. The commands, the API and the pages show what it returns, so that all of them state the same figures under the same names.
//
// It refuses to read state, which is lookup's, to define a measure, and to lay out anything for people.
package report

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Report is a table of values.
type Report struct {
	AsOf    int64      // the ledger's time, ms; 0: not known yet
	Unit    money.Unit // of all amounts; the zero Unit: there are none
	Columns []Column
	Rows    [][]Cell // in the order of the columns; at most as many
}

// Column is a column of a report.
type Column struct {
	Name   string
	Kind   measure.Kind // of all its values
	Better measure.Better
}

// Cell is a text or a value.
type Cell struct {
	Text  string
	Value measure.Value
}

// Known returns false for a value that is not known.
func (c *Cell) Known() bool { return c.Text != "" || c.Value.Known() }

// Append appends the text, or the value as measure.Value does.
func (c *Cell) Append(dst []byte, unit money.Unit) []byte {
	if c.Text != "" {
		return append(dst, c.Text...)
	}
	return c.Value.Append(dst, unit)
}

// Only returns the report with the columns of some names, in the order of the report.
func (r *Report) Only(names ...string) *Report {
	some := &Report{AsOf: r.AsOf, Unit: r.Unit, Rows: make([][]Cell, len(r.Rows))}
	for i, c := range r.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		some.Columns = append(some.Columns, c)
		for k := range r.Rows {
			some.Rows[k] = append(some.Rows[k], r.Rows[k][i])
		}
	}
	return some
}

// MarshalJSON writes the rows as objects, with the names of the columns.
func (r *Report) MarshalJSON() ([]byte, error) {
	rows := make([]json.RawMessage, len(r.Rows))
	for i, cells := range r.Rows {
		row := []byte{'{'}
		for k := range cells {
			if k > 0 {
				row = append(row, ',')
			}
			row = append(append(append(row, '"'), r.Columns[k].Name...), `":`...)
			if cells[k].Text == "" {
				row = cells[k].Append(row, r.Unit)
				continue
			}
			text, err := json.Marshal(cells[k].Text)
			if err != nil {
				return nil, fmt.Errorf("encode a report: %w", err)
			}
			row = append(row, text...)
		}
		rows[i] = append(row, '}')
	}
	var whole struct {
		AsOf     *string           `json:"as_of"`
		Currency *string           `json:"currency"`
		Rows     []json.RawMessage `json:"rows"`
	}
	whole.Rows = rows
	if r.AsOf != 0 {
		whole.AsOf = new(string(timestamp.Append(nil, r.AsOf)))
	}
	if r.Unit.Code != "" {
		whole.Currency = new(r.Unit.Code)
	}
	return json.Marshal(whole)
}

// Written returns the report with its texts as write has them, by the name of the column: for people, since programs know them as they are.
func (r *Report) Written(write func(column, text string) string) *Report {
	written := *r
	written.Rows = make([][]Cell, len(r.Rows))
	for i, cells := range r.Rows {
		written.Rows[i] = slices.Clone(cells)
		for k := range cells {
			if cells[k].Text != "" {
				written.Rows[i][k].Text = write(r.Columns[k].Name, cells[k].Text)
			}
		}
	}
	return &written
}

// columns returns columns of texts, and one for each measure.
func columns[T any](measures []measure.Measure[T], texts ...string) (all []Column) {
	for _, name := range texts {
		all = append(all, Column{Name: name})
	}
	for _, m := range measures {
		all = append(all, Column{m.Name, m.Of(new(T)).Kind(), m.Better})
	}
	return all
}

// row returns texts, and the value of each measure.
func row[T any](measures []measure.Measure[T], of *T, texts ...string) (cells []Cell) {
	for _, text := range texts {
		cells = append(cells, Cell{Text: text})
	}
	for _, m := range measures {
		cells = append(cells, Cell{Value: m.Of(of)})
	}
	return cells
}
