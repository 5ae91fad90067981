package ingest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/schemas/event"
)

// The addresses of the events of a kind, and of those of all kinds.
const (
	eventsPath = "/v1/events/{kind}"
	mixedPath  = "/v1/events"
)

func (in *Ingest) routes() []server.Route {
	return []server.Route{
		{Pattern: "POST " + eventsPath, Scope: server.ScopeEvents, Signed: in.signed, Handler: in.handler(in.accept)},
		{Pattern: "POST " + mixedPath, Scope: server.ScopeEvents, Signed: in.signed, Handler: in.handler(in.accept)},
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
	_, err := event.ParseKind(strings.TrimPrefix(r.URL.Path, mixedPath+"/"))
	if err == nil || r.URL.Path == mixedPath {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(notAllowed, "send events by POST")
	}
	return nil, refuse(unknownPath, "events are sent to "+eventsPath+", where kind is one of "+strings.Join(event.KindNames(), ", ")+", or to "+mixedPath)
}

// accept reads a request, checks each of its events, and writes them all, or none.
func (in *Ingest) accept(w http.ResponseWriter, r *http.Request) (*answer, error) {
	if err := in.origins.Check(r); err != nil {
		return nil, refuse(foreignOrigin, "a browser sent this for a page of another host")
	}
	at, err := in.addressOf(r)
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
	records, skips, err := in.check(at, items, in.passedHeaders(r.Header))
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		if err := in.appender.append(r.Context(), records); err != nil {
			return nil, err
		}
	}
	events := 0
	for i := range records {
		in.count(records[i].kind.String(), resultAccepted, records[i].events)
		events += records[i].events
	}
	in.count(at.String(), resultSkipped, len(skips))
	return &answer{Accepted: events, Skipped: skips}, nil
}

// address is what a request is sent to.
type address struct {
	kind   event.Kind // of the events
	mixed  bool       // events of all kinds but erasures; kind has no meaning
	target target
}

// Mixed stands for the kind of events, in metrics, where it is not known.
const Mixed = "mixed"

func (a *address) String() string {
	if a.mixed {
		return Mixed
	}
	return a.kind.String()
}

// addressOf reads where a request's events go.
func (in *Ingest) addressOf(r *http.Request) (*address, error) {
	at := address{mixed: r.PathValue("kind") == ""}
	formats, setting := in.mixed, "kafka.topics"
	if !at.mixed {
		var err error
		if at.kind, err = event.ParseKind(r.PathValue("kind")); err != nil {
			return nil, refuse(unknownPath, "the kind of event must be one of "+strings.Join(event.KindNames(), ", "))
		}
		formats, setting = in.formats[at.kind], setting+"."+at.kind.Descriptor().Topic
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(unknownParameter, "the query string cannot be decoded")
	}
	for name, values := range query {
		if name != "format" || len(values) > 1 {
			return nil, refuse(unknownParameter, "the only parameter is format, once")
		}
	}
	if len(formats) == 0 {
		return nil, refuse(noTopic, "set "+setting+" to send "+at.String()+" events")
	}
	name := query.Get("format")
	if name == "" {
		name = format.Mainstay
	}
	var ok bool
	if at.target, ok = formats[name]; !ok {
		return nil, refuse(unknownFormat, fmt.Sprintf("%s events can be sent in the formats %s: those of their topics, and if a topic has the format mainstay, all shipped ones (%s)",
			at.String(), namesOf(formats), setting))
	}
	return &at, nil
}

// passedHeaders encodes the headers of a request that its records bear, too; nil: there are none.
func (in *Ingest) passedHeaders(h http.Header) []byte {
	var passed []kafka.Header
	for _, name := range in.cfg.PassHeaders {
		if value := h.Get(name); value != "" {
			passed = append(passed, kafka.Header{Key: name, Value: []byte(value)})
		}
	}
	if passed == nil {
		return nil
	}
	return kafka.EncodeHeaders(nil, passed)
}

// mostErrors is how many items a refusal names.
const mostErrors = 20

// check reads the items as the stream will, and returns their records. One item that is refused refuses all.
func (in *Ingest) check(at *address, items [][]byte, headers []byte) (records []record, skips []skipped, err error) {
	reader := in.decoders.Get().(*reader) //nolint:forcetypeassert // the pool holds nothing else
	defer in.decoders.Put(reader)
	now := in.cfg.Now().UnixMilli()
	skips = []skipped{}
	why := &refusal{problemKind: eventsRefused}
	for i, item := range items {
		of, skip, err := in.read(reader, at, item, now)
		refused := (*event.Refused)(nil)
		switch {
		case errors.As(err, &refused):
			why.errors = append(why.errors, server.ItemError{Item: i, Field: refused.Field, Reason: string(refused.Reason), Detail: refused.Detail})
		case err != nil:
			return nil, nil, err
		case len(of) == 0:
			skips = append(skips, skipped{i, skip})
		}
		for j := range of {
			of[j].item, of[j].headers = i, headers
		}
		records = append(records, of...)
		if len(why.errors) == mostErrors {
			break
		}
	}
	if len(why.errors) > 0 {
		in.count(at.String(), resultRefused, len(items))
		why.detail = describe(why.errors)
		return nil, nil, why
	}
	return records, skips, nil
}

// read returns the records of an item, or why it is skipped.
func (in *Ingest) read(with *reader, at *address, item []byte, now int64) (records []record, skip string, err error) {
	kind, f := at.kind, at.target.format
	if at.mixed && f == nil {
		if kind, err = event.KindOfRecord(item); err != nil {
			return nil, "", err //nolint:wrapcheck // Refused says where
		}
	}
	if at.mixed && kind.Descriptor().Apart {
		return nil, "", &event.Refused{Field: "type", Reason: event.Mismatch, Detail: "an event of the kind " + kind.String() + " is sent to /v1/events/" + kind.String()}
	}
	m := event.Message{Value: item, Timestamp: now}
	err = f.Decode(with.decoder, kind, &m, now, &with.result, func(_ int, value []byte) {
		if with.result.Skip != "" {
			skip = cmp.Or(skip, with.result.Skip)
			return
		}
		of, _ := event.KindOf(&with.result.Event) // what is not skipped has a body
		records = append(records, record{kind: of, events: 1, topic: in.own[of], key: []byte(with.result.Customer), value: value, timestamp: now})
	})
	if err != nil || len(records) == 0 {
		return nil, skip, err //nolint:wrapcheck // likewise
	}
	if topic := at.target.topics[records[0].kind]; topic != "" {
		whole := records[0]
		whole.topic, whole.value, whole.events = topic, item, len(records)
		return []record{whole}, "", nil
	}
	for i := range records {
		if kind := records[i].kind; records[i].topic == "" {
			setting := "kafka.topics." + kind.Descriptor().Topic
			return nil, "", &event.Refused{Field: "type", Reason: event.Mismatch, Detail: "it has a " + kind.String() + ", and no topic of " + setting + " has the format mainstay"}
		}
	}
	return records, "", nil
}

func (in *Ingest) count(kind, result string, n int) {
	in.metrics.Events.WithLabelValues(kind, result).Add(float64(n))
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
