package eventfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// syntax is how a file is divided into rows.
type syntax uint8

const (
	csvSyntax    syntax = iota
	ndjsonSyntax        // one JSON object a line
	arraySyntax         // one JSON array of objects
)

const delimiters = ",;\t|"

// titleLines is how many lines may precede the header of a CSV file.
const titleLines = 10

// syntaxOf decides by the file's extension, or if that is not a known one, by the first byte.
func syntaxOf(path string, head []byte) syntax {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	name := strings.ToLower(path)
	for _, packed := range []string{".gz", ".zst", ".zip"} {
		name = strings.TrimSuffix(name, packed)
	}
	extension := filepath.Ext(name)
	switch {
	case extension == ".csv", extension == ".tsv":
		return csvSyntax
	case bytes.HasPrefix(head, []byte("[")):
		return arraySyntax
	case extension == ".ndjson", extension == ".jsonl", extension == ".json", bytes.HasPrefix(head, []byte("{")):
		return ndjsonSyntax
	}
	return csvSyntax
}

const byteOrderMark = "\ufeff" // of UTF-8

// findHeader finds the header of a CSV file and its delimiter: the first line that has a column for every field that a row needs.
// Lines before it are titles, or Excel's hint of the delimiter (sep=;). The error is that of the first line, or of the first one whose columns
// can be guessed.
func (r *Reader) findHeader(head []byte) error {
	head = bytes.TrimPrefix(head, []byte(byteOrderMark))
	if r.crOnly {
		head = bytes.ReplaceAll(head, []byte{'\r'}, []byte{'\n'})
	}
	hint := delimiterHint(head)
	var first error
	for r.skipLines = 0; r.skipLines < titleLines && len(head) > 0; r.skipLines++ {
		if r.skipLines > 0 || hint == 0 {
			switch {
			case r.table != nil:
				r.comma = ','
			case r.mapping.Delimiter != 0:
				r.comma = r.mapping.Delimiter
			case hint != 0:
				r.comma = hint
			default:
				r.comma = sniff(head)
			}
			err := r.rewind()
			if err == nil && (len(r.header) > 0 || r.mapping.NoHeader) {
				err = r.bindHeader()
			}
			if err == nil || r.mapping.NoHeader {
				return err
			}
			if first == nil || guesses(err) && !guesses(first) {
				first = err
			}
		}
		_, head, _ = bytes.Cut(head, []byte{'\n'})
	}
	return first
}

// bindHeader finds the columns of a header: those that are mapped and those of the fields' own names, or else those of the preset whose header it
// is.
func (r *Reader) bindHeader() error {
	if err := r.applyPreset(r.given.Preset); err != nil {
		return err
	}
	err := r.mapping.resolve(r.bound, r.fields, r.header)
	if missing := (*MissingColumnsError)(nil); r.given.Preset != PresetAuto || r.mapping.NoHeader || !errors.As(err, &missing) {
		return err
	}
	recognised := presetOf(r.kind, r.header)
	if recognised == "" {
		return err
	}
	if err := r.applyPreset(recognised); err != nil {
		return err
	}
	return r.mapping.resolve(r.bound, r.fields, r.header)
}

// delimiterHint returns the delimiter that the first line states in Excel's way; 0: none.
func delimiterHint(head []byte) rune {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	stated, ok := strings.CutPrefix(strings.ToLower(strings.Trim(string(line), "\"\r ")), "sep=")
	if !ok || len(stated) != 1 || !strings.Contains(delimiters, stated) {
		return 0
	}
	return rune(stated[0])
}

// rewind positions the reader before the first row, after the header.
func (r *Reader) rewind() error {
	if err := r.restart(); err != nil || r.syntax != csvSyntax || r.length == 0 {
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

// restart positions the reader before the first line that is not a title.
func (r *Reader) restart() error {
	content, err := r.content()
	if err != nil {
		return err
	}
	content = io.LimitReader(content, r.length) // the checksum does not cover what is appended meanwhile
	if r.crOnly {
		content = lineFeeds{content}
	}
	comma := byte(0)
	if r.syntax == csvSyntax {
		comma = byte(r.comma) //nolint:gosec // one of four ASCII characters
		r.csv = csv.NewReader(r.feed)
		r.csv.Comma, r.csv.FieldsPerRecord = r.comma, -1
		r.csv.TrimLeadingSpace = r.comma != '\t'
	}
	r.records = newRecords(content, comma)
	r.records.array = r.syntax == arraySyntax
	return r.records.skip(r.skipLines)
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
