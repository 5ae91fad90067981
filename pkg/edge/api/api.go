// Package api owns the API under /v1/: its routes, what they accept and answer, and their description as OpenAPI.
//
// Each route is declared once, in routes.go; the handlers, docs/openapi.json and the contract test walk that table. Amounts and other
// figures have the names that they have in the outputs.
//
// It refuses to change anything but the marks of customers on the list of calls, and to read anything but what package views offers. Who may
// ask is decided in package server.
package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
)

//go:generate go run ../../../cmd/openapi -o ../../../docs/openapi.json

// Routes returns the routes of the API.
func Routes(v *views.Views, mark callmark.Mark, log *zap.Logger) []server.Route {
	a := &api{views: v, mark: mark, log: log, origins: http.NewCrossOriginProtection()}
	var all []server.Route
	for _, r := range routes() {
		//mutant:mark-by-reader insert r.scope = server.ScopeCustomers
		all = append(all, server.Route{Pattern: r.method() + " " + r.path, Scope: r.scope, Handler: a.handler(r)})
	}
	all = append(all, server.Route{Pattern: "GET " + documentPath, Scope: server.ScopeCustomers, Handler: http.HandlerFunc(a.document)})
	return append(all, server.Route{Pattern: "/v1/", Scope: server.ScopeCustomers, Handler: http.HandlerFunc(nowhere)})
}

type api struct {
	views   *views.Views
	mark    callmark.Mark
	log     *zap.Logger
	origins *http.CrossOriginProtection
}

func (a *api) handler(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		arguments, err := r.arguments(request)
		if err == nil && r.writes {
			err = a.readBody(w, request, &r, arguments)
		}
		var result any
		if err == nil {
			result, err = r.answer(a, request.Context(), arguments)
		}
		if err != nil {
			a.refuse(w, request, r, err)
			return
		}
		if body, is := result.(exportAnswer); is {
			a.stream(w, request, r, body)
			return
		}
		w.Header().Set("Cache-Control", "private, no-cache") // a cache asks again each time, with the ETag
		if tagged, ok := result.(interface{ etag() string }); ok {
			tag := tagged.etag()
			w.Header().Set("ETag", tag)
			if matches(request.Header.Get("If-None-Match"), tag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		status := http.StatusOK
		if late, is := result.(interface{ status() int }); is {
			status = late.status()
		}
		a.write(w, request, status, result)
	})
}

func (a *api) write(w http.ResponseWriter, r *http.Request, status int, result any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is no HTML
	if err := encoder.Encode(result); err != nil {
		a.log.Error("encode an answer of the API", zap.String("path", r.Pattern), zap.Error(err))
		server.WriteProblem(w, problem(internal, "the answer could not be encoded; see the log"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	server.WriteBody(w, r, status, body.Bytes())
}

func (a *api) refuse(w http.ResponseWriter, r *http.Request, at route, err error) {
	var asProblem *problemError
	var query *views.QueryError
	var parameter *report.ParameterError
	var field *callmark.FieldError
	switch {
	case errors.As(err, &asProblem):
		server.WriteProblem(w, asProblem.problem)
	case errors.As(err, &parameter):
		server.WriteProblem(w, problem(badParameter, parameter.Error()))
	case errors.As(err, &field):
		server.WriteProblem(w, problem(badParameter, field.Error()))
	case errors.As(err, &query) && query.Parameter == "sort":
		server.WriteProblem(w, problem(unknownColumn, query.Error()))
	case errors.As(err, &query) && query.Parameter == "by":
		server.WriteProblem(w, problem(badParameter, query.Error()))
	case errors.As(err, &query):
		server.WriteProblem(w, problem(badCondition, query.Error()))
	case errors.Is(err, enter.ErrCopying):
		server.WriteProblem(w, problem(copying, "mark the customer in the ledger that is copied, of which the copy gets it"))
	case errors.Is(err, lookup.ErrUnknownCustomer), errors.Is(err, enter.ErrNoCustomer):
		server.WriteProblem(w, problem(unknownCustomer, "ids are compared byte for byte, after the ledger's normalisation"))
	case errors.Is(err, lookup.ErrNoState):
		server.WriteProblem(w, problem(noStateYet, "Redis holds no state of this ledger yet, or not every input has been read: check with `mainstay status` that intake and fold are running"))
	case errors.Is(err, export.ErrOffsets):
		server.WriteProblem(w, problem(badParameter, err.Error()))
	case errors.Is(err, export.ErrRetention):
		server.WriteProblem(w, problem(outputsDeleted, "retention has deleted outputs since these offsets: export all customers, without since"))
	case errors.Is(err, views.ErrReading), errors.Is(err, views.ErrExporting):
		w.Header().Set("Retry-After", "5")
		server.WriteProblem(w, problem(stillReading, err.Error()))
	case r.Context().Err() != nil: // nobody is there to read an answer
	default:
		a.log.Warn("a request to the API failed", zap.String("path", at.path), zap.Error(err))
		w.Header().Set("Retry-After", "5")
		server.WriteProblem(w, problem(unavailable, "Redis or Kafka did not answer; the log says which"))
	}
}

// nowhere answers every other path under /v1/.
func nowhere(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		server.WriteProblem(w, problem(notAllowed, "GET and HEAD read; nothing is written but marks, by POST "+markPath))
		return
	}
	server.WriteProblem(w, problem(unknownPath, "the paths are in "+documentPath))
}
