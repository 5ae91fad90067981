package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Config parameterises a run.
type Config struct {
	Set     Set
	Faults  int // that are injected; ignored by a set with its own plan
	Seed    uint64
	Rate    int64    // events per second, while faults are injected; a run with Events adapts it
	Events  int64    // to be sent at least; 0: as many as are sent until the last fault is healed
	Losing  []string // topics of which unclean elections lose records afterwards (see LosingTopics); needs KafkaBrokers
	Program string   // path of the built program
	Log     func(format string, args ...any)
	Logs    io.Writer // gets the logs of all processes of mainstay; nil: only their ends are kept
}

// Set is a set of servers with their faults.
type Set struct {
	Name  string
	Start func(ctx context.Context) (*Servers, error)
	// Plan returns the faults in the order in which they are injected. nil: every fault as often as any other, in random order.
	Plan func(rng *rand.Rand, faults []Fault) []Fault
	// RecoverEvery is the number of faults of a round, after which everything must be processed and committed; 0: 1.
	RecoverEvery  int
	RecoverWithin time.Duration // how long that may take; 0: recoverTimeout
	Processes     int           // of mainstay; 0: 2
	// Busier is how many times as often customers of the shop order, in as many times fewer days; 0: 1. At the end of each day all customers
	// are valued, and the audit sums all of them once more: with millions of events that would be most of the work.
	Busier int
}

// Servers are a running set.
type Servers struct {
	Brokers  []string
	Redis    redis.Config
	Settings map[string]string // further settings of mainstay
	Faults   []Fault
	// Healed reports whether the servers are as they were at the beginning, so that the next fault finds what it needs.
	Healed func(ctx context.Context) (bool, error)
	Close  func() error

	brokers *brokers // for unclean elections
}

// Fault is a named fault.
type Fault struct {
	Name string
	// Do injects the fault, waits while it lasts, and heals it: it returns when the servers can recover by themselves.
	Do func(ctx context.Context, r *run) error
	// OfProcess: it concerns processes of mainstay. Within a round, such faults follow each other, and so do all others, beside them.
	OfProcess bool
}

const (
	partitions     = 4 // of the ledger and of each input topic
	healTimeout    = 4 * time.Minute
	recoverTimeout = 5 * time.Minute
	eventsPerHead  = 15 // at least, of a customer of the shop within the simulated days
	simulatedDays  = 1000
)

// run is one run.
type run struct {
	Config
	servers   *Servers
	namespace string
	program   containers.Program
	processes []*containers.Process
	load      *containers.Load
	kafka     *kafka.Client
	genesis   *ledger.Genesis
	rng       *rand.Rand
	report    *Report
	began     time.Time
}

// Run starts the servers, injects the faults and judges the outcome. A closed stop ends the run early: what was sent by then is judged
// all the same, and the report says how far the run came. The error says what went wrong, behind the end of the processes' logs; a
// verdict that is not clean is an error. The report is never nil.
func Run(ctx context.Context, c Config, stop <-chan struct{}) (report *Report, err error) {
	r := &run{Config: c, rng: rand.New(&lockedSource{source: rand.NewPCG(c.Seed, 0)}), began: time.Now()}
	r.report = newReport(c, r.began)
	defer func() {
		r.report.Took = time.Since(r.began)
		if err != nil {
			r.report.Failure = failure(err)
		}
	}()
	if r.servers, err = c.Set.Start(ctx); err != nil {
		return r.report, fmt.Errorf("start the servers of %s: %w", c.Set.Name, err)
	}
	defer func() { err = errors.Join(err, r.servers.Close()) }()
	r.Log("%s: servers are up after %.0f s; seed %d", c.Set.Name, time.Since(r.began).Seconds(), c.Seed)
	defer r.cleanUp()
	if err := r.prepare(ctx, c.Set.Name); err != nil {
		return r.report, err
	}
	if err := r.inject(ctx, stop); err != nil {
		return r.report, &failedError{err, r.logs()}
	}
	return r.report, nil
}

// failedError is what went wrong, behind the end of the processes' logs: the end of a long text is what is seen of it.
type failedError struct {
	error
	logs string
}

func (e *failedError) Error() string { return e.logs + e.error.Error() }

func (e *failedError) Unwrap() error { return e.error }

// failure is the first line of an error, without logs.
func failure(err error) string {
	if failed, ok := errors.AsType[*failedError](err); ok {
		err = failed.error
	}
	return strings.SplitN(err.Error(), "\n", 2)[0]
}

// inject injects the faults, judges the outcome, and forces the unclean elections.
func (r *run) inject(ctx context.Context, stop <-chan struct{}) error {
	if err := r.underLoad(ctx, stop); err != nil {
		return err
	}
	if err := r.judge(ctx); err != nil {
		return err
	}
	if r.report.Stopped {
		return nil
	}
	return r.loseAll(ctx)
}

