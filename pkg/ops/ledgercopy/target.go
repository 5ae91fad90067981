package ledgercopy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// appender appends the sequence of copied entries to the partitions of the copy, and compares it with what they hold.
//
// Invariants: in each target, what is made is the prefix of the sequence that was made so far; what is seen is what was read back, and
// is a prefix of what is made, or the other way round while a resumed run has not made it again.
type appender struct {
	kafka   *kafka.Client
	topic   string
	txnID   string
	txn     *kafka.Transactional
	random  func() uint64
	targets []target

	batches  []*kafka.Batch // of the next transaction
	handOver bool           // it hands the inputs over
	rows     int64
	bytes    int
	appended int64
	key      []byte
}

// target is one partition of the copy.
type target struct {
	number     int32
	made       tally // of the sequence so far
	seen       tally // read back
	read       int64 // next offset to read back
	handedOver bool  // it holds a tick that is not copied
	open       *kafka.Batch
}

// tally is how many copied entries there are, and a hash of all of them in order.
type tally struct {
	entries int64
	hash    xxhash.Digest
}

func newTally() (t tally) {
	t.hash.Reset()
	return t
}

func (t *tally) add(value []byte) {
	t.entries++
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(value))) //nolint:gosec // an entry is far below 4 GiB
	_, _ = t.hash.Write(size[:])
	_, _ = t.hash.Write(value)
}

func (t *tally) equal(o *tally) bool {
	return t.entries == o.entries && t.hash.Sum64() == o.hash.Sum64()
}

const (
	transactionRows    = 8000
	transactionBytes   = 4 << 20
	transactionTimeout = 30 * time.Second
)

func newAppender(k *kafka.Client, namespace string, partitions int32, random func() uint64) *appender {
	o := &appender{kafka: k, topic: ledger.Topic(namespace), txnID: namespace + "-ledger-copy", random: random, targets: make([]target, partitions)}
	for i := range o.targets {
		o.targets[i] = target{number: int32(i), made: newTally(), seen: newTally()}
	}
	return o
}

// open takes the copy over from another process, and reads back what it holds.
func (o *appender) open(ctx context.Context) error {
	var err error
	if o.txn, err = o.kafka.OpenTransactional(ctx, o.txnID, transactionTimeout); err != nil {
		return fmt.Errorf("take the copy over: %w", err)
	}
	return o.readBack(ctx)
}

// add appends an entry to a target, unless the target holds it already.
func (o *appender) add(t *target, value []byte, customer string) error {
	t.made.add(value)
	if t.made.entries <= t.seen.entries {
		if t.made.entries == t.seen.entries && !t.made.equal(&t.seen) {
			return fmt.Errorf("%w (partition %d)", ErrDiffers, t.number)
		}
		return nil
	}
	o.key = ledger.AppendKey(o.key[:0], customer, o.random())
	o.batchFor(t, len(o.key)+len(value)).Append(0, o.key, value, nil)
	o.rows++
	o.bytes += len(o.key) + len(value)
	return nil
}

func (o *appender) batchFor(t *target, size int) *kafka.Batch {
	if t.open == nil || t.open.Full(size) {
		t.open = kafka.NewBatch(o.topic, t.number)
		o.batches = append(o.batches, t.open)
	}
	return t.open
}

func (o *appender) full() bool { return o.rows >= transactionRows || o.bytes >= transactionBytes }

// publish appends what was added in one transaction. If the answer is lost, the copy shows whether it is there.
func (o *appender) publish(ctx context.Context) error {
	if len(o.batches) == 0 {
		return nil
	}
	const tries = 5
	var err error
	for range tries {
		if err = o.txn.Publish(ctx, kafka.Transaction{Batches: o.batches}); err == nil {
			o.forget()
			return nil
		}
		if errors.Is(err, kafka.ErrFenced) {
			return fmt.Errorf("%w: %w", ErrTaken, err)
		}
		if ctx.Err() != nil || !kafka.Retriable(err) {
			break
		}
		if err = o.open(ctx); err != nil {
			break
		}
		if o.arrived() {
			o.forget()
			return nil
		}
	}
	return fmt.Errorf("append to the copy: %w; %s", err, resumeHint)
}

// arrived reports whether the last transaction is in the copy, of which all was read back.
func (o *appender) arrived() bool {
	for i := range o.targets {
		t := &o.targets[i]
		if o.handOver && !t.handedOver || !o.handOver && t.seen.entries < t.made.entries {
			return false
		}
	}
	return true
}

func (o *appender) forget() {
	o.appended += o.rows
	o.batches, o.rows, o.bytes = nil, 0, 0
	for i := range o.targets {
		o.targets[i].open = nil
	}
}

// readBack reads what the targets hold, up to the end that they have now.
func (o *appender) readBack(ctx context.Context) error {
	for i := range o.targets {
		t := &o.targets[i]
		bounds, err := o.kafka.ListOffsets(ctx, o.topic, []int32{t.number})
		if err != nil {
			return fmt.Errorf("read the bounds of %s/%d: %w", o.topic, t.number, err)
		}
		const pause = 20 * time.Millisecond
		for end := bounds[t.number].HighWatermark; t.read < end; {
			// A transaction of a fold may still be open, and markers come some time after the answer.
			if t.read, err = o.kafka.ReadCommitted(ctx, o.topic, t.number, t.read, end, t.readEntry); err != nil {
				return fmt.Errorf("read the copy: %s/%d: %w", o.topic, t.number, err)
			}
			if t.read < end {
				if err := sleep(ctx, pause); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (t *target) readEntry(r kafka.Record) error {
	var e ledger.Entry
	if err := e.UnmarshalVT(r.Value); err != nil {
		return fmt.Errorf("entry %d: %w", r.Offset, err)
	}
	switch {
	case e.GetCopied() != nil:
		t.seen.add(r.Value)
	case e.GetKind() == ledger.Kind_KIND_TICK:
		t.handedOver = true
	}
	return nil
}

// verify compares what the copy holds with what was made.
func (o *appender) verify(ctx context.Context, complete bool) error {
	if err := o.readBack(ctx); err != nil {
		return err
	}
	for i := range o.targets {
		t := &o.targets[i]
		if t.made.entries < t.seen.entries && !complete {
			continue // an interrupted hand-over had copied more than can be ordered while the old ledger may grow
		}
		if !t.made.equal(&t.seen) {
			return fmt.Errorf("%w (partition %d: %d entries, expected %d)", ErrDiffers, t.number, t.seen.entries, t.made.entries)
		}
	}
	return nil
}
