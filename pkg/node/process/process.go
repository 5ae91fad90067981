// Package process owns a running Mainstay process: which roles it starts, when it refuses to start, how it drains, and the
// status that it serves over HTTP.
//
// It refuses to process events, which is for intake and fold, and to read the configuration, which is for the caller.
package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/api"
	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/pkg/edge/pages"
	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// The roles of a process.
const (
	Intake  = "intake"
	Fold    = "fold"
	HTTP    = "http"
	Ingest  = "ingest"
	Deliver = "deliver"
)

// Process is an assembled process; Run may be called once.
type Process struct {
	app     *app.App
	genesis *ledger.Genesis
	outputs *encoded.Outputs
	log     *zap.Logger
	started time.Time
	build   telemetry.Build
	redis   *telemetry.Redis     // nil without the role fold
	ledger  *prometheus.GaugeVec // bytes by partition
	refits  *telemetry.Refit
	metrics *telemetry.Process

	intake  *intake.Intake   // nil: not a role of this process
	fold    *fold.Fold       // nil: not a role of this process
	server  *server.Server   // nil: not a role of this process
	ingest  *ingest.Ingest   // nil: not a role of this process
	deliver *deliver.Deliver // nil: not a role of this process

	kafkaWatch *watch
	redisWatch *watch // nil without the role fold

	// What the last check of Redis found, and when; used by the goroutine of redisWatch.
	redisChecked time.Time
	redisProblem error
}

// New assembles the roles and binds the HTTP addresses. A process that folds refuses a Redis whose settings would lose state.
func New(ctx context.Context, a *app.App, g *ledger.Genesis, log *zap.Logger, now time.Time) (*Process, error) {
	c := a.Config
	registry := telemetry.NewRegistry()
	reg := telemetry.WithNamespace(registry, c.Namespace)
	p := &Process{app: a, genesis: g, log: log, started: now, build: telemetry.ReadBuild()}
	p.metrics = telemetry.NewProcess(reg, p.build, telemetry.ConfigInfo{
		Clock: c.Clock, Roles: join(c.Roles), SettingsRevision: c.SettingsRevision,
	})
	p.kafkaWatch = newWatch("kafka", "kafka.brokers", a.Kafka.Ping, failure.OfKafka, telemetry.NewKafka(reg, failure.Names(failure.Kafka())...), log)
	var err error
	if p.outputs, err = a.Outputs(g); err != nil {
		return nil, err
	}
	if slices.Contains(c.Roles, Fold) {
		if err := p.checkRedis(ctx); err != nil {
			return nil, err
		}
		if err := p.checkSettings(ctx); err != nil {
			return nil, err
		}
		p.redis = telemetry.NewRedis(reg, p.pool, failure.Names(failure.Redis())...)
		p.redisWatch = newWatch("redis", "redis.addresses", p.probeRedis, failure.OfRedis, &p.redis.Reachability, log)
		p.ledger = telemetry.NewFold(reg).LedgerBytes
		p.fold = a.Fold(g, p.outputs, reg)
		outcomes := make([]string, 0, len(refit.Outcomes()))
		for _, o := range refit.Outcomes() {
			outcomes = append(outcomes, string(o))
		}
		p.refits = telemetry.NewRefit(reg, outcomes...)
	}
	if slices.Contains(c.Roles, Intake) {
		if p.intake, err = a.Intake(g, reg); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.Roles, Deliver) {
		if p.deliver, err = a.Deliver(p.outputs, reg); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.Roles, HTTP) {
		if err := p.listen(ctx, registry); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.Roles, Ingest) {
		if err := p.listenForEvents(ctx, registry, reg); err != nil {
			if p.server != nil {
				err = errors.Join(err, p.server.Close())
			}
			return nil, err
		}
	}
	return p, nil
}

