package alert

import (
	"math"
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors/customer"
)

const drawn = 100_000

// within requires a count of independent draws to be at most five standard deviations from its mean.
func within(t *testing.T, count int, probability float64) {
	t.Helper()
	mean := drawn * probability
	require.InDelta(t, mean, count, 5*math.Sqrt(mean*(1-probability)))
}

func TestControlHasItsShare(t *testing.T) {
	for _, share := range []float64{.01, .1, .25, .5} {
		for _, ids := range []string{"%", "customer-%", "%@example.com"} {
			g := groups{share: share, salt: "ledger"}
			control := 0
			for i := range drawn {
				if g.of("churn_risk_high", ids[:len(ids)-1]+strconv.Itoa(i)) == customer.Control {
					control++
				}
			}
			within(t, control, share)
		}
	}
}

// Who is in control of one rule is in control of another one, or under another salt, as often as anybody.
func TestGroupsAreIndependent(t *testing.T) {
	const share = .2
	a, b := groups{share: share, salt: "a"}, groups{share: share, salt: "b"}
	rules, salts := 0, 0
	for i := range drawn {
		id := strconv.Itoa(i)
		if a.of("churn_risk_high", id) != customer.Control {
			continue
		}
		if a.of("promoter_silent", id) == customer.Control {
			rules++
		}
		if b.of("churn_risk_high", id) == customer.Control {
			salts++
		}
	}
	within(t, rules, share*share)
	within(t, salts, share*share)
}

// A greater share leaves those in control who are there.
func TestControlIsNested(t *testing.T) {
	few, more, none := groups{share: .1, salt: "a"}, groups{share: .3, salt: "a"}, groups{salt: "a"}
	for i := range drawn {
		id := strconv.Itoa(i)
		require.Zero(t, none.of("r", id))
		if few.of("r", id) == customer.Control {
			require.Equal(t, customer.Control, more.of("r", id))
		}
	}
}

// The parts of what is hashed cannot be shifted into each other, and the draw of a customer never changes: running experiments depend on it.
func TestDrawIsFixed(t *testing.T) {
	require.NotEqual(t, draw("a", "bc", "d"), draw("ab", "c", "d"))
	require.NotEqual(t, draw("a", "b", "cd"), draw("a", "bc", "d"))
	require.Equal(t, float64(xxhash.Sum64String("salt\x00churn_risk_high\x00ada")/2048)/9007199254740992, draw("salt", "churn_risk_high", "ada"))
}

// Only the rules that are named have groups.
func TestGroupsOfNamedRules(t *testing.T) {
	g := groups{share: .5, rules: NamesIn("churn_risk_high, promoter_silent")}
	require.NotZero(t, g.of("churn_risk_high", "ada"))
	require.NotZero(t, g.of("promoter_silent", "ada"))
	require.Zero(t, g.of("high_value_lost", "ada"))
	require.Empty(t, NamesIn(""))
}
