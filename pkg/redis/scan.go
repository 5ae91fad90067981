package redis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// ErrSnapshotChanged is returned to a reader if the owner began another snapshot during the read: start again.
var ErrSnapshotChanged = errors.New("another snapshot was begun during the read")

// ReadMeta returns meta without a claim. Exists is false if there is none.
func (p *Partition) ReadMeta(ctx context.Context) (Meta, error) {
	ctx = withCallName(ctx, "peek")
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return Meta{}, err
	}
	meta, err := parseMeta(node.HMGet(ctx, p.metaKey, metaFields()...))
	if err != nil {
		return Meta{}, wrapClass(err, "read %s", p.metaKey)
	}
	return meta, nil
}

// ReadCustomers returns the blobs of customers (nil for an unknown one) and the meta of the same moment, without a claim.
func (p *Partition) ReadCustomers(ctx context.Context, ids []string) (Meta, [][]byte, error) {
	const tries = 3
	for range tries {
		seen, err := p.ReadMeta(ctx)
		if err != nil || !seen.Exists || len(ids) == 0 {
			return seen, make([][]byte, len(ids)), err
		}
		var get *redis.SliceCmd
		meta, err := p.readUnderSnapshot(withCallName(ctx, "read"), seen.Snapshot, func(tx redis.Pipeliner) {
			get = tx.HMGet(ctx, p.keysOf(seen.Snapshot).customers, ids...)
		})
		if errors.Is(err, ErrSnapshotChanged) {
			continue
		}
		var blobs [][]byte
		if err == nil {
			blobs, err = openBlobs(ids, get.Val())
		}
		if err != nil {
			return Meta{}, nil, wrapClass(err, "read %d customers from %s", len(ids), p.prefix)
		}
		return meta, blobs, nil
	}
	return Meta{}, nil, wrapClass(ErrSnapshotChanged, "read %d customers from %s", len(ids), p.prefix)
}

// readUnderSnapshot sends reads in one MULTI with meta. The error is ErrSnapshotChanged if meta names another snapshot.
func (p *Partition) readUnderSnapshot(ctx context.Context, snapshot string, reads func(redis.Pipeliner)) (Meta, error) {
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return Meta{}, err
	}
	var get *redis.SliceCmd
	_, err = exec(ctx, node, func(tx redis.Pipeliner) error {
		get = tx.HMGet(ctx, p.metaKey, metaFields()...)
		reads(tx)
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	meta, err := parseMeta(get)
	if err != nil {
		return Meta{}, err
	}
	if meta.Snapshot != snapshot {
		return Meta{}, ErrSnapshotChanged
	}
	return meta, nil
}

// scanBatch is the approximate number of customers or timers read at once.
const scanBatch = 512

// ScanCustomers calls each for all blobs in batches, with the meta of the same moment: beside a running fold the offset in meta rises from
// batch to batch, and it falls if Redis is restored. A customer that exists throughout is returned at least once, and possibly again
// with a newer blob. The error is ErrSnapshotChanged if another snapshot is begun meanwhile; an error of each ends the scan and is
// returned unchanged.
func (p *Partition) ScanCustomers(ctx context.Context, each func(Meta, []Blob) error) error {
	return p.scanCustomers(ctx, false, each)
}

// AuditCustomers is ScanCustomers for an audit: a blob that is not the one that was written has a nil Value, instead of being ErrTorn.
func (p *Partition) AuditCustomers(ctx context.Context, each func(Meta, []Blob) error) error {
	return p.scanCustomers(ctx, true, each)
}

func (p *Partition) scanCustomers(ctx context.Context, damaged bool, each func(Meta, []Blob) error) error {
	return p.scanInBatches(ctx, scanBatch, damaged, func(m Meta, blobs []Blob) error {
		if len(blobs) == 0 {
			return nil
		}
		return each(m, blobs)
	})
}

// scanInBatches calls each for batches that are empty, too: their meta says as of which commit nobody is there.

func (p *Partition) scanInBatches(ctx context.Context, batch int64, damaged bool, each func(Meta, []Blob) error) error {
	seen, err := p.ReadMeta(ctx)
	if err != nil || !seen.Exists {
		return err
	}
	ctx = withCallName(ctx, "scan")
	for cursor := uint64(0); ; {
		var scanned *redis.ScanCmd
		meta, err := p.readUnderSnapshot(ctx, seen.Snapshot, func(tx redis.Pipeliner) {
			scanned = tx.HScan(ctx, p.keysOf(seen.Snapshot).customers, cursor, "", batch)
		})
		if err != nil {
			return wrapClass(err, "scan the customers of %s", p.prefix)
		}
		page, next := scanned.Val()
		blobs := make([]Blob, 0, len(page)/2)
		for i := 0; i+1 < len(page); i += 2 {
			value, err := openBlob(page[i], page[i+1])
			if err != nil && !damaged {
				return wrapClass(err, "scan the customers of %s", p.prefix)
			}
			blobs = append(blobs, Blob{ID: page[i], Value: value})
		}
		if err := each(meta, blobs); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// ScanTimers calls each for all timers, as ScanCustomers does for blobs, in no particular order.
func (p *Partition) ScanTimers(ctx context.Context, each func(Meta, []Timer) error) error {
	seen, err := p.ReadMeta(ctx)
	if err != nil || !seen.Exists {
		return err
	}
	ctx = withCallName(ctx, "scan")
	keys := p.keysOf(seen.Snapshot)
	// A split moves timers only into groups with higher numbers, which are read later, so none is missed.
	for first, groups := uint32(0), seen.groups; first < groups; {
		var contents []*redis.MapStringStringCmd
		end := min(first+scanBatch/groupSize, groups)
		meta, err := p.readUnderSnapshot(ctx, seen.Snapshot, func(tx redis.Pipeliner) {
			for g := first; g < end; g++ {
				contents = append(contents, tx.HGetAll(ctx, keys.group(g)))
			}
		})
		if err != nil {
			return wrapClass(err, "scan the timers of %s", p.prefix)
		}
		var timers []Timer
		for _, c := range contents {
			some, err := timersOf(c.Val())
			if err != nil {
				return wrapClass(err, "scan the timers of %s", p.prefix)
			}
			timers = append(timers, some...)
		}
		if len(timers) > 0 {
			if err := each(meta, timers); err != nil {
				return err
			}
		}
		first, groups = end, meta.groups
	}
	return nil
}
