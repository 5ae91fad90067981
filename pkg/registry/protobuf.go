package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// protobufBody reads Protobuf: a list that says which message of the file it is, and the message.
type protobufBody struct{ file protoreflect.FileDescriptor }

func (protobufBody) encoding() string { return "PROTOBUF" }

// rootFile is a name that no reference has.
const rootFile = "the schema"

func compileProtobuf(text string, references []reference) (body, error) {
	files := maps.Clone(builtIn)
	for _, ref := range references {
		files[ref.name] = ref.text
	}
	files[rootFile] = text
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}),
		MaxParallelism: 1,
	}
	compiled, err := compiler.Compile(context.Background(), rootFile)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what is wrong with the schema
	}
	return protobufBody{compiled[0]}, nil
}

// builtIn are the files that Confluent's serializers know of, and register no schema for.
var builtIn = map[string]string{ //nolint:gochecknoglobals // a constant
	"confluent/meta.proto": `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
		message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
		extend google.protobuf.FileOptions { Meta file_meta = 1088; }
		extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
		extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
		extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
		extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
	"confluent/type/decimal.proto": `syntax = "proto3"; package confluent.type;
		message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
}

var errIndexes = errors.New("the list that says which message it is cannot be read")

func (b protobufBody) json(framed []byte) ([]byte, error) {
	indexes, encoded, err := messageIndexes(framed)
	if err != nil {
		return nil, err
	}
	var message protoreflect.MessageDescriptor
	in := b.file.Messages()
	for _, i := range indexes {
		if i >= in.Len() {
			return nil, fmt.Errorf("%w: the schema has no message %v", errIndexes, indexes)
		}
		message = in.Get(i)
		in = message.Messages()
	}
	values := maxValues
	//mutant:protobuf-without-bound if false
	if countValues(message, encoded, &values, maxDepth); values < 0 {
		return nil, errLarge
	}
	m := dynamicpb.NewMessage(message)
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(encoded, m); err != nil {
		return nil, err //nolint:wrapcheck // Open says by which schema
	}
	w := protobufWriter{}
	w.message(m)
	return w.out, w.err
}

// countValues subtracts from left the values that a message has, before any of them takes memory: two bytes are enough for a message that takes
// hundreds. What is malformed is left to the reader.
func countValues(message protoreflect.MessageDescriptor, encoded []byte, left *int, depth int) {
	for len(encoded) > 0 && *left >= 0 && depth > 0 {
		number, wire, used := protowire.ConsumeTag(encoded)
		if used < 0 {
			return
		}
		size := protowire.ConsumeFieldValue(number, wire, encoded[used:])
		if size < 0 {
			return
		}
		value := encoded[used : used+size]
		encoded = encoded[used+size:]
		*left--
		field := message.Fields().ByNumber(number)
		switch {
		case field == nil:
		case wire == protowire.BytesType && field.Message() != nil:
			within, _ := protowire.ConsumeBytes(value)
			countValues(field.Message(), within, left, depth-1)
		case wire == protowire.StartGroupType && field.Message() != nil:
			within, _ := protowire.ConsumeGroup(number, value)
			countValues(field.Message(), within, left, depth-1)
		case wire == protowire.BytesType && field.IsList() && field.Kind() != protoreflect.StringKind && field.Kind() != protoreflect.BytesKind:
			packed, _ := protowire.ConsumeBytes(value)
			*left -= packedValues(field.Kind(), packed)
		}
	}
}

// packedValues is the number of numbers in a packed list.
func packedValues(kind protoreflect.Kind, packed []byte) (n int) {
	switch kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return len(packed) / 4
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return len(packed) / 8
	default: // varints, whose last byte has no high bit
		for _, b := range packed {
			if b < 1<<7 {
				n++
			}
		}
		return n
	}
}

// messageIndexes reads which message it is: the index among the file's messages, then among those within that one, and so on. Before
// them stands their number, all of them zigzag varints; a 0 alone means the first message of the file.
func messageIndexes(b []byte) (indexes []int, rest []byte, err error) {
	n, used := binary.Varint(b)
	if used <= 0 || n < 0 || n > maxDepth {
		return nil, nil, errIndexes
	}
	b = b[used:]
	if n == 0 {
		return []int{0}, b, nil
	}
	for range n {
		i, used := binary.Varint(b)
		if used <= 0 || i < 0 || i > 1<<20 {
			return nil, nil, errIndexes
		}
		indexes, b = append(indexes, int(i)), b[used:]
	}
	return indexes, b, nil
}

