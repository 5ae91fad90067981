// Package advance owns advancing base time under the event clock: it appends the tick that moves a ledger's time past its last
// event.
//
// It refuses ledgers with the live clock, inputs that are not read to their end, and times before the ledger's own.
package advance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/ledgerscan"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Request is a time to which a ledger is to advance.
type Request struct {
	Namespace string
	Genesis   *ledger.Genesis
	Inputs    []string // topics
	To        time.Time
	Timeout   time.Duration // to wait until the inputs are read
	Now       func() time.Time
	Random    func() uint64
}

// The refusals.
var (
	ErrLiveClock = errors.New("the ledger has the live clock, which follows the wall clock: `advance` is only for ledgers with the event clock")
	ErrBack      = errors.New("base time cannot go back")
	ErrUnread    = errors.New("the inputs are not read to their end")
	ErrNoTick    = errors.New("no intake has run on this ledger yet: start `mainstay run` first")
)

// Run waits until the intake group has read every input to its end, so that no event is late because of the tick, and then
// appends a tick with the new time to every ledger partition.
func (a *Request) Run(ctx context.Context, k *kafka.Client) error {
	if a.Genesis.GetClock() != ledger.Clock_CLOCK_EVENT {
		return ErrLiveClock
	}
	if err := a.waitForInputs(ctx, k); err != nil {
		return err
	}
	current, err := a.readLedgerTime(ctx, k)
	if err != nil {
		return err
	}
	if a.To.UnixMilli() < current.latest {
		return fmt.Errorf("%w: the time of the ledger is already %s", ErrBack, time.UnixMilli(current.latest).UTC().Format(time.RFC3339))
	}
	return a.appendTicks(ctx, k, current)
}

func (a *Request) waitForInputs(ctx context.Context, k *kafka.Client) error {
	const pause = 50 * time.Millisecond
	for began := a.Now(); ; {
		unread, err := a.firstUnread(ctx, k)
		if err != nil || unread == "" {
			return err
		}
		if a.Now().Sub(began) > a.Timeout {
			return fmt.Errorf("%w after %s (%s): check with `mainstay status` that an intake is running", ErrUnread, a.Timeout, unread)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the inputs: %w", context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// firstUnread names an input partition that is not read to its end; "" when there is none.
func (a *Request) firstUnread(ctx context.Context, k *kafka.Client) (string, error) {
	found, err := k.Topics(ctx, a.Inputs)
	if err != nil {
		return "", fmt.Errorf("look up the inputs: %w", err)
	}
	for _, t := range found {
		if !t.Exists {
			return "", fmt.Errorf("topic %s: %w", t.Name, topics.ErrNoTopic)
		}
		partitions := make([]int32, len(t.Leaders))
		for i := range partitions {
			partitions[i] = int32(i)
		}
		bounds, err := k.ListOffsets(ctx, t.Name, partitions)
		if err != nil {
			return "", fmt.Errorf("read the ends of %s: %w", t.Name, err)
		}
		committed, err := k.CommittedOffsets(ctx, intake.Group(a.Namespace), t.Name, partitions)
		if err != nil {
			return "", fmt.Errorf("read the committed offsets of %s: %w", t.Name, err)
		}
		for _, c := range committed {
			b := bounds[c.Partition]
			if max(c.Offset, b.Start) < b.HighWatermark {
				return fmt.Sprintf("%s/%d is read up to %d of %d", t.Name, c.Partition, max(c.Offset, 0), b.HighWatermark), nil
			}
		}
	}
	return "", nil
}

// ledgerTime is the time of a ledger and its input set, according to its newest ticks.
type ledgerTime struct {
	revision uint64          // the highest revision of the input set: the fold ignores ticks of a lower one; 0: there is no tick
	inputs   []*ledger.Input // of that revision
	latest   int64           // ms: the greatest time to which the ledger was advanced, or that an input has
}

// readLedgerTime reads the newest ticks of ledger partition 0; all partitions have the same.
func (a *Request) readLedgerTime(ctx context.Context, k *kafka.Client) (ledgerTime, error) {
	var now ledgerTime
	err := ledgerscan.Backward(ctx, k, ledger.Topic(a.Namespace), 0, 0, ledger.Kind_KIND_TICK, func(e *ledger.Entry) bool {
		var t ledger.Tick
		return t.UnmarshalVT(e.GetPayload()) == nil && now.apply(&t)
	})
	switch {
	case err != nil:
		return now, fmt.Errorf("read the time of the ledger: %w", err)
	case now.revision == 0:
		return now, ErrNoTick
	}
	return now, nil
}

// apply updates the ledger's time with a tick. It returns whether an input set is known.
func (l *ledgerTime) apply(t *ledger.Tick) bool {
	if t.GetRevision() >= l.revision {
		l.revision, l.inputs = t.GetRevision(), t.GetInputs()
	}
	l.latest = max(l.latest, t.GetAdvanceTo())
	for _, reading := range t.GetReadings() {
		l.latest = max(l.latest, reading.GetTime())
	}
	return l.revision > 0
}

func (a *Request) appendTicks(ctx context.Context, k *kafka.Client, current ledgerTime) error {
	payload, err := (&ledger.Tick{Revision: current.revision, Inputs: current.inputs, AdvanceTo: a.To.UnixMilli()}).MarshalVT()
	if err != nil {
		return fmt.Errorf("encode the tick: %w", err)
	}
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: a.To.UnixMilli(), Payload: payload}).MarshalVT()
	if err != nil {
		return fmt.Errorf("encode the tick: %w", err)
	}
	var batches []*kafka.Batch
	for p := range a.Genesis.GetPartitions() {
		b := kafka.NewBatch(ledger.Topic(a.Namespace), p)
		b.Append(a.Now().UnixMilli(), ledger.AppendKey(nil, "", a.Random()), value, nil)
		batches = append(batches, b)
	}
	producer, err := k.NewProducer(ctx)
	if err != nil {
		return fmt.Errorf("append to the ledger: %w", err)
	}
	if _, err := producer.Produce(ctx, batches); err != nil {
		return fmt.Errorf("append to the ledger: %w; run `advance` again: a repeated tick changes nothing", err)
	}
	return nil
}
