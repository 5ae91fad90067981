package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Blob is the encoded state of one customer.
type Blob struct {
	ID    string
	Value []byte
	// Known is true in a commit if the snapshot holds a blob of the customer already: Commit counts the customers.
	Known bool
	// Removed is true in a commit for a customer whose blob and timer are deleted; it is known.
	Removed bool
}

// Commit is the content of one commit: the changes since the last one, after folding the ledger up to Offset.
type Commit struct {
	Offset      int64   // R: the next ledger offset to fold
	State       []byte  // the partition's own state
	Fingerprint uint64  // of ledger entry Offset-1, to recognise a replaced ledger
	UpdatedAt   int64   // Unix ms
	CommitID    string  // random, unique to this content; a repetition keeps it
	Customers   []Blob  // the changed ones, each at most once
	Timers      []Timer // the changed ones, each at most once, none of a removed customer
}

// maxPairsPerCommand bounds the field-value pairs of one HSET. Redis accepts more than a million arguments; shorter commands keep the
// reallocations of its argument vector small.
const maxPairsPerCommand = 1024

// Commit writes the changes and the new meta in one MULTI. A nil error means that they are stored, by this call or by an earlier one whose
// reply was lost: a stored commit is recognised by its id.
//
// After ErrUnavailable the outcome is unknown: repeat exactly this commit until another result, or claim again. ErrClaimLost: nothing was
// written. ErrTorn: Redis executed only some of the writes. ErrCommitPending: the outcome of another commit is unknown. Redis accepts at
// most about 512 MB or 4,000,000 changed customers at once; a commit should be a hundredth of that.
func (p *Partition) Commit(ctx context.Context, c Commit) error {
	ctx = withCallName(ctx, "commit")
	switch {
	case p.torn:
		return wrapClass(ErrTorn, "commit to %s", p.prefix)
	case p.token == "" || !p.committed.Exists:
		return wrapClass(fmt.Errorf("%w: no snapshot is claimed", ErrClaimLost), "commit to %s", p.prefix)
	case p.pendingCommit != "" && p.pendingCommit != c.CommitID:
		return wrapClass(ErrCommitPending, "commit to %s", p.prefix)
	}
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return err
	}
	next := Meta{
		Exists: true, LedgerID: p.committed.LedgerID, Snapshot: p.committed.Snapshot, Offset: c.Offset, CommitID: c.CommitID,
		State: c.State, Fingerprint: c.Fingerprint, UpdatedAt: c.UpdatedAt, customers: p.committed.customers,
	}
	for i := range c.Customers {
		switch b := &c.Customers[i]; {
		case b.Removed:
			next.customers--
		case !b.Known:
			next.customers++
		}
	}
	err = p.watchMeta(ctx, node, func(tx *redis.Tx) error { return p.commit(ctx, tx, c, &next) })
	switch {
	case err == nil:
		p.committed, p.pendingCommit, p.timerGroups = next, "", nil
		return nil
	case errors.Is(err, ErrClaimLost):
		p.pendingCommit = ""
	case errors.Is(errorClass(err), ErrTorn):
		p.pendingCommit, p.torn = "", true
	}
	return wrapClass(err, "commit to %s", p.prefix)
}

// commit is one attempt, with meta watched. It sets next.groups.
func (p *Partition) commit(ctx context.Context, tx *redis.Tx, c Commit, next *Meta) error {
	var stored *redis.SliceCmd
	var customers *redis.IntCmd
	keys := p.keysOf(p.committed.Snapshot)
	_, err := tx.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		stored = pipe.HMGet(ctx, p.metaKey, "token", "commit", "groups")
		customers = pipe.HLen(ctx, keys.customers)
		return nil
	})
	if err != nil {
		return err
	}
	if token, id := stored.Val()[0], stored.Val()[1]; token == p.token && id == c.CommitID {
		groups, _ := stored.Val()[2].(string)
		n, err := strconv.ParseUint(groups, 10, 32)
		if err != nil {
			return fmt.Errorf("%w: meta field groups is not a number", ErrTorn)
		}
		next.groups = uint32(n)
		return nil // an earlier attempt has stored it
	}
	//mutant:commit-unchecked if false && $
	if err := p.checkClaim(stored.Val()); err != nil {
		return err
	}
	if err := p.checkCount(customers.Val()); err != nil {
		return err
	}
	written, removed := splitRemoved(c.Customers)
	plan := p.planTimers(c.Timers, removed, next.customers)
	if err := plan.readSplit(ctx, tx, keys); err != nil {
		return err
	}
	next.groups = plan.groups

	p.pendingCommit = c.CommitID // from here on the outcome may be unknown to the caller
	var added []*redis.Cmd
	var gone []*redis.IntCmd
	cmds, err := exec(ctx, tx, func(pipe redis.Pipeliner) error {
		for some := range slices.Chunk(removed, maxPairsPerCommand) {
			gone = append(gone, pipe.HDel(ctx, keys.customers, some...))
		}
		for some := range slices.Chunk(written, maxPairsPerCommand) {
			fields := make([]any, 0, 2*len(some)+2)
			fields = append(fields, "hset", keys.customers)
			for _, b := range some {
				fields = append(fields, b.ID, sealBlob(b.ID, b.Value))
			}
			added = append(added, pipe.Do(ctx, fields...))
		}
		plan.write(ctx, pipe, keys)
		pipe.HSet(ctx, p.metaKey, next.values()...)
		return nil
	})
	if err := execError(cmds, err); err != nil {
		return err
	}
	total := p.committed.customers
	for _, cmd := range added {
		n, _ := cmd.Int64() // of the customers in this HSET, those without a blob before
		total += n
	}
	for _, cmd := range gone {
		total -= cmd.Val()
	}
	if total != next.customers {
		return fmt.Errorf("%w: %d customers after the commit instead of %d", ErrTorn, total, next.customers)
	}
	return nil
}

// splitRemoved returns the blobs to write, and the ids of the customers to remove.
func splitRemoved(all []Blob) (written []Blob, removed []string) {
	if !slices.ContainsFunc(all, func(b Blob) bool { return b.Removed }) {
		return all, nil
	}
	for _, b := range all {
		if b.Removed {
			removed = append(removed, b.ID)
		} else {
			written = append(written, b)
		}
	}
	return written, removed
}

// execError returns ErrTorn for an EXEC of which some commands succeeded, and err unchanged if Redis refused it as a whole.
func execError(cmds []redis.Cmder, err error) error {
	if err == nil || errors.Is(err, redis.TxFailedErr) || errors.Is(err, errAborted) || !isReply(err) {
		return err
	}
	for _, cmd := range cmds {
		if cmd.Err() == nil {
			return fmt.Errorf("%w: %s in the middle of a transaction: %w", ErrTorn, cmd.Name(), err)
		}
	}
	return err
}
