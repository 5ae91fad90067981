package config

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/processors/settings"
)

// Print writes the configuration as "yaml" or "json". Load reads the YAML again, except for secrets, which are redacted.
func Print(w io.Writer, c Config, format string) error {
	var write func(any) error
	switch format {
	case "yaml":
		encoder := yaml.NewEncoder(w)
		encoder.SetIndent(2)
		write = encoder.Encode
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		write = encoder.Encode
	default:
		return fmt.Errorf("unknown format %q: use yaml or json", format)
	}
	if err := write(tree(reflect.ValueOf(c))); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}

// tree converts a section to a mapping in the order of its fields, for both encoders.
func tree(v reflect.Value) mapping {
	var m mapping
	for _, f := range members(v) {
		value := f.value.Interface()
		switch typed := value.(type) {
		case time.Duration:
			value = settings.Duration(typed)
		case Bytes:
			value = typed.String()
		case Rules:
			value = typed.tree()
		case Secret:
			value = typed.String()
		default:
			if section(f.value.Type()) {
				value = tree(f.value)
			}
		}
		m = append(m, pair{f.tag.Get("yaml"), value})
	}
	return m
}

// mapping keeps the order of the configuration, which a Go map would lose.
type mapping []pair

type pair struct {
	key   string
	value any
}

// MarshalYAML implements yaml.Marshaler.
func (m mapping) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range m {
		var value yaml.Node
		if err := value.Encode(p.value); err != nil {
			return nil, err
		}
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.key}, &value)
	}
	return node, nil
}

// MarshalJSON implements json.Marshaler.
func (m mapping) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, p := range m {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := json.Marshal(p.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}
