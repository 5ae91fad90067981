package fold

// The labelled steps at which Config.AtStep is called. The fault test injects faults at each of them.
const (
	StepFenced    = "fenced"    // the transactional id is open, K is not read yet
	StepClaimed   = "claimed"   // the token is in Redis, the state is not read yet
	StepFold      = "fold"      // the customers of a chunk are loaded, its first entry is not folded yet
	StepPublish   = "publish"   // the batches are complete, the transaction is not begun yet
	StepPublished = "published" // the transaction is committed, K is not moved yet
	StepCommit    = "commit"    // the changes are collected, Redis is not written yet
	StepCommitted = "committed" // Redis is written, R is not moved yet
)
