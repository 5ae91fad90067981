package settings_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Every setting that the ledger holds by revision is named with both values when it is the only one that differs.
func TestADifferenceNamesSettingAndBothValues(t *testing.T) {
	require.Empty(t, settings.Differences(settings.Default(), settings.Default()))
	for _, s := range settings.Table() {
		if s.Holds != settings.Revision {
			continue
		}
		changed := settings.Default()
		path, here, there := s.Path, "", ""
		switch v := s.Default.(type) {
		case int:
			s.SetValue(changed, v+1)
		case float64:
			s.SetValue(changed, v/2+.001)
		case bool:
			s.SetValue(changed, !v)
			here, there = "true", "false"
		case time.Duration:
			s.SetValue(changed, v+time.Hour)
			here, there = "1h15m0s", "15m0s"
		case string:
			other := "any text"
			if s.OneOf != nil {
				other = s.OneOf[0]
			}
			if other == v {
				other = s.OneOf[1]
			}
			s.SetValue(changed, other)
			here, there = other, v
		case []alert.Rule:
			path, here = s.Path+" "+v[0].Name, "none"
			s.SetValue(changed, v[1:])
		case nil:
			s.SetValue(changed, []*ledger.Rate{{Currency: "USD", Numerator: 9, Denominator: 10}})
			here, there = "{USD: 9/10}", "{}"
		default:
			require.Fail(t, "no such kind of setting", "%T", v)
		}
		all := settings.Differences(changed, settings.Default())
		require.Len(t, all, 1, s.Path)
		require.Equal(t, path, all[0].Path)
		require.NotEqual(t, all[0].Here, all[0].There)
		if here != "" {
			require.Equal(t, here, all[0].Here, s.Path)
		}
		if there != "" {
			require.Equal(t, there, all[0].There, s.Path)
		}
	}
	// The text of a rule has all that makes it.
	for i := range reflect.TypeFor[alert.Rule]().NumField() {
		rule := alert.Shipped()[3]
		rule.NPS = []string{"promoter"}
		before := rule.String()
		switch field := reflect.ValueOf(&rule).Elem().Field(i); v := field.Addr().Interface().(type) {
		case *string:
			*v += "x"
		case *bool:
			*v = !*v
		case *float64:
			*v += .01
		case *time.Duration:
			*v += time.Hour
		case *[]string:
			*v = append(*v, "rest")
		default:
			require.Fail(t, "no such kind of field", "%T", v)
		}
		require.NotEqual(t, before, rule.String())
	}
	rules := alert.Shipped()
	rules[0], rules[1] = rules[1], rules[0]
	swapped := settings.Default()
	swapped.AlertRules = alert.Wire(rules)
	require.Len(t, settings.Differences(swapped, settings.Default()), 1)
}
