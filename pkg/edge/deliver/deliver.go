// Package deliver owns webhooks: it reads the output topics and sends what each destination wants to its receiver.
//
// # Guarantees
//
// At least once: the offset that is committed for a destination is that of the lowest record that is neither delivered, nor filtered out,
// nor written to the dead letters. A record that is sent again has the same id (messageID), by which receivers know it.
//
// In order per customer: all records of a customer in a topic have one partition, so that one process reads them, and there one worker sends
// them, one after the other; the next is sent after the one before was answered. A process that has lost its partition may still send what
// it had begun, but it had delivered everything before that, so the first arrivals at the receiver are in order whatever happens.
//
// Apart from each other: each destination has a consumer group, workers and limits of its own, so a receiver that is slow or dead delays
// no other destination. One group with a position of our own for each destination was rejected: the log would be read at the pace of the
// slowest one, or its position be kept where nobody looks for it. Nothing in the core knows of this package.
//
// It refuses to connect to addresses that a destination must not name (guard.go), to follow redirects, and to log a body, a secret, or the
// id of a customer.
//
// Read claim.go for the story of a generation, worker.go for that of a delivery, sender.go for that of a request.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/output"
)

// Group is the consumer group of a destination. Its committed offsets are the destination's progress.
func Group(namespace, name string) string { return namespace + "-deliver-" + name }

// DeadLetterTopic has what a destination's receiver refused.
func DeadLetterTopic(namespace, name string) string {
	return namespace + ".deliver." + name + ".dlq"
}

// ReplayTopic has the dead letters of all destinations that are to be sent again.
func ReplayTopic(namespace string) string { return namespace + ".deliver.replays.v1" }

// ControlTopic has, for each destination, whether it is paused.
func ControlTopic(namespace string) string { return namespace + ".deliver.control.v1" }

// Config configures a Deliver.
type Config struct {
	Namespace    string
	Outputs      *encoded.Outputs // nil: those that name no schema are read
	Destinations []destination.Destination
	// SessionTimeout, HeartbeatInterval and RebalanceTimeout are those of kafka.GroupConfig.
	SessionTimeout, HeartbeatInterval, RebalanceTimeout time.Duration
	CommitInterval                                      time.Duration // how often offsets are committed
	Customers                                           *telemetry.CustomerHasher
	Now                                                 func() time.Time
	Random                                              func() uint64
}

// Outcomes are the outcomes of outputs in the metrics.
func Outcomes() []string { return []string{delivered, filtered, deadLetter, lost} }

const (
	delivered  = "delivered"
	filtered   = "filtered"
	deadLetter = "dead_letter"
	lost       = "lost"
)

// Deliver sends webhooks to all destinations.
type Deliver struct {
	cfg     Config
	kafka   *kafka.Client
	metrics *telemetry.Deliver
	log     *zap.Logger
	control *control
	all     []*recipient
}

// recipient is a destination with what this process has of it.
type recipient struct {
	*destination.Destination

	of       *Deliver
	consumer *consumer.Consumer
	sender   *Sender
	letters  letters
	limit    limit
	log      *zap.Logger
	topics   map[string]output.Topic // by name

	mu         sync.Mutex
	complaints map[string]*consumer.Complaints // by cause: attempts that succeed in between do not end them, or they would fill the log
}

// New checks the destinations' files. Nothing is sent before Run.
func New(cfg Config, k *kafka.Client, metrics *telemetry.Deliver, log *zap.Logger) (*Deliver, error) {
	d := &Deliver{cfg: cfg, kafka: k, metrics: metrics, log: log, control: newControl(k, ControlTopic(cfg.Namespace), metrics, log)}
	var errs []error
	for i := range cfg.Destinations {
		r := &recipient{
			Destination: &cfg.Destinations[i], of: d, log: log.With(zap.String("destination", cfg.Destinations[i].Name)), topics: map[string]output.Topic{},
			complaints: map[string]*consumer.Complaints{},
		}
		errs = append(errs, r.CheckFiles())
		r.sender = NewSender(r.Destination, cfg.Now)
		r.letters = letters{kafka: k, topic: DeadLetterTopic(cfg.Namespace, r.Name)}
		r.limit = limit{perSecond: r.RatePerSecond}
		names := []string{ReplayTopic(cfg.Namespace)}
		for _, t := range r.Outputs() {
			names = append(names, t.Name(cfg.Namespace))
			r.topics[t.Name(cfg.Namespace)] = t
		}
		r.consumer = consumer.New("deliver to "+r.Name, kafka.GroupConfig{
			ID: Group(cfg.Namespace, r.Name), Topics: names,
			SessionTimeout: cfg.SessionTimeout, HeartbeatInterval: cfg.HeartbeatInterval, RebalanceTimeout: cfg.RebalanceTimeout,
		}, k, metrics.Consumer(r.Name), r.log)
		d.all = append(d.all, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("deliver.destinations_file: %w", err)
	}
	return d, nil
}

// Run delivers until Drain, and returns nil then; or until the context ends.
func (d *Deliver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var side sync.WaitGroup
	side.Go(func() { d.control.run(ctx) })
	ended := make(chan error, len(d.all))
	for _, r := range d.all {
		go func() {
			err := r.consumer.Run(ctx, r.workers)
			if err != nil {
				err = fmt.Errorf("%s: %w", r.Name, err)
			}
			ended <- err
		}()
	}
	var errs []error
	for range d.all {
		errs = append(errs, <-ended)
	}
	cancel()
	side.Wait()
	for _, r := range d.all {
		r.sender.Close()
	}
	return errors.Join(errs...)
}

// Drain finishes the requests that are under way; nothing else is begun.
func (d *Deliver) Drain() {
	for _, r := range d.all {
		r.consumer.Drain()
	}
}

// workers serves the partitions of a generation: one goroutine reads and commits, and the destination's workers send.
func (r *recipient) workers(gen *kafka.Generation) []consumer.Worker {
	if len(gen.Assignments) == 0 {
		return nil
	}
	return []consumer.Worker{func(ctx context.Context) { newClaim(r, gen).run(ctx) }}
}

// failed logs a failure of infrastructure, or of the receiver, that is tried again.
func (r *recipient) failed(cause string, err error, fields ...zap.Field) {
	r.log.Log(r.level(cause), "delivery waits, and is tried again", append(fields, zap.String("cause", cause), zap.Error(err))...)
}

// level is the level of a line about a cause: one a minute is a warning.
func (r *recipient) level(cause string) zapcore.Level {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complaints[cause] == nil {
		r.complaints[cause] = &consumer.Complaints{}
	}
	return r.complaints[cause].Failed(cause, r.of.cfg.Now())
}
