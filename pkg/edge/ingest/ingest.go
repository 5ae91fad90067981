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
	"maps"
	"net/http"
	"slices"
	"strings"
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
	// PassHeaders are the headers of a request that its records bear, too, so that intake passes them on.
	PassHeaders []string
	Listen      func([]server.Route) (*server.Server, error)
	Now         func() time.Time
}

// Ingest serves the intake over HTTP.
type Ingest struct {
	cfg      Config
	formats  [event.Kinds]map[string]target // by name of the format, for events that are sent to a kind's address
	mixed    map[string]target              // likewise, for those that are sent to the address of all kinds
	own      [event.Kinds]string            // the first topic of each kind whose records are in Mainstay's own format; "": there is none
	decoders sync.Pool                      // of *reader: a decoder serves one request at a time
	memory   budget
	appender *appender
	metrics  *telemetry.Ingest
	log      *zap.Logger
	server   *server.Server
	origins  *http.CrossOriginProtection
}

// target is where the events of a format go: a record as it came to a topic that has its format, or each event of it in Mainstay's own
// format to a topic of its kind (Ingest.own).
type target struct {
	format *format.Format      // by which a body is read; nil: Mainstay's own
	topics [event.Kinds]string // that have the format, by the kind of a record's first event; all "": it is translated
}

// to sends the records of a format to a topic, of whatever kind their events are.
func to(topic string, f *format.Format) target {
	t := target{format: f}
	for kind := range t.topics {
		t.topics[kind] = topic
	}
	return t
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
	for _, topics := range cfg.Topics {
		for _, t := range topics {
			names = append(names, t.Name)
		}
	}
	in.appender = newAppender(k, names, cfg.Now, log)
	if err := in.findTargets(); err != nil {
		return nil, err
	}
	var err error
	in.server, err = cfg.Listen(in.routes())
	return in, err
}

// findTargets finds where events go by the names of their formats: as they came to the first topic whose records have the format, of
// their kind if there is one; if no topic has it, translated to the first topics of Mainstay's own format. Without one of those, a
// shipped format that no topic has cannot be sent. Requests to forget customers are sent to their own address only.
func (in *Ingest) findTargets() error {
	in.mixed = map[string]target{}
	for kind, topics := range in.cfg.Topics {
		in.formats[kind] = map[string]target{}
		for _, t := range topics {
			name := format.Mainstay
			if t.Format != nil {
				name = t.Format.Name
			} else if in.own[kind] == "" {
				in.own[kind] = t.Name
			}
			if _, known := in.formats[kind][name]; !known {
				in.formats[kind][name] = to(t.Name, t.Format)
			}
			if all, known := in.mixed[name]; !event.Kind(kind).Descriptor().Apart {
				if !known {
					all = to(t.Name, t.Format)
				}
				all.topics[kind] = in.formats[kind][name].topics[kind]
				in.mixed[name] = all
			}
		}
	}
	if _, known := in.mixed[format.Mainstay]; known {
		in.mixed[format.Mainstay] = target{topics: in.own} // which hold one kind each
	}
	for _, name := range format.Names() {
		f, err := format.Open(name)
		if err != nil {
			return fmt.Errorf("the shipped format %s: %w", name, err)
		}
		for kind, formats := range in.formats {
			if _, known := formats[name]; !known && in.own[kind] != "" {
				formats[name] = target{format: f}
			}
		}
		if _, known := in.mixed[name]; !known {
			in.mixed[name] = target{format: f}
		}
	}
	return nil
}

// Address is the bound address.
func (in *Ingest) Address() string { return in.server.Address() }

// Drain makes /readyz report that the process is shutting down, while requests are still answered.
func (in *Ingest) Drain() { in.server.Drain() }

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

// namesOf are the names of the formats in which events can be sent to an address.
func namesOf(formats map[string]target) string {
	return strings.Join(slices.Sorted(maps.Keys(formats)), ", ")
}
