package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// This file bypasses kafka-go's routing and codecs: a protocol.RawExchanger chooses its broker and writes its own bytes, while Transport
// still owns the pool of connections.

// anyBroker routes a request to an arbitrary broker.
const anyBroker int32 = -1

// maxResponseBytes bounds the allocation for a corrupt length prefix.
const maxResponseBytes = 1 << 30

// errVersion is returned for a broker without the request version that this package writes.
var errVersion = errors.New("broker does not support this version of the request")

// brokerRequest is one of kafka-go's messages, sent to a broker by id. The response is wrapped in brokerResponse, because Transport reacts
// to the type of some responses (after CreateTopics it would wait for metadata that it is configured not to fetch).
type brokerRequest struct {
	protocol.Message
	broker      int32
	version     int16
	correlation int32
	clientID    string
}

type brokerResponse struct{ protocol.Message }

// Broker implements protocol.BrokerMessage; Transport looks up the address by the id.
func (m *brokerRequest) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.broker}, nil
}

// Required implements protocol.RawExchanger. It records the version that was negotiated on the connection.
func (m *brokerRequest) Required(versions map[protocol.ApiKey]int16) bool {
	m.version = versions[m.ApiKey()]
	return true
}

// RawExchange implements protocol.RawExchanger with kafka-go's codec.
func (m *brokerRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	res, err := protocol.RoundTrip(rw, m.version, m.correlation, m.clientID, m.Message)
	if err != nil {
		return nil, err
	}
	return &brokerResponse{res}, nil
}

// rawRequest is a request that this package encodes itself. Its buffers may be reused only after the exchange has succeeded: after an
// error the connection may still read or write them (the caller stops waiting, the connection does not), so they must be left to the
// garbage collector.
type rawRequest struct {
	key         protocol.ApiKey
	version     int16
	broker      int32
	pieces      [][]byte // the request, including its length prefix
	response    []byte   // before: a buffer to use; after: the response without its length prefix
	correlation int32    // correlation id, which the response must repeat
	most        int      // bytes of the response that are kept; 0: all
	cut         bool     // after: the response was longer
}

// ApiKey implements protocol.Message.
func (m *rawRequest) ApiKey() protocol.ApiKey { return m.key }

// Broker implements protocol.BrokerMessage.
func (m *rawRequest) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.broker}, nil
}

// Required implements protocol.RawExchanger. An unsupported version is reported by RawExchange.
func (m *rawRequest) Required(versions map[protocol.ApiKey]int16) bool {
	if v, ok := versions[m.key]; !ok || (m.key <= protocol.Fetch && v < m.version) {
		m.version = -1
	}
	return true
}

// RawExchange implements protocol.RawExchanger: it writes the pieces and reads one response.
func (m *rawRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if m.version < 0 {
		return nil, fmt.Errorf("%s: %w", m.key, errVersion)
	}
	for _, piece := range m.pieces {
		if _, err := rw.Write(piece); err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, fmt.Errorf("read size of the response: %w", err)
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > maxResponseBytes {
		return nil, fmt.Errorf("response of %d bytes", n)
	}
	kept := n
	if m.cut = m.most > 0 && n > m.most; m.cut {
		kept = m.most
	}
	if cap(m.response) < kept {
		m.response = make([]byte, kept+kept/4)
	}
	m.response = m.response[:kept]
	if _, err := io.ReadFull(rw, m.response); err != nil {
		return nil, fmt.Errorf("read response: %w", err)
	}
	if _, err := io.CopyN(io.Discard, rw, int64(n-kept)); err != nil {
		return nil, fmt.Errorf("read the rest of the response: %w", err)
	}
	if got := int32(binary.BigEndian.Uint32(m.response)); got != m.correlation {
		return nil, fmt.Errorf("response to request %d, want %d", got, m.correlation)
	}
	return m, nil
}

// appendHeader starts a request with header version 1 and a zero length prefix, which the caller fills in.
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

// errShortResponse is returned for a response that ends too early.
var errShortResponse = errors.New("response is truncated")

// responseReader reads the fields of a response. After the first read past the end, short is set and every field is zero.
type responseReader struct {
	rest  []byte
	short bool
	cut   bool // the response has lost its end: bytes returns what is left of its last field
}

func (c *responseReader) next(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.rest, c.short = nil, true
		return nil
	}
	head := c.rest[:n]
	c.rest = c.rest[n:]
	return head
}

func (c *responseReader) i16() int16 {
	if b := c.next(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *responseReader) i32() int32 {
	if b := c.next(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *responseReader) i64() int64 {
	if b := c.next(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// str reads a string or nullable string; the result points into the response.
func (c *responseReader) str() []byte { return c.next(max(0, int(c.i16()))) }

// bytes reads bytes or nullable bytes; the result points into the response.
func (c *responseReader) bytes() []byte {
	n := max(0, int(c.i32()))
	if c.cut {
		n = min(n, len(c.rest))
	}
	return c.next(n)
}

// count reads the length of an array, 0 for null. A length that exceeds the remaining bytes is a short response.
func (c *responseReader) count() int {
	n := int(c.i32())
	if n > len(c.rest) {
		c.rest, c.short = nil, true
		return 0
	}
	return max(0, n)
}
