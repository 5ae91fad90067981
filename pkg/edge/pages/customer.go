package pages

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// customer shows one customer, or without an id whom one may want to look at.
func (p *pages) customer(r *http.Request) (content, error) {
	id := strings.TrimSpace(r.URL.Query().Get("id"))
	if id == "" {
		return p.customers(r)
	}
	profile, err := p.Views.Profile(r.Context(), id)
	if errors.Is(err, lookup.ErrUnknownCustomer) {
		return content{status: http.StatusNotFound, title: "No such customer", search: id, body: []g.Node{h.Section(
			h.Class("card notice"), h.H1(g.Text("No such customer")), h.P(g.Text("Nothing is known of "), name(id), g.Text(".")),
			h.P(h.Class("soft"), g.Text("An id is compared as a whole. Customers appear with their first event.")),
		)}}, nil
	}
	if err != nil {
		return content{}, err
	}
	s := &profile.Scores
	about := []g.Node{riskChip(s.Churn.Risk)}
	if s.CLV.ValueTier.Known {
		about = append(about, chip(words(s.CLV.ValueTier.Value)))
	}
	if s.Promoter.Score.Known {
		about = append(about, chip(words(s.Promoter.Category)))
	}
	if s.Asked != s.Customer {
		about = append(about, h.Span(h.Class("soft"), name(s.Asked), g.Text(" was merged into them; ")))
	}
	about = append(about, h.Span(h.Class("soft"), g.Text("as of "), p.moment(s.AsOf)))
	return content{title: shown(s.Customer), search: s.Customer, body: []g.Node{
		heading(name(s.Customer), about...),
		h.P(h.Class("lead"), g.Text(why(&profile.Listed))),
		p.value(profile),
		card("Probability that they are still a customer", p.lifeChart(profile)),
		h.Div(h.Class("columns"),
			card("Why", p.reasons(profile)),
			card("Open alerts", p.openAlerts(profile)),
			card("Referrals", p.referrals(profile)),
			card("Engagement", p.engagement(profile)),
		),
		card("What happened", p.timeline(profile)),
	}}, nil
}

func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (p *pages) value(profile *lookup.Profile) g.Node {
	s := &profile.Scores
	c, unit := &s.CLV, s.CLV.Currency
	overdue := ""
	if c.DaysOverdue.Known && c.DaysOverdue.Value > 0 {
		overdue = fmt.Sprintf("%.0f days overdue", c.DaysOverdue.Value)
	}
	ago := ""
	if d := s.Churn.DaysSinceLastOrder; d.Known {
		ago = daysAgo(d.Value)
	}
	score := unknown
	if s.Promoter.Score.Known {
		score = strconv.FormatInt(s.Promoter.Score.Value, 10)
	}
	return figures(
		figure{"Lifetime value", amountIf(unit, c.Total), unit.Code, fmt.Sprintf("%s spent, %s expected", amount(unit, c.Historic), amountIf(unit, c.Predicted))},
		figure{
			"80% certain", amountIf(unit, c.PredictedInterval.Low) + "–" + amountIf(unit, c.PredictedInterval.High), unit.Code,
			fmt.Sprintf("from %s to %s orders within %d days", wholeIf(c.PredictedOrdersInterval.Low), wholeIf(c.PredictedOrdersInterval.High), c.HorizonDays),
		},
		figure{"At stake", amountIf(unit, s.ValueAtStake()), unit.Code, "expected value x probability gone"},
		figure{"Orders", grouped(strconv.FormatInt(c.Orders, 10)), "", amountIf(unit, c.AverageOrderValue) + " " + unit.Code + " on average"},
		figure{"Last order", p.dayIf(s.Churn.LastOrderAt), "", ago},
		figure{"Usual rhythm", numberIf(c.AverageDaysBetweenOrders, 0), "days", "between purchase days"},
		figure{"Next order expected", p.dayIf(c.ExpectedDateOfNextOrder), "", overdue},
		figure{"Would recommend", score, "of 10", fmt.Sprintf("%d survey responses", s.Promoter.Responses)},
	)
}

func (p *pages) reasons(profile *lookup.Profile) g.Node {
	reasons := profile.Scores.Churn.Reasons.All()
	if len(reasons) == 0 {
		return empty("The model gives no reason: there is no standing order, or the risk is low.")
	}
	return h.Ul(g.Map(reasons, func(reason string) g.Node { return h.Li(g.Text(reason)) }))
}

func (p *pages) openAlerts(profile *lookup.Profile) g.Node {
	if len(profile.Alerts) == 0 {
		return empty("None.")
	}
	return h.Ul(g.Map(profile.Alerts, func(a processors.OpenAlert) g.Node {
		return h.Li(h.Span(h.Class("chip severity-"+a.Severity), g.Text(words(a.Rule))), g.If(a.IsControl(), g.Text(" (control)")), g.Text(" since "), p.moment(a.RaisedAt))
	}))
}

