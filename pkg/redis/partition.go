package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Partition is the state of one ledger partition in Redis. It must be used by one goroutine at a time: by the owner of the partition, which
// calls Claim first, or by a reader, which calls only ReadMeta, ReadCustomers, ScanCustomers and ScanTimers.
type Partition struct {
	client  *Client
	prefix  string // <namespace>:{<tag>}:
	metaKey string // key of the meta hash

	token         string                // token of this claim; empty before Claim
	committed     Meta                  // meta as this claim last wrote or loaded it
	pendingCommit string                // id of a commit whose outcome is unknown; otherwise empty
	torn          bool                  // set after ErrTorn: only Claim and BeginSnapshot are allowed
	tornSnapshot  string                // name of the last snapshot that was torn; empty: none was, or a new one was begun since
	timerGroups   map[uint32]timerGroup // groups that DueTimers has read since the last commit
	sweepCursor   uint64                // SCAN cursor of SweepSnapshots
}

// Partition returns the state of a ledger partition. namespace is a valid Kafka topic name; partitions is the partition count of the
// ledger, which never changes.
func (c *Client) Partition(namespace string, partition, partitions int32) *Partition {
	return c.partitionAt(namespace, hashTag(partition, partitions))
}

func (c *Client) partitionAt(namespace, tag string) *Partition {
	prefix := fmt.Sprintf("%s:{%s}:", namespace, tag)
	return &Partition{client: c, prefix: prefix, metaKey: prefix + "meta"}
}

// Claim writes the token, which must be new and random, and loads meta in the same MULTI. From then on a former owner gets ErrClaimLost,
// and all that it committed before is contained in the returned Meta. After a lost reply, claim again with the same or another token.
// ErrTorn: the partition is claimed, but meta is unreadable; begin a new snapshot. If Redis is full, Claim deletes the keys of the
// partition that are never read again, such as a torn snapshot; the error is ErrFull if there are none, or if Redis has not freed their
// memory yet.
func (p *Partition) Claim(ctx context.Context, token string) (Meta, error) {
	ctx = withCallName(ctx, "claim")
	if p.torn {
		p.tornSnapshot = p.committed.Snapshot
	}
	p.token, p.committed, p.pendingCommit, p.torn, p.timerGroups = "", Meta{}, "", false, nil
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return Meta{}, err
	}
	meta, err := p.claim(ctx, node, token, false)
	if isReply(err) && errors.Is(errorClass(err), ErrTorn) {
		// The key of meta has another type. It can be deleted: state can always be rebuilt from the ledger.
		meta, err = p.claim(ctx, node, token, true)
	}
	if errors.Is(errorClass(err), ErrFull) {
		var deleted int
		if deleted, err = p.deleteUnread(ctx, node, err); deleted > 0 {
			meta, err = p.claim(ctx, node, token, false)
		}
	}
	p.torn = errors.Is(err, ErrTorn)
	if err != nil && !p.torn {
		p.client.reloadTopology(ctx)
		return Meta{}, wrapClass(err, "claim %s", p.metaKey)
	}
	p.token, p.committed = token, meta
	if err != nil {
		return Meta{}, wrapClass(err, "claim %s", p.metaKey)
	}
	return meta, nil
}

