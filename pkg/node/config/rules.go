package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
)

// Rules are alert rules: a list in YAML, or the word shipped for the rules that come with this release.
type Rules []alert.Rule

const shipped = "shipped"

// RuleError is one error in the rules, with its position.
type RuleError struct {
	File         string
	Line, Column int
	Message      string
}

// Error is file:line:column: message.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// ParseRules reads a rule file: a mapping with the one key rules. The returned error joins all errors in the rules; each is a *RuleError.
func ParseRules(file string, content []byte) (Rules, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &RuleError{file, 1, 1, "the file is empty; write rules: and a list"}
	case err != nil:
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := document.Content[0]
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &RuleError{file, root.Line, root.Column, "the file must hold one YAML document; another one starts after it"}
	}
	if root.Kind != yaml.MappingNode || len(root.Content) != 2 || root.Content[0].Value != "rules" {
		return nil, &RuleError{file, root.Line, root.Column, "must hold the key rules with a list, and no other key"}
	}
	return readRules(file, root.Content[1])
}

func readRules(file string, node *yaml.Node) (Rules, error) {
	if node.Kind == yaml.ScalarNode && node.Value == shipped {
		return alert.Shipped(), nil
	}
	r := ruleReader{file: file}
	if node.Kind != yaml.SequenceNode {
		r.wrong(node, "must be a list of rules, or the word %s; it is %s", shipped, kindName(node))
		return nil, errors.Join(r.errs...)
	}
	all := Rules{}
	nodes := make([]map[string]*yaml.Node, len(node.Content))
	for i, n := range node.Content {
		var rule alert.Rule
		rule, nodes[i] = r.rule(n)
		all = append(all, rule)
	}
	if len(r.errs) == 0 {
		if i, f := alert.CheckAll(all); f != nil {
			r.wrong(fieldOrRule(node.Content[min(i, len(nodes)-1)], nodes[min(i, len(nodes)-1)][f.Field]), "%s", f)
		}
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return all, nil
}

// fieldOrRule returns the node that an error points to: the field, or the rule if the field is absent.
func fieldOrRule(rule, field *yaml.Node) *yaml.Node {
	if field != nil {
		return field
	}
	return rule
}

type ruleReader struct {
	file string
	errs []error
}

func (r *ruleReader) wrong(at *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, &RuleError{r.file, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// ruleFields returns the fields of a rule in the order in which they are written.
func ruleFields() []string {
	return []string{"name", "metric", "above", "below", "clear", "for", "cool_down", "severity", "tiers", "nps"}
}

// rule reads a rule; it also returns the nodes of its fields.
func (r *ruleReader) rule(node *yaml.Node) (alert.Rule, map[string]*yaml.Node) {
	var rule alert.Rule
	fields := map[string]*yaml.Node{}
	if node.Kind != yaml.MappingNode {
		r.wrong(node, "must be a rule, with a name, a metric, a threshold (above or below) and a severity")
		return rule, fields
	}
	before := len(r.errs)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if fields[key.Value] != nil {
			r.wrong(key, "%s is set twice", key.Value)
			continue
		}
		fields[key.Value] = value
		r.field(&rule, key, value)
	}
	for _, needed := range []string{"name", "metric", "severity"} {
		if fields[needed] == nil {
			r.wrong(node, "%s is missing", needed)
		}
	}
	if (fields["above"] == nil) == (fields["below"] == nil) {
		r.wrong(node, "must have a threshold: one of above and below")
	}
	if fields["clear"] == nil {
		rule.Clear = rule.At
	}
	if len(r.errs) == before {
		if f := rule.Check(); f != nil {
			r.wrong(fieldOrRule(node, fields[f.Field]), "%s", f)
		}
	}
	return rule, fields
}

func (r *ruleReader) field(rule *alert.Rule, key, value *yaml.Node) {
	switch key.Value {
	case "name":
		rule.Name = r.scalarText(key, value)
	case "metric":
		rule.Metric = r.scalarText(key, value)
	case "severity":
		rule.Severity = r.scalarText(key, value)
	case "above":
		rule.At = r.number(key, value)
	case "below":
		rule.Below, rule.At = true, r.number(key, value)
	case "clear":
		rule.Clear = r.number(key, value)
	case "for":
		rule.For = r.duration(key, value)
	case "cool_down":
		rule.CoolDown = r.duration(key, value)
	case "tiers":
		rule.Tiers = r.list(key, value)
	case "nps":
		rule.NPS = r.list(key, value)
	default:
		r.wrong(key, "no such field: %s%s", key.Value, didYouMean(key.Value, ruleFields()))
	}
}

func (r *ruleReader) scalarText(key, value *yaml.Node) string {
	if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
		r.wrong(value, "%s: must be a string", key.Value)
	}
	return value.Value
}

func (r *ruleReader) number(key, value *yaml.Node) float64 {
	n, err := strconv.ParseFloat(value.Value, 64)
	if value.Kind != yaml.ScalarNode || err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		r.wrong(value, "%s: must be a number; it is %q", key.Value, value.Value)
		return 0
	}
	return n
}

