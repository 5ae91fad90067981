package format

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/schemas/money"
)

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
	match    *regexp.Regexp    // what of the value counts: its only group. Values that do not match are absent
	table    map[string]string // values, in lower case, and what they mean; others pass as they are
	join     []valuePath       // texts with - between; those after the first may be absent
	each     valuePath
	parts    members // of the elements of each
	single   bool    // the field is one object, and no list
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
		value := aliased(n.Content[i+1])
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
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

// aliased is what an alias of YAML stands for.
func aliased(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func parseSource(n *yaml.Node) (s source, err error) {
	n = aliased(n)
	if n.Kind == yaml.ScalarNode {
		s.path, err = parsePath(n.Value)
		return s, err
	}
	var raw struct {
		Path  string            `yaml:"path"`
		Const yaml.Node         `yaml:"const"`
		Sum   []string          `yaml:"sum"`
		Join  []valuePath       `yaml:"join"`
		Match string            `yaml:"match"`
		Table map[string]string `yaml:"table"`
		Each  string            `yaml:"each"`
		Parts members           `yaml:"fields"`
		Zone  string            `yaml:"zone"`
		Minor *struct {
			Currency string         `yaml:"currency"`
			Decimals map[string]int `yaml:"decimals"`
		} `yaml:"minor"`
	}
	if err := strictly(n, &raw, "path", "const", "sum", "join", "each", "fields", "match", "table", "minor", "zone"); err != nil {
		return s, err
	}
	if raw.Zone != "" && raw.Zone != "UTC" {
		return s, errors.New("zone can be UTC only: times of another zone state it, or are of the ledger's")
	}
	s.table, s.parts, s.utc, s.join = raw.Table, raw.Parts, raw.Zone != "", raw.Join
	if raw.Match != "" {
		if s.match, err = regexp.Compile(raw.Match); err != nil || s.match.NumSubexp() != 1 {
			return s, fmt.Errorf("match: a regular expression with one group is wanted, such as ^REF-(.+)$; it is %q", raw.Match)
		}
	}
	stated := 0
	if raw.Join != nil {
		stated++
	}
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
	if stated != 1 || (s.each != nil) != (s.parts != nil) || s.match != nil && s.path == nil {
		return s, errors.New("one of path, const, sum, join, or each with fields is wanted; match is of a path")
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
