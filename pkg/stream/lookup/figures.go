package lookup

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Columns are all columns, in the order in which they are printed: every field of the outputs clv, churn-risk and promoter-status but what was
// published before, what a list for people needs besides, and the attributes of these names.
func Columns(attributes []string) []Column {
	all := []Column{
		label("customer_id", func(l *Listed) string { return l.Scores.Customer }),
		amount("value_at_stake", func(l *Listed) output.Opt[int64] { return l.Scores.ValueAtStake() }),
		amount("total_clv", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.Total }),
		amount("predicted_clv", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.Predicted }),
		amount("historic_clv", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.Historic) }),
		amount("referral_value", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.ReferralValue) }),
		label("value_tier", func(l *Listed) string { return l.Scores.CLV.ValueTier.Value }),
		number("clv_percentile", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.Percentile }),
		label("churn_risk", func(l *Listed) string { return l.Scores.Churn.Risk }),
		number("churn_probability", 4, func(l *Listed) output.Opt[float64] { return l.Scores.Churn.Probability }),
		whole("historic_number_of_orders", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.Orders) }),
		amount("average_order_value", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.AverageOrderValue }),
		number("average_days_between_orders", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.AverageDaysBetweenOrders }),
		moment("last_order_at", func(l *Listed) output.Opt[int64] { return l.Scores.Churn.LastOrderAt }),
		number("days_since_last_order", 1, func(l *Listed) output.Opt[float64] { return l.Scores.Churn.DaysSinceLastOrder }),
		number("days_overdue", 1, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.DaysOverdue }),
		label("nps_category", func(l *Listed) string { return l.Scores.Promoter.Category }),
		whole("nps_score", func(l *Listed) output.Opt[int64] { return l.Scores.Promoter.Score }),
		described("When they last engaged with the shop besides buying", moment("last_engaged_at", engagement(func(e *customer.Engagement) int64 { return e.LastAt }))),
		described("When they first engaged", moment("first_engaged_at", engagement(func(e *customer.Engagement) int64 { return e.FirstAt }))),
		described("Days since last_engaged_at", number("days_since_last_engagement", 1, engagement(func(e *customer.Engagement) float64 { return e.DaysSinceLast }))),
		described("Active days among the last 30 days", number("active_days_30", 0, engagement(func(e *customer.Engagement) float64 { return float64(e.ActiveDays30) }))),
		described("Active days among the last 90 days", number("active_days_90", 0, engagement(func(e *customer.Engagement) float64 { return float64(e.ActiveDays90) }))),
		described("Support contacts within 90 days", number("support_contacts_90", 0, engagement(func(e *customer.Engagement) float64 { return float64(e.SupportContacts90) }))),
		described("Support contacts of all time", number("support_contacts", 0, engagement(func(e *customer.Engagement) float64 { return float64(e.SupportContacts) }))),
		described("Reviews of all time", number("reviews", 0, engagement(func(e *customer.Engagement) float64 { return float64(e.Reviews) }))),
		{Name: "open_alerts", About: "The rules of the alerts that were published and not cleared", kind: Words, Text: func(l *Listed) string {
			rules := make([]string, len(l.Alerts))
			for i, a := range l.Alerts {
				rules[i] = a.Rule
			}
			return strings.Join(rules, " ")
		}},
		described("Whether nobody is to act on an open alert of theirs: they are in its group control", flag("in_control", func(l *Listed) output.Opt[bool] {
			return output.Some(slices.ContainsFunc(l.Alerts, func(a processors.OpenAlert) bool { return a.IsControl() }))
		})),
		described("When an open alert of the customer was last published", moment("alerted_at", func(l *Listed) output.Opt[int64] {
			if len(l.Alerts) == 0 {
				return output.Opt[int64]{}
			}
			last := slices.MaxFunc(l.Alerts, func(a, b processors.OpenAlert) int { return cmp.Compare(a.RaisedAt, b.RaisedAt) })
			return output.Some(last.RaisedAt)
		})),
		described("When somebody marked the customer as done; null if nobody did, or the mark is another", moment("done_at", markOf(func(m *customer.CallMark) output.Opt[int64] {
			return output.Opt[int64]{Value: m.At, Known: !m.IsSnoozed()}
		}))),
		ofStaff(described("Who marked the customer as done, as they wrote", label("done_by", func(l *Listed) string {
			if m := l.Scores.Mark; m != nil && !m.IsSnoozed() {
				return m.By
			}
			return ""
		}))),
		described("Until when the customer is left out of the list of calls", moment("snoozed_until", markOf(func(m *customer.CallMark) output.Opt[int64] {
			return output.Opt[int64]{Value: m.Until, Known: m.IsSnoozed()}
		}))),
		described("In a sentence why the customer may need attention", label("why", Why)),

		moment("as_of", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.AsOf) }),
		whole("sequence", func(l *Listed) output.Opt[int64] { return output.Some(int64(l.Scores.CLV.Sequence)) }), //nolint:gosec // a count
		label("currency", func(l *Listed) string { return l.Scores.CLV.Currency.Code }),
		described("The customer credited with this customer's revenue", label("referrer_customer_id", func(l *Listed) string { return l.Scores.Referrer })),
		described("The name of the model", label("model_name", func(l *Listed) string { return l.Scores.CLV.Model.Name })),
		described("The version of the model's parameters", whole("model_version", func(l *Listed) output.Opt[int64] {
			return output.Some(int64(l.Scores.CLV.Model.Version)) //nolint:gosec // a count
		})),
		described("prior, provisional or fitted", label("model_status", func(l *Listed) string { return l.Scores.CLV.Model.Status })),
		amount("predicted_clv_low", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.PredictedInterval.Low }),
		amount("predicted_clv_high", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.PredictedInterval.High }),
		whole("prediction_horizon_days", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.CLV.HorizonDays) }),
		number("predicted_number_of_orders", 3, func(l *Listed) output.Opt[float64] { return l.Scores.CLV.PredictedOrders }),
		whole("predicted_number_of_orders_low", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.PredictedOrdersInterval.Low }),
		whole("predicted_number_of_orders_high", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.PredictedOrdersInterval.High }),
		moment("expected_date_of_next_order", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.ExpectedDateOfNextOrder }),
		amount("simple_clv", func(l *Listed) output.Opt[int64] { return l.Scores.CLV.Simple }),
		sentences("clv_reasons", func(l *Listed) *output.Reasons { return &l.Scores.CLV.Reasons }),
		whole("purchase_horizon_days", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.Churn.HorizonDays) }),
		number("probability_of_purchase_in_horizon", 4, func(l *Listed) output.Opt[float64] { return l.Scores.Churn.PurchaseInHorizon }),
		moment("next_check_at", func(l *Listed) output.Opt[int64] { return l.Scores.Churn.NextCheckAt }),
		sentences("churn_risk_reasons", func(l *Listed) *output.Reasons { return &l.Scores.Churn.Reasons }),
		whole("response_count", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.Promoter.Responses) }),
		number("average_score", 3, func(l *Listed) output.Opt[float64] { return l.Scores.Promoter.AverageScore }),
		moment("last_responded_at", func(l *Listed) output.Opt[int64] { return l.Scores.Promoter.LastRespondedAt }),
		label("response_id", func(l *Listed) string { return l.Scores.Promoter.ResponseID.Value }),
		label("survey_id", func(l *Listed) string { return l.Scores.Promoter.SurveyID.Value }),
		label("comment", func(l *Listed) string { return l.Scores.Promoter.Comment.Value }),
		flag("intent", func(l *Listed) output.Opt[bool] { return l.Scores.Promoter.Intent }),
		flag("action", func(l *Listed) output.Opt[bool] { return output.Some(l.Scores.Promoter.Action) }),
		whole("referred_customers", func(l *Listed) output.Opt[int64] { return output.Some(l.Scores.Promoter.Referred) }),
		sentences("promoter_status_reasons", func(l *Listed) *output.Reasons { return &l.Scores.Promoter.Reasons }),
	}
	for _, name := range attributes {
		all = append(all, described("An attribute of the setting attributes, as the latest event that states it has it", label(name, func(l *Listed) string { return l.Attributes[name] })))
	}
	return all
}

