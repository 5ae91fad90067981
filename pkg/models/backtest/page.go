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
			h.P(h.Class("soft"), g.Textf("Learned from %s to %s, tested on what the same customers did until %s.", v.First, v.Split, v.Until)),
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
		h.P(h.Class("soft hint"), g.Text("Bold is the best of a column. Read the columns together: MAE alone rewards whoever promises nothing, since most customers do not come back.")),
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
		{"MAE, RMSE", "How far the promised number of purchases is off per customer: on average, and with large errors counting more."},
		{"correlation", "Of promised and actual number of purchases."},
		{"bias", "Promised total over actual total, less 1. Below 0 too little was promised."},
		{"AUC", "How often a customer who bought was ranked above one who did not; .5 is chance."},
		{"ECE", "How far promised probabilities are from shares of buyers, over ten groups of equal size."},
		{"log score", "Mean logarithm of the probability given to what happened, purchase or none. Nearer 0 is better."},
		{"spend MAE", "How far the promised spend is off per customer, in units of money."},
		{"log-likelihood", "Of what came before the split. Models compare, rules have none."},
	}
	var list g.Group
	for _, w := range words {
		list = append(list, h.Dt(g.Text(w.name)), h.Dd(g.Text(w.meaning)))
	}
	return h.Section(h.Class("card"), h.H2(g.Text("What the figures are")), h.Dl(list))
}
