package whatif

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors/alert"
)

// raising is a history of some weeks in which a rule raises as many alerts a day as a function of its threshold says.
func raising(perDay func(at float64) float64) Source {
	const weeks = 100
	return func(_ context.Context, terms Terms) (*Result, error) {
		r := &Result{FullWeeks: weeks}
		for _, rule := range alert.FromWire(terms.Settings.GetAlertRules()) {
			n := int64(math.Round(perDay(rule.At) * daysPerWeek * weeks))
			r.Weeks = append(r.Weeks, WeekChange{Week: dateOf(0), Rule: rule.Name, After: n})
		}
		return r, nil
	}
}

func TestThresholdIsTheMildestThatRaisesSoFew(t *testing.T) {
	for name, test := range map[string]struct {
		rule   alert.Rule
		perDay func(at float64) float64
		want   float64 // raises about 10 a day
		within float64
	}{
		"above, bounded":   {alert.Rule{Metric: "churn_probability", At: .9, Clear: .45}, func(at float64) float64 { return 100 * (1 - at) }, .9, .0002},
		"below, bounded":   {alert.Rule{Metric: "churn_probability", Below: true, At: .9, Clear: .9}, func(at float64) float64 { return 100 * at }, .1, .0002},
		"above, unbounded": {alert.Rule{Metric: "days_since_last_order", At: 3}, func(at float64) float64 { return 2000 / at }, 200, .2},
		"below, unbounded": {alert.Rule{Metric: "historic_clv", Below: true, At: 5000, Clear: 5000}, func(at float64) float64 { return at / 3 }, 30, .1},
		"whole numbers":    {alert.Rule{Metric: "number_of_orders", At: 2}, func(at float64) float64 { return 95 / at }, 10, 0},
		"falls and rises":  {alert.Rule{Metric: "churn_probability", At: .5}, func(at float64) float64 { return 100 * math.Abs(at-.5) }, .6, .0002}, // 50 at 1, none at .5
	} {
		t.Run(name, func(t *testing.T) {
			rule := test.rule
			rule.Name, rule.Severity = "found", "info"
			found, err := raising(test.perDay).ThresholdFor(t.Context(), []alert.Rule{rule}, "", 10, Terms{})
			if name == "falls and rises" {
				require.ErrorIs(t, err, ErrOutOfReach, "the strictest thresholds raise more: it is not looked further")
				return
			}
			require.NoError(t, err)
			require.InDelta(t, test.want, found.Threshold, test.within)
			require.LessOrEqual(t, found.PerDay, 10.)
			require.InDelta(t, test.perDay(found.Threshold), found.PerDay, .001)
			require.NotNil(t, found.Milder)
			require.Greater(t, *found.MilderPerDay, 10.)
			if rule.Clear != 0 {
				require.InDelta(t, rule.Clear/rule.At, found.Clear/found.Threshold, .001)
			}
		})
	}
}
