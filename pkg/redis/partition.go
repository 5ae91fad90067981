package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Partition is the state of one ledger partition in Redis. One goroutine uses it at a time: the owner, who calls Claim first,
// or a reader, who only calls ReadMeta, Read, Scan and ScanTimers.
type Partition struct {
	client *Client
	prefix string // <namespace>:{<tag>}:
	meta   string // the key of meta

	token   string           // this claim; empty before Claim
	last    Meta             // as this claim wrote or loaded it last
	pending string           // the id of a commit whose outcome is unknown
	torn    bool             // only Claim and Begin may go on
	read    map[uint32]group // timer groups that Due has looked into since the last commit
	cursor  uint64           // where Sweep goes on
}

// Partition returns a ledger partition's place. namespace is one that a Kafka topic could be named after; partitions is the
// ledger's count, fixed for its life.
func (c *Client) Partition(namespace string, partition, partitions int32) *Partition {
	prefix := fmt.Sprintf("%s:{%s}:", namespace, tagOf(partition, partitions))
	return &Partition{client: c, prefix: prefix, meta: prefix + "meta"}
}

// Claim writes the token, which must be fresh and random, and loads meta in the same MULTI: whatever is committed or read
// under another token from then on is noticed there, and what was committed before is in the Meta that is returned. A lost
// answer needs no care: claim again with the same token or another. ErrTorn: meta is unreadable, but claimed; begin anew.
func (p *Partition) Claim(ctx context.Context, token string) (Meta, error) {
	ctx = named(ctx, "claim")
	p.token, p.last, p.pending, p.torn, p.read = "", Meta{}, "", false, nil
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return Meta{}, err
	}
	meta, err := p.claim(ctx, node, token, false)
	if isReply(err) && errors.Is(classOf(err), ErrTorn) {
		// Something that is no hash stands where meta belongs. It is not ours to keep: state can always be folded again.
		meta, err = p.claim(ctx, node, token, true)
	}
	p.torn = errors.Is(err, ErrTorn)
	if err != nil && !p.torn {
		p.client.moved(ctx)
		return Meta{}, failed(err, "claim %s", p.meta)
	}
	p.token, p.last = token, meta
	if err != nil {
		return Meta{}, failed(err, "claim %s", p.meta)
	}
	return meta, nil
}

func (p *Partition) claim(ctx context.Context, node *redis.Client, token string, afresh bool) (Meta, error) {
	var get *redis.SliceCmd
	_, err := node.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		if afresh {
			tx.Unlink(ctx, p.meta)
		}
		tx.HSet(ctx, p.meta, "token", token)
		get = tx.HMGet(ctx, p.meta, metaFields()...)
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	return parseMeta(get)
}

// BeginSnapshot starts a new snapshot: an empty state at offset 0 under a fresh random name. The keys of former snapshots stay where
// they are, unread, until Sweep removes them.
func (p *Partition) BeginSnapshot(ctx context.Context, ledgerID, snapshot, commitID string, updatedAt int64) error {
	ctx = named(ctx, "begin")
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return err
	}
	fresh := Meta{Exists: true, LedgerID: ledgerID, Snapshot: snapshot, CommitID: commitID, UpdatedAt: updatedAt}
	err = p.whileWatching(ctx, node, func(tx *redis.Tx) error {
		held, err := tx.HMGet(ctx, p.meta, "token", "commit").Result()
		if err != nil {
			return err
		}
		if p.token == "" || held[0] != p.token {
			return ErrClaimLost
		}
		if held[1] == commitID {
			return nil // the answer to an earlier attempt was lost
		}
		// The old meta goes as a whole, so that no field of a former format survives.
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Del(ctx, p.meta)
			pipe.HSet(ctx, p.meta, append(fresh.values(), "token", p.token)...)
			return nil
		})
		return err
	})
	if err != nil {
		return failed(err, "begin a snapshot at %s", p.meta)
	}
	p.last, p.pending, p.torn, p.read, p.cursor = fresh, "", false, nil, 0
	return nil
}

// whileWatching runs fn with meta watched. That EXEC found meta changed is no answer yet: fn looks again and finds out what
// it holds now.
func (p *Partition) whileWatching(ctx context.Context, node *redis.Client, fn func(*redis.Tx) error) error {
	const tries = 3 // one is enough unless somebody writes meta all the time
	for range tries {
		err := node.Watch(ctx, fn, p.meta)
		if errors.Is(err, redis.TxFailedErr) {
			continue
		}
		if errors.Is(classOf(err), ErrUnavailable) {
			p.client.moved(ctx)
		}
		return err
	}
	return fmt.Errorf("%w: meta kept changing", ErrClaimLost)
}

// LoadCustomers returns the blobs of the customers, nil for one who has none, as of this claim's last commit.
func (p *Partition) LoadCustomers(ctx context.Context, ids []string) ([][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ctx = named(ctx, "load")
	var get *redis.SliceCmd
	err := p.checked(ctx, func(tx redis.Pipeliner) {
		get = tx.HMGet(ctx, p.keysOf(p.last.Snapshot).customers, ids...)
	})
	if err != nil {
		return nil, failed(err, "load %d customers from %s", len(ids), p.prefix)
	}
	return blobsOf(get.Val()), nil
}

func blobsOf(reply []any) [][]byte {
	blobs := make([][]byte, len(reply))
	for i, v := range reply {
		if s, ok := v.(string); ok {
			blobs[i] = []byte(s)
		}
	}
	return blobs
}

// checked sends reads in one MULTI with the check that meta is as this claim left it. Redis may go back in time between two
// reads, and between a check and a read: only what came in the same MULTI as the check counts.
func (p *Partition) checked(ctx context.Context, reads func(redis.Pipeliner)) error {
	if err := p.usable(); err != nil {
		return err
	}
	node, err := p.client.node(ctx, p.meta)
	if err != nil {
		return err
	}
	var held *redis.SliceCmd
	_, err = node.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		held = tx.HMGet(ctx, p.meta, "token", "commit")
		reads(tx)
		return nil
	})
	if err != nil {
		p.torn = errors.Is(classOf(err), ErrTorn)
		if errors.Is(classOf(err), ErrUnavailable) {
			p.client.moved(ctx)
		}
		return err
	}
	//mutant:read-unchecked insert return nil
	return p.holds(held.Val())
}

// usable says whether this claim has a state to speak of.
func (p *Partition) usable() error {
	switch {
	case p.torn:
		return ErrTorn
	case p.token == "" || !p.last.Exists:
		return fmt.Errorf("%w: nothing is claimed and begun", ErrClaimLost)
	case p.pending != "":
		return ErrCommitPending
	}
	return nil
}

// holds compares token and commit id in meta with this claim's.
func (p *Partition) holds(held []any) error {
	if len(held) < 2 || held[0] != p.token || held[1] != p.last.CommitID {
		return ErrClaimLost
	}
	return nil
}