func (p *Process) listen(ctx context.Context, reg prometheus.Gatherer) error {
	c := p.app.Config
	checks := []server.Check{check("kafka", p.kafkaWatch.failing)}
	if p.redisWatch != nil {
		checks = append(checks, check("redis", p.redisWatch.failing))
	}
	checks = append(checks, check("partitions", p.partitionProblems))
	published := encoded.Reader{Client: p.app.Kafka, Outputs: p.outputs}
	v := views.New(views.Config{
		Source: views.NewState(p.app.Kafka, p.app.Redis, c.Namespace, p.genesis, time.Now), Portfolio: views.NewPortfolio(published, c.Namespace, time.Now),
		Alerts: views.NewFeed(published, c.Namespace, p.genesis.GetPartitions(), time.Now),
		Status: func() views.Status { return p.Status(time.Now()) }, Now: time.Now, Genesis: p.genesis, DoneFor: c.Today.DoneFor(), Attributes: c.Attributes.Names(), NPSBenchmark: c.Surveys.Benchmark(),
	})
	zone, err := time.LoadLocation(p.genesis.GetTimezone())
	if err != nil {
		return fmt.Errorf("the ledger's time zone: %w", err)
	}
	log := p.log.Named("http")
	mark := v.Marking(p.mark)
	shown := pages.Routes(pages.Config{
		Views: v, Mark: mark, Zone: zone, Reader: c.Locale, Now: time.Now, Log: log,
		Checks: func(ctx context.Context) []server.CheckResult { return p.server.Checks(ctx) }, // it serves only once it is made
	})
	p.server, err = server.Listen(ctx, server.Options{
		Listen: c.HTTP.Listen, AdminListen: c.Admin.Listen, AllowRemoteAdmin: c.Admin.AllowRemote,
		TokensFile: c.HTTP.TokensFile, AllowAnonymous: c.HTTP.AllowAnonymous, RequestsPerSecond: float64(c.HTTP.RequestsPerSecond),
		Checks: checks, Metrics: reg, StatusJSON: func() any { return p.Status(time.Now()) },
		Routes: append(api.Routes(v, mark, log), shown...), Log: p.log, Deadline: c.Shutdown.Deadline,
	})
	return err
}

// mark marks a customer. A request waits no longer than somebody who has pressed a button likes to; the mark is in
// the ledger by then, and is seen when it is folded.
func (p *Process) mark(ctx context.Context, id string, s callmark.Statement) (callmark.Entered, error) {
	const patience, toFold = 10 * time.Second, 5 * time.Second
	m := callmark.Marker{
		Ledger: enter.Ledger{Kafka: p.app.Kafka, Namespace: p.app.Config.Namespace, Genesis: p.genesis, Now: time.Now, Random: app.Random},
		Redis:  p.app.Redis, Timeout: toFold,
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.Mark(ctx, id, s)
}

// check is a check of /readyz. It is what the watches know, not a probe of its own: an answer within milliseconds, and the same as in metrics
// and log.
func check(name string, problem func() error) server.Check {
	const patience = 2 * time.Second
	return server.Check{Name: name, Timeout: patience, Run: func(context.Context) error { return problem() }}
}

func (p *Process) pool() telemetry.PoolStats {
	s := p.app.Redis.Pool()
	return telemetry.PoolStats{
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Timeouts: uint64(s.Timeouts), Stale: uint64(s.StaleConns),
		Total: uint64(s.TotalConns), Idle: uint64(s.IdleConns),
	}
}

// checkRedis returns an error if a server's settings would lose state.
func (p *Process) checkRedis(ctx context.Context) error {
	found, err := p.app.Redis.Check(ctx)
	if err != nil {
		return fmt.Errorf("redis.addresses: %w", err)
	}
	for _, f := range found {
		if f.Severity == redis.SeverityRefuse {
			return fmt.Errorf("%w: %s: %s", failure.ErrLosesState, f.Server, f.Text)
		}
	}
	return nil
}

// Address is the bound HTTP address; empty without the role http.
func (p *Process) Address() string {
	if p.server == nil {
		return ""
	}
	return p.server.Address()
}

// IngestAddress is the bound address for events; empty without the role ingest.
func (p *Process) IngestAddress() string {
	if p.ingest == nil {
		return ""
	}
	return p.ingest.Address()
}

// AdminAddress is the bound address of pprof; empty if it is not served.
func (p *Process) AdminAddress() string {
	if p.server == nil {
		return ""
	}
	return p.server.AdminAddress()
}

// Run works until stopping is closed, then drains, at most until shutdown.deadline. When ctx ends it stops at once. It returns nil
// only after a complete drain.
func (p *Process) Run(ctx context.Context, stopping <-chan struct{}) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	serving, stopServing := context.WithCancel(work)
	defer stopServing()

	ended := make(chan error, 3)
	roles := 0
	start := func(name string, run func(context.Context) error) {
		roles++
		go func() {
			err := run(work)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			ended <- err
		}()
	}
	go p.kafkaWatch.run(work)
	if p.intake != nil {
		start(Intake, p.intake.Run)
	}
	if p.fold != nil {
		start(Fold, p.fold.Run)
		go p.redisWatch.run(work)
		go p.readRedisGauges(work)
		go p.watchLedgerSize(work)
		if every := p.app.Config.Refit.Interval; every > 0 {
			go p.refitOnSchedule(work, every, p.refits)
		}
	}
	if p.deliver != nil {
		start(Deliver, p.deliver.Run)
	}
	served := make(chan error, 2)
	servers := 0
	serve := func(name string, run func(context.Context) error) {
		servers++
		go func() {
			err := run(serving)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			served <- err
		}()
	}
	if p.server != nil {
		serve(HTTP, p.server.Run)
	}
	if p.ingest != nil {
		serve(Ingest, p.ingest.Run)
	}

	var first error
	select {
	case <-ctx.Done():
		return errAtOnce
	case <-stopping:
	case first = <-ended:
		roles--
		if first == nil {
			first = errEnded
		}
	case first = <-served:
		servers--
	}
	p.log.Info("draining", zap.Duration("deadline", p.app.Config.Shutdown.Deadline))
	err := p.drain(ctx, ended, roles)
	stop(err)
	stopServing()
	for ; servers > 0 && !errors.Is(err, errAtOnce); servers-- {
		err = errors.Join(err, <-served)
	}
	return errors.Join(first, err)
}

