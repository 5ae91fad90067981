package lookup_test

import (
	"cmp"
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
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// person is what a scenario says of somebody, in days since its start; -1: never.
type person struct {
	orders    []int // rising
	visit     int
	referrals []string // statuses in turn
	referrer  int      // -1: none
	score     int      // -1: no answer
	spent     int

	totals     []int // of the orders
	categories map[int]bool
	member     string
	path       string // the channels of the first and of the last order
	friends    int
	tier, risk string // as the customer's own figures have them
	chance     float64
}

// value returns what a customer adds to a figure that is compared with that of others.
func (p *person) value(figure string, last int) (v float64) {
	switch {
	case figure == "repeat_share" && len(p.orders) > 1, figure == "lost_share" && (p.risk == "high" || p.risk == "churned"):
		return 1
	case figure == "average_revenue_365":
		for i, day := range p.orders {
			if day > last-365 {
				v += float64(p.totals[i])
			}
		}
	}
	return v
}

// recounted are the sums of a group of people by name, and the days to the second order.
type recounted struct {
	n    map[string]float64
	days []int
	rows []*person // customers
	all  *recounted
	last int
	also map[string]float64 // of like
}

// The measures of onboarding, referrals and NPS are those of a recount of the scenario, in total and by cohort.
func TestSegmentReportsEqualARecount(t *testing.T) {
	const last, people = 800, 160
	rng := rand.New(rand.NewPCG(5, 6))
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lines := make([][]string, last+1)
	line := func(day int, format string, args ...any) {
		lines[day] = append(lines[day], start.AddDate(0, 0, day).Format(time.RFC3339)+" "+fmt.Sprintf(format, args...))
	}
	line(1, "thresholds top_10=200 top_20=120")
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
			p.orders = append(p.orders, 2+300*rng.IntN(2)+rng.IntN(last-310)+o)
		}
		slices.Sort(p.orders)
		p.orders = slices.Compact(p.orders)
		p.categories = map[int]bool{}
		for o, day := range p.orders { // each arrives then or later
			total, category, channel := 5+rng.IntN(90), rng.IntN(5), []string{"web", "store"}[rng.IntN(2)]
			p.member = []string{"yes", "no"}[rng.IntN(2)]
			p.totals, p.spent, p.categories[category] = append(p.totals, total), p.spent+total, true
			if p.path = strings.Split(p.path, " ")[0] + " > " + channel; o == 0 {
				p.path = channel + " > " + channel
			}
			line(day+rng.IntN(last-day), "purchase p%d order=%d-%d total=%d occurred=%s channel=%s category=c%d member=%s", i, i, o, total,
				start.AddDate(0, 0, day).Format(time.RFC3339), channel, category, p.member)
		}
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

	for i := range all {
		if p := &all[i]; len(p.orders) > 0 {
			profile, err := base.Profile(t.Context(), fmt.Sprint("p", i))
			require.NoError(t, err)
			scores := &profile.Scores
			p.tier, p.risk, p.chance = scores.CLV.ValueTier.Value, scores.Churn.Risk, scores.Churn.Probability.Value
		}
	}
	for name, of := range map[string]func(p *person) string{
		"cohort":       func(p *person) string { return start.AddDate(0, 0, p.orders[0]).Format("2006-01") },
		"membership":   func(p *person) string { return p.member },
		"channel_path": func(p *person) string { return p.path },
	} {
		groups := map[string]*recounted{"all": {n: map[string]float64{}, last: last}}
		for i := range all {
			segment := "none"
			if len(all[i].orders) > 0 {
				segment = of(&all[i])
			}
			for _, name := range []string{"all", segment} {
				if groups[name] == nil {
					groups[name] = &recounted{n: map[string]float64{}, all: groups["all"], last: last}
				}
				groups[name].count(all, i, last)
			}
		}
		requireRecounted(t, base, name, groups)
	}
}

