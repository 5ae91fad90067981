package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// appendTimes implements message.timestamp.type=LogAppendTime. kfake ignores this setting: it looks at an attribute of the batch,
// which no client may set, and then stores the batch with a wrong checksum. So the connections of kfake are wrapped: requests get
// the present as the time of their batches for such a topic, and the responses report it.
//
// In a compressed batch only the batch's own time is set; its records keep their distances in time.
type appendTimes struct {
	mu      sync.RWMutex
	cluster *kfake.Cluster // nil before the start and from Close on, when kfake does not answer
}

func (a *appendTimes) setCluster(cluster *kfake.Cluster) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cluster = cluster
}

// enabled says whether a topic has LogAppendTime. Produce requests from version 13 on identify topics by id.
func (a *appendTimes) enabled(topic string, id [16]byte) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.cluster == nil {
		return false
	}
	var info *kfake.TopicInfo
	if topic != "" {
		info = a.cluster.TopicInfo(topic)
	} else {
		info = a.cluster.TopicIDInfo(id)
	}
	if info == nil {
		return false
	}
	kind := info.Configs["message.timestamp.type"]
	return kind != nil && *kind == "LogAppendTime"
}

// listening wraps the listeners of kfake.
func (a *appendTimes) listening(listen func(network, address string) (net.Listener, error)) kfake.Opt {
	return kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := listen(network, address)
		if err != nil {
			return nil, err
		}
		return stampingListener{l, a}, nil
	})
}

type stampingListener struct {
	net.Listener
	times *appendTimes
}

func (l stampingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stampingConn{Conn: conn, times: l.times, stamped: make(map[int32]stamped)}, nil
}

// stampingConn is the broker's end of a connection. kfake reads in one goroutine and writes whole responses in another.
type stampingConn struct {
	net.Conn
	times *appendTimes
	rest  []byte // of the request that is being read
	joins joins

	mu      sync.Mutex
	stamped map[int32]stamped // by correlation id: requests whose response is to be changed
}

type stamped struct {
	version int16
	at      int64 // Unix ms
	topics  map[topicName]bool
}

type topicName struct {
	name string
	id   [16]byte
}

func (c *stampingConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		size := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, size); err != nil {
			c.joins.wait()
			return 0, err
		}
		n := binary.BigEndian.Uint32(size)
		if n > 128<<20 {
			return 0, fmt.Errorf("a Kafka request of %d bytes", n)
		}
		frame := make([]byte, 4+int(n))
		copy(frame, size)
		if _, err := io.ReadFull(c.Conn, frame[4:]); err != nil {
			return 0, err
		}
		c.joins.request(frame[4:])
		c.stamp(frame[4:])
		c.rest = frame
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// stamp changes a produce request in place: key, version, correlation id, client id, tags, body.
func (c *stampingConn) stamp(request []byte) {
	const fixed = 10
	if len(request) < fixed || binary.BigEndian.Uint16(request) != uint16(kmsg.Produce) {
		return
	}
	version := int16(binary.BigEndian.Uint16(request[2:]))     //nolint:gosec // as the protocol has it
	correlation := int32(binary.BigEndian.Uint32(request[4:])) //nolint:gosec // likewise
	body := request[fixed:]
	if n := int16(binary.BigEndian.Uint16(request[8:])); n > 0 { //nolint:gosec // length of the client id, -1: none
		body = body[min(int(n), len(body)):]
	}
	produce := kmsg.NewPtrProduceRequest()
	produce.SetVersion(version)
	if produce.IsFlexible() && len(body) > 0 && body[0] == 0 {
		body = body[1:] // no tags
	}
	if produce.UnsafeReadFrom(body) != nil { // record bytes point into the request
		return // kfake refuses it
	}
	s := stamped{version: version, at: time.Now().UnixMilli(), topics: make(map[topicName]bool)}
	for _, topic := range produce.Topics {
		if !c.times.enabled(topic.Topic, topic.TopicID) {
			continue
		}
		s.topics[topicName{topic.Topic, topic.TopicID}] = true
		for _, p := range topic.Partitions {
			stampBatch(p.Records, s.at)
		}
	}
	if len(s.topics) > 0 && produce.Acks != 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stamped[correlation] = s
	}
}

// Offsets in a record batch of version 2.
const (
	atChecksum   = 17
	atAttributes = 21 // two bytes; the checksum covers everything from here on
	atFirstTime  = 27
	atMaxTime    = 35
	atRecords    = 61
	compression  = 0x07
)

func checksum(batch []byte) uint32 {
	return crc32.Checksum(batch[atAttributes:], crc32.MakeTable(crc32.Castagnoli))
}

func stampBatch(b []byte, at int64) {
	if len(b) < atRecords || checksum(b) != binary.BigEndian.Uint32(b[atChecksum:]) {
		return // kfake refuses it
	}
	binary.BigEndian.PutUint64(b[atFirstTime:], uint64(at)) //nolint:gosec // as the protocol has it
	binary.BigEndian.PutUint64(b[atMaxTime:], uint64(at))   //nolint:gosec // likewise
	if b[atAttributes+1]&compression == 0 {
		levelTimes(b[atRecords:])
	}
	binary.BigEndian.PutUint32(b[atChecksum:], checksum(b))
}

// levelTimes sets each record's distance from the batch's time to 0, written in as many bytes as it had.
func levelTimes(records []byte) {
	for len(records) > 0 {
		size, n := binary.Varint(records)
		if n <= 0 || size < 2 || int(size) > len(records)-n {
			return
		}
		record := records[n : n+int(size)]
		records = records[n+int(size):]
		_, width := binary.Varint(record[1:])
		for i := 1; i < width; i++ {
			record[i] = 0x80
		}
		record[max(1, width)] = 0
	}
}

func (c *stampingConn) Close() error {
	c.joins.close()
	return c.Conn.Close()
}

func (c *stampingConn) Write(answer []byte) (int, error) {
	c.joins.response(answer)
	changed, ok := c.reportTime(answer)
	if !ok {
		return c.Conn.Write(answer)
	}
	if _, err := c.Conn.Write(changed); err != nil {
		return 0, err
	}
	return len(answer), nil
}

// reportTime puts the append time into the answer to a request that was stamped.
func (c *stampingConn) reportTime(answer []byte) ([]byte, bool) {
	const fixed = 8 // size, correlation id
	if len(answer) < fixed {
		return nil, false
	}
	correlation := int32(binary.BigEndian.Uint32(answer[4:])) //nolint:gosec // as the protocol has it
	c.mu.Lock()
	s, ok := c.stamped[correlation]
	delete(c.stamped, correlation)
	c.mu.Unlock()
	if !ok {
		return nil, false
	}
	response := kmsg.NewPtrProduceResponse()
	response.SetVersion(s.version)
	start := fixed
	if response.IsFlexible() {
		start++ // no tags
	}
	if len(answer) < start || response.ReadFrom(answer[start:]) != nil {
		return nil, false
	}
	for i := range response.Topics {
		topic := &response.Topics[i]
		if !s.topics[topicName{topic.Topic, topic.TopicID}] {
			continue
		}
		for j := range topic.Partitions {
			if topic.Partitions[j].ErrorCode == 0 {
				topic.Partitions[j].LogAppendTime = s.at
			}
		}
	}
	changed := response.AppendTo(append([]byte(nil), answer[:start]...))
	binary.BigEndian.PutUint32(changed, uint32(len(changed)-4)) //nolint:gosec // an answer is small
	return changed, true
}
