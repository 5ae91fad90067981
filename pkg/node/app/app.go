// Package app owns the assembly: from a configuration to clients, an intake, a fold and their metrics. The commands, the
// demo and the tests on real parts assemble the same process here.
//
// It refuses to do any of the work, and to read configuration from anywhere.
package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Seams are where tests put a network in memory, faults, and chance that can be repeated. The zero value is the real world.
type Seams struct {
	KafkaDial   func(ctx context.Context, network, address string) (net.Conn, error)
	KafkaAround func(ctx context.Context, c kafka.Call, do func(context.Context) error) error
	RedisDial   func(ctx context.Context, network, address string) (net.Conn, error)
	RedisAround func(ctx context.Context, call string, do func(context.Context) error) error
	At          func(ctx context.Context, step string) error
	Random      func() uint64
	Now         func() time.Time
	Linger      time.Duration // of the intake; 0: as shipped
	Embedded    bool          // Redis is miniredis, which cannot answer for its policies
}

// App is a process of Mainstay before it runs.
type App struct {
	Config config.Config
	// Parameters of the models that a fold begins with; nil: the ledger's own.
	Parameters *ledger.Parameters
	Kafka      *kafka.Client
	Redis      *redis.Client
	log        *zap.Logger
	seams      Seams
}

// New makes the clients. It does not connect.
func New(c config.Config, log *zap.Logger, s Seams) (*App, error) {
	if s.Random == nil {
		s.Random = Random
	}
	if s.Linger == 0 {
		s.Linger = linger
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	kafkaTLS, err := tlsOf(c.Kafka.TLS, "kafka.tls")
	if err != nil {
		return nil, err
	}
	k, err := kafka.New(kafka.Config{
		Brokers: c.Kafka.Brokers, ClientID: c.Kafka.ClientID, TLS: kafkaTLS,
		SASL: kafka.SASL{Mechanism: c.Kafka.SASL.Mechanism, User: c.Kafka.SASL.User, Password: func(context.Context) (string, error) { return c.Kafka.SASL.Password.Read() }},
		Dial: s.KafkaDial, Around: s.KafkaAround, Compression: c.Kafka.Compression, Timeout: c.Kafka.Timeout,
	})
	if err != nil {
		return nil, err
	}
	redisTLS, err := tlsOf(c.Redis.TLS, "redis.tls")
	if err != nil {
		return nil, err
	}
	r, err := redis.New(redis.Config{
		Addresses: c.Redis.Addresses, Mode: redis.Mode(c.Redis.Mode), MasterName: c.Redis.MasterName,
		Username: c.Redis.Username, Password: c.Redis.Password.Read, DB: c.Redis.DB, TLS: redisTLS, Timeout: c.Redis.Timeout,
		PoolSize: c.Redis.PoolSize, Dialer: s.RedisDial, Around: s.RedisAround, Embedded: s.Embedded,
	})
	if err != nil {
		k.Close()
		return nil, err
	}
	return &App{Config: c, Kafka: k, Redis: r, log: log, seams: s}, nil
}

// Close ends every connection.
func (a *App) Close() {
	a.Kafka.Close()
	if err := a.Redis.Close(); err != nil {
		a.log.Warn("close Redis", zap.Error(err))
	}
}

// Intake assembles an intake for a ledger.
func (a *App) Intake(g *ledger.Genesis, reg prometheus.Registerer) (*intake.Intake, error) {
	decoder, err := a.Decoder(g)
	if err != nil {
		return nil, err
	}
	c := a.Config
	return intake.New(intake.Config{
		Namespace: c.Namespace, Genesis: g, Topics: Inputs(c), Revision: uint32(c.Kafka.InputsRevision), Decoder: decoder, //nolint:gosec // bounded by validation
		Linger: a.seams.Linger, TickInterval: c.Intake.TickInterval, CommitInterval: c.Intake.CommitInterval,
		FetchMaxBytes: int32(min(c.Intake.FetchMaxBytes, 1<<30)), DeadLetterBytes: int(c.Intake.DLQMaxBytes) - deadLetterRoom, //nolint:gosec // bounded
		SessionTimeout: c.Kafka.SessionTimeout, HeartbeatInterval: c.Kafka.HeartbeatInterval, RebalanceTimeout: c.Kafka.RebalanceTimeout,
		HaltRetry: haltRetry, Now: a.seams.Now, Random: a.seams.Random, AtStep: a.seams.At,
	}, a.Kafka, telemetry.NewIntake(reg), a.log.Named("intake")), nil
}

const (
	linger         = 25 * time.Millisecond // of the intake's fetch; half of what a publish waits for anyway
	haltRetry      = 30 * time.Second
	deadLetterRoom = 8 << 10 // for a batch's frame and the headers that are added
)

// Fold assembles a fold for a ledger.
func (a *App) Fold(g *ledger.Genesis, reg prometheus.Registerer) *fold.Fold {
	c := a.Config
	return fold.New(fold.Config{
		Namespace: c.Namespace, Genesis: g, Settings: Settings(c), Parameters: a.Parameters,
		PublishInterval: c.Fold.PublishInterval, MaxTransactionsPerSecond: c.Fold.MaxTransactionsPerSecond,
		CommitInterval: c.Fold.CommitInterval, CheckpointInterval: c.Fold.CheckpointInterval, TransactionTimeout: c.Fold.TransactionTimeout,
		SessionTimeout: c.Kafka.SessionTimeout, HeartbeatInterval: c.Kafka.HeartbeatInterval, RebalanceTimeout: c.Kafka.RebalanceTimeout,
		HaltRetry: haltRetry, CacheBytes: int64(c.Fold.CacheBytes),
		Customers: telemetry.NewCustomerHasher(c.Log.CustomerKey.Reveal()),
		Now: a.seams.Now, Random: a.seams.Random, AtStep: a.seams.At,
	}, a.Kafka, a.Redis, telemetry.NewFold(reg), a.log.Named("fold"))
}

// Refit fits the models to the live customers, once.
func (a *App) Refit(ctx context.Context, g *ledger.Genesis, dryRun bool) (*refit.Result, error) {
	return refit.Run(ctx, refit.Config{
		Namespace: a.Config.Namespace, Genesis: g, DryRun: dryRun, Timeout: refitTimeout, Random: a.seams.Random,
	}, a.Kafka, a.Redis)
}

const refitTimeout = 30 * time.Second

// Decoder reads events as the configuration and the ledger say.
func (a *App) Decoder(g *ledger.Genesis) (*event.Decoder, error) {
	d, err := event.NewDecoder(EventOptions(a.Config, g))
	if err != nil {
		return nil, fmt.Errorf("settings of the decoder: %w", err)
	}
	return d, nil
}

// EventOptions are the settings of the decoder. What genesis fixes is taken from there.
func EventOptions(c config.Config, g *ledger.Genesis) event.Options {
	currencies := make(map[string]money.Alias, len(c.Money.Currencies))
	for code, alias := range c.Money.Currencies {
		currencies[code] = money.Alias{As: alias.As, Times: alias.Times}
	}
	return event.Options{
		Currency: c.Money.DefaultCurrency, Currencies: currencies, Total: event.Total(c.Money.Total),
		Anonymous: c.Intake.Anonymous, AnonymousPolicy: event.AnonymousPolicy(c.Intake.AnonymousPolicy),
		Normalise: event.Normalise(g.GetCustomerNormalisation()), KeepComments: c.Surveys.KeepComments,
		EventTime: g.GetClock() == ledger.Clock_CLOCK_EVENT,
	}
}

// Inputs are the input topics and what each holds.
func Inputs(c config.Config) map[string]event.Kind {
	all := map[string]event.Kind{}
	for kind, names := range c.Kafka.Topics {
		for _, name := range names {
			all[name] = event.Kind(kind)
		}
	}
	return all
}

// Settings are what Step reads of the configuration.
func Settings(c config.Config) *ledger.Settings {
	values := c.StepSettings()
	return &ledger.Settings{Revision: c.SettingsRevision, Hash: processors.HashSettings(values), Values: values}
}

// Genesis is the first entry of a ledger that is founded with this configuration.
func Genesis(c config.Config) *ledger.Genesis {
	clock := ledger.Clock_CLOCK_LIVE
	if c.Clock == "event" {
		clock = ledger.Clock_CLOCK_EVENT
	}
	return &ledger.Genesis{
		Partitions: int32(c.Ledger.Partitions), CustomerHash: "murmur2", CustomerNormalisation: c.Ledger.CustomerNormalisation, //nolint:gosec // bounded
		Clock: clock, Currency: c.Money.Currency, Timezone: c.Timezone,
	}
}

// Topics are the topics that this configuration wants.
func Topics(c config.Config) topics.Config {
	t := topics.Config{
		Namespace: c.Namespace, InputPartitions: int32(c.Ledger.Partitions), Partitions: int32(c.Ledger.Partitions), //nolint:gosec // bounded
		Replicas: int16(c.Kafka.ReplicationFactor), Retention: c.Outputs.Retention, DeadLetterBytes: int64(c.Intake.DLQMaxBytes), //nolint:gosec // bounded
	}
	for _, names := range c.Kafka.Topics {
		t.Inputs = append(t.Inputs, names...)
	}
	for kind := range event.Kinds {
		t.DeadLetters = append(t.DeadLetters, intake.DeadLetterTopic(c.Namespace, kind))
	}
	return t
}

// Apply makes missing topics and founds the ledger, if it is new.
func (a *App) Apply(ctx context.Context) ([]topics.Wanted, *ledger.Genesis, error) {
	return topics.Apply(ctx, a.Kafka, Topics(a.Config), Genesis(a.Config), Settings(a.Config), processors.LogicVersion, a.seams.Random)
}

// Random is from the system's source; it is used for names that must not be guessed or repeated.
func Random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.LittleEndian.Uint64(b[:])
}

func tlsOf(t config.TLS, setting string) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // plain text
	}
	c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", setting, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s holds no certificate in PEM form", setting, t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", setting, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
