package pages

import (
	"fmt"
	"net/http"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/calendar"
)

// retention shows who stays and who buys, month by month.
func (p *pages) retention(r *http.Request) (content, error) {
	c, err := p.Views.Calendar(r.Context())
	if err != nil {
		return content{}, err
	}
	by, current := report.Month, true
	if r.URL.Query().Get("by") == report.Quarter {
		by, current = report.Quarter, false // a quarter that is not over has no place in a row of quarters
	}
	months, err := report.ParseMonths("", "", current)
	if err != nil {
		return content{}, err
	}
	stay, err := report.Periods(c, calendar.Retention(), by, months)
	if err != nil {
		return content{}, err
	}
	sales, err := report.Periods(c, calendar.Sales(), by, months)
	if err != nil {
		return content{}, err
	}
	stay, sales = stay.Written(p.Cell), sales.Written(p.Cell)
	page := content{title: p.T("Retention and revenue")}
	tools := h.Div(h.Class("tools"), p.choice("By", by, []option{{report.Month, "/retention"}, {report.Quarter, "/retention?by=" + report.Quarter}}))
	if len(stay.Rows) == 0 {
		page.refresh = soon
		page.body = []g.Node{heading(p.text("Retention and revenue")), tools, p.card("Nothing to show yet", p.empty("A month appears within seconds of the first purchase, a quarter when it is over."))}
		return page, nil
	}
	soFar := func(row, _ int, text string) (string, g.Node) {
		if current && row == len(stay.Rows)-1 {
			return "so-far", g.Text(text)
		}
		return "", g.Text(text)
	}
	page.body = []g.Node{
		heading(p.text("Retention and revenue"), p.text("Who came, stayed and was lost, and who bought for how much. As of "), p.moment(c.AsOf), g.If(current, p.text("; the last month is not over.")), g.If(!current, p.text("."))),
		tools,
		h.Div(h.Class("columns"), p.card("Customers who are not lost", p.periodTrend(stay, by, "customers_at_end", false)), p.card("Retention rate", p.periodTrend(stay, by, "retention_rate", current))),
		h.Section(h.Class("card"), h.H2(p.text("Customers")), p.reportTable(p.F("Retention by %s", p.C(by)), stay, newestFirst(stay), soFar)),
		p.card(p.F("Revenue, %s", p.N(sales.Unit.Code)), p.revenueBars(sales)),
		h.Section(h.Class("card"), h.H2(p.text("Revenue")), p.reportTable(p.F("Revenue by %s", p.C(by)), sales, newestFirst(sales), soFar)),
	}
	return page, nil
}

// column finds a column of a report.
func column(r *report.Report, name string) int {
	return slices.IndexFunc(r.Columns, func(c report.Column) bool { return c.Name == name })
}

// trend draws one column as a line. The period that is not over is left out where its value would be compared with those of whole ones.
func (p *pages) periodTrend(r *report.Report, by, name string, withoutLast bool) g.Node {
	at, rows := column(r, name), r.Rows
	if withoutLast {
		rows = rows[:len(rows)-1]
	}
	var spots []spot
	low, high := 0.0, 0.0
	for i, row := range rows {
		if v := row[at].Value; v.Known() {
			f := v.Float(r.Unit)
			spots = append(spots, spot{int64(i), f})
			low, high = min(low, f), max(high, f)
		}
	}
	if len(spots) < 2 {
		return p.empty(p.F("A line appears with the second %s of which it is known.", p.C(by)))
	}
	first, last := rows[spots[0].at], rows[spots[len(spots)-1].at]
	c := p.newNarrowChart(p.F("%s from %s in %s to %s in %s", p.N(name), p.cellText(&first[at], r.Unit), first[0].Text, p.cellText(&last[at], r.Unit), last[0].Text),
		spots[0].at, spots[len(spots)-1].at, low, high)
	for _, v := range []float64{low, (low + high) / 2, high} {
		label := p.short(v)
		if name == "retention_rate" {
			label = p.wholePercent(v)
		}
		c.level(v, label)
	}
	texts := make([]string, 0, len(spots))
	for i := spots[0].at; i <= spots[len(spots)-1].at; i++ {
		texts = append(texts, rows[i][0].Text)
	}
	c.labels(texts, func(i int) float64 { return c.x(spots[0].at + int64(i)) })
	c.line("line", spots)
	return c.node()
}

// revenueParts are the columns that add up to the revenue of a period, with the class of each.
func revenueParts() []part {
	return []part{{class: "new", about: "new_revenue"}, {class: "repeat", about: "repeat_revenue"}, {class: "reactivated", about: "reactivated_revenue"}}
}

// revenueBars draws revenue as stacked bars.
func (p *pages) revenueBars(r *report.Report) g.Node {
	high, whole := 0.0, column(r, "revenue")
	for _, row := range r.Rows {
		high = max(high, row[whole].Value.Float(r.Unit))
	}
	n := len(r.Rows)
	c := p.newChart(p.F("Revenue from %s to %s, the most %s %s", r.Rows[0][0].Text, r.Rows[n-1][0].Text, p.grouped(fmt.Sprintf("%.0f", high)), p.N(r.Unit.Code)), 0, int64(n), high)
	for _, v := range []float64{0, high / 2, high} {
		c.level(v, p.short(v))
	}
	texts := make([]string, n)
	for i, row := range r.Rows {
		texts[i] = row[0].Text
		parts := revenueParts()
		for k := range parts {
			cell := &row[column(r, parts[k].about)]
			parts[k].v, parts[k].about = cell.Value.Float(r.Unit), p.F("%s, %s: %s", row[0].Text, p.N(parts[k].about), p.cellText(cell, r.Unit))
		}
		c.bar(int64(i), int64(i+1), parts)
	}
	c.labels(texts, func(i int) float64 { return (c.x(int64(i)) + c.x(int64(i+1))) / 2 })
	return g.Group{c.node(), h.P(h.Class("keys soft"), g.Map(revenueParts(), func(one part) g.Node { return h.Span(h.Class("key block "+one.class), g.Text(p.N(one.about))) }))}
}
