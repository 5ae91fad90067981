package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// world is one seed: servers in memory, processes that come and go, a shop that emits, and the strikes.
type world struct {
	seed     uint64
	cfg      config.Config
	log      *zap.Logger
	ctx      context.Context //nolint:containedctx // the life of the world
	cancel   context.CancelFunc
	env      *embedded.Embedded
	outside  *app.App // clients that nothing strikes: the shop's, and the judge's
	genesis  *ledger.Genesis
	strikes  *pending
	coverage *Coverage

	mu        sync.Mutex
	rng       *rand.Rand
	processes int
	living    map[string][]*process
	ending    bool
	copies    []embedded.Copy
	underway  map[string][]func() // requests held until the next claim, by transactional id
	begun     map[string]bool     // transactional ids, once a write has broken off halfway
	openShop  bool
	heard     *subscription
	late      []string
	story     []string
}

// pending is the strikes that have not struck yet.
type pending struct {
	mu      sync.Mutex
	left    []strike
	reached map[step]int
}

// take counts a step and returns the strike that is due there.
func (p *pending) take(s step) (strike, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached[s]++
	for i, hit := range p.left {
		if hit.step == s && p.reached[s] >= hit.nth {
			p.left = append(p.left[:i], p.left[i+1:]...)
			return hit, true
		}
	}
	return strike{}, false
}

// again lets a strike strike once more at the next of its steps, some times in all.
func (p *pending) again(s strike) {
	const times = 5
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.repeats++; s.repeats < times {
		p.left = append(p.left, s)
	}
}

func (p *pending) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = nil
}

func (w *world) random() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Uint64()
}

func (w *world) intn(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes++
	return w.processes
}

// note adds a line to the story of the run, which is told when it fails.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// settings are a small system in a hurry: everything that happens in hours happens in seconds, bounds are so low that they
// are met.
func settings(seed uint64, env *embedded.Embedded) config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = []string{env.KafkaAddress()}, []string{env.RedisAddress()}
	c.Kafka.Compression = [...]string{"none", "lz4", "zstd"}[seed%3]
	c.Kafka.Timeout, c.Kafka.HeartbeatInterval, c.Redis.Timeout = 4*time.Second, 500*time.Millisecond, 2*time.Second
	c.Ledger.Partitions = 1 + int(seed%3)
	c.Intake.TickInterval, c.Intake.CommitInterval = 500*time.Millisecond, 150*time.Millisecond
	c.Fold.PublishInterval, c.Fold.CommitInterval, c.Fold.CheckpointInterval = 100*time.Millisecond, 600*time.Millisecond, 3*time.Second
	c.Fold.CacheBytes, c.Fold.WakeLimit = 6000, 3
	c.Churn.GraceDays = 0
	c.Portfolio.ContributionInterval, c.Tiers.MinCustomers = 3*time.Second, 3
	c.Alerts.Rules, c.Alerts.FuseRaises, c.Alerts.FuseShare = rules(seed), 3, 0
	if seed%2 == 0 {
		c.Clock = "event"
		return c
	}
	// Under the live clock silence of seconds must tell: the classes lie close to what one order alone gives.
	c.Churn.Medium, c.Churn.High = churnAfter(20*time.Second), churnAfter(40*time.Second)
	return c
}

