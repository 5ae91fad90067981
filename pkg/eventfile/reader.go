package eventfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	path    string
	mapping Mapping
	fields  []field
	slot    map[string]int // index of a field by its name
	bound   []binding
	times   []*timeFormat // per field; nil if it is not a time, or no row has a value

	currencies *money.Table
	decoder    *event.Decoder
	kind       event.Kind
	result     event.Result

	sum    string // of the content
	length int64  // of the content, bytes
	onDisk int64
	ndjson bool
	comma  rune
	header []string

	file    io.Closer
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
	r := &Reader{path: path, mapping: m, kind: kind, fields: fieldsOf(kind), slot: map[string]int{}, feed: bytes.NewReader(nil)}
	for i, f := range r.fields {
		r.slot[f.Name] = i
	}
	r.bound = r.mapping.bind(r.fields)
	if err := r.newDecoder(); err != nil {
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
	if r.ndjson, err = isNDJSON(r.path, head); err != nil {
		return err
	}
	if !r.ndjson {
		r.comma = r.mapping.Delimiter
		if r.comma == 0 {
			r.comma = sniff(head)
		}
	}
	if err := r.rewind(); err != nil {
		return err
	}
	if !r.ndjson && len(r.header) > 0 {
		if err := resolve(r.bound, r.fields, r.header); err != nil {
			return err
		}
	}
	if err := r.findTimes(); err != nil {
		return err
	}
	return r.rewind()
}

// measure reads the whole content for its checksum and length, and returns its beginning.
func (r *Reader) measure() (head []byte, err error) {
	content, err := r.content()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(content, 1<<16)
	head, err = buffered.Peek(1 << 16)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	}
	head = bytes.Clone(head)
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("event file: %s is UTF-16: save it as CSV in UTF-8", r.path)
	}
	sum := sha256.New()
	if r.length, err = io.Copy(sum, buffered); err != nil {
		return nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	}
	r.sum = hex.EncodeToString(sum.Sum(nil))
	return head, nil
}

// content opens the file at its beginning, decompressed.
func (r *Reader) content() (io.Reader, error) {
	if err := r.Close(); err != nil {
		return nil, err
	}
	file, err := os.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("event file: %w", err)
	}
	r.file = file
	if stat, err := file.Stat(); err == nil {
		r.onDisk = stat.Size()
	}
	r.raw = &counting{in: file}
	buffered := bufio.NewReaderSize(r.raw, 1<<16)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) { // reading reports the error
		return buffered, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("event file: unpack %s: %w", r.path, err)
	}
	return unpacked, nil
}

// rewind positions the reader before the first row, after the header.
func (r *Reader) rewind() error {
	if err := r.restart(); err != nil || r.ndjson || r.length == 0 {
		return err
	}
	raw, line, err := r.records.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("event file: %s, line %d: %w", r.path, line, err)
	}
	if !utf8.Valid(raw) {
		return fmt.Errorf("event file: %s, line %d: not UTF-8: save it as CSV in UTF-8", r.path, line)
	}
	names, err := r.split(raw)
	if err != nil {
		return fmt.Errorf("event file: %s, line %d: %w", r.path, line, err)
	}
	for i := range names {
		if names[i] = strings.TrimSpace(names[i]); r.mapping.NoHeader {
			names[i] = strconv.Itoa(i + 1)
		}
	}
	r.header = names
	if r.mapping.NoHeader {
		return r.restart()
	}
	return nil
}

// restart positions the reader before the first line.
func (r *Reader) restart() error {
	content, err := r.content()
	if err != nil {
		return err
	}
	content = io.LimitReader(content, r.length) // the checksum does not cover what is appended meanwhile
	mark := []byte("\ufeff")                    // byte order mark
	buffered := bufio.NewReaderSize(content, 1<<16)
	offset := int64(0)
	if first, err := buffered.Peek(len(mark)); err == nil && bytes.Equal(first, mark) {
		_, _ = buffered.Discard(len(mark)) // has just been peeked at
		offset = int64(len(mark))
	}
	comma := byte(0)
	if !r.ndjson {
		comma = byte(r.comma) //nolint:gosec // one of four ASCII characters
		r.csv = csv.NewReader(r.feed)
		r.csv.Comma, r.csv.FieldsPerRecord = r.comma, -1
		r.csv.TrimLeadingSpace = r.comma != '\t'
	}
	r.records = newRecords(buffered, comma)
	r.records.offset = offset
	return nil
}

