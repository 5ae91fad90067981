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

	// Columns maps fields to columns. A column that begins with = is a constant (kind -> "=refund"). In NDJSON a
	// column is a member, a.b a member of a member. Fields that are not mapped are found under their own names and
	// aliases, where the file has them.
	Columns map[string]string

	TimeFormat string         // a Go layout, strftime, or one of timeform.Names; default auto
	Timezone   *time.Location // of times that do not state theirs; default UTC
	Currency   string         // of rows that state none; "": intake uses its own default

	// Currencies are the codes known besides ISO 4217; default IRT.
	Currencies map[string]money.Alias

	Delimiter    rune // of CSV; 0 finds out among , ; tab and |
	DecimalComma bool // amounts are written 49,90
	Lines        Lines
	NoHeader     bool   // CSV without a line of names: its columns are 1, 2, 3 ...
	Sheet        string // of a workbook; "": its only one
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
	return all
}

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
	case LinesUnknown, LinesSum, LinesRefuse:
	default:
		return fmt.Errorf("event file: --lines must be %s or %s; it is %q", LinesSum, LinesRefuse, m.Lines)
	}
	switch m.Delimiter {
	case 0, ',', ';', '\t', '|':
		return nil
	default:
		return errors.New("event file: the delimiter must be a comma, a semicolon, a tab or |")
	}
}

// binding is where a field's value comes from.
type binding struct {
	constant string
	column   string   // mapped
	names    []string // not mapped: its own name and aliases, in order
	index    int      // of the CSV column; -1: none
}

func (m *Mapping) bind(fields []field) []binding {
	bound := make([]binding, len(fields))
	for i, f := range fields {
		bound[i].index = -1
		column, mapped := m.Columns[f.Name]
		switch {
		case mapped && strings.HasPrefix(column, "="):
			bound[i].constant = column[1:]
		case mapped:
			bound[i].column = column
		default:
			bound[i].names = append([]string{f.Name}, f.aliases...)
		}
	}
	return bound
}

// resolve finds the columns of a CSV file by its header, or by number if it has none.
func resolve(bound []binding, fields []field, header []string) error {
	for i := range bound {
		b := &bound[i]
		for _, name := range append(b.names, b.column) {
			if name == "" || b.constant != "" {
				continue
			}
			if b.index = slices.Index(header, name); b.index >= 0 {
				if slices.Contains(header[b.index+1:], name) {
					return fmt.Errorf("event file: two columns are named %q: rename one", name)
				}
				break
			}
		}
		if b.column != "" && b.index < 0 {
			return fmt.Errorf("event file: field %q is mapped to column %q, which the file does not have; its columns are %s",
				fields[i].Name, b.column, shortened(strings.Join(header, ", "), 400))
		}
		if fields[i].form == nested && b.index >= 0 {
			if b.column != "" {
				return fmt.Errorf("event file: field %q is a list, which only NDJSON can hold", fields[i].Name)
			}
			b.index = -1
		}
	}
	var missing, flags []string
	for i, f := range fields {
		if f.required && bound[i].index < 0 && bound[i].constant == "" && !createdAtServes(fields, bound, f.Name) {
			missing, flags = append(missing, f.Name), append(flags, f.Name+"=COLUMN")
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("event file: no column for the %s %s: give --map %s; the columns are %s",
			plural("field", len(missing)), strings.Join(missing, ", "), strings.Join(flags, ","), shortened(strings.Join(header, ", "), 400))
	}
	return nil
}

func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// createdAtServes reports whether created_at is used as occurred_at.
func createdAtServes(fields []field, bound []binding, name string) bool {
	i := slices.IndexFunc(fields, func(f field) bool { return f.Name == "created_at" })
	return name == "occurred_at" && i >= 0 && (bound[i].index >= 0 || bound[i].constant != "")
}

// shortened returns a value cut to a length that fits an error.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
