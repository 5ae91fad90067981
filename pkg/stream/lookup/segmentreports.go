package lookup

import (
	"math"
	"slices"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/trait"
)

// heard is the trait by which word of mouth is known besides referrals.
const heard = trait.HowHeard

// SegmentReport is a report that states measures of segments. All of them come of one read of all customers.
type SegmentReport struct {
	Name     string // of the command, of the path in the API, and on the page
	By       string // the dimension, unless another one is asked for
	About    string
	Measures []measure.Measure[Segment]
	leads    bool // segments without a customer are shown if somebody in them was referred
}

// SegmentReports returns all of them.
func SegmentReports() []SegmentReport {
	return []SegmentReport{
		{"segments", "value_tier", "Groups of customers against all: value, orders, churn, promoters", SegmentMeasures(), false},
		{"onboarding", "cohort", "How customers begin: the time to the first and the second order", onboardingMeasures(), false},
		{"referrals", "cohort", "Referrals: leads, conversion, what referred customers are worth, word of mouth", referralMeasures(), true},
		{"nps", "nps_category", "Net promoter score with its standard error, and what customers do by what they say", npsMeasures(), false},
		{"matched", "membership", "Groups against others, and against others of the same tenure and tier", matchedMeasures(), false},
		{"spectrum", "value_tier", "Loyalty as a spectrum: churn probability, categories, referrals and scores side by side, as quartiles", spectrumMeasures(), false},
		{"falls", "value_tier", "How early a fall in score foretells a loss: customers lost after a lower answer, and after any other", fallMeasures(), false},
	}
}

// ReportNamed returns the report of a name that is known.
func ReportNamed(name string) SegmentReport {
	all := SegmentReports()
	return all[slices.IndexFunc(all, func(r SegmentReport) bool { return r.Name == name })]
}

// Of returns the segments that a report shows.
func (s *Segments) Of(r *SegmentReport) *Segments {
	shown := *s
	shown.All = slices.DeleteFunc(slices.Clone(s.All), func(one Segment) bool { return one.Customers == 0 && (!r.leads || one.leads == 0) })
	for i := range shown.All {
		shown.All[i].benchmark = s.NPSBenchmark
	}
	shown.Base.benchmark = s.NPSBenchmark
	return &shown
}

func fewMeasure() measure.Measure[Segment] {
	return measure.Measure[Segment]{Name: "few", Of: func(s *Segment) measure.Value { return measure.Bool(s.Few()) }}
}

// npsError is the standard error of the score: what it would vary by if as many other customers had answered. An answer counts 1, 0 or -1.
func (s *Segment) npsError() measure.Value {
	const decimals = 1000
	n := float64(s.Answered())
	if n == 0 {
		return measure.Ratio(0, 0, 1)
	}
	mean := float64(s.Promoters-s.Detractors) / n
	variance := float64(s.Promoters+s.Detractors)/n - float64(mean*mean)
	return measure.Ratio(int64(math.Round(float64(100*decimals*math.Sqrt(max(0, variance)/n)))), decimals, 1)
}

// npsAboveBenchmark is by how many points the score is above the benchmark that the shop has set.
func (s *Segment) npsAboveBenchmark() measure.Value {
	const decimals = 1000
	if !s.benchmark.Known {
		return measure.Ratio(0, 0, 1)
	}
	n := s.Answered()
	return measure.Ratio(100*decimals*(s.Promoters-s.Detractors)-n*int64(math.Round(s.benchmark.Value*decimals)), decimals*n, 1)
}

func npsMeasures() []measure.Measure[Segment] {
	return []measure.Measure[Segment]{
		{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }},
		{Name: "answered", Of: func(s *Segment) measure.Value { return measure.Number(s.Answered()) }},
		{Name: "promoters", Of: func(s *Segment) measure.Value { return measure.Number(s.Promoters) }},
		{Name: "passives", Of: func(s *Segment) measure.Value { return measure.Number(s.Passives) }},
		{Name: "detractors", Of: func(s *Segment) measure.Value { return measure.Number(s.Detractors) }},
		{Name: "nps", Better: measure.More, Of: func(s *Segment) measure.Value { return s.NPS() }},
		{Name: "nps_standard_error", Of: func(s *Segment) measure.Value { return s.npsError() }},
		{Name: "nps_above_benchmark", Better: measure.More, Of: func(s *Segment) measure.Value { return s.npsAboveBenchmark() }},
		{Name: "referring_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.referrers, s.Customers) }},
		{Name: "repeat_share", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.Share(s.Repeat, s.Customers) }},
		{Name: "average_churn_probability", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Share(s.Probability, s.Known*10_000) }},
		{Name: "lost_share", Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Share(s.Lost, s.Customers) }},
		{Name: "average_clv", Better: measure.More, Of: func(s *Segment) measure.Value { return measure.AmountPer(s.Historic+s.Predicted, s.Customers) }},
		fewMeasure(),
	}
}
