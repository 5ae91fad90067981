// Package output owns the outputs: their topics, CloudEvents attributes and JSON.
//
// It refuses to decide which output is published with which figures: processors does. A value is encoded once, in a canonical form
// (fixed field order, fixed decimals), so that a replay gives the same bytes.
package output

import "github.com/mainstay/mainstay/schemas/ledger"

// Topic is an output topic.
type Topic uint8

// The output topics.
const (
	CLV Topic = iota
	ChurnRisk
	PromoterStatus
	Alerts
	Milestones
	Portfolio
	Segments
	Rejections
	Topics // the number of output topics
)

// String returns the part of the topic's name between the namespace and the version.
func (t Topic) String() string {
	return [Topics]string{"clv", "churn-risk", "promoter-status", "alerts", "milestones", "portfolio", "segments", "rejections"}[t]
}

// AnswerTopics returns the topics that hold what is published about single customers, but for rejections. Customer.Erased and a tombstone go to each of them.
func AnswerTopics() []Topic { return []Topic{CLV, ChurnRisk, PromoterStatus, Alerts, Milestones} }

// OfBase reports whether the topic's outputs are about customers together: they have no customer and no sequence.
func (t Topic) OfBase() bool { return t == Portfolio || t == Segments }

// Name returns the Kafka topic under a namespace.
func (t Topic) Name(namespace string) string { return namespace + "." + t.String() + ".v1" }

// Record is one encoded output. Batch.Value returns its JSON.
type Record struct {
	Topic   Topic
	Key     string // the customer id, PortfolioKey, or that of a segment
	Type    string // CloudEvents type, e.g. mainstay.customer.clv.updated.v1
	Offset  int64  // of the ledger entry that caused it
	Ordinal uint32 // among the outputs of that entry, over all topics
	Time    int64  // ms; the CloudEvents time, which is as_of
	Trigger Trigger
	Null    bool // a tombstone: the value is null
	start   int  // of the value in the batch's buffer
	end     int
	passed  span // of the headers that are passed on
}

// span is a part of a batch's buffer.
type span struct{ start, end int }

// Send is an entry that a step appends to its own or another ledger partition, in the transaction of its outputs. Whoever publishes
// the batch fills in its origin: ledger partition, offset and ordinal.
type Send struct {
	Partition int32
	Entry     ledger.Entry
}

// Batch collects the outputs and entries of steps until they are published. The zero value is ready.
type Batch struct {
	Records []Record
	Sends   []*Send
	buf     []byte
	passed  span // the headers that the records of the step under way bear
}

// Begin begins a step, whose records bear headers of the input record beside their own; none if they are empty. The headers are copied.
func (b *Batch) Begin(passed Headers) {
	//mutant:headers-of-another-entry delete
	b.passed = span{}
	if len(passed) > 0 {
		b.passed.start = len(b.buf)
		b.buf = append(b.buf, passed...)
		b.passed.end = len(b.buf)
	}
}

// Passed returns the headers of the input record that a record of this batch bears. They are valid until Reset.
func (b *Batch) Passed(r *Record) Headers { return b.buf[r.passed.start:r.passed.end:r.passed.end] }

// Value returns the JSON of a record of this batch, nil for a tombstone. It is valid until Reset.
func (b *Batch) Value(r *Record) []byte {
	if r.Null {
		return nil
	}
	return b.buf[r.start:r.end:r.end]
}

// AppendTombstone adds a record whose value is null.
func (b *Batch) AppendTombstone(r Record) {
	r.Null, r.passed = true, b.passed
	b.Records = append(b.Records, r)
}

// Append encodes an output into the batch.
func (b *Batch) Append(r Record, encode func(dst []byte) []byte) {
	r.start, r.passed = len(b.buf), b.passed
	b.buf = encode(b.buf)
	r.end = len(b.buf)
	b.Records = append(b.Records, r)
}

// Len returns the number of bytes of the values in the batch.
func (b *Batch) Len() int { return len(b.buf) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Sends)
	b.Records, b.Sends, b.buf, b.passed = b.Records[:0], b.Sends[:0], b.buf[:0], span{}
}

// Trigger is the cause of an output.
type Trigger uint8

// The triggers.
const (
	TriggerEvent      Trigger = iota // an event of the customer
	TriggerCredit                    // a credit for a referred customer, by an event of theirs
	TriggerTimer                     // passing time alone
	TriggerClose                     // the end of a civil day
	TriggerThresholds                // new thresholds of the value tiers
	TriggerParameters                // new parameters of the models
	TriggerSettings                  // new settings
	TriggerErasure                   // the customer is erased
	TriggerMerge                     // the customer is merged into another, or has taken over the facts of one
	TriggerReplay                    // a query, which publishes nothing
	Triggers                         // the number of triggers
)

// String returns the trigger as outputs state it.
func (t Trigger) String() string {
	return [Triggers]string{"event", "credit", "timer", "close", "thresholds", "parameters", "settings", "erasure", "merge", "replay"}[t]
}
