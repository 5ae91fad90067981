package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Setting describes one leaf of Config, for reading, checking and documentation.
type Setting struct {
	Path    string // kafka.topics.purchases
	Env     string // MAINSTAY_KAFKA_TOPICS_PURCHASES; of a secret, also with the suffix _FILE
	Flag    string // kafka-topics-purchases, without leading dashes; a secret has only a flag that names its file
	Type    string // string, boolean, whole number, number, duration, size, list, map, rules, secret
	Default string
	Bounds  string // in words; empty: none
	Doc     string
	Holds   settings.Holds // how the ledger holds it; empty: it is not in the ledger and concerns this process alone

	row         *settings.Setting // in the table of the settings that the ledger holds; nil for a setting of the process alone
	index       []int
	oneof       []string
	least, most string
}

// Settings returns all settings in the order of the configuration file.
func Settings() []Setting {
	all, c := slices.Clone(fields()), Default()
	for i := range all {
		all[i].Default = settingText(all[i].field(&c))
	}
	return all
}

// fields are all settings without their defaults.
var fields = sync.OnceValue(func() []Setting { //nolint:gochecknoglobals // a computed constant
	rows := map[string]*settings.Setting{}
	for _, row := range settings.Table() {
		rows[row.Path] = &row
	}
	return appendFields(nil, rows, reflect.ValueOf(Config{}), "", nil)
})

// member is a setting or a section within a section.
type member struct {
	index int // within the section
	tag   reflect.StructTag
	value reflect.Value
}

// members are the fields of a struct, or the lists of topics by kind of event.
func members(section reflect.Value) []member {
	var all []member
	if section.Type() == reflect.TypeFor[Topics]() {
		for kind := range event.Kinds {
			d := kind.Descriptor()
			all = append(all, member{int(kind), reflect.StructTag(fmt.Sprintf("yaml:%q doc:%q", d.Topic, d.Topics)), section.Index(int(kind))})
		}
		return all
	}
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag; tag.Get("yaml") != "-" { // no setting, but what was read from the file that one names
			all = append(all, member{i, tag, section.Field(i)})
		}
	}
	return all
}

func appendFields(all []Setting, rows map[string]*settings.Setting, within reflect.Value, prefix string, index []int) []Setting {
	for _, f := range members(within) {
		path := prefix + f.tag.Get("yaml")
		at := append(slices.Clone(index), f.index)
		if section(f.value.Type()) {
			all = appendFields(all, rows, f.value, path+".", at)
			continue
		}
		s := Setting{
			Path: path, Env: "MAINSTAY_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_")),
			Flag: strings.NewReplacer(".", "-", "_", "-").Replace(path),
			Type: typeName(f.value.Type()), Doc: f.tag.Get("doc"), row: rows[path], index: at,
		}
		if s.row != nil {
			s.Doc, s.Holds, s.Bounds, s.oneof = s.row.Doc, s.row.Holds, s.row.Bounds(), s.row.OneOf
			all = append(all, s)
			continue
		}
		if s.Type == "secret" {
			s.Flag += "-file" // flags show in the process table
		}
		if values, ok := f.tag.Lookup("oneof"); ok {
			s.oneof = strings.Split(values, "|")
		}
		if path == mechanismPath {
			s.oneof = mechanismNames()
		}
		s.least, s.most, _ = strings.Cut(f.tag.Get("range"), "..")
		s.Bounds = s.bounds()
		all = append(all, s)
	}
	return all
}

func section(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Secret]() || t == reflect.TypeFor[Topics]()
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Bytes]():
		return "size"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Rules]():
		return "rules"
	}
	switch t.Kind() { //nolint:exhaustive // the rest is refused
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Uint64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	}
	panic("config: no setting can be a " + t.String())
}

func (s *Setting) field(c *Config) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for _, i := range s.index {
		if v.Kind() == reflect.Array {
			v = v.Index(i)
		} else {
			v = v.Field(i)
		}
	}
	return v
}

// bounds describes the allowed values.
func (s *Setting) bounds() string {
	var rules []string
	if s.oneof != nil {
		names := slices.Clone(s.oneof)
		for i, n := range names {
			if n == "" {
				names[i] = "empty"
			}
		}
		rules = append(rules, "one of "+strings.Join(names, ", "))
	}
	unit := map[string]string{"list": " values", "string": " bytes"}[s.Type]
	if s.Type == "list" && s.least == "1" {
		unit = " value"
	}
	switch {
	case s.least != "" && s.most != "":
		rules = append(rules, "from "+s.least+" to "+s.most+unit)
	case s.least != "":
		rules = append(rules, "at least "+s.least+unit)
	case s.most != "":
		rules = append(rules, "at most "+s.most+unit)
	}
	return strings.Join(rules, "; ")
}

// check returns the bound that a value breaks, or "".
func (s *Setting) check(v reflect.Value) string {
	if s.row != nil {
		return s.checkRow(v.Interface())
	}
	within := func(n float64) bool {
		return (s.least == "" || n >= s.bound(s.least)) && (s.most == "" || n <= s.bound(s.most))
	}
	ok := true
	switch value := v.Interface().(type) {
	case string:
		ok = (s.oneof == nil || slices.Contains(s.oneof, value)) && within(float64(len(value)))
	case []string:
		ok = within(float64(len(value)))
		for _, one := range value {
			ok = ok && (s.oneof == nil || slices.Contains(s.oneof, one))
		}
	case int, uint64, float64, time.Duration, Bytes:
		ok = within(v.Convert(reflect.TypeFor[float64]()).Float())
	}
	if ok {
		return ""
	}
	shown := settingText(v)
	if shown == "" {
		shown = "empty"
	}
	return fmt.Sprintf("must be %s; it is %s", s.Bounds, shown)
}

