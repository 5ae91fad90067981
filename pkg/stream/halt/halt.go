// Package halt owns the named reasons for which a partition stops until an operator acts.
//
// It refuses everything that recovers without an operator: infrastructure trouble is retried and never halts a partition.
package halt

import (
	"errors"
	"fmt"
)

// Reason is a stable name: it is the value of a metric's label, and a heading in the runbook MainstayPartitionHalted.
type Reason string

// The reasons. The error that carries a reason says what the operator can do.
const (
	LedgerMissing            Reason = "ledger_missing"             // the ledger has no genesis entry
	LedgerForeign            Reason = "ledger_foreign"             // Redis or an output topic holds the data of another ledger
	LedgerTruncated          Reason = "ledger_truncated"           // entries were deleted before they were folded
	LedgerUnreadable         Reason = "ledger_unreadable"          // a batch of entries is damaged
	LedgerRecreated          Reason = "ledger_recreated"           // the entry below R is not the one that was folded
	PublishedPositionUnknown Reason = "published_position_unknown" // no evidence of K is left
	PublishedBeyondLedger    Reason = "published_beyond_ledger"    // K is above the ledger's end: Kafka lost acknowledged entries, or K was set by hand
	RedisAheadOfKafka        Reason = "redis_ahead_of_kafka"       // R is above K: Kafka lost acknowledged records
	SettingsConflict         Reason = "settings_conflict"          // the ledger has a higher settings revision, or other values under this one
	LogicOlder               Reason = "logic_older"                // a newer release has folded this ledger
	EntryRefused             Reason = "entry_refused"              // an entry has an unknown kind or version, or cannot be decoded
	StepPanicked             Reason = "step_panicked"              // a defect of this release
	NotAuthorized            Reason = "not_authorized"             // Kafka denies a permission
	LedgerRefuses            Reason = "ledger_refuses"             // the ledger topic refuses everything that is appended
	OutputRefused            Reason = "output_refused"             // an output topic refuses what is published to it
	DeadLetterRefused        Reason = "dead_letter_refused"        // a dead-letter topic refuses a record in every form
	InputTruncated           Reason = "input_truncated"            // input records were deleted before they were read
	InputUnreadable          Reason = "input_unreadable"           // a batch of records is damaged, or too large
	InputRecreated           Reason = "input_recreated"            // the input topic is not the one that was read before
)

// Error stops a partition. It wraps the cause.
type Error struct {
	Reason Reason
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// New returns an error that stops a partition. The text says what was found and what to do next.
func New(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason if the error stops a partition.
func ReasonOf(err error) (Reason, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, true
	}
	return "", false
}
