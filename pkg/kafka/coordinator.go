package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/findcoordinator"
)

// What FindCoordinator is asked for (KIP-98).
const (
	ofGroup       int8 = 0
	ofTransaction int8 = 1
)

type coordinatorKey struct {
	kind int8
	name string
}

// coordinators remembers which broker coordinates what. kafka-go would ask before every single request.
type coordinators struct {
	mu sync.Mutex
	by map[coordinatorKey]int32
}

const (
	firstPause = time.Millisecond // markers of the last transaction are usually written 1 ms after its end
	lastPause  = 100 * time.Millisecond
)

// coordinated does something with the coordinator's broker id, and repeats it for as long as the coordinator is busy or
// elsewhere (51, 14, 15, 16: such a request had no effect) and the context lasts. Every other error is returned at once:
// whether to repeat is then the caller's decision.
func (c *Client) coordinated(ctx context.Context, kind int8, name string, do func(broker int32) error) error {
	key := coordinatorKey{kind, name}
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		broker, err := c.coordinator(ctx, key)
		if err == nil {
			err = do(broker)
		}
		if err == nil {
			return nil
		}
		var code Code
		if unanswered(err) || errors.As(err, &code) && code.moved() {
			c.forgetCoordinator(key, broker)
		}
		if !busy(err) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

// asked is coordinated for questions, and for writes that may be repeated at any time: lost answers are asked for again too,
// until the context ends.
func (c *Client) asked(ctx context.Context, kind int8, name string, do func(broker int32) error) error {
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := c.coordinated(ctx, kind, name, do)
		if !Retriable(err) || errors.Is(err, CodeRebalanceInProgress) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (c *Client) coordinator(ctx context.Context, key coordinatorKey) (int32, error) {
	c.coords.mu.Lock()
	broker, ok := c.coords.by[key]
	c.coords.mu.Unlock()
	if ok {
		return broker, nil
	}
	call := Call{API: "FindCoordinator"}
	if key.kind == ofGroup {
		call.Group = key.name
	} else {
		call.TxnID = key.name
	}
	res, err := ask[*findcoordinator.Response](ctx, c, call, anyBroker, &findcoordinator.Request{Key: key.name, KeyType: key.kind})
	if err == nil {
		err = failed(res.ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("find coordinator of %q: %w", key.name, err)
	}
	c.coords.mu.Lock()
	defer c.coords.mu.Unlock()
	if c.coords.by == nil {
		c.coords.by = map[coordinatorKey]int32{}
	}
	c.coords.by[key] = res.NodeID
	return res.NodeID, nil
}

// forgetCoordinator forgets the broker, unless somebody has found another one since.
func (c *Client) forgetCoordinator(key coordinatorKey, broker int32) {
	c.coords.mu.Lock()
	defer c.coords.mu.Unlock()
	if c.coords.by[key] == broker {
		delete(c.coords.by, key)
	}
}
