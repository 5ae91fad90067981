package faulttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
)

// faultKind is what happens at a step.
type faultKind string

// The faults of requests. A request can be lost, or its sender can crash, before or after the request reaches the server.
const (
	crashBefore    faultKind = "crash before"
	crashAfter     faultKind = "crash after"
	cutBefore      faultKind = "cut before"
	cutAfter       faultKind = "cut after"
	pauseShort     faultKind = "pause"
	zombie         faultKind = "zombie"                              // frozen for longer than the session time-out, then resumed
	late           faultKind = "arrives late"                        // the sender gets an error, the request still arrives
	lateInClaim    faultKind = "arrives within the next claim"       // likewise, right before that claim's InitProducerId
	lateInTxn      faultKind = "arrives within the next transaction" // likewise, between two of its writes, and then its sender crashes
	offsetExpired  faultKind = "offset expired"
	offsetOutdated faultKind = "offset outdated"
)

// The faults that a step only times: they hit Redis, the group, the outputs or the producer of the inputs.
const (
	redisRestored             faultKind = "Redis restored"
	redisEmptied              faultKind = "Redis emptied"
	redisMetaLost             faultKind = "Redis meta lost"
	redisCustomerLost         faultKind = "Redis customer lost"
	redisCustomersDamaged     faultKind = "Redis customers damaged"
	redisEmptiedOffsetExpired faultKind = "Redis emptied, and the offset expired"
	rebalance                 faultKind = "rebalance"
	inputTxnLeftOpen          faultKind = "input transaction left open"
	oldOutputsDeleted         faultKind = "old outputs deleted"
)

// brokerError is an error that real brokers answer with and the in-memory broker only on demand.
func brokerError(e *kerr.Error) faultKind { return faultKind(fmt.Sprintf("broker answers %d", e.Code)) }

// step is a place where a fault can be injected: a request, by its sender's role and its name, or a labelled step of a role's loop.
type step string

func labelled(role, label string) step { return step(role + ".at " + label) }

// labelledSteps are all that the roles declare; atStep panics at another one.
func labelledSteps() []step {
	var all []step
	for _, label := range []string{
		fold.StepFenced, fold.StepClaimed, fold.StepFold, fold.StepPublish, fold.StepPublished, fold.StepCommit, fold.StepCommitted,
	} {
		all = append(all, labelled("fold", label))
	}
	for _, label := range []string{intake.StepFetched, intake.StepAcknowledged, intake.StepCommitOffsets} {
		all = append(all, labelled("intake", label))
	}
	return all
}

// fault is planned for the nth time that a step is reached.
type fault struct {
	step step
	kind faultKind
	nth  int

	injected int // how often, for faults that repeat
}

func (f fault) pair() string { return string(f.step) + " × " + string(f.kind) }

// errorResponse lists the errors that a broker can answer requests of one API with.
type errorResponse struct {
	steps []step
	key   kmsg.Key
	errs  []*kerr.Error
	// topic is the only one that is concerned; empty: all. The errors then last until requests for it have been answered with them.
	topic string
}

// errorResponses: the codes are 51 concurrent transactions, 14 coordinator load in progress, 15 coordinator not available,
// 16 not coordinator, 19 not enough replicas, 6 not leader, 74 fenced leader epoch; refusals for good are 10 message too large,
// 29 topic authorization failed, 32 invalid timestamp, 87 invalid record. What the ledger refuses for a record's sake changes
// the answers, so that TestRefusedRecords covers it.
func errorResponses() []errorResponse {
	busy := []*kerr.Error{kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator}
	away := busy[1:]
	return []errorResponse{
		{[]step{"fold.InitProducerId"}, kmsg.InitProducerID, busy, ""},
		{[]step{"fold.AddPartitionsToTxn"}, kmsg.AddPartitionsToTxn, busy, ""},
		{[]step{"fold.AddOffsetsToTxn"}, kmsg.AddOffsetsToTxn, busy, ""},
		{[]step{"fold.TxnOffsetCommit"}, kmsg.TxnOffsetCommit, away, ""},
		{[]step{"fold.EndTxn"}, kmsg.EndTxn, busy, ""},
		{[]step{"fold.OffsetFetch", "intake.OffsetFetch"}, kmsg.OffsetFetch, away, ""},
		{[]step{"fold.Produce", "intake.Produce"}, kmsg.Produce, []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition}, ""},
		{[]step{"fold.Fetch", "intake.Fetch"}, kmsg.Fetch, []*kerr.Error{kerr.FencedLeaderEpoch, kerr.NotLeaderForPartition}, ""},
		{[]step{"intake.OffsetCommit"}, kmsg.OffsetCommit, away, ""},
		{[]step{"intake.Produce"}, kmsg.Produce, []*kerr.Error{kerr.TopicAuthorizationFailed}, "mainstay.ledger.v1"},
		{[]step{"intake.Produce"}, kmsg.Produce, []*kerr.Error{kerr.MessageTooLarge, kerr.InvalidTimestamp, kerr.InvalidRecord}, "mainstay.purchases.dlq"},
		{[]step{"fold.Produce"}, kmsg.Produce, []*kerr.Error{kerr.MessageTooLarge, kerr.TopicAuthorizationFailed}, "mainstay.clv.v1"},
	}
}

