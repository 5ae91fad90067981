package lookup_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
)

// The segments by RFM group and by engagement are those of a recount of the scenario.
func TestSegmentsOfGroupsAndEngagement(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	type person struct{ last, orders, spent, engaged int }
	people := make([]person, 60)
	var lines [181][]string
	line := func(day int, format string, args ...any) {
		lines[day] = append(lines[day], start.AddDate(0, 0, day).Format(time.RFC3339)+" "+fmt.Sprintf(format, args...))
	}
	for i := range people {
		p := &people[i]
		p.engaged = -1
		for o := range 1 + rng.IntN(1+i%7) {
			day, total := rng.IntN(180), 5+rng.IntN(90)
			p.last, p.orders, p.spent = max(p.last, day), p.orders+1, p.spent+total
			line(day, "purchase c%02d order=%d-%d total=%d", i, i, o, total)
		}
		for range rng.IntN(3) {
			day := rng.IntN(181)
			p.engaged = max(p.engaged, day)
			line(day, "engagement c%02d type=site_visit", i)
		}
	}
	line(180, "tick")
	var scenario strings.Builder
	for _, day := range lines {
		for _, l := range day {
			scenario.WriteString(l + "\n")
		}
	}
	score := func(of func(p person) int, v int) int {
		lower := 0
		for _, p := range people {
			if of(p) < v {
				lower++
			}
		}
		return 1 + 5*lower/len(people)
	}
	want := map[string]map[string]int64{"rfm": {}, "engagement": {}}
	for _, p := range people {
		r := score(func(p person) int { return p.last }, p.last)
		f := score(func(p person) int { return p.orders }, p.orders)
		m := score(func(p person) int { return p.spent }, p.spent)
		want["rfm"][groupOf(r, float64(f+m)/2)]++
		switch {
		case p.engaged < 0:
			want["engagement"]["none"]++
		case p.engaged > 180-30:
			want["engagement"]["active_30"]++
		case p.engaged > 180-90:
			want["engagement"]["active_90"]++
		default:
			want["engagement"]["earlier"]++
		}
	}
	base, err := population.New(scenario.String())
	require.NoError(t, err)
	for name, groups := range want {
		by, err := lookup.DimensionNamed(name, nil)
		require.NoError(t, err)
		all, err := base.Segments(t.Context(), []lookup.Dimension{by})
		require.NoError(t, err)
		got := map[string]int64{}
		for _, s := range all[0].All {
			got[s.Name] = s.Customers
		}
		require.Equal(t, groups, got, name)
		require.Greater(t, len(got), 3)
	}
}

// groupOf reads the table of docs/measures.md: recency r, and the mean of frequency and monetary value.
func groupOf(r int, fm float64) string {
	switch {
	case r == 5 && fm >= 3.5:
		return "champions"
	case r >= 3 && fm >= 3.5:
		return "loyal"
	case r >= 4 && fm >= 2.5:
		return "active"
	case r == 5:
		return "new"
	case r == 3 && fm >= 2.5:
		return "needs_attention"
	case r >= 3:
		return "promising"
	case fm >= 4.5:
		return "previously_loyal"
	case fm >= 2.5:
		return "at_risk"
	case r == 2:
		return "almost_lost"
	}
	return "dormant"
}