// newWorld starts the servers of a seed and founds its ledger. It must be called in a bubble; close ends it.
func newWorld(seed uint64, strikes []strike, rng *rand.Rand, coverage *Coverage, log *zap.Logger) (*world, error) {
	env, err := embedded.Virtual(embedded.Options{Brokers: 1 + 2*int(seed/2%2)})
	if err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	w := &world{
		seed: seed, cfg: settings(seed, env), log: log, env: env, coverage: coverage, rng: rng, living: map[string][]*process{}, underway: map[string][]func(){}, begun: map[string]bool{},
		strikes: &pending{left: strikes, reached: map[step]int{}}, heard: newSubscription(),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.outside, err = app.New(w.cfg, log, app.Seams{KafkaDial: env.DialKafka, RedisDial: env.DialRedis, Random: w.random, Embedded: true})
	if err == nil {
		_, w.genesis, err = w.outside.Apply(w.ctx)
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("apply topics: %w", err)
	}
	return w, nil
}

func (w *world) close() {
	w.cancel()
	if w.outside != nil {
		w.outside.Close()
	}
	w.env.Close()
}

// rules of alerts that are met within the seconds of a world.
func rules(seed uint64) config.Rules {
	slipping := alert.Rule{Name: "slipping", Metric: "churn_probability", At: .4, Clear: .35, For: 48 * time.Hour, CoolDown: 240 * time.Hour, Severity: "warning"}
	if seed%2 == 1 { // the live clock
		slipping.At, slipping.Clear, slipping.For, slipping.CoolDown = churnAfter(25*time.Second), churnAfter(15*time.Second), 2*time.Second, 5*time.Second
	}
	return config.Rules{
		slipping,
		{Name: "big_spender", Metric: "historic_clv", At: 300, Clear: 250, CoolDown: 3 * time.Second, Severity: "info"},
		{Name: "buys_often", Metric: "number_of_orders", At: 4, Clear: 4, Severity: "info"},
		{Name: "unhappy", Metric: "nps_score", Below: true, At: 6, Clear: 6, Severity: "critical"},
		{Name: "brings_others", Metric: "referral_value", At: 100, Clear: 50, Severity: "info"},
	}
}

// run plays a seed and returns what is wrong, nil if nothing is. It must be called in a bubble.
func run(seed uint64, strikes int, coverage *Coverage, log *zap.Logger) (story, problems []string) {
	rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a seed can be run again
	w, err := newWorld(seed, plan(seed, rng, strikes), rng, coverage, log)
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer w.close()

	var slots sync.WaitGroup
	for _, role := range []string{"intake", "fold"} {
		for range 2 {
			slots.Go(func() { w.keepAlive(role) })
		}
	}
	slots.Go(w.keepCopies)
	slots.Go(w.keepListening)
	w.shop()
	time.Sleep(15 * time.Second) // for strikes that need a little more, and zombies to come back
	w.strikes.clear()
	time.Sleep(15 * time.Second)
	problems = append(problems, w.settle()...)
	w.end()
	slots.Wait()
	problems = append(problems, w.judge()...)
	return w.story, problems
}

// keepAlive keeps one process of a role running, whatever happens to it.
func (w *world) keepAlive(role string) {
	for {
		w.mu.Lock()
		ending := w.ending
		w.mu.Unlock()
		if ending {
			return
		}
		p := w.startProcess(role)
		w.mu.Lock()
		w.living[role] = append(w.living[role], p)
		if w.ending {
			p.drain()
		}
		w.mu.Unlock()
		<-p.done
		w.observeLate(p)
		w.mu.Lock()
		for i, q := range w.living[role] {
			if q == p {
				w.living[role] = append(w.living[role][:i:i], w.living[role][i+1:]...)
			}
		}
		w.mu.Unlock()
		time.Sleep(time.Duration(100+w.intn(2000)) * time.Millisecond)
	}
}

// end drains intakes first, then folds, as an operator would.
func (w *world) end() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	for _, role := range []string{"intake", "fold"} {
		w.mu.Lock()
		all := append([]*process(nil), w.living[role]...)
		w.mu.Unlock()
		for _, p := range all {
			p.drain()
		}
		for _, p := range all {
			<-p.done
		}
		if role == "intake" {
			time.Sleep(3 * time.Second) // the folds fold what the intakes appended last
		}
	}
}

// keepCopies copies Redis now and then, as a backup or a replica that lags behind would.
func (w *world) keepCopies() {
	for {
		time.Sleep(time.Duration(1000+w.intn(4000)) * time.Millisecond)
		w.mu.Lock()
		ending := w.ending
		w.mu.Unlock()
		if ending {
			return
		}
		c, err := w.env.Copy()
		if err != nil {
			panic(err)
		}
		w.mu.Lock()
		w.copies = append(w.copies, c)
		w.mu.Unlock()
	}
}

// beside does what a fault does that is not the process's own.
func (w *world) beside(f fault, role string) {
	switch f {
	case restore:
		w.mu.Lock()
		var c embedded.Copy
		if len(w.copies) > 0 {
			c = w.copies[w.rng.IntN(len(w.copies))]
		}
		w.mu.Unlock()
		if c == nil {
			f = empty
		} else if err := w.env.Restore(c); err != nil {
			panic(err)
		}
		if f != empty {
			return
		}
		fallthrough
	case empty:
		if err := w.env.Empty(); err != nil {
			panic(err)
		}
	case metaLost:
		w.loseMeta()
	case deleted:
		w.deleteOldOutputs()
	case forgotten:
		w.misremember(false, fold.Group(w.cfg.Namespace), 300*time.Millisecond) // also for who has to claim a second time
		w.beside(empty, role)
	case rebalance:
		w.mu.Lock()
		all := w.living[role]
		other := all[w.rng.IntN(len(all))]
		w.mu.Unlock()
		other.drain() // it leaves in order, and another comes in its place
	case openTxn:
		w.mu.Lock()
		w.openShop = true
		w.mu.Unlock()
	default:
		panic("no fault beside a step: " + f)
	}
}

// loseMeta removes what says what the keys of some partitions hold, and leaves the keys.
func (w *world) loseMeta() {
	r := w.env.Miniredis()
	for _, key := range r.Keys() {
		if strings.HasSuffix(key, ":meta") && w.intn(2) == 0 {
			r.Del(key)
		}
	}
}

