package eventfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timeform"
)

// Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	path    string
	given   Mapping // as the caller stated it
	mapping Mapping // with the preset
	preset  string  // its name; "": none
	fields  []field
	slot    map[string]int // index of a field by its name
	bound   []binding
	times   []*timeform.Form // per field; nil if it is not a time, or no row has a value

	currencies *money.Table
	decoder    *event.Decoder
	kind       event.Kind
	result     event.Result
	word       string // the currency that an amount of the row names by a word

	sum       string // of the content
	length    int64  // of the content, bytes
	onDisk    int64
	syntax    syntax
	crOnly    bool // its lines end with carriage returns alone
	skipLines int  // titles, and Excel's hint of the delimiter, before the header
	comma     rune
	header    []string

	orders    map[string]*order // of rows that may repeat one; nil: none may
	firstLine map[string]int    // of each currency

	files   []io.Closer
	table   *os.File  // of a workbook or a Parquet file, as CSV; nil: the file is none
	raw     *counting // bytes of the file itself
	records *records
	feed    *bytes.Reader
	csv     *csv.Reader
}

// Open reads the file once for its checksum, detects its format, and positions the reader before the first row. Its errors name
// the field, the column and the flag to give; *AmbiguousTimeError and *UnknownTimeError are among them.
func Open(path string, m Mapping) (*Reader, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	kind, err := event.ParseKind(m.Type)
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, given: m, mapping: m, kind: kind, fields: fieldsOf(kind), slot: map[string]int{}, firstLine: map[string]int{}, feed: bytes.NewReader(nil)}
	for i, f := range r.fields {
		r.slot[f.Name] = i
	}
	if err := r.applyPreset(m.Preset); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// newDecoder makes the decoder that checks the rows.
func (r *Reader) newDecoder() (err error) {
	m := &r.mapping
	if r.currencies, err = money.NewTable(m.Currencies); err != nil {
		return fmt.Errorf("event file: %w", err)
	}
	options := event.DefaultOptions()
	options.Currencies = m.Currencies
	options.Currency = "EUR" // for a row that states none: intake has its own default, and any currency serves to check the row
	if m.Currency != "" {
		unit, ok := r.currencies.Lookup([]byte(m.Currency))
		if !ok {
			return fmt.Errorf("event file: unknown currency %q: an ISO 4217 code is needed, such as --currency EUR", m.Currency)
		}
		m.Currency, options.Currency = unit.Code, unit.Code
	}
	if r.decoder, err = event.NewDecoder(options); err != nil {
		return fmt.Errorf("event file: %w", err)
	}
	return nil
}

func (r *Reader) prepare() error {
	head, err := r.measure()
	if err != nil {
		return err
	}
	if r.table == nil {
		r.syntax = syntaxOf(r.path, head)
	}
	r.crOnly = r.syntax == csvSyntax && bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0
	if r.syntax == csvSyntax {
		if err := r.findHeader(head); err != nil {
			return err
		}
	} else if err := r.rewind(); err != nil {
		return err
	}
	if r.given.Opened != nil {
		r.given.Opened(Reading{Preset: r.preset, Columns: r.Columns()})
	}
	if err := r.findTimes(); err != nil {
		return err
	}
	if err := r.rewind(); err != nil {
		return err
	}
	if err := r.survey(); err != nil {
		return err
	}
	return r.rewind()
}

