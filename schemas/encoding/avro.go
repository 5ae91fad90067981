package encoding

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// amountDigits is the precision of amounts: minor units have 64 bits.
const amountDigits = 19

// avroSchema is the schema in Avro. A column that may be null is a union whose first type and default are null, so that a column can be added
// and a reader that knows it reads the records before it.
//
// It has no descriptions: with each correction of one the schema would be another, with another id.
func (t *table) avroSchema() string {
	types := map[kind]string{
		text: `"string"`, nested: `"string"`, whole: `"long"`, double: `"double"`, boolean: `"boolean"`, moment: `{"type":"long","logicalType":"timestamp-millis"}`,
		amount: `{"type":"bytes","logicalType":"decimal","precision":` + strconv.Itoa(amountDigits) + `,"scale":` + strconv.Itoa(t.base.Decimals) + `}`,
	}
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		form := `{"name":"%s","type":["null",%s],"default":null}`
		if c.required {
			form = `{"name":"%s","type":%s}`
		}
		columns[i] = fmt.Sprintf(form, c.name, types[c.kind])
	}
	return `{"type":"record","name":"` + t.name + `","namespace":"` + recordNamespace + `","fields":[` + strings.Join(columns, ",") + `]}`
}

// appendAvro appends a row in Avro's binary encoding.
func (x *Encoder) appendAvro(dst []byte, r *row) ([]byte, error) {
	const isNull, isNot = 0, 2 // the indexes in the union, as zigzag varints
	err := x.table.each(r, func(*column) { dst = append(dst, isNull) }, func(c *column, value []byte) (err error) {
		if !c.required {
			dst = append(dst, isNot)
		}
		dst, err = x.table.appendAvroValue(dst, c.kind, value)
		return err
	})
	return dst, err
}

func (t *table) appendAvroValue(dst []byte, k kind, value []byte) ([]byte, error) {
	switch k {
	case text:
		s, err := textOf(value)
		return append(binary.AppendVarint(dst, int64(len(s))), s...), err
	case nested:
		return append(binary.AppendVarint(dst, int64(len(value))), value...), nil
	case whole:
		n, err := strconv.ParseInt(string(value), 10, 64)
		return binary.AppendVarint(dst, n), err
	case double:
		f, err := strconv.ParseFloat(string(value), 64)
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), err
	case amount:
		minor, err := minorOf(value, t.base)
		return appendDecimal(dst, minor), err
	case boolean:
		return append(dst, map[bool]byte{true: 1}[value[0] == 't']), nil
	case moment:
		ms, err := millisecondsOf(value)
		return binary.AppendVarint(dst, ms), err
	}
	return dst, errOutput
}

// appendDecimal appends the length and the least bytes of a number in two's complement, the highest byte first.
func appendDecimal(dst []byte, n int64) []byte {
	size := 1
	for m := n; m < -1<<7 || m >= 1<<7; m >>= 8 {
		size++
	}
	dst = binary.AppendVarint(dst, int64(size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i))) //nolint:gosec // the lowest byte of what is left
	}
	return dst
}
