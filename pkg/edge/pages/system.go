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
	state := h.Span(h.Class("chip good"), g.Text("Ready"))
	for _, c := range checks {
		if c.Problem != "" {
			state = h.Span(h.Class("chip bad"), g.Text("Not ready"))
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
	return content{title: "System", body: []g.Node{
		heading(g.Text("System"), state, h.Span(h.Class("soft"), g.Text("what this process knows, as of "), p.moment(s.At.UnixMilli()))),
		h.Dl(h.Class("figures"), h.Div(h.Dt(g.Text("Unread records")), h.Dd(h.Span(h.Class("value"), g.Text(count(lag))))), h.Div(h.Dt(g.Text("Unfolded entries")), h.Dd(h.Span(h.Class("value"), g.Text(count(ledgerLag)))))),
		card("Dependencies", checksTable(checks)),
		card("Ledger partitions of this process", p.partitions()),
		card("Input partitions of this process", p.inputs()),
		card("Process", process(map[string]string{
			"Version": s.Build.Version, "Namespace": s.Namespace, "Ledger": s.LedgerID, "Clock": s.Clock, "Roles": strings.Join(s.Roles, ", "), "Started": s.StartedAt.Format(time.RFC3339),
		})),
		card("Endpoints", h.P(h.Class("links"), g.Map([]string{"/v1/openapi.json", "/v1/status", "/status", "/metrics", "/livez", "/readyz?verbose"}, func(path string) g.Node { return h.A(h.Href(path), g.Text(path)) }))),
	}}, nil
}

func checksTable(checks []server.CheckResult) g.Node {
	rows := make([][]g.Node, len(checks))
	for i, c := range checks {
		state, text := h.Span(h.Class("chip good"), g.Text("ok")), ""
		if c.Problem != "" {
			state, text = h.Span(h.Class("chip bad"), g.Text("fails")), c.Problem
		}
		rows[i] = []g.Node{g.Text(words(c.Name)), state, g.Text(text)}
	}
	return table("Dependencies", []cell{{label: "Check"}, {label: "State"}, {label: "Problem"}}, rows)
}

func (p *pages) partitions() g.Node {
	all := p.Views.Status().Partitions
	if len(all) == 0 {
		return empty("None: another process folds them, or this one has not joined yet.")
	}
	rows := make([][]g.Node, len(all))
	for i, part := range all {
		rows[i] = []g.Node{g.Text(strconv.Itoa(int(part.Partition))), g.Text(count(part.Folded)), g.Text(count(part.Published)), g.Text(count(part.Committed)), g.Text(count(part.Lag)), p.timeIf(part.Time), halted(part.Halted, part.Cause)}
	}
	return table("Ledger partitions", []cell{
		{label: "Partition"}, {label: "Folded", number: true}, {label: "Published", number: true}, {label: "In Redis", number: true}, {label: "Lag", number: true}, {label: "Ledger time"}, {label: "State"},
	}, rows)
}

func (p *pages) inputs() g.Node {
	all := p.Views.Status().Inputs
	if len(all) == 0 {
		return empty("None: another process reads them, or this one has not joined yet.")
	}
	rows := make([][]g.Node, len(all))
	for i, in := range all {
		rows[i] = []g.Node{g.Text(in.Topic + "/" + strconv.Itoa(int(in.Partition))), g.Text(count(in.Read)), g.Text(count(in.Lag)), p.timeIf(in.Time), halted(in.Halted, in.Cause)}
	}
	return table("Input partitions", []cell{{label: "Partition"}, {label: "Read", number: true}, {label: "Lag", number: true}, {label: "Read up to"}, {label: "State"}}, rows)
}

func (p *pages) timeIf(t *time.Time) g.Node {
	if t == nil {
		return g.Text(unknown)
	}
	return p.moment(t.UnixMilli())
}

func halted(reason, cause string) g.Node {
	if reason == "" {
		return h.Span(h.Class("chip good"), g.Text("runs"))
	}
	return g.Group{h.Span(h.Class("chip bad"), g.Text("halted: "+reason)), h.Span(h.Class("note"), g.Text(cause))}
}

func process(facts map[string]string) g.Node {
	var rows g.Group
	for _, name := range []string{"Version", "Namespace", "Ledger", "Clock", "Roles", "Started"} {
		rows = append(rows, h.Div(h.Dt(g.Text(name)), h.Dd(g.Text(facts[name]))))
	}
	return h.Dl(h.Class("facts"), rows)
}
