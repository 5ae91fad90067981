// Package app owns the assembly: from a configuration to clients, an intake, a fold, webhooks and their metrics. The commands, the demo and
// the tests assemble the same process here.
//
// It refuses to run any of them, and to load configuration.
package app

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Hooks replace the outside world: tests inject an in-memory network, faults and a seeded random source. The zero value
// uses the real ones.
type Hooks struct {
	KafkaDial   func(ctx context.Context, network, address string) (net.Conn, error)
	KafkaAround func(ctx context.Context, c kafka.Call, do func(context.Context) error) error
	RedisDial   func(ctx context.Context, network, address string) (net.Conn, error)
	RedisAround func(ctx context.Context, call string, do func(context.Context) error) error
	Registry    http.RoundTripper                            // answers the requests to the schema registry; nil: the network does
	AtStep      func(ctx context.Context, step string) error // called by intake and fold at every labelled step
	Random      func() uint64
	Now         func() time.Time
	Linger      time.Duration // of the intake's fetch; 0: the default
	Embedded    bool          // Redis is miniredis, which does not report its policies
}

// App holds the configuration and the clients from which the roles are assembled.
type App struct {
	Config config.Config
	// Parameters are those of model.parameters_file, which a fold appends if their version is higher than the ledger's; nil: none.
	Parameters *ledger.Parameters
	Kafka      *kafka.Client
	Redis      *redis.Client
	Registry   *registry.Registry // nil: none is configured
	log        *zap.Logger
	hooks      Hooks
}

// New makes the clients without connecting.
func New(c config.Config, log *zap.Logger, hooks Hooks) (*App, error) {
	if hooks.Random == nil {
		hooks.Random = Random
	}
	if hooks.Linger == 0 {
		hooks.Linger = linger
	}
	if hooks.Now == nil {
		hooks.Now = time.Now
	}
	kafkaTLS, err := tlsSource(c.Kafka.TLS, "kafka.tls")
	if err != nil {
		return nil, err
	}
	k, err := kafka.New(kafka.Config{
		Brokers: c.Kafka.Brokers, ClientID: c.Kafka.ClientID, TLS: kafkaTLS,
		SASL: saslSource(c.Kafka.SASL, hooks.Now),
		Dial: hooks.KafkaDial, Around: hooks.KafkaAround, Compression: c.Kafka.Compression, Timeout: c.Kafka.Timeout,
	})
	if err != nil {
		return nil, err
	}
	redisTLS, err := tlsSource(c.Redis.TLS, "redis.tls")
	if err != nil {
		return nil, err
	}
	r, err := redis.New(redis.Config{
		Addresses: c.Redis.Addresses, Mode: redis.Mode(c.Redis.Mode), MasterName: c.Redis.MasterName,
		Username: c.Redis.Username, Password: c.Redis.Password.Read, DB: c.Redis.DB, TLS: redisTLS, Timeout: c.Redis.Timeout,
		SentinelUsername: c.Redis.SentinelUsername, SentinelPassword: c.Redis.SentinelPassword.Reveal(),
		PoolSize: c.Redis.PoolSize, Dialer: hooks.RedisDial, Around: hooks.RedisAround, Embedded: hooks.Embedded,
	})
	if err != nil {
		k.Close()
		return nil, err
	}
	schemas, err := newRegistry(c.Registry, hooks.Registry)
	if err != nil {
		k.Close()
		return nil, errors.Join(err, r.Close())
	}
	return &App{Config: c, Kafka: k, Redis: r, Registry: schemas, log: log, hooks: hooks}, nil
}

// Close closes the clients.
func (a *App) Close() {
	a.Registry.Close()
	a.Kafka.Close()
	if err := a.Redis.Close(); err != nil {
		a.log.Warn("close the Redis client", zap.Error(err))
	}
}

// Intake assembles an intake for a ledger.
func (a *App) Intake(g *ledger.Genesis, reg prometheus.Registerer) (*intake.Intake, error) {
	decoder, err := a.Decoder(g)
	if err != nil {
		return nil, err
	}
	c := a.Config
	formats, err := Formats(c)
	if err != nil {
		return nil, err
	}
	a.observeRegistry(reg)
	return intake.New(intake.Config{
		Namespace: c.Namespace, Genesis: g, Topics: Inputs(c), Formats: formats, Registry: a.Registry, Revision: uint32(c.Kafka.InputsRevision), Decoder: decoder, PassHeaders: c.Intake.PassHeaders, //nolint:gosec // bounded by validation
		Linger: a.hooks.Linger, TickInterval: c.Intake.TickInterval, CommitInterval: c.Intake.CommitInterval,
		FetchMaxBytes: int32(min(c.Intake.FetchMaxBytes, 1<<30)), DeadLetterBytes: int(c.Intake.DLQMaxBytes), //nolint:gosec // bounded
		SessionTimeout: c.Kafka.SessionTimeout, HeartbeatInterval: c.Kafka.HeartbeatInterval, RebalanceTimeout: c.Kafka.RebalanceTimeout,
		HaltRetry: haltRetry, Now: a.hooks.Now, Random: a.hooks.Random, AtStep: a.hooks.AtStep,
	}, a.Kafka, telemetry.NewIntake(reg), a.log.Named("intake")), nil
}

