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
		Secrets: webhookSecrets(c.Ingest.Secrets), PassHeaders: c.Intake.PassHeaders,
		KafkaProblem: p.kafkaWatch.failing, Now: time.Now,
		Listen: func(routes []server.Route) (*server.Server, error) {
			return server.Listen(ctx, server.Options{
				Setting: "ingest.listen", Listen: c.Ingest.Listen, TokensFile: c.HTTP.TokensFile, Checks: []server.Check{check("kafka", p.kafkaWatch.failing)},
				Metrics: gatherer, Routes: routes, Log: p.log.Named(Ingest), Deadline: c.Shutdown.Deadline,
			})
		},
	}, p.app.Kafka, telemetry.NewIngest(reg, ingest.Outcomes(), append(event.KindNames(), ingest.Mixed), ingest.Results()), p.log.Named(Ingest))
	return err
}

// webhookSecrets are the secrets that are set, by format.
func webhookSecrets(c config.WebhookSecrets) map[string]func() (string, error) {
	all := map[string]func() (string, error){}
	for format, secret := range map[string]config.Secret{
		"shopify": c.Shopify, "woocommerce": c.WooCommerce, "stripe": c.Stripe, "segment": c.Segment, "delighted": c.Delighted, "typeform": c.Typeform, "friendbuy": c.Friendbuy,
	} {
		if secret.IsSet() {
			all[format] = secret.Read
		}
	}
	return all
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
