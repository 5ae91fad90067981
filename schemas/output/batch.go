// Package output owns what Mainstay says: the topics, the CloudEvents attributes and the JSON of every output event.
//
// It refuses to decide anything: which output is due, and with what figures, is the business of the processors.
// Values are encoded once, canonically (fixed field order, fixed decimals), so that a replay gives the same bytes.
package output

import "github.com/mainstay/mainstay/schemas/ledger"

// Topic is an output topic by its place; its name is the namespace followed by Topic.String() and ".v1".
type Topic uint8

// The output topics.
const (
	CLV Topic = iota
	ChurnRisk
	PromoterStatus
	Alerts
	Portfolio
	Rejections
	Topics // how many there are
)

// String returns the part of the topic's name that lies between the namespace and the version.
func (t Topic) String() string {
	return [Topics]string{"clv", "churn-risk", "promoter-status", "alerts", "portfolio", "rejections"}[t]
}

// Name returns the Kafka topic under a namespace.
func (t Topic) Name(namespace string) string { return namespace + "." + t.String() + ".v1" }

// Record is one output, encoded. Value points into the batch's buffer and dies with Reset.
type Record struct {
	Topic   Topic
	Key     string // the customer, or "portfolio"
	Type    string // CloudEvents type, e.g. mainstay.customer.clv.updated.v1
	Offset  int64  // of the ledger entry that caused it
	Ordinal uint32 // among the outputs of that entry, over all topics
	Time    int64  // ms; the CloudEvents time, which is as_of
	Trigger Trigger
	start   int
	end     int
}

// Send is an entry that a step appends to a ledger partition, another one's or its own, in the transaction of its outputs.
// Its origin is (ledger partition, offset, ordinal); the sender fills it in.
type Send struct {
	Partition int32
	Entry     ledger.Entry
}

// Batch collects what steps say until it is published. The zero value is ready.
type Batch struct {
	Records []Record
	Sends   []*Send
	buf     []byte
}

// Value returns the JSON of a record of this batch. It is valid until Reset.
func (b *Batch) Value(r *Record) []byte { return b.buf[r.start:r.end:r.end] }

// Append encodes one output into the batch.
func (b *Batch) Append(r Record, encode func(dst []byte) []byte) {
	r.start = len(b.buf)
	b.buf = encode(b.buf)
	r.end = len(b.buf)
	b.Records = append(b.Records, r)
}

// Len is the number of bytes of the values collected.
func (b *Batch) Len() int { return len(b.buf) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Sends)
	b.Records, b.Sends, b.buf = b.Records[:0], b.Sends[:0], b.buf[:0]
}

// Trigger says what made an output due.
type Trigger uint8

// The triggers: an event of the customer's; time alone; new terms for all (parameters, bounds of tiers, settings), with
// neither; and a look that publishes nothing.
const (
	TriggerEvent Trigger = iota
	TriggerTimer
	TriggerRefit
	TriggerReplay
	Triggers // how many there are
)

// String is the name as it stands in the output.
func (t Trigger) String() string {
	return [Triggers]string{"event", "timer", "refit", "replay"}[t]
}
