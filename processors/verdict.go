package processors

// Result is the outcome of an entry.
type Result uint8

// The results.
const (
	Applied         Result = iota
	DuplicateOrigin        // its origin, or a later one of the same partition, was folded before
	DuplicateEvent         // its event id or its facts were known
	Gap                    // the entry that its sender sent before it is missing: it is not folded, and the mark does not move
	Rejected               // it was not applied, or not wholly: see Verdict.Reason
	Ignored                // it is out of date: a tick of a former input set, settings of a former revision, a credit from before an erasure; or it erases a customer who is not known
	Forwarded              // it concerns a customer who was merged into another, and was sent on to them
	SettingsRefused        // settings with a value out of bounds: the settings before them stay in force
)

// String returns the result as a metric's label.
func (r Result) String() string {
	return [...]string{"applied", "duplicate_origin", "duplicate_event", "gap", "rejected", "ignored", "forwarded", "settings_refused"}[r]
}

// Verdict is the effect of an entry. It feeds the metrics.
type Verdict struct {
	Result   Result
	Reason   string // of the rejection; empty: none
	Late     bool   // the event happened before base time
	Woken    int    // customers whose timers fired
	Valued   int    // customers valued for the close of a day
	Rescored int    // customers rescored under new terms
	// Alerts are the episodes that opened or closed; valid until the partition's next step.
	Alerts []AlertCount
}
