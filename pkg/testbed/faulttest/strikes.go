package faulttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is what happens at a step.
type fault string

// The faults of requests: a request may be cut off, or its sender die, before it reaches the server or after.
const (
	crashBefore fault = "crash before"
	crashAfter  fault = "crash after"
	cutBefore   fault = "cut before"
	cutAfter    fault = "cut after"
	pauseShort  fault = "pause"
	zombie      fault = "zombie"                              // frozen for longer than the session lasts, then going on
	late        fault = "arrives late"                        // its sender is told that it was cut off
	lateInto    fault = "arrives within the next claim"       // likewise, and it reaches the server right before that one's fence
	lateWithin  fault = "arrives within the next transaction" // likewise, between two of its writes, and then its sender dies
	expired     fault = "offset expired"
	stale       fault = "offset stale"
)

// The faults that happen beside a step: to Redis, to the group, to a shop's own transaction.
const (
	restore   fault = "Redis restored"
	empty     fault = "Redis emptied"
	rebalance fault = "rebalance"
	openTxn   fault = "emitter's transaction left open"
	metaLost  fault = "Redis meta lost"
	deleted   fault = "old outputs deleted"
	forgotten fault = "Redis emptied, and the offset expired"
)

// brokerError is a fault that real brokers answer with and the one in memory does not by itself.
func brokerError(e *kerr.Error) fault { return fault(fmt.Sprintf("broker answers %d", e.Code)) }

// step is a place where a fault can strike: a request by the role that sends it and its name, or a named step of a loop.
type step string

// strike is a fault planned for the nth time that a step is reached.
type strike struct {
	step  step
	fault fault
	nth   int

	repeats int // how often it has struck before
}

func (s strike) pair() string { return string(s.step) + " × " + string(s.fault) }

type answer struct {
	steps []step
	key   kmsg.Key
	errs  []*kerr.Error
}

// answers lists what brokers answer where. Codes: 51 concurrent transactions, 14 coordinator load in progress, 15
// coordinator not available, 16 not coordinator, 19 not enough replicas, 6 not leader, 74 fenced leader epoch.
func answers() []answer {
	busy := []*kerr.Error{kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator}
	away := busy[1:]
	return []answer{
		{[]step{"fold.InitProducerId"}, kmsg.InitProducerID, busy},
		{[]step{"fold.AddPartitionsToTxn"}, kmsg.AddPartitionsToTxn, busy},
		{[]step{"fold.AddOffsetsToTxn"}, kmsg.AddOffsetsToTxn, busy},
		{[]step{"fold.TxnOffsetCommit"}, kmsg.TxnOffsetCommit, away},
		{[]step{"fold.EndTxn"}, kmsg.EndTxn, busy},
		{[]step{"fold.OffsetFetch", "intake.OffsetFetch"}, kmsg.OffsetFetch, away},
		{[]step{"fold.Produce", "intake.Produce"}, kmsg.Produce, []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition}},
		{[]step{"fold.Fetch", "intake.Fetch"}, kmsg.Fetch, []*kerr.Error{kerr.FencedLeaderEpoch, kerr.NotLeaderForPartition}},
		{[]step{"intake.OffsetCommit"}, kmsg.OffsetCommit, away},
	}
}

