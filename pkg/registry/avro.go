package registry

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/twmb/avro"
)

// avroBody reads Avro's binary encoding.
type avroBody struct{ schema *avro.Schema }

func (avroBody) encoding() string { return "AVRO" }

func compileAvro(text string, references []reference) (body, error) {
	var types avro.SchemaCache
	for _, ref := range references {
		if _, err := types.Parse(ref.text, logicalTypes...); err != nil {
			return nil, fmt.Errorf("its reference %s: %w", ref.name, err)
		}
	}
	s, err := types.Parse(text, logicalTypes...)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what is wrong with the schema
	}
	if hasEmptyItems(s.Root().ExpandReferences()) {
		return nil, errEmptyItems
	}
	return avroBody{s}, nil
}

var (
	errEmptyItems = errors.New("an array has items that take no bytes, so that a short record has any number of them")
	errTrailing   = errors.New("bytes follow the value: it was written with another schema")
)

func (b avroBody) json(framed []byte) ([]byte, error) {
	var v any
	rest, err := b.schema.Decode(framed, &v)
	if err != nil {
		return nil, err //nolint:wrapcheck // Open says by which schema
	}
	if len(rest) > 0 {
		return nil, errTrailing
	}
	w := jsonWriter{}
	w.value(v)
	return w.out, w.err
}

// logicalTypes are the types whose JSON is another than that of what they are made of. The text of a time is as exact as the time, a
// time without a zone states none, and a decimal is exact.
var logicalTypes = []avro.SchemaOpt{ //nolint:gochecknoglobals // a constant
	timeType("timestamp-millis", utcForm, time.UnixMilli),
	timeType("timestamp-micros", utcForm, time.UnixMicro),
	timeType("timestamp-nanos", utcForm, unixNano),
	timeType("local-timestamp-millis", localForm, time.UnixMilli),
	timeType("local-timestamp-micros", localForm, time.UnixMicro),
	timeType("local-timestamp-nanos", localForm, unixNano),
	avro.CustomType{LogicalType: "date", Decode: func(v any, _ *avro.SchemaNode) (any, error) {
		days, ok := v.(int32)
		if !ok {
			return nil, avro.ErrSkipCustomType
		}
		return time.Unix(int64(days)*86400, 0).UTC().Format(time.DateOnly), nil
	}},
	avro.CustomType{LogicalType: "decimal", Decode: func(v any, s *avro.SchemaNode) (any, error) {
		unscaled, ok := v.([]byte)
		if !ok {
			return nil, avro.ErrSkipCustomType
		}
		return decimal(unscaled, s.Scale)
	}},
	avro.CustomType{LogicalType: "uuid", AvroType: "fixed", Decode: func(v any, _ *avro.SchemaNode) (any, error) {
		u, ok := v.([]byte)
		if !ok || len(u) != 16 {
			return nil, avro.ErrSkipCustomType
		}
		return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
	}},
}

const (
	utcForm   = "2006-01-02T15:04:05.999999999Z07:00"
	localForm = "2006-01-02T15:04:05.999999999"
)

func unixNano(n int64) time.Time { return time.Unix(0, n) }

func timeType(name, form string, at func(int64) time.Time) avro.CustomType {
	return avro.CustomType{LogicalType: name, Decode: func(v any, _ *avro.SchemaNode) (any, error) {
		n, ok := v.(int64)
		if !ok {
			return nil, avro.ErrSkipCustomType
		}
		return at(n).UTC().Format(form), nil
	}}
}

// Bounds of a decimal. Those of databases have 38 digits, or 76.
const (
	maxDecimalBytes = 128
	maxScale        = 100
)

var errDecimal = fmt.Errorf("a decimal has more than %d bytes, or a scale above %d", maxDecimalBytes, maxScale)

// decimal is the exact text of a number: unscaled, big-endian and in two's complement, divided by 10 to the power of the scale.
func decimal(unscaled []byte, scale int) (number, error) {
	if len(unscaled) > maxDecimalBytes || scale < -maxScale || scale > maxScale {
		return "", errDecimal
	}
	n := new(big.Int).SetBytes(unscaled)
	if len(unscaled) > 0 && unscaled[0] >= 1<<7 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(unscaled))*8))
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil)
	if scale < 0 {
		return number(n.Mul(n, power).String()), nil
	}
	//mutant:decimal-by-float replace f, _ := new(big.Rat).SetFrac(n, power).Float64(); return number(big.NewFloat(f).Text('f', scale)), nil
	return number(new(big.Rat).SetFrac(n, power).FloatString(scale)), nil
}

// hasEmptyItems reports whether an array within the schema has items that take no bytes.
func hasEmptyItems(root *avro.SchemaNode) bool {
	named := map[string][]*avro.SchemaNode{}
	var items []*avro.SchemaNode
	var walk func(s *avro.SchemaNode)
	walk = func(s *avro.SchemaNode) {
		if s.Name != "" {
			named[s.Name] = append(named[s.Name], s)
		}
		if s.Type == "array" {
			items = append(items, s.Items)
		}
		for _, one := range inner(s) {
			walk(one)
		}
	}
	walk(root)
	return slices.ContainsFunc(items, func(s *avro.SchemaNode) bool { return isEmpty(s, named, nil) })
}

// isEmpty reports whether a value of the schema takes no bytes, as far as can be known: named are the definitions of named types, without their
// namespaces, and within are the types that the schema is a part of.
func isEmpty(s *avro.SchemaNode, named map[string][]*avro.SchemaNode, within []string) bool {
	switch s.Type {
	case "boolean", "int", "long", "float", "double", "bytes", "string", "enum", "array", "map", "union":
		return false
	case "null":
		return true
	case "fixed":
		return s.Size == 0
	case "record", "error":
		return !slices.ContainsFunc(s.Fields, func(f avro.SchemaField) bool { return !isEmpty(&f.Type, named, within) })
	}
	name := s.Type[strings.LastIndexByte(s.Type, '.')+1:]
	if len(named[name]) == 0 || slices.Contains(within, name) {
		return true
	}
	return slices.ContainsFunc(named[name], func(of *avro.SchemaNode) bool { return isEmpty(of, named, append(within, name)) })
}

// inner are the schemas within a schema. A reference to a named type has none: the type was looked at where it is defined.
func inner(s *avro.SchemaNode) (all []*avro.SchemaNode) {
	for i := range s.Fields {
		all = append(all, &s.Fields[i].Type)
	}
	for i := range s.Branches {
		all = append(all, &s.Branches[i])
	}
	for _, one := range []*avro.SchemaNode{s.Items, s.Values} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}
