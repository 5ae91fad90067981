// Package refold owns a partition of the ledger that a tool folds again in memory: its state, all of its customers, and what the last
// entry called for. Audits, answers as of the past and what-ifs fold with it, so they run the code that the folds run.
//
// It refuses to read Kafka, since each of its users reads the ledger in another order, and to keep outputs: they are there until the
// next entry. Memory is that of the partition's customers.
package refold

import (
	"fmt"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Partition is a ledger partition, folded so far.
type Partition struct {
	State     *processors.Partition
	Customers *memstore.MemStore
	Out       output.Batch // what the last entry called for
}

// New returns a partition before its first entry.
func New(number int32) *Partition {
	return &Partition{State: processors.NewPartition(number), Customers: memstore.New()}
}

// Fold folds the next entry.
func (p *Partition) Fold(offset int64, e *ledger.Entry) (processors.Verdict, error) {
	p.Out.Reset()
	verdict, err := processors.Step(p.State, offset, e, p.Customers, &p.Out)
	if err != nil {
		return verdict, fmt.Errorf("fold entry %d: %w", offset, err)
	}
	return verdict, nil
}
