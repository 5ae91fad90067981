package lookup_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/money"
)

// person is what a scenario says of somebody, in days since its start; -1: never.
type person struct {
	orders    []int // rising
	visit     int
	referrals []string // statuses in turn
	referrer  int      // -1: none
	score     int      // -1: no answer
	spent     int
}

// recounted are the sums of a group of people by name, and the days to the second order.
type recounted struct {
	n    map[string]float64
	days []int
}

// The measures of onboarding, referrals and NPS are those of a recount of the scenario, in total and by cohort.
func TestSegmentReportsEqualARecount(t *testing.T) {
	const last, people = 200, 120
	rng := rand.New(rand.NewPCG(5, 6))
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lines := make([][]string, last+1)
	line := func(day int, format string, args ...any) {
		lines[day] = append(lines[day], start.AddDate(0, 0, day).Format(time.RFC3339)+" "+fmt.Sprintf(format, args...))
	}
	all := make([]person, people)
	for i := range all {
		p := &all[i]
		p.visit, p.referrer, p.score = -1, -1, -1
		if rng.IntN(3) == 0 {
			p.visit = rng.IntN(last)
			line(p.visit, "engagement p%d type=site_visit", i)
		}
		if i > 20 && rng.IntN(3) == 0 {
			p.referrer, p.referrals = rng.IntN(20), [][]string{{"pending"}, {"pending", "approved"}, {"approved"}, {"approved", "voided"}}[rng.IntN(4)]
			for k, status := range p.referrals {
				line(k, "referral p%d id=r%d by=p%d status=%s", i, i, p.referrer, status)
			}
		}
		for o := range rng.IntN(4) {
			day, total := 2+rng.IntN(last-2), 5+rng.IntN(90)
			p.orders, p.spent = append(p.orders, day), p.spent+total
			line(day, "purchase p%d order=%d-%d total=%d", i, i, o, total)
		}
		slices.Sort(p.orders)
		if rng.IntN(2) == 0 {
			p.score = rng.IntN(11)
			line(last-1, "survey p%d id=s%d score=%d", i, i, p.score)
		}
	}
	line(last, "tick")
	var scenario strings.Builder
	for _, day := range lines {
		for _, l := range day {
			scenario.WriteString(l + "\n")
		}
	}
	base, err := population.New(scenario.String())
	require.NoError(t, err)

	groups := map[string]*recounted{}
	for i := range all {
		p := &all[i]
		cohort := "none"
		if len(p.orders) > 0 {
			cohort = start.AddDate(0, 0, p.orders[0]).Format("2006-01")
		}
		for _, name := range []string{"all", cohort} {
			if groups[name] == nil {
				groups[name] = &recounted{n: map[string]float64{}}
			}
			groups[name].count(all, i, last)
		}
	}
	by, err := lookup.DimensionNamed("cohort", nil)
	require.NoError(t, err)
	sums, err := base.Segments(t.Context(), []lookup.Dimension{by})
	require.NoError(t, err)
	for _, r := range lookup.SegmentReports()[1:] {
		s := sums[0].Of(&r)
		for _, one := range append(slices.Clone(s.All), s.Base) {
			for _, m := range r.Measures {
				want, known := groups[one.Name].want(m.Name)
				if math.IsNaN(want) {
					continue
				}
				require.True(t, known, "%s is not recounted", m.Name)
				require.InDelta(t, want, m.Of(&one).Float(s.Unit), 1e-3, "%s of %s", m.Name, one.Name)
			}
		}
		require.Equal(t, r.Name == "referrals", slices.ContainsFunc(s.All, func(s lookup.Segment) bool { return s.Name == "none" }), "%s shows leads", r.Name)
	}
}

