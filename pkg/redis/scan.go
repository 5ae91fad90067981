package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrSnapshotChanged says that another snapshot was begun while one was being read: start again.
var ErrSnapshotChanged = errors.New("another snapshot was begun")

// ReadMeta returns meta without claiming anything. Exists is false when there is none.
func (p *Partition) ReadMeta(ctx context.Context) (Meta, error) {
	ctx = named(ctx, "peek")
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return Meta{}, err
	}
	meta, err := parseMeta(node.HMGet(ctx, p.meta, metaFields()...))
	if err != nil {
		return Meta{}, failed(err, "read %s", p.meta)
	}
	return meta, nil
}

// ReadCustomers returns blobs (nil: none) together with the meta that they belong to, whoever owns the partition.
func (p *Partition) ReadCustomers(ctx context.Context, ids []string) (Meta, [][]byte, error) {
	const tries = 3
	for range tries {
		seen, err := p.ReadMeta(ctx)
		if err != nil || !seen.Exists || len(ids) == 0 {
			return seen, make([][]byte, len(ids)), err
		}
		var get *redis.SliceCmd
		meta, err := p.readAs(named(ctx, "read"), seen.Snapshot, func(tx redis.Pipeliner) {
			get = tx.HMGet(ctx, p.keysOf(seen.Snapshot).customers, ids...)
		})
		if errors.Is(err, ErrSnapshotChanged) {
			continue
		}
		if err != nil {
			return Meta{}, nil, failed(err, "read %d customers from %s", len(ids), p.prefix)
		}
		return meta, blobsOf(get.Val()), nil
	}
	return Meta{}, nil, failed(ErrSnapshotChanged, "read %d customers from %s", len(ids), p.prefix)
}

// readAs sends reads in one MULTI with meta, which must still name the snapshot.
func (p *Partition) readAs(ctx context.Context, snapshot string, reads func(redis.Pipeliner)) (Meta, error) {
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return Meta{}, err
	}
	var get *redis.SliceCmd
	_, err = node.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		get = tx.HMGet(ctx, p.meta, metaFields()...)
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

// batch is about how many customers or timers are read at once.
const batch = 512

// ScanCustomers hands over all blobs in batches, each with the meta that it belongs to: R rises from batch to batch beside a live
// fold, and falls when Redis goes back. A customer who is there throughout comes at least once, and sometimes twice, with the
// newer blob later. ErrSnapshotChanged when another snapshot is begun meanwhile; an error of each ends the scan and is returned.
func (p *Partition) ScanCustomers(ctx context.Context, each func(Meta, []Blob) error) error {
	seen, err := p.ReadMeta(ctx)
	if err != nil || !seen.Exists {
		return err
	}
	ctx = named(ctx, "scan")
	for cursor := uint64(0); ; {
		var scanned *redis.ScanCmd
		meta, err := p.readAs(ctx, seen.Snapshot, func(tx redis.Pipeliner) {
			scanned = tx.HScan(ctx, p.keysOf(seen.Snapshot).customers, cursor, "", batch)
		})
		if err != nil {
			return failed(err, "scan the customers of %s", p.prefix)
		}
		page, next := scanned.Val()
		blobs := make([]Blob, 0, len(page)/2)
		for i := 0; i+1 < len(page); i += 2 {
			blobs = append(blobs, Blob{ID: page[i], Value: []byte(page[i+1])})
		}
		if len(blobs) > 0 {
			if err := each(meta, blobs); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// ScanTimers hands over all timers in the same way as Scan, in no order.
func (p *Partition) ScanTimers(ctx context.Context, each func(Meta, []Timer) error) error {
	seen, err := p.ReadMeta(ctx)
	if err != nil || !seen.Exists {
		return err
	}
	ctx = named(ctx, "scan")
	keys := p.keysOf(seen.Snapshot)
	// A split moves timers only into groups of higher numbers, which come later: none is missed.
	for first, groups := uint32(0), seen.groups; first < groups; {
		var contents []*redis.MapStringStringCmd
		end := min(first+batch/groupSize, groups)
		meta, err := p.readAs(ctx, seen.Snapshot, func(tx redis.Pipeliner) {
			for g := first; g < end; g++ {
				contents = append(contents, tx.HGetAll(ctx, keys.group(g)))
			}
		})
		if err != nil {
			return failed(err, "scan the timers of %s", p.prefix)
		}
		var timers []Timer
		for _, c := range contents {
			some, err := timersOf(c.Val())
			if err != nil {
				return failed(err, "scan the timers of %s", p.prefix)
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

// SweepSnapshots removes keys of this partition's former snapshots, some at a time: it looks at about 10,000 keys of the node and
// says whether it has been all the way round since it began. Only the owner may call it: a look at meta under WATCH keeps a
// former owner from removing what a later one has begun.
func (p *Partition) SweepSnapshots(ctx context.Context) (removed int, done bool, err error) {
	ctx = named(ctx, "sweep")
	if err := p.usable(); err != nil {
		return 0, false, failed(err, "sweep %s", p.prefix)
	}
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return 0, false, err
	}
	var old []string
	for range 10 {
		page, next, err := node.Scan(ctx, p.cursor, p.prefix+"*", 1000).Result()
		if err != nil {
			return 0, false, failed(err, "look for former snapshots in %s", p.prefix)
		}
		for _, key := range page {
			if key != p.meta && !strings.HasPrefix(key, p.prefix+p.last.Snapshot+":") {
				old = append(old, key)
			}
		}
		if p.cursor = next; next == 0 {
			done = true
			break
		}
	}
	if len(old) == 0 {
		return 0, done, nil
	}
	err = p.whileWatching(ctx, node, func(tx *redis.Tx) error {
		held, err := tx.HMGet(ctx, p.meta, "token", "commit").Result()
		if err != nil {
			return err
		}
		if err := p.holds(held); err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Unlink(ctx, old...) // frees in another thread: a snapshot's blobs are one large key
			return nil
		})
		return err
	})
	if err != nil {
		p.cursor = 0 // what was found but not removed must be found again
		return 0, false, failed(err, "remove former snapshots from %s", p.prefix)
	}
	return len(old), done, nil
}
