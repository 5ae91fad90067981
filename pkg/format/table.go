package format

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Mainstay is the name of the format that needs no translation.
const Mainstay = "mainstay"

//go:embed shipped/*.yaml
var shipped embed.FS

// Format is a parsed table.
type Format struct {
	Name   string   `yaml:"format"`
	Doc    string   `yaml:"doc"`
	Skip   []Skip   `yaml:"skip"`   // the first that holds decides
	Refuse []Refuse `yaml:"refuse"` // likewise, after those of Skip
	Events []Event  `yaml:"events"` // the first whose conditions hold is what the record is
}

// Skip says which records are counted and skipped.
type Skip struct {
	When conditions `yaml:"when"`
	As   string     `yaml:"as"` // one of event.Skips
}

// Refuse says which records become dead letters although they are understood, and what the operator can do about it.
type Refuse struct {
	When  conditions `yaml:"when"`
	Field string     `yaml:"field"` // that cannot be read
	Why   string     `yaml:"why"`
}

// Event says how a record becomes an event of a kind.
type Event struct {
	Kind   string     `yaml:"kind"`
	When   conditions `yaml:"when"` // all must hold
	Fields members    `yaml:"fields"`

	kind event.Kind
}

// member is a field and where it is read from: the first of the sources that has a value.
type member struct {
	name    string
	sources []source
}

// members are in the order of the table.
type members []member

// source is one place that a field may be read from.
type source struct {
	path     valuePath
	constant *yaml.Node // JSON's null, a text, a number or a truth value
	sum      []term
	minor    *minor
	utc      bool              // a time that states no zone is of UTC, not of the ledger's zone
	table    map[string]string // values, in lower case, and what they mean; others pass as they are
	each     valuePath
	parts    members // of the elements of each
}

// term is an amount that is added, or subtracted.
type term struct {
	minus bool
	path  valuePath
	times string // member beside the last one of the path, by which it is multiplied; "": none
}

// minor says that an amount is in minor units of the currency at a path.
type minor struct {
	currency valuePath
	iso4217  *money.Table
	decimals map[string]int // of codes that the vendor does not count by ISO 4217
}

