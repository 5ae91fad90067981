package fold

import "github.com/mainstay/mainstay/pkg/redis"

// WorkingSet is for tests from outside, which may import what imports this package.
type WorkingSet = workingSet

// NewWorkingSet makes one.
func NewWorkingSet(limit int64, s committedStore) *WorkingSet { return newWorkingSet(limit, s) }

// Changes is changes.
func (w *workingSet) Changes() ([]redis.Blob, []redis.Timer) { return w.changes() }

// Committed is committed and evict.
func (w *workingSet) Committed() {
	w.committed()
	w.evict()
}
