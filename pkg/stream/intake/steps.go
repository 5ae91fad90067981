package intake

// The labelled steps at which Config.AtStep is called. The fault test injects faults at each of them.
const (
	StepFetched       = "fetched"        // records are fetched, none is decoded yet
	StepAcknowledged  = "acknowledged"   // the ledger has acknowledged a request
	StepCommitOffsets = "commit offsets" // the input offsets are not committed yet
)
