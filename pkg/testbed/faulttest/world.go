package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// world is the run of one seed: in-memory servers, processes that are started again whenever they end, a shop that produces
// inputs, a subscriber to the outputs, and the faults.
type world struct {
	seed      uint64
	model     liveModel // put in force half-way
	cfg       config.Config
	log       *zap.Logger
	ctx       context.Context //nolint:containedctx // the life of the world
	cancel    context.CancelFunc
	costs     map[statedCost]int64          // that the shop's operator has stated
	callMarks map[string][]*ledger.CallMark // that were stated, by customer
	env       *embedded.Embedded
	schemas   *schemaregistry.Server
	client    *app.App // without faults: the shop, the subscriber and the checks use it
	genesis   *ledger.Genesis
	faults    *schedule
	coverage  *coverage

	registryAnswers bool // each request, as tests need that wait for a fixed time

	clocksAhead time.Duration // of the machines that processes run on, before the servers' clocks

	mu              sync.Mutex // guards what follows
	rng             *rand.Rand
	processes       int                   // started so far
	running         map[string][]*process // by role
	shuttingDown    bool
	redisCopies     []embedded.Copy
	delayedRequests map[string][]func() // that will arrive late, by transactional id; see holdRequest
	partlyWritten   map[string]bool     // transactional ids with a delayed request that have written since
	leaveNextOpen   bool                // the shop leaves its next transaction open
	damaged         bool                // customers in Redis were damaged
	shopTime        string              // occurred_at of the shop's last event
	subscriber      *subscriber
	lateEvents      []string // problems found by checkLateEvents
	history         []string // what happened, printed when the seed fails
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

func (w *world) nextProcess() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes++
	return w.processes
}

// record adds a line to the seed's history.
func (w *world) record(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// settings are those of a small and fast system: what takes hours in production takes seconds, and limits are so low that they
// are reached.
func settings(seed uint64, env *embedded.Embedded) config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = []string{env.KafkaAddress()}, []string{env.RedisAddress()}
	c.Registry.URLs = []string{"http://registry"} // processes reach it through registryOf
	c.Outputs.Encoding = [...]string{"json", "avro", "json", "connect-json"}[seed%4]
	c.Kafka.Compression = [...]string{"none", "lz4", "zstd"}[seed%3]
	c.Kafka.Timeout, c.Kafka.HeartbeatInterval, c.Redis.Timeout = 4*time.Second, 500*time.Millisecond, 2*time.Second
	c.Ledger.Partitions = 1 + int(seed%3)
	c.Intake.TickInterval, c.Intake.CommitInterval = 500*time.Millisecond, 150*time.Millisecond
	c.Fold.PublishInterval, c.Fold.CommitInterval, c.Fold.CheckpointInterval = 100*time.Millisecond, 600*time.Millisecond, 3*time.Second
	c.Fold.CacheBytes, c.Fold.WakeLimit = 6000, 3
	c.Churn.GraceDays = 0
	c.Portfolio.ContributionInterval, c.Tiers.MinCustomers = 3*time.Second, 3
	if forgets(seed) {
		c.Kafka.Topics[event.Erasure] = []string{event.Erasure.Descriptor().Topic}
	}
	if merges(seed) {
		c.Kafka.Topics[event.Identity] = []string{event.Identity.Descriptor().Topic}
	}
	if engages(seed) {
		c.Kafka.Topics[event.Engagement] = []string{event.Engagement.Descriptor().Topic}
	}
	if forgets(seed) || engages(seed) {
		c.Dedup.Days = 1000 // a history has 400 days, within which the repetition of an event may come late; once its id is forgotten, it counts
	}
	if batches(seed) {
		c.Kafka.Topics[event.Purchase] = []string{"purchases=" + batchesTable}
	}
	c.Alerts.Rules, c.Alerts.FuseRaises, c.Alerts.FuseShare = rules(seed), 3, 0
	c.Alerts.ControlShare = controlShare(seed)
	if seed%4 != 2 { // a close for each of the 400 days of a history takes several times as long as all else
		c.Portfolio.Close = "off"
	}
	if seed%2 == 0 {
		c.Clock = "event"
		return c
	}
	// Under the live clock a few seconds of silence must change the churn class, so its thresholds lie close to the probability
	// of a customer with one order.
	c.Churn.Medium, c.Churn.High = churnAfter(20*time.Second), churnAfter(40*time.Second)
	return c
}