var (
	errAtOnce = errors.New("stopped at once: the next owner repeats what was not committed")
	errEnded  = errors.New("a role ended unexpectedly")
)

// drain asks the roles to finish and waits for them until the deadline.
func (p *Process) drain(ctx context.Context, ended <-chan error, roles int) error {
	deadline := time.NewTimer(p.app.Config.Shutdown.Deadline)
	defer deadline.Stop()
	if p.server != nil {
		p.server.Drain()
	}
	if p.ingest != nil {
		p.ingest.Drain()
	}
	if p.intake != nil {
		p.intake.Drain()
	}
	if p.fold != nil {
		p.fold.Drain()
	}
	if p.deliver != nil {
		p.deliver.Drain()
	}
	var failed error
	for range roles {
		select {
		case err := <-ended:
			failed = errors.Join(failed, err)
		case <-deadline.C:
			return errors.Join(failed, fmt.Errorf("shutdown.deadline: not drained within %s: the next owner repeats what was not committed", p.app.Config.Shutdown.Deadline))
		case <-ctx.Done():
			return errors.Join(failed, errAtOnce)
		}
	}
	return failed
}

// probeRedis writes to Redis, and checks from time to time whether its settings would lose state: they can be changed at runtime.
func (p *Process) probeRedis(ctx context.Context) error {
	const checkEvery = 15 * time.Second
	if err := p.app.Redis.Probe(ctx, p.app.Config.Namespace, p.genesis.GetPartitions()); err != nil {
		return err
	}
	if now := time.Now(); p.redisProblem != nil || now.Sub(p.redisChecked) >= checkEvery {
		p.redisProblem, p.redisChecked = p.checkRedis(ctx), now
	}
	return p.redisProblem
}

// readRedisGauges reads what is only exported. After an error the gauges keep their values: redis_up says that Redis is away.
func (p *Process) readRedisGauges(ctx context.Context) {
	const every = 15 * time.Second
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if ratio, err := p.app.Redis.MemoryRatio(ctx); err == nil {
			p.redis.MemoryRatio.Set(ratio)
		}
		if at, err := p.app.Redis.LastAudit(ctx, p.app.Config.Namespace); err == nil && !at.IsZero() {
			p.metrics.SetAuditLastSuccess(at)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
