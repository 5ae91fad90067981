package registry

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/mainstay/mainstay/schemas/event"
)

// Framing is what stood around the event of a record.
type Framing struct {
	Schema   string // its id, or its GUID
	Encoding string // AVRO, PROTOBUF or JSON; "": the record has no framing
}

// String is empty where there was no framing.
func (f Framing) String() string {
	if f.Encoding == "" {
		return ""
	}
	return "a schema registry's framing (" + f.Encoding + ", schema " + f.Schema + ")"
}

// Headers by which serializers name the schema, instead of by the first bytes of the value.
const (
	headerGUID      = "__value_schema_id"        // Confluent: a byte 1 and a GUID
	headerContentID = "apicurio.value.contentId" // 8 bytes
	headerGlobalID  = "apicurio.value.globalId"  // likewise; Apicurio's ids are those of ccompat with the legacy mode of ids
	magic           = 0
	magicGUID       = 1
	guidBytes       = 16
)

// framed is a record whose framing is recognised.
type framed struct {
	id   string
	path string // of the schema at the registry
	body []byte // after the framing; in Protobuf's, a header holds the message's indexes, too
}

// Open replaces the value of a framed record by the JSON of its event; other records stay as they are. The error is an *event.Refused, or
// wraps ErrUnreachable or ErrDenied: then the record can be read once the registry answers.
func (r *Registry) Open(ctx context.Context, m *event.Message) (Framing, error) {
	if r == nil || m.Null {
		return Framing{}, nil
	}
	f, ok, refused := r.recognise(m)
	if !ok || refused != nil {
		return Framing{}, asError(refused)
	}
	s, err := r.lookUp(ctx, f)
	if err != nil {
		//mutant:registry-error-is-dead-letter replace return Framing{}, &event.Refused{Reason: event.Schema, Detail: err.Error()}
		return Framing{}, err
	}
	if s.why != nil {
		return Framing{Schema: f.id}, s.why
	}
	value, err := s.read(f.body)
	if err != nil {
		return Framing{}, &event.Refused{Reason: event.Schema, Detail: fmt.Sprintf("cannot be read by schema %s (%s): %s", f.id, s.body.encoding(), oneLine(err))}
	}
	m.Value = value
	return Framing{f.id, s.body.encoding()}, nil
}

// read reads the body of a record. A body comes from outside, too: a fault of its reader is a reason to refuse it.
func (s *schema) read(body []byte) (value []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("its reader fails: %v", fault) //nolint:err113 // of a library
		}
	}()
	return s.body.json(body)
}

// asError avoids an error that is not nil and holds nil.
func asError(refused *event.Refused) error {
	if refused == nil {
		return nil
	}
	return refused
}

// recognise reads the framing of a record: a header with the schema's id, or a zero byte and the id before the value.
func (r *Registry) recognise(m *event.Message) (f framed, ok bool, refused *event.Refused) {
	if f, ok = recogniseHeader(m); ok {
		return f, true, nil
	}
	v := m.Value
	if len(v) == 0 || v[0] != magic {
		return framed{}, false, nil
	}
	size := 4
	if r.cfg.LongIDs {
		size = 8
	}
	if len(v) < 1+size {
		return framed{}, false, &event.Refused{Reason: event.Malformed, Detail: fmt.Sprintf("a zero byte begins a schema registry's framing, but an id of %d bytes does not follow (registry.long_ids)", size)}
	}
	id := uint64(0)
	for _, b := range v[1 : 1+size] {
		id = id<<8 | uint64(b)
	}
	return byID(id, v[1+size:]), true, nil
}

func recogniseHeader(m *event.Message) (framed, bool) {
	if m.Header == nil {
		return framed{}, false
	}
	if v, ok := m.Header(headerGUID); ok && len(v) >= 1+guidBytes && v[0] == magicGUID {
		g := v[1 : 1+guidBytes]
		guid := fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
		return framed{guid, "/schemas/guids/" + guid, slices.Concat(v[1+guidBytes:], m.Value)}, true
	}
	for _, name := range [...]string{headerContentID, headerGlobalID} {
		if v, ok := m.Header(name); ok && len(v) == 8 {
			return byID(binary.BigEndian.Uint64(v), m.Value), true
		}
	}
	return framed{}, false
}

func byID(id uint64, body []byte) framed {
	text := strconv.FormatUint(id, 10)
	return framed{text, "/schemas/ids/" + text, body}
}