const (
	linger    = 25 * time.Millisecond // of the intake's fetch: half of the fold's default publish interval
	haltRetry = 30 * time.Second
)

// Outputs encode the outputs of a ledger, and read them.
func (a *App) Outputs(g *ledger.Genesis) (*encoded.Outputs, error) {
	base, err := export.UnitOf(g)
	if err != nil {
		return nil, err
	}
	return encoded.New(encoded.Config{
		Namespace: a.Config.Namespace, Encoding: encoding.Encoding(a.Config.Outputs.Encoding), Base: base,
		Registry: a.Registry, Register: a.Config.Outputs.RegisterSchemas, LongIDs: a.Config.Registry.LongIDs,
	})
}

// Fold assembles a fold for a ledger.
func (a *App) Fold(g *ledger.Genesis, outputs *encoded.Outputs, reg prometheus.Registerer) *fold.Fold {
	c := a.Config
	if outputs.Encodes() {
		a.observeRegistry(reg)
	}
	return fold.New(fold.Config{
		Namespace: c.Namespace, Genesis: g, Settings: Settings(c), Parameters: a.Parameters, Outputs: outputs,
		PublishInterval: c.Fold.PublishInterval, MaxTransactionsPerSecond: c.Fold.MaxTransactionsPerSecond,
		CommitInterval: c.Fold.CommitInterval, CheckpointInterval: c.Fold.CheckpointInterval, TransactionTimeout: c.Fold.TransactionTimeout,
		SessionTimeout: c.Kafka.SessionTimeout, HeartbeatInterval: c.Kafka.HeartbeatInterval, RebalanceTimeout: c.Kafka.RebalanceTimeout,
		HaltRetry: haltRetry, CacheBytes: int64(c.Fold.CacheBytes),
		Customers: telemetry.NewCustomerHasher(c.Log.CustomerKey.Reveal()),
		Now:       a.hooks.Now, Random: a.hooks.Random, AtStep: a.hooks.AtStep,
	}, a.Kafka, a.Redis, telemetry.NewFold(reg), a.log.Named("fold"))
}

// Deliver assembles the webhooks.
func (a *App) Deliver(outputs *encoded.Outputs, reg prometheus.Registerer) (*deliver.Deliver, error) {
	c := a.Config
	var names []string
	for _, d := range c.Deliver.Destinations {
		names = append(names, d.Name)
	}
	return deliver.New(deliver.Config{
		Namespace: c.Namespace, Outputs: outputs, Destinations: c.Deliver.Destinations, CommitInterval: deliverCommits,
		SessionTimeout: c.Kafka.SessionTimeout, HeartbeatInterval: c.Kafka.HeartbeatInterval, RebalanceTimeout: c.Kafka.RebalanceTimeout,
		Customers: telemetry.NewCustomerHasher(c.Log.CustomerKey.Reveal()), Now: a.hooks.Now, Random: a.hooks.Random,
	}, a.Kafka, telemetry.NewDeliver(reg, names, deliver.Outcomes(), deliver.Results()), a.log.Named("deliver"))
}

// deliverCommits is how often offsets of webhooks are committed: a receiver gets what came since then again after a crash.
const deliverCommits = time.Second

// Refit fits the models to the live customers, once.
func (a *App) Refit(ctx context.Context, g *ledger.Genesis, dryRun bool) (*refit.Result, error) {
	campaigns, err := season.ParseCampaigns(a.Config.Model.Campaigns)
	if err != nil {
		return nil, fmt.Errorf("model.campaigns: %w", err)
	}
	return refit.Run(ctx, refit.Config{
		Namespace: a.Config.Namespace, Genesis: g, DryRun: dryRun, Timeout: refitTimeout, Random: a.hooks.Random, Choice: a.Config.Model.Choice,
		Seasons: a.Config.Model.Seasons(), Campaigns: campaigns,
	}, a.Kafka, a.Redis)
}

const refitTimeout = 30 * time.Second

// Decoder decodes events by the configuration and by what genesis fixes.
func (a *App) Decoder(g *ledger.Genesis) (*event.Decoder, error) {
	options := EventOptions(a.Config, g)
	var err error
	if options.Zone, err = time.LoadLocation(g.GetTimezone()); err != nil {
		return nil, fmt.Errorf("time zone of the ledger: %w", err)
	}
	d, err := event.NewDecoder(options)
	if err != nil {
		return nil, fmt.Errorf("options of the decoder: %w", err)
	}
	return d, nil
}

