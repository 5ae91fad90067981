package event

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// MaxAttributes is the most attributes that are read.
const MaxAttributes = 8

// AttributePath says where records state an attribute of their customer: at customer.region, say. The path begins at the event, which is the record or the
// data of a structured CloudEvent; in a record of a vendor's format, at the event as the vendor wrote it, and if nothing is there, at the whole record.
// An attribute never refuses the event that states it.
type AttributePath struct{ Name, Path string }

// SplitPath returns the names of a path.
func SplitPath(path string) ([]string, error) {
	const longest, deepest = 200, 16
	names := strings.Split(path, ".")
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("a path of names with dots between is wanted, such as customer.region; it is %q", path)
		}
	}
	if len(path) > longest || len(names) > deepest {
		return nil, fmt.Errorf("a path has at most %d bytes and %d names; it is %q", longest, deepest, path)
	}
	return names, nil
}

// attributeReader reads the attributes of a record. Those of Mainstay's own format are found by one more walk over the record, which descends only
// into objects that some path leads through; without attributes there is none.
type attributeReader struct {
	paths []AttributePath
	names [][]string // of the paths
	root  pathNode
	found []slot // by path
}

// pathNode is a name on the way of some paths.
type pathNode struct {
	name  string
	path  int // that ends here; -1: none
	inner []*pathNode
}

func newAttributeReader(paths []AttributePath) (*attributeReader, error) {
	if len(paths) > MaxAttributes {
		return nil, fmt.Errorf("attributes: at most %d are read; there are %d", MaxAttributes, len(paths))
	}
	r := &attributeReader{paths: paths, found: make([]slot, len(paths)), root: pathNode{path: -1}}
	for i, p := range paths {
		names, err := SplitPath(p.Path)
		if err != nil {
			return nil, fmt.Errorf("attributes.%s: %w", p.Name, err)
		}
		node := &r.root
		for _, name := range names {
			next := node.member([]byte(name))
			if next == nil {
				next = &pathNode{name: name, path: -1}
				node.inner = append(node.inner, next)
			}
			node = next
		}
		if node.path >= 0 {
			return nil, fmt.Errorf("attributes.%s: %s has the same path", p.Name, paths[node.path].Name)
		}
		node.path = i
		r.names = append(r.names, names)
	}
	return r, nil
}

func (n *pathNode) member(name []byte) *pathNode {
	for _, m := range n.inner {
		if m.name == string(name) {
			return m
		}
	}
	return nil
}

// forget forgets what was found at the node and within: of a repeated member the last counts.
func (n *pathNode) forget(found []slot) {
	if n.path >= 0 {
		found[n.path] = slot{}
	}
	for _, m := range n.inner {
		m.forget(found)
	}
}

// readAttributes reads the attributes that a record states, into the event.
func (d *Decoder) readAttributes(m *Message, into *Result) {
	a, r := d.stated, &d.r
	if m.Lookup == nil {
		a.root.forget(a.found)
		r.findPaths(r.start, &a.root, a.found)
	}
	for i := range a.paths {
		v := value{}
		if m.Lookup != nil {
			v = valueOf(m.Lookup(a.names[i]))
		} else if s := a.found[i]; s.tok != tokNone {
			v = value{tok: s.tok, text: r.plain(s)}
		}
		r.recordAttribute(&a.paths[i], v)
		if v.tok == tokBool {
			v.tok = tokNumber // its text is its literal, too
		}
		if text := r.detail(v); text != "" {
			a.add(into, a.paths[i].Name, text)
		}
	}
}

// add adds an attribute to the event, in memory that former results had.
func (a *attributeReader) add(into *Result, name, text string) {
	n := len(into.Event.Attributes)
	if n == len(into.attributes) {
		into.attributes = append(into.attributes, new(ledger.Attribute))
	}
	*into.attributes[n] = ledger.Attribute{Name: name, Text: text}
	into.Event.Attributes = into.attributes[: n+1 : n+1]
}

// recordAttribute notes for Explain what is at the path of an attribute.
func (r *reading) recordAttribute(p *AttributePath, v value) {
	if !r.explain {
		return
	}
	note := FieldReading{Field: "attribute " + p.Name, Text: string(v.text)}
	switch v.tok {
	case tokNone, tokNull:
		note.Text, note.Value = "", "states nothing: nothing is at "+p.Path
	case tokObject, tokArray:
		note.From, note.Value = p.Path, "states nothing: text, a number or a boolean is wanted"
	case tokString, tokNumber, tokBool:
		note.From = p.Path
		if r.structured {
			note.From = "data." + note.From
		}
	}
	r.readings = append(r.readings, note)
}

// findPaths notes what is at the paths of an object that was scanned before, which begins at i, and returns the position after it.
func (s *scanner) findPaths(i int, within *pathNode, found []slot) int {
	for i = s.space(i + 1); s.buf[i] != '}'; {
		key := i + 1
		end, escaped := s.string(i)
		name := s.buf[key : end-1]
		if escaped {
			name = s.unescape(name)
		}
		i = s.space(s.space(end) + 1) // after the colon
		node := within.member(name)
		//mutant:repeated-attribute if false && $
		if node != nil {
			node.forget(found)
		}
		switch {
		case node != nil && len(node.inner) > 0 && s.buf[i] == '{':
			i = s.findPaths(i, node, found)
		default:
			var v slot
			if v, i = s.value(i, -1, 1); node != nil && node.path >= 0 {
				found[node.path] = v
			}
		}
		if i = s.space(i); s.buf[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return i + 1
}

// valueOf is a value that encoding/json has decoded, with its numbers as they are written.
func valueOf(decoded any) value {
	switch v := decoded.(type) {
	case string:
		return value{tok: tokString, text: []byte(v)}
	case json.Number:
		return value{tok: tokNumber, text: []byte(v)}
	case bool:
		text := "false"
		if v {
			text = "true"
		}
		return value{tok: tokBool, text: []byte(text)}
	case map[string]any:
		return value{tok: tokObject}
	case []any:
		return value{tok: tokArray}
	}
	return value{}
}
