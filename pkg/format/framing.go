package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/schemas/event"
)

// What stands around the JSON of an event, one inside the other at most this often: a byte order mark, a registry's header, Connect's
// schema, Debezium's change of a row.
const maxFrames = 4

// frame is one thing that stands around an event.
type frame uint8

const (
	markFrame frame = iota
	registryFrame
	connectFrame
	debeziumFrame
)

// framed is a record without what stands around its event.
type framed struct {
	value  []byte
	null   bool   // there is nothing inside
	skip   string // "", or why it is skipped
	frames [maxFrames]frame
	count  int
	schema uint64         // the id in the registry's header
	broken *event.Refused // nil, or why nothing can be inside
}

// unframe takes off what stands around an event. A record that has nothing around it costs the look at its first bytes: whether it is an
// envelope is recognised by its first member, since that is how Connect and Debezium write. A thorough look also finds envelopes whose
// members are in another order; Decode takes it where a record was refused.
func unframe(value []byte, thorough bool) framed {
	f := framed{value: value}
	for f.count < maxFrames && !f.null && f.skip == "" {
		switch v := f.value; {
		case len(v) >= len(byteOrderMark) && string(v[:len(byteOrderMark)]) == byteOrderMark:
			f.takeOff(markFrame, v[len(byteOrderMark):])
		case len(v) > 0 && v[0] == 0:
			header, schema := registryHeader(v)
			if header == 0 {
				f.broken = &event.Refused{Reason: event.Malformed, Detail: registryRefusal(v)}
				return f
			}
			f.schema = schema
			f.takeOff(registryFrame, v[header:])
		case !thorough && !opensEnvelope(v) || !f.open():
			return f
		}
	}
	return f
}

func (f *framed) takeOff(what frame, inside []byte) {
	f.frames[f.count], f.value = what, inside
	f.count++
}

// String says what was taken off.
func (f *framed) String() string {
	var all []string
	for _, what := range f.frames[:f.count] {
		all = append(all, [...]string{
			markFrame: "a byte order mark", registryFrame: "a schema registry's header (schema " + strconv.FormatUint(f.schema, 10) + ")",
			connectFrame: "Kafka Connect's schema and payload", debeziumFrame: "Debezium's change of a row",
		}[what])
	}
	return strings.Join(all, ", ")
}

const byteOrderMark = "\xef\xbb\xbf"

// registryHeader returns the length of the header that serializers with a schema registry write before JSON, and the schema's id:
// a zero byte, and an id of 4 bytes (Confluent; Apicurio from 3 on) or 8 bytes (Apicurio before). 0: no JSON follows.
func registryHeader(v []byte) (header int, id uint64) {
	const short, long = 1 + 4, 1 + 8
	switch {
	case len(v) > short && startsEvents(v[short:]):
		return short, uint64(binary.BigEndian.Uint32(v[1:]))
	case len(v) > long && startsEvents(v[long:]):
		return long, binary.BigEndian.Uint64(v[1:])
	}
	return 0, 0
}

func registryRefusal(v []byte) string {
	if len(v) < 5 {
		return "a zero byte: one JSON object is wanted"
	}
	return fmt.Sprintf("begins with a schema registry's header (schema %d), and no JSON follows it: set registry.urls, so that Avro and Protobuf can be read by their schemas",
		binary.BigEndian.Uint32(v[1:]))
}

// startsEvents reports whether an object begins, or an array of objects.
func startsEvents(v []byte) bool {
	v = bytes.TrimLeft(v, " \t\r\n")
	//mutant:no-array-behind-a-header replace return len(v) > 0 && v[0] == '{'
	return len(v) > 0 && (v[0] == '{' || v[0] == '[')
}

// opensEnvelope reports whether the first member of an object is one with which Connect or Debezium begin.
func opensEnvelope(v []byte) bool {
	i := skipSpace(v, 0)
	if i >= len(v) || v[i] != '{' {
		return false
	}
	if i = skipSpace(v, i+1); i >= len(v) || v[i] != '"' {
		return false
	}
	v = v[i+1:]
	if len(v) == 0 || bytes.IndexByte([]byte("sbpao"), v[0]) < 0 {
		return false // nearly all records
	}
	for _, first := range [...]string{`schema"`, `before"`, `payload"`, `after"`, `op"`} {
		if len(v) >= len(first) && string(v[:len(first)]) == first {
			return true
		}
	}
	return false
}

func skipSpace(v []byte, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\n' || v[i] == '\t' || v[i] == '\r') {
		i++
	}
	return i
}

// open opens an envelope: the object {schema, payload} that Connect's JsonConverter writes with schemas.enable, or Debezium's change of a row
// (https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events). It reports whether there was one.
//
// A deleted row is skipped. To cancel its order was rejected: rows are deleted when they are archived, too, and a cancelled order says
// so in its status before.
func (f *framed) open() bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(f.value, &members) != nil {
		return false
	}
	schema, after := members["schema"], members["after"]
	if payload := members["payload"]; len(members) == 2 && schema != nil && payload != nil {
		f.takeOff(connectFrame, payload)
		f.null = isNull(payload)
		return true
	}
	var op string
	if members["before"] == nil && after == nil || json.Unmarshal(members["op"], &op) != nil {
		return false
	}
	f.takeOff(debeziumFrame, after)
	switch op {
	case "c", "r", "u": // created, read by a snapshot, updated
		f.null = after == nil || isNull(after)
	case "d":
		f.skip = event.SkipDeleted
	default: // a truncated table, a message
		f.skip = event.SkipOther
	}
	return true
}

func isNull(v json.RawMessage) bool { return string(v) == "null" }
