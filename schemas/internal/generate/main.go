// Command generate writes the JSON Schemas of this folder: go generate ./schemas. It keeps its own table of fields, apart
// from the decoder's, so that the property test that holds the two against each other compares two statements.
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

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		b.Write(name)
		b.WriteByte(':')
		var value bytes.Buffer
		e := json.NewEncoder(&value)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		b.Write(value.Bytes())
	}
	b.WriteByte('}')
	return b.Bytes(), nil
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
	files := append(inputs(), outputs()...)
	for _, f := range files {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(f.schema); err != nil {
			fmt.Fprintf(os.Stderr, "encode %s: %v\n", f.name, err)
			os.Exit(1)
		}
		path := filepath.Join(into, f.name+".schema.json")
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			fmt.Fprintf(os.Stderr, "write the schema: %v\n", err)
			os.Exit(1)
		}
	}
}

type file struct {
	name   string
	schema object
}