// findTimes finds the format of each column of times: the one that the mapping states, or the one that fits the first rows.
func (r *Reader) findTimes() error {
	r.times = make([]*timeform.Form, len(r.fields))
	stated, err := timeform.Named(r.mapping.TimeFormat, r.mapping.Timezone)
	if err != nil {
		return fmt.Errorf("event file: --time-format %w", err)
	}
	open := map[int]*detection{}
	for i, f := range r.fields {
		switch {
		case f.form != moment || r.syntax == csvSyntax && r.bound[i].index < 0 && r.bound[i].constant == "":
		case stated != nil:
			r.times[i] = stated
		default:
			open[i] = &detection{column: r.columnOf(i), candidates: timeform.Families(r.mapping.Timezone)}
		}
	}
	undecided := len(open)
	decided := make([]bool, len(r.fields))
	for undecided > 0 {
		line, from, err := r.record()
		if errors.Is(err, io.EOF) {
			break
		}
		if from == nil {
			if refused := (*RowError)(nil); errors.As(err, &refused) {
				continue
			}
			return err
		}
		for i := range r.fields {
			if open[i] == nil || decided[i] {
				continue
			}
			v, ok := r.valueOf(i, from)
			if !ok || v.json != nil {
				continue
			}
			if decided[i], err = open[i].narrow(v.text, line); err != nil {
				return err
			}
			if decided[i] {
				undecided--
			}
		}
	}
	for i := range r.fields {
		if open[i] != nil {
			if r.times[i], err = open[i].format(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Reader) columnOf(i int) string {
	switch b := r.bound[i]; {
	case b.constant != "":
		return "=" + b.constant
	case b.index >= 0 && b.index < len(r.header):
		factors := []string{r.header[b.index]}
		for _, factor := range b.factors {
			factors = append(factors, r.header[factor])
		}
		name := strings.Join(factors, "*")
		if b.instead != "" {
			name += "|=" + b.instead
		}
		return name
	case b.column != "":
		return b.column
	}
	return r.fields[i].Name
}

// Next returns the next row. A *RowError concerns one row only, and the next call continues after it; io.EOF is the end.
func (r *Reader) Next() (Row, error) {
	for {
		line, from, err := r.record()
		if err != nil {
			return Row{}, err
		}
		if r.isCreditNote(from) {
			return Row{Skip: SkipCreditNote, Line: line, Lines: 1, Offset: r.records.offset}, nil
		}
		if partOf, err := r.repeats(line, from); partOf || err != nil {
			if err != nil {
				return Row{}, err
			}
			continue
		}
		return r.event(line, from)
	}
}

// record reads the next record of the file.
func (r *Reader) record() (int, record, error) {
	raw, line, err := r.records.next()
	refuse := func(reason string) (int, record, error) {
		return line, nil, &RowError{Line: line, Reason: reason}
	}
	switch {
	case errors.Is(err, errLong), errors.Is(err, errUnclosed):
		return refuse(err.Error())
	case errors.Is(err, io.EOF):
		return line, nil, io.EOF
	case err != nil:
		return line, nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	case !utf8.Valid(raw):
		r.records.unreadLines()
		return refuse("not UTF-8")
	}
	if r.syntax != csvSyntax {
		m, err := parseMembers(raw)
		if err != nil {
			return refuse(err.Error())
		}
		return line, m, nil
	}
	names, err := r.split(raw)
	if err != nil {
		r.records.unreadLines()
		return refuse(err.Error())
	}
	for len(names) > len(r.header) && strings.TrimSpace(names[len(names)-1]) == "" { // delimiters that end the line
		names = names[:len(names)-1]
	}
	if len(names) != len(r.header) {
		r.records.unreadLines()
		return refuse(fmt.Sprintf("%d columns instead of %d", len(names), len(r.header)))
	}
	return line, cells(names), nil
}

// split parses one record as CSV.
func (r *Reader) split(raw []byte) ([]string, error) {
	r.feed.Reset(raw)
	names, err := r.csv.Read()
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		return nil, fmt.Errorf("not CSV: %w", parse.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("not CSV: %w", err)
	}
	return names, nil
}

// Mapping returns how the file is read, with the preset.
func (r *Reader) Mapping() Mapping { return r.mapping }

// SHA256 is the checksum of the content (of a gzipped file, of what is in it), in hexadecimal.
func (r *Reader) SHA256() string { return r.sum }

// Progress returns how many bytes have been read, and how many there are.
func (r *Reader) Progress() (done, total int64) {
	if r.onDisk == r.length || r.table != nil {
		return r.records.offset, r.length
	}
	return min(r.raw.n, r.onDisk), r.onDisk
}

// Columns returns the column that each field is read from; for NDJSON, only the mapped fields.
func (r *Reader) Columns() map[string]string {
	found := map[string]string{}
	for i, f := range r.fields {
		if b := r.bound[i]; b.constant != "" || b.index >= 0 || b.column != "" && r.syntax != csvSyntax {
			found[f.Name] = r.columnOf(i)
		}
	}
	return found
}
