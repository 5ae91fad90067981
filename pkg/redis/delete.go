package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// maxKeysPerCommand bounds the keys of one UNLINK.
const maxKeysPerCommand = 1024

// unlink queues the deletion of keys. UNLINK frees memory in the background: the blobs of a partition are one large key.
func unlink(ctx context.Context, pipe redis.Pipeliner, keys []string) {
	for first := 0; first < len(keys); first += maxKeysPerCommand {
		pipe.Unlink(ctx, keys[first:min(first+maxKeysPerCommand, len(keys))]...)
	}
}

// deleteFormer deletes the snapshot that meta names, unless it is the one that an earlier attempt of BeginSnapshot has begun. Meta
// loses its fields in the same MULTI, so that it never names a snapshot without its keys. It keeps the token, and with it the claim.
func (p *Partition) deleteFormer(ctx context.Context, node *redis.Client, commitID string) error {
	return p.watchMeta(ctx, node, func(tx *redis.Tx) error {
		stored, err := tx.HMGet(ctx, p.metaKey, "token", "commit", "snapshot", "groups").Result()
		if err != nil {
			return err
		}
		if p.token == "" || stored[0] != p.token {
			return ErrClaimLost
		}
		former, _ := stored[2].(string)
		if former == "" || stored[1] == commitID {
			return nil
		}
		keys := p.keysOf(former)
		all := []string{keys.customers, keys.timers}
		text, _ := stored[3].(string)
		groups, _ := strconv.ParseUint(text, 10, 32) // not a number: meta is torn, and SweepSnapshots finds the groups
		for n := range groups {
			all = append(all, keys.group(uint32(n)))
		}
		_, err = exec(ctx, tx, func(pipe redis.Pipeliner) error {
			pipe.HDel(ctx, p.metaKey, metaFields()...)
			unlink(ctx, pipe, all)
			return nil
		})
		return err
	})
}

// deleteUnread deletes the keys of the partition that nothing will read again: those of snapshots that meta does not name, and the
// snapshot that meta names if it is torn. full is returned if there are none. No claim is needed, and a full Redis accepts none:
// what a later owner has begun is named by meta, and meta is watched.
func (p *Partition) deleteUnread(ctx context.Context, node *redis.Client, full error) (deleted int, err error) {
	ctx = withCallName(ctx, "room")
	err = p.watchMeta(ctx, node, func(tx *redis.Tx) error {
		meta, err := parseMeta(tx.HMGet(ctx, p.metaKey, metaFields()...))
		torn := err == nil && meta.Exists && meta.Snapshot == p.tornSnapshot
		if err != nil {
			if torn = errors.Is(errorClass(err), ErrTorn); !torn {
				return err
			}
		}
		var unread []string
		for cursor := uint64(0); ; {
			page, next, err := tx.Scan(ctx, cursor, p.prefix+"*", 1000).Result()
			if err != nil {
				return err
			}
			for _, key := range page {
				named := key == p.metaKey || meta.Exists && strings.HasPrefix(key, p.prefix+meta.Snapshot+":")
				if torn || !named {
					unread = append(unread, key)
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
		if len(unread) == 0 {
			return full
		}
		_, err = exec(ctx, tx, func(pipe redis.Pipeliner) error {
			unlink(ctx, pipe, unread)
			return nil
		})
		deleted = len(unread)
		return err
	})
	return deleted, err
}

// SweepSnapshots deletes keys of former snapshots of this partition. A call examines about 10,000 keys of the node; done reports whether
// the scan of all keys is complete. Only the owner may call it: a check of meta under WATCH prevents a former owner from deleting a
// snapshot that a later owner has begun.
func (p *Partition) SweepSnapshots(ctx context.Context) (removed int, done bool, err error) {
	ctx = withCallName(ctx, "sweep")
	if err := p.checkUsable(); err != nil {
		return 0, false, wrapClass(err, "sweep %s", p.prefix)
	}
	node, err := p.client.node(ctx, p.metaKey)
	if err != nil {
		return 0, false, err
	}
	var old []string
	for range 10 {
		page, next, err := node.Scan(ctx, p.sweepCursor, p.prefix+"*", 1000).Result()
		if err != nil {
			return 0, false, wrapClass(err, "look for former snapshots in %s", p.prefix)
		}
		for _, key := range page {
			if key != p.metaKey && !strings.HasPrefix(key, p.prefix+p.committed.Snapshot+":") {
				old = append(old, key)
			}
		}
		if p.sweepCursor = next; next == 0 {
			done = true
			break
		}
	}
	if len(old) == 0 {
		return 0, done, nil
	}
	err = p.watchMeta(ctx, node, func(tx *redis.Tx) error {
		stored, err := tx.HMGet(ctx, p.metaKey, "token", "commit").Result()
		if err != nil {
			return err
		}
		if err := p.checkClaim(stored); err != nil {
			return err
		}
		_, err = exec(ctx, tx, func(pipe redis.Pipeliner) error {
			unlink(ctx, pipe, old)
			return nil
		})
		return err
	})
	if err != nil {
		p.sweepCursor = 0 // keys that were found but not deleted must be found again
		return 0, false, wrapClass(err, "remove former snapshots from %s", p.prefix)
	}
	return len(old), done, nil
}