// allFaults is every pair of step and fault. Each pair must be injected in the seeds of a test run.
func allFaults() []fault {
	requests := []step{
		"fold.Heartbeat", "fold.InitProducerId", "fold.OffsetFetch", "fold.ListOffsets", "fold.Fetch", "fold.AddPartitionsToTxn",
		"fold.Produce", "fold.AddOffsetsToTxn", "fold.TxnOffsetCommit", "fold.EndTxn", "fold.JoinGroup", "fold.SyncGroup",
		"fold.redis.claim.exec", "fold.redis.begin.exec", "fold.redis.load.exec", "fold.redis.due.exec", "fold.redis.classes.exec",
		"fold.redis.commit.exec",
		"intake.InitProducerId", "intake.OffsetFetch", "intake.ListOffsets", "intake.Fetch", "intake.Produce", "intake.OffsetCommit",
		"intake.registry",
	}
	var all []fault
	for _, s := range requests {
		for _, k := range []faultKind{crashBefore, crashAfter, cutBefore, cutAfter, late, pauseShort, zombie} {
			all = append(all, fault{step: s, kind: k})
		}
	}
	all = append(all, fault{step: "fold.EndTxn", kind: lateInClaim}, fault{step: "fold.EndTxn", kind: lateInTxn})
	for _, s := range labelledSteps() {
		for _, k := range []faultKind{crashBefore, pauseShort, zombie, redisRestored, redisEmptied, redisMetaLost, redisCustomerLost, redisCustomersDamaged, oldOutputsDeleted, rebalance, inputTxnLeftOpen} {
			all = append(all, fault{step: s, kind: k})
		}
	}
	for _, r := range errorResponses() {
		for _, s := range r.steps {
			for _, e := range r.errs {
				all = append(all, fault{step: s, kind: brokerError(e)})
			}
		}
	}
	for _, s := range []step{"fold.OffsetFetch", "intake.OffsetFetch"} {
		all = append(all, fault{step: s, kind: offsetExpired}, fault{step: s, kind: offsetOutdated})
	}
	for _, s := range []step{labelled("fold", fold.StepPublished), labelled("fold", fold.StepCommitted)} {
		all = append(all, fault{step: s, kind: redisEmptiedOffsetExpired})
	}
	return all
}

// rare says that a step is reached only once per claim or run, once per process and schema, or only while customers are rescored. Its faults are planned for
// the first times, or they would never be injected.
func (s step) rare() bool {
	_, name, _ := strings.Cut(string(s), ".")
	return slices.Contains([]string{
		"InitProducerId", "OffsetFetch", "ListOffsets", "JoinGroup", "SyncGroup", "redis.claim.exec", "redis.begin.exec", "redis.classes.exec", "registry",
	}, name) || s == labelled("fold", fold.StepFenced) || s == labelled("fold", fold.StepClaimed)
}

// planFaults draws the faults of a seed. All but one are taken in turn, so that every pair comes up as seeds go by; the last is random.
func planFaults(seed uint64, rng *rand.Rand, count int) []fault {
	all := allFaults()
	for range 7 { // more often than others: it does harm only where the outputs have several brokers
		all = append(all, fault{step: "fold.EndTxn", kind: lateInTxn})
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(all)) //nolint:gosec // the same order in every run is the point
	faults := make([]fault, count)
	for i := range faults {
		at := rng.IntN(len(all))
		if turns := count - 1; i < turns {
			at = (int(seed)*turns + i) % len(all) //nolint:gosec // seeds are small
		}
		faults[i] = all[order[at]]
		faults[i].nth = 1 + rng.IntN(25)
		if faults[i].step.rare() {
			faults[i].nth = 1 + rng.IntN(2)
		}
	}
	return faults
}

// schedule holds the faults of a seed that are still to be injected.
type schedule struct {
	mu      sync.Mutex
	planned []fault
	reached map[step]int
}

// reach counts a step and returns the fault that is due there, if there is one.
func (s *schedule) reach(at step) (fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached[at]++
	for i, f := range s.planned {
		if f.step == at && s.reached[at] >= f.nth {
			s.planned = append(s.planned[:i], s.planned[i+1:]...)
			return f, true
		}
	}
	return fault{}, false
}

// repeat plans a fault for the next time that its step is reached, until it has been injected a few times.
func (s *schedule) repeat(f fault) {
	const times = 5
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.injected++; f.injected < times {
		s.planned = append(s.planned, f)
	}
}

func (s *schedule) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planned = nil
}

// coverage counts which faults were injected at which steps.
type coverage struct {
	mu     sync.Mutex
	counts map[string]int // by pair
}

func newCoverage() *coverage { return &coverage{counts: map[string]int{}} }

func (c *coverage) add(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[f.pair()]++
}

// missing returns the pairs that were never injected.
func (c *coverage) missing() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, f := range allFaults() {
		if c.counts[f.pair()] == 0 {
			missing = append(missing, f.pair())
		}
	}
	return missing
}

// String is a table: a line per step, with the count of each fault.
func (c *coverage) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	byStep := map[step][]string{}
	for _, f := range allFaults() {
		byStep[f.step] = append(byStep[f.step], fmt.Sprintf("%s %d", f.kind, c.counts[f.pair()]))
	}
	steps := make([]step, 0, len(byStep))
	for s := range byStep {
		steps = append(steps, s)
	}
	slices.Sort(steps)
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%-28s %s\n", s, strings.Join(byStep[s], " · "))
	}
	return b.String()
}
