package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// sheet is what a command prints around a report.
type sheet struct {
	*report.Report
	empty string // what the table says where there are no rows
	note  string // below the table
}

func (p *program) print(cmd *cobra.Command, s *sheet) error {
	asCSV, _ := cmd.Flags().GetBool("csv")
	switch {
	case asJSON(cmd):
		return p.json(s.Report)
	case asCSV:
		return p.sheetCSV(s)
	case len(s.Rows) == 0 && s.AsOf == 0:
		return p.printf("%s The ledger's time is not known yet.\n", s.empty)
	case len(s.Rows) == 0:
		return p.printf("%s The ledger's time is %s.\n", s.empty, timestamp.Append(nil, s.AsOf))
	}
	header := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		header[i] = strings.ToUpper(strings.ReplaceAll(c.Name, "_", " "))
	}
	if err := p.table(header, s.texts("-")); err != nil {
		return err
	}
	text := fmt.Sprintf("As of %s, amounts in %s.", timestamp.Append(nil, s.AsOf), s.Unit.Code)
	if s.note != "" {
		text += " " + s.note
	}
	return p.printf("%s\n", text)
}

// texts returns the rows as text.
func (s *sheet) texts(unknown string) [][]string {
	rows := make([][]string, len(s.Rows))
	for r := range s.Rows {
		for i := range s.Rows[r] {
			text := unknown
			if c := &s.Rows[r][i]; c.Known() {
				text = string(c.Append(nil, s.Unit))
			}
			rows[r] = append(rows[r], text)
		}
	}
	return rows
}

func (p *program) sheetCSV(s *sheet) error {
	header := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		header[i] = c.Name
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.Write(header) // to memory
	_ = w.WriteAll(s.texts(""))
	return p.printf("%s", text.Bytes())
}
