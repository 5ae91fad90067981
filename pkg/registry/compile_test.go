package registry

import (
	"encoding/json"
	"testing"
)

// Whatever a registry answers as the schema, it is used, or a reason to refuse its records.
func FuzzCompile(f *testing.F) {
	f.Add(`{"type":"record","name":"A","fields":[{"name":"a","type":["null","A"]}]}`, "AVRO", []byte{0})
	f.Add(`syntax = "proto3"; message Refund { int64 refund_id = 1; }`, "PROTOBUF", []byte{0, 8, 1})
	f.Add(`{"type":"fixed","name":"a","size":-1}`, "", []byte{0})
	f.Add(`{"type":"array","items":{"type":"record","name":"a","fields":[]}}`, "", []byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
	f.Add(`syntax = "proto3"; message A { map<string, A> a = 1; }`, "PROTOBUF", []byte{0})
	f.Fuzz(func(t *testing.T, text, kind string, value []byte) {
		b, err := compile(registered{Text: text, Type: kind}, nil)
		if err != nil {
			return
		}
		s := schema{body: b}
		if value, err = s.read(value); err == nil && kind != "JSON" && !json.Valid(value) {
			t.Fatalf("no JSON: %q", value)
		}
	})
}
