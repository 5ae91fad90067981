package pages

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
		return p.noSuchCustomer(id), nil
	}
	if err != nil {
		return content{}, err
	}
	s := &profile.Scores
	about := []g.Node{p.riskChip(s.Churn.Risk)}
	if s.CLV.ValueTier.Known {
		about = append(about, p.chip(p.N(s.CLV.ValueTier.Value)))
	}
	if s.Promoter.Score.Known {
		about = append(about, p.chip(p.N(s.Promoter.Category)))
	}
	if s.Asked != s.Customer {
		about = append(about, h.Span(h.Class("soft"), name(s.Asked), p.text(" was merged into them; ")))
	}
	about = append(about, h.Span(h.Class("soft"), p.text("as of "), p.moment(s.AsOf)))
	c := content{title: shown(s.Customer), search: s.Customer}
	marked, pending := p.marked(r, backTo{"page": "customer"})
	if pending {
		c.refresh = soon
	}
	c.body = []g.Node{
		heading(name(s.Customer), about...),
		g.If(pending, marked), // the card says the rest
		h.P(h.Class("lead"), g.Text(p.why(&profile.Listed))),
		p.value(profile),
		p.card("Probability that they are still a customer", p.lifeChart(profile)),
		h.Div(h.Class("columns"),
			p.card("Why", p.reasons(profile)),
			p.card("Open alerts", p.openAlerts(profile)),
			p.card("Referrals", p.referrals(profile)),
			p.card("Engagement", p.engagement(profile)),
			p.attributes(profile),
			p.markCard(r, &profile.Listed),
		),
		p.card("What happened", p.timeline(profile)),
	}
	return c, nil
}

func (p *pages) noSuchCustomer(id string) content {
	return content{status: http.StatusNotFound, title: p.T("No such customer"), search: id, body: []g.Node{h.Section(
		h.Class("card notice"), h.H1(p.text("No such customer")), h.P(p.text("Nothing is known of "), name(id), p.text(".")),
		h.P(h.Class("soft"), p.text("An id is compared as a whole. Customers appear with their first event.")),
	)}}
}

func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

func (p *pages) value(profile *lookup.Profile) g.Node {
	s := &profile.Scores
	c, unit := &s.CLV, s.CLV.Currency
	overdue := ""
	if c.DaysOverdue.Known && c.DaysOverdue.Value > 0 {
		overdue = p.F("%.0f days overdue", c.DaysOverdue.Value)
	}
	ago := ""
	if d := s.Churn.DaysSinceLastOrder; d.Known {
		ago = p.daysAgo(d.Value)
	}
	score := unknown
	if s.Promoter.Score.Known {
		score = p.count(s.Promoter.Score.Value)
	}
	return p.figures(
		figure{"Lifetime value", p.amountIf(unit, c.Total), p.N(unit.Code), p.F("%s spent, %s expected", p.amount(unit, c.Historic), p.amountIf(unit, c.Predicted))},
		figure{
			"80% certain", p.F("%s–%s", p.amountIf(unit, c.PredictedInterval.Low), p.amountIf(unit, c.PredictedInterval.High)), p.N(unit.Code),
			p.F("from %s to %s orders within %d days", p.wholeIf(c.PredictedOrdersInterval.Low), p.wholeIf(c.PredictedOrdersInterval.High), c.HorizonDays),
		},
		figure{"At stake", p.amountIf(unit, s.ValueAtStake()), p.N(unit.Code), "expected value x probability gone"},
		figure{"Orders", p.count(c.Orders), "", p.F("%s %s on average", p.amountIf(unit, c.AverageOrderValue), p.N(unit.Code))},
		figure{"Last order", p.dayIf(s.Churn.LastOrderAt), "", ago},
		figure{"Usual rhythm", p.numberIf(c.AverageDaysBetweenOrders, 0), "days", "between purchase days"},
		figure{"Next order expected", p.dayIf(c.ExpectedDateOfNextOrder), "", overdue},
		figure{"Would recommend", score, "of 10", p.F("%d survey responses", s.Promoter.Responses)},
	)
}

func (p *pages) reasons(profile *lookup.Profile) g.Node {
	reasons := profile.Scores.Churn.Reasons.All()
	if len(reasons) == 0 {
		return p.empty("The model gives no reason: there is no standing order, or the risk is low.")
	}
	return h.Ul(g.Map(reasons, func(reason string) g.Node { return h.Li(p.foreign(reason)) }))
}

func (p *pages) openAlerts(profile *lookup.Profile) g.Node {
	if len(profile.Alerts) == 0 {
		return p.empty("None.")
	}
	return h.Ul(g.Map(profile.Alerts, func(a processors.OpenAlert) g.Node {
		return h.Li(h.Span(h.Class("chip severity-"+a.Severity), g.Text(p.N(a.Rule))), g.If(a.IsControl(), p.text(" (control)")), p.text(" since "), p.moment(a.RaisedAt))
	}))
}

func (p *pages) referrals(profile *lookup.Profile) g.Node {
	unit := profile.Scores.CLV.Currency
	by := h.P(p.text("Came without a referral."))
	if r := profile.Explanation.Referrer; r != nil {
		by = h.P(p.text("Referred by "), linked(*r), p.text("."))
	}
	if profile.Explanation.Referred == 0 {
		return g.Group{by, h.P(p.text("Has referred nobody."))}
	}
	return g.Group{by, h.P(p.textf("Has referred %d customers, who have spent ", profile.Explanation.Referred), h.Strong(g.Text(p.amount(unit, profile.Scores.CLV.ReferralValue)+" "+p.N(unit.Code))), p.text("."))}
}