func (g *recounted) count(all []person, i, last int) {
	p := &all[i]
	inForce := func(p *person) bool {
		return slices.Contains(p.referrals, "approved") && !slices.Contains(p.referrals, "voided")
	}
	if p.referrer >= 0 {
		g.n["leads"]++
		if !slices.Contains(p.referrals, "approved") {
			g.n["pending_leads"]++
		}
	}
	if len(p.orders) == 0 {
		return
	}
	g.n["customers"]++
	if inForce(p) {
		g.n["converted"]++
		g.n["referred_revenue"] += float64(p.spent)
	}
	if p.visit >= 0 && p.visit < p.orders[0] {
		g.n["visited"]++
		g.n["visit_days"] += float64(p.orders[0] - p.visit)
	}
	if len(p.orders) > 1 {
		g.days = append(g.days, p.orders[1]-p.orders[0])
		g.n["repeat"]++
	}
	for _, window := range []int{30, 60, 90} {
		if p.orders[0]+window < last {
			g.n[fmt.Sprint("passed", window)]++
			if len(p.orders) > 1 && p.orders[1]-p.orders[0] <= window {
				g.n[fmt.Sprint("second", window)]++
			}
		}
	}
	friends := 0
	for k := range all {
		if f := &all[k]; f.referrer == i && inForce(f) {
			friends++
			g.n["referral_value"] += float64(f.spent) // all their orders are after the referral
		}
	}
	g.n["referred_customers"] += float64(friends)
	if friends > 0 {
		g.n["referrers"]++
	}
	switch {
	case p.score < 0:
	case p.score >= 9:
		g.n["promoters"]++
	case p.score >= 7:
		g.n["passives"]++
	default:
		g.n["detractors"]++
	}
}

// want returns what a measure is; NaN where it is that of another report, whose test recounts it, or not known.
func (g *recounted) want(name string) (float64, bool) {
	slices.Sort(g.days)
	n, days := g.n, float64(len(g.days))
	answered := n["promoters"] + n["passives"] + n["detractors"]
	mean := (n["promoters"] - n["detractors"]) / answered
	sum, median := 0., math.NaN()
	for _, d := range g.days {
		sum += float64(d)
	}
	if k := len(g.days); k > 0 {
		median = float64(g.days[(k-1)/2]+g.days[k/2]) / 2
	}
	v, known := map[string]float64{
		"days_from_first_visit": n["visit_days"] / n["visited"], "with_second_order": days, "median_days_to_second_order": median, "average_days_to_second_order": sum / days,
		"second_order_30": n["second30"] / n["passed30"], "second_order_60": n["second60"] / n["passed60"], "second_order_90": n["second90"] / n["passed90"],
		"lead_conversion": n["converted"] / n["leads"], "referred_share": n["converted"] / n["customers"], "word_of_mouth_share": n["converted"] / n["customers"],
		"referring_share": n["referrers"] / n["customers"], "viral_factor": n["referred_customers"] / n["customers"], "referral_value_per_referrer": n["referral_value"] / n["referrers"],
		"answered": answered, "nps": 100 * mean, "nps_standard_error": math.NaN(), "repeat_share": n["repeat"] / n["customers"],
		"few":         map[bool]float64{true: 1}[n["customers"] < 30],
		"average_clv": math.NaN(), "average_clv_of_referred": math.NaN(), "average_churn_probability": math.NaN(), "lost_share": math.NaN(),
	}[name]
	if !known {
		switch name {
		case "customers", "leads", "pending_leads", "converted", "referred_revenue", "referrers", "referred_customers", "referral_value", "promoters", "passives", "detractors":
			return n[name], true
		}
	}
	if name == "nps_standard_error" { // of an answer that counts 1, 0 or -1: from the three deviations
		square := func(x float64) float64 { return x * x }
		variance := (n["promoters"]*square(1-mean) + n["passives"]*square(mean) + n["detractors"]*square(-1-mean)) / answered
		return 100 * math.Sqrt(variance/answered), true
	}
	return v, known
}

// The worked example of docs/measures.md: of 100 answers 50 are promoters', 30 passives' and 20 detractors'.
func TestStandardErrorOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/measures.md")
	require.NoError(t, err)
	report := lookup.ReportNamed("nps")
	var got []string
	for _, m := range report.Measures {
		if name := m.Name; name == "nps" || name == "nps_standard_error" {
			got = append(got, string(m.Of(&lookup.Segment{Sums: segment.Sums{Promoters: 50, Passives: 30, Detractors: 20}}).Append(nil, money.Unit{})))
		}
	}
	require.Len(t, got, 2)
	require.Contains(t, string(page), "`nps` **"+got[0]+"**")
	require.Contains(t, string(page), "`nps_standard_error` **"+got[1]+"**")
}
