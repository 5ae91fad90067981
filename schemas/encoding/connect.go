package encoding

import (
	"fmt"
	"strconv"
	"strings"
)

// connectStart begins each record of Kafka Connect's JSON, and no other output.
const connectStart = `{"schema":{"type":"struct",`

// connectSchema is the schema of Kafka Connect, as its JsonConverter with schemas.enable writes it into each record.
func (t *table) connectSchema() string {
	types := map[kind]string{
		text: `"string"`, nested: `"string"`, whole: `"int64"`, double: `"double"`, boolean: `"boolean"`,
		moment: `"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1`,
		amount: `"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"` + strconv.Itoa(t.base.Decimals) + `","connect.decimal.precision":"` + strconv.Itoa(amountDigits) + `"}`,
	}
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = fmt.Sprintf(`{"field":"%s","optional":%t,"type":%s}`, c.name, !c.required, types[c.kind])
	}
	return connectStart + `"optional":false,"name":"` + recordNamespace + "." + t.name + `","fields":[` + strings.Join(columns, ",") + `]},"payload":`
}

// appendConnect appends the schema and a row. An amount is a number, as with decimal.format=numeric: converters from Kafka 2.4 on read that and
// the base64 of older ones alike, and only this form can be read by a person.
func (x *Encoder) appendConnect(dst []byte, r *row) ([]byte, error) {
	dst = append(dst, x.schema...)
	open := byte('{')
	name := func(c *column) {
		dst = append(dst, open, '"')
		dst = append(dst, c.name...)
		dst = append(dst, `":`...)
		open = ','
	}
	null := func(c *column) {
		name(c)
		dst = append(dst, "null"...)
	}
	err := x.table.each(r, null, func(c *column, value []byte) error {
		name(c)
		switch c.kind {
		case moment:
			ms, err := millisecondsOf(value)
			dst = strconv.AppendInt(dst, ms, 10)
			return err
		case nested:
			dst = appendQuoted(dst, value)
		case amount:
			if _, err := minorOf(value, x.table.base); err != nil {
				return err
			}
			dst = append(dst, value...)
		case text, whole, double, boolean:
			dst = append(dst, value...)
		}
		return nil
	})
	return append(dst, "}}"...), err
}

// appendQuoted appends JSON as a string of JSON. What a step writes has no control characters: it escapes them.
func appendQuoted(dst, value []byte) []byte {
	dst = append(dst, '"')
	for _, c := range value {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
