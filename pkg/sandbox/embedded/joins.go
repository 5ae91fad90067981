package embedded

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joins are the JoinGroup requests of a connection that are not answered yet. A broker starts a member's session when it answers,
// whether or not the connection still exists, so a member that crashed while joining expires soon. kfake starts no session if the
// connection is closed, and such a member would keep its partitions forever. So a connection that is closed during a JoinGroup is
// closed for kfake only after the answer.
type joins struct {
	mu      sync.Mutex
	pending map[int32]struct{} // by correlation id
	done    chan struct{}      // closed when none is pending; nil while nobody waits
	closed  bool
}

// request adds a request if it is a JoinGroup. It begins with key, version and correlation id.
func (j *joins) request(bytes []byte) {
	if len(bytes) < 8 || binary.BigEndian.Uint16(bytes) != uint16(kmsg.JoinGroup) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending == nil {
		j.pending = make(map[int32]struct{})
	}
	j.pending[int32(binary.BigEndian.Uint32(bytes[4:]))] = struct{}{} //nolint:gosec // as the protocol has it
}

// response removes an answered request. The response begins with size and correlation id.
func (j *joins) response(bytes []byte) {
	if len(bytes) < 8 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.pending, int32(binary.BigEndian.Uint32(bytes[4:]))) //nolint:gosec // as the protocol has it
	j.release()
}

// close ends every wait: the broker itself closes the connection.
func (j *joins) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.release()
}

func (j *joins) release() {
	if j.done != nil && (j.closed || len(j.pending) == 0) {
		close(j.done)
		j.done = nil
	}
}

// wait returns when no JoinGroup is pending.
func (j *joins) wait() {
	j.mu.Lock()
	if j.closed || len(j.pending) == 0 {
		j.mu.Unlock()
		return
	}
	if j.done == nil {
		j.done = make(chan struct{})
	}
	done := j.done
	j.mu.Unlock()
	<-done
}