func (p *pages) engagement(profile *lookup.Profile) g.Node {
	e := &profile.Scores.Engagement
	if !e.Known {
		return p.empty("No visit, review or support contact is known.")
	}
	return g.Group{
		h.P(p.text("Active on "), h.Strong(p.textf("%d", e.ActiveDays30)), p.text(" of the last 30 days and on "), h.Strong(p.textf("%d", e.ActiveDays90)), p.text(" of the last 90.")),
		h.P(p.text("Last seen "), p.moment(e.LastAt), p.text(", first "), p.moment(e.FirstAt), p.text(".")),
		h.P(p.textf("Support contacts: %d, of these %d within 90 days. Reviews: %d.", e.SupportContacts, e.SupportContacts90, e.Reviews)),
	}
}

// attributes is a card of what the shop states of the customer; nothing if it names no attributes.
func (p *pages) attributes(profile *lookup.Profile) g.Node {
	if len(p.Views.Attributes) == 0 {
		return nil
	}
	named := profile.Named(p.Views.Attributes)
	if len(named) == 0 {
		return p.card("Attributes", p.empty("No event has stated any."))
	}
	return p.card("Attributes", h.Ul(g.Map(slices.Sorted(maps.Keys(named)), func(name string) g.Node {
		return h.Li(p.foreign(name), g.Text(": "), h.Span(h.Dir("auto"), g.Text(shown(named[name]))))
	})))
}

// timelineLine is one line of the timeline.
type timelineLine struct {
	at   string // RFC 3339, or a day
	kind string
	text string
}

// timelineLines are what is known of a customer's past, the newest first.
func (p *pages) timelineLines(profile *lookup.Profile) []timelineLine {
	e := &profile.Explanation
	var all []timelineLine
	for _, d := range e.Days {
		text := p.T("1 order")
		if d.Orders != 1 {
			text = p.F("%d orders", d.Orders)
		}
		all = append(all, timelineLine{d.Day, "purchase", p.F("%s, %s %s net", text, p.grouped(d.Net.String()), p.N(e.Currency))})
	}
	for _, r := range e.Responses {
		text := p.F("answered a survey with %d of 10", r.Score)
		if r.Excluded {
			text += " " + p.T("(excluded from the figures)")
		}
		all = append(all, timelineLine{r.Created, "survey", text})
	}
	if x := e.Engaged; x != nil {
		all = append(all, timelineLine{x.First, "engagement", p.T("first engaged besides buying")}, timelineLine{x.Last, "engagement", p.T("last engaged besides buying")})
		for _, day := range x.SupportDays {
			all = append(all, timelineLine{day, "engagement", p.T("contacted support")})
		}
	}
	for _, a := range profile.Alerts {
		all = append(all, timelineLine{string(timestamp.Append(nil, a.RaisedAt)), "alert", p.F("alert: %s", p.N(a.Rule))})
	}
	if e.Ended != nil {
		all = append(all, timelineLine{*e.Ended, "end", p.T("subscription ended")})
	}
	if e.Closed != nil {
		all = append(all, timelineLine{*e.Closed, "end", p.T("account closed")})
	}
	slices.SortStableFunc(all, func(a, b timelineLine) int { return cmp.Compare(b.at[:len(time.DateOnly)], a.at[:len(time.DateOnly)]) })
	return all
}

func (p *pages) timeline(profile *lookup.Profile) g.Node {
	const most = 60
	all := p.timelineLines(profile)
	if len(all) == 0 {
		return p.empty("No standing order, no survey response and no engagement.")
	}
	more := len(all) - most
	return g.Group{
		h.Ol(h.Class("timeline"), g.Map(all[:min(most, len(all))], func(s timelineLine) g.Node {
			return h.Li(h.Class(s.kind), h.Time(h.DateTime(s.at), g.Text(p.dayOf(s.at))), h.Span(g.Text(s.text)))
		})),
		g.If(more > 0, h.P(h.Class("soft"), p.textf("and %d before", more))),
	}
}

// customers is the page Customers before one is chosen.
func (p *pages) customers(r *http.Request) (content, error) {
	const rows = 15
	l, err := p.Views.List(r.Context(), views.Query{Sort: "total_clv", Limit: rows})
	if err != nil {
		return content{}, err
	}
	c := content{title: p.T("Customers"), body: []g.Node{heading(p.text("Customers"), p.text("Find one by the id that your shop gives them, or begin with the most valuable ones."))}}
	if len(l.Rows) == 0 {
		c.refresh = soon
		c.body = append(c.body, p.card("Nobody yet", p.empty("Customers appear with their first event.")))
		return c, nil
	}
	unit := l.Rows[0].Scores.CLV.Currency
	head := []cell{{label: "Customer"}, {label: p.F("Lifetime value, %s", p.N(unit.Code)), number: true}, {label: "Orders", number: true}, {label: "Last order", number: true}, {label: "Risk"}, {label: "Promoter"}}
	lines := make([][]g.Node, len(l.Rows))
	for i := range l.Rows {
		s := &l.Rows[i].Scores
		lines[i] = []g.Node{
			linked(s.Customer), g.Text(p.amountIf(unit, s.CLV.Total)), g.Text(p.count(s.CLV.Orders)), g.Text(p.dayIf(s.Churn.LastOrderAt)),
			p.riskChip(s.Churn.Risk), g.Text(p.N(s.Promoter.Category)),
		}
	}
	c.body = append(c.body, h.Section(h.Class("card flush"), p.table("The most valuable customers", head, lines)))
	return c, nil
}
