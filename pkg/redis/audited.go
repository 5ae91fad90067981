package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// SetLastAudit stores the time of a clean audit, which the running processes export as a metric. namespace is that of the ledger.
func (c *Client) SetLastAudit(ctx context.Context, namespace string, at time.Time) error {
	ctx = withCallName(ctx, "audit")
	node, err := c.node(ctx, auditKey(namespace))
	if err != nil {
		return err
	}
	return wrapClassIf(node.Set(ctx, auditKey(namespace), strconv.FormatInt(at.UnixMilli(), 10), 0).Err(), "store the time of the audit")
}

// LastAudit returns the time of the last clean audit, to the millisecond; the zero time if there was none.
func (c *Client) LastAudit(ctx context.Context, namespace string) (time.Time, error) {
	ctx = withCallName(ctx, "audit")
	node, err := c.node(ctx, auditKey(namespace))
	if err != nil {
		return time.Time{}, err
	}
	ms, err := node.Get(ctx, auditKey(namespace)).Int64()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, wrapClass(err, "read the time of the last audit")
	}
	return time.UnixMilli(ms), nil
}

func auditKey(namespace string) string { return namespace + ":audit" }

func wrapClassIf(err error, doing string) error {
	if err == nil {
		return nil
	}
	return wrapClass(err, "%s", doing)
}
