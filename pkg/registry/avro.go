package registry

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/twmb/avro"
)

// avroBody reads Avro's binary encoding, one record at a time.
type avroBody struct {
	schema *avro.Schema
	mu     sync.Mutex
	values int // that the record may have yet
}

func (*avroBody) encoding() string { return "AVRO" }

func compileAvro(text string, references []reference) (body, error) {
	b := &avroBody{}
	opts := slices.Clone(logicalTypes)
	for _, kind := range []string{"record", "array", "map"} {
		opts = append(opts, avro.CustomType{AvroType: kind, Decode: b.count})
	}
	var types avro.SchemaCache
	for _, ref := range references {
		if _, err := types.Parse(ref.text, opts...); err != nil {
			return nil, fmt.Errorf("its reference %s: %w", ref.name, err)
		}
	}
	var err error
	b.schema, err = types.Parse(text, opts...)
	return b, err //nolint:wrapcheck // says what is wrong with the schema
}

// maxValues bounds the memory that a record takes while it is read: a byte, or none, is enough for a value that takes hundreds.
const maxValues = 1 << 18

// count counts a record, array or map, which stays as it is, and what is in it.
func (b *avroBody) count(v any, _ *avro.SchemaNode) (any, error) {
	b.values--
	switch v := v.(type) {
	case []any:
		b.values -= len(v)
	case map[string]any:
		b.values -= len(v)
	}
	//mutant:values-without-bound replace if false { return nil, errLarge }
	if b.values < 0 {
		return nil, errLarge
	}
	return nil, avro.ErrSkipCustomType
}

var errTrailing = errors.New("bytes follow the value: it was written with another schema")

func (b *avroBody) json(framed []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values = maxValues
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
