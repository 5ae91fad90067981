package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ProduceOutcome is what the broker's answer to a produced batch says about that batch.
type ProduceOutcome uint8

// The outcomes.
const (
	// OutcomeUnknown: it may have been appended, or the producer id can no longer be used. It is also the outcome of every code that
	// the table does not name, because to take an unknown answer for a refusal could lose the batch.
	OutcomeUnknown ProduceOutcome = iota
	// OutcomeAgain: the broker recognises the same bytes under the same sequence number, appended or not.
	OutcomeAgain
	// OutcomeRecordRefused: not appended, because of what a record in it is. It is refused again whenever it is sent.
	OutcomeRecordRefused
	// OutcomeTopicRefused: not appended, whatever it contains. Every batch for the topic is refused until an operator acts.
	OutcomeTopicRefused
)

// produceCode is a line of the table of the codes that a broker answers Produce with.
type produceCode struct {
	code    Code
	outcome ProduceOutcome
	reason  string // stable name of a refusal: a metric's label, and the class of a dead letter
}

// produceCodes returns the table. Codes that concern the producer id (45, 46, 47, 48, 49, 59, 90) and those that say nothing about the
// append (-1, 2) are missing on purpose: their outcome is unknown.
func produceCodes() []produceCode {
	return []produceCode{
		{CodeLeaderNotAvailable, OutcomeAgain, ""},
		{CodeNotLeaderOrFollower, OutcomeAgain, ""},
		{CodeRequestTimedOut, OutcomeAgain, ""}, // appended, but not by all in-sync replicas in time
		{CodeNotEnoughReplicas, OutcomeAgain, ""},
		{CodeNotEnoughReplicasAfterAppend, OutcomeAgain, ""}, // appended
		{CodeStorageError, OutcomeAgain, ""},
		{CodeFencedLeaderEpoch, OutcomeAgain, ""},
		{CodeUnknownLeaderEpoch, OutcomeAgain, ""},
		{CodeMessageTooLarge, OutcomeRecordRefused, "too_large"},          // above max.message.bytes
		{CodeRecordListTooLarge, OutcomeRecordRefused, "too_large"},       // above segment.bytes
		{CodeInvalidTimestamp, OutcomeRecordRefused, "invalid_timestamp"}, // beyond message.timestamp.after.max.ms or before.max.ms
		{CodeInvalidRecord, OutcomeRecordRefused, "invalid_record"},       // no key in a compacted topic, or a check of the broker's own
		{CodePolicyViolation, OutcomeRecordRefused, "invalid_record"},     // a check of a proxy or of a managed service
		{CodeInvalidTopic, OutcomeTopicRefused, "topic_invalid"},
		{CodeTopicAuthorizationFailed, OutcomeTopicRefused, "not_authorized"},
		{CodeClusterAuthorizationFailed, OutcomeTopicRefused, "not_authorized"}, // IdempotentWrite is missing
		{CodeInvalidRequiredAcks, OutcomeTopicRefused, "topic_unsupported"},
		{CodeUnsupportedVersion, OutcomeTopicRefused, "topic_unsupported"},
		{CodeUnsupportedForMessageFormat, OutcomeTopicRefused, "topic_unsupported"}, // message.format.version without idempotence
		{CodeUnsupportedCompressionType, OutcomeTopicRefused, "topic_unsupported"},
	}
}

// ProduceOutcome returns what the code says about a batch that a broker answered with it, and the stable name of the refusal ("" if it is
// none).
func (c Code) ProduceOutcome() (outcome ProduceOutcome, reason string) {
	all := produceCodes()
	if i := slices.IndexFunc(all, func(p produceCode) bool { return p.code == c }); i >= 0 {
		return all[i].outcome, all[i].reason
	}
	return OutcomeUnknown, ""
}

// RefusedError is the error of Produce when brokers refused batches for good and acknowledged all others: the outcome of every batch is
// known, and no request is in flight. The producer is unusable, since sequence numbers were spent on what was refused.
type RefusedError struct {
	Batches []RefusedBatch // in the order in which they were sent
}

// RefusedBatch is a batch of which nothing was appended.
type RefusedBatch struct {
	Batch *Batch
	// Code is the broker's answer. 0: the batch was not sent, because an earlier batch of its partition was refused.
	Code Code
	err  error
}

// Error names the refused partitions and the broker's answers.
func (e *RefusedError) Error() string {
	var all []string
	for _, b := range e.Batches {
		if b.Code != 0 {
			all = append(all, b.err.Error())
		}
	}
	return fmt.Sprintf("refused for good: %s", strings.Join(all, "; "))
}

// Unwrap returns the answers, so that errors.Is finds their classes.
func (e *RefusedError) Unwrap() []error {
	var all []error
	for _, b := range e.Batches {
		if b.Code != 0 {
			all = append(all, b.err)
		}
	}
	return all
}

// outcome returns the outcome of a batch that was not acknowledged, and the broker's code.
func (f *pendingBatch) outcome() (ProduceOutcome, Code) {
	var c Code
	if outcomeUnknown(f.err) || !errors.As(f.err, &c) {
		return OutcomeUnknown, 0
	}
	outcome, _ := c.ProduceOutcome()
	switch {
	case c == CodeRequestTimedOut, c == CodeNotEnoughReplicasAfterAppend:
		f.appended = true
	case f.appended && outcome != OutcomeAgain:
		// The size, the timestamp and the permission are checked before the sequence number, so that a refusal does not say
		// whether an earlier attempt was appended.
		outcome = OutcomeUnknown
	}
	return outcome, c
}
