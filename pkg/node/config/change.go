package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Change is what a file of settings would change of a ledger.
type Change struct {
	Values  *ledger.SettingsValues // of them, those that Paths names
	Paths   []string               // the settings of the file that Step reads
	Ignored []string               // the settings of the file that concern a process alone: no answer depends on them
}

// ParseChange reads a file in the form of the configuration file, for a ledger whose genesis base has adopted. A setting that genesis
// fixes must have the ledger's value. The error joins all errors in the file; each is an *Error.
func ParseChange(file string, content []byte, base Config) (Change, error) {
	l := loader{config: base, settings: Settings(), from: map[string]string{}}
	l.config.Alerts.RulesFile = ""
	l.yaml(file, content)
	l.rulesFile()
	for _, p := range l.config.problems() {
		if from, given := l.from[p.Path]; given {
			p.From = from
			l.problems = append(l.problems, p)
		}
	}
	var change Change
	for i := range l.settings {
		s := &l.settings[i]
		from, given := l.from[s.Path]
		switch {
		case s.Path == "alerts.rules_file" && given:
			change.Paths = append(change.Paths, "alerts.rules")
		case !given:
		case s.Holds == settings.Genesis:
			//mutant:whatif-changes-genesis if false && $
			if is, would := s.field(&base), s.field(&l.config); !reflect.DeepEqual(is.Interface(), would.Interface()) {
				l.problem(s.Path, from, "is fixed for the life of the ledger, which has %s; leave it out (`mainstay ledger copy` makes a ledger with another time zone or number of partitions)", settingText(is))
			}
		case s.Holds == settings.Revision:
			change.Paths = append(change.Paths, s.Path)
		default:
			change.Ignored = append(change.Ignored, s.Path)
		}
	}
	if len(l.problems) == 0 && len(change.Paths) == 0 {
		l.problem("", file, "names no setting that an answer depends on")
	}
	errs := make([]error, len(l.problems))
	for i, p := range l.problems {
		errs[i] = p
	}
	if err := errors.Join(errs...); err != nil {
		return Change{}, fmt.Errorf("settings:\n%w", err)
	}
	change.Values = l.config.StepSettings()
	return change, nil
}
