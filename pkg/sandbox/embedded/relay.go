package embedded

import (
	"io"
	"net"
	"sync"
)

// relay adds an unlimited buffer for the answers of a server behind a net.Pipe. A pipe has no buffer, and miniredis answers each
// command of a pipeline while the client is still writing the rest of it: without a buffer both would wait forever.
func relay(server net.Conn) net.Conn {
	client, near := net.Pipe()
	answers := &queue{}
	answers.changed.L = &answers.mu
	go func() {
		_, _ = io.Copy(server, near) // ends when either side closes
		_ = server.Close()
	}()
	go func() {
		_, _ = io.Copy(answers, server)
		answers.end()
	}()
	go func() {
		for {
			b, ok := answers.waitForBytes()
			if !ok {
				break
			}
			if _, err := near.Write(b); err != nil {
				break
			}
		}
		_ = near.Close()
	}()
	return client
}

// queue is a buffer between two goroutines: one writes, the other takes.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	bytes   []byte
	ended   bool
}

func (q *queue) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes = append(q.bytes, b...)
	q.changed.Signal()
	return len(b), nil
}

func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.changed.Signal()
}

func (q *queue) waitForBytes() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.bytes) == 0 && !q.ended {
		q.changed.Wait()
	}
	b := q.bytes
	q.bytes = nil
	return b, len(b) > 0
}
