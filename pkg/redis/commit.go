package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Blob is the state of one customer.
type Blob struct {
	ID    string
	Value []byte
}

// Commit is what one commit changes: the state after folding the ledger up to Offset.
type Commit struct {
	Offset      int64  // R, exclusive
	State       []byte // of the partition
	Fingerprint uint64 // of ledger entry Offset-1
	UpdatedAt   int64  // Unix ms
	CommitID    string // random, drawn for this content; a repeat of the same content keeps it
	Customers   []Blob // changed ones, each at most once
	Timers      []Timer
}

// pairs is how many field-value pairs stand in one HSET of a commit. Redis takes more than a million arguments; shorter
// commands keep its reallocations of the argument vector small.
const pairs = 1024

// Commit makes the changes and moves meta to them, all in one MULTI. nil: they are stored, by this call or by an earlier one
// whose answer was lost; a commit is recognised by its own id.
//
// ErrUnavailable leaves the outcome unknown: repeat exactly this commit until it is settled, or claim again. ErrClaimLost:
// nothing was written. ErrTorn: Redis answered some of the writes with an error and did the others. Some 512 MB in all, or
// 4,000,000 changed customers, are the most that Redis takes at once; a commit is meant to be a hundredth of that.
func (p *Partition) Commit(ctx context.Context, c Commit) error {
	ctx = named(ctx, "commit")
	switch {
	case p.torn:
		return failed(ErrTorn, "commit to %s", p.prefix)
	case p.token == "" || !p.last.Exists:
		return failed(fmt.Errorf("%w: nothing is claimed and begun", ErrClaimLost), "commit to %s", p.prefix)
	case p.pending != "" && p.pending != c.CommitID:
		return failed(ErrCommitPending, "commit to %s", p.prefix)
	}
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return err
	}
	next := Meta{
		Exists: true, LedgerID: p.last.LedgerID, Snapshot: p.last.Snapshot, Offset: c.Offset, CommitID: c.CommitID,
		State: c.State, Fingerprint: c.Fingerprint, UpdatedAt: c.UpdatedAt,
	}
	err = p.whileWatching(ctx, node, func(tx *redis.Tx) error { return p.commit(ctx, tx, c, &next) })
	switch {
	case err == nil:
		p.last, p.pending, p.read = next, "", nil
		return nil
	case errors.Is(err, ErrClaimLost):
		p.pending = ""
	case errors.Is(classOf(err), ErrTorn):
		p.pending, p.torn = "", true
	}
	return failed(err, "commit to %s", p.prefix)
}

// commit is one attempt, with meta watched. It fills in next.groups.
func (p *Partition) commit(ctx context.Context, tx *redis.Tx, c Commit, next *Meta) error {
	var held *redis.SliceCmd
	var customers *redis.IntCmd
	keys := p.keysOf(p.last.Snapshot)
	_, err := tx.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		held = pipe.HMGet(ctx, p.meta, "token", "commit", "groups")
		customers = pipe.HLen(ctx, keys.customers)
		return nil
	})
	if err != nil {
		return err
	}
	if token, id := held.Val()[0], held.Val()[1]; token == p.token && id == c.CommitID {
		groups, _ := held.Val()[2].(string)
		n, err := strconv.ParseUint(groups, 10, 32)
		if err != nil {
			return fmt.Errorf("%w: meta field groups is no number", ErrTorn)
		}
		next.groups = uint32(n)
		return nil // stored by an earlier attempt
	}
	//mutant:commit-unchecked if false && $
	if err := p.holds(held.Val()); err != nil {
		return err
	}
	plan := p.spread(c.Timers, customers.Val()+int64(len(c.Customers)))
	if err := plan.readSplit(ctx, tx, keys); err != nil {
		return err
	}
	next.groups = plan.groups

	p.pending = c.CommitID // from here on the outcome may be unknown
	cmds, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for first := 0; first < len(c.Customers); first += pairs {
			some := c.Customers[first:min(first+pairs, len(c.Customers))]
			fields := make([]any, 0, 2*len(some)+2)
			fields = append(fields, "hset", keys.customers)
			for i := range some {
				fields = append(fields, some[i].ID, some[i].Value)
			}
			_ = pipe.Do(ctx, fields...)
		}
		plan.write(ctx, pipe, keys)
		pipe.HSet(ctx, p.meta, next.values()...)
		return nil
	})
	return outcome(cmds, err)
}

// outcome tells an EXEC that was refused as a whole from one that was done in part.
func outcome(cmds []redis.Cmder, err error) error {
	if err == nil || errors.Is(err, redis.TxFailedErr) || !isReply(err) {
		return err
	}
	for _, cmd := range cmds {
		if cmd.Err() == nil {
			return fmt.Errorf("%w: %s in the middle of a transaction: %w", ErrTorn, cmd.Name(), err)
		}
	}
	return err
}
