package pages

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/money"
)

const (
	livePath     = "/alerts/live"
	mostOpen     = 100 // alerts that the table has
	mostLive     = 50  // alerts that the live list has; alerts.js has the same bound
	mostStreams  = 64  // browsers that are sent alerts at once
	livePause    = time.Second
	liveSilence  = 15 * time.Second // after which a comment is sent, by which both sides notice that the other is gone
	livePatience = 10 * time.Second // for one write
)

// alerts shows what is raised and cleared as it happens, the open alerts, and the rules.
func (p *pages) alerts(r *http.Request) (content, error) {
	model, err := p.Views.Model(r.Context())
	if err != nil {
		return content{}, err
	}
	rule := r.URL.Query().Get("rule")
	if !slices.ContainsFunc(model.Rules, func(a alert.Rule) bool { return a.Name == rule }) {
		rule = ""
	}
	open, err := p.Views.Tally(r.Context(), lookup.AlertQuery{Rule: rule, Limit: mostOpen})
	if err != nil {
		return content{}, err
	}
	recent, err := p.Views.Alerts.After(r.Context(), 0, mostLive)
	if err != nil { // Kafka is away, and Redis is not: what is open is shown all the same
		p.Log.Warn("the alerts that were published lately could not be read", zap.Error(err))
	}
	return content{title: p.T("Alerts"), script: addressOf(alertsScriptPath, alertsScript), body: []g.Node{
		heading(p.text("Alerts"), p.text("Customers who have crossed a threshold of a rule. As of "), p.moment(open.AsOf), p.text(".")),
		p.liveCard(recent),
		p.card("Open alerts", p.openTable(open, rule)...),
		p.card("Rules", p.rules(model.Rules, open)...),
	}}, nil
}

// liveCard lists what was published last. The script adds what is published from then on.
func (p *pages) liveCard(recent []views.Published) g.Node {
	from := int64(0)
	if len(recent) > 0 {
		from = recent[len(recent)-1].Number
	}
	slices.Reverse(recent)
	return h.Section(
		h.Class("card"),
		h.H2(p.text("As they happen "), h.Span(h.ID("live-state"), h.Class("chip"), h.Data("connected", p.T("connected")), h.Data("lost", p.T("not connected, trying again")), p.text("shown as of loading"))),
		g.If(len(recent) == 0, h.P(h.ID("live-none"), h.Class("soft empty"), p.text("None has been published lately."))),
		h.Ol(
			h.ID("live"), h.Class("live"), g.Attr("aria-live", "polite"), g.Attr("aria-label", p.T("Alerts as they happen")), g.Attr("tabindex", "0"), g.If(len(recent) == 0, g.Attr("hidden")),
			h.Data("from", fmt.Sprintf("%s?after=%d", livePath, from)), g.Map(recent, p.liveItem),
		),
	)
}

func (p *pages) liveItem(a views.Published) g.Node {
	what := g.Group{h.Span(h.Class("chip severity-"+a.Severity), g.Text(p.N(a.Rule))), g.If(a.Group == "control", p.text(" (control)")), p.text(" raised for ")}
	if a.State == "cleared" {
		what = g.Group{h.Span(h.Class("chip"), g.Text(p.N(a.Rule))), p.text(" cleared for ")}
	}
	detail := g.Group{p.foreign(shown(strings.Join(a.Reasons, "; ")))}
	switch {
	case a.State == "cleared":
		detail = g.Group{g.Text(p.whyCleared(a.ClearedReason))}
	case a.ValueAtStake != nil:
		detail = append(detail, p.textf("; %s %s at stake", p.grouped(a.ValueAtStake.String()), p.N(shown(a.Currency))))
	}
	return h.Li(p.moment(a.AsOf.UnixMilli()), h.Div(what, linked(a.Customer), h.Span(h.Class("note"), detail)))
}

// whyCleared says in words why an alert was cleared.
func (p *pages) whyCleared(reason string) string {
	switch reason {
	case alert.Condition:
		return p.T("it no longer holds")
	case alert.TermsChanged:
		return p.T("new parameters, value tiers or settings have ended it")
	}
	return p.N(reason)
}

