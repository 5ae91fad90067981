package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// sheet is a report that is printed as a table, CSV or JSON.
type sheet struct {
	asOf   int64 // ms
	unit   money.Unit
	empty  string // what the table says where there are no rows
	header []string
	rows   [][]cell
	note   string // below the table
}

// cell is a text, or a value.
type cell struct {
	text  string
	value measure.Value
}

func (c *cell) append(dst []byte, unit money.Unit) []byte {
	if c.text != "" {
		return append(dst, c.text...)
	}
	return c.value.Append(dst, unit)
}

func (p *program) print(cmd *cobra.Command, s *sheet) error {
	asCSV, _ := cmd.Flags().GetBool("csv")
	switch {
	case asJSON(cmd):
		return p.sheetJSON(s)
	case asCSV:
		return p.sheetCSV(s)
	case len(s.rows) == 0:
		return p.printf("%s The ledger's time is %s.\n", s.empty, timestamp.Append(nil, s.asOf))
	}
	header := make([]string, len(s.header))
	for i, name := range s.header {
		header[i] = strings.ToUpper(strings.ReplaceAll(name, "_", " "))
	}
	if err := p.table(header, s.texts("-")); err != nil {
		return err
	}
	text := fmt.Sprintf("As of %s, amounts in %s.", timestamp.Append(nil, s.asOf), s.unit.Code)
	if s.note != "" {
		text += " " + s.note
	}
	return p.printf("%s\n", text)
}

// texts returns the rows as text.
func (s *sheet) texts(unknown string) [][]string {
	rows := make([][]string, len(s.rows))
	for r := range s.rows {
		for i := range s.rows[r] {
			c := &s.rows[r][i]
			text := unknown
			if c.text != "" || c.value.Known() {
				text = string(c.append(nil, s.unit))
			}
			rows[r] = append(rows[r], text)
		}
	}
	return rows
}

func (p *program) sheetCSV(s *sheet) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.Write(s.header) // to memory
	_ = w.WriteAll(s.texts(""))
	return p.printf("%s", text.Bytes())
}

func (p *program) sheetJSON(s *sheet) error {
	rows := make([]json.RawMessage, len(s.rows))
	for r := range s.rows {
		row := []byte{'{'}
		for i := range s.rows[r] {
			if i > 0 {
				row = append(row, ',')
			}
			row = append(append(append(row, '"'), s.header[i]...), `":`...)
			c := &s.rows[r][i]
			if c.text != "" {
				row = append(append(append(row, '"'), c.text...), '"') // a month or a segment: neither needs to be escaped
				continue
			}
			row = c.value.Append(row, s.unit)
		}
		rows[r] = append(row, '}')
	}
	return p.json(struct {
		AsOf     string            `json:"as_of"`
		Currency string            `json:"currency"`
		Rows     []json.RawMessage `json:"rows"`
	}{string(timestamp.Append(nil, s.asOf)), s.unit.Code, rows})
}