func requireRecounted(t *testing.T, base *population.Population, dimension string, groups map[string]*recounted) {
	t.Helper()
	by, err := lookup.DimensionNamed(dimension, nil)
	require.NoError(t, err)
	sums, err := base.Segments(t.Context(), []lookup.Dimension{by})
	require.NoError(t, err)
	sums[0].NPSBenchmark = output.Some(30.5)
	for _, r := range lookup.SegmentReports()[1:] {
		if r.Name == "falls" {
			continue // TestFallsEqualARecount
		}
		s := sums[0].Of(&r)
		for _, one := range append(slices.Clone(s.All), s.Base) {
			for _, m := range r.Measures {
				want, known := groups[one.Name].want(m.Name)
				if math.IsNaN(want) {
					continue
				}
				require.True(t, known, "%s is not recounted", m.Name)
				delta := 1e-3
				if m.Of(&one).Kind() == measure.Money {
					delta = .01 // sums are rounded to minor units
				}
				require.InDelta(t, want, m.Of(&one).Float(s.Unit), delta, "%s of %s", m.Name, one.Name)
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
	g.rows = append(g.rows, p)
	if inForce(p) {
		g.n["converted"]++
		g.n["referred_revenue"] += float64(p.spent)
		g.n["referred_revenue_365"] += p.value("average_revenue_365", last)
		if p.orders[0] > last-365 {
			g.n["converted_365"]++
		}
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
	p.friends = friends
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

// quartile is the least of the values that at least so many quarters of them do not exceed.
func quartile(values []float64, quarters int) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[(quarters*len(values)+3)/4-1]
}

// compared recounts a figure of the group against that of others, and against others like each of its customers.
func (g *recounted) compared(figure string) (own, others, beyond, matched float64) {
	if g.all == nil {
		g = &recounted{rows: g.rows, all: g, last: g.last}
	}
	n, sum := 0., 0.
	for _, p := range g.rows {
		own += p.value(figure, g.last) / float64(len(g.rows))
		like, m := 0., 0.
		for _, o := range g.all.rows {
			if !slices.Contains(g.rows, o) && o.tier == p.tier && (g.last-o.orders[0])/365 == (g.last-p.orders[0])/365 {
				like, m = like+o.value(figure, g.last), m+1
			}
		}
		if m > 0 {
			sum, matched = sum+p.value(figure, g.last)-like/m, matched+1
		}
	}
	for _, o := range g.all.rows {
		if !slices.Contains(g.rows, o) {
			others, n = others+o.value(figure, g.last), n+1
		}
	}
	return own, others / n, sum / matched, matched / float64(len(g.rows))
}

// like are the measures of compared and of quartiles.
func (g *recounted) like() map[string]float64 {
	all := map[string]float64{}
	for _, figure := range []string{"average_revenue_365", "repeat_share", "lost_share"} {
		all[figure], all[figure+"_of_others"], all[figure+"_beyond_matched"], all["matched_share"] = g.compared(figure)
	}
	values, bought := map[string][]float64{}, map[int]bool{}
	for _, p := range g.rows {
		values["churn_probability"] = append(values["churn_probability"], math.Round(100*p.chance)/100)
		values["category_share"] = append(values["category_share"], float64(len(p.categories)))
		values["referred"] = append(values["referred"], float64(p.friends))
		if p.score >= 0 {
			values["score"] = append(values["score"], float64(p.score))
		}
	}
	whole := cmp.Or(g.all, g)
	spent := func(rows []*person) (sum float64) {
		for _, p := range rows {
			sum += float64(p.spent)
			for c := range p.categories {
				bought[c] = true
			}
		}
		return sum
	}
	all["revenue_share"] = spent(g.rows) / spent(whole.rows)
	for _, name := range []string{"churn_probability", "category_share", "referred", "score"} {
		for q := range 3 {
			v := quartile(values[name], q+1)
			if name == "category_share" {
				v /= float64(len(bought))
			}
			all[fmt.Sprint(name, "_", 25*(q+1))] = v
		}
	}
	return all
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
		"few":                 map[bool]float64{true: 1}[n["customers"] < 30],
		"nps_above_benchmark": 100*mean - 30.5,
		"average_clv":         math.NaN(), "average_clv_of_referred": math.NaN(), "average_churn_probability": math.NaN(), "referred_equity": math.NaN(),
	}[name]
	if g.also == nil {
		g.also = g.like()
	}
	if like, compared := g.also[name]; compared {
		return like, true
	}
	if !known {
		switch name {
		case "customers", "leads", "pending_leads", "converted", "referred_revenue", "referrers", "referred_customers", "referral_value", "converted_365", "referred_revenue_365", "promoters", "passives", "detractors":
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
		if name := m.Name; name == "nps" || name == "nps_standard_error" || name == "nps_above_benchmark" {
			shown := (&lookup.Segments{Base: lookup.Segment{Sums: segment.Sums{Promoters: 50, Passives: 30, Detractors: 20}}, NPSBenchmark: output.Some(45.)}).Of(&report)
			got = append(got, string(m.Of(&shown.Base).Append(nil, money.Unit{})))
		}
	}
	require.Len(t, got, 3)
	require.Contains(t, string(page), "`nps_above_benchmark` **"+got[2]+"**")
	require.Contains(t, string(page), "`nps` **"+got[0]+"**")
	require.Contains(t, string(page), "`nps_standard_error` **"+got[1]+"**")
}
