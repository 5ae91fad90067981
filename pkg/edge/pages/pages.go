// Package pages owns the pages for people, which menu lists. They are made on the server, need no other host, and work from 360 pixels of
// width on, in light and dark, by keyboard. Only what moves has a script, and shows the same without it when it is loaded again.
//
// It refuses to read anything but what package views offers, and to change anything but the marks of customers on the list of calls. Every text of a customer is escaped; characters that
// would act instead of being read (control characters, changes of direction) are written out.
package pages

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the style sheet and the icon
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

//go:embed style.css
var style []byte

//go:embed mark.svg
var mark []byte

//go:embed alerts.js
var alertsScript []byte

// policy allows nothing but the style sheet and the icon of the pages themselves; with a script also that, and what it reads.
const (
	policy       = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	scriptPolicy = policy + "; script-src 'self'; connect-src 'self'"
)

// Config parameterises Routes.
type Config struct {
	Views  *views.Views
	Mark   callmark.Mark
	Checks func(context.Context) []server.CheckResult // of /readyz
	Zone   *time.Location                             // of the ledger
	Reader string                                     // locale of readers who have chosen none: a tag, or locale.Auto
	Now    func() time.Time
	Log    *zap.Logger
}

// Routes returns the pages and what they load.
func Routes(c Config) []server.Route {
	p := &pages{Config: c, streams: make(chan struct{}, mostStreams), origins: http.NewCrossOriginProtection()}
	all := []server.Route{
		{Pattern: "GET " + stylePath, Handler: asset("text/css; charset=utf-8", style)},
		{Pattern: "GET " + markPath, Handler: asset("image/svg+xml", mark)},
		{Pattern: "GET " + alertsScriptPath, Handler: asset("text/javascript; charset=utf-8", alertsScript)},
		{Pattern: "GET " + livePath, Scope: server.ScopeCustomers, Browser: true, Endless: true, Handler: http.HandlerFunc(p.live)},
		{Pattern: "POST " + callMarkPath, Scope: server.ScopeMarks, Browser: true, Handler: http.HandlerFunc(p.callMark)},
	}
	for _, page := range menu() {
		all = append(all, server.Route{Pattern: "GET " + page.pattern, Scope: page.scope, Browser: true, Handler: p.handler(page)})
	}
	return all
}

const (
	stylePath        = "/assets/style.css"
	markPath         = "/assets/mark.svg"
	alertsScriptPath = "/assets/alerts.js"
)

// page is one page of the menu.
type page struct {
	name    string
	path    string
	pattern string // of http.ServeMux
	scope   server.Scope
	show    func(*pages, *http.Request) (content, error)
}

func menu() []page {
	return []page{
		{"Today", "/", "/{$}", server.ScopeCustomers, (*pages).today},
		{"Customers", "/customer", "/customer", server.ScopeCustomers, (*pages).customer},
		{"Alerts", "/alerts", "/alerts", server.ScopeCustomers, (*pages).alerts},
		{"Overview", "/overview", "/overview", server.ScopeCustomers, (*pages).overview},
		{"Segments", "/segments", "/segments", server.ScopeCustomers, (*pages).segments},
		{"Cohorts", "/cohorts", "/cohorts", server.ScopeCustomers, (*pages).cohorts},
		{"Retention", "/retention", "/retention", server.ScopeCustomers, (*pages).retention},
		{"Costs", "/costs", "/costs", server.ScopeCustomers, (*pages).costs},
		{"Model", "/model", "/model", server.ScopeCustomers, (*pages).model},
		{"System", "/system", "/system", server.ScopeStatus, (*pages).system},
	}
}

// Paths are the paths of all pages, in the order of the menu.
func Paths() (all []string) {
	for _, page := range menu() {
		all = append(all, page.path)
	}
	return all
}

type pages struct {
	Config
	*locale.Locale // of the reader: each request has pages of its own

	streams chan struct{} // holds a token for each browser that is sent alerts
	origins *http.CrossOriginProtection
}

// content is what a page shows below the menu.
type content struct {
	status  int // 0: 200
	title   string
	search  string // what was searched for
	refresh int    // seconds after which a browser asks again; 0: never
	script  string // address of the page's script; empty: it has none
	body    []g.Node
	address *url.URL // of the page
}

func (p *pages) handler(at page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := p.readBy(r)
		c, err := at.show(p, r)
		if err != nil {
			c = p.failure(r, at, err)
		}
		p.write(w, r, at, c)
	})
}

func (p *pages) write(w http.ResponseWriter, r *http.Request, at page, c content) {
	if c.address = r.URL; r.Method == http.MethodPost { // which no link leads to
		c.address = &url.URL{Path: "/"}
	}
	if c.status == 0 {
		c.status = http.StatusOK
	}
	var body bytes.Buffer
	if err := p.document(at, c).Render(&body); err != nil {
		p.Log.Error("render a page", zap.String("page", at.path), zap.Error(err))
		http.Error(w, "the page could not be rendered; see the log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	p.state(w, r)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	if c.script != "" {
		h.Set("Content-Security-Policy", scriptPolicy)
	}
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Addresses have ids of customers, so no other host gets them. With no-referrer a browser would send forms with the origin null, which cannot
	// be told from that of a foreign page.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	server.WriteBody(w, r, c.status, body.Bytes())
}

// failure is the page of an error.
func (p *pages) failure(r *http.Request, at page, err error) content {
	switch {
	case errors.Is(err, lookup.ErrNoState):
		return content{status: http.StatusServiceUnavailable, title: p.T(at.name), refresh: soon, body: p.notice("Nothing has been computed yet", "This page fills as soon as a fold has read the first events. `mainstay status` says whether one is running.")}
	case errors.Is(err, views.ErrReading):
		return content{status: http.StatusServiceUnavailable, title: p.T(at.name), refresh: soon, body: p.notice("All customers are being read", "The page appears when the read is done.")}
	}
	if r.Context().Err() == nil {
		p.Log.Warn("a page could not be made", zap.String("page", at.path), zap.Error(err))
	}
	return content{status: http.StatusServiceUnavailable, title: p.T(at.name), body: p.notice("This page cannot be shown now", "Redis or Kafka did not answer. The page System says which; reload when it is back.")}
}

const soon = 3 // seconds

// asset serves a file that never changes under its address: the address has the hash.
func asset(kind string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		server.WriteBody(w, r, http.StatusOK, content)
	})
}

func addressOf(path string, content []byte) string {
	sum := sha256.Sum256(content)
	return path + "?v=" + hex.EncodeToString(sum[:6])
}
