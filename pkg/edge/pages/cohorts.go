package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
)

// usualCohorts are the latest cohorts that the page shows unless all are asked for.
const usualCohorts = 24

// cohorts shows the triangle: customers by the month of their first purchase, by months since.
func (p *pages) cohorts(r *http.Request) (content, error) {
	c, err := p.Views.Calendar(r.Context())
	if err != nil {
		return content{}, err
	}
	asked := r.URL.Query()
	measures := report.TriangleMeasures()
	chosen, names := "buying_share", make([]option, len(measures))
	for i, m := range measures {
		if m.Name == asked.Get("measure") {
			chosen = m.Name
		}
		names[i] = option{m.Name, "/cohorts?measure=" + url.QueryEscape(m.Name)}
	}
	from, all := (c.Current - usualCohorts + 1).String(), asked.Get("cohorts") == "all"
	if all {
		from = ""
	}
	months, err := report.ParseMonths(from, "", true)
	if err != nil {
		return content{}, err
	}
	triangle, err := report.Triangle(c, chosen, months)
	if err != nil {
		return content{}, err
	}
	triangle = triangle.Written(p.Cell)
	page := content{title: p.T("Cohorts")}
	if len(triangle.Rows) == 0 {
		page.refresh, page.body = soon, p.notice("No cohort yet", "The first one appears within seconds of the first purchase.")
		return page, nil
	}
	page.body = []g.Node{
		heading(p.text("Cohorts"), p.text("Customers by the month of their first purchase, and what they did in the months since. As of "), p.moment(c.AsOf), p.text(".")),
		h.Div(h.Class("tools"), p.choice("Show", chosen, names)),
		h.Section(h.Class("card flush"), p.reportTable(p.F("%s of cohorts, by months since the first purchase", p.N(chosen)), triangle, newestFirst(triangle), p.heat(triangle))),
		h.P(h.Class("soft"), g.Text(p.cohortsAbout(chosen, triangle)+" "+p.T("+0 is the month of the first purchase. Italics: the month is not over."))),
		g.If(!all && older(c), h.P(h.A(h.Href("/cohorts?cohorts=all&measure="+url.QueryEscape(chosen)), p.textf("Show all cohorts, not only the latest %d", usualCohorts)))),
	}
	return page, nil
}

// older reports whether there are cohorts before the usual ones.
func older(c *lookup.Calendar) (found bool) {
	c.Each(func(k calendar.Key, _ *calendar.Cell) { found = found || k.Cohort <= c.Current-usualCohorts })
	return found
}

func (p *pages) cohortsAbout(chosen string, triangle *report.Report) string {
	switch triangle.Columns[len(triangle.Columns)-1].Kind {
	case measure.Part:
		return p.T("The part of a cohort that bought in the month. The darker, the more; all bought in +0, so it is not coloured.")
	case measure.Money:
		return p.F("%s in %s. The darker, the more.", p.N(chosen), p.N(triangle.Unit.Code))
	default:
		return p.F("%s. The darker, the more.", p.N(chosen))
	}
}

// heats is the number of steps of the colour scale.
const heats = 8

// heat colours the cells of a triangle by their part of the greatest one of a cohort that is not of a few people. In dark mode darker is
// lighter.
func (p *pages) heat(triangle *report.Report) func(row, column int, text string) (string, g.Node) {
	const firstMonth = 2 // column
	from := firstMonth
	if triangle.Columns[len(triangle.Columns)-1].Kind == measure.Part {
		from++ // everybody bought in the month of the first purchase
	}
	most, ofFew := 0.0, 0.0
	for _, cells := range triangle.Rows {
		for i := from; i < len(cells); i++ {
			v := cells[i].Value.Float(triangle.Unit)
			if ofFew = max(ofFew, v); cells[1].Value.Float(triangle.Unit) >= segment.FewCustomers {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		most = ofFew
	}
	return func(row, column int, text string) (class string, node g.Node) {
		if column < firstMonth {
			return "", g.Text(text)
		}
		if v := triangle.Rows[row][column].Value.Float(triangle.Unit); column >= from && most > 0 {
			class = "heat-" + strconv.Itoa(int(heats*min(max(v/most, 0), 1)+.5))
		}
		if column == len(triangle.Rows[row])-1 {
			return strings.TrimSpace(class + " so-far"), g.Group{g.Text(text), h.Span(h.Class("hidden"), p.text(", the month is not over"))}
		}
		return class, g.Text(text)
	}
}
