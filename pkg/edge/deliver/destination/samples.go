package destination

import (
	"maps"
	"slices"
	"time"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Sample is an output about a customer who does not exist. It is encoded by the code that encodes all outputs, so it has every field that
// they have: templates and filters are tried with it.
func Sample(t output.Topic) *Message {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()
	about := output.About{
		ID: output.ID{Offset: 1}, Customer: "sample-customer", AsOf: at, Sequence: 2,
		Cause: output.Some("sample-event"), Currency: money.Unit{Code: "EUR", Currency: "EUR", Decimals: 2},
	}
	model := output.Model{Name: "mbg_nbd", Version: 1, Status: "fitted"}
	reasons := output.ReasonsOf("This is a sample.")
	var value []byte
	switch t {
	case output.CLV:
		value = (&output.CLVUpdated{
			About: about, Model: model, Historic: 12000, Predicted: output.Some[int64](8000), Total: output.Some[int64](20000), HorizonDays: 365,
			Orders: 3, PredictedOrders: output.Some(2.0), AverageOrderValue: output.Some[int64](4000), ValueTier: output.Some("top_10"), Reasons: reasons,
			Previous: output.Some(output.PreviousCLV{Historic: 8000, Predicted: output.Some[int64](7000), Total: output.Some[int64](15000), Orders: 2, ValueTier: output.Some("top_20")}),
		}).Append(nil)
	case output.ChurnRisk:
		value = (&output.ChurnRiskUpdated{
			About: about, Model: model, Probability: output.Some(0.7), Risk: "high", HorizonDays: 90, PurchaseInHorizon: output.Some(0.2),
			DaysSinceLastOrder: output.Some(80.0), LastOrderAt: output.Some(at), Reasons: reasons,
			Previous: output.Some(output.PreviousChurnRisk{Probability: output.Some(0.4), Risk: "medium"}),
		}).Append(nil)
	case output.PromoterStatus:
		value = (&output.PromoterStatusUpdated{
			About: about, Score: output.Some[int64](10), Category: "promoter", Responses: 2, AverageScore: output.Some(9.0), LastRespondedAt: output.Some(at),
			ResponseID: output.Some("sample-response"), SurveyID: output.Some("sample-survey"), Intent: output.Some(true), Reasons: reasons,
			Previous: output.Some(output.PreviousPromoterStatus{Score: output.Some[int64](8), Category: "passive", Responses: 1}),
		}).Append(nil)
	case output.Alerts:
		value = (&output.Alert{
			About: about, AlertID: "sample-alert", Rule: "sample_rule", Severity: "warning", Group: treated, RaisedAt: at, ValueAtStake: output.Some[int64](5600), Reasons: reasons,
			Metric: "churn_probability", Value: output.ProbabilityMeasure(0.7), Threshold: output.ProbabilityMeasure(0.66), ClearThreshold: output.ProbabilityMeasure(0.6),
			Scores: output.Scores{
				HistoricCLV: output.Some[int64](12000), PredictedCLV: output.Some[int64](8000), TotalCLV: output.Some[int64](20000), ValueTier: output.Some("top_10"),
				ChurnProbability: output.Some(0.7), ChurnRisk: output.Some("high"), NPSScore: output.Some[int64](10), NPSCategory: output.Some("promoter"),
			},
			Previous: output.Some(output.PreviousAlert{Value: output.ProbabilityMeasure(0.5)}),
		}).Append(nil)
	case output.Milestones:
		value = (&output.Milestone{
			About: about, MilestoneID: "order_number-5", Kind: output.OrderNumber, OccurredAt: at, Number: output.Some[int64](5), Amount: output.Some[int64](4000),
			DaysSinceFirstOrder: 200, DaysSinceLastOrder: output.Some[int64](30), Orders: 5, Historic: 12000, ValueTier: output.Some("top_10"), ChurnRisk: "low",
		}).Append(nil)
	case output.Portfolio, output.Segments, output.Rejections, output.Topics:
		panic("destination: no sample of " + t.String())
	}
	m, err := Read(t, value)
	if err != nil {
		panic(err) // it was encoded above
	}
	return m
}

func (m *Message) previousFields() []string {
	previous, _ := m.Fields["previous"].(map[string]any)
	return slices.Sorted(maps.Keys(previous))
}
