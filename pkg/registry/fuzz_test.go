package registry_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/event"
)

// Whatever follows the framing, it is refused, or becomes one JSON value.
func FuzzOpen(f *testing.F) {
	s := schemaregistry.Start(
		schemaregistry.Schema{ID: 7, Text: avroPurchase, References: []schemaregistry.Reference{{Name: "shop.Refund", Subject: "refund", Version: 1}}},
		schemaregistry.Schema{Subject: "refund", Version: 1, ID: 6, Text: avroRefund},
		schemaregistry.Schema{ID: 8, Type: "PROTOBUF", Text: protoPurchase, References: []schemaregistry.Reference{{Name: "refund.proto", Subject: "refund-proto", Version: 2}}},
		schemaregistry.Schema{Subject: "refund-proto", Version: 2, ID: 5, Type: "PROTOBUF", Text: protoRefund},
		schemaregistry.Schema{ID: 9, Text: `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N",{"type":"map","values":"N"},"double"]}]}`},
		schemaregistry.Schema{ID: 10, Type: "PROTOBUF", Text: `syntax = "proto2"; package google.protobuf; message Timestamp { optional string a = 1; repeated Timestamp t = 2; extensions 3 to 9; }`},
	)
	f.Cleanup(s.Close)
	r, err := registry.New(registry.Config{URLs: []string{s.URL}, Timeout: 1e9})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(r.Close)
	p := purchase{customer: "c", order: "o", coupon: "x", total: 1, tax: 2, at: 3, updated: 4, refunds: []refund{{5, 6}}}
	f.Add(uint32(7), p.avro())
	f.Add(uint32(8), p.protobuf())
	f.Add(uint32(9), []byte{4, 2, 2, 'a', 0, 0})
	f.Add(uint32(10), []byte{0, 0x0a, 1, 'a', 0x12, 0})
	f.Fuzz(func(t *testing.T, id uint32, body []byte) {
		m := event.Message{Value: framed(id, body...)}
		_, err := r.Open(t.Context(), &m)
		refused := (*event.Refused)(nil)
		switch {
		case err == nil && !json.Valid(m.Value):
			t.Fatalf("no JSON: %q", m.Value)
		case err != nil && !errors.As(err, &refused) && !errors.Is(err, registry.ErrUnreachable):
			t.Fatal(err)
		}
	})
}
