package lookup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/output"
)

// Listed is a customer in a list.
type Listed struct {
	Scores processors.CustomerScores
	Alerts []processors.OpenAlert // published and not cleared, in the order of the rules
}

// Column is a figure by which customers are listed, sorted and filtered. Its name is that of the field in the outputs.
type Column struct {
	Name  string
	About string               // what it is, unless it is a field of an output, where the schema says so
	Text  func(*Listed) string // empty where the figure is not known
	// rank is the order of figures that have one; false where it is not known. Amounts are in units of the currency, times in ms.
	rank func(*Listed) (float64, bool)
	kind Kind
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
)

// Kind says what the figures are.
func (c *Column) Kind() Kind { return c.kind }

// Sortable reports whether customers can be sorted by the column.
func (c *Column) Sortable() bool { return c.rank != nil }

// AppendJSON appends the customer's figures as an object with a field for each column, null where a figure is not known.
func AppendJSON(dst []byte, columns []Column, l *Listed) []byte {
	dst = append(dst, '{')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendQuote(dst, c.Name), ':')
		text := c.Text(l)
		switch {
		case c.kind == Words:
			dst = appendValue(dst, strings.Fields(text))
		case text == "":
			dst = append(dst, "null"...)
		case c.kind == Number, c.kind == Amount:
			dst = append(dst, text...)
		default:
			dst = appendValue(dst, text)
		}
	}
	return append(dst, '}')
}

func appendValue(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // texts and lists of texts can be encoded
		panic(err)
	}
	return append(dst, text...)
}

// Columns are all columns, in the order in which they are printed.
func Columns() []Column {
	return []Column{
		label("customer_id", func(l *Listed) string { return l.Scores.Customer }),
		amount("value_at_stake", func(l *Listed) output.Opt[int64] { return l.Scores.ValueAtStake() }),
		amount("total_clv", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.Total }),
		amount("predicted_clv", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.Predicted }),
		amount("historic_clv", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.Historic) }),
		amount("referral_value", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.ReferralValue) }),
		label("value_tier", func(l *Listed) string { return l.Scores.CLV.ValueTier.Value }),
		number("clv_percentile", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.Percentile }),
		label("churn_risk", func(l *Listed) string { return l.Scores.Churn.Risk }),
		number("churn_probability", 4, func(l *Listed) output.Opt[float64] { return l.Scores.Churn.Probability }),
		number("historic_number_of_orders", 0, func(l *Listed) output.Opt[float64] { return output.Some(float64(l.Scores.CLV.Orders)) }),
		amount("average_order_value", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.AverageOrderValue }),
		number("average_days_between_orders", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.AverageDaysBetweenOrders }),
		moment("last_order_at", func(l *Listed) output.Opt[int64] { return l.Scores.Churn.LastOrderAt }),
		number("days_since_last_order", 1, func(l *Listed) output.Opt[float64] { return l.Scores.Churn.DaysSinceLastOrder }),
		number("days_overdue", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.DaysOverdue }),
		label("nps_category", func(l *Listed) string { return l.Scores.Promoter.Category }),
		number("nps_score", 0, func(l *Listed) output.Opt[float64] {
			return output.Opt[float64]{Value: float64(l.Scores.Promoter.Score.Value), Known: l.Scores.Promoter.Score.Known}
		}),
		{Name: "open_alerts", About: "The rules of the alerts that were published and not cleared", kind: Words, Text: func(l *Listed) string {
			rules := make([]string, len(l.Alerts))
			for i, a := range l.Alerts {
				rules[i] = a.Rule
			}
			return strings.Join(rules, " ")
		}},
		described("When an open alert of the customer was last published", moment("alerted_at", func(l *Listed) output.Opt[int64] {
			if len(l.Alerts) == 0 {
				return output.Opt[int64]{}
			}
			last := slices.MaxFunc(l.Alerts, func(a, b processors.OpenAlert) int { return cmp.Compare(a.RaisedAt, b.RaisedAt) })
			return output.Some(last.RaisedAt)
		})),
		described("In a sentence why the customer may need attention", label("why", Why)),
	}
}

