package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// system shows what this process works on.
func (p *pages) system(r *http.Request) (content, error) {
	s := p.Views.Status()
	checks := p.Checks(r.Context())
	state := h.Span(h.Class("chip good"), p.text("Ready"))
	for _, c := range checks {
		if c.Problem != "" {
			state = h.Span(h.Class("chip bad"), p.text("Not ready"))
		}
	}
	var lag int64
	for _, in := range s.Inputs {
		lag += in.Lag
	}
	var ledgerLag int64
	for _, part := range s.Partitions {
		ledgerLag += part.Lag
	}
	return content{title: p.T("System"), body: []g.Node{
		heading(p.text("System"), state, h.Span(h.Class("soft"), p.text("what this process knows, as of "), p.moment(s.At.UnixMilli()))),
		h.Dl(h.Class("figures"), h.Div(h.Dt(p.text("Unread records")), h.Dd(h.Span(h.Class("value"), g.Text(p.count(lag))))), h.Div(h.Dt(p.text("Unfolded entries")), h.Dd(h.Span(h.Class("value"), g.Text(p.count(ledgerLag)))))),
		p.card("Dependencies", p.checksTable(checks)),
		p.card("Ledger partitions of this process", p.partitions()),
		p.card("Input partitions of this process", p.inputs()),
		p.card("Process", p.process(map[string]string{
			"Version": s.Build.Version, "Namespace": s.Namespace, "Ledger": s.LedgerID, "Clock": s.Clock, "Roles": strings.Join(s.Roles, ", "), "Started": s.StartedAt.Format(time.RFC3339),
		})),
		p.card("Endpoints", h.P(h.Class("links"), g.Map([]string{"/v1/openapi.json", "/v1/status", "/status", "/metrics", "/livez", "/readyz?verbose"}, func(path string) g.Node { return h.A(h.Href(path), g.Text(path)) }))),
	}}, nil
}

func (p *pages) checksTable(checks []server.CheckResult) g.Node {
	rows := make([][]g.Node, len(checks))
	for i, c := range checks {
		state, text := h.Span(h.Class("chip good"), p.text("ok")), ""
		if c.Problem != "" {
			state, text = h.Span(h.Class("chip bad"), p.text("fails")), c.Problem
		}
		rows[i] = []g.Node{g.Text(p.N(c.Name)), state, p.foreign(text)}
	}
	return p.table("Dependencies", []cell{{label: "Check"}, {label: "State"}, {label: "Problem"}}, rows)
}

func (p *pages) partitions() g.Node {
	all := p.Views.Status().Partitions
	if len(all) == 0 {
		return p.empty("None: another process folds them, or this one has not joined yet.")
	}
	rows := make([][]g.Node, len(all))
	for i, part := range all {
		rows[i] = []g.Node{g.Text(p.count(int64(part.Partition))), g.Text(p.count(part.Folded)), g.Text(p.count(part.Published)), g.Text(p.count(part.Committed)), g.Text(p.count(part.Lag)), p.timeIf(part.Time), p.halted(part.Halted, part.Cause)}
	}
	return p.table("Ledger partitions", []cell{
		{label: "Partition"}, {label: "Folded", number: true}, {label: "Published", number: true}, {label: "In Redis", number: true}, {label: "Lag", number: true}, {label: "Ledger time"}, {label: "State"},
	}, rows)
}

func (p *pages) inputs() g.Node {
	all := p.Views.Status().Inputs
	if len(all) == 0 {
		return p.empty("None: another process reads them, or this one has not joined yet.")
	}
	rows := make([][]g.Node, len(all))
	for i, in := range all {
		rows[i] = []g.Node{g.Text(in.Topic + "/" + strconv.Itoa(int(in.Partition))), g.Text(p.count(in.Read)), g.Text(p.count(in.Lag)), p.timeIf(in.Time), p.halted(in.Halted, in.Cause)}
	}
	return p.table("Input partitions", []cell{{label: "Partition"}, {label: "Read", number: true}, {label: "Lag", number: true}, {label: "Read up to"}, {label: "State"}}, rows)
}

func (p *pages) timeIf(t *time.Time) g.Node {
	if t == nil {
		return g.Text(unknown)
	}
	return p.moment(t.UnixMilli())
}

func (p *pages) halted(reason, cause string) g.Node {
	if reason == "" {
		return h.Span(h.Class("chip good"), p.text("runs"))
	}
	return g.Group{h.Span(h.Class("chip bad"), p.textf("halted: %s", reason)), h.Span(h.Class("note"), p.foreign(cause))}
}

func (p *pages) process(facts map[string]string) g.Node {
	var rows g.Group
	for _, name := range []string{"Version", "Namespace", "Ledger", "Clock", "Roles", "Started"} {
		rows = append(rows, h.Div(h.Dt(p.text(name)), h.Dd(g.Text(facts[name]))))
	}
	return h.Dl(h.Class("facts"), rows)
}
