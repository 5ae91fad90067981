package alert

import (
	"math"

	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Scores are the scores of a customer at a moment.
type Scores struct {
	Value    *clv.Value
	Risk     *churn.Risk
	Promoter *promoter.Status
}

// view is what rules read of a customer.
type view struct {
	Scores

	terms    *customer.Terms
	m        customer.Moment
	customer *customer.State
}

// unit is the unit in which a metric is computed and printed.
type unit uint8

const (
	number unit = iota
	amount
	probability
	percent
	days
)

// metric is a figure that a rule can compare with a threshold. NaN is unknown, which meets no threshold.
type metric struct {
	name string
	unit unit
	most float64 // upper bound of a threshold; the lower is 0
	// bounded: the metric is never above most. negative: it may be below 0.
	bounded, negative bool
	value             func(v *view) float64
	// crosses returns the time, past or future, from which silence keeps the metric at or above a level; false: never. It is nil
	// for a metric that silence does not raise, or not at a time known in closed form: such a crossing is found when the customer
	// is next woken.
	crosses func(v *view, at float64) (int64, bool)
	// falls returns the time, past or future, from which silence keeps the metric at or below a level; false: never. It is nil for a metric
	// that silence does not lower, or not at a time known in closed form.
	falls  func(v *view, level float64) (int64, bool)
	tiered bool // depends on the thresholds of the value tiers
	// ofEngagement: it is a figure of the customer's engagement, unknown where none is known.
	ofEngagement bool
}

func metrics() []metric {
	return []metric{
		{name: "churn_probability", unit: probability, most: 1, bounded: true, value: func(v *view) float64 { return v.Risk.Probability }, crosses: func(v *view, at float64) (int64, bool) {
			return churn.Crosses(v.terms, v.Risk, v.customer, at)
		}},
		{name: "days_since_last_order", unit: days, most: 3650, value: silence, crosses: func(v *view, at float64) (int64, bool) {
			return after(v.Risk.LastAt, at), v.Risk.LastAt != 0 && v.Risk.Known()
		}},
		{name: "days_overdue", unit: days, most: 3650, value: overdue, crosses: func(v *view, at float64) (int64, bool) {
			next, ok := clv.Next(v.terms, v.customer)
			return after(next, at), ok && !v.Value.Gone
		}},
		{name: "days_without_second_order", unit: days, most: 3650, value: withoutSecond, crosses: func(v *view, at float64) (int64, bool) {
			return after(v.Risk.LastAt, at), v.Value.Orders == 1 && v.Risk.Known()
		}},
		{name: "historic_clv", unit: amount, most: mostAmount, negative: true, value: func(v *view) float64 { return float64(v.Value.Historic) }},
		{name: "predicted_clv", unit: amount, most: mostAmount, value: func(v *view) float64 { return whenKnown(v, v.Value.Predicted) }},
		{name: "total_clv", unit: amount, most: mostAmount, negative: true, value: func(v *view) float64 { return whenKnown(v, v.Value.Total()) }},
		{name: "value_at_stake", unit: amount, most: mostAmount, value: func(v *view) float64 {
			at, ok := atStake(v)
			if !ok {
				return math.NaN()
			}
			return float64(at)
		}},
		{name: "referral_value", unit: amount, most: mostAmount, value: func(v *view) float64 { return float64(v.Value.ReferralValue) }},
		{name: "number_of_orders", most: 1e6, value: func(v *view) float64 { return float64(v.Value.Orders) }},
		{name: "clv_percentile", unit: percent, most: 100, bounded: true, tiered: true, value: func(v *view) float64 {
			if v.Value.Percentile < 0 {
				return math.NaN()
			}
			return v.Value.Percentile
		}},
		{name: "value_tier", most: 2, bounded: true, tiered: true, value: func(v *view) float64 {
			switch v.Value.Tier {
			case customer.Top10:
				return 2
			case customer.Top20:
				return 1
			case customer.Rest:
				return 0
			case customer.NoTier:
			}
			return math.NaN()
		}},
		{name: "high_value_lost", most: 1, bounded: true, tiered: true, value: func(v *view) float64 {
			switch {
			case v.Value.Tier == customer.NoTier && v.Value.Orders > 0 && !v.Value.Gone:
				return math.NaN() // there are no tiers
			case v.customer.Alerts.WasHighValue && !high(v.Value.Tier):
				return 1
			}
			return 0
		}},
		{name: "nps_score", most: 10, bounded: true, value: func(v *view) float64 {
			if v.Promoter.Latest == nil {
				return math.NaN()
			}
			return float64(v.Promoter.Latest.Score)
		}},
		{name: "subscription_cancelled", most: 1, bounded: true, value: func(v *view) float64 {
			if v.customer.SubscriptionCancelled() {
				return 1
			}
			return 0
		}},
		engagementMetric("days_since_last_engagement", metric{unit: days, most: 3650, crosses: func(v *view, at float64) (int64, bool) {
			e := v.engagement()
			return after(e.LastAt, at), e.Known
		}}, func(e *customer.Engagement) float64 { return e.DaysSinceLast }),
		engagementMetric("active_days_30", metric{most: customer.ShortWindow, bounded: true, falls: func(v *view, level float64) (int64, bool) {
			return v.customer.ActiveDaysFall(v.terms, customer.ShortWindow, level)
		}}, func(e *customer.Engagement) float64 { return float64(e.ActiveDays30) }),
		engagementMetric("active_days_90", metric{most: customer.LongWindow, bounded: true, falls: func(v *view, level float64) (int64, bool) {
			return v.customer.ActiveDaysFall(v.terms, customer.LongWindow, level)
		}}, func(e *customer.Engagement) float64 { return float64(e.ActiveDays90) }),
		engagementMetric("support_contacts_90", metric{most: customer.MostSupport, bounded: true, falls: func(v *view, level float64) (int64, bool) {
			return v.customer.SupportContactsFall(v.terms, customer.LongWindow, level)
		}}, func(e *customer.Engagement) float64 { return float64(e.SupportContacts90) }),
		engagementMetric("reviews", metric{most: 1e6}, func(e *customer.Engagement) float64 { return float64(e.Reviews) }),
	}
}

// engagementMetric completes a metric by its value, which is unknown of a customer of whom no engagement is known: that says less of them
// than of what their visits are reported by.
func engagementMetric(name string, m metric, of func(e *customer.Engagement) float64) metric {
	m.name, m.ofEngagement = name, true
	m.value = func(v *view) float64 {
		e := v.engagement()
		if !e.Known {
			return math.NaN()
		}
		return of(&e)
	}
	return m
}

func (v *view) engagement() customer.Engagement { return v.customer.Engagement(v.m) }

var allMetrics = metrics() //nolint:gochecknoglobals // a constant of functions

func metricOf(name string) (*metric, bool) {
	for i := range allMetrics {
		if allMetrics[i].name == name {
			return &allMetrics[i], true
		}
	}
	return nil, false
}

// Metrics returns the names of all metrics.
func Metrics() []string {
	names := make([]string, len(allMetrics))
	for i := range allMetrics {
		names[i] = allMetrics[i].name
	}
	return names
}

// InMoney reports whether a metric is an amount of the base currency.
func InMoney(name string) bool {
	m, ok := metricOf(name)
	return ok && m.unit == amount
}

// Scale is what thresholds of a metric can be.
type Scale struct {
	Most     float64 // the upper bound; the lower is 0
	Bounded  bool    // the metric itself is never above Most
	Decimals int     // that make a difference to a person
}

// ScaleOf returns the scale of a metric; false for one that has few values, all of which mean something else.
func ScaleOf(name string) (Scale, bool) {
	m, known := metricOf(name)
	const few = 10
	if !known || m.unit == number && m.most <= few {
		return Scale{}, false
	}
	return Scale{m.most, m.bounded, [...]int{number: 0, amount: 2, probability: 4, percent: 1, days: 1}[m.unit]}, true
}

func high(t customer.Tier) bool { return t == customer.Top10 || t == customer.Top20 }

func whenKnown(v *view, minor int64) float64 {
	if !v.Value.PredictedKnown {
		return math.NaN()
	}
	return float64(minor)
}

func silence(v *view) float64 {
	if v.Risk.LastAt == 0 || !v.Risk.Known() {
		return math.NaN()
	}
	return float64(max(0, v.m.Now-v.Risk.LastAt)) / customer.DayMS
}

func overdue(v *view) float64 {
	next, ok := clv.Next(v.terms, v.customer)
	if !ok || v.Value.Gone {
		return math.NaN()
	}
	return float64(max(0, v.m.Now-next)) / customer.DayMS
}

// withoutSecond counts the days since the only order; 0 once there is a second one.
func withoutSecond(v *view) float64 {
	//mutant:second-order-unnoticed if true
	if v.Value.Orders == 1 {
		return silence(v)
	}
	return 0
}

// after returns the time n days after at, rounded up to the ms.
func after(at int64, n float64) int64 { return at + int64(math.Ceil(float64(n*customer.DayMS))) }

// atStake returns predicted CLV x churn probability, minor units.
func atStake(v *view) (int64, bool) {
	if !v.Value.PredictedKnown || !v.Risk.Known() {
		return 0, false
	}
	return AtStake(v.terms.Unit, v.Value.Predicted, v.Risk.Probability), true
}

// AtStake is predicted CLV x churn probability, in minor units.
func AtStake(unit money.Unit, predicted int64, probability float64) int64 {
	return unit.Round(int64(math.RoundToEven(float64(float64(predicted) * probability))))
}

// scale is the factor by which values other than amounts are stored as integers.
const scale = 10_000

func (c *compiled) keep(v float64) int64 {
	switch {
	case math.IsNaN(v):
		return 0
	case c.metric.unit == amount:
		return int64(v)
	}
	return int64(math.RoundToEven(v * scale))
}

func (c *compiled) kept(v int64) float64 {
	if c.metric.unit == amount {
		return float64(v)
	}
	return float64(v) / scale
}

func (c *compiled) measure(v float64) output.Measure {
	switch {
	case math.IsNaN(v):
		return output.Measure{}
	case c.metric.unit == amount:
		return output.MoneyMeasure(int64(v))
	case c.metric.unit == probability:
		return output.ProbabilityMeasure(v)
	case c.metric.unit == percent:
		return output.PercentMeasure(v)
	case c.metric.unit == days:
		return output.DaysMeasure(v)
	}
	return output.CountMeasure(v)
}
