package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/findcoordinator"
)

// Key types of FindCoordinator (KIP-98).
const (
	groupCoordinator       int8 = 0
	transactionCoordinator int8 = 1
)

type coordinatorKey struct {
	kind int8
	name string
}

// coordinatorCache caches the coordinators of groups and transactional ids. kafka-go would look them up before every request.
type coordinatorCache struct {
	mu      sync.Mutex
	brokers map[coordinatorKey]int32
}

const (
	minBackoff = time.Millisecond // the markers of a transaction are usually written 1 ms after its end
	maxBackoff = 100 * time.Millisecond
)

// withCoordinator calls do with the coordinator's broker id, and repeats it while the coordinator is busy or elsewhere (51, 14, 15, 16:
// such a request had no effect) until the context ends. Every other error is returned at once, because only the caller knows whether
// the request may be repeated.
func (c *Client) withCoordinator(ctx context.Context, kind int8, name string, do func(broker int32) error) error {
	key := coordinatorKey{kind, name}
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		broker, err := c.coordinator(ctx, key)
		if err == nil {
			err = do(broker)
		}
		if err == nil {
			return nil
		}
		var code Code
		if outcomeUnknown(err) || errors.As(err, &code) && code.coordinatorMoved() {
			c.forgetCoordinator(key, broker)
		}
		if !coordinatorBusy(err) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

// withGroupCoordinator is withCoordinator for requests to the coordinator of a group, which may be repeated at any time: it also repeats
// those without a response, until the context ends.
func (c *Client) withGroupCoordinator(ctx context.Context, group string, do func(broker int32) error) error {
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		err := c.withCoordinator(ctx, groupCoordinator, group, do)
		if !Retriable(err) || errors.Is(err, CodeRebalanceInProgress) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (c *Client) coordinator(ctx context.Context, key coordinatorKey) (int32, error) {
	c.coordinators.mu.Lock()
	broker, ok := c.coordinators.brokers[key]
	c.coordinators.mu.Unlock()
	if ok {
		return broker, nil
	}
	call := Call{API: "FindCoordinator"}
	if key.kind == groupCoordinator {
		call.Group = key.name
	} else {
		call.TxnID = key.name
	}
	res, err := request[*findcoordinator.Response](ctx, c, call, anyBroker, &findcoordinator.Request{Key: key.name, KeyType: key.kind})
	if err == nil {
		err = codeError(res.ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("find coordinator of %q: %w", key.name, err)
	}
	c.coordinators.mu.Lock()
	defer c.coordinators.mu.Unlock()
	if c.coordinators.brokers == nil {
		c.coordinators.brokers = map[coordinatorKey]int32{}
	}
	c.coordinators.brokers[key] = res.NodeID
	return res.NodeID, nil
}

// forgetCoordinator removes the broker from the cache, unless another goroutine has found another coordinator meanwhile.
func (c *Client) forgetCoordinator(key coordinatorKey, broker int32) {
	c.coordinators.mu.Lock()
	defer c.coordinators.mu.Unlock()
	if c.coordinators.brokers[key] == broker {
		delete(c.coordinators.brokers, key)
	}
}
