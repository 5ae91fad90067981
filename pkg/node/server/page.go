package server

import (
	"bytes"
	_ "embed" // the style sheet
	"net/http"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

//go:embed page.css
var style string

// page shows readiness, the process and its endpoints. It needs no script and no other host. html/template was rejected: it makes
// the linker keep every method of the program. gomponents escapes text as well.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	ready := !s.draining.Load()
	var checks []g.Node
	for _, o := range s.ready.run(r.Context()) {
		if o.err != nil {
			ready = false
			checks = append(checks, row(o.name, h.Class("bad"), g.Text(o.err.Error())))
		} else {
			checks = append(checks, row(o.name, h.Class("good"), g.Text("ok")))
		}
	}
	var lines []Line
	if s.opts.StatusLines != nil {
		lines = s.opts.StatusLines()
	}
	var body bytes.Buffer
	if err := s.document(ready, checks, lines).Render(&body); err != nil {
		s.opts.Log.Error("render the status page", zap.Error(err))
		writeText(w, http.StatusInternalServerError, "the status page could not be rendered; see the log\n")
		return
	}
	to := w.Header()
	to.Set("Content-Type", "text/html; charset=utf-8")
	to.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	to.Set("X-Content-Type-Options", "nosniff")
	to.Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes()) // the client may have disconnected
}

func (s *Server) document(ready bool, checks []g.Node, lines []Line) g.Node {
	state := h.Span(h.Class("state good"), g.Text("Ready"))
	if !ready {
		state = h.Span(h.Class("state bad"), g.Text("Not ready"))
	}
	return h.Doctype(h.HTML(
		h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(s.opts.Title)),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(h.Main(
			h.Header(h.H1(g.Text(s.opts.Title)), state),
			card("Dependencies", checks),
			card("Process", g.Map(lines, func(l Line) g.Node { return row(l.Name, g.Text(l.Value)) })),
			card("Endpoints", s.links()),
		)),
	))
}

// card is a table with a heading; without rows it is left out.
func card(title string, rows []g.Node) g.Node {
	return g.If(len(rows) > 0, h.Section(h.H2(g.Text(title)), h.Table(h.TBody(rows...))))
}

func row(name string, value ...g.Node) g.Node {
	return h.Tr(h.Th(h.Scope("row"), g.Text(name)), h.Td(value...))
}

func (s *Server) links() []g.Node {
	link := func(path, about string) g.Node {
		return h.Tr(h.Th(h.Scope("row"), h.A(h.Href(path), g.Text(path))), h.Td(g.Text(about)))
	}
	rows := []g.Node{link("/livez", "liveness"), link("/readyz?verbose", "readiness, with every check")}
	if s.opts.StatusJSON != nil {
		rows = append(rows, link("/status", "partitions, positions and lag, as JSON"))
	}
	return append(rows, link("/metrics", "Prometheus metrics"))
}
