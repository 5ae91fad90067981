package server

import (
	"bytes"
	"net/http"

	"go.uber.org/zap"
)

// statusPage needs no script, no style sheet and no other host.
const statusPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}th{text-align:left;padding-right:2rem;vertical-align:top}</style>
<h1>{{.Title}}</h1>
<p>{{if .Ready}}Ready.{{else}}Not ready.{{end}}</p>
<table>
{{range .Lines}}<tr><th scope="row">{{.Name}}</th><td>{{.Value}}</td></tr>
{{end}}</table>
<ul>
<li><a href="/livez">/livez</a>: the process runs</li>
<li><a href="/readyz?verbose">/readyz?verbose</a>: it can do its work</li>
{{if .JSON}}<li><a href="/status">/status</a>: what it holds and how far it is</li>
{{end}}<li><a href="/metrics">/metrics</a>: for Prometheus</li>
</ul>
</html>
`

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	view := struct {
		Title string
		Ready bool
		JSON  bool
		Lines []Line
	}{Title: s.opts.Title, Ready: !s.draining.Load(), JSON: s.opts.JSON != nil}
	for _, o := range s.ready.ask(r.Context()) {
		line := Line{o.name, "ok"}
		if o.err != nil {
			line.Value, view.Ready = o.err.Error(), false
		}
		view.Lines = append(view.Lines, line)
	}
	if s.opts.Status != nil {
		view.Lines = append(view.Lines, s.opts.Status()...)
	}
	var body bytes.Buffer
	if err := s.status.Execute(&body, view); err != nil {
		s.opts.Log.Error("the status page was not made", zap.Error(err))
		text(w, http.StatusInternalServerError, "the status page was not made; the log says why\n")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes()) // the reader may have gone
}