// protobufWriter writes messages as JSON, with the fields' names as in the schema. It differs from Protobuf's own JSON in what that is lossy or
// awkward in for events: whole numbers of 64 bits are numbers, and a number or truth value without presence is written also if it is 0 or
// false: a score or a total of 0 is one.
type protobufWriter struct{ jsonWriter }

func (w *protobufWriter) message(m protoreflect.Message) {
	if known := wellKnown[m.Descriptor().FullName()]; known != nil {
		known(w, m)
		return
	}
	if len(w.out) > maxJSON || w.depth > maxDepth {
		w.err = errLarge
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	var fields []protoreflect.FieldDescriptor
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); m.Has(f) || hasZero(f) {
			fields = append(fields, f)
		}
	}
	w.list(len(fields), func(i int) {
		w.text(fields[i].TextName())
		w.out = append(w.out, ':')
		w.field(fields[i], m.Get(fields[i]))
	}, '{', '}')
}

// hasZero reports whether a field is a number or a truth value that is 0 or false where it is not set.
func hasZero(f protoreflect.FieldDescriptor) bool {
	if f.HasPresence() || f.IsList() || f.IsMap() {
		return false
	}
	switch f.Kind() {
	case protoreflect.EnumKind, protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	default:
		return true
	}
}

func (w *protobufWriter) field(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case f.IsList():
		list := v.List()
		w.list(list.Len(), func(i int) { w.single(f, list.Get(i)) }, '[', ']')
	case f.IsMap():
		var keys []protoreflect.MapKey
		v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
			keys = append(keys, k)
			return true
		})
		slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
		w.list(len(keys), func(i int) {
			w.text(keys[i].String())
			w.out = append(w.out, ':')
			w.single(f.MapValue(), v.Map().Get(keys[i]))
		}, '{', '}')
	default:
		w.single(f, v)
	}
}

func (w *protobufWriter) single(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		w.message(v.Message())
	case protoreflect.EnumKind:
		if name := f.Enum().Values().ByNumber(v.Enum()); name != nil {
			w.text(string(name.Name()))
			return
		}
		w.value(int32(v.Enum()))
	default:
		w.value(v.Interface())
	}
}

// wellKnown are messages that stand for a value of another form. Those of google.protobuf that are not here have Protobuf's own JSON.
var wellKnown map[protoreflect.FullName]func(*protobufWriter, protoreflect.Message) //nolint:gochecknoglobals // a constant

func init() { //nolint:gochecknoinits // its functions refer to the table
	wellKnown = map[protoreflect.FullName]func(*protobufWriter, protoreflect.Message){
		"google.protobuf.Timestamp": func(w *protobufWriter, m protoreflect.Message) {
			w.text(time.Unix(get(m, "seconds").Int(), get(m, "nanos").Int()).UTC().Format(utcForm))
		},
		"confluent.type.Decimal": func(w *protobufWriter, m protoreflect.Message) {
			n, err := decimal(get(m, "value").Bytes(), int(get(m, "scale").Int()))
			if w.err = err; err == nil {
				w.value(n)
			}
		},
		"google.type.Date": func(w *protobufWriter, m protoreflect.Message) {
			w.text(fmt.Sprintf("%04d-%02d-%02d", get(m, "year").Int(), get(m, "month").Int(), get(m, "day").Int()))
		},
		"google.protobuf.Duration": ownJSON, "google.protobuf.FieldMask": ownJSON, "google.protobuf.Any": ownJSON,
		"google.protobuf.Struct": ownJSON, "google.protobuf.Value": ownJSON, "google.protobuf.ListValue": ownJSON,
	}
	for _, kind := range []string{"Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"} {
		wellKnown[protoreflect.FullName("google.protobuf."+kind+"Value")] = func(w *protobufWriter, m protoreflect.Message) {
			f := m.Descriptor().Fields().ByName("value")
			w.field(f, m.Get(f))
		}
	}
}

func get(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

func ownJSON(w *protobufWriter, m protoreflect.Message) {
	text, err := protojson.Marshal(m.Interface())
	if w.err = err; err == nil {
		w.out = append(w.out, text...)
	}
}
