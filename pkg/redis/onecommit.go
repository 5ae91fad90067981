package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// firstBatch is the approximate number of customers in a batch of ReadCommit's first attempt; each further attempt has batches that are
// batchGrowth times as large, until one holds everybody.
const (
	firstBatch  = 4096
	batchGrowth = 4
)

// errCommitted ends an attempt of ReadCommit.
var errCommitted = errors.New("the fold has committed during the read")

// ReadCommit returns the blobs of all customers, in the order of their ids, and meta, all as of one commit. Exists is false if there is none.
// Its memory is that of the partition's blobs.
//
// It scans in batches, and again with larger ones if a commit came in between. So a partition that is read between two commits delays the
// fold by no more than a batch, and the read ends however often the fold commits: at last one batch holds everybody. The alternative of
// one HGETALL was rejected: Redis serves nobody else meanwhile, for about half a second for a million customers. So was reading again
// only those who have changed: Redis does not know them.
func (p *Partition) ReadCommit(ctx context.Context) (Meta, []Blob, error) {
	meta, blobs, err := readCommit(func(batch int64, each func(Meta, []Blob) error) error {
		return p.scanInBatches(ctx, batch, false, each)
	})
	return meta, blobs, wrapClassIf(err, "read the customers of "+p.prefix+" as of one commit")
}

func readCommit(scan func(batch int64, each func(Meta, []Blob) error) error) (meta Meta, blobs []Blob, err error) {
	const begun = 5 // times that another snapshot may be begun meanwhile
	for batch, again := int64(firstBatch), 0; ; batch *= batchGrowth {
		meta, blobs = Meta{}, blobs[:0]
		err := scan(batch, func(m Meta, page []Blob) error {
			//mutant:snapshot-mixed if false && $
			if meta.Exists && m.CommitID != meta.CommitID {
				return errCommitted
			}
			meta, blobs = m, append(blobs, page...)
			return nil
		})
		switch {
		case errors.Is(err, errCommitted):
			continue
		case errors.Is(err, ErrSnapshotChanged) && again < begun:
			again++
			continue
		case err != nil:
			return Meta{}, nil, err
		}
		slices.SortFunc(blobs, func(a, b Blob) int { return cmp.Compare(a.ID, b.ID) })
		blobs = slices.CompactFunc(blobs, func(a, b Blob) bool { return a.ID == b.ID }) // a scan may come to a customer twice
		if meta.Exists && int64(len(blobs)) != meta.customers {
			return Meta{}, nil, fmt.Errorf("%w: %d customers instead of %d", ErrTorn, len(blobs), meta.customers)
		}
		return meta, blobs, nil
	}
}
