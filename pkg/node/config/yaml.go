package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yaml reads a document node by node, so that every problem names its line and all problems are reported at once.
func (l *loader) yaml(name string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF): // empty: all defaults
		return
	case err != nil:
		l.problem("", name, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.problem("", name, "the file must hold one YAML document; another one starts after it")
		return
	}
	l.section(name, "", document.Content[0])
}

func (l *loader) section(file, path string, node *yaml.Node) {
	at := func(n *yaml.Node) string { return fmt.Sprintf("%s:%d", file, n.Line) }
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" { // a section whose every line is commented out
		return
	}
	if node.Kind != yaml.MappingNode {
		l.problem(path, at(node), "must be a section of settings, not %s", kindName(node))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		inner := strings.TrimPrefix(path+"."+key.Value, ".")
		if seen[key.Value] {
			l.problem(inner, at(key), "is set twice")
			continue
		}
		seen[key.Value] = true
		is := func(s Setting) bool { return s.Path == inner }
		within := func(s Setting) bool { return strings.HasPrefix(s.Path, inner+".") }
		switch j := slices.IndexFunc(l.settings, is); {
		case j >= 0:
			l.leaf(at(value), &l.settings[j], value)
		case key.Kind == yaml.ScalarNode && slices.ContainsFunc(l.settings, within):
			l.section(file, inner, value)
		default:
			l.problem(inner, at(key), "no such setting%s", didYouMean(inner, l.keys()))
		}
	}
}

// keys returns the paths of all settings and sections.
func (l *loader) keys() []string {
	var all []string
	for _, s := range l.settings {
		for i, c := range s.Path {
			if c == '.' && !slices.Contains(all, s.Path[:i]) {
				all = append(all, s.Path[:i])
			}
		}
		all = append(all, s.Path)
	}
	return all
}

func (l *loader) leaf(at string, s *Setting, node *yaml.Node) {
	wrong := func(want string) { l.fail(s, at, fmt.Errorf("must be a %s, not %s", want, kindName(node))) }
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		l.fail(s, at, errors.New("has no value; give one or remove the line"))
	case s.Type == "list":
		if values, ok := scalars(withFormats(s.Path, node), yaml.SequenceNode); ok {
			s.field(&l.config).Set(reflect.ValueOf(values))
			l.from[s.Path] = at
		} else {
			wrong("list, like [a, b]")
		}
	case s.Type == "rules":
		rules, err := readRules(strings.TrimSuffix(at, fmt.Sprintf(":%d", node.Line)), node)
		if err != nil {
			l.fail(s, at, err)
			return
		}
		s.field(&l.config).Set(reflect.ValueOf(rules))
		l.from[s.Path] = at
	case s.Type == "map":
		l.mapping(at, s, node)
	case s.Type == "secret" && node.Kind == yaml.MappingNode:
		if values, ok := scalars(node, yaml.MappingNode); ok && len(values) == 2 && values[0] == "file" {
			l.setSecretFile(s, at, values[1])
		} else {
			l.fail(s, at, errors.New("must be a string, or {file: PATH}"))
		}
	case node.Kind == yaml.ScalarNode:
		l.set(s, at, node.Value)
	default:
		wrong(s.Type)
	}
}

// withFormats converts {topic: orders, format: shopify} among the input topics to orders=shopify, as variables and flags have it.
func withFormats(path string, node *yaml.Node) *yaml.Node {
	if !strings.HasPrefix(path, "kafka.topics.") || node.Kind != yaml.SequenceNode {
		return node
	}
	converted := *node
	converted.Content = slices.Clone(node.Content)
	for i, entry := range node.Content {
		parts, ok := scalars(entry, yaml.MappingNode)
		if !ok || len(parts) != 4 {
			continue
		}
		topic, format := slices.Index(parts, "topic"), slices.Index(parts, "format")
		if topic >= 0 && format >= 0 && topic%2 == 0 && format%2 == 0 {
			converted.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Line: entry.Line, Value: parts[topic+1] + "=" + parts[format+1]}
		}
	}
	return &converted
}

// mapping converts {EUR: 1.08} and {IRT: {as: IRR, times: 10}} to the one-line form of variables and flags, and parses that.
func (l *loader) mapping(at string, s *Setting, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		l.fail(s, at, fmt.Errorf("must be a map, not %s", kindName(node)))
		return
	}
	like := "{EUR: 1.08} or {IRT: {as: IRR, times: 10}}"
	switch s.field(&l.config).Type() {
	case reflect.TypeFor[Attributes]():
		like = "{region: customer.region}"
	case reflect.TypeFor[Headers]():
		like = "{X-Tenant: /run/secrets/tenant}"
	}
	var pairs []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		written, ok := value.Value, value.Kind == yaml.ScalarNode && value.Tag != "!!null"
		if parts, is := scalars(value, yaml.MappingNode); is && len(parts) == 4 {
			as, times := slices.Index(parts, "as"), slices.Index(parts, "times")
			if ok = as%2 == 0 && times%2 == 0; ok {
				written = parts[as+1] + "*" + parts[times+1]
			}
		}
		if !ok || strings.ContainsAny(key+written, ",=") || slices.ContainsFunc(pairs, func(p string) bool { return strings.HasPrefix(p, key+"=") }) {
			l.fail(s, at, fmt.Errorf("%s is malformed or set twice; write it like %s", key, like))
			return
		}
		pairs = append(pairs, key+"="+written)
	}
	l.set(s, at, strings.Join(pairs, ","))
}

// scalars returns the values of a node of that kind that holds only scalars; of a mapping, keys and values alternate. It returns
// false for any other node.
func scalars(node *yaml.Node, kind yaml.Kind) ([]string, bool) {
	if node.Kind != kind {
		return nil, false
	}
	values := []string{}
	for _, n := range node.Content {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			return nil, false
		}
		values = append(values, n.Value)
	}
	return values, true
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (aliases are not followed)"
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	return "a single value"
}