// Names returns the names of the shipped formats, without that of Mainstay's own.
func Names() []string {
	entries, _ := fs.ReadDir(shipped, "shipped") // embedded
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Text returns the table of a shipped format as it is written.
func Text(name string) (string, error) {
	text, err := shipped.ReadFile("shipped/" + name + ".yaml")
	if err != nil {
		return "", fmt.Errorf("%q is none of the shipped formats %s", name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}

// Open returns the format of a name, or that of a table's file if the name has a slash or ends with .yaml; nil for Mainstay's own.
func Open(name string) (*Format, error) {
	if name == "" || name == Mainstay {
		return nil, nil
	}
	if !strings.Contains(name, "/") && path.Ext(name) != ".yaml" {
		text, err := Text(name)
		if err != nil {
			return nil, fmt.Errorf("format: %w; a table of your own is named by its path, such as ./%s.yaml", err, name)
		}
		return Parse([]byte(text))
	}
	text, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	f, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// Parse reads a table. The error names the line.
func Parse(text []byte) (*Format, error) {
	f := new(Format)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	if f.Name == "" || f.Name == Mainstay || len(f.Events) == 0 {
		return nil, errors.New("format: a table has a name of its own under `format`, and at least one of `events`")
	}
	for _, s := range f.Skip {
		if !slices.Contains(event.Skips(), s.As) || len(s.When) == 0 {
			return nil, fmt.Errorf("format %s: skip: `when` and `as` are wanted, one of %s", f.Name, strings.Join(event.Skips(), ", "))
		}
	}
	for _, r := range f.Refuse {
		if len(r.When) == 0 || r.Why == "" {
			return nil, fmt.Errorf("format %s: refuse: `when` and `why` are wanted", f.Name)
		}
	}
	for i := range f.Events {
		e := &f.Events[i]
		var err error
		if e.kind, err = event.ParseKind(e.Kind); err != nil {
			return nil, fmt.Errorf("format %s: events[%d]: %w", f.Name, i, err)
		}
		for _, m := range e.Fields {
			declared := e.kind.Descriptor().Field(m.name)
			if declared == nil {
				return nil, fmt.Errorf("format %s: events[%d]: a %s has no field %q", f.Name, i, e.Kind, m.name)
			}
			for _, part := range m.partNames() {
				if !slices.ContainsFunc(declared.Parts, func(p *event.Field) bool { return p.Name == m.name+"."+part }) {
					return nil, fmt.Errorf("format %s: events[%d]: %s has no part %q", f.Name, i, m.name, part)
				}
			}
		}
	}
	return f, nil
}

func (m *member) partNames() (names []string) {
	for _, s := range m.sources {
		for _, p := range s.parts {
			names = append(names, p.name)
		}
	}
	return names
}

// UnmarshalYAML reads the fields in their order.
func (all *members) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: fields are wanted, each with what it is read from", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		m := member{name: n.Content[i].Value}
		sources := []*yaml.Node{n.Content[i+1]}
		if n.Content[i+1].Kind == yaml.SequenceNode {
			sources = n.Content[i+1].Content
		}
		for _, node := range sources {
			s, err := parseSource(node)
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", node.Line, m.name, err)
			}
			m.sources = append(m.sources, s)
		}
		*all = append(*all, m)
	}
	return nil
}

func parseSource(n *yaml.Node) (s source, err error) {
	if n.Kind == yaml.ScalarNode {
		s.path, err = parsePath(n.Value)
		return s, err
	}
	var raw struct {
		Path  string            `yaml:"path"`
		Const yaml.Node         `yaml:"const"`
		Sum   []string          `yaml:"sum"`
		Table map[string]string `yaml:"table"`
		Each  string            `yaml:"each"`
		Parts members           `yaml:"fields"`
		Zone  string            `yaml:"zone"`
		Minor *struct {
			Currency string         `yaml:"currency"`
			Decimals map[string]int `yaml:"decimals"`
		} `yaml:"minor"`
	}
	if err := strictly(n, &raw, "path", "const", "sum", "each", "fields", "table", "minor", "zone"); err != nil {
		return s, err
	}
	if raw.Zone != "" && raw.Zone != "UTC" {
		return s, errors.New("zone can be UTC only: times of another zone state it, or are of the ledger's")
	}
	s.table, s.parts, s.utc = raw.Table, raw.Parts, raw.Zone != ""
	stated := 0
	for _, p := range []struct {
		text string
		into *valuePath
	}{{raw.Path, &s.path}, {raw.Each, &s.each}} {
		if p.text == "" {
			continue
		}
		stated++
		if *p.into, err = parsePath(p.text); err != nil {
			return s, err
		}
	}
	if raw.Const.Kind == yaml.ScalarNode {
		stated++
		s.constant = &raw.Const
	}
	for _, text := range raw.Sum {
		t, err := parseTerm(text)
		if err != nil {
			return s, err
		}
		s.sum = append(s.sum, t)
	}
	if len(s.sum) > 0 {
		stated++
	}
	if raw.Minor != nil {
		s.minor = &minor{decimals: raw.Minor.Decimals}
		if s.minor.iso4217, err = money.NewTable(nil); err != nil {
			return s, err //nolint:wrapcheck // Parse wraps it
		}
		if s.minor.currency, err = parsePath(raw.Minor.Currency); err != nil {
			return s, err
		}
	}
	if stated != 1 || (s.each != nil) != (s.parts != nil) {
		return s, errors.New("one of path, const, sum, or each with fields is wanted")
	}
	return s, nil
}

// strictly decodes a node and refuses unknown keys, which Node.Decode does not.
func strictly(n *yaml.Node, into any, known ...string) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("a path is wanted, or a map")
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; !slices.Contains(known, key) {
			return fmt.Errorf("%q is none of %s", key, strings.Join(known, ", "))
		}
	}
	return n.Decode(into) //nolint:wrapcheck // the caller names the line
}

func parseTerm(text string) (t term, err error) {
	text, t.minus = strings.TrimPrefix(text, "- "), strings.HasPrefix(text, "- ")
	factor, times, _ := strings.Cut(text, " * ")
	t.times = times
	t.path, err = parsePath(factor)
	return t, err
}
