package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/testbed/containers"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// LosingTopics are the topics of which an unclean election may lose records.
func LosingTopics() []string { return []string{"ledger", "input", "output"} }

// noticeTimeout is how long after an unclean election a halt is waited for. If there is none, the audit must notice.
const noticeTimeout = 45 * time.Second

// loseAll forces unclean elections: a replica that lacks acknowledged records becomes the leader of a partition of a topic, one after
// the other of Config.Losing. The records are gone, which nothing can undo. What is required is that it does not go unnoticed: a
// partition halts with a named reason, or the audit has findings.
func (r *run) loseAll(ctx context.Context) error {
	var noticed []string
	for _, topic := range r.Losing {
		if err := until(ctx, healTimeout, "the servers are as before the last fault", r.servers.Healed); err != nil {
			return fmt.Errorf("unclean election, %s: %w", topic, err)
		}
		how, err := r.loseOf(ctx, r.servers.brokers, topic)
		if err != nil {
			return fmt.Errorf("unclean election, %s: %w", topic, err)
		}
		noticed = append(noticed, topic+": "+how)
	}
	r.report.Noticed = strings.Join(noticed, "; ")
	return nil
}

// loseOf runs Mainstay in a namespace of its own, forces the election, and returns how it was noticed.
func (r *run) loseOf(ctx context.Context, b *brokers, losing string) (noticed string, err error) {
	if err := r.prepareHealed(ctx, "unclean-"+losing); err != nil {
		return "", err
	}
	const longest = 300 // seconds
	loading, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	enough, sent := r.startLoad(loading, r.Rate*longest)
	ended := false
	end := func() error {
		if ended {
			return nil
		}
		ended = true
		return r.endLoad(enough, sent)
	}
	defer func() {
		if err != nil {
			giveUp(err) // brokers that are not healed would never acknowledge what is being sent
		}
		if ended := end(); err == nil {
			err = ended
		}
	}()
	if err := r.caughtUp(ctx); err != nil {
		return "", err
	}
	topic := map[string]string{
		"ledger": ledger.Topic(r.namespace), "input": r.namespace + "." + event.Purchase.Descriptor().Topic, "output": r.namespace + ".clv.v1",
	}[losing]
	start := time.Now()
	lost, err := r.electUnclean(ctx, b, topic, int32(r.rng.IntN(partitions)))
	if err != nil {
		return "", err
	}
	r.report.add("Kafka: unclean election, acknowledged records of the "+losing+" are lost", time.Since(start))
	noticed, err = r.awaitHalt(ctx)
	if err == nil && noticed == "" {
		if err = end(); err == nil {
			noticed, err = r.noticedByAudit(ctx)
		}
	}
	if err != nil {
		return "", err
	}
	noticed = fmt.Sprintf("%d acknowledged records lost, noticed by %s", lost, noticed)
	r.Log("%s: %s", losing, noticed)
	return noticed, nil
}

// prepareHealed is prepare on brokers that were healed a moment ago. One may still wait for an answer over a connection that is dead, or
// not know yet who leads what was created. What fails is repeated, as an operator would.
func (r *run) prepareHealed(ctx context.Context, name string) error {
	return until(ctx, healTimeout, "Mainstay is prepared again", func(context.Context) (bool, error) {
		err := r.prepare(ctx, name)
		if err != nil {
			r.Log("%s is prepared again: %v", name, err)
		}
		return err == nil, err
	})
}