// retention of outputs, far above the checkpoints' interval.
const retention = 20 * time.Second

// deleteOldOutputs does what retention does: outputs go that are older, and were read by the subscriber.
func (w *world) deleteOldOutputs() {
	w.mu.Lock()
	old := w.heard.before(time.Now().Add(-retention).UnixMilli())
	w.mu.Unlock()
	for at, below := range old {
		if err := w.outside.Kafka.DeleteRecords(w.ctx, at.topic, at.partition, below); err != nil {
			w.note("delete outputs: %v", err)
		}
	}
}

// answerWith lets the broker answer the next request of the struck kind with an error. The returned func takes it back.
func (w *world) answerWith(s strike) func() {
	for _, a := range answers() {
		for _, at := range a.steps {
			if at != s.step {
				continue
			}
			for _, e := range a.errs {
				if brokerError(e) == s.fault {
					f := kfake.Fault{Keys: []kmsg.Key{a.key}, Err: e, Count: 1 + w.intn(3)}
					return w.env.Cluster().Fault(f).Remove
				}
			}
		}
	}
	panic("no such answer: " + s.pair())
}

// misremember lets the next OffsetFetch (of a group, if one is named), and those of some time, answer as if offsets were gone, or
// with the first position that could be: as a coordinator does that has expired them, or that has not yet seen the end of a
// transaction.
func (w *world) misremember(stale bool, group string, lasting time.Duration) func() {
	offset := int64(-1)
	if stale {
		offset = 0
	}
	done, until := false, time.Now().Add(lasting)
	var mu sync.Mutex
	w.env.Cluster().ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		req, ok := r.(*kmsg.OffsetFetchRequest)
		if done || !ok || req.GetVersion() > 7 || group != "" && req.Group != group {
			return nil, nil, false
		}
		if done = !time.Now().Before(until); !done {
			w.env.Cluster().KeepControl() // it would be gone with its first answer
		}
		resp, _ := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewOffsetFetchResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseTopicPartition()
				rp.Partition, rp.Offset, rp.LeaderEpoch = p, offset, -1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
	}
}

// observeLate reads a dead process's metrics: under the live clock no event may ever be late, since time stands still
// until everything before it is read.
func (w *world) observeLate(p *process) {
	if w.cfg.Clock != "live" {
		return
	}
	families, err := p.reg.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		if f.GetName() != "mainstay_late_records_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 {
				w.mu.Lock()
				w.late = append(w.late, fmt.Sprintf("%v events were late under the live clock: time passed before they were read", n))
				w.mu.Unlock()
			}
		}
	}
}

// settle waits until everything that was emitted is read, folded and published.
func (w *world) settle() []string {
	var behind string
	for range 240 {
		if behind = w.behind(); behind == "" {
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return []string{"stuck: " + behind}
}

// behind names what is not done yet, from Kafka alone.
func (w *world) behind() string {
	k := w.outside.Kafka
	lag := func(group, topic string) string {
		topics, err := k.Topics(w.ctx, []string{topic})
		if err != nil {
			return err.Error()
		}
		for p := range int32(len(topics[0].Leaders)) { //nolint:gosec // small
			bounds, err := k.ListOffsets(w.ctx, topic, []int32{p})
			if err != nil {
				return err.Error()
			}
			last, ok, err := k.ReadLast(w.ctx, topic, p)
			if err != nil {
				return err.Error()
			}
			at, _, err := k.CommittedOffset(w.ctx, group, topic, p)
			if err != nil {
				return err.Error()
			}
			// Ticks keep coming, so the ledger is never read to its end; what lies 3 s back must be.
			if ok && last.Offset >= at && (topic != ledger.Topic(w.cfg.Namespace) || bounds[p].LastStable-at > 12) {
				return fmt.Sprintf("%s/%d: committed %d, last record %d", topic, p, at, last.Offset)
			}
		}
		return ""
	}
	for topic := range app.Inputs(w.cfg) {
		if b := lag(w.cfg.Namespace+"-intake", topic); b != "" {
			return b
		}
	}
	return lag(w.cfg.Namespace+"-fold", ledger.Topic(w.cfg.Namespace))
}

// kafkaClient of the shop, with its transactions cut off before their end.
func (w *world) halfHearted() *kafka.Client {
	k, err := kafka.New(kafka.Config{
		Brokers: w.cfg.Kafka.Brokers, Dial: w.env.DialKafka, Timeout: time.Second,
		Around: func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
			if c.API == "EndTxn" {
				return errCut
			}
			return do(ctx)
		},
	})
	if err != nil {
		panic(err)
	}
	return k
}