// prepare creates the topics of a namespace of this run, and starts the processes.
func (r *run) prepare(ctx context.Context, name string) (err error) {
	r.namespace = fmt.Sprintf("nemesis-%s-%s", name, strconv.FormatUint(r.Seed, 36))
	settings := containers.InputTopics(r.namespace)
	maps.Copy(settings, map[string]string{
		"KAFKA_BROKERS": strings.Join(r.servers.Brokers, ","), "REDIS_ADDRESSES": strings.Join(r.servers.Redis.Addresses, ","),
		"REDIS_MODE": string(r.servers.Redis.Mode), "REDIS_MASTER_NAME": r.servers.Redis.MasterName,
		"CLOCK": "event", "LEDGER_PARTITIONS": strconv.Itoa(partitions),
		// Short, so that a Redis that goes back in time has lost a commit.
		"FOLD_COMMIT_INTERVAL": "300ms",
	})
	maps.Copy(settings, r.servers.Settings)
	r.program = containers.Program{Path: r.Program, Settings: settings, Log: r.Logs}
	if _, _, err := r.program.Do(ctx, "topics", "apply"); err != nil {
		return err
	}
	// For some seconds not every broker knows what was created; check waits for that.
	if findings, _, err := r.program.Do(ctx, "check"); err != nil {
		return fmt.Errorf("right after topics apply: %w\n%s", err, findings)
	}
	r.cleanUp() // of the namespace before
	if r.kafka, err = kafka.New(kafka.Config{Brokers: r.servers.Brokers, ClientID: "nemesis", Compression: settings["KAFKA_COMPRESSION"]}); err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	if r.genesis, err = topics.Genesis(ctx, r.kafka, r.namespace); err != nil {
		return err
	}
	r.processes = make([]*containers.Process, max(2, r.Set.Processes))
	for i := range r.processes {
		if r.processes[i], err = r.program.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) cleanUp() {
	for _, p := range r.processes {
		if p != nil {
			p.Kill()
		}
	}
	if r.kafka != nil {
		r.kafka.Close()
	}
	r.processes, r.kafka = nil, nil
}

// underLoad injects the faults while the load is sent, and returns when everything that was sent is processed.
func (r *run) underLoad(ctx context.Context, stop <-chan struct{}) error {
	plan := r.plan()
	r.report.Planned = len(plan)
	expected := r.Events
	if expected == 0 {
		const perFault = 60 // seconds at most, on average
		expected = int64(len(plan)) * r.Rate * perFault
	}
	enough, sent := r.startLoad(ctx, expected)
	err := r.caughtUp(ctx) // before the first fault
	if err == nil {
		err = r.injectAll(ctx, plan, stop)
	}
	if err := errors.Join(err, r.endLoad(enough, sent)); err != nil {
		return err
	}
	return r.drained(ctx)
}

// startLoad sends at least the expected number of events, unless enough is closed before. What became of it is sent at its end.
func (r *run) startLoad(ctx context.Context, expected int64) (enough chan struct{}, sent chan error) {
	// All simulated days must be over: an event of the future would be a dead letter.
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	people, busier := shop.DefaultPopulation(), max(1, r.Set.Busier)
	people.Alpha /= float64(busier)
	r.load = &containers.Load{
		Kafka: r.kafka, Namespace: r.namespace, Partitions: partitions,
		Shop: shop.Config{
			Seed: r.Seed, Customers: max(1000, int(expected/eventsPerHead)), Start: start, Days: simulatedDays / busier, Currency: "USD",
			Population: &people, Mix: containers.PlainMix(),
		},
	}
	r.load.SetRate(r.Rate)
	enough, sent = make(chan struct{}), make(chan error, 1)
	go func() { sent <- r.load.Run(ctx, enough) }()
	return enough, sent
}

// endLoad ends the load after what it is sending.
func (r *run) endLoad(enough chan struct{}, sent chan error) error {
	close(enough)
	err := <-sent
	r.report.Sent, r.report.Resent = r.report.Sent+r.load.Sent(), r.report.Resent+r.load.Resent()
	return err
}

func (r *run) plan() []Fault {
	if r.Set.Plan != nil {
		return r.Set.Plan(r.rng, r.servers.Faults)
	}
	var plan []Fault
	for len(plan) < r.Faults {
		next := append([]Fault(nil), r.servers.Faults...)
		r.rng.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		plan = append(plan, next[:min(len(next), r.Faults-len(plan))]...)
	}
	return plan
}

// injectAll injects the faults round by round.
func (r *run) injectAll(ctx context.Context, plan []Fault, stop <-chan struct{}) error {
	size, began := max(1, r.Set.RecoverEvery), time.Now()
	for rest := plan; len(rest) > 0; {
		if stopped(stop) {
			r.report.Stopped = true
			r.Log("stopped after %d of %d faults; what was sent is judged", r.report.Faults(), len(plan))
			return nil
		}
		if r.load.Ended() {
			return fmt.Errorf("the load ended after %d events, before fault %d of %d", r.load.Sent(), r.report.Faults()+1, len(plan))
		}
		round := rest[:min(size, len(rest))]
		rest = rest[len(round):]
		if err := r.injectRound(ctx, round, stop); err != nil {
			return err
		}
		healed := time.Now()
		if err := r.caughtUp(ctx); err != nil {
			return fmt.Errorf("after fault %d of %d, %s: %w", r.report.Faults(), len(plan), round[len(round)-1].Name, err)
		}
		recovery := time.Since(healed)
		r.report.recovered(round, recovery)
		perFault := time.Since(began) / time.Duration(r.report.Faults())
		r.Log("fault %d of %d: recovered %s after it was healed; %d events sent, %.0f/s; %s left", r.report.Faults(), len(plan), seconds(recovery),
			r.load.Sent(), float64(r.load.Sent())/time.Since(began).Seconds(), (perFault * time.Duration(len(rest))).Round(time.Second))
		if len(rest) > 0 {
			if err := until(ctx, healTimeout, "the servers are as before the fault", r.servers.Healed); err != nil {
				return fmt.Errorf("after fault %d of %d, %s: %w", r.report.Faults(), len(plan), round[len(round)-1].Name, err)
			}
		}
		r.keepPace(len(rest), perFault)
	}
	for left := r.Events - r.load.Sent(); left > 0; left = r.Events - r.load.Sent() {
		r.Log("all faults are done; %d events are left to send", left)
		select {
		case <-stop:
			r.report.Stopped = true
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Second):
		}
	}
	return nil
}

