package pages

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
)

// cellText is a cell as people read it: numbers grouped, parts as percent.
func (p *pages) cellText(c *report.Cell, unit money.Unit) string {
	switch {
	case c.Text != "":
		return c.Text
	case !c.Value.Known():
		return unknown
	case c.Value.Kind() == measure.Part:
		return p.percent(c.Value.Float(unit))
	case c.Value.Kind() == measure.Choice:
		return p.C(map[bool]string{true: "yes", false: "no"}[c.Value.True()])
	default:
		return p.grouped(string(c.Append(nil, unit)))
	}
}

// reportTable shows a report in a frame that scrolls sideways, since it may have more columns than there is room. around may add to the
// text of a cell, and give it a class; what is true or false is left to it, and has no column.
func (p *pages) reportTable(caption string, r *report.Report, rows []int, around func(row, column int, text string) (class string, node g.Node)) g.Node {
	var head g.Group
	for _, c := range r.Columns {
		if c.Kind != measure.Choice {
			head = append(head, h.Th(h.Scope("col"), g.If(c.Kind != measure.Text, h.Class("number")), g.Text(p.columnHead(c, r.Unit))))
		}
	}
	lines := make([]g.Node, len(rows))
	for i, at := range rows {
		var cells g.Group
		for k := range r.Rows[at] {
			if r.Columns[k].Kind == measure.Choice {
				continue
			}
			class, node := around(at, k, p.cellText(&r.Rows[at][k], r.Unit))
			if r.Columns[k].Kind != measure.Text {
				class = strings.TrimSpace("number " + class)
			}
			if k == 0 {
				cells = append(cells, h.Th(h.Scope("row"), g.If(class != "", h.Class(class)), node))
				continue
			}
			cells = append(cells, h.Td(h.Class(class), node))
		}
		lines[i] = h.Tr(cells)
	}
	return h.Div(h.Class("scroll"), h.Role("region"), h.TabIndex("0"), g.Attr("aria-label", caption),
		h.Table(h.Class("dense"), h.Caption(h.Class("hidden"), p.text(caption)), h.THead(h.Tr(head)), h.TBody(lines...)))
}

// columnHead is the head of a column.
func (p *pages) columnHead(c report.Column, unit money.Unit) string {
	if c.Kind == measure.Money && c.Name[0] != '+' {
		return p.F("%s, %s", p.N(c.Name), p.N(unit.Code))
	}
	if c.Name[0] == '+' { // months since the first purchase
		return p.Decimal(c.Name)
	}
	return p.N(c.Name)
}

// option is a link of a choice.
type option struct{ name, href string }

// choice is a row of links, of which one is chosen.
func (p *pages) choice(about, chosen string, options []option) g.Node {
	return h.Nav(h.Class("choice"), g.Attr("aria-label", p.T(about)), h.Span(h.Class("soft"), p.text(about)), g.Map(options, func(o option) g.Node {
		return h.A(h.Href(o.href), g.If(o.name == chosen, g.Attr("aria-current", "true")), g.Text(p.N(o.name)))
	}))
}

// newestFirst are the rows of a report from the last to the first.
func newestFirst(r *report.Report) []int {
	rows := make([]int, len(r.Rows))
	for i := range rows {
		rows[i] = len(rows) - 1 - i
	}
	return rows
}
