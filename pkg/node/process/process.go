// Package process owns a process of Mainstay as it runs: which roles it starts, when it refuses to, how it drains, and
// what it says of itself over HTTP.
//
// It refuses to do the work: intake and fold do, and whoever starts the process has read the configuration.
package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// The roles of a process.
const (
	Intake = "intake"
	Fold   = "fold"
	HTTP   = "http"
)

// Process is one that can run once.
type Process struct {
	app     *app.App
	genesis *ledger.Genesis
	log     *zap.Logger
	started time.Time
	build   telemetry.Build
	redis   *telemetry.Redis
	ledger  *prometheus.GaugeVec // bytes by partition
	refits  *telemetry.Refit
	metrics *telemetry.Process

	intake *intake.Intake // nil: not a role of this process
	fold   *fold.Fold     // nil: not a role of this process
	server *server.Server // nil: not a role of this process

	mu   sync.Mutex
	sick error // of the last look at Redis
}

// ErrEvicts is a Redis that state cannot be trusted to.
var ErrEvicts = errors.New("Redis is refused")

// New assembles the roles and takes the address to listen on. It refuses a Redis that would lose state.
func New(ctx context.Context, a *app.App, g *ledger.Genesis, log *zap.Logger, now time.Time) (*Process, error) {
	c := a.Config
	reg := telemetry.NewRegistry()
	p := &Process{app: a, genesis: g, log: log, started: now, build: telemetry.ReadBuild()}
	p.metrics = telemetry.NewProcess(reg, p.build, telemetry.ConfigInfo{
		Namespace: c.Namespace, Clock: c.Clock, Roles: join(c.Roles), SettingsRevision: c.SettingsRevision,
	})
	p.redis = telemetry.NewRedis(reg, p.pool)
	if slices.Contains(c.Roles, Fold) {
		if err := p.lookAtRedis(ctx); err != nil {
			return nil, err
		}
		p.ledger = telemetry.NewFold(reg).LedgerBytes
		p.fold = a.Fold(g, reg)
		outcomes := make([]string, 0, len(refit.Outcomes()))
		for _, o := range refit.Outcomes() {
			outcomes = append(outcomes, string(o))
		}
		p.refits = telemetry.NewRefit(reg, outcomes...)
	}
	if slices.Contains(c.Roles, Intake) {
		var err error
		if p.intake, err = a.Intake(g, reg); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.Roles, HTTP) {
		if err := p.listen(ctx, reg); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Process) listen(ctx context.Context, reg prometheus.Gatherer) error {
	c := p.app.Config
	const patience = 2 * time.Second
	checks := []server.Check{{Name: "kafka", Timeout: patience, Run: p.app.Kafka.Ping}}
	if p.fold != nil {
		checks = append(checks, server.Check{Name: "redis", Timeout: patience, Run: p.lookAtRedis})
	}
	checks = append(checks, server.Check{Name: "partitions", Timeout: patience, Run: func(context.Context) error { return p.halted() }})
	var err error
	p.server, err = server.Listen(ctx, server.Options{
		Listen: c.HTTP.Listen, AdminListen: c.Admin.Listen, AllowRemoteAdmin: c.Admin.AllowRemote,
		Checks: checks, Metrics: reg, Status: p.lines, JSON: func() any { return p.Status(time.Now()) },
		Title: "Mainstay " + p.build.Version, Log: p.log, Deadline: c.Shutdown.Deadline,
	})
	return err
}

func (p *Process) pool() telemetry.PoolStats {
	s := p.app.Redis.Pool()
	return telemetry.PoolStats{
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Timeouts: uint64(s.Timeouts), Stale: uint64(s.StaleConns),
		Total: uint64(s.TotalConns), Idle: uint64(s.IdleConns),
	}
}

// lookAtRedis refuses what the servers' settings would lose.
func (p *Process) lookAtRedis(ctx context.Context) error {
	found, err := p.app.Redis.Check(ctx)
	if err != nil {
		return fmt.Errorf("redis.addresses: %w", err)
	}
	for _, f := range found {
		if f.Severity == redis.SeverityRefuse {
			return fmt.Errorf("%w: %s: %s", ErrEvicts, f.Server, f.Text)
		}
	}
	return nil
}

// halted names the partitions of this process that wait for a person.
func (p *Process) halted() error {
	var all []error
	if p.intake != nil {
		for _, s := range p.intake.Status() {
			if s.Halted != "" {
				all = append(all, fmt.Errorf("input %s/%d is halted: %s", s.Topic, s.Partition, s.Halted))
			}
		}
	}
	if p.fold != nil {
		for _, s := range p.fold.Status() {
			if s.Halted != "" {
				all = append(all, fmt.Errorf("ledger partition %d is halted: %s", s.Partition, s.Halted))
			}
		}
	}
	return errors.Join(all...)
}

// Address is where HTTP is served; empty when it is not.
func (p *Process) Address() string {
	if p.server == nil {
		return ""
	}
	return p.server.Address()
}

// AdminAddress is where profiles are served; empty when they are not.
func (p *Process) AdminAddress() string {
	if p.server == nil {
		return ""
	}
	return p.server.AdminAddress()
}

// Run works until stopping is closed, then finishes what has begun, at most until shutdown.deadline. When ctx ends it stops
// at once. It returns nil only after everything was finished in order.
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
	if p.intake != nil {
		start(Intake, p.intake.Run)
	}
	if p.fold != nil {
		start(Fold, p.fold.Run)
		go p.watchRedis(work)
		go p.watchLedger(work)
		if every := p.app.Config.Refit.Interval; every > 0 {
			go p.refitOften(work, every, p.refits)
		}
	}
	served := make(chan error, 1)
	if p.server != nil {
		go func() { served <- p.server.Run(serving) }()
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
	case err := <-served:
		first = fmt.Errorf("%s: %w", HTTP, err)
		p.server = nil
	}
	p.log.Info("draining", zap.Duration("deadline", p.app.Config.Shutdown.Deadline))
	err := p.drain(ctx, ended, roles)
	stop(err)
	stopServing()
	if p.server != nil && !errors.Is(err, errAtOnce) {
		err = errors.Join(err, <-served)
	}
	return errors.Join(first, err)
}

