package eventfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Mapping is how a file is read. Only Type has no default.
type Mapping struct {
	Type string // the name of a kind of event

	// Columns maps fields to columns, in the syntax of columns.go. In NDJSON a column is a member, a.b a member of a
	// member. Fields that are not mapped are found under their own names and aliases, where the file has them.
	Columns map[string]string

	Preset string // a name of Presets, PresetAuto, or PresetNone, the default

	TimeFormat string         // a Go layout, strftime, or one of timeform.Names; default auto
	Timezone   *time.Location // of times that do not state theirs; default UTC
	Currency   string         // of rows that state none; "": intake uses its own default

	// Currencies are the codes known besides ISO 4217; default IRT.
	Currencies map[string]money.Alias

	Delimiter    rune // of CSV; 0 finds out among , ; tab and |
	DecimalComma bool // amounts are written 49,90
	Lines        Lines
	Statuses     map[string]string // what words in the column of the status mean; the words are written like codes: on_hold
	WholeIDs     bool              // ids are whole numbers, which some program has written with a fraction: 17850.0 is 17850
	CreditNotes  string            // orders whose ids begin so are credit notes that name no order: they are skipped
	NoHeader     bool              // CSV without a line of names: its columns are 1, 2, 3 ...
	Sheet        string            // of a workbook; "": its only one

	// Opened is called when the header has been read, before any row; nil: it is not.
	Opened func(Reading)
}

// Reading is how a file is read.
type Reading struct {
	Preset  string            // "": none
	Columns map[string]string // as Reader.Columns
}

// ParseMap reads `customer_id=sampleid,occurred_at=date,total="Total, incl. VAT"` into fields and columns. A column in quotes may
// contain commas; a quote within is doubled.
func ParseMap(text string) (map[string]string, error) {
	columns := map[string]string{}
	for text != "" {
		pair := text[:pairEnd(text)]
		text = strings.TrimPrefix(text[len(pair):], ",")
		if strings.TrimSpace(pair) == "" {
			continue
		}
		field, column, ok := strings.Cut(pair, "=")
		field, column = strings.TrimSpace(field), strings.TrimSpace(column)
		if len(column) > 1 && column[0] == '"' && column[len(column)-1] == '"' {
			column = strings.ReplaceAll(column[1:len(column)-1], `""`, `"`)
		}
		if !ok || field == "" || column == "" {
			return nil, fmt.Errorf("map: %q is not field=column", pair)
		}
		if !slices.Contains(allFields(), field) {
			return nil, fmt.Errorf("map: unknown field %q; known are %s", field, strings.Join(allFields(), ", "))
		}
		if _, twice := columns[field]; twice {
			return nil, fmt.Errorf("map: field %q is mapped twice", field)
		}
		columns[field] = column
	}
	return columns, nil
}

// ParseStatuses reads `unpaid=pending,in transit=shipped`: what words of a status mean.
func ParseStatuses(text string) (map[string]string, error) {
	statuses := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		word, code, ok := strings.Cut(pair, "=")
		word, code = statusWord(word), statusWord(code)
		switch {
		case strings.TrimSpace(pair) == "":
		case !ok || word == "" || !isStatus(code):
			return nil, fmt.Errorf("statuses: %q is not word=status, with a status such as paid, cancelled or draft", pair)
		default:
			statuses[word] = code
		}
	}
	return statuses, nil
}

// isStatus reports whether a code is a status of a purchase.
func isStatus(code string) bool {
	return slices.ContainsFunc(event.Purchase.Descriptor().Fields, func(f *event.Field) bool { return f.Name == "status" && slices.Contains(f.Codes, code) })
}

// statusWord is a word of a status as codes are written.
func statusWord(text string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(text)))
}

// pairEnd returns the length of the first pair of a map: up to a comma that no quotes enclose.
func pairEnd(text string) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && strings.HasPrefix(text[i:], `""`):
			i++
		case text[i] == '"' && (quoted || strings.HasSuffix(strings.TrimRight(text[:i], " "), "=")):
			quoted = !quoted
		case text[i] == ',' && !quoted:
			return i
		}
	}
	return len(text)
}

// form is how the value of a field is read and written.
type form uint8

const (
	plain  form = iota // a string, ids included
	moment             // a time, written as RFC 3339 in UTC
	amount             // a number, written unchanged
	score              // a whole number
	flag               // true or false
	nested             // JSON of its own, only from NDJSON
	kind               // the type of the event, which must be that of the mapping
)

// field is a field of an event as files have it.
type field struct {
	*event.Field
	form     form
	required bool // of every row
	aliases  []string
}

// fieldsOf are the fields of a kind of event in a file, in the order in which they are written.
func fieldsOf(k event.Kind) []field {
	var all []field
	for _, declared := range k.Descriptor().Fields {
		f := field{Field: declared, form: formOf(declared.Format), required: declared.Always() && !declared.Identity, aliases: declared.Aliases}
		switch declared.Name {
		case "type":
			f.aliases = nil // a column named event does not state the kind
		case "event_id":
			f.aliases = append(slices.Clone(f.aliases), "ce_id")
		case "occurred_at":
			f.required = true // there is no record timestamp to use instead
		}
		all = append(all, f)
	}
	if k == event.Purchase {
		all = append(all, field{Field: &event.Field{Name: refunded, Format: event.Amount}, form: amount})
	}
	return all
}

// refunded is a field of files alone: the sum of what was paid back of an order, which exports have instead of the list. It becomes
// the one refund of its order, which is the snapshot that a vendor's record with such a sum becomes too. So a row stays one event,
// and counts exactly once like any other. To send a second event for it was rejected: notes of imports are of lines.
const refunded = "refunded"

func formOf(f event.Format) form {
	switch f {
	case event.Time:
		return moment
	case event.Amount, event.PositiveAmount:
		return amount
	case event.Score:
		return score
	case event.Flag:
		return flag
	case event.Objects, event.Object:
		return nested
	case event.EventType:
		return kind
	default:
		return plain
	}
}

func allFields() []string {
	var names []string
	for k := range event.Kinds {
		names = append(names, fieldNames(fieldsOf(k))...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// check fills in the defaults and refuses an invalid mapping, before the file is opened.
func (m *Mapping) check() error {
	if m.Type == "" {
		return fmt.Errorf("event file: the kind of the events is not stated: give --type %s", strings.Join(event.KindNames(), ", "))
	}
	k, err := event.ParseKind(m.Type)
	if err != nil {
		return fmt.Errorf("event file: --type: %w", err)
	}
	fields := fieldsOf(k)
	for name, column := range m.Columns {
		if !slices.Contains(fieldNames(fields), name) {
			return fmt.Errorf("event file: a %s has no field %q; it has %s", m.Type, name, strings.Join(fieldNames(fields), ", "))
		}
		if column == "" || column == "=" {
			return fmt.Errorf("event file: field %q is mapped to nothing", name)
		}
	}
	if m.Timezone == nil {
		m.Timezone = time.UTC
	}
	if m.Currencies == nil {
		m.Currencies = event.DefaultOptions().Currencies
	}
	switch m.Lines {
	case LinesUnknown, LinesSum, LinesFirst, LinesRefuse:
	default:
		return fmt.Errorf("event file: --lines must be %s, %s or %s; it is %q", LinesSum, LinesFirst, LinesRefuse, m.Lines)
	}
	switch m.Delimiter {
	case 0, ',', ';', '\t', '|':
		return nil
	default:
		return errors.New("event file: the delimiter must be a comma, a semicolon, a tab or |")
	}
}

// shortened returns a value cut to a length that fits an error.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
