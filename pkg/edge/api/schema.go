package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas"
)

// schema is a JSON Schema (draft 2020-12), in which OpenAPI 3.1 describes what is answered.
type schema map[string]any

const components = "#/components/schemas/"

// definitions collects the named schemas that others refer to.
type definitions map[string]schema

// of returns the schema of the JSON of a type: what encoding/json writes, all fields present.
func (d definitions) of(t reflect.Type) schema {
	switch t {
	case reflect.TypeFor[json.Number]():
		return schema{"type": "number"}
	case reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case reflect.TypeFor[row]():
		return d.named("listed-customer", d.ofColumns)
	}
	switch t.Kind() {
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Pointer:
		return nullable(d.of(t.Elem()))
	case reflect.Slice:
		return schema{"type": "array", "items": d.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.Struct:
		return d.ofStruct(t)
	default:
		panic(fmt.Sprintf("api: no schema of %s", t)) // the tests walk all answers
	}
}

func nullable(s schema) schema { return schema{"anyOf": []schema{s, {"type": "null"}}} }

func (d definitions) ofStruct(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	d.addFields(t, properties, &required)
	return schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func (d definitions) addFields(t reflect.Type, properties schema, required *[]string) {
	for f := range t.Fields() {
		if f.Anonymous {
			d.addFields(f.Type, properties, required)
			continue
		}
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && !tagged || name == "-" {
			continue
		}
		s := d.ofField(f)
		if about := f.Tag.Get("about"); about != "" {
			s["description"] = about
		}
		properties[name] = s
		if options != "omitempty" {
			*required = append(*required, name)
		}
	}
}

func (d definitions) ofField(f reflect.StructField) schema {
	written := f.Tag.Get("schema")
	if written == "" {
		return d.of(f.Type)
	}
	s := d.named(written, func() schema { return outputSchema(written) })
	if f.Type.Kind() == reflect.Slice && f.Type != reflect.TypeFor[json.RawMessage]() {
		s = schema{"type": "array", "items": s}
	}
	if f.Tag.Get("nullable") != "" {
		s = nullable(s)
	}
	return s
}

// named returns a reference to a schema, which is made when it is first referred to.
func (d definitions) named(name string, describe func() schema) schema {
	if d[name] == nil {
		d[name] = schema{} // for those who refer to it meanwhile
		d[name] = describe()
	}
	return schema{"$ref": components + name}
}

// outputSchema returns the schema of an output, without what is only true of a document of its own.
func outputSchema(name string) schema {
	text, err := schemas.JSON(name)
	var s schema
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil { // it is embedded
		panic(err)
	}
	delete(s, "$schema")
	delete(s, "$id")
	return s
}

// ofColumns is the schema of a row. A column that is a field of an output is described there.
func (d definitions) ofColumns() schema {
	abouts := map[string]any{}
	for _, name := range []string{"clv", "churn-risk", "promoter-status", "alert"} {
		properties, _ := outputSchema(name)["properties"].(map[string]any)
		for field, p := range properties {
			if about, _ := p.(map[string]any); abouts[field] == nil && about != nil {
				abouts[field] = about["description"]
			}
		}
	}
	properties, required := schema{}, []string{}
	for _, c := range lookup.Columns(nil) {
		var s schema
		switch c.Kind() {
		case lookup.Number, lookup.Amount:
			s = nullable(schema{"type": "number"})
		case lookup.Moment:
			s = nullable(schema{"type": "string", "format": "date-time"})
		case lookup.Words:
			s = schema{"type": "array", "items": schema{"type": "string"}}
		case lookup.Flag:
			s = nullable(schema{"type": "boolean"})
		case lookup.Label:
			s = nullable(schema{"type": "string"})
		}
		if about := abouts[c.Name]; about != nil {
			s["description"] = about
		}
		if c.About != "" {
			s["description"] = c.About
		}
		properties[c.Name] = s
		required = append(required, c.Name)
	}
	return schema{"type": "object", "properties": properties, "required": required, "additionalProperties": nullable(schema{"type": "string", "description": "An attribute of the setting attributes"})}
}