// universe is every pair of step and fault. All of them must strike in the seeds of a test run.
func universe() []strike {
	requests := []step{
		"fold.Heartbeat", "fold.InitProducerId", "fold.OffsetFetch", "fold.ListOffsets", "fold.Fetch", "fold.AddPartitionsToTxn",
		"fold.Produce", "fold.AddOffsetsToTxn", "fold.TxnOffsetCommit", "fold.EndTxn", "fold.JoinGroup", "fold.SyncGroup",
		"fold.redis.claim.exec", "fold.redis.begin.exec", "fold.redis.load.exec", "fold.redis.due.exec", "fold.redis.classes.exec",
		"fold.redis.commit.exec",
		"intake.InitProducerId", "intake.OffsetFetch", "intake.ListOffsets", "intake.Fetch", "intake.Produce", "intake.OffsetCommit",
	}
	named := []step{
		"fold.at fenced", "fold.at claimed", "fold.at fold", "fold.at publish", "fold.at published", "fold.at commit", "fold.at committed",
		"intake.at intake", "intake.at acknowledged", "intake.at commit offsets",
	}
	var all []strike
	for _, s := range requests {
		for _, f := range []fault{crashBefore, crashAfter, cutBefore, cutAfter, late, pauseShort, zombie} {
			all = append(all, strike{step: s, fault: f})
		}
	}
	all = append(all, strike{step: "fold.EndTxn", fault: lateInto}, strike{step: "fold.EndTxn", fault: lateWithin})
	for _, s := range named {
		for _, f := range []fault{crashBefore, pauseShort, zombie, restore, empty, metaLost, deleted, rebalance, openTxn} {
			all = append(all, strike{step: s, fault: f})
		}
	}
	for _, a := range answers() {
		for _, s := range a.steps {
			for _, e := range a.errs {
				all = append(all, strike{step: s, fault: brokerError(e)})
			}
		}
	}
	for _, s := range []step{"fold.OffsetFetch", "intake.OffsetFetch"} {
		all = append(all, strike{step: s, fault: expired}, strike{step: s, fault: stale})
	}
	for _, s := range []step{"fold.at published", "fold.at committed"} {
		all = append(all, strike{step: s, fault: forgotten})
	}
	return all
}

// rare steps are reached once per claim or run, or only while new terms travel, so their strikes must come early to come at all.
func (s step) rare() bool {
	_, call, _ := strings.Cut(string(s), ".")
	return slices.Contains([]string{
		"InitProducerId", "OffsetFetch", "ListOffsets", "JoinGroup", "SyncGroup", "redis.claim.exec", "redis.begin.exec", "redis.classes.exec",
		"at fenced", "at claimed",
	}, call)
}

// plan draws the strikes of a seed: every pair has its turn as seeds go by, and some more by chance.
func plan(seed uint64, rng *rand.Rand, count int) []strike {
	all := universe()
	for range 7 { // more often than others: to do harm it needs outputs that lie with several brokers
		all = append(all, strike{step: "fold.EndTxn", fault: lateWithin})
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(all)) //nolint:gosec // the same order in every run is the point
	strikes := make([]strike, count)
	for i := range strikes {
		at := rng.IntN(len(all))
		if turns := count - 1; i < turns {
			at = (int(seed)*turns + i) % len(all) //nolint:gosec // seeds are small
		}
		strikes[i] = all[order[at]]
		strikes[i].nth = 1 + rng.IntN(25)
		if strikes[i].step.rare() {
			strikes[i].nth = 1 + rng.IntN(2)
		}
	}
	return strikes
}

// Coverage counts which faults struck at which steps.
type Coverage struct {
	mu   sync.Mutex
	hits map[string]int
}

// NewCoverage counts from zero.
func NewCoverage() *Coverage { return &Coverage{hits: map[string]int{}} }

func (c *Coverage) hit(s strike) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hits[s.pair()]++
}

// Missing returns the pairs that never struck.
func (c *Coverage) Missing() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, s := range universe() {
		if c.hits[s.pair()] == 0 {
			missing = append(missing, s.pair())
		}
	}
	return missing
}

// String is a table: a line per step, with each fault's count.
func (c *Coverage) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := map[step][]string{}
	for _, s := range universe() {
		by[s.step] = append(by[s.step], fmt.Sprintf("%s %d", s.fault, c.hits[s.pair()]))
	}
	steps := make([]step, 0, len(by))
	for s := range by {
		steps = append(steps, s)
	}
	slices.Sort(steps)
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%-28s %s\n", s, strings.Join(by[s], " · "))
	}
	return b.String()
}