func (p *Partition) claim(ctx context.Context, node *redis.Client, token string, deleteFirst bool) (Meta, error) {
	var get *redis.SliceCmd
	_, err := exec(ctx, node, func(tx redis.Pipeliner) error {
		if deleteFirst {
			tx.Unlink(ctx, p.metaKey)
		}
		tx.HSet(ctx, p.metaKey, "token", token)
		get = tx.HMGet(ctx, p.metaKey, metaFields()...)
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	return parseMeta(get)
}

// MarkTorn records that the snapshot cannot be used, where only the caller can tell: a customer's blob does not decode. It has the
// consequences of ErrTorn.
func (p *Partition) MarkTorn() { p.torn = true }

// BeginSnapshot starts a new snapshot: an empty state at offset 0. The name must be new and random; updatedAt is in Unix ms. The snapshot
// that meta names is deleted first, since a full Redis accepts nothing but deletions and has no room for two. Keys that no meta names
// any more, because meta was lost, are not read either and remain until SweepSnapshots deletes them. Errors: ErrClaimLost,
// ErrUnavailable.
func (p *Partition) BeginSnapshot(ctx context.Context, ledgerID, snapshot, commitID string, updatedAt int64) error {
	ctx = withCallName(ctx, "begin")
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return err
	}
	if err := p.deleteFormer(ctx, node, commitID); err != nil {
		return wrapClass(err, "delete the former snapshot of %s", p.prefix)
	}
	fresh := Meta{Exists: true, LedgerID: ledgerID, Snapshot: snapshot, CommitID: commitID, UpdatedAt: updatedAt}
	err = p.watchMeta(ctx, node, func(tx *redis.Tx) error {
		stored, err := tx.HMGet(ctx, p.metaKey, "token", "commit").Result()
		if err != nil {
			return err
		}
		if p.token == "" || stored[0] != p.token {
			return ErrClaimLost
		}
		if stored[1] == commitID {
			return nil // an earlier attempt succeeded and its reply was lost
		}
		// The old meta is deleted first, so that no field of a former format remains.
		_, err = exec(ctx, tx, func(pipe redis.Pipeliner) error {
			pipe.Del(ctx, p.metaKey)
			pipe.HSet(ctx, p.metaKey, append(fresh.values(), "token", p.token)...)
			return nil
		})
		return err
	})
	if err != nil {
		return wrapClass(err, "begin a snapshot at %s", p.metaKey)
	}
	p.committed, p.pendingCommit, p.torn, p.tornSnapshot, p.timerGroups, p.sweepCursor = fresh, "", false, "", nil, 0
	return nil
}

// watchMeta runs fn with meta watched. If meta changed before EXEC, fn runs again, because only the new content of meta shows whether the
// claim is lost.
func (p *Partition) watchMeta(ctx context.Context, node *redis.Client, fn func(*redis.Tx) error) error {
	const tries = 3 // more are needed only while another owner keeps writing meta
	for range tries {
		err := node.Watch(ctx, fn, p.metaKey)
		if errors.Is(err, redis.TxFailedErr) {
			continue
		}
		if errors.Is(errorClass(err), ErrUnavailable) {
			p.client.reloadTopology(ctx)
		}
		return err
	}
	return fmt.Errorf("%w: meta kept changing", ErrClaimLost)
}

// LoadCustomers returns the blobs of the customers in the order of ids, nil for an unknown one, as of this claim's last commit.
func (p *Partition) LoadCustomers(ctx context.Context, ids []string) ([][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ctx = withCallName(ctx, "load")
	var customers *redis.IntCmd
	var get *redis.SliceCmd
	err := p.readChecked(ctx, func(tx redis.Pipeliner) {
		customers = tx.HLen(ctx, p.keysOf(p.committed.Snapshot).customers)
		get = tx.HMGet(ctx, p.keysOf(p.committed.Snapshot).customers, ids...)
	})
	if err == nil {
		err = p.checkCount(customers.Val())
	}
	var blobs [][]byte
	if err == nil {
		blobs, err = openBlobs(ids, get.Val())
	}
	if err != nil {
		p.torn = p.torn || errors.Is(err, ErrTorn)
		return nil, wrapClass(err, "load %d customers from %s", len(ids), p.prefix)
	}
	return blobs, nil
}

// checkCount compares the number of customers with that of the last commit: a customer whose blob is lost looks like a new one.
func (p *Partition) checkCount(customers int64) error {
	//mutant:customers-uncounted,one-snapshot-name if false && $
	if customers != p.committed.customers {
		return fmt.Errorf("%w: %d customers instead of %d", ErrTorn, customers, p.committed.customers)
	}
	return nil
}

// readChecked sends reads in one MULTI with the check that meta is that of this claim. The alternative of a separate check was rejected:
// Redis may be restored to an earlier state between the check and the read.
func (p *Partition) readChecked(ctx context.Context, reads func(redis.Pipeliner)) error {
	if err := p.checkUsable(); err != nil {
		return err
	}
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return err
	}
	var stored *redis.SliceCmd
	_, err = exec(ctx, node, func(tx redis.Pipeliner) error {
		stored = tx.HMGet(ctx, p.metaKey, "token", "commit")
		reads(tx)
		return nil
	})
	if err != nil {
		p.torn = errors.Is(errorClass(err), ErrTorn)
		if errors.Is(errorClass(err), ErrUnavailable) {
			p.client.reloadTopology(ctx)
		}
		return err
	}
	//mutant:read-unchecked insert return nil
	return p.checkClaim(stored.Val())
}

// checkUsable returns an error unless this claim has a complete and known state.
func (p *Partition) checkUsable() error {
	switch {
	case p.torn:
		return ErrTorn
	case p.token == "" || !p.committed.Exists:
		return fmt.Errorf("%w: nothing is claimed and begun", ErrClaimLost)
	case p.pendingCommit != "":
		return ErrCommitPending
	}
	return nil
}

// checkClaim compares token and commit id in meta with those of this claim.
func (p *Partition) checkClaim(stored []any) error {
	if len(stored) < 2 || stored[0] != p.token || stored[1] != p.committed.CommitID {
		return ErrClaimLost
	}
	return nil
}
