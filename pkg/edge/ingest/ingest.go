// Package ingest owns the intake of events over HTTP, for shops that do not write to Kafka: a request's events are checked by the
// code with which the stream's intake reads them, and written to the input topics, where they are read like all others.
//
// A request is accepted or refused as a whole. It is answered with 200 only after Kafka has acknowledged all of its events, so a client that
// got no answer, or one of 5xx or 429, sends the same request again: what was written already counts once, since the ledger knows
// the ids of events. To write a request in one Kafka transaction was rejected: it costs each request several round trips, and
// the client that gets no answer would have to repeat it all the same.
//
// It refuses to keep anything, to change an answer by any way but the input topics, and to say why a signature is wrong.
//
// Read answer.go for the story of a request, body.go for reading it, appender.go for the way into Kafka.
package ingest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
)

// Topic is an input topic.
type Topic struct {
	Name   string
	Format *format.Format // of its records; nil: Mainstay's own
}

// Config configures an Ingest.
type Config struct {
	Topics        [event.Kinds][]Topic // by kind of event, in the order of the settings; a kind may have none
	Decoder       func() (*event.Decoder, error)
	BodyMaxBytes  int64        // of a body, as it is sent and after decompression
	InFlightBytes int64        // of all requests that are not answered yet
	KafkaProblem  func() error // nil while Kafka works: no request waits for it while it is known to fail
	// Secrets are those of the vendors' signatures, by format, each read again for every request, so that it can be rotated. A format
	// without one needs a token.
	Secrets map[string]func() (string, error)
	Listen  func([]server.Route) (*server.Server, error)
	Now     func() time.Time
}

// Ingest serves the intake over HTTP.
type Ingest struct {
	cfg      Config
	formats  [event.Kinds]map[string]target // by name of the format
	decoders sync.Pool                      // of *reader: a decoder serves one request at a time
	memory   budget
	appender *appender
	metrics  *telemetry.Ingest
	log      *zap.Logger
	server   *server.Server
	origins  *http.CrossOriginProtection
}

// target is where the events of a format go.
type target struct {
	topic     string
	format    *format.Format // by which a body is read; nil: Mainstay's own
	translate bool           // no topic of the kind has the format: the event is written in Mainstay's own
}

// reader is what reads the items of a request.
type reader struct {
	decoder *event.Decoder
	result  event.Result
}

// New binds the address; the caller must call Run afterwards, or Close.
func New(cfg Config, k *kafka.Client, metrics *telemetry.Ingest, log *zap.Logger) (*Ingest, error) {
	if _, err := cfg.Decoder(); err != nil {
		return nil, err
	}
	in := &Ingest{cfg: cfg, memory: budget{free: cfg.InFlightBytes, taken: metrics.InFlightBytes}, metrics: metrics, log: log, origins: http.NewCrossOriginProtection()}
	in.decoders.New = func() any {
		d, err := cfg.Decoder()
		if err != nil {
			panic(err) // it was made before from the same options
		}
		return &reader{decoder: d}
	}
	var names []string
	for kind, topics := range cfg.Topics {
		formats, err := targets(topics)
		if err != nil {
			return nil, err
		}
		in.formats[kind] = formats
		for _, t := range topics {
			names = append(names, t.Name)
		}
	}
	in.appender = newAppender(k, names, cfg.Now, log)
	var err error
	in.server, err = cfg.Listen(in.routes())
	return in, err
}

// targets returns where events go by the names of their formats: to the first topic whose records have the format, as they came; if no topic
// has it, to the first topic of Mainstay's own format, translated. Without one of those, a shipped format that no topic has
// cannot be sent.
func targets(topics []Topic) (map[string]target, error) {
	all := map[string]target{}
	for _, t := range topics {
		name := format.Mainstay
		if t.Format != nil {
			name = t.Format.Name
		}
		if _, known := all[name]; !known {
			all[name] = target{topic: t.Name, format: t.Format}
		}
	}
	own, ok := all[format.Mainstay]
	if !ok {
		return all, nil
	}
	for _, name := range format.Names() {
		if _, known := all[name]; known {
			continue
		}
		f, err := format.Open(name)
		if err != nil {
			return nil, fmt.Errorf("the shipped format %s: %w", name, err)
		}
		all[name] = target{topic: own.topic, format: f, translate: true}
	}
	return all, nil
}

// Address is the bound address.
func (in *Ingest) Address() string { return in.server.Address() }

// Drain makes /readyz report that the process is shutting down, while requests are still answered.
func (in *Ingest) Drain() { in.server.Drain() }

// Close releases the address of an Ingest that did not run.
func (in *Ingest) Close() error { return in.server.Close() }

// Run serves until the context ends, then answers the requests that are under way, at most until the server's deadline.
func (in *Ingest) Run(ctx context.Context) error {
	appending, stop := context.WithCancel(context.WithoutCancel(ctx)) // requests under way still need it
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.appender.run(appending)
	}()
	err := in.server.Run(ctx)
	stop()
	<-ended
	return err
}

// knownFormats are the names of the formats in which events of a kind can be sent.
func (in *Ingest) knownFormats(kind event.Kind) []string {
	var names []string
	for name := range in.formats[kind] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