// injectRound injects the faults of processes one after the other, and beside them all others one after the other. A closed stop
// leaves out what has not begun.
func (r *run) injectRound(ctx context.Context, round []Fault, stop <-chan struct{}) error {
	var sequences [2][]Fault
	for _, fault := range round {
		of := 0
		if fault.OfProcess {
			of = 1
		}
		sequences[of] = append(sequences[of], fault)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var together sync.WaitGroup
	for _, sequence := range sequences {
		together.Go(func() {
			if err := r.injectSequence(ctx, sequence, stop); err != nil {
				cancel(err)
			}
		})
	}
	together.Wait()
	return context.Cause(ctx)
}

func (r *run) injectSequence(ctx context.Context, sequence []Fault, stop <-chan struct{}) error {
	for _, fault := range sequence {
		if stopped(stop) {
			return nil
		}
		start := time.Now()
		if err := fault.Do(ctx, r); err != nil {
			return fmt.Errorf("fault %d of %d, %s: %w", r.report.Faults()+1, r.report.Planned, fault.Name, err)
		}
		lasted := time.Since(start)
		n := r.report.add(fault.Name, lasted)
		r.Log("%7.1f s  fault %d of %d: %s, lasted %s", time.Since(r.began).Seconds(), n, r.report.Planned, fault.Name, seconds(lasted))
	}
	return nil
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// keepPace makes the load end with the last fault, if the number of events is given.
func (r *run) keepPace(faultsLeft int, perFault time.Duration) {
	if r.Events == 0 {
		return
	}
	// Every fault finds some load. A rate that the machine does not reach would only build up a backlog.
	const lowest, highest = 50, 20_000
	seconds := max(1, float64(faultsLeft)*perFault.Seconds())
	r.load.SetRate(min(highest, max(lowest, int64(float64(r.Events-r.load.Sent())/seconds))))
}

// logs are the ends of the processes' logs.
func (r *run) logs() string {
	var b strings.Builder
	for i, p := range r.processes {
		if p != nil {
			fmt.Fprintf(&b, "mainstay %d, the end of its log:\n%s", i, p.Tail(30))
		}
	}
	return b.String()
}

// lockedSource serves faults that are injected beside each other.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (l *lockedSource) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.source.Uint64()
}

// sleep waits, or returns the error of the context.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// until polls done until it is true. The error names what was waited for.
func until(ctx context.Context, limit time.Duration, what string, done func(ctx context.Context) (bool, error)) error {
	deadline := time.Now().Add(limit)
	for {
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		ok, err := done(one)
		cancel()
		switch {
		case ok && err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		case time.Now().After(deadline):
			return fmt.Errorf("wait until %s: not within %s: %w", what, limit, orNot(err))
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

var errNotYet = errors.New("not yet")

func orNot(err error) error {
	if err == nil {
		return errNotYet
	}
	return err
}