func described(about string, c Column) Column {
	c.About = about
	return c
}

func label(name string, of func(*Listed) string) Column { return Column{Name: name, Text: of} }

func number(name string, decimals int, of func(*Listed) output.Opt[float64]) Column {
	return Column{
		Name: name, kind: Number,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return strconv.FormatFloat(v.Value, 'f', decimals, 64)
		},
		rank: func(l *Listed) (float64, bool) { return of(l).Value, of(l).Known },
	}
}

func amount(name string, of func(*Listed) output.Opt[int64]) Column {
	return Column{
		Name: name, kind: Amount,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return string(l.Scores.CLV.Currency.Append(nil, v.Value))
		},
		rank: func(l *Listed) (float64, bool) { return l.Scores.CLV.Currency.Major(of(l).Value), of(l).Known },
	}
}

func moment(name string, of func(*Listed) output.Opt[int64]) Column {
	return Column{
		Name: name, kind: Moment,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return time.UnixMilli(v.Value).UTC().Format(time.RFC3339)
		},
		rank: func(l *Listed) (float64, bool) { return float64(of(l).Value), of(l).Known },
	}
}

// Why says in a sentence why a customer may need attention.
func Why(l *Listed) string {
	clv, churn, promoter := &l.Scores.CLV, &l.Scores.Churn, &l.Scores.Promoter
	var parts []string
	switch rhythm := clv.AverageDaysBetweenOrders; {
	case churn.Risk == "churned":
		parts = append(parts, "account or subscription ended")
	case !churn.DaysSinceLastOrder.Known:
		parts = append(parts, "no standing order")
	case rhythm.Known:
		parts = append(parts, fmt.Sprintf("ordered every %.0f days, silent for %.0f", rhythm.Value, churn.DaysSinceLastOrder.Value))
	default:
		parts = append(parts, fmt.Sprintf("one purchase day, silent for %.0f days", churn.DaysSinceLastOrder.Value))
	}
	if churn.Probability.Known {
		parts = append(parts, fmt.Sprintf("%.0f%% likely to be gone", 100*churn.Probability.Value))
	}
	if promoter.Category == "detractor" {
		parts = append(parts, fmt.Sprintf("scored %d of 10", promoter.Score.Value))
	}
	for _, a := range l.Alerts {
		parts = append(parts, fmt.Sprintf("%s since %s", a.Rule, time.UnixMilli(a.RaisedAt).UTC().Format(time.DateOnly)))
	}
	return strings.Join(parts, "; ")
}

// ColumnNamed returns a column. The error names all of them.
func ColumnNamed(name string) (Column, error) {
	for _, c := range Columns() {
		if c.Name == name {
			return c, nil
		}
	}
	return Column{}, fmt.Errorf("no column is named %q: the columns are %s", name, strings.Join(ColumnNames(), ", "))
}

// ColumnNames are the names of all columns.
func ColumnNames() []string {
	var names []string
	for _, c := range Columns() {
		names = append(names, c.Name)
	}
	return names
}

// Condition is one condition of a filter.
type Condition struct {
	column Column
	accept func(*Listed) bool
}

// ParseConditions parses conditions that must all hold, separated by commas: COLUMN=TEXT, or for numbers, amounts and times (RFC 3339 or a
// date) also COLUMN>=VALUE and COLUMN<=VALUE. TEXT may be several values, separated by |. A customer whose figure is not known is not
// listed.
func ParseConditions(text string) ([]Condition, error) {
	var all []Condition
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		c, err := parseCondition(part)
		if err != nil {
			return nil, fmt.Errorf("condition %q: %w", part, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func parseCondition(text string) (c Condition, err error) {
	at := strings.IndexAny(text, "<>=")
	if at < 0 {
		return c, fmt.Errorf("must be COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE")
	}
	if c.column, err = ColumnNamed(text[:at]); err != nil {
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
