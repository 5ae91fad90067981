package export

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/money"
)

// csvWriter writes RFC 4180: lines end with CR LF, and texts are quoted where they must be. encoding/csv with such line ends drops the CR
// within texts, so it only reads.
type csvWriter struct {
	to      io.Writer
	columns []lookup.Column
	line    []byte
}

func createCSV(to io.Writer, columns []lookup.Column, _ money.Unit) (rowWriter, error) {
	w := &csvWriter{to: to, columns: columns}
	return w, w.writeLine(names(columns))
}

func names(columns []lookup.Column) (all []string) {
	for _, c := range columns {
		all = append(all, c.Name)
	}
	return all
}

func (w *csvWriter) write(row []string) error {
	for i := range row {
		row[i] = neutralised(&w.columns[i], row[i])
	}
	return w.writeLine(row)
}

func (w *csvWriter) writeLine(texts []string) error {
	w.line = w.line[:0]
	for i, text := range texts {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		if !strings.ContainsAny(text, "\",\r\n") && !strings.HasPrefix(text, " ") {
			w.line = append(w.line, text...)
			continue
		}
		w.line = append(append(append(w.line, '"'), strings.ReplaceAll(text, `"`, `""`)...), '"')
	}
	w.line = append(w.line, '\r', '\n')
	_, err := w.to.Write(w.line)
	return err //nolint:wrapcheck // Write wraps it
}

func (w *csvWriter) close() error { return nil }

// neutralised puts an apostrophe before a text that a spreadsheet would take for a formula, and before one that has apostrophes there
// already, so that no two texts become the same. Numbers are left: a negative one is no formula.
func neutralised(c *lookup.Column, text string) string {
	//mutant:formula-injection if false && $
	if isText(c) && isFormula(strings.TrimLeft(text, "'")) {
		return "'" + text
	}
	return text
}

func isFormula(text string) bool {
	return text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0]))
}

func isText(c *lookup.Column) bool { return c.Kind() == lookup.Label || c.Kind() == lookup.Words }

// csvCell is what encoding/csv reads of a text: it reads CR LF as LF.
func csvCell(c *lookup.Column, text string) string {
	return strings.ReplaceAll(neutralised(c, text), "\r\n", "\n")
}

type csvRows struct{ from *csv.Reader }

func openCSV(file *os.File, columns []lookup.Column, _ money.Unit) (Rows, error) {
	r := &csvRows{csv.NewReader(file)}
	r.from.FieldsPerRecord, r.from.ReuseRecord = len(columns), true
	header, err := r.Next()
	if err == nil && !slices.Equal(header, names(columns)) {
		err = fmt.Errorf("the first line does not name the manifest's columns")
	}
	return r, err
}

// Next implements Rows.
func (r *csvRows) Next() ([]string, error) { return r.from.Read() } //nolint:wrapcheck // its errors name the line
