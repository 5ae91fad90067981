package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/schemas/event"
)

const eventsPath = "/v1/events/{kind}"

func (in *Ingest) routes() []server.Route {
	return []server.Route{
		{Pattern: "POST " + eventsPath, Scope: server.ScopeEvents, Signed: in.signed, Handler: in.handler(in.accept)},
		{Pattern: "GET " + documentPath, Scope: server.ScopeEvents, Handler: http.HandlerFunc(in.document)},
		{Pattern: "/", Scope: server.ScopeEvents, Handler: in.handler(nowhere)},
	}
}

// answer is the body of a request's 200.
type answer struct {
	Accepted int       `json:"accepted"` // events that were written
	Skipped  []skipped `json:"skipped"`  // items that are no event that counts; the stream would skip them as well
}

type skipped struct {
	Item   int    `json:"item"` // from 0
	Reason string `json:"reason"`
}

// handler measures a request and writes its answer.
func (in *Ingest) handler(answer func(http.ResponseWriter, *http.Request) (*answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := in.cfg.Now()
		outcome := accepted
		body, err := answer(w, r)
		if err != nil {
			why := in.why(r, err)
			outcome = why.name
			why.write(w)
		} else {
			encoded, err := json.Marshal(body)
			if err != nil { // numbers and texts can be encoded
				panic(err)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			server.WriteBody(w, r, http.StatusOK, append(encoded, '\n'))
		}
		in.metrics.Requests.WithLabelValues(outcome).Inc()
		in.metrics.RequestDuration.Observe(in.cfg.Now().Sub(began).Seconds())
	})
}

// why is what a request is answered that is not accepted.
func (in *Ingest) why(r *http.Request, err error) *refusal {
	if why := (*refusal)(nil); errors.As(err, &why) {
		return why
	}
	if r.Context().Err() != nil {
		return &refusal{problemKind: disconnected} // nobody is there to read it
	}
	in.log.Error("a request with events failed", zap.Error(err))
	return &refusal{problemKind: internal, detail: "the request could not be answered; see the log"}
}

// nowhere answers every other path and method.
func nowhere(w http.ResponseWriter, r *http.Request) (*answer, error) {
	if _, err := event.ParseKind(strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(eventsPath, "{kind}"))); err == nil {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(notAllowed, "send events by POST")
	}
	return nil, refuse(unknownPath, "events are sent to "+eventsPath+", where kind is one of "+strings.Join(event.KindNames(), ", "))
}

// accept reads a request, checks each of its events, and writes them all, or none.
func (in *Ingest) accept(w http.ResponseWriter, r *http.Request) (*answer, error) {
	if err := in.origins.Check(r); err != nil {
		return nil, refuse(foreignOrigin, "a browser sent this for a page of another host")
	}
	kind, to, err := in.target(r)
	if err != nil {
		return nil, err
	}
	if err := in.cfg.KafkaProblem(); err != nil {
		return nil, refuse(unavailable, "Kafka does not answer; send the request again")
	}
	memory := reservation{from: &in.memory}
	defer memory.release()
	if !memory.reserve(requestBytes) {
		return nil, refuse(busy, "too many requests are under way (ingest.in_flight_bytes): send it again")
	}
	sent, plain, err := readBody(w, r, in.cfg.BodyMaxBytes, &memory)
	if err != nil {
		return nil, err
	}
	switch ping, err := in.authenticate(r, sent); {
	case err != nil:
		return nil, err
	case ping:
		return &answer{Skipped: []skipped{}}, nil
	}
	items, err := split(plain)
	if err != nil {
		return nil, err
	}
	records, skips, err := in.check(kind, to, items)
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		if err := in.appender.append(r.Context(), records); err != nil {
			return nil, err
		}
	}
	in.count(kind, resultAccepted, len(records))
	in.count(kind, resultSkipped, len(skips))
	return &answer{Accepted: len(records), Skipped: skips}, nil
}

// target reads where a request's events go.
func (in *Ingest) target(r *http.Request) (event.Kind, target, error) {
	kind, err := event.ParseKind(r.PathValue("kind"))
	if err != nil {
		return 0, target{}, refuse(unknownPath, "the kind of event must be one of "+strings.Join(event.KindNames(), ", "))
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, target{}, refuse(unknownParameter, "the query string cannot be decoded")
	}
	for name, values := range query {
		if name != "format" || len(values) > 1 {
			return 0, target{}, refuse(unknownParameter, "the only parameter is format, once")
		}
	}
	if len(in.formats[kind]) == 0 {
		return 0, target{}, refuse(noTopic, "set kafka.topics."+kind.Descriptor().Topic+" to send "+kind.String()+" events")
	}
	name := query.Get("format")
	if name == "" {
		name = format.Mainstay
	}
	to, ok := in.formats[kind][name]
	if !ok {
		return 0, target{}, refuse(unknownFormat, fmt.Sprintf("%s events can be sent in the formats %s: those of their topics, and if a topic has the format mainstay, all shipped ones (kafka.topics.%s)",
			kind, strings.Join(in.knownFormats(kind), ", "), kind.Descriptor().Topic))
	}
	return kind, to, nil
}

// mostErrors is how many items a refusal names.
const mostErrors = 20

// check reads the items as the stream will, and returns their records. One item that is refused refuses all.
func (in *Ingest) check(kind event.Kind, to target, items [][]byte) (records []record, skips []skipped, err error) {
	reader := in.decoders.Get().(*reader) //nolint:forcetypeassert // the pool holds nothing else
	defer in.decoders.Put(reader)
	now := in.cfg.Now().UnixMilli()
	skips = []skipped{}
	why := &refusal{problemKind: eventsRefused}
	for i, item := range items {
		m := event.Message{Value: item, Timestamp: now}
		err := to.format.Decode(reader.decoder, kind, &m, now, &reader.result)
		var value []byte
		if err == nil && reader.result.Skip == "" {
			value, err = to.value(kind, item)
		}
		refused := (*event.Refused)(nil)
		switch {
		case errors.As(err, &refused):
			why.errors = append(why.errors, server.ItemError{Item: i, Field: refused.Field, Reason: string(refused.Reason), Detail: refused.Detail})
		case err != nil:
			return nil, nil, err
		case reader.result.Skip != "":
			skips = append(skips, skipped{i, reader.result.Skip})
		default:
			records = append(records, record{item: i, topic: to.topic, key: []byte(reader.result.Customer), value: value, timestamp: now})
		}
		if len(why.errors) == mostErrors {
			break
		}
	}
	if len(why.errors) > 0 {
		in.count(kind, resultRefused, len(items))
		why.detail = describe(why.errors)
		return nil, nil, why
	}
	return records, skips, nil
}

func (in *Ingest) count(kind event.Kind, result string, n int) {
	in.metrics.Events.WithLabelValues(kind.String(), result).Add(float64(n))
}

// value is an item as it is written: as it came, if its topic has its format.
func (t target) value(kind event.Kind, item []byte) ([]byte, error) {
	if !t.translate {
		return item, nil
	}
	translated, err := t.format.Translate(kind, item)
	return translated.Value, err
}

// describe is the first error as one line.
func describe(all []server.ItemError) string {
	e := all[0]
	text := (&event.Refused{Field: e.Field, Reason: event.Reason(e.Reason), Detail: e.Detail}).Error()
	if more := len(all) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more items, see errors", more)
	}
	return fmt.Sprintf("item %d: %s", e.Item, text)
}
