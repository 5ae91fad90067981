package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// This file is the way past kafka-go's routing and codecs: protocol.RawExchanger lets a request choose its broker and
// write its own bytes, while Transport still owns connections, TLS and SASL.

// anyBroker routes a request to whichever broker answers.
const anyBroker int32 = -1

// maxAnswer bounds what a broken length prefix can make us allocate, in bytes.
const maxAnswer = 1 << 30

// errVersion: the broker does not speak the version that this package writes.
var errVersion = errors.New("broker does not support this version of the request")

// aimed is one of kafka-go's messages, sent to a broker by id. The answer is wrapped, because Transport reacts to the type
// of some answers (after CreateTopics it would wait for metadata that we do not let it fetch).
type aimed struct {
	protocol.Message
	broker      int32
	version     int16
	correlation int32
	clientID    string
}

type answer struct{ protocol.Message }

// Broker names the destination; Transport finds the address by the id alone.
func (m *aimed) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.broker}, nil
}

// Required is always true, and is where the version that was negotiated on the connection can be learned.
func (m *aimed) Required(versions map[protocol.ApiKey]int16) bool {
	m.version = versions[m.ApiKey()]
	return true
}

// RawExchange is kafka-go's own exchange.
func (m *aimed) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	res, err := protocol.RoundTrip(rw, m.version, m.correlation, m.clientID, m.Message)
	if err != nil {
		return nil, err
	}
	return &answer{res}, nil
}

// raw is a request of our own bytes. Its buffers belong to the exchange until it has succeeded: after an error the
// connection may still be reading or writing them (the caller stops waiting, the connection does not), so they must then be
// left to the garbage collector.
type raw struct {
	key     protocol.ApiKey
	version int16
	broker  int32
	out     [][]byte // the whole request, length prefix included, in pieces
	in      []byte   // capacity offered for the answer; the answer itself afterwards, without the length
	mine    int32    // correlation id
}

// ApiKey tells the request's kind.
func (m *raw) ApiKey() protocol.ApiKey { return m.key }

// Broker names the destination.
func (m *raw) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.broker}, nil
}

// Required refuses nothing here; a version that the broker does not speak becomes an error in RawExchange.
func (m *raw) Required(versions map[protocol.ApiKey]int16) bool {
	if v, ok := versions[m.key]; !ok || (m.key <= protocol.Fetch && v != m.version) {
		m.version = -1
	}
	return true
}

// RawExchange writes the pieces and reads one answer.
func (m *raw) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if m.version < 0 {
		return nil, fmt.Errorf("%s: %w", m.key, errVersion)
	}
	for _, piece := range m.out {
		if _, err := rw.Write(piece); err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, fmt.Errorf("read size of the answer: %w", err)
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > maxAnswer {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	if cap(m.in) < n {
		m.in = make([]byte, n+n/4)
	}
	m.in = m.in[:n]
	if _, err := io.ReadFull(rw, m.in); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if got := int32(binary.BigEndian.Uint32(m.in)); got != m.mine {
		return nil, fmt.Errorf("answer to request %d, want %d", got, m.mine)
	}
	return m, nil
}

// appendHeader starts a request with header version 1; the length is patched in by seal.
func appendHeader(b []byte, key protocol.ApiKey, version int16, correlation int32, clientID string) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	return appendString(b, clientID)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// errShort: an answer ended before it should.
var errShort = errors.New("answer is cut short")

// cursor reads an answer; after the first short read everything is zero and bad is set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	head := c.b[:n]
	c.b = c.b[n:]
	return head
}

func (c *cursor) i16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) i32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) i64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// str is a string or nullable string, as bytes of the answer.
func (c *cursor) str() []byte { return c.take(max(0, int(c.i16()))) }

// bytes is bytes or nullable bytes.
func (c *cursor) bytes() []byte { return c.take(max(0, int(c.i32()))) }

// count is the length of an array, 0 for null; one that cannot fit is a short answer.
func (c *cursor) count() int {
	n := int(c.i32())
	if n > len(c.b) {
		c.b, c.bad = nil, true
		return 0
	}
	return max(0, n)
}
