package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// SetLastAudit keeps when an audit found everything in order, for the running processes to tell. namespace is the ledger's.
func (c *Client) SetLastAudit(ctx context.Context, namespace string, at time.Time) error {
	ctx = named(ctx, "audit")
	node, err := c.node(ctx, auditKey(namespace))
	if err != nil {
		return err
	}
	return failedIf(node.Set(ctx, auditKey(namespace), strconv.FormatInt(at.UnixMilli(), 10), 0).Err(), "note the audit")
}

// LastAudit is when an audit last found everything in order; the zero time if none did.
func (c *Client) LastAudit(ctx context.Context, namespace string) (time.Time, error) {
	ctx = named(ctx, "audit")
	node, err := c.node(ctx, auditKey(namespace))
	if err != nil {
		return time.Time{}, err
	}
	ms, err := node.Get(ctx, auditKey(namespace)).Int64()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, failed(err, "read when the last audit was")
	}
	return time.UnixMilli(ms), nil
}

func auditKey(namespace string) string { return namespace + ":audit" }

func failedIf(err error, doing string) error {
	if err == nil {
		return nil
	}
	return failed(err, "%s", doing)
}
