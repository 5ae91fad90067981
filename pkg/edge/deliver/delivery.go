package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/schemas/output"
)

// origin is the record of an output, also of one that came by the topic of replays.
type origin struct {
	topic     string
	partition int32
	offset    int64
}

// delivery is an output on its way to a destination.
type delivery struct {
	id      string
	from    origin // of the output: what id and dead letters name
	at      origin // where it was read: of a replay, in the topic of replays
	record  kafka.Record
	message *destination.Message
	done    atomic.Bool // delivered, or a dead letter: set by the worker, read by the claim
}

func (d *delivery) published() time.Time { return time.UnixMilli(d.record.Timestamp) }

// messageID is a function of the output's record, so that each attempt to deliver it has the same id: at another time, by another process,
// as a replay. The ledger's id is part of it: a topic that was deleted and made again counts its offsets from 0, and receivers would take
// its records for those they know. A point would make signatures ambiguous, and topics have points: hence a hash.
func messageID(from origin, record kafka.Record) string {
	ledger, _ := record.Header(output.HeaderLedgerID)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%d", ledger, from.topic, from.partition, from.offset))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// newDelivery returns the delivery of a record; nil if the destination does not get it. The record is copied. If it names a schema and the
// registry does not answer, it cannot be decided: encoded.Waits is true of the error.
func (r *recipient) newDelivery(ctx context.Context, at origin, record kafka.Record) (*delivery, error) {
	if record.Value == nil { // the tombstone of a customer who was erased or merged
		return nil, nil //nolint:nilnil // documented
	}
	from := at
	if at.topic == ReplayTopic(r.of.cfg.Namespace) {
		if name, _ := record.Header(HeaderDestination); string(name) != r.Name {
			return nil, nil //nolint:nilnil // documented
		}
		var err error
		if from, err = originOf(record); err != nil {
			return nil, err
		}
	}
	topic, ok := r.topics[from.topic]
	if !ok { // a replay of what the destination no longer gets
		return nil, nil //nolint:nilnil // documented
	}
	record = record.Clone()
	d := &delivery{id: messageID(from, record), from: from, at: at, record: record}
	value, err := r.of.cfg.Outputs.Open(ctx, record.Value)
	//mutant:webhook-lost-without-registry if false && $
	if encoded.Waits(err) {
		return nil, err
	}
	if err != nil {
		return d, err
	}
	if d.message, err = destination.Read(topic, value); err != nil {
		return d, err
	}
	//mutant:filters-ignored if false && $
	if from == at && !r.Wants(d.message) { // a replay was wanted when it became a dead letter
		return nil, nil //nolint:nilnil // documented
	}
	return d, nil
}

// originOf reads the origin of a dead letter. The last headers count: a record that became a dead letter twice has two sets of them.
func originOf(record kafka.Record) (o origin, err error) {
	values := map[string]string{}
	for key, value := range record.Headers() {
		values[key] = string(value)
	}
	partition, err1 := strconv.ParseInt(values[headerPartition], 10, 32)
	offset, err2 := strconv.ParseInt(values[headerOffset], 10, 64)
	if err1 != nil || err2 != nil || values[headerTopic] == "" {
		return o, errOrigin
	}
	return origin{values[headerTopic], int32(partition), offset}, nil
}