func (r *ruleReader) list(key, value *yaml.Node) []string {
	all, ok := scalars(value, yaml.SequenceNode)
	if !ok || len(all) == 0 {
		r.wrong(value, "%s: must be a list of at least one, like [top_10]; remove the line to include all", key.Value)
	}
	return all
}

func (r *ruleReader) duration(key, value *yaml.Node) time.Duration {
	d, err := parseDays(value.Value)
	switch {
	case value.Kind != yaml.ScalarNode || err != nil:
		r.wrong(value, "%s: must be a duration like 7d, 36h or 1d12h; it is %q", key.Value, value.Value)
	case d == 0:
		r.wrong(value, "%s: must be above 0; remove the line for none", key.Value)
	case d < 0 || d%time.Millisecond != 0:
		r.wrong(value, "%s: must be above 0, in whole milliseconds; it is %q", key.Value, value.Value)
	}
	return d
}

// parseDays reads a Go duration that may begin with a number of days.
func parseDays(text string) (time.Duration, error) {
	written, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(written, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

func daysText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return settings.Duration(d)
}

// tree is the form in which rules are encoded in YAML and JSON.
func (r Rules) tree() any {
	if reflect.DeepEqual(r, Rules(alert.Shipped())) {
		return shipped
	}
	all := []mapping{}
	for _, rule := range r {
		side := "above"
		if rule.Below {
			side = "below"
		}
		m := mapping{{"name", rule.Name}, {"metric", rule.Metric}, {side, rule.At}, {"clear", rule.Clear}}
		if rule.For > 0 {
			m = append(m, pair{"for", daysText(rule.For)})
		}
		if rule.CoolDown > 0 {
			m = append(m, pair{"cool_down", daysText(rule.CoolDown)})
		}
		m = append(m, pair{"severity", rule.Severity})
		if len(rule.Tiers) > 0 {
			m = append(m, pair{"tiers", rule.Tiers})
		}
		if len(rule.NPS) > 0 {
			m = append(m, pair{"nps", rule.NPS})
		}
		all = append(all, m)
	}
	return all
}

// canonicalText is the tree in one line, the form of a variable or flag.
func (r Rules) canonicalText() string {
	if word, ok := r.tree().(string); ok {
		return word
	}
	line, err := json.Marshal(r.tree())
	must(err)
	return string(line)
}

// parseRules reads rules from a variable or flag: the word shipped, or a list in YAML's flow style.
func parseRules(from string) (Rules, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(from), &document); err != nil || len(document.Content) == 0 {
		return nil, fmt.Errorf("must be %s, or a list in YAML; it is %q", shipped, from)
	}
	return readRules("value", document.Content[0])
}