// newWorld starts the servers of a seed and creates its ledger. It must be called in a synctest bubble; close ends it.
func newWorld(seed uint64, faults []fault, rng *rand.Rand, coverage *coverage, log *zap.Logger) (*world, error) {
	env, err := embedded.Virtual(embedded.Options{Brokers: 1 + 2*int(seed/2%2)})
	if err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	w := &world{
		seed: seed, model: liveModelOf(seed), cfg: settings(seed, env), log: log, env: env, schemas: newSchemaRegistry(), coverage: coverage, rng: rng,
		faults: &schedule{planned: faults, reached: map[step]int{}}, subscriber: newSubscriber(),
		running: map[string][]*process{}, delayedRequests: map[string][]func(){}, partlyWritten: map[string]bool{},
		costs: map[statedCost]int64{}, callMarks: map[string][]*ledger.CallMark{},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.client, err = app.New(w.cfg, log, app.Hooks{KafkaDial: env.DialKafka, RedisDial: env.DialRedis, Random: w.random, Registry: registryThatAnswers{w}, Embedded: true})
	if err == nil {
		_, w.genesis, err = w.client.Apply(w.ctx)
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("apply topics: %w", err)
	}
	w.subscriber.groupOf = func(rule, customer string) string {
		return groupOf(w.genesis.GetLedgerId(), rule, customer, controlShare(seed))
	}
	return w, nil
}

func (w *world) close() {
	w.cancel()
	if w.client != nil {
		w.client.Close()
	}
	w.env.Close()
}

// rules are alert rules that are met within seconds.
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
		{Name: "among_the_best", Metric: "value_tier", At: 2, Clear: 2, Severity: "info"}, // new thresholds end it
		{Name: "brings_others", Metric: "referral_value", At: 100, Clear: 50, Severity: "info"},
		{Name: "away", Metric: "active_days_30", Below: true, At: 0, Clear: 0, Severity: "info"}, // under the event clock
	}
}

// run runs a seed and returns its history and the problems found. It must be called in a synctest bubble.
func run(seed uint64, faults int, coverage *coverage, log *zap.Logger) (history, problems []string) {
	rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a seed can be run again
	w, err := newWorld(seed, planFaults(seed, rng, faults), rng, coverage, log)
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer w.close()

	var loops sync.WaitGroup
	for _, role := range []string{"intake", "fold"} {
		for range 2 {
			loops.Go(func() { w.superviseRole(role) })
		}
	}
	loops.Go(w.copyRedis)
	loops.Go(w.followOutputs)
	w.produceInputs()
	time.Sleep(15 * time.Second) // for faults that are due later, and for zombies to resume
	w.faults.clear()
	w.readDamaged()
	time.Sleep(15 * time.Second)
	problems = append(problems, w.waitUntilIdle()...)
	w.shutDown()
	loops.Wait()
	problems = append(problems, w.verify()...)
	if seed/2%2 == 0 { // under both clocks
		problems = append(problems, w.verifyCopy()...)
	}
	return w.history, problems
}

// superviseRole starts a process of a role, and another one each time that it has ended.
func (w *world) superviseRole(role string) {
	for {
		w.mu.Lock()
		shuttingDown := w.shuttingDown
		w.mu.Unlock()
		if shuttingDown {
			return
		}
		p := w.startProcess(role)
		w.mu.Lock()
		w.running[role] = append(w.running[role], p)
		if w.shuttingDown {
			p.drain()
		}
		w.mu.Unlock()
		<-p.done
		w.checkLateEvents(p)
		w.mu.Lock()
		for i, q := range w.running[role] {
			if q == p {
				w.running[role] = append(w.running[role][:i:i], w.running[role][i+1:]...)
			}
		}
		w.mu.Unlock()
		time.Sleep(time.Duration(100+w.intn(2000)) * time.Millisecond)
	}
}

// shutDown drains the intakes, then the folds, as an operator would.
func (w *world) shutDown() {
	w.mu.Lock()
	w.shuttingDown = true
	w.mu.Unlock()
	for _, role := range []string{"intake", "fold"} {
		w.mu.Lock()
		all := append([]*process(nil), w.running[role]...)
		w.mu.Unlock()
		for _, p := range all {
			p.drain()
		}
		for _, p := range all {
			<-p.done
		}
		if role == "intake" {
			time.Sleep(3 * time.Second) // for the folds to fold the last entries
		}
	}
}

// copyRedis copies Redis at random times, as a backup or a replica that lags behind would.
func (w *world) copyRedis() {
	for {
		time.Sleep(time.Duration(1000+w.intn(4000)) * time.Millisecond)
		w.mu.Lock()
		shuttingDown := w.shuttingDown
		w.mu.Unlock()
		if shuttingDown {
			return
		}
		c, err := w.env.Copy()
		if err != nil {
			panic(err)
		}
		w.mu.Lock()
		w.redisCopies = append(w.redisCopies, c)
		w.mu.Unlock()
	}
}

