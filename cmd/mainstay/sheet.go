package main

import (
	"bytes"
	"encoding/csv"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// sheet is what a command prints around a report.
type sheet struct {
	*report.Report
	empty phrase // what the table says where there are no rows
	note  phrase // below the table
}

// phrase is what a table says in the reader's language.
type phrase func(*locale.Locale) string

func says(format string, args ...any) phrase {
	return func(in *locale.Locale) string { return in.F(format, args...) }
}

func (p *program) print(cmd *cobra.Command, s *sheet) error {
	asCSV, _ := cmd.Flags().GetBool("csv")
	switch {
	case asJSON(cmd):
		return p.json(s.Report)
	case asCSV:
		return p.sheetCSV(s)
	}
	in, err := p.locale(cmd)
	if err != nil {
		return err
	}
	asOf := string(timestamp.Append(nil, s.AsOf))
	if in.Tag != locale.English().Tag {
		asOf = in.Moment(time.UnixMilli(s.AsOf).UTC())
	}
	switch {
	case len(s.Rows) == 0 && s.AsOf == 0:
		return p.printf("%s %s\n", s.empty(in), in.T("The ledger's time is not known yet."))
	case len(s.Rows) == 0:
		return p.printf("%s %s\n", s.empty(in), in.F("The ledger's time is %s.", asOf))
	}
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	shown := sheet{Report: s.Written(in.Cell)}
	if err := p.tableIn(in, heads(in, names), shown.texts("-", func(number string) string { return decimal(in, number) })); err != nil {
		return err
	}
	below := in.F("As of %s, amounts in %s.", asOf, in.C(s.Unit.Code))
	if s.note != nil {
		below += " " + s.note(in)
	}
	return p.printf("%s\n", below)
}

// texts returns the rows as text, their values as write has them.
func (s *sheet) texts(unknown string, write func(value string) string) [][]string {
	rows := make([][]string, len(s.Rows))
	for r := range s.Rows {
		for i := range s.Rows[r] {
			text := unknown
			if c := &s.Rows[r][i]; c.Known() {
				text = c.Text
				if text == "" {
					text = write(string(c.Append(nil, s.Unit)))
				}
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
	_ = w.WriteAll(s.texts("", func(value string) string { return value }))
	return p.printf("%s", text.Bytes())
}