func markOf(of func(*customer.CallMark) output.Opt[int64]) func(*Listed) output.Opt[int64] {
	return func(l *Listed) output.Opt[int64] {
		if l.Scores.Mark == nil {
			return output.Opt[int64]{}
		}
		return of(l.Scores.Mark)
	}
}

// engagement returns a figure of the customer's engagement, not known where none is.
func engagement[T int64 | float64](of func(*customer.Engagement) T) func(*Listed) output.Opt[T] {
	return func(l *Listed) output.Opt[T] {
		e := &l.Scores.Engagement
		return output.Opt[T]{Value: of(e), Known: e.Known}
	}
}

func described(about string, c Column) Column {
	c.About = about
	return c
}

func ofStaff(c Column) Column {
	c.Staff = true
	return c
}

func label(name string, of func(*Listed) string) Column { return Column{Name: name, Text: of} }

func number(name string, decimals int, of func(*Listed) output.Opt[float64]) Column {
	return Column{
		Name: name, kind: Number, decimals: decimals,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return strconv.FormatFloat(v.Value, 'f', decimals, 64)
		},
		rank: func(l *Listed) (float64, bool) { return of(l).Value, of(l).Known },
	}
}

func whole(name string, of func(*Listed) output.Opt[int64]) Column {
	return number(name, 0, func(l *Listed) output.Opt[float64] {
		v := of(l)
		return output.Opt[float64]{Value: float64(v.Value), Known: v.Known}
	})
}

