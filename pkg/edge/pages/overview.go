package pages

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// portfolio is what the page shows of an output of the portfolio.
type portfolio struct {
	AsOf       time.Time        `json:"as_of"`
	State      string           `json:"state"`
	Currency   string           `json:"currency"`
	Customers  int64            `json:"customers"`
	Prospects  int64            `json:"prospects"`
	Active     int64            `json:"active_customers"`
	Risks      map[string]int64 `json:"churn_risk"`
	Promoters  int64            `json:"promoters"`
	Passives   int64            `json:"passives"`
	Detractors int64            `json:"detractors"`
	NPS        *float64         `json:"nps"`
	Revenue    json.Number      `json:"historic_revenue"`
	Future     json.Number      `json:"future_value"`
	FutureLow  *json.Number     `json:"future_value_low"` // null in outputs of earlier releases
	FutureHigh *json.Number     `json:"future_value_high"`
	Orders     *json.Number     `json:"predicted_number_of_orders"`
	OrdersLow  *json.Number     `json:"predicted_number_of_orders_low"`
	OrdersHigh *json.Number     `json:"predicted_number_of_orders_high"`
	Equity     json.Number      `json:"customer_equity"`
	AverageCLV json.Number      `json:"average_clv"`

	Drivers map[string]struct {
		Responses int64        `json:"responses"`
		Mean      *json.Number `json:"mean_score"`
		Error     *json.Number `json:"standard_error"`
	} `json:"equity_drivers"` // null unless the portfolio is final
}

// overview shows all customers together.
func (p *pages) overview(r *http.Request) (content, error) {
	f, err := p.Views.Portfolio.Read(r.Context())
	if err != nil {
		return content{}, err
	}
	c := content{title: p.T("Overview")}
	if f.Latest == nil {
		c.refresh, c.body = soon, p.notice("No totals have been published yet", "They follow within portfolio.contribution_interval of the first events.")
		return c, nil
	}
	var now portfolio
	closes := make([]portfolio, len(f.Closes))
	err = json.Unmarshal(f.Latest, &now)
	for i := range closes {
		if err == nil {
			err = json.Unmarshal(f.Closes[i], &closes[i])
		}
	}
	if err != nil {
		return content{}, fmt.Errorf("decode the portfolio: %w", err)
	}
	t, err := p.Views.Tally(r.Context(), lookup.AlertQuery{})
	if err != nil {
		return content{}, err
	}
	moved, err := p.equityMoved(f.Closes)
	if err != nil {
		return content{}, err
	}
	drivers := p.empty("They appear with the first closed day.")
	if n := len(closes); n > 0 {
		drivers = p.equityDrivers(&closes[n-1])
	}
	state := "Customers as last published"
	if now.State == "final" {
		state = "The final figures of a closed day"
	}
	c.body = []g.Node{
		heading(p.text("Overview"), g.Text(p.T(state)+p.T(". As of ")), p.moment(now.AsOf.UnixMilli()), p.text(".")),
		p.equity(&now),
		h.Div(h.Class("columns"), p.card("Churn risk", p.risks(&now)), p.card("Would recommend", p.promoters(&now)), p.card("Open alerts", p.openRules(t))),
		h.Div(h.Class("columns"), p.card("Value tiers", p.tiers(t)), p.card("Customer equity, day by day", p.trend(closes))),
		h.Div(h.Class("columns"), p.card("What has moved customer equity since the close before", moved), p.card("Equity surveys", drivers)),
	}
	return c, nil
}

func (p *pages) equity(now *portfolio) g.Node {
	nps := unknown
	if now.NPS != nil {
		nps = p.grouped(strconv.FormatFloat(*now.NPS, 'f', 0, 64))
	}
	orders := figure{"Predicted orders", unknown, "", "within the prediction horizon"}
	if now.Orders != nil {
		whole, _ := now.Orders.Float64()
		orders.value, orders.note = p.grouped(strconv.FormatFloat(whole, 'f', 0, 64)), p.likely(orders.note, now.OrdersLow, now.OrdersHigh)
	}
	return p.figures(
		figure{"Customer equity", p.grouped(now.Equity.String()), p.N(now.Currency), "spent and expected, of all customers"},
		figure{"Future value", p.grouped(now.Future.String()), p.N(now.Currency), p.likely("expected from them", now.FutureLow, now.FutureHigh)},
		orders,
		figure{"Historic revenue", p.grouped(now.Revenue.String()), p.N(now.Currency), "net, prospects included"},
		figure{"Average lifetime value", p.grouped(now.AverageCLV.String()), p.N(now.Currency), "per customer"},
		figure{"Customers", p.count(now.Customers), "", p.F("%s active", p.count(now.Active))},
		figure{"Prospects", p.count(now.Prospects), "", "known, without a standing order"},
		figure{"Net promoter score", nps, "", "from −100 to 100"},
	)
}