// electUnclean makes a replica that lacks acknowledged records the leader, heals the brokers, and returns how many records are lost.
func (r *run) electUnclean(ctx context.Context, b *brokers, topic string, partition int32) (lost int64, err error) {
	stateOf := func(ctx context.Context, asked *containers.Broker) (containers.PartitionState, error) {
		all, err := asked.Partitions(ctx)
		for _, p := range all {
			if p.Topic == topic && p.Partition == partition {
				return p, nil
			}
		}
		return containers.PartitionState{}, errors.Join(err, fmt.Errorf("%s does not know %s/%d", asked.Address, topic, partition))
	}
	// Outputs of a transaction that is still open are no loss: it is aborted, and they are published again.
	committed := func(ctx context.Context) (int64, error) {
		ends, err := r.kafka.ListOffsets(ctx, topic, []int32{partition})
		return ends[partition].LastStable, err
	}
	before, err := stateOf(ctx, b.Brokers.Brokers[0])
	if err != nil {
		return 0, err
	}
	var lagging *containers.Broker
	var others []*containers.Broker // the leader is the last
	for _, n := range b.Brokers.Brokers {
		switch {
		case n.ID == before.Leader:
			others = append(others, n)
		case lagging == nil:
			lagging = n
		default:
			others = slices.Insert(others, 0, n)
		}
	}

	// One replica falls behind, and the others acknowledge without it.
	if err := lagging.CutOff(ctx); err != nil {
		return 0, err
	}
	err = until(ctx, healTimeout, "the replica is no longer in sync", func(ctx context.Context) (bool, error) {
		now, err := stateOf(ctx, others[0])
		return err == nil && !slices.Contains(now.InSync, lagging.ID), err
	})
	if err != nil {
		return 0, err
	}
	without, err := committed(ctx)
	if err != nil {
		return 0, err
	}
	acknowledged := without
	const records = 100
	err = until(ctx, healTimeout, "records are acknowledged without the replica", func(ctx context.Context) (bool, error) {
		acknowledged, err = committed(ctx)
		return acknowledged >= without+records, err
	})
	if err != nil {
		return 0, err
	}
	// Nobody but the sender could notice the loss of records that Mainstay has not read.
	err = until(ctx, healTimeout, "records that the replica lacks are processed", func(ctx context.Context) (bool, error) {
		s, err := r.status(ctx)
		return err == nil && processed(s, topic, partition) > without, err
	})
	if err != nil {
		return 0, err
	}

	// Those that have the records go away, and the one without them is all there is.
	for _, n := range others {
		if err := n.CutOff(ctx); err != nil {
			return 0, err
		}
	}
	if err := lagging.Reconnect(ctx); err != nil {
		return 0, err
	}
	leader := func(want int32) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			now, err := stateOf(ctx, lagging)
			return err == nil && now.Leader == want, err
		}
	}
	if err := until(ctx, healTimeout, "the partition has no leader", leader(-1)); err != nil {
		return 0, err
	}
	// The broker forwards the request to the controller, at first over a connection that broke while it was cut off.
	err = until(ctx, healTimeout, "the replica leads", func(ctx context.Context) (bool, error) {
		err := lagging.ElectUnclean(ctx, topic, partition)
		leads, failure := leader(lagging.ID)(ctx)
		return leads, errors.Join(err, failure)
	})
	if err != nil {
		return 0, err
	}
	for _, n := range others {
		if err := n.Reconnect(ctx); err != nil {
			return 0, err
		}
	}
	var end int64
	err = until(ctx, healTimeout, "the brokers are whole", func(ctx context.Context) (bool, error) {
		// Once the others follow, the load may append: the smallest end is that of the election.
		if now, err := lagging.End(ctx, topic, partition); err == nil && (end == 0 || now < end) {
			end = now
		}
		return r.servers.Healed(ctx)
	})
	if err != nil {
		return 0, err
	}
	if lost = acknowledged - end; lost <= 0 {
		return 0, fmt.Errorf("the election of %s/%d has lost nothing: %d records were acknowledged, the log ended at %d", topic, partition, acknowledged, end)
	}
	r.Log("unclean election of %s/%d: %d acknowledged records are lost", topic, partition, lost)
	return lost, nil
}

// processed is the offset up to which Mainstay has processed a partition: read it as an input, folded it as the ledger, or written it.
func processed(s *inspect.Status, topic string, partition int32) int64 {
	for _, in := range s.Inputs {
		if in.Topic == topic && in.Partition == partition {
			return position(in.Committed)
		}
	}
	if topic == ledger.Topic(s.Namespace) {
		return position(s.Partitions[partition].Published)
	}
	return math.MaxInt64
}

// position is -1 for one that is not known.
func position(p *int64) int64 {
	if p == nil {
		return -1
	}
	return *p
}

// awaitHalt returns the halts that the processes report; none: empty.
func (r *run) awaitHalt(ctx context.Context) (string, error) {
	var all []string
	err := until(ctx, noticeTimeout, "a partition halts", func(ctx context.Context) (bool, error) {
		s, err := r.status(ctx)
		if err != nil {
			return false, err
		}
		all = halted(s)
		return len(all) > 0, nil
	})
	switch {
	case err == nil:
		return "halt: " + strings.Join(all, ", "), nil
	case ctx.Err() != nil:
		return "", err
	default:
		return "", nil
	}
}

// noticedByAudit requires that the audit finds what no process noticed.
func (r *run) noticedByAudit(ctx context.Context) (string, error) {
	for _, p := range r.processes {
		stopping, cancel := context.WithTimeout(ctx, time.Minute)
		err := p.Stop(stopping)
		cancel()
		if err != nil {
			r.Log("a process ended with an error after the election: %v", err)
		}
	}
	a, err := r.audit(ctx)
	if err != nil {
		return fmt.Sprintf("an audit that cannot be made: %v", err), nil
	}
	if a.Clean() {
		return "", errors.New("nobody noticed: no partition has halted and the audit is clean")
	}
	return fmt.Sprintf("the audit: %d lost, %d doubled, %d differing, %d missing", a.Lost, a.Doubled, a.Differing, a.StateMissing), nil
}

// halted returns the halts that the processes report, as "place: reason".
func halted(s *inspect.Status) (all []string) {
	for _, p := range s.Partitions {
		if p.Halted != "" {
			all = append(all, fmt.Sprintf("ledger partition %d %s", p.Partition, p.Halted))
		}
	}
	for _, in := range s.Inputs {
		if in.Halted != "" {
			all = append(all, fmt.Sprintf("%s/%d %s", in.Topic, in.Partition, in.Halted))
		}
	}
	return all
}
