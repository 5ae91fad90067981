package lookup_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
)

// segmentOf returns the measures of a report of a scenario, of one segment.
func segmentOf(t *testing.T, scenario, report, dimension, segment string) map[string]string {
	t.Helper()
	base, err := population.New(scenario)
	require.NoError(t, err)
	by, err := lookup.DimensionNamed(dimension, nil)
	require.NoError(t, err)
	sums, err := base.Segments(t.Context(), []lookup.Dimension{by})
	require.NoError(t, err)
	got := map[string]string{}
	for _, one := range append(sums[0].All, sums[0].Base) {
		for _, m := range lookup.ReportNamed(report).Measures {
			if one.Name == segment {
				got[m.Name] = string(m.Of(&one).Append(nil, sums[0].Unit))
			}
		}
	}
	return got
}

func requireOnThePage(t *testing.T, got map[string]string, names ...string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/measures.md")
	require.NoError(t, err)
	for _, name := range names {
		example := "`" + name + "` **" + got[name] + "**"
		found := strings.Contains(string(page), example) // require.Contains would print the page
		require.True(t, found, "the page has not %s", example)
	}
}

// The worked example of docs/measures.md.
func TestMatchedOfThePage(t *testing.T) {
	got := segmentOf(t, `2026-01-01 purchase cem order=1 total=500 member=no
2028-10-01 purchase ann order=2 total=100 member=yes
2028-11-01 purchase ben order=3 total=60 member=no
2028-12-01 purchase cem order=4 total=10 member=no
2029-01-10 tick`, "matched", "membership", "yes")
	requireOnThePage(t, got, "average_revenue_365", "average_revenue_365_of_others", "average_revenue_365_beyond_matched")
	require.Equal(t, "1.0000", got["matched_share"])
}

// What follows answers is that of a recount of the scenario, whenever its events arrived. Customers buy once and are lost by closing their accounts: no silence is long enough.
func TestFallsEqualARecount(t *testing.T) {
	const last, people = 500, 120
	rng := rand.New(rand.NewPCG(7, 8))
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lines := make([][]string, last+1)
	event := func(day int, format string, args ...any) { // arrives then or later
		at := day + rng.IntN(last-day)
		lines[at] = append(lines[at], start.AddDate(0, 0, at).Format(time.RFC3339)+" "+fmt.Sprintf(format, args...)+" occurred="+start.AddDate(0, 0, day).Format(time.RFC3339))
	}
	class := func(score int) int { return map[bool]int{true: 1}[score >= 7] + map[bool]int{true: 1}[score >= 9] }
	n, days := map[string]int{}, map[string][]int{}
	for i := range people {
		bought, closed := rng.IntN(100), 150+rng.IntN(300)
		event(bought, "purchase p%d order=%d total=20", i, i)
		if i%3 > 0 {
			event(closed, "account p%d", i)
		} else {
			closed = 10 * last
		}
		before := -1
		answers := []int{rng.IntN(last - 1), rng.IntN(last - 1), rng.IntN(last - 1)}
		slices.Sort(answers)
		for _, day := range slices.Compact(answers) {
			score := rng.IntN(11)
			event(day, "survey p%d id=s%d-%d score=%d", i, i, day, score)
			kind := "steady"
			if before >= 0 && class(score) < class(before) {
				kind = "fall"
			}
			if before >= 0 && day >= bought && day < closed {
				for _, window := range []int{90, 180} {
					if day+window >= last {
						continue
					}
					n[fmt.Sprint(kind, window)]++
					if closed <= day+window {
						n[fmt.Sprint(kind, "lost", window)]++
						if window == 180 {
							days[kind] = append(days[kind], closed-day)
						}
					}
				}
			}
			before = score
		}
	}
	scenario := []string{start.Format(time.RFC3339) + " settings churn_high=0.99 survey_window_days=3650"}
	for _, day := range lines {
		scenario = append(scenario, day...)
	}
	got := segmentOf(t, strings.Join(append(scenario, start.AddDate(0, 0, last).Format(time.RFC3339)+" tick"), "\n"), "falls", "value_tier", "all")
	for _, kind := range []string{"fall", "steady"} {
		require.Greater(t, len(days[kind]), 5)
		slices.Sort(days[kind])
		k := len(days[kind])
		require.Equal(t, fmt.Sprint(n[kind+"180"]), got[kind+"_answers"], kind)
		for _, window := range []string{"90", "180"} {
			require.Equal(t, fmt.Sprintf("%.4f", float64(n[kind+"lost"+window])/float64(n[kind+window])), got[kind+"_lost_"+window], kind)
		}
		require.Equal(t, fmt.Sprintf("%.1f", float64(days[kind][(k-1)/2]+days[kind][k/2])/2), got[kind+"_median_days_to_loss"], kind)
	}
}

// The worked example of docs/measures.md: silence follows a lower answer.
func TestFallOfThePage(t *testing.T) {
	got := segmentOf(t, `2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-01-20 survey ada id=1 score=9
2026-02-10 survey ada id=2 score=5
2026-09-01 tick`, "falls", "value_tier", "all")
	requireOnThePage(t, got, "fall_answers", "fall_lost_90", "fall_lost_180", "fall_median_days_to_loss")
}

// The hundred greatest referrers have segments of their own, by their latest id; all others share one.
func TestSegmentsOfReferrers(t *testing.T) {
	scenario := []string{"2026-01-01 purchase nobody order=n total=1"}
	for i := range 102 {
		scenario = append(scenario, fmt.Sprintf("2026-01-01 referral f%03d id=%d by=r%03d", i, i, i), fmt.Sprintf("2026-01-01 purchase f%03d order=%d total=%d", i, i, 1000-i))
	}
	text := strings.Join(append(scenario, "2026-02-01 tick"), "\n")
	for segment, want := range map[string][2]string{"r000": {"1", "1000.00"}, "r099": {"1", "901.00"}, "other": {"2", "1799.00"}, "none": {"0", "0.00"}, "all": {"102", "96849.00"}} {
		got := segmentOf(t, text, "referrals", "referrer", segment)
		require.Equal(t, want, [2]string{got["converted_365"], got["referred_revenue_365"]}, segment)
	}
}
