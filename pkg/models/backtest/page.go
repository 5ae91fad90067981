package backtest

import (
	_ "embed" // the style sheet
	"fmt"
	"io"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed report.css
var style string

// Report writes the result as one HTML page without external resources, with the title as heading.
//
// html/template was rejected: it calls methods by name, so the linker would keep every method of every type of the program, which adds
// ten megabytes. Texts and attributes are escaped explicitly.
func (r *Result) Report(w io.Writer, title string) error {
	if err := page(r.view(title)).Render(w); err != nil {
		return fmt.Errorf("backtest: write report: %w", err)
	}
	return nil
}

func page(v view) g.Node {
	return h.Doctype(h.HTML(
		h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content("default-src 'none'; style-src 'unsafe-inline'")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(v.Title)),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(h.Main(
			h.H1(g.Text(v.Title)),
			h.P(h.Class("soft"), g.Textf("Models are fitted to the purchases from %s to %s, and tested on the purchases of the same customers until %s.", v.First, v.Split, v.Until)),
			verdict(v),
			h.Section(h.Class("facts"), g.Map(v.Facts, func(f fact) g.Node { return h.Div(h.B(g.Text(f.Value)), h.Span(g.Text(f.Name))) })),
			comparison(v),
			h.Section(h.Class("pictures"), g.Map(v.Pictures, picture.figure), glossary()),
		)),
	))
}

func verdict(v view) g.Node {
	return h.Section(
		h.Class("verdict"),
		h.P(h.Strong(g.Textf("Recommended: %s.", v.Recommended)), g.Text(" "+v.Trust)),
		h.P(h.Class("soft"), g.Text(v.Why)),
		g.If(len(v.Notes) > 0, h.Ul(h.Class("soft"), g.Map(v.Notes, func(note string) g.Node { return h.Li(g.Text(note)) }))),
	)
}

func comparison(v view) g.Node {
	return h.Section(
		h.Class("card"),
		h.H2(g.Text("Models against simple rules")),
		h.Table(
			h.THead(h.Tr(h.Th(g.Text("model")), g.Map(v.Columns, func(name string) g.Node { return h.Th(g.Text(name)) }))),
			h.TBody(g.Map(v.Rows, row.line)),
		),
		h.P(h.Class("soft hint"), g.Text("The best value of each column is bold. Read the columns together: MAE alone favours predicting no purchases, since most customers do not return.")),
	)
}

func (r row) line() g.Node {
	return h.Tr(
		g.If(r.Recommended, h.Class("recommended")),
		g.If(r.Rule && !r.Recommended, h.Class("rule")),
		h.Td(g.Text(r.Name), g.If(r.Recommended, h.Span(h.Class("badge"), g.Text("recommended")))),
		g.Map(r.Cells, func(c cell) g.Node { return h.Td(g.If(c.Best, h.Class("best")), g.Text(c.Text)) }),
	)
}

func (p picture) figure() g.Node {
	return h.Figure(
		h.Class("card"),
		h.H2(g.Text(p.Title)),
		h.P(h.Class("soft"), g.Text(p.Text)),
		h.Div(h.Class("keys"), g.Map(p.Keys, func(k key) g.Node { return h.Span(h.Class(k.Class), h.I(), g.Text(k.Name)) })),
		g.Raw(p.Drawing),
	)
}

func glossary() g.Node {
	words := []struct{ name, meaning string }{
		{"MAE, RMSE", "Error of the predicted number of purchases per customer: mean absolute error, and root of the mean squared error, in which large errors count more."},
		{"correlation", "Correlation of predicted and actual number of purchases."},
		{"bias", "Predicted total / actual total - 1. Below 0, the prediction is too low."},
		{"AUC", "Probability that a customer who bought is ranked above one who did not; a random ranking has .5."},
		{"ECE", "Mean absolute difference of predicted probability and share of buyers, in ten groups of equal size."},
		{"log score", "Mean logarithm of the probability predicted for the outcome (purchase or none). Closer to 0 is better."},
		{"spend MAE", "Mean absolute error of the predicted spend per customer, in units of the currency."},
		{"log-likelihood", "Log-likelihood of the purchases before the split. Comparable between models; simple rules have none."},
	}
	var list g.Group
	for _, w := range words {
		list = append(list, h.Dt(g.Text(w.name)), h.Dd(g.Text(w.meaning)))
	}
	return h.Section(h.Class("card"), h.H2(g.Text("Measures")), h.Dl(list))
}
