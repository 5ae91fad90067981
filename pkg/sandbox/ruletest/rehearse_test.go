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

var update = flag.Bool("update", false, "write what came out into the stories of testdata")

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

// TestStories tells each story of testdata: a line is what happens, and the lines under it that begin with > are the episodes
// that it opens or closes. Run with -update after a change, and read the difference.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 30)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			under := rulesOf.FindSubmatch(want)
			require.NotNil(t, under, "a story says under which rules it is told: # Rules: FILE")
			rules, err := open(string(under[1]))
			require.NoError(t, err)
			s, err := ruletest.New(rules, open)
			require.NoError(t, err)
			var got strings.Builder
			err = s.Run(strings.NewReader(string(want)), func(line string, answers []string) error {
				got.WriteString(line + "\n")
				for _, a := range answers {
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
			seen := map[string]bool{}
			for _, e := range s.Episodes() {
				require.False(t, seen[e.AlertID])
				seen[e.AlertID] = true
			}
		})
	}
}

func TestBadLines(t *testing.T) {
	for line, want := range map[string]string{
		"yesterday purchase ada":                                `line 1: cannot be read: "yesterday" is no time`,
		"2026-01-01":                                            "what happens at 2026-01-01?",
		"2026-01-01 purchase":                                   "whose purchase?",
		"2026-01-01 purchase ada order":                         `"order", want name=value`,
		"2026-01-01 purchase ada total=much":                    "total=much is no amount",
		"2026-01-01 purchase ada colour=red":                    "purchase has no colour",
		"2026-01-01 dance ada":                                  `nothing is called "dance"`,
		"2026-01-01 settings churn=1":                           `no setting is called "churn"`,
		"2026-01-01 settings churn_high=7":                      "churn_high is 7",
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
