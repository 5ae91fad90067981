package backtest

import (
	"fmt"
	"math"
	"strings"
)

// view is the content of the page.
type view struct {
	*Result
	Title    string
	Facts    []fact
	Columns  []string
	Rows     []row
	Pictures []picture
}

type fact struct{ Value, Name string }

type row struct {
	Name        string
	Recommended bool
	Rule        bool
	Cells       []cell
}

type cell struct {
	Text string
	Best bool
}

func (r *Result) view(title string) view {
	v := view{Result: r, Title: title, Pictures: r.pictures()}
	v.Facts = []fact{
		{grouped(r.Customers), "customers by the split"},
		{grouped(r.RepeatBuyers), "repeat buyers by the split"},
		{fmt.Sprintf("%.0f + %.0f", r.WeeksBefore, r.WeeksAfter), "weeks before + after the split"},
		{grouped(r.HoldoutPurchases), "purchase days after the split"},
		{grouped(r.HoldoutBuyers), "customers bought after the split"},
	}
	columns := Columns()
	best := make([]float64, len(columns))
	for i, c := range columns {
		v.Columns = append(v.Columns, c.Name)
		best[i] = math.Inf(1)
		for _, m := range r.All() {
			if p := c.Of(m); p != nil && c.loss != nil {
				best[i] = math.Min(best[i], c.loss(*p))
			}
		}
	}
	for i, m := range r.All() {
		line := row{Name: m.Name, Recommended: m.Name == r.Recommended, Rule: i >= len(r.Models)}
		for k, c := range columns {
			p := c.Of(m)
			line.Cells = append(line.Cells, cell{c.Text(m), p != nil && c.loss != nil && c.loss(*p) == best[k]})
		}
		v.Rows = append(v.Rows, line)
	}
	return v
}

// All returns the models, followed by the simple rules.
func (r *Result) All() []*Model {
	var all []*Model
	for i := range r.Models {
		all = append(all, &r.Models[i])
	}
	for i := range r.Baselines {
		all = append(all, &r.Baselines[i])
	}
	return all
}

// Column is the presentation of a measure in tables.
type Column struct {
	Name   string
	Of     func(*Model) *float64
	format string
	scale  float64
	loss   func(float64) float64 // lower is better; nil if the models are not compared by it
}

// Heading is the heading of the column in plain text.
func (c Column) Heading() string { return strings.ToUpper(c.Name) }

// Text is the formatted value of the model, or a dash.
func (c Column) Text(m *Model) string {
	p := c.Of(m)
	if p == nil {
		return "-"
	}
	return fmt.Sprintf(c.format, *p*c.scale)
}

// Columns returns all measures in the order of the tables.
func Columns() []Column {
	least := func(v float64) float64 { return v }
	most := func(v float64) float64 { return -v }
	return []Column{
		{"MAE", func(m *Model) *float64 { return m.MAE }, "%.4f", 1, least},
		{"RMSE", func(m *Model) *float64 { return m.RMSE }, "%.3f", 1, least},
		{"correlation", func(m *Model) *float64 { return m.Correlation }, "%.4f", 1, most},
		{"bias", func(m *Model) *float64 { return m.Bias }, "%+.1f%%", 100, math.Abs},
		{"AUC", func(m *Model) *float64 { return m.AUC }, "%.4f", 1, most},
		{"ECE", func(m *Model) *float64 { return m.ECE }, "%.3f", 1, least},
		{"log score", func(m *Model) *float64 { return m.LogScore }, "%.4f", 1, most},
		{"spend MAE", func(m *Model) *float64 { return m.SpendMAE }, "%.2f", 1, least},
		{"log-likelihood", func(m *Model) *float64 { return m.LogLikelihood }, "%.2f", 1, nil},
	}
}
