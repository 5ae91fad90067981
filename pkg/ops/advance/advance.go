// Package advance owns the passing of time under the event clock: the tick that moves a ledger's time on after its last event.
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
	ErrLiveClock = errors.New("the ledger has the live clock, under which time passes by itself: `advance` is for clock event")
	ErrBack      = errors.New("time does not go back")
	ErrUnread    = errors.New("the inputs are not read to their end")
	ErrNoTick    = errors.New("no intake has ever run on this ledger: start `mainstay run` first")
)

// Run waits until the intake group has read every input to its end, so that no event is overtaken, and then says in every
// ledger partition that time has passed.
func (a *Request) Run(ctx context.Context, k *kafka.Client) error {
	if a.Genesis.GetClock() != ledger.Clock_CLOCK_EVENT {
		return ErrLiveClock
	}
	if err := a.waitForInputs(ctx, k); err != nil {
		return err
	}
	at, err := a.stand(ctx, k)
	if err != nil {
		return err
	}
	if a.To.UnixMilli() < at.latest {
		return fmt.Errorf("%w: the ledger already stands at %s", ErrBack, time.UnixMilli(at.latest).UTC().Format(time.RFC3339))
	}
	return a.append(ctx, k, at)
}

func (a *Request) waitForInputs(ctx context.Context, k *kafka.Client) error {
	const pause = 50 * time.Millisecond
	for began := a.Now(); ; {
		unread, err := a.unread(ctx, k)
		if err != nil || unread == "" {
			return err
		}
		if a.Now().Sub(began) > a.Timeout {
			return fmt.Errorf("%w after %s (%s): is an intake running? `mainstay status` says", ErrUnread, a.Timeout, unread)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the inputs: %w", context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// unread names an input partition that is not read to its end; "" when there is none.
func (a *Request) unread(ctx context.Context, k *kafka.Client) (string, error) {
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
			return "", fmt.Errorf("read how far %s is read: %w", t.Name, err)
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

// stand is where the ledger's time stands.
type stand struct {
	revision uint64 // of the input set: a tick with a lower one is not listened to
	inputs   []*ledger.Input
	latest   int64 // ms: the greatest time to which it was advanced, or that an input has
}

// stand reads the last ticks of a ledger partition; all partitions have the same.
func (a *Request) stand(ctx context.Context, k *kafka.Client) (stand, error) {
	topic := ledger.Topic(a.Namespace)
	bounds, err := k.ListOffsets(ctx, topic, []int32{0})
	if err != nil {
		return stand{}, fmt.Errorf("read the end of the ledger: %w", err)
	}
	end := bounds[0].LastStable
	for span := int64(1000); ; span *= 10 {
		var found stand
		from := max(bounds[0].Start, end-span)
		_, err := k.ReadCommitted(ctx, topic, 0, from, end, found.see)
		switch {
		case err != nil:
			return stand{}, fmt.Errorf("read the end of the ledger: %w", err)
		case found.revision > 0:
			return found, nil
		case from == bounds[0].Start:
			return stand{}, ErrNoTick
		}
	}
}

func (s *stand) see(r kafka.Record) error {
	if kind, err := ledger.KindOf(r.Value); err != nil || kind != ledger.Kind_KIND_TICK {
		return err
	}
	var e ledger.Entry
	var t ledger.Tick
	if err := errors.Join(e.UnmarshalVT(r.Value), t.UnmarshalVT(e.GetPayload())); err != nil {
		return fmt.Errorf("decode the tick at %d: %w", r.Offset, err)
	}
	if t.GetRevision() >= s.revision {
		s.revision, s.inputs = t.GetRevision(), t.GetInputs()
	}
	s.latest = max(s.latest, t.GetAdvanceTo())
	for _, reading := range t.GetReadings() {
		s.latest = max(s.latest, reading.GetTime())
	}
	return nil
}

func (a *Request) append(ctx context.Context, k *kafka.Client, at stand) error {
	payload, err := (&ledger.Tick{Revision: at.revision, Inputs: at.inputs, AdvanceTo: a.To.UnixMilli()}).MarshalVT()
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
		return fmt.Errorf("append to the ledger: %w; advance again: time is said absolutely", err)
	}
	return nil
}