// live sends alerts as server-sent events (the HTML standard, section 9.2): the id is the alert's number, the data a list item.
func (p *pages) live(w http.ResponseWriter, r *http.Request) {
	p = p.readBy(r)
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, p.F("alerts are sent to %d browsers already; load the page again to see new ones", mostStreams), http.StatusServiceUnavailable)
		return
	}
	number := lastSeen(r)
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	socket := http.NewResponseController(w)
	send := func(text []byte) bool {
		_ = socket.SetWriteDeadline(p.Now().Add(livePatience)) // what cannot be set is bounded by the server's own
		_, err := w.Write(text)
		return err == nil && socket.Flush() == nil
	}
	if !send([]byte(": alerts follow\n\n")) {
		return
	}
	sent, tick := p.Now(), time.NewTicker(livePause)
	defer tick.Stop()
	for {
		fresh, err := p.Views.Alerts.After(r.Context(), number, mostLive)
		var text bytes.Buffer
		for _, a := range fresh {
			number = a.Number
			fmt.Fprintf(&text, "id: %d\ndata: ", a.Number)
			_ = p.liveItem(a).Render(&text) // into memory; it has no line break, since shown writes them out
			text.WriteString("\n\n")
		}
		switch {
		case err != nil && p.Now().Sub(sent) >= liveSilence:
			text.WriteString(": the alerts cannot be read\n\n")
		case text.Len() == 0 && p.Now().Sub(sent) >= liveSilence:
			text.WriteString(": nothing new\n\n")
		}
		if text.Len() > 0 {
			if sent = p.Now(); !send(text.Bytes()) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// lastSeen is the number of the alert that a browser has seen last: by the header with which it connects again, or by the page's address.
func lastSeen(r *http.Request) int64 {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func (p *pages) openTable(t *lookup.Tally, rule string) []g.Node {
	all := int64(0)
	for _, r := range t.Rules {
		all += r.Open
	}
	nav := h.Nav(h.Class("choice"), g.Attr("aria-label", p.T("Rule")),
		h.A(h.Href("/alerts"), g.If(rule == "", g.Attr("aria-current", "true")), g.Text(p.T("All")+" "+p.count(all))),
		g.Map(t.Rules, func(r lookup.RuleCount) g.Node {
			return h.A(h.Href("/alerts?rule="+r.Rule), g.If(r.Rule == rule, g.Attr("aria-current", "true")), g.Text(p.N(r.Rule)+" "+p.count(r.Open)))
		}))
	if len(t.Alerts) == 0 {
		return []g.Node{h.Div(h.Class("tools"), nav), p.empty("No alert is open.")}
	}
	rows := make([][]g.Node, len(t.Alerts))
	for i := range t.Alerts {
		a := &t.Alerts[i]
		rows[i] = []g.Node{
			linked(a.Alert.Customer),
			g.Group{h.Span(h.Class("chip severity-"+a.Alert.Severity), g.Text(p.N(a.Alert.Rule))), g.If(a.Alert.IsControl(), p.text(" (control)"))},
			p.moment(a.Alert.RaisedAt),
			g.Text(p.amountIf(t.Unit, a.Customer.Scores.ValueAtStake())), g.Text(p.percentIf(a.Customer.Scores.Churn.Probability)), p.riskChip(a.Customer.Scores.Churn.Risk), g.Text(p.why(&a.Customer)),
		}
	}
	more := g.Node(nil)
	if t.Matching > int64(len(t.Alerts)) {
		more = h.P(h.Class("note"), p.textf("The newest %d of %s. All of them: mainstay alerts list.", len(t.Alerts), p.count(t.Matching)))
	}
	return []g.Node{h.Div(h.Class("tools"), nav), p.table("Open alerts", []cell{
		{label: "Customer"}, {label: "Rule"}, {label: "Raised"}, {label: p.F("At stake, %s", p.N(t.Unit.Code)), number: true}, {label: "Gone", number: true}, {label: "Risk"}, {label: "Now"},
	}, rows), more}
}

func (p *pages) rules(all []alert.Rule, t *lookup.Tally) []g.Node {
	if len(all) == 0 {
		return []g.Node{p.empty("There are none: alerts.rules is empty.")}
	}
	rows := make([][]g.Node, len(all))
	for i, r := range all {
		open := int64(0)
		for _, c := range t.Rules {
			if c.Rule == r.Name {
				open = c.Open
			}
		}
		rows[i] = []g.Node{g.Text(p.N(r.Name)), g.Text(p.opens(r, t.Unit)), h.Span(h.Class("chip severity-"+r.Severity), g.Text(p.C(r.Severity))), g.Text(p.count(open))}
	}
	return []g.Node{
		p.table("Rules", []cell{{label: "Rule"}, {label: "Opens when"}, {label: "Severity"}, {label: "Open", number: true}}, rows),
		h.P(h.Class("note"), p.text("How many alerts other thresholds would raise, and which one raises so many a day: mainstay alerts forecast.")),
	}
}

// opens says in words when a rule opens an episode.
func (p *pages) opens(r alert.Rule, unit money.Unit) string {
	text := p.N(r.Metric)
	if _, graded := alert.ScaleOf(r.Metric); graded {
		at := p.grouped(strconv.FormatFloat(r.At, 'f', -1, 64))
		if alert.InMoney(r.Metric) {
			at += " " + p.N(unit.Code)
		}
		if r.Below {
			text = p.F("%s is at or below %s", text, at)
		} else {
			text = p.F("%s is at or above %s", text, at)
		}
	} else if r.Metric == "value_tier" {
		tier := p.C([...]string{"rest", "top_20", "top_10"}[min(2, int(r.At))])
		if r.Below {
			text = p.F("%s falls to %s", text, tier)
		} else {
			text = p.F("%s rises to %s", text, tier)
		}
	}
	if r.For > 0 {
		text = p.F("%s for %s", text, p.duration(r.For))
	}
	if len(r.Tiers) > 0 {
		text = p.F("%s, in %s", text, p.either(r.Tiers))
	}
	if len(r.NPS) > 0 {
		text = p.F("%s, as a %s", text, p.either(r.NPS))
	}
	return text
}

// either lists classes of which one is enough.
func (p *pages) either(classes []string) string {
	words := make([]string, len(classes))
	for i, c := range classes {
		words[i] = p.C(c)
	}
	return strings.Join(words, p.T(" or "))
}

func (p *pages) duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return p.T("1 day")
	case d%day == 0:
		return p.F("%d days", int64(d/day))
	}
	return p.Digits(d.String())
}
