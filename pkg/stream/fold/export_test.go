package fold

import "github.com/mainstay/mainstay/pkg/redis"

// WorkingSet is exported to the external test package, which may import packages that import this one.
type WorkingSet = workingSet

// NewWorkingSet calls newWorkingSet.
func NewWorkingSet(limit int64, s committedStore) *WorkingSet { return newWorkingSet(limit, s) }

// Changes calls changes.
func (w *workingSet) Changes() ([]redis.Blob, []redis.Timer) { return w.changes() }

// Committed calls committed and evict.
func (w *workingSet) Committed() {
	w.committed()
	w.evict()
}