func flag(name string, of func(*Listed) output.Opt[bool]) Column {
	return Column{Name: name, kind: Flag, Text: func(l *Listed) string {
		v := of(l)
		if !v.Known {
			return ""
		}
		return strconv.FormatBool(v.Value)
	}}
}

// sentences is a column of an output's reasons. Their names are those of the outputs: each output calls its own reasons.
func sentences(name string, of func(*Listed) *output.Reasons) Column {
	about := "The reasons of the output, separated by semicolons"
	return described(about, label(name, func(l *Listed) string { return strings.Join(of(l).All(), "; ") }))
}

func amount(name string, of func(*Listed) output.Opt[int64]) Column {
	return Column{
		Name: name, kind: Amount,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return string(l.Scores.CLV.Currency.Append(nil, v.Value))
		},
		rank: func(l *Listed) (float64, bool) { return l.Scores.CLV.Currency.Major(of(l).Value), of(l).Known },
	}
}

func moment(name string, of func(*Listed) output.Opt[int64]) Column {
	return Column{
		Name: name, kind: Moment,
		Text: func(l *Listed) string {
			v := of(l)
			if !v.Known {
				return ""
			}
			return string(timestamp.Append(nil, v.Value))
		},
		rank: func(l *Listed) (float64, bool) { return float64(of(l).Value), of(l).Known },
	}
}

// Why says in a sentence why a customer may need attention.
func Why(l *Listed) string { return WhyIn(l, locale.English(), time.UTC) }

// WhyIn is the same in another language, with the days of a zone.
func WhyIn(l *Listed, in *locale.Locale, zone *time.Location) string {
	clv, churn, promoter := &l.Scores.CLV, &l.Scores.Churn, &l.Scores.Promoter
	var parts []string
	switch rhythm := clv.AverageDaysBetweenOrders; {
	case churn.Risk == "churned":
		parts = append(parts, in.T("account or subscription ended"))
	case !churn.DaysSinceLastOrder.Known:
		parts = append(parts, in.T("no standing order"))
	case rhythm.Known:
		parts = append(parts, in.F("ordered every %.0f days, silent for %.0f", rhythm.Value, churn.DaysSinceLastOrder.Value))
	default:
		parts = append(parts, in.F("one purchase day, silent for %.0f days", churn.DaysSinceLastOrder.Value))
	}
	if churn.Probability.Known {
		parts = append(parts, in.F("%.0f%% likely to be gone", 100*churn.Probability.Value))
	}
	if promoter.Category == "detractor" {
		parts = append(parts, in.F("scored %d of 10", promoter.Score.Value))
	}
	for _, a := range l.Alerts {
		parts = append(parts, in.F("%s since %s", in.C(a.Rule), in.Day(time.UnixMilli(a.RaisedAt).In(zone))))
	}
	return strings.Join(parts, in.T("; "))
}
