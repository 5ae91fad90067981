package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// capacities are the numbers of calls a day that the page offers.
func capacities() []int { return []int{10, 20, 50, 100} }

const usualCapacity = 20

// today lists whom to call.
func (p *pages) today(r *http.Request) (content, error) {
	capacity, err := strconv.Atoi(r.URL.Query().Get("capacity"))
	if err != nil || !slices.Contains(capacities(), capacity) {
		capacity = usualCapacity
	}
	all := r.URL.Query().Get("all") == "true"
	back := backTo{"capacity": strconv.Itoa(capacity)}
	if all {
		back["all"] = "true"
	}
	marked, pending := p.marked(r, back) // first, so that the list shows the mark
	l, err := p.Views.CallList(r.Context(), capacity, all)
	if err != nil {
		return content{}, err
	}
	c := content{title: p.T("Today")}
	if pending {
		c.refresh = soon
	}
	if l.AsOf == 0 {
		c.refresh, c.body = soon, p.notice("Nothing has been computed yet", "This page fills as soon as the first events have been read.")
		return c, nil
	}
	about := []g.Node{p.text("Customers who are slipping away, the greatest value at stake first. As of "), p.moment(l.AsOf), p.text(".")}
	c.body = []g.Node{heading(p.text("Today"), about...), marked}
	if len(l.Rows) == 0 {
		c.body = append(c.body, p.card("Nobody to call", p.empty("No customer's churn risk is medium or high, or all of them are marked as done or snoozed.")), p.hiddenNote(len(l.Hidden), capacity))
		if c.refresh == 0 {
			c.refresh = 5 * soon
		}
		return c, nil
	}
	currency := l.Rows[0].Scores.CLV.Currency
	sum := int64(0)
	for i := range l.Rows {
		sum += l.Rows[i].Scores.ValueAtStake().Value
	}
	c.body = append(c.body,
		h.Div(h.Class("tools"),
			h.P(h.Strong(g.Text(p.amount(currency, sum)+" "+p.N(currency.Code))), p.textf(" at stake with %d customers", len(l.Rows))),
			h.Nav(h.Class("choice"), g.Attr("aria-label", p.T("Calls a day")), h.Span(h.Class("soft"), p.text("Calls a day")), g.Map(capacities(), func(n int) g.Node {
				return h.A(h.Href(todayAddress(n, all)), g.If(n == capacity, g.Attr("aria-current", "true")), g.Text(p.count(int64(n))))
			})),
		),
		h.Section(h.Class("card flush"), p.callTable(r, l.Rows, back)),
		p.hiddenNote(len(l.Hidden), capacity),
		g.If(all, h.P(h.A(h.Href(todayAddress(capacity, false)), p.text("Leave out who is marked as done or snoozed")))),
	)
	return c, nil
}

func todayAddress(capacity int, all bool) string {
	address := fmt.Sprintf("/?capacity=%d", capacity)
	if all {
		address += "&all=true"
	}
	return address
}

func (p *pages) hiddenNote(hidden, capacity int) g.Node {
	return g.If(hidden > 0, h.P(p.textf("%d more are marked as done or snoozed. ", hidden), h.A(h.Href(todayAddress(capacity, true)), p.text("List them, too"))))
}

func (p *pages) callTable(r *http.Request, rows []lookup.Listed, back backTo) g.Node {
	unit := rows[0].Scores.CLV.Currency
	head := []cell{{label: "Customer"}, {label: p.F("At stake, %s", p.N(unit.Code)), number: true}, {label: "Gone", number: true}, {label: "Risk"}, {label: "Last order", number: true}, {label: "Usual rhythm", number: true}, {label: "Why"}, {label: "Open alerts"}, {label: "Called"}}
	most := float64(rows[0].Scores.ValueAtStake().Value)
	lines := make([][]g.Node, len(rows))
	for i := range rows {
		l := &rows[i]
		s := &l.Scores
		rhythm := unknown
		if d := s.CLV.AverageDaysBetweenOrders; d.Known {
			rhythm = p.F("%.0f days", d.Value)
		}
		lines[i] = []g.Node{
			linked(s.Customer),
			g.Group{g.Text(p.amountIf(unit, s.ValueAtStake())), share("stake", float64(s.ValueAtStake().Value), most)},
			g.Text(p.percentIf(s.Churn.Probability)),
			p.riskChip(s.Churn.Risk),
			g.Group{g.Text(p.dayIf(s.Churn.LastOrderAt)), h.Span(h.Class("note"), g.Text(p.daysAgo(s.Churn.DaysSinceLastOrder.Value)))},
			g.Text(rhythm),
			g.Text(p.why(l)),
			p.alertChips(l),
			g.Group{g.If(s.Mark != nil, h.Span(h.Class("note"), p.markText(l))), p.markButtons(r, l, back)},
		}
	}
	return p.table("Customers to call today", head, lines)
}

// why leaves the alerts to their own column.
func (p *pages) why(l *lookup.Listed) string {
	return sentence(lookup.WhyIn(&lookup.Listed{Scores: l.Scores}, p.Locale, p.Zone))
}

func (p *pages) daysAgo(days float64) string { return p.F("%.0f days ago", days) }

func (p *pages) alertChips(l *lookup.Listed) g.Node {
	if len(l.Alerts) == 0 {
		return h.Span(h.Class("soft"), p.text("none"))
	}
	var chips g.Group
	for _, a := range l.Alerts {
		chips = append(chips, h.Span(h.Class("chip severity-"+a.Severity), h.Title(p.F("raised %s", p.day(a.RaisedAt))), g.Text(p.N(a.Rule))))
	}
	return h.Div(h.Class("chips"), chips)
}
