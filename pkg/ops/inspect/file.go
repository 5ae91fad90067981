package inspect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/schemas/event"
)

// IsFile reports whether a sample is a file of events, as mainstay import reads it, and no payload: neither framed nor one JSON value.
func IsFile(sample []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(sample, []byte("\ufeff")))
	if len(text) == 0 || text[0] == 0 || json.Valid(text) {
		return false
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	return text[0] != '{' && text[0] != '[' || len(rest) > 0 && json.Valid(line) // NDJSON
}

// DecodeFile decodes the first row of a file as an import does, and returns what was read from which column. Columns that are missing and can be guessed
// are guessed.
func DecodeFile(d *event.Decoder, kind event.Kind, path string, m eventfile.Mapping, now int64) (s Sample, failed error) {
	m.Type, m.Preset = kind.String(), eventfile.PresetAuto
	preset := ""
	m.Opened = func(how eventfile.Reading) { preset = how.Preset }
	f, err := eventfile.Open(path, m)
	missing := (*eventfile.MissingColumnsError)(nil)
	guessed := errors.As(err, &missing) && missing.Complete()
	if guessed {
		m.Columns, m.Lines = missing.Guess, missing.Lines
		f, err = eventfile.Open(path, m)
	}
	if err != nil {
		return Sample{}, fmt.Errorf("%w (flags of mainstay import)", err)
	}
	defer func() { failed = errors.Join(failed, f.Close()) }()
	row, err := f.Next()
	for err == nil && row.Skip != "" {
		row, err = f.Next()
	}
	refused := (*eventfile.RowError)(nil)
	switch {
	case errors.Is(err, io.EOF):
		return Sample{}, errors.New("the file has no row that is an event")
	case errors.As(err, &refused):
		s = Sample{Kind: kind.String(), Verdict: "refused: " + refused.Error(), Fields: []event.FieldReading{{Field: cmp.Or(refused.Field, "record"), Refused: refused.Reason}}}
	case err != nil:
		return Sample{}, err //nolint:wrapcheck // it names the file and the row
	default:
		s = decodeSample(d, nil, kind, &event.Message{Key: row.Key, Value: row.Value, Timestamp: now}, now)
		s.Verdict = fmt.Sprintf("line %d: %s", row.Line, s.Verdict)
	}
	nameColumns(s.Fields, f.Columns())
	s.Format, s.Suggests = "file", nil
	s.Import = []string{"--type " + m.Type}
	switch {
	case preset != "":
		s.Format = preset
		s.Import = append(s.Import, "--preset "+preset)
	case guessed:
		s.Format = "file, columns guessed"
		s.Import = append(s.Import, (&eventfile.Mapping{Columns: m.Columns, Lines: m.Lines}).Flags()...)
	}
	return s, nil
}

// nameColumns replaces where a field stands in the event of a row by its column. A file that is no table has none.
func nameColumns(fields []event.FieldReading, columns map[string]string) {
	if sum := columns["refunded"]; sum != "" {
		columns["refunds"], columns["refunds.total"] = sum, sum
	}
	for i := range fields {
		switch column := columns[fields[i].Field]; {
		case column != "":
			fields[i].From = column
		case len(columns) > 0 && strings.ReplaceAll(fields[i].From, "[]", "") == fields[i].Field:
			fields[i].From = "filled in"
		}
	}
}
