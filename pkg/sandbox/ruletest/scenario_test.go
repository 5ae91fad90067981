package ruletest_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/ruletest"
	"github.com/mainstay/mainstay/processors/alert"
)

var update = flag.Bool("update", false, "write the results into the scenarios of testdata")

func open(name string) ([]alert.Rule, error) {
	if name == "shipped" {
		return alert.Shipped(), nil
	}
	content, err := os.ReadFile(filepath.Join("testdata", "rules", name))
	if err != nil {
		return nil, err
	}
	return config.ParseRules(name, content)
}

var rulesOf = regexp.MustCompile(`(?m)^# Rules: (\S+)$`)

// TestScenarios runs each scenario of testdata: the lines under an event that begin with > are its expected results. Run with
// -update after a change, and read the difference.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.scenario")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 30)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scenario"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			under := rulesOf.FindSubmatch(want)
			require.NotNil(t, under, "a scenario names its rules: # Rules: FILE")
			rules, err := open(string(under[1]))
			require.NoError(t, err)
			s, err := ruletest.New(rules, open)
			require.NoError(t, err)
			var got strings.Builder
			err = s.Run(strings.NewReader(string(want)), func(line string, results []string) error {
				got.WriteString(line + "\n")
				for _, a := range results {
					got.WriteString("> " + a + "\n")
				}
				return nil
			})
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o600))
				return
			}
			require.Equal(t, string(want), got.String())
			ids := map[string]bool{}
			for _, e := range s.Episodes() {
				require.False(t, ids[e.AlertID])
				ids[e.AlertID] = true
			}
		})
	}
}

func TestBadLines(t *testing.T) {
	for line, want := range map[string]string{
		"yesterday purchase ada":                                `line 1: cannot be read: "yesterday" is no time`,
		"2026-01-01":                                            "2026-01-01 has no event",
		"2026-01-01 purchase":                                   "purchase needs a customer",
		"2026-01-01 purchase ada order":                         `"order", want name=value`,
		"2026-01-01 purchase ada total=much":                    "total=much is no amount",
		"2026-01-01 purchase ada colour=red":                    "purchase has no colour",
		"2026-01-01 dance ada":                                  `unknown event "dance"`,
		"2026-01-01 settings churn=1":                           `unknown setting "churn"`,
		"2026-01-01 settings churn_high=7":                      "churn.high: must be from 0 to 1; it is 7",
		"2026-01-01 rules none.yaml":                            "no such file",
		"2026-01-02 tick\n2026-01-01 tick":                      "line 2: time does not go back",
		"2026-01-01 referral ada by=bob id=1 status=considered": `status "considered"`,
	} {
		s, err := ruletest.New(nil, open)
		require.NoError(t, err)
		err = s.Run(strings.NewReader(line), func(string, []string) error { return nil })
		require.ErrorContains(t, err, want)
	}
}