func (s *Setting) checkRow(value any) string {
	switch v := value.(type) {
	case Rules:
		return s.row.Check([]alert.Rule(v))
	case map[string]string: // rates: their amounts in minor units depend on the base currency, see validator.money
		return ""
	}
	return s.row.Check(value)
}

// bound parses an end of a range, which is written like a value of the setting. It panics on a malformed tag of this package.
func (s *Setting) bound(written string) float64 {
	switch s.Type {
	case "duration":
		d, err := time.ParseDuration(written)
		must(err)
		return float64(d)
	case "size":
		b, err := parseBytes(written)
		must(err)
		return float64(b)
	}
	n, err := strconv.ParseFloat(written, 64)
	must(err)
	return n
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// parse reads one value from the text of a YAML scalar, variable or flag. In that form the values of a list are separated by
// commas, and maps are written like EUR=1.08,GBP=1.27 and IRT=IRR*10. The error does not contain the text of a secret.
func parse(v reflect.Value, from string) error {
	switch to := v.Addr().Interface().(type) {
	case *string:
		*to = from
	case *Secret:
		if from == redacted {
			return errors.New("is a redacted secret, as config show prints it; give the secret itself")
		}
		*to = NewSecret(from)
	case *bool:
		if from != "true" && from != "false" {
			return fmt.Errorf("must be true or false; it is %q", from)
		}
		*to = from == "true"
	case *int:
		n, err := strconv.Atoi(from)
		if err != nil {
			return fmt.Errorf("must be a whole number; it is %q", from)
		}
		*to = n
	case *uint64:
		n, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			return fmt.Errorf("must be a whole number, not negative; it is %q", from)
		}
		*to = n
	case *float64:
		n, err := strconv.ParseFloat(from, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("must be a number; it is %q", from)
		}
		*to = n
	case *time.Duration:
		d, err := time.ParseDuration(from)
		if err != nil {
			return fmt.Errorf("must be a duration like 1m30s; it is %q", from)
		}
		*to = d
	case *Bytes:
		b, err := parseBytes(from)
		if err != nil {
			return fmt.Errorf("%w; it is %q", err, from)
		}
		*to = b
	case *Rules:
		rules, err := parseRules(from)
		if err != nil {
			return err
		}
		*to = rules
	case *[]string:
		*to = list(from)
	case *map[string]string:
		return parseMap(from, to, "EUR=1.08,GBP=1.27", func(one string) (string, error) { return one, nil })
	case *Attributes:
		return parseMap(from, (*map[string]string)(to), "region=customer.region,plan=properties.plan", func(one string) (string, error) { return one, nil })
	case *Headers:
		return parseMap(from, (*map[string]string)(to), "X-Tenant=/run/secrets/tenant", func(one string) (string, error) { return one, nil })
	case *map[string]money.Alias:
		return parseMap(from, to, "IRT=IRR*10", parseAlias)
	default:
		panic("config: no setting can be a " + v.Type().String())
	}
	return nil
}

func list(from string) []string {
	all := []string{}
	for one := range strings.SplitSeq(from, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

// parseMap adds to a copy of the current map, since that map may be shared with the defaults.
func parseMap[T any](from string, to *map[string]T, example string, value func(string) (T, error)) error {
	sum := maps.Clone(*to)
	if sum == nil {
		sum = map[string]T{}
	}
	seen := map[string]bool{}
	for _, one := range list(from) {
		key, written, ok := strings.Cut(one, "=")
		if !ok {
			return fmt.Errorf("must be like %s; %q has no =", example, one)
		}
		if key = strings.TrimSpace(key); seen[key] {
			return fmt.Errorf("must be like %s; %s is set twice", example, key)
		}
		seen[key] = true
		v, err := value(strings.TrimSpace(written))
		if err != nil {
			return fmt.Errorf("must be like %s: %q: %w", example, one, err)
		}
		sum[key] = v
	}
	*to = sum
	return nil
}

func parseAlias(from string) (money.Alias, error) {
	as, times, ok := strings.Cut(from, "*")
	n, err := strconv.ParseInt(times, 10, 64)
	if !ok || err != nil {
		return money.Alias{}, errors.New("must be a currency and its multiple")
	}
	return money.Alias{As: as, Times: n}, nil
}

// settingText writes a value so that parse reads it again; secrets are redacted.
func settingText(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case []string:
		return strings.Join(value, ",")
	case map[string]string:
		return textMap(value, func(s string) string { return s })
	case Attributes:
		return textMap(value, func(s string) string { return s })
	case Headers:
		return textMap(value, func(s string) string { return s })
	case map[string]money.Alias:
		return textMap(value, func(a money.Alias) string { return fmt.Sprintf("%s*%d", a.As, a.Times) })
	case time.Duration:
		return settings.Duration(value)
	case Rules:
		return value.canonicalText()
	default:
		return fmt.Sprint(value)
	}
}

func textMap[T any](m map[string]T, value func(T) string) string {
	all := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k+"="+value(m[k]))
	}
	return strings.Join(all, ",")
}

// Values returns the allowed values of a setting that has a fixed set of them; nil for others.
func (s *Setting) Values() []string { return slices.Clone(s.oneof) }