// EventOptions are the options of the decoder. What genesis fixes is taken from there.
func EventOptions(c config.Config, g *ledger.Genesis) event.Options {
	currencies := make(map[string]money.Alias, len(c.Money.Currencies))
	for code, alias := range c.Money.Currencies {
		currencies[code] = money.Alias{As: alias.As, Times: alias.Times}
	}
	var attributes []event.AttributePath
	for _, name := range c.Attributes.Names() {
		attributes = append(attributes, event.AttributePath{Name: name, Path: c.Attributes[name]})
	}
	return event.Options{
		Currency: c.Money.DefaultCurrency, Currencies: currencies, Total: event.Total(c.Money.Total),
		Anonymous: c.Intake.Anonymous, AnonymousPolicy: event.AnonymousPolicy(c.Intake.AnonymousPolicy),
		Normalise: event.Normalise(g.GetCustomerNormalisation()), KeepComments: c.Surveys.KeepComments,
		EventTime: g.GetClock() == ledger.Clock_CLOCK_EVENT, Attributes: attributes,
	}
}

// Inputs are the input topics and the kind of events of each.
func Inputs(c config.Config) map[string]event.Kind {
	all := map[string]event.Kind{}
	for kind := range event.Kinds {
		for _, name := range c.Kafka.Topics.Names(kind) {
			all[name] = kind
		}
	}
	return all
}

// Kinds are the kinds of events that have dead letters: all but optional ones without a topic.
func Kinds(c config.Config) []event.Kind {
	var all []event.Kind
	for kind := range event.Kinds {
		if !kind.Descriptor().Optional || len(c.Kafka.Topics[kind]) > 0 {
			all = append(all, kind)
		}
	}
	return all
}

// Formats are the formats of the input topics that have one other than Mainstay's own.
func Formats(c config.Config) (map[string]*format.Format, error) {
	all := map[string]*format.Format{}
	for _, entries := range c.Kafka.Topics {
		for _, entry := range entries {
			topic, name := config.SplitInput(entry)
			f, err := format.Open(name)
			if err != nil {
				return nil, fmt.Errorf("topic %s: %w", topic, err)
			}
			if f != nil {
				all[topic] = f
			}
		}
	}
	return all, nil
}

// Settings are the settings that Step reads.
func Settings(c config.Config) *ledger.Settings {
	values := c.StepSettings()
	return &ledger.Settings{Revision: c.SettingsRevision, Hash: settings.Hash(values), Values: values}
}

// Topics describe the topics that this configuration needs.
func Topics(c config.Config) topics.Config {
	t := topics.Config{
		Namespace: c.Namespace, InputPartitions: int32(c.Ledger.Partitions), Partitions: int32(c.Ledger.Partitions), //nolint:gosec // bounded
		Replicas: int16(c.Kafka.ReplicationFactor), Retention: c.Outputs.Retention, DeadLetterBytes: int64(c.Intake.DLQMaxBytes), //nolint:gosec // bounded
	}
	for kind := range event.Kinds {
		t.Inputs = append(t.Inputs, c.Kafka.Topics.Names(kind)...)
	}
	for _, kind := range Kinds(c) {
		t.DeadLetters = append(t.DeadLetters, intake.DeadLetterTopic(c.Namespace, kind))
	}
	for _, d := range c.Deliver.Destinations {
		t.Undelivered = append(t.Undelivered, deliver.DeadLetterTopic(c.Namespace, d.Name))
		t.Control, t.Replays = deliver.ControlTopic(c.Namespace), deliver.ReplayTopic(c.Namespace)
	}
	return t
}

// Apply creates missing topics, and the ledger if there is none.
func (a *App) Apply(ctx context.Context) ([]topics.Wanted, *ledger.Genesis, error) {
	created, genesis, err := topics.Apply(ctx, a.Kafka, Topics(a.Config), a.Config.Genesis(), Settings(a.Config), processors.LogicVersion, a.hooks.Random)
	if err != nil {
		return created, genesis, err
	}
	return created, genesis, a.waitGenesis(ctx)
}

// waitGenesis waits until readers see the ledger that was created: the broker makes a transaction visible some time after it
// acknowledged the commit, and the next command would not find the ledger.
func (a *App) waitGenesis(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, genesisTimeout, errGenesisInvisible)
	defer cancel()
	for {
		_, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case !errors.Is(err, topics.ErrNoLedger):
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(genesisPause):
		}
	}
}

const (
	genesisTimeout = 30 * time.Second
	genesisPause   = 50 * time.Millisecond
)

var errGenesisInvisible = fmt.Errorf("the ledger was created, but is not readable after %s: check that the transaction coordinator of the brokers is available", genesisTimeout)

// Random returns a number from the operating system's source, for names that must be unique.
func Random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}
