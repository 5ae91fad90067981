package views

import (
	"time"

	"github.com/mainstay/mainstay/pkg/telemetry"
)

// Status is the state of a process, as /status has it.
type Status struct {
	Build      telemetry.Build `json:"build"`
	Namespace  string          `json:"namespace"`
	LedgerID   string          `json:"ledger_id"`
	Clock      string          `json:"clock"`
	Roles      []string        `json:"roles"`
	StartedAt  time.Time       `json:"started_at"`
	At         time.Time       `json:"at"`
	Problems   []string        `json:"problems"` // as in /readyz, without halts
	Inputs     []Input         `json:"inputs"`
	Partitions []Partition     `json:"partitions"` // ledger partitions that this process folds
}

// Input is an input partition that this process reads. Times are null while unknown.
type Input struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Read      int64      `json:"read"`
	Committed int64      `json:"committed"`
	Lag       int64      `json:"lag"`      // records up to the last stable offset
	Unstable  int64      `json:"unstable"` // records after it
	Time      *time.Time `json:"time"`     // everything before it is read
	Halted    string     `json:"halted,omitempty"`
	Cause     string     `json:"cause,omitempty"`
}

// Partition is a ledger partition that this process folds.
type Partition struct {
	Partition  int32      `json:"partition"`
	Folded     int64      `json:"folded"`
	Published  int64      `json:"published"`
	Committed  int64      `json:"committed"`
	Lag        int64      `json:"lag"`
	LastCommit *time.Time `json:"last_commit"`
	Time       *time.Time `json:"time"` // base time
	Halted     string     `json:"halted,omitempty"`
	Cause      string     `json:"cause,omitempty"`
}
