package embedded

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joins are a connection's requests to join a group that are not answered yet. A broker begins a member's session with the
// answer, whether or not anybody is there to hear it, so that one who died while joining is missed soon. kfake begins none
// when the connection is gone, and such a member would keep its partitions for ever. So a connection that broke with a
// request to join under way ends, for kfake, only when that is answered.
type joins struct {
	mu     sync.Mutex
	asked  map[int32]struct{} // by correlation id
	settle chan struct{}      // closed when nothing is asked any more; nil while nobody waits
	closed bool
}

// ask notes a request if it is one to join: key, version, correlation id.
func (j *joins) ask(request []byte) {
	if len(request) < 8 || binary.BigEndian.Uint16(request) != uint16(kmsg.JoinGroup) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.asked == nil {
		j.asked = make(map[int32]struct{})
	}
	j.asked[int32(binary.BigEndian.Uint32(request[4:]))] = struct{}{} //nolint:gosec // as the protocol has it
}

// answer notes what is being answered: size, correlation id.
func (j *joins) answer(answer []byte) {
	if len(answer) < 8 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.asked, int32(binary.BigEndian.Uint32(answer[4:]))) //nolint:gosec // as the protocol has it
	j.release()
}

// close lets go of who waits: the broker itself hangs up.
func (j *joins) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.release()
}

func (j *joins) release() {
	if j.settle != nil && (j.closed || len(j.asked) == 0) {
		close(j.settle)
		j.settle = nil
	}
}

// wait returns when every request to join is answered.
func (j *joins) wait() {
	j.mu.Lock()
	if j.closed || len(j.asked) == 0 {
		j.mu.Unlock()
		return
	}
	if j.settle == nil {
		j.settle = make(chan struct{})
	}
	settle := j.settle
	j.mu.Unlock()
	<-settle
}