var (
	errAtOnce = errors.New("stopped at once: what was under way is done again by the next owner")
	errEnded  = errors.New("a role ended by itself")
)

// drain asks the roles to finish, and waits for them until the deadline.
func (p *Process) drain(ctx context.Context, ended <-chan error, roles int) error {
	deadline := time.NewTimer(p.app.Config.Shutdown.Deadline)
	defer deadline.Stop()
	if p.server != nil {
		p.server.Drain()
	}
	if p.intake != nil {
		p.intake.Drain()
	}
	if p.fold != nil {
		p.fold.Drain()
	}
	var failed error
	for range roles {
		select {
		case err := <-ended:
			failed = errors.Join(failed, err)
		case <-deadline.C:
			return errors.Join(failed, fmt.Errorf("shutdown.deadline: not finished within %s: what was under way is done again by the next owner", p.app.Config.Shutdown.Deadline))
		case <-ctx.Done():
			return errors.Join(failed, errAtOnce)
		}
	}
	return failed
}

// watchRedis looks at the servers' settings again and again: an eviction policy can be changed while we run.
func (p *Process) watchRedis(ctx context.Context) {
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
		err := p.lookAtRedis(ctx)
		if err != nil && ctx.Err() == nil {
			p.redis.Errors.Inc()
		}
		p.mu.Lock()
		changed := (err == nil) != (p.sick == nil)
		p.sick = err
		p.mu.Unlock()
		if changed && err != nil {
			p.log.Error("Redis would lose state", zap.Error(err), zap.String("reason", string(halt.RedisEvicts)))
		}
	}
}
