package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/mainstay/mainstay/schemas/event"
)

//go:embed asyncapi.yaml.tmpl
var asyncAPITemplate string

// asyncAPI returns the AsyncAPI document. Its template declares the outputs, and repeats a part for each kind of event.
func asyncAPI() ([]byte, error) {
	title := func(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
	t, err := template.New("asyncapi.yaml").Delims("<<", ">>").Funcs(template.FuncMap{"title": title}).Parse(asyncAPITemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the template of asyncapi.yaml: %w", err)
	}
	var kinds []*event.Descriptor
	for k := range event.Kinds {
		kinds = append(kinds, k.Descriptor())
	}
	var out bytes.Buffer
	if err := t.Execute(&out, kinds); err != nil {
		return nil, fmt.Errorf("write asyncapi.yaml: %w", err)
	}
	return out.Bytes(), nil
}
