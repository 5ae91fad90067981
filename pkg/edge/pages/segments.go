package pages

import (
	"net/http"
	"net/url"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
)

// segments shows groups of customers against all of them.
func (p *pages) segments(r *http.Request) (content, error) {
	asked := r.URL.Query()
	reports := lookup.SegmentReports()
	of := &reports[0]
	var shows []option
	for i := range reports {
		if reports[i].Name == asked.Get("show") {
			of = &reports[i]
		}
		shows = append(shows, option{reports[i].Name, "/segments?show=" + url.QueryEscape(reports[i].Name)})
	}
	var by lookup.Dimension
	var options []option
	for _, d := range p.Views.Dimensions() {
		if d.Name == asked.Get("by") || by.Name == "" && d.Name == of.By {
			by = d
		}
		options = append(options, option{d.Name, "/segments?show=" + url.QueryEscape(of.Name) + "&by=" + url.QueryEscape(d.Name)})
	}
	s, err := p.Views.Segments(r.Context(), by.Name)
	if err != nil {
		return content{}, err
	}
	c := content{title: p.T("Segments")}
	sheet := report.Segments(of, s).Written(p.Cell)
	if len(sheet.Rows) == 0 {
		c.refresh, c.body = soon, p.notice("No customer has a standing order yet", "Segments appear within seconds of the first purchase.")
		return c, nil
	}
	all := make([]int, len(sheet.Rows))
	for i := range all {
		all[i] = i
	}
	c.body = []g.Node{
		heading(p.text("Segments"), p.textf("%s; customers %s. As of ", p.T(of.About), p.grouping(&by)), p.moment(s.AsOf), p.text(".")),
		h.Div(h.Class("tools"), p.choice("Show", of.Name, shows), p.choice("By", by.Name, options)),
		h.Section(h.Class("card flush"), p.reportTable(p.F("Customers %s", p.grouping(&by)), sheet, all, p.comparison(s.Of(of), sheet))),
		h.P(h.Class("soft"),
			h.Span(h.Class("better"), p.text("Green")), p.text(" is better than the average of all customers, "), h.Span(h.Class("worse"), p.text("red")),
			p.textf(" is worse; ▲ is above it, ▼ below. Below %d customers figures are those of a few people: they are marked, and not coloured.", segment.FewCustomers)),
	}
	return c, nil
}

// grouping says by what customers are grouped: a dimension of the table, or an attribute that the shop has named.
func (p *pages) grouping(by *lookup.Dimension) string {
	if slices.ContainsFunc(lookup.Dimensions(nil), func(d lookup.Dimension) bool { return d.Name == by.Name }) {
		return p.T(by.About)
	}
	return p.F("by %s, as the latest event that states it has it", by.Name)
}

// comparison marks the figures of segments that are above or below those of all customers.
func (p *pages) comparison(s *lookup.Segments, sheet *report.Report) func(row, column int, text string) (string, g.Node) {
	base := sheet.Rows[len(sheet.Rows)-1]
	return func(row, column int, text string) (string, g.Node) {
		c, last := &sheet.Columns[column], row == len(sheet.Rows)-1
		few := !last && s.All[row].Few()
		switch {
		case c.Kind == measure.Text && last:
			return "base", p.text("All customers")
		case c.Kind == measure.Text:
			return "", g.Group{h.Span(h.Dir("auto"), g.Text(shown(text))), g.If(few, g.Group{g.Raw(" "), p.chip("too few to tell")})}
		case last || c.Better == measure.Neither || text == unknown || text == p.cellText(&base[column], sheet.Unit):
			return "", g.Text(text)
		}
		above := sheet.Rows[row][column].Value.Float(sheet.Unit) > base[column].Value.Float(sheet.Unit)
		class := "worse"
		if above == (c.Better == measure.More) {
			class = "better"
		}
		if few {
			class = ""
		}
		sign, word := "▼", "below the average"
		if above {
			sign, word = "▲", "above the average"
		}
		return class, g.Group{g.Text(text), g.Raw(" "), h.Span(h.Class("sign"), g.Attr("aria-hidden", "true"), g.Text(sign)), h.Span(h.Class("hidden"), g.Text(p.F(", %s of %s", p.T(word), p.cellText(&base[column], sheet.Unit))))}
	}
}
