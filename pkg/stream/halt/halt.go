// Package halt owns the named reasons for which a partition stops until a person has acted.
//
// It refuses everything that cures itself: infrastructure trouble pauses and retries, it never halts.
package halt

import (
	"errors"
	"fmt"
)

// Reason is a stable name: it is a metric's label, and a runbook's title.
type Reason string

// The reasons, each with what a person can do about it in the error that carries it.
const (
	LedgerMissing            Reason = "ledger_missing"             // no genesis entry
	LedgerForeign            Reason = "ledger_foreign"             // Redis or an output belongs to another ledger
	LedgerTruncated          Reason = "ledger_truncated"           // entries that state needs were deleted
	LedgerRecreated          Reason = "ledger_recreated"           // the entry before R is not the one that was folded
	PublishedPositionUnknown Reason = "published_position_unknown" // nothing says what was published
	RedisAheadOfKafka        Reason = "redis_ahead_of_kafka"       // Kafka lost what it had acknowledged
	RedisEvicts              Reason = "redis_evicts"               // an eviction policy that drops keys
	SettingsConflict         Reason = "settings_conflict"          // same revision, other values; or a lower revision
	LogicOlder               Reason = "logic_older"                // the ledger was taken over by a newer release
	EntryRefused             Reason = "entry_refused"              // unknown kind or version
	StepPanicked             Reason = "step_panicked"
	InputTruncated           Reason = "input_truncated" // records were deleted before they were read
	InputRecreated           Reason = "input_recreated" // the topic is not the one that was read before
	OutputMissing            Reason = "output_missing"
)

// Error stops a partition. It wraps the cause.
type Error struct {
	Reason Reason
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Because makes an error that stops a partition; the text says what was found and what to do.
func Because(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason if the error stops a partition.
func ReasonOf(err error) (Reason, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, true
	}
	return "", false
}
