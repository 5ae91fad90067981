package process

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
)

// listenForEvents assembles the role ingest. Its listener is one of its own, since it is what a shop shows to the internet, and the pages
// and the API are not. http.allow_anonymous does not concern it.
func (p *Process) listenForEvents(ctx context.Context, gatherer prometheus.Gatherer, reg prometheus.Registerer) (err error) {
	c := p.app.Config
	topics, err := eventTopics(c)
	if err != nil {
		return err
	}
	p.ingest, err = ingest.New(ingest.Config{
		Topics: topics, Decoder: func() (*event.Decoder, error) { return p.app.Decoder(p.genesis) },
		BodyMaxBytes: int64(c.Ingest.BodyMaxBytes), InFlightBytes: int64(c.Ingest.InFlightBytes),
		KafkaProblem: p.kafkaWatch.failing, Now: time.Now,
		Listen: func(routes []server.Route) (*server.Server, error) {
			return server.Listen(ctx, server.Options{
				Setting: "ingest.listen", Listen: c.Ingest.Listen, TokensFile: c.HTTP.TokensFile, Checks: []server.Check{check("kafka", p.kafkaWatch.failing)},
				Metrics: gatherer, Routes: routes, Log: p.log.Named(Ingest), Deadline: c.Shutdown.Deadline,
			})
		},
	}, p.app.Kafka, telemetry.NewIngest(reg, ingest.Outcomes(), event.KindNames(), ingest.Results()), p.log.Named(Ingest))
	return err
}

// eventTopics are the input topics by kind, with their formats.
func eventTopics(c config.Config) (all [event.Kinds][]ingest.Topic, err error) {
	formats, err := app.Formats(c)
	if err != nil {
		return all, err
	}
	for kind := range event.Kinds {
		for _, name := range c.Kafka.Topics.Names(kind) {
			all[kind] = append(all[kind], ingest.Topic{Name: name, Format: formats[name]})
		}
	}
	return all, nil
}
