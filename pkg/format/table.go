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
)

// Mainstay is the name of the format that needs no translation.
const Mainstay = "mainstay"

//go:embed shipped/*.yaml
var shipped embed.FS

// Format is a parsed table.
type Format struct {
	Name    string   `yaml:"format"`
	Doc     string   `yaml:"doc"`
	Extends string   `yaml:"extends"` // a shipped format, which reads what this table says nothing of
	Each    []items  `yaml:"each"`    // where a record may have a list of what the rest of the table is about; the first that is there
	Skip    []Skip   `yaml:"skip"`    // the first that holds decides
	Refuse  []Refuse `yaml:"refuse"`  // likewise, after those of Skip
	Events  []Event  `yaml:"events"`  // the first whose conditions hold is what the record is
	Also    []Event  `yaml:"also"`    // each whose conditions hold is an event of the record as well

	base *Format // of Extends
}

// items is a list of a record, or an object of it: written as its path, or as {list: path, when: conditions} if only some records mean it.
type items struct {
	path valuePath
	when conditions
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
	Each   *items     `yaml:"each"` // nil, or a list of which each element is an event
	When   conditions `yaml:"when"` // all must hold
	Fields members    `yaml:"fields"`

	kind event.Kind
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
	if f.Name == "" || f.Name == Mainstay || len(f.Events)+len(f.Also) == 0 {
		return nil, errors.New("format: a table has a name of its own under `format`, and at least one of `events` or `also`")
	}
	if f.Extends != "" {
		base, err := Text(f.Extends)
		if err != nil {
			return nil, fmt.Errorf("format %s: extends: %w", f.Name, err)
		}
		if f.base, err = Parse([]byte(base)); err != nil {
			return nil, err
		}
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
		if err := f.Events[i].check(); err != nil {
			return nil, fmt.Errorf("format %s: events[%d]: %w", f.Name, i, err)
		}
	}
	for i := range f.Also {
		if err := f.Also[i].check(); err != nil {
			return nil, fmt.Errorf("format %s: also[%d]: %w", f.Name, i, err)
		}
	}
	return f, nil
}

// check finds the kind, and that it has the fields.
func (e *Event) check() (err error) {
	if e.kind, err = event.ParseKind(e.Kind); err != nil {
		return err //nolint:wrapcheck // Parse says where
	}
	for i := range e.Fields {
		m := &e.Fields[i]
		declared := e.kind.Descriptor().Field(m.name)
		if declared == nil {
			return fmt.Errorf("a %s has no field %q", e.Kind, m.name)
		}
		for _, part := range m.partNames() {
			if !slices.ContainsFunc(declared.Parts, func(p *event.Field) bool { return p.Name == m.name+"."+part }) {
				return fmt.Errorf("%s has no part %q", m.name, part)
			}
		}
		for j := range m.sources {
			m.sources[j].single = declared.Format == event.Object
		}
	}
	return nil
}

// UnmarshalYAML parses a list.
func (it *items) UnmarshalYAML(n *yaml.Node) (err error) {
	if n.Kind == yaml.ScalarNode {
		it.path, err = parsePath(n.Value)
		return err
	}
	var raw struct {
		List valuePath  `yaml:"list"`
		When conditions `yaml:"when"`
	}
	if err := strictly(n, &raw, "list", "when"); err != nil {
		return fmt.Errorf("line %d: each: %w", n.Line, err)
	}
	if it.path, it.when = raw.List, raw.When; it.path == nil {
		return fmt.Errorf("line %d: each: a list is wanted", n.Line)
	}
	return nil
}
