package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Difference is a setting that two sets of values disagree about.
type Difference struct {
	Path        string // with the name of the rule, for one of alerts.rules
	Here, There string // the values, as an operator reads them; "none" for a rule that one of the two lacks
}

// Differences returns the settings of which two sets of values have other values, in the order of the table; rules one by one.
func Differences(here, there *ledger.SettingsValues) []Difference {
	var all []Difference
	for _, s := range Table() {
		if s.Holds != Revision {
			continue
		}
		a, b := get(s.inValues(here)), get(s.inValues(there))
		if rules, ok := a.([]alert.Rule); ok {
			all = append(all, ruleDifferences(s.Path, rules, b.([]alert.Rule))...) //nolint:forcetypeassert // of one setting
		} else if a, b := valueText(a), valueText(b); a != b {
			all = append(all, Difference{s.Path, a, b})
		}
	}
	return all
}

// Replace sets the settings at these paths to those of other values. What it copies is shared with them.
func Replace(to, from *ledger.SettingsValues, paths []string) {
	for _, s := range Table() {
		if s.Holds == Revision && slices.Contains(paths, s.Path) {
			s.SetValue(to, get(s.inValues(from)))
		}
	}
}

// valueText is a value as an operator reads it.
func valueText(value any) string {
	rates, ok := value.([]*ledger.Rate)
	if !ok {
		return fmt.Sprint(value)
	}
	all := make([]string, len(rates))
	for i, r := range rates {
		all[i] = fmt.Sprintf("%s: %d/%d", r.GetCurrency(), r.GetNumerator(), r.GetDenominator())
	}
	return "{" + strings.Join(all, ", ") + "}"
}

func ruleDifferences(path string, here, there []alert.Rule) []Difference {
	const none = "none"
	texts := func(rules []alert.Rule) (names []string, byName map[string]string) {
		byName = map[string]string{}
		for i := range rules {
			names = append(names, rules[i].Name)
			byName[rules[i].Name] = rules[i].String()
		}
		return names, byName
	}
	names, mine := texts(here)
	others, theirs := texts(there)
	var all []Difference
	for _, name := range append(names, others...) {
		a, b := mine[name], theirs[name]
		if a == b {
			continue
		}
		mine[name] = b // reported once
		if a == "" {
			a = none
		}
		if b == "" {
			b = none
		}
		all = append(all, Difference{path + " " + name, a, b})
	}
	if len(all) == 0 && strings.Join(names, " ") != strings.Join(others, " ") {
		all = append(all, Difference{path + " (their order)", strings.Join(names, ", "), strings.Join(others, ", ")})
	}
	return all
}
