package pages

import (
	"net/http"
	"net/url"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/report"
)

// costs shows what was spent on new and kept customers, and what it brought.
func (p *pages) costs(r *http.Request) (content, error) {
	by := report.Month
	if asked := r.URL.Query().Get("by"); slices.Contains(report.ReturnsBy(), asked) {
		by = asked
	}
	all, err := p.Views.Returns(r.Context())
	if err != nil {
		return content{}, err
	}
	sheet, err := report.Returns(all, by, report.Months{})
	if err != nil {
		return content{}, err
	}
	sheet = sheet.Written(p.Cell)
	var options []option
	for _, name := range report.ReturnsBy() {
		options = append(options, option{name, "/costs?by=" + url.QueryEscape(name)})
	}
	page := content{title: p.T("Costs and return")}
	tools := h.Div(h.Class("tools"), p.choice("By", by, options))
	if len(sheet.Rows) == 0 {
		page.body = []g.Node{heading(g.Text(page.title)), tools, p.card("Nothing to show yet", p.empty("A period appears when it is over."))}
		return page, nil
	}
	plain := func(_, _ int, text string) (string, g.Node) { return "", h.Span(h.Dir("auto"), g.Text(shown(text))) }
	page.body = []g.Node{
		heading(g.Text(page.title), p.text("What new customers cost and are worth, and what keeping customers brings. As of "), p.moment(all.AsOf), p.text(".")),
		tools,
		h.Section(h.Class("card flush"), p.reportTable(p.F("Returns by %s", p.C(by)), sheet, newestFirst(sheet), plain)),
		h.P(h.Class("soft"), p.text("A figure is not known where a cost of any month of the period is not stated: "), h.Code(g.Text("mainstay costs set")), p.text(".")),
	}
	return page, nil
}
