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
	c := content{title: "Overview"}
	if f.Latest == nil {
		c.refresh, c.body = soon, notice("No totals have been published yet", "They follow within portfolio.contribution_interval of the first events.")
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
	moved, err := equityMoved(f.Closes)
	if err != nil {
		return content{}, err
	}
	drivers := empty("They appear with the first closed day.")
	if n := len(closes); n > 0 {
		drivers = equityDrivers(&closes[n-1])
	}
	state := "Customers as last published"
	if now.State == "final" {
		state = "The final figures of a closed day"
	}
	c.body = []g.Node{
		heading(g.Text("Overview"), g.Text(state+". As of "), p.moment(now.AsOf.UnixMilli()), g.Text(".")),
		p.equity(&now),
		h.Div(h.Class("columns"), card("Churn risk", risks(&now)), card("Would recommend", promoters(&now)), card("Open alerts", openRules(t))),
		h.Div(h.Class("columns"), card("Value tiers", tiers(t)), card("Customer equity, day by day", p.trend(closes))),
		h.Div(h.Class("columns"), card("What has moved customer equity since the close before", moved), card("Equity surveys", drivers)),
	}
	return c, nil
}

func (p *pages) equity(now *portfolio) g.Node {
	nps := unknown
	if now.NPS != nil {
		nps = grouped(strconv.FormatFloat(*now.NPS, 'f', 0, 64))
	}
	orders := figure{"Predicted orders", unknown, "", "within the prediction horizon"}
	if now.Orders != nil {
		whole, _ := now.Orders.Float64()
		orders.value, orders.note = grouped(strconv.FormatFloat(whole, 'f', 0, 64)), likely(orders.note, now.OrdersLow, now.OrdersHigh)
	}
	return figures(
		figure{"Customer equity", grouped(now.Equity.String()), now.Currency, "spent and expected, of all customers"},
		figure{"Future value", grouped(now.Future.String()), now.Currency, likely("expected from them", now.FutureLow, now.FutureHigh)},
		orders,
		figure{"Historic revenue", grouped(now.Revenue.String()), now.Currency, "net, prospects included"},
		figure{"Average lifetime value", grouped(now.AverageCLV.String()), now.Currency, "per customer"},
		figure{"Customers", count(now.Customers), "", count(now.Active) + " active"},
		figure{"Prospects", count(now.Prospects), "", "known, without a standing order"},
		figure{"Net promoter score", nps, "", "from −100 to 100"},
	)
}

// likely adds an 80% interval to a note.
func likely(note string, low, high *json.Number) string {
	if low == nil || high == nil {
		return note
	}
	return note + ", 80%: " + grouped(low.String()) + " to " + grouped(high.String())
}

func count(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// bar is a row of a distribution.
type bar struct {
	name  g.Node
	class string
	n     int64
	note  string
}

func distribution(bars []bar) g.Node {
	whole := int64(0)
	for _, b := range bars {
		whole += b.n
	}
	return h.Dl(h.Class("bars"), g.Map(bars, func(b bar) g.Node {
		percent := ""
		if whole > 0 {
			percent = fmt.Sprintf("%.0f%%", 100*float64(b.n)/float64(whole))
		}
		return h.Div(h.Dt(b.name), h.Dd(h.Span(h.Class("value"), g.Text(count(b.n))), h.Span(h.Class("soft"), g.Text(percent)), share(b.class, float64(b.n), float64(whole)), g.If(b.note != "", h.Span(h.Class("note"), g.Text(b.note)))))
	}))
}

func risks(now *portfolio) g.Node {
	var bars []bar
	for _, name := range []string{"low", "medium", "high", "churned"} {
		bars = append(bars, bar{riskChip(name), "risk-" + name, now.Risks[name], ""})
	}
	return distribution(bars)
}

func promoters(now *portfolio) g.Node {
	if now.Promoters+now.Passives+now.Detractors == 0 {
		return empty("No survey was answered yet.")
	}
	return distribution([]bar{{g.Text("Promoters"), "promoter", now.Promoters, ""}, {g.Text("Passives"), "passive", now.Passives, ""}, {g.Text("Detractors"), "detractor", now.Detractors, ""}})
}

func openRules(t *lookup.Tally) g.Node {
	if len(t.Rules) == 0 {
		return empty("No alert is open.")
	}
	return h.Dl(h.Class("bars"), g.Map(t.Rules, func(r lookup.RuleCount) g.Node {
		return h.Div(h.Dt(h.Span(h.Class("chip severity-"+r.Severity), g.Text(words(r.Rule)))), h.Dd(h.A(h.Class("value"), h.Href("/v1/alerts?rule="+url.QueryEscape(r.Rule)), g.Attr("aria-label", words(r.Rule)+": open alerts as JSON"), g.Text(count(r.Open))), h.Span(h.Class("soft"), g.Text(r.Severity))))
	}))
}

func tiers(t *lookup.Tally) g.Node {
	names := map[string]string{"top_10": "Top 10%", "top_20": "Next 10%", "rest": "The rest"}
	known := int64(0)
	head := []cell{{label: "Tier"}, {label: "Customers", number: true}, {label: "Lifetime value, " + t.Unit.Code, number: true}, {label: "At stake, " + t.Unit.Code, number: true}}
	var rows [][]g.Node
	for _, tier := range t.Tiers {
		known += tier.Customers
		rows = append(rows, []g.Node{g.Text(names[tier.Name]), g.Text(count(tier.Customers)), g.Text(amount(t.Unit, tier.TotalCLV)), g.Text(amount(t.Unit, tier.ValueAtStake))})
	}
	if known == 0 {
		return empty("Tiers are drawn once there are enough customers (tiers.min_customers).")
	}
	return table("Value tiers", head, rows)
}

func (p *pages) trend(closes []portfolio) g.Node {
	if len(closes) < 2 {
		return empty("A line appears with the second closed day that the output topic holds.")
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
	c := newChart("Customer equity from "+p.day(first.AsOf.UnixMilli())+" to "+p.day(last.AsOf.UnixMilli()), first.AsOf.UnixMilli(), last.AsOf.UnixMilli(), high)
	for _, v := range []float64{0, high / 2, high} {
		c.level(v, short(v))
	}
	c.days(p.Zone)
	c.line("line", spots)
	return g.Group{c.node(), h.P(h.Class("soft"), g.Textf("%d closed days, the last with %s %s.", len(closes), grouped(last.Equity.String()), last.Currency))}
}

// short is a round number for an axis.
func short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "bn"}, {1e6, "m"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.of {
			return strconv.FormatFloat(math.Round(v/unit.of*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
}
