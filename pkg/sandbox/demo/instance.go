package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/ops/advance"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// instance is Mainstay with a Kafka and a Redis of its own, all in this process.
type instance struct {
	servers *embedded.Embedded
	app     *app.App
	genesis *ledger.Genesis
	process *process.Process
	now     func() time.Time
	random  func() uint64
}

// start starts the servers and makes the topics and the process, which run runs. Of the settings it replaces those that say where a
// process runs and who may use it, and those of the pace: with the event clock years pass as fast as their events are folded, so intervals
// are short.
func start(ctx context.Context, c config.Config, listen string, log *zap.Logger, now func() time.Time, random func() uint64) (*instance, error) {
	servers, err := embedded.Start(ctx, embedded.Options{Kafka: true, Redis: true})
	if err != nil {
		return nil, err
	}
	own := config.Default()
	c.Namespace, c.Roles, c.Kafka, c.Redis, c.HTTP, c.Ingest, c.Deliver, c.Admin, c.Outputs = own.Namespace, own.Roles, own.Kafka, own.Redis, own.HTTP, own.Ingest, own.Deliver, own.Admin, own.Outputs
	c.Kafka.Brokers, c.Redis.Addresses = []string{servers.KafkaAddress()}, []string{servers.RedisAddress()}
	c.Clock, c.Ledger.Partitions = "event", 4
	c.Intake.TickInterval, c.Intake.CommitInterval = 50*time.Millisecond, 100*time.Millisecond
	c.Fold.PublishInterval, c.Fold.CommitInterval, c.Fold.MaxTransactionsPerSecond = 50*time.Millisecond, 200*time.Millisecond, 200
	c.HTTP.Listen = listen
	i := &instance{servers: servers, now: now, random: random}
	if i.app, err = app.New(c, log, app.Hooks{Random: random, Embedded: true}); err != nil {
		servers.Close()
		return nil, err
	}
	if _, i.genesis, err = i.app.Apply(ctx); err != nil {
		i.close()
		return nil, fmt.Errorf("create the topics: %w", err)
	}
	if i.process, err = process.New(ctx, i.app, i.genesis, log, now()); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

func (i *instance) close() {
	i.app.Close()
	i.servers.Close()
}

// pages is the address of the pages.
func (i *instance) pages() string { return "http://" + i.process.Address() + "/" }

// ErrStopped is a demonstration that was stopped before its end.
var ErrStopped = errors.New("stopped before the end of the demonstration")

// run runs the process until work is done, and ends it in order. The context of work ends with ErrStopped when stopping is closed, and
// with the cause when the process ends.
func (i *instance) run(ctx context.Context, stopping <-chan struct{}, work func(context.Context) error) error {
	drain := make(chan struct{})
	ran := make(chan error, 1)
	go func() { ran <- i.process.Run(ctx, drain) }()
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-stopping:
			cancel(ErrStopped)
		case err := <-ran:
			ran <- err
			cancel(fmt.Errorf("the process ended: %w", err))
		case <-working.Done():
		}
	}()
	err := work(working)
	close(drain)
	return errors.Join(err, <-ran)
}

// keepRunning returns when the context of work ends. To be stopped is no error then.
func keepRunning(ctx context.Context) error {
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, ErrStopped) {
		return cause
	}
	return nil
}

// advance advances the ledger's time, once intake has read all inputs.
func (i *instance) advance(ctx context.Context, to time.Time) error {
	const patience = time.Minute
	inputs := []string{}
	for topic := range app.Inputs(i.app.Config) {
		inputs = append(inputs, topic)
	}
	step := advance.Request{Namespace: i.app.Config.Namespace, Genesis: i.genesis, Inputs: inputs, To: to, Timeout: patience, Now: i.now, Random: i.random}
	if err := step.Run(ctx, i.app.Kafka); err != nil {
		return fmt.Errorf("advance to the end of the demonstration's time: %w", err)
	}
	return nil
}

// waitCaughtUp waits until all partitions have folded up to a time, and published and committed the results. Partitions append to each
// other's ledgers, so two observations in a row must be the same. progress is called with the entries that are folded and that are known
// to be to fold, unless it is nil.
func (i *instance) waitCaughtUp(ctx context.Context, until time.Time, progress func(folded, all int64)) error {
	const pause = 100 * time.Millisecond
	before, same := int64(-1), 0
	for same < 2 {
		folded, lag, caughtUp := int64(0), int64(0), true
		partitions := i.process.Status(i.now()).Partitions
		for _, p := range partitions {
			folded, lag = folded+p.Folded, lag+p.Lag
			caughtUp = caughtUp && p.Lag == 0 && p.Folded == p.Published && p.Folded == p.Committed && p.Time != nil && !p.Time.Before(until)
			if p.Halted != "" {
				return fmt.Errorf("partition %d is halted: %s", p.Partition, p.Cause)
			}
		}
		if progress != nil {
			progress(folded, folded+lag)
		}
		if caughtUp && len(partitions) == int(i.genesis.GetPartitions()) && folded == before {
			same++
		} else {
			same = 0
		}
		before = folded
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return nil
}

// Model is the result of a fit.
type Model struct {
	Outcome refit.Outcome    `json:"outcome"`
	Reason  string           `json:"reason"` // of a refused fit
	InForce refit.Parameters `json:"in_force"`
}

// fit fits the models to the ledger, as `mainstay refit` does on a live system, and waits until all customers are rescored.
// Before that the answers are those of the prior.
func (i *instance) fit(ctx context.Context, until time.Time) (Model, error) {
	r, err := i.app.Refit(ctx, i.genesis, false)
	if err != nil {
		return Model{}, fmt.Errorf("fit the models: %w", err)
	}
	m := Model{Outcome: r.Outcome, Reason: r.Reason, InForce: r.InForce}
	if r.Outcome != refit.Appended {
		return m, nil
	}
	m.InForce = r.Fitted
	if err := i.waitParameters(ctx, r.Fitted.Version); err != nil {
		return Model{}, err
	}
	return m, i.waitCaughtUp(ctx, until, nil)
}

// waitParameters waits until the state of every partition in Redis has the parameters of a version.
func (i *instance) waitParameters(ctx context.Context, version uint64) error {
	const pause = 20 * time.Millisecond
	for p := int32(0); p < i.genesis.GetPartitions(); {
		meta, err := i.app.Redis.Partition(i.app.Config.Namespace, p, i.genesis.GetPartitions()).ReadMeta(ctx)
		if err != nil {
			return fmt.Errorf("wait for the fitted parameters: %w", err)
		}
		state, err := processors.DecodePartition(meta.State)
		if err != nil {
			return fmt.Errorf("wait for the fitted parameters: %w", err)
		}
		if state.Parameters().GetVersion() >= version {
			p++
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return nil
}
