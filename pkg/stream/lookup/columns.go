package lookup

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
)

// Listed is a customer in a list.
type Listed struct {
	Scores     processors.CustomerScores
	Alerts     []processors.OpenAlert // published and not cleared, in the order of the rules
	Attributes map[string]string      // those that events have stated, by name; also of names that the setting has no more
}

// Named returns the attributes of these names that events have stated.
func (l *Listed) Named(attributes []string) map[string]string {
	named := map[string]string{}
	for _, name := range attributes {
		if text, stated := l.Attributes[name]; stated {
			named[name] = text
		}
	}
	return named
}

// Column is a figure by which customers are listed, sorted and filtered. Its name is that of the field in the outputs.
type Column struct {
	Name  string
	About string               // what it is, unless it is a field of an output, where the schema says so
	Staff bool                 // it names a person of the shop: exports have it only if it is asked for
	Text  func(*Listed) string // empty where the figure is not known
	// rank is the order of figures that have one; false where it is not known. Amounts are in units of the currency, times in ms.
	rank     func(*Listed) (float64, bool)
	kind     Kind
	decimals int // of a Number
}

// Kind says what the figures of a column are.
type Kind uint8

// The kinds of figures.
const (
	Label  Kind = iota // a text
	Number             // in JSON a number
	Amount             // a number in units of the currency
	Moment             // RFC 3339
	Words              // several words; in JSON a list of them
	Flag               // true or false
)

// Kind says what the figures are.
func (c *Column) Kind() Kind { return c.kind }

// Decimals is the number of decimals of a Number.
func (c *Column) Decimals() int { return c.decimals }

// Sortable reports whether customers can be sorted by the column.
func (c *Column) Sortable() bool { return c.rank != nil }

// NewListed scores a customer.
func NewListed(p *processors.Partition, id string, c *customer.State) Listed {
	return Listed{Scores: processors.ScoreCustomer(p, id, c), Alerts: published(processors.OpenAlerts(p, id, c)), Attributes: p.Attributes(c)}
}

// AppendJSON appends the customer's figures as an object with a field for each column, null where a figure is not known.
func AppendJSON(dst []byte, columns []Column, l *Listed) []byte {
	return appendObject(dst, columns, func(i int) string { return columns[i].Text(l) })
}

// AppendJSONTexts is AppendJSON of texts that the columns have returned.
func AppendJSONTexts(dst []byte, columns []Column, texts []string) []byte {
	return appendObject(dst, columns, func(i int) string { return texts[i] })
}

func appendObject(dst []byte, columns []Column, textOf func(int) string) []byte {
	dst = append(dst, '{')
	for i := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), columns[i].Name...), `":`...)
		text := textOf(i)
		switch kind := columns[i].kind; {
		case kind == Words:
			dst = appendValue(dst, strings.Fields(text))
		case text == "":
			dst = append(dst, "null"...)
		case kind == Number, kind == Amount, kind == Flag:
			dst = append(dst, text...)
		case strings.IndexFunc(text, isEscaped) < 0:
			dst = append(append(append(dst, '"'), text...), '"')
		default:
			dst = appendValue(dst, text)
		}
	}
	return append(dst, '}')
}

// isEscaped reports whether JSON, or encoding/json, might escape a character.
func isEscaped(r rune) bool {
	return r < ' ' || r >= 0x7f || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
}

func appendValue(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // texts and lists of texts can be encoded
		panic(err)
	}
	return append(dst, text...)
}

// ColumnNamed returns a column, among those with the attributes of some names. The error names all of them.
func ColumnNamed(name string, attributes []string) (Column, error) {
	for _, c := range Columns(attributes) {
		if c.Name == name {
			return c, nil
		}
	}
	return Column{}, fmt.Errorf("no column is named %q: the columns are %s", name, strings.Join(ColumnNames(attributes), ", "))
}

// ColumnsNamed returns columns in the order of their names. The error names all that there are.
func ColumnsNamed(names, attributes []string) ([]Column, error) {
	columns := make([]Column, len(names))
	for i, name := range names {
		var err error
		if columns[i], err = ColumnNamed(name, attributes); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// ColumnNames are the names of all columns, with the attributes of some names.
func ColumnNames(attributes []string) []string {
	var names []string
	for _, c := range Columns(attributes) {
		names = append(names, c.Name)
	}
	return names
}

// Condition is one condition of a filter.
type Condition struct {
	column Column
	accept func(*Listed) bool
}

// AllAccept reports whether all conditions hold for a customer.
func AllAccept(conditions []Condition, l *Listed) bool {
	return !slices.ContainsFunc(conditions, func(c Condition) bool { return !c.accept(l) })
}

// ParseConditions parses conditions that must all hold, separated by commas: COLUMN=TEXT, or for numbers, amounts and times (RFC 3339 or a
// date) also COLUMN>=VALUE and COLUMN<=VALUE. TEXT may be several values, separated by |. A customer whose figure is not known is not
// listed.
func ParseConditions(text string, attributes []string) ([]Condition, error) {
	var all []Condition
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		c, err := parseCondition(part, attributes)
		if err != nil {
			return nil, fmt.Errorf("condition %q: %w", part, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func parseCondition(text string, attributes []string) (c Condition, err error) {
	at := strings.IndexAny(text, "<>=")
	if at < 0 {
		return c, fmt.Errorf("must be COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE")
	}
	if c.column, err = ColumnNamed(text[:at], attributes); err != nil {
		return c, err
	}
	operator, value := text[at:at+1], text[at+1:]
	if operator != "=" {
		if !strings.HasPrefix(value, "=") {
			return c, fmt.Errorf("write %s= for %s", operator, operator)
		}
		return c.bound(operator == ">", value[1:])
	}
	wanted := strings.Split(value, "|")
	c.accept = func(l *Listed) bool {
		is := c.column.Text(l)
		if c.column.kind == Words {
			return slices.ContainsFunc(strings.Fields(is), func(word string) bool { return slices.Contains(wanted, word) })
		}
		return is != "" && slices.Contains(wanted, is)
	}
	return c, nil
}

// bound makes the condition accept figures from a bound on, or up to it.
func (c Condition) bound(least bool, text string) (Condition, error) {
	if c.column.rank == nil {
		return c, fmt.Errorf("%s has no order: use =", c.column.Name)
	}
	bound, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(bound) {
		at, err := parseMoment(text)
		if err != nil {
			return c, fmt.Errorf("%q is neither a number nor a time", text)
		}
		bound = float64(at.UnixMilli())
	}
	c.accept = func(l *Listed) bool {
		v, known := c.column.rank(l)
		return known && (least && v >= bound || !least && v <= bound)
	}
	return c, nil
}

func parseMoment(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("parse a time: %w", err)
	}
	return t, nil
}