func (p *pages) referrals(profile *lookup.Profile) g.Node {
	unit := profile.Scores.CLV.Currency
	by := h.P(g.Text("Came without a referral."))
	if r := profile.Explanation.Referrer; r != nil {
		by = h.P(g.Text("Referred by "), linked(*r), g.Text("."))
	}
	if profile.Explanation.Referred == 0 {
		return g.Group{by, h.P(g.Text("Has referred nobody."))}
	}
	return g.Group{by, h.P(g.Textf("Has referred %d customers, who have spent ", profile.Explanation.Referred), h.Strong(g.Text(amount(unit, profile.Scores.CLV.ReferralValue)+" "+unit.Code)), g.Text("."))}
}

func (p *pages) engagement(profile *lookup.Profile) g.Node {
	e := &profile.Scores.Engagement
	if !e.Known {
		return empty("No visit, review or support contact is known.")
	}
	return g.Group{
		h.P(g.Text("Active on "), h.Strong(g.Textf("%d", e.ActiveDays30)), g.Text(" of the last 30 days and on "), h.Strong(g.Textf("%d", e.ActiveDays90)), g.Text(" of the last 90.")),
		h.P(g.Text("Last seen "), p.moment(e.LastAt), g.Text(", first "), p.moment(e.FirstAt), g.Text(".")),
		h.P(g.Textf("Support contacts: %d, of these %d within 90 days. Reviews: %d.", e.SupportContacts, e.SupportContacts90, e.Reviews)),
	}
}

// timelineLine is one line of the timeline.
type timelineLine struct {
	at   string // RFC 3339, or a day
	kind string
	text string
}

// timelineLines are what is known of a customer's past, the newest first.
func timelineLines(profile *lookup.Profile) []timelineLine {
	e := &profile.Explanation
	var all []timelineLine
	for _, d := range e.Days {
		text := "1 order"
		if d.Orders != 1 {
			text = fmt.Sprintf("%d orders", d.Orders)
		}
		all = append(all, timelineLine{d.Day, "purchase", text + ", " + grouped(d.Net.String()) + " " + e.Currency + " net"})
	}
	for _, r := range e.Responses {
		text := fmt.Sprintf("answered a survey with %d of 10", r.Score)
		if r.Excluded {
			text += " (excluded from the figures)"
		}
		all = append(all, timelineLine{r.Created, "survey", text})
	}
	if x := e.Engaged; x != nil {
		all = append(all, timelineLine{x.First, "engagement", "first engaged besides buying"}, timelineLine{x.Last, "engagement", "last engaged besides buying"})
		for _, day := range x.SupportDays {
			all = append(all, timelineLine{day, "engagement", "contacted support"})
		}
	}
	for _, a := range profile.Alerts {
		all = append(all, timelineLine{string(timestamp.Append(nil, a.RaisedAt)), "alert", "alert: " + words(a.Rule)})
	}
	if e.Ended != nil {
		all = append(all, timelineLine{*e.Ended, "end", "subscription ended"})
	}
	if e.Closed != nil {
		all = append(all, timelineLine{*e.Closed, "end", "account closed"})
	}
	slices.SortStableFunc(all, func(a, b timelineLine) int { return cmp.Compare(b.at[:len(time.DateOnly)], a.at[:len(time.DateOnly)]) })
	return all
}

func (p *pages) timeline(profile *lookup.Profile) g.Node {
	const most = 60
	all := timelineLines(profile)
	if len(all) == 0 {
		return empty("No standing order, no survey response and no engagement.")
	}
	more := len(all) - most
	return g.Group{
		h.Ol(h.Class("timeline"), g.Map(all[:min(most, len(all))], func(s timelineLine) g.Node {
			return h.Li(h.Class(s.kind), h.Time(h.DateTime(s.at), g.Text(s.at[:len(time.DateOnly)])), h.Span(g.Text(s.text)))
		})),
		g.If(more > 0, h.P(h.Class("soft"), g.Textf("and %d before", more))),
	}
}

// customers is the page Customers before one is chosen.
func (p *pages) customers(r *http.Request) (content, error) {
	const rows = 15
	l, err := p.Views.List(r.Context(), views.Query{Sort: "total_clv", Limit: rows})
	if err != nil {
		return content{}, err
	}
	c := content{title: "Customers", body: []g.Node{heading(g.Text("Customers"), g.Text("Find one by the id that your shop gives them, or begin with the most valuable ones."))}}
	if len(l.Rows) == 0 {
		c.refresh = soon
		c.body = append(c.body, card("Nobody yet", empty("Customers appear with their first event.")))
		return c, nil
	}
	unit := l.Rows[0].Scores.CLV.Currency
	head := []cell{{label: "Customer"}, {label: "Lifetime value, " + unit.Code, number: true}, {label: "Orders", number: true}, {label: "Last order", number: true}, {label: "Risk"}, {label: "Promoter"}}
	lines := make([][]g.Node, len(l.Rows))
	for i := range l.Rows {
		s := &l.Rows[i].Scores
		lines[i] = []g.Node{
			linked(s.Customer), g.Text(amountIf(unit, s.CLV.Total)), g.Text(grouped(strconv.FormatInt(s.CLV.Orders, 10))), g.Text(p.dayIf(s.Churn.LastOrderAt)),
			riskChip(s.Churn.Risk), g.Text(words(s.Promoter.Category)),
		}
	}
	c.body = append(c.body, h.Section(h.Class("card flush"), table("The most valuable customers", head, lines)))
	return c, nil
}
