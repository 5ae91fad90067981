// Command generate writes the JSON Schemas and asyncapi.yaml: go generate ./schemas. The schemas of inputs are made from the
// decoder's own table of fields. The tests in schemas/event compare the decoder, and these schemas, with a reference decoder that
// does not read the table (reference_test.go).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const base = "https://github.com/mainstay/mainstay/schemas/"

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

type list = []any

func ref(name string) object { return object{{"$ref", "#/$defs/" + name}} }

func all(rules ...any) object { return object{{"allOf", rules}} }

func when(condition, then, otherwise any) object {
	return object{{"if", condition}, {"then", then}, {"else", otherwise}}
}

func main() {
	into := "."
	if len(os.Args) > 1 {
		into = os.Args[1]
	}
	if err := generate(into); err != nil {
		fmt.Fprintf(os.Stderr, "generate: %v\n", err)
		os.Exit(1)
	}
}

func generate(into string) error {
	for _, f := range append(inputs(), outputs()...) {
		path := filepath.Join(into, f.name+".schema.json")
		if err := os.WriteFile(path, append(write(nil, f.schema, ""), '\n'), 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write the schema: %w", err)
		}
	}
	page, err := asyncAPI()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(into, "asyncapi.yaml"), page, 0o644); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("write asyncapi.yaml: %w", err)
	}
	return nil
}

type file struct {
	name   string
	schema object
}

const width = 140 // of a line, in bytes

// write appends a value: on one line where it fits, otherwise its members on lines of their own.
func write(dst []byte, v any, indent string) []byte {
	start := len(dst)
	if dst = line(dst, v); len(dst)-start+len(indent) <= width {
		return dst
	}
	inner := indent + "  "
	switch v := v.(type) {
	case object:
		dst = append(dst[:start], '{')
		for i, m := range v {
			dst = append(dst, between(i, ",")+"\n"+inner+quoted(m.name)+": "...)
			dst = write(dst, m.value, inner)
		}
		dst = append(dst, "\n"+indent+"}"...)
	case list:
		dst = append(dst[:start], '[')
		for i, e := range v {
			dst = append(dst, between(i, ",")+"\n"+inner...)
			dst = write(dst, e, inner)
		}
		dst = append(dst, "\n"+indent+"]"...)
	}
	return dst
}

// line appends a value on one line.
func line(dst []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		dst = append(dst, '{')
		for i, m := range v {
			dst = append(dst, between(i, ", ")+quoted(m.name)+": "...)
			dst = line(dst, m.value)
		}
		return append(dst, '}')
	case list:
		dst = append(dst, '[')
		for i, e := range v {
			dst = line(append(dst, between(i, ", ")...), e)
		}
		return append(dst, ']')
	default:
		return append(dst, quoted(v)...)
	}
}

func between(i int, separator string) string {
	if i == 0 {
		return ""
	}
	return separator
}

// quoted is a scalar in JSON.
func quoted(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // of a constant of this program
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
