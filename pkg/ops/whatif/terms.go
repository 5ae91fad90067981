package whatif

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Terms are what is to be different: some settings that Step reads, the parameters of the models, or both.
type Terms struct {
	Settings   *ledger.SettingsValues // of them, those that Paths names
	Paths      []string               // none: the settings stay
	Parameters *ledger.Parameters     // nil: the parameters stay
}

// Rules returns the terms that replace the alert rules.
func Rules(rules []alert.Rule) Terms {
	return Terms{Settings: &ledger.SettingsValues{AlertRules: alert.Wire(rules)}, Paths: []string{RulesPath}}
}

// Names reports whether the terms replace a setting.
func (t *Terms) Names(path string) bool { return slices.Contains(t.Paths, path) }

// With adds the settings of other terms.
func (t *Terms) With(o Terms) Terms {
	all := Terms{Settings: o.Settings, Paths: slices.Concat(t.Paths, o.Paths), Parameters: t.Parameters}
	if t.Settings != nil {
		all.Settings = proto.CloneOf(t.Settings)
		settings.Replace(all.Settings, o.Settings, o.Paths)
	}
	return all
}

// RulesPath is the setting that holds the alert rules.
const RulesPath = "alerts.rules"

// The refusals. Nothing was folded.
var (
	ErrSame     = errors.New("nothing would change: the files say what the ledger says")
	ErrLate     = errors.New("no entry of the ledger is so late")
	ErrTogether = errors.New("these settings cannot hold together with those of the ledger")
)

// over returns values with the settings of the terms in place of theirs.
func (t *Terms) over(v *ledger.SettingsValues) (*ledger.SettingsValues, error) {
	v = proto.CloneOf(v)
	settings.Replace(v, t.Settings, t.Paths)
	if err := settings.Validate(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTogether, err)
	}
	return v, nil
}

// Change is a setting, or the parameters, that would be different.
type Change struct {
	Setting string `json:"setting"`
	Now     string `json:"now"`   // as the ledger says at its end
	Would   string `json:"would"` // as the files say
}

// changes returns what differs between what a partition of the ledger says and the terms.
func (t *Terms) changes(now *ledger.SettingsValues, parameters *ledger.Parameters) []Change {
	var all []Change
	if len(t.Paths) > 0 {
		would := proto.CloneOf(now)
		settings.Replace(would, t.Settings, t.Paths)
		for _, d := range settings.Differences(now, would) {
			all = append(all, Change{d.Path, d.Here, d.There})
		}
	}
	if t.Parameters != nil && !sameParameters(t.Parameters, parameters) {
		all = append(all, Change{"parameters", describe(parameters), describe(t.Parameters)})
	}
	return all
}

func describe(v *ledger.Parameters) string {
	return fmt.Sprintf("%s, version %d, %s", v.GetModel(), v.GetVersion(), v.GetStatus())
}

// sameParameters compares parameters without their versions, which say nothing of the answers.
func sameParameters(a, b *ledger.Parameters) bool {
	a, b = proto.CloneOf(a), proto.CloneOf(b)
	a.Version, b.Version = 0, 0
	return proto.Equal(a, b)
}

// inForce is what a ledger says of its terms from a time on, oldest first.
type inForce struct {
	since      int64
	settings   []*ledger.SettingsValues
	parameters []*ledger.Parameters
}

func newInForce(since int64) *inForce {
	return &inForce{since, []*ledger.SettingsValues{settings.Default()}, []*ledger.Parameters{processors.PriorParameters()}}
}

// note adds what an entry says at a base time. Up to the time from which the terms are to hold, only the last of each is kept. What the
// fold would not apply is left out.
func (h *inForce) note(e *ledger.Entry, base int64) {
	before := base == processors.BeforeTime || base < h.since
	switch e.GetKind() { //nolint:exhaustive // the other kinds say nothing of the terms
	case ledger.Kind_KIND_SETTINGS:
		var v ledger.Settings
		if err := v.UnmarshalVT(e.GetPayload()); err == nil && settings.Validate(v.GetValues()) == nil {
			h.settings = appendOrReplace(h.settings, v.GetValues(), before)
		}
	case ledger.Kind_KIND_PARAMETERS:
		v := new(ledger.Parameters)
		if err := v.UnmarshalVT(e.GetPayload()); err == nil {
			h.parameters = appendOrReplace(h.parameters, v, before)
		}
	}
}

func appendOrReplace[T any](all []T, v T, replace bool) []T {
	if replace {
		return append(all[:0], v)
	}
	return append(all, v)
}

// differs reports whether the ledger says anything else than the terms.
func (h *inForce) differs(t *Terms) bool {
	return slices.ContainsFunc(h.settings, func(v *ledger.SettingsValues) bool { return len(t.changes(v, t.Parameters)) > 0 }) ||
		t.Parameters != nil && slices.ContainsFunc(h.parameters, func(v *ledger.Parameters) bool { return !sameParameters(v, t.Parameters) })
}

// last returns what holds at the end.
func (h *inForce) last() (*ledger.SettingsValues, *ledger.Parameters) {
	return h.settings[len(h.settings)-1], h.parameters[len(h.parameters)-1]
}
