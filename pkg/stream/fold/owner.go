package fold

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/consumer"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// owner owns one ledger partition during one generation of the group. It runs in one goroutine. It makes one claim after
// the other; what is learned under a claim is in the claim and is thrown away with it. The owner keeps only what outlives a
// claim.
type owner struct {
	*Fold
	gen       *kafka.Generation // under which the partition is assigned; fences commits of its offsets
	partition int32
	topic     string // of the ledger
	label     string // the partition, as a label of metrics
	store     *redis.Partition
	log       *zap.Logger

	envelope     *output.Envelope      // the headers that all outputs of the partition share
	outputTopics [output.Topics]string // their names
	gauges       gauges
	kept         *kept

	// status is the last one reported. It outlives the claim so that a halted partition still shows its positions.
	status Status
	// rebuild is set when a read finds the snapshot in Redis torn: the next claim begins a new snapshot.
	rebuild bool
	// redisAhead counts the claims in a row that found R above K, beyondLedger those that found K above the ledger's end.
	redisAhead, beyondLedger int
	complaints               consumer.Complaints
}

func newOwner(f *Fold, gen *kafka.Generation, partition int32) *owner {
	o := &owner{
		Fold: f, gen: gen, partition: partition, topic: ledger.Topic(f.cfg.Namespace), label: strconv.Itoa(int(partition)),
		store:  f.redis.Partition(f.cfg.Namespace, partition, f.cfg.Genesis.GetPartitions()),
		gauges: f.gaugesOf(ledger.Topic(f.cfg.Namespace), partition), kept: f.keptOf(partition),
		envelope: output.NewEnvelope(f.cfg.Namespace, f.cfg.Genesis.GetLedgerId(), partition, processors.LogicVersion),
		log:      f.log.With(zap.Int32("partition", partition)),
		status:   Status{Partition: partition},
	}
	for t := range output.Topics {
		o.outputTopics[t] = t.Name(f.cfg.Namespace)
	}
	o.beginSeries()
	o.status = f.continueStatus(partition)
	return o
}

// run claims the partition, serves it, and after any error claims it again from the start, until the generation ends or the
// fold is drained.
func (o *owner) run(ctx context.Context) {
	if !o.consumer.Pause(ctx, o.kept.notBefore.Sub(o.cfg.Now())) {
		return
	}
	for {
		err := o.claimAndServe(ctx)
		if ctx.Err() != nil || errors.Is(err, errDrained) {
			return
		}
		if errors.Is(err, redis.ErrTorn) {
			o.rebuild = true
			o.store.MarkTorn() // a blob that does not decode is torn for the fold alone
		}
		failed := o.status
		failed.Cause = err.Error()
		if reason, ok := halt.ReasonOf(err); ok {
			failed.Halted = reason
			o.log.Error("partition halted", zap.String("reason", string(reason)), zap.Error(err))
			o.clearHalted() // of another reason
			o.metrics.Consumer.Halted.WithLabelValues(o.label, string(reason)).Set(1)
		}
		o.countFailure(&failed, err)
		o.setStatus(failed)
		if !o.consumer.Pause(ctx, o.pause(failed.Failing)) {
			return
		}
	}
}

// pause is the time until the next claim. A cause that only an operator can remove is not tried as often as an outage. What a topic refuses
// is not tried earlier because something else fails, or because a generation ends; at first it is tried soon, since the next claim ends the
// transaction that was refused, and that holds up the readers of all topics in it.
func (o *owner) pause(cause failure.Cause) time.Duration {
	now := o.cfg.Now()
	switch {
	case cause == failure.Halted && o.kept.refusing == "":
		return o.cfg.HaltRetry
	case cause == failure.Halted:
		o.kept.notBefore = now.Add(o.kept.backoffs.Next(string(cause), o.cfg.HaltRetry, now))
		return o.kept.notBefore.Sub(now)
	case cause == failure.KafkaDenied, cause == failure.RedisDenied:
		return max(o.kept.notBefore.Sub(now), o.kept.backoffs.Next(string(cause), o.cfg.HaltRetry, now))
	default:
		return max(o.kept.notBefore.Sub(now), o.kept.backoffs.Next(string(cause), consumer.LongestPause, now))
	}
}

// countFailure counts and logs a claim that failed.
func (o *owner) countFailure(failed *Status, err error) {
	failed.Failing = failure.Of(err)
	o.kept.failing, o.kept.failure = failed.Failing, err.Error()
	o.metrics.ClaimsFailed.WithLabelValues(o.label, string(failed.Failing)).Inc()
	level := o.complaints.Failed(string(failed.Failing), o.cfg.Now())
	if failed.Halted == "" { // a halt is logged with its reason
		o.log.Log(level, "claiming the partition again", zap.String("cause", string(failed.Failing)), zap.Int("failed", o.complaints.Failures()), zap.Error(err))
	}
}

// progressed resets the time since the last progress: a commit succeeded, or there is nothing to commit.
func (o *owner) progressed() {
	o.metrics.Stalled.Set(telemetry.ByFold, o.topic, o.label, 0)
	o.kept.failing, o.kept.failure = "", ""
	if lasted, failed := o.complaints.Over(o.cfg.Now()); failed > 0 {
		o.log.Info("the partition makes progress again", zap.Int("failed", failed), zap.Duration("after", lasted))
	}
}

var errDrained = errors.New("drained")

func (o *owner) claimAndServe(ctx context.Context) error {
	c, err := o.claim(ctx)
	if err != nil {
		return err
	}
	defer c.reportPositions()
	if o.kept.halted == "" {
		o.clearHalted()
	}
	err = c.serve(ctx)
	if reason, ok := halt.ReasonOf(err); ok {
		o.kept.halted, o.kept.cause = reason, err.Error()
	}
	return err
}

// resolved ends a halt: the partition has got beyond what halted it.
func (o *owner) resolved() {
	if o.kept.halted == "" {
		return
	}
	o.log.Info("partition continues", zap.String("was_halted", string(o.kept.halted)))
	o.kept.halted, o.kept.cause = "", ""
	o.clearHalted()
}
