package deliver

import "sync"

// queue is what waits for one worker. It has no bound of its own: the claim bounds all queues of a destination together, so that one
// customer whom the receiver does not take delays only those who share their worker, until that bound is reached.
type queue struct {
	mu     sync.Mutex
	items  []*delivery
	closed bool
	more   chan struct{} // has an item when there may be something new
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) push(d *delivery) {
	q.mu.Lock()
	q.items = append(q.items, d)
	q.mu.Unlock()
	q.wake()
}

// close drops what was not begun.
func (q *queue) close() {
	q.mu.Lock()
	q.items, q.closed = nil, true
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// next waits for the next delivery; false: the queue is closed.
func (q *queue) next() (*delivery, bool) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil, false
		}
		if len(q.items) > 0 {
			d := q.items[0]
			q.items[0] = nil
			q.items = q.items[1:]
			q.mu.Unlock()
			return d, true
		}
		q.mu.Unlock()
		<-q.more
	}
}