// findTimes finds the format of each column of times: the one that the mapping states, or the one that fits the first rows.
func (r *Reader) findTimes() error {
	r.times = make([]*timeFormat, len(r.fields))
	stated, err := parseFormat(r.mapping.TimeFormat, r.mapping.Timezone)
	if err != nil {
		return err
	}
	open := map[int]*detection{}
	for i, f := range r.fields {
		switch {
		case f.form != moment || !r.ndjson && r.bound[i].index < 0 && r.bound[i].constant == "":
		case stated != nil:
			r.times[i] = stated
		default:
			open[i] = &detection{column: r.columnOf(i), candidates: families(r.mapping.Timezone)}
		}
	}
	const rows = 10_000
	undecided := len(open)
	decided := make([]bool, len(r.fields))
	for n := 0; n < rows && undecided > 0; n++ {
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
			v, ok := from.valueOf(&r.bound[i])
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
		return r.header[b.index]
	case b.column != "":
		return b.column
	}
	return r.fields[i].Name
}

// Next returns the next row. A *RowError concerns one row only, and the next call continues after it; io.EOF is the end.
func (r *Reader) Next() (Row, error) {
	line, from, err := r.record()
	if err != nil {
		return Row{}, err
	}
	return r.event(line, from)
}

// record reads the next record of the file.
func (r *Reader) record() (int, record, error) {
	raw, line, err := r.records.next()
	refuse := func(reason string) (int, record, error) {
		return line, nil, &RowError{Line: line, Reason: reason}
	}
	switch {
	case errors.Is(err, errLong):
		return refuse(err.Error())
	case errors.Is(err, io.EOF):
		return line, nil, io.EOF
	case err != nil:
		return line, nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	case !utf8.Valid(raw):
		r.records.unreadLines()
		return refuse("not UTF-8")
	}
	if r.ndjson {
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

// SHA256 is the checksum of the content (of a gzipped file, of what is in it), in hexadecimal.
func (r *Reader) SHA256() string { return r.sum }

// Progress returns how many bytes have been read, and how many there are.
func (r *Reader) Progress() (done, total int64) {
	if r.onDisk == r.length {
		return r.records.offset, r.length
	}
	return min(r.raw.n, r.onDisk), r.onDisk
}

// Columns returns the column that each field is read from; for NDJSON, only the mapped fields.
func (r *Reader) Columns() map[string]string {
	found := map[string]string{}
	for i, f := range r.fields {
		if b := r.bound[i]; b.constant != "" || b.index >= 0 || b.column != "" {
			found[f.Name] = r.columnOf(i)
		}
	}
	return found
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return fmt.Errorf("event file: %w", err)
	}
	return nil
}

// counting counts the bytes that are read through it.
type counting struct {
	in io.Reader
	n  int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a Reader passes errors on as they are
}

// isNDJSON decides by the file's extension, or if that is not a known one, by the first byte.
func isNDJSON(path string, head []byte) (bool, error) {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))) {
	case ".csv", ".tsv":
		return false, nil
	case ".ndjson", ".jsonl", ".json":
		if bytes.HasPrefix(head, []byte("[")) {
			return false, fmt.Errorf("event file: %s is a JSON array: one object a line is needed (jq -c '.[]')", path)
		}
		return true, nil
	}
	return bytes.HasPrefix(head, []byte("{")), nil
}

// sniff finds the delimiter: the one that splits the most of the first records into as many fields as the first record, then the
// one that gives the most fields. Of equals it takes the one that is rarer within text and numbers.
func sniff(head []byte) rune {
	best, most, widest := ',', 0, 1
	for _, comma := range []rune{'\t', ';', '|', ','} {
		cut := newRecords(bytes.NewReader(head), byte(comma)) //nolint:gosec // ASCII
		alike, width := 0, 0
		for range 20 {
			raw, _, err := cut.next()
			if err != nil {
				break
			}
			one := csv.NewReader(bytes.NewReader(raw))
			one.Comma, one.TrimLeadingSpace, one.LazyQuotes = comma, comma != '\t', true
			names, err := one.Read()
			if width == 0 {
				width = len(names)
			}
			if err == nil && len(names) == width {
				alike++
			}
		}
		if width > 1 && (alike > most || alike == most && width > widest) {
			best, most, widest = comma, alike, width
		}
	}
	return best
}
