package ingest

import (
	"net/http"
	"strconv"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// kind of problem; its name is unique, a program may rely on it.
type problemKind struct {
	name       string
	status     int
	title      string
	retryAfter int // seconds; 0: sending it again does not help
}

//nolint:gochecknoglobals // a constant table
var (
	unknownPath       = problemKind{"unknown_path", http.StatusNotFound, "There is no such path", 0}
	notAllowed        = problemKind{"method_not_allowed", http.StatusMethodNotAllowed, "Events are sent by POST", 0}
	foreignOrigin     = problemKind{"foreign_origin", http.StatusForbidden, "A web page of another host may not send events", 0}
	wrongSignature    = problemKind{"signature", http.StatusUnauthorized, "The request is not signed as it must be", 0}
	noTopic           = problemKind{"no_topic", http.StatusNotFound, "The kind of event has no input topic", 0}
	unknownParameter  = problemKind{"unknown_parameter", http.StatusBadRequest, "The path has no such parameter", 0}
	unknownFormat     = problemKind{"unknown_format", http.StatusBadRequest, "Events of this kind cannot be sent in this format", 0}
	unsupportedCoding = problemKind{"unsupported_encoding", http.StatusUnsupportedMediaType, "The body's encoding is not read", 0}
	bodyUnreadable    = problemKind{"body_unreadable", http.StatusBadRequest, "The body cannot be read", 0}
	bodyTooLarge      = problemKind{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large", 0}
	noEvent           = problemKind{"no_event", http.StatusBadRequest, "The body holds no event", 0}
	eventsRefused     = problemKind{"events_refused", http.StatusBadRequest, "Events cannot be understood; nothing of the request was accepted", 0}
	eventTooLarge     = problemKind{"event_too_large", http.StatusRequestEntityTooLarge, "An event is larger than its topic accepts", 0}
	recordRefused     = problemKind{"record_refused", http.StatusBadRequest, "Kafka refuses an event", 0}
	busy              = problemKind{"busy", http.StatusTooManyRequests, "Too many requests are waiting for their answer", 1}
	disconnected      = problemKind{"disconnected", http.StatusServiceUnavailable, "The client has disconnected", 5}
	internal          = problemKind{"internal", http.StatusInternalServerError, "The answer could not be made", 5}
	unavailable       = problemKind{"unavailable", http.StatusServiceUnavailable, "Kafka has not acknowledged the events", 5}
)

// problemKinds are all problems of a request that passed the check of its token.
func problemKinds() []problemKind {
	return []problemKind{
		unknownPath, notAllowed, foreignOrigin, wrongSignature, noTopic, unknownParameter, unknownFormat, unsupportedCoding, bodyUnreadable, bodyTooLarge, noEvent,
		eventsRefused, eventTooLarge, recordRefused, busy, disconnected, internal, unavailable,
	}
}

// accepted is the outcome of a request that is no problem.
const accepted = "accepted"

// Outcomes are the outcomes of requests, for metrics.
func Outcomes() []string {
	all := []string{accepted}
	for _, k := range problemKinds() {
		all = append(all, k.name)
	}
	return all
}

// The results of events, for metrics.
const (
	resultAccepted = "accepted"
	resultSkipped  = "skipped"
	resultRefused  = "refused"
)

// Results are the results of events, for metrics.
func Results() []string { return []string{resultAccepted, resultSkipped, resultRefused} }

// refusal is why a request is not accepted.
type refusal struct {
	problemKind

	detail string
	errors []server.ItemError
}

func (r *refusal) Error() string { return r.name + ": " + r.detail }

func refuse(k problemKind, detail string) error { return &refusal{problemKind: k, detail: detail} }

func (r *refusal) write(w http.ResponseWriter) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	server.WriteProblem(w, server.Problem{Name: r.name, Title: r.title, Status: r.status, Detail: r.detail, Errors: r.errors})
}