// injectOutside injects a fault that hits something other than the process that has reached the step.
func (w *world) injectOutside(kind faultKind, role string) {
	switch kind {
	case redisRestored:
		w.mu.Lock()
		var c embedded.Copy
		if len(w.redisCopies) > 0 {
			c = w.redisCopies[w.rng.IntN(len(w.redisCopies))]
		}
		w.mu.Unlock()
		if c == nil {
			w.injectOutside(redisEmptied, role)
			return
		}
		if err := w.env.Restore(c); err != nil {
			panic(err)
		}
	case redisEmptied:
		if err := w.env.Empty(); err != nil {
			panic(err)
		}
	case redisMetaLost:
		w.loseMeta()
	case redisCustomerLost:
		w.loseCustomer()
	case redisCustomersDamaged:
		w.damageCustomers()
	case oldOutputsDeleted:
		w.deleteOldOutputs()
	case redisEmptiedOffsetExpired:
		w.answerOldOffsets(false, fold.Group(w.cfg.Namespace), 300*time.Millisecond) // long enough for a second claim
		w.injectOutside(redisEmptied, role)
	case rebalance:
		w.mu.Lock()
		all := w.running[role]
		other := all[w.rng.IntN(len(all))]
		w.mu.Unlock()
		other.drain() // it leaves the group, and the next process joins it
	case inputTxnLeftOpen:
		w.mu.Lock()
		w.leaveNextOpen = true
		w.mu.Unlock()
	default:
		panic("a fault of requests at a labelled step: " + kind)
	}
}

// loseMeta deletes the meta keys of some partitions and leaves their other keys.
func (w *world) loseMeta() {
	r := w.env.Miniredis()
	for _, key := range r.Keys() {
		if strings.HasSuffix(key, ":meta") && w.intn(2) == 0 {
			r.Del(key)
		}
	}
}

// retention of outputs, far above the interval of checkpoints.
const retention = 20 * time.Second

// deleteOldOutputs does what retention does. It deletes only outputs that the subscriber has read.
func (w *world) deleteOldOutputs() {
	w.mu.Lock()
	old := w.subscriber.olderThan(time.Now().Add(-retention).UnixMilli())
	w.mu.Unlock()
	for p, below := range old {
		if err := w.client.Kafka.DeleteRecords(w.ctx, p.topic, p.partition, below); err != nil {
			w.record("delete outputs: %v", err)
		}
	}
}

// answerError makes the broker answer the next requests of the fault's API with its error, until the returned func is called.
func (w *world) answerError(f fault) (stop func()) {
	for _, r := range errorResponses() {
		if !slices.Contains(r.steps, f.step) {
			continue
		}
		for _, e := range r.errs {
			if brokerError(e) != f.kind {
				continue
			}
			installed := w.env.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{r.key}, Topic: r.topic, Err: e, Count: 1 + w.intn(3)})
			if r.topic != "" {
				return func() {}
			}
			return installed.Remove
		}
	}
	panic("no such error response: " + f.pair())
}

// answerOldOffsets makes the coordinator answer OffsetFetch (of a group, or of any if none is given) without an offset, as if
// offsets had expired, or with 0, as if it had not yet seen the end of a transaction. It changes the answer to the first request
// and to those within a duration, until the returned func is called.
func (w *world) answerOldOffsets(outdated bool, group string, lasting time.Duration) (stop func()) {
	offset := int64(-1)
	if outdated {
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
			w.env.Cluster().KeepControl() // otherwise it is removed after its first answer
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

// checkLateEvents reads the metrics of a process that has ended. Under the live clock no event may ever be late, since base time
// waits until everything before it is read.
func (w *world) checkLateEvents(p *process) {
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
				w.lateEvents = append(w.lateEvents, fmt.Sprintf("%v events were late under the live clock: base time passed them before they were read", n))
				w.mu.Unlock()
			}
		}
	}
}

// waitUntilIdle waits until every input is read, folded and published.
func (w *world) waitUntilIdle() []string {
	var unfinished string
	for range 240 {
		if unfinished = w.unfinished(); unfinished == "" {
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return []string{"not finished: " + unfinished}
}

// unfinished names a topic partition that is not fully read yet, by what Kafka says alone.
func (w *world) unfinished() string {
	k := w.client.Kafka
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
			committed, _, err := k.CommittedOffset(w.ctx, group, topic, p)
			if err != nil {
				return err.Error()
			}
			// Ticks are appended all the time, so the last few entries of the ledger may be unread.
			if ok && last.Offset >= committed && (topic != ledger.Topic(w.cfg.Namespace) || bounds[p].LastStable-committed > 12) {
				return fmt.Sprintf("%s/%d: committed %d, last record %d", topic, p, committed, last.Offset)
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
