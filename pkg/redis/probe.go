package redis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Probe writes a key to each master that holds one of the ledger partitions of a namespace. Only a write shows that a server is full,
// cannot persist, or is a replica: all of these answer PING. The key expires by itself.
func (c *Client) Probe(ctx context.Context, namespace string, partitions int32) error {
	const expiry = time.Minute
	ctx = withCallName(ctx, "probe")
	probed := map[*redis.Client]bool{}
	for p := range partitions {
		key := namespace + ":probe:{" + hashTag(p, partitions) + "}"
		node, err := c.node(ctx, key)
		if err != nil {
			return err
		}
		if probed[node] {
			continue
		}
		probed[node] = true
		if err := node.Set(ctx, key, "", expiry).Err(); err != nil {
			c.reloadTopology(ctx)
			return wrapClass(err, "write to Redis at %s", c.nameOf(node))
		}
		if c.cluster == nil {
			return nil
		}
	}
	return nil
}

// nameOf is how a server is named in errors: its address, or the master's name with sentinels.
func (c *Client) nameOf(node *redis.Client) string {
	if c.master != "" {
		return "master " + c.master
	}
	return node.Options().Addr
}
