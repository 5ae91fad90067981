package export

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/money"
)

// ndjsonWriter writes one JSON object a line, as the API answers customers in lists.
type ndjsonWriter struct {
	to      io.Writer
	columns []lookup.Column
	line    []byte
}

func createNDJSON(to io.Writer, columns []lookup.Column, _ money.Unit) (rowWriter, error) {
	return &ndjsonWriter{to: to, columns: columns}, nil
}

func (w *ndjsonWriter) write(row []string) error {
	w.line = append(lookup.AppendJSONTexts(w.line[:0], w.columns, row), '\n')
	_, err := w.to.Write(w.line)
	return err //nolint:wrapcheck // Write wraps it
}

func (w *ndjsonWriter) close() error { return nil }

type ndjsonRows struct {
	from    *json.Decoder
	columns []lookup.Column
	row     []string
}

func openNDJSON(file *os.File, columns []lookup.Column, _ money.Unit) (Rows, error) {
	r := &ndjsonRows{json.NewDecoder(file), columns, make([]string, len(columns))}
	r.from.UseNumber()
	return r, nil
}

// Next implements Rows.
func (r *ndjsonRows) Next() ([]string, error) {
	var object map[string]any
	if err := r.from.Decode(&object); err != nil {
		return nil, err //nolint:wrapcheck // io.EOF, or an error that names the place
	}
	if len(object) != len(r.columns) {
		return nil, fmt.Errorf("a row has %d fields, and the manifest names %d columns", len(object), len(r.columns))
	}
	for i := range r.columns {
		value, found := object[r.columns[i].Name]
		if !found {
			return nil, fmt.Errorf("a row has no field %s", r.columns[i].Name)
		}
		r.row[i] = cellOf(value)
	}
	return r.row, nil
}

func cellOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = fmt.Sprint(v[i])
		}
		return strings.Join(words, " ")
	default:
		return fmt.Sprint(v)
	}
}