// likely adds an 80% interval to a note.
func (p *pages) likely(note string, low, high *json.Number) string {
	if low == nil || high == nil {
		return note
	}
	return p.F("%s, 80%%: %s to %s", p.T(note), p.grouped(low.String()), p.grouped(high.String()))
}

// bar is a row of a distribution.
type bar struct {
	name  g.Node
	class string
	n     int64
	note  string
}

func (p *pages) distribution(bars []bar) g.Node {
	whole := int64(0)
	for _, b := range bars {
		whole += b.n
	}
	return h.Dl(h.Class("bars"), g.Map(bars, func(b bar) g.Node {
		percent := ""
		if whole > 0 {
			percent = p.wholePercent(float64(b.n) / float64(whole))
		}
		return h.Div(h.Dt(b.name), h.Dd(h.Span(h.Class("value"), g.Text(p.count(b.n))), h.Span(h.Class("soft"), g.Text(percent)), share(b.class, float64(b.n), float64(whole)), g.If(b.note != "", h.Span(h.Class("note"), g.Text(b.note)))))
	}))
}

func (p *pages) risks(now *portfolio) g.Node {
	var bars []bar
	for _, name := range []string{"low", "medium", "high", "churned"} {
		bars = append(bars, bar{p.riskChip(name), "risk-" + name, now.Risks[name], ""})
	}
	return p.distribution(bars)
}

func (p *pages) promoters(now *portfolio) g.Node {
	if now.Promoters+now.Passives+now.Detractors == 0 {
		return p.empty("No survey was answered yet.")
	}
	return p.distribution([]bar{{p.text("Promoters"), "promoter", now.Promoters, ""}, {p.text("Passives"), "passive", now.Passives, ""}, {p.text("Detractors"), "detractor", now.Detractors, ""}})
}

func (p *pages) openRules(t *lookup.Tally) g.Node {
	if len(t.Rules) == 0 {
		return p.empty("No alert is open.")
	}
	return h.Dl(h.Class("bars"), g.Map(t.Rules, func(r lookup.RuleCount) g.Node {
		return h.Div(h.Dt(h.Span(h.Class("chip severity-"+r.Severity), g.Text(p.N(r.Rule)))), h.Dd(h.A(h.Class("value"), h.Href("/v1/alerts?rule="+url.QueryEscape(r.Rule)), g.Attr("aria-label", p.F("%s: open alerts as JSON", p.N(r.Rule))), g.Text(p.count(r.Open))), h.Span(h.Class("soft"), g.Text(p.C(r.Severity)))))
	}))
}

func (p *pages) tiers(t *lookup.Tally) g.Node {
	names := map[string]string{"top_10": "Top 10%", "top_20": "Next 10%", "rest": "The rest"}
	known := int64(0)
	head := []cell{{label: "Tier"}, {label: "Customers", number: true}, {label: p.F("Lifetime value, %s", p.N(t.Unit.Code)), number: true}, {label: p.F("At stake, %s", p.N(t.Unit.Code)), number: true}}
	var rows [][]g.Node
	for _, tier := range t.Tiers {
		known += tier.Customers
		rows = append(rows, []g.Node{p.text(names[tier.Name]), g.Text(p.count(tier.Customers)), g.Text(p.amount(t.Unit, tier.TotalCLV)), g.Text(p.amount(t.Unit, tier.ValueAtStake))})
	}
	if known == 0 {
		return p.empty("Tiers are drawn once there are enough customers (tiers.min_customers).")
	}
	return p.table("Value tiers", head, rows)
}

func (p *pages) trend(closes []portfolio) g.Node {
	if len(closes) < 2 {
		return p.empty("A line appears with the second closed day that the output topic holds.")
	}
	var spots []spot
	high := 0.0
	for i := range closes {
		v, err := closes[i].Equity.Float64()
		if err != nil {
			continue
		}
		spots = append(spots, spot{closes[i].AsOf.UnixMilli(), v})
		high = max(high, v)
	}
	first, last := closes[0], closes[len(closes)-1]
	c := p.newChart(p.F("Customer equity from %s to %s", p.day(first.AsOf.UnixMilli()), p.day(last.AsOf.UnixMilli())), first.AsOf.UnixMilli(), last.AsOf.UnixMilli(), high)
	for _, v := range []float64{0, high / 2, high} {
		c.level(v, p.short(v))
	}
	c.days(p.day)
	c.line("line", spots)
	return g.Group{c.node(), h.P(h.Class("soft"), p.textf("%d closed days, the last with %s %s.", len(closes), p.grouped(last.Equity.String()), p.N(last.Currency)))}
}

// short is a round number for an axis.
func (p *pages) short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "%sbn"}, {1e6, "%sm"}, {1e3, "%sk"}} {
		if math.Abs(v) >= unit.of {
			return p.F(unit.name, p.plain(strconv.FormatFloat(math.Round(v/unit.of*10)/10, 'f', -1, 64)))
		}
	}
	return p.plain(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
}
