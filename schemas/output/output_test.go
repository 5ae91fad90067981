package output

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas"
	"github.com/mainstay/mainstay/schemas/money"
)

func unit(t testing.TB, code string) money.Unit {
	table, err := money.NewTable(nil)
	require.NoError(t, err)
	u, ok := table.Lookup([]byte(code))
	require.True(t, ok)
	return u
}

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	mbg   = Model{Name: "mbg_nbd", Version: 3, Status: "fitted"}
	about = func(u money.Unit) About {
		return About{ID: ID{2, 1001, 1}, Customer: "c1", AsOf: noon, Sequence: 7, Cause: Text("e1"), Currency: u}
	}
)

func valid(t require.TestingT, name string, event []byte) {
	text, err := schemas.JSON(name)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("mem:"+name, doc))
	s, err := c.Compile("mem:" + name)
	require.NoError(t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	require.NoError(t, err, "%s", event)
	require.NoError(t, s.Validate(parsed), "%s", event)
}

func lines(s ...string) string { return strings.Join(s, "") }

func TestCLV(t *testing.T) {
	e := CLVUpdated{
		About: about(unit(t, "EUR")), Model: mbg, Historic: 4990, Predicted: Some[int64](1001), Total: Some[int64](5991), HorizonDays: 365, Orders: 1,
		PredictedOrders: Some(.2345), AverageOrderValue: Some[int64](4990), ExpectedDateOfNextOrder: Some(noon + 1), DaysOverdue: Some(.25),
		PredictedInterval: Interval[int64]{Some[int64](0), Some[int64](2050)}, PredictedOrdersInterval: Interval[int64]{Some[int64](0), Some[int64](1)},
		Simple: Some[int64](9980), Percentile: Some(99.0), ValueTier: Text("top_10"), Reasons: ReasonsOf("+9.90 EUR earned: 100%"), Previous: Some(PreviousCLV{Historic: 1}),
	}
	require.Equal(t, lines(`{"event_id":"2-1001-1","event_type":"mainstay.customer.clv.updated.v1","customer_id":"c1","as_of":"2026-03-01T12:00:00Z","sequence":7,`,
		`"trigger":"event","cause_event_id":"e1","currency":"EUR","model":{"name":"mbg_nbd","version":3,"status":"fitted"},"historic_clv":49.90,"predicted_clv":10.01,"predicted_clv_low":0.00,"predicted_clv_high":20.50,"total_clv":59.91,`,
		`"prediction_horizon_days":365,"historic_number_of_orders":1,"predicted_number_of_orders":0.234,"predicted_number_of_orders_low":0,"predicted_number_of_orders_high":1,"average_order_value":49.90,"average_days_between_orders":null,`,
		`"expected_date_of_next_order":"2026-03-01T12:00:00.001Z","days_overdue":0.2,"simple_clv":99.80,"clv_percentile":99.0,"value_tier":"top_10","referral_value":0.00,"reasons":["+9.90 EUR earned: 100%"],`,
		`"previous":{"historic_clv":0.01,"predicted_clv":null,"total_clv":null,"historic_number_of_orders":0,"value_tier":null,"referral_value":0.00}}`), string(e.Append(nil)))
	valid(t, "clv", e.Append(nil))
	valid(t, "clv", (&CLVUpdated{About: about(unit(t, "JPY")), Model: mbg}).Append(nil))
}

// The worked example in toman: five purchases of 200,000 over two years.
func TestToman(t *testing.T) {
	irt := unit(t, "IRT")
	purchase, _, err := irt.Parse([]byte("200000"), money.Literal)
	require.NoError(t, err)
	simple, ok := irt.Minor(200000 * 2.5 * 2)
	require.True(t, ok)
	e := CLVUpdated{About: about(irt), Model: mbg, Historic: 5 * purchase, Simple: Some(simple)}
	var got map[string]any
	require.NoError(t, json.Unmarshal(e.Append(nil), &got))
	require.Equal(t, 1000000.0, got["historic_clv"])
	require.Equal(t, 1000000.0, got["simple_clv"])
	require.Equal(t, "IRT", got["currency"])
	require.Contains(t, string(e.Append(nil)), `"historic_clv":1000000,`)
}

func TestChurnRisk(t *testing.T) {
	e := ChurnRiskUpdated{
		About: about(unit(t, "EUR")), Model: mbg, Probability: Some(.66004), Risk: "high", HorizonDays: 90, PurchaseInHorizon: Some(1e-9),
		DaysSinceLastOrder: Some(58.0), LastOrderAt: Some(noon), Reasons: ReasonsOf("silence", `a "quote"`+"\n\\\x01é\xff"), Previous: Some(PreviousChurnRisk{Risk: "medium"}),
	}
	e.Trigger, e.Cause = TriggerTimer, Opt[string]{}
	require.Equal(t, lines(`{"event_id":"2-1001-1","event_type":"mainstay.customer.churn_risk.updated.v1","customer_id":"c1","as_of":"2026-03-01T12:00:00Z","sequence":7,`,
		`"trigger":"timer","cause_event_id":null,"currency":"EUR","model":{"name":"mbg_nbd","version":3,"status":"fitted"},"churn_probability":0.6600,"churn_risk":"high",`,
		`"purchase_horizon_days":90,"probability_of_purchase_in_horizon":0.0000,"days_since_last_order":58.0,"last_order_at":"2026-03-01T12:00:00Z","next_check_at":null,`,
		`"reasons":["silence","a \"quote\"\u000a\\\u0001é`+"\ufffd"+`"],"previous":{"churn_probability":null,"churn_risk":"medium"}}`), string(e.Append(nil)))
	valid(t, "churn-risk", e.Append(nil))
}

func TestPromoterStatus(t *testing.T) {
	e := PromoterStatusUpdated{About: about(unit(t, "EUR")), Score: Some[int64](9), Category: "promoter", Responses: 3, AverageScore: Some(8.0 + 2.0/3), LastRespondedAt: Some(noon), ResponseID: Text("a1")}
	require.Contains(t, string(e.Append(nil)), lines(`"nps_score":9,"nps_category":"promoter","response_count":3,"average_score":8.667,"last_responded_at":"2026-03-01T12:00:00Z",`,
		`"response_id":"a1","survey_id":null,"comment":null,"intent":null,"action":false,"referred_customers":0,"reasons":[],"previous":null}`))
	valid(t, "promoter-status", e.Append(nil))
	e.Previous, e.Intent, e.Action, e.Referred = Some(PreviousPromoterStatus{Category: "unknown"}), Some(true), true, 2
	require.Contains(t, string(e.Append(nil)), `"intent":true,"action":true,"referred_customers":2,"reasons":[],`)
	require.Contains(t, string(e.Append(nil)), `"previous":{"nps_score":null,"nps_category":"unknown","response_count":0}}`)
	valid(t, "promoter-status", e.Append(nil))
}

func TestAlert(t *testing.T) {
	e := Alert{
		About: about(unit(t, "EUR")), AlertID: "ep1", Rule: "high_value_at_risk", Severity: "warning", Initial: true, RaisedAt: noon, ValueAtStake: Some[int64](12345), Metric: "churn_probability",
		Value: ProbabilityMeasure(.7), Threshold: ProbabilityMeasure(.66), ClearThreshold: MoneyMeasure(5), Scores: Scores{TotalCLV: Some[int64](5), ChurnRisk: Text("high")},
	}
	require.Contains(t, string(e.Append(nil)), lines(`"alert_id":"ep1","state":"raised","rule":"high_value_at_risk","severity":"warning","initial":true,"raised_at":"2026-03-01T12:00:00Z",`,
		`"cleared_at":null,"cleared_reason":null,"value_at_stake":123.45,"reasons":[],"metric":"churn_probability","value":0.7000,"threshold":0.6600,"clear_threshold":0.05,`,
		`"scores":{"historic_clv":null,"predicted_clv":null,"total_clv":0.05,"value_tier":null,"churn_probability":null,"churn_risk":"high","nps_score":null,"nps_category":null},"previous":null}`))
	require.Contains(t, string(e.Append(nil)), `"event_type":"mainstay.alert.raised.v1"`)
	valid(t, "alert", e.Append(nil))
	e.Cleared, e.ClearedAt, e.ClearedReason, e.Previous = true, Some(noon), Text("condition"), Some(PreviousAlert{Value: CountMeasure(2)})
	e.Value = DaysMeasure(3)
	require.Contains(t, string(e.Append(nil)), `"value":3.0,`)
	require.Contains(t, string(e.Append(nil)), `"previous":{"state":"raised","value":2.000}}`)
	require.Contains(t, string(e.Append(nil)), `"event_type":"mainstay.alert.cleared.v1"`)
	valid(t, "alert", e.Append(nil))
	valid(t, "alert", (&Alert{About: about(unit(t, "EUR")), Severity: "info"}).Append(nil))
}

func TestPortfolioAndRejection(t *testing.T) {
	p := PortfolioUpdated{About: about(unit(t, "EUR")), State: PortfolioFinal, Customers: 5, Prospects: 4, Active: 3, Low: 2, NPS: Some(-33.333), HistoricRevenue: 5, CustomerEquity: 6, PredictedOrders: Some(1.25), PredictedOrdersInterval: Interval[int64]{Low: Some[int64](0), High: Some[int64](3)}, FutureInterval: Interval[int64]{Low: Some[int64](7), High: Some[int64](8)}, AverageCLV: Some[int64](1), Top10: Some[int64](9), CancelReasons: []CancelReason{{Reason: Text("price"), Orders: 1, Refunds: 2, Subscriptions: 3, Accounts: 4}, {Refunds: 1}}}
	require.Contains(t, string(p.Append(nil)), lines(`"event_type":"mainstay.portfolio.updated.v1","as_of":"2026-03-01T12:00:00Z","trigger":"event","cause_event_id":"e1","currency":"EUR","state":"final","customers":5,"prospects":4,`,
		`"active_customers":3,"churn_risk":{"low":2,"medium":0,"high":0,"none":0,"churned":0},"promoters":0,"passives":0,"detractors":0,"nps":-33.3,"cancel_reasons":[{"reason":"price","orders":1,"refunds":2,"subscriptions":3,"accounts":4},{"reason":null,"orders":0,"refunds":1,"subscriptions":0,"accounts":0}],"historic_revenue":0.05,"future_value":0.00,"future_value_low":0.07,"future_value_high":0.08,"predicted_number_of_orders":1.250,"predicted_number_of_orders_low":0,"predicted_number_of_orders_high":3,"customer_equity":0.06,`,
		`"average_clv":0.01,"tiers":{"top_10":0.09,"top_20":null},"customer_equity_change":null,"newest_cohort":null,"equity_drivers":null,"previous":null}`))
	valid(t, "portfolio", p.Append(nil))
	p.EquityChange = Some(EquityChange{Since: noon, Parts: []int64{1, -2, 3, 4, 5, 6, 7, 8}})
	p.Cohort = Some(Cohort{Month: "2026-02", NewCustomers: 3, EquityPerNewCustomer: 150})
	p.Drivers = []EquityDriver{{Name: "value", Responses: 2, MeanScore: Some(7.5), StandardError: Some(.25)}, {Name: "brand"}, {Name: "relationship"}}
	require.Contains(t, string(p.Append(nil)), lines(`"customer_equity_change":{"since":"2026-03-01T12:00:00Z","new_customers":0.01,"purchases":-0.02,"silence":0.03,"lost":0.04,"model":0.05,"settings":0.06,"late_events":0.07,"erased":0.08},`,
		`"newest_cohort":{"month":"2026-02","new_customers":3,"equity_per_new_customer":1.50},"equity_drivers":{"value":{"responses":2,"mean_score":7.500,"standard_error":0.250},`,
		`"brand":{"responses":0,"mean_score":null,"standard_error":null},"relationship":{"responses":0,"mean_score":null,"standard_error":null}},"previous":null}`))
	valid(t, "portfolio", p.Append(nil))
	p.Previous = Some(PreviousPortfolio{Customers: 4})
	valid(t, "portfolio", p.Append(nil))

	r := Rejection{About: about(unit(t, "EUR")), Reason: OverRefund, Kind: "cancellation", Topic: "cancellations", Partition: 3, Offset: 12, Excess: Some[int64](100)}
	require.Equal(t, lines(`{"event_id":"2-1001-1","event_type":"mainstay.rejection.v1","customer_id":"c1","as_of":"2026-03-01T12:00:00Z","trigger":"event","cause_event_id":"e1","currency":"EUR",`,
		`"reason":"over_refund","kind":"cancellation","origin":{"topic":"cancellations","partition":3,"offset":12},"excess":1.00}`), string(r.Append(nil)))
	valid(t, "rejection", r.Append(nil))
	for _, reason := range []string{EventConflict, OrderConflict, OrderForgotten, OverRefund, TooManyRefunds, SelfReferral, ReferralTaken, CurrencyUnknownRate, MergeCycle} {
		r.Reason = reason
		valid(t, "rejection", r.Append(nil))
	}
}

func TestFixed(t *testing.T) {
	for _, c := range []struct {
		f        float64
		decimals int
		want     string
	}{{0, 4, "0.0000"}, {math.Copysign(0, -1), 1, "0.0"}, {-.00001, 4, "0.0000"}, {-.06, 1, "-0.1"}, {.5, 4, "0.5000"}, {12.25, 1, "12.2"}, {1e20, 1, "100000000000000000000.0"}} {
		require.Equal(t, c.want, string(appendFixed(nil, c.f, c.decimals)))
	}
	rapid.Check(t, func(t *rapid.T) {
		decimals := rapid.IntRange(0, probabilityDecimals).Draw(t, "decimals")
		half := (float64(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "n")) + .5) / math.Pow10(decimals) // or as near as there is
		for _, f := range []float64{half, math.Nextafter(half, math.Inf(1)), math.Nextafter(half, math.Inf(-1)), rapid.Float64().Draw(t, "f")} {
			want := strconv.FormatFloat(f, 'f', decimals, 64)
			if strings.Trim(want, "-0.") == "" {
				want = strings.TrimPrefix(want, "-")
			}
			require.Equal(t, want, string(appendFixed(nil, f, decimals)))
		}
	})
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		l := line{}
		l.optFloat(`"x":`, Some(f), 3)
		require.Equal(t, `"x":null`, string(l.dst))
	}
}

func TestStringsAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		var got string
		require.NoError(t, json.Unmarshal(appendString(nil, s), &got))
		require.Equal(t, string([]rune(s)), got) // each byte that is no UTF-8 becomes U+FFFD
	})
}

func TestHeaders(t *testing.T) {
	envelope := NewEnvelope("mainstay", "0f3a", 2, 5)
	r := Record{Type: TypeCLV, Offset: 1 << 40, Ordinal: 3, Time: noon}
	block := envelope.AppendHeaders(nil, &r, nil)
	got := Headers(block)
	for name, want := range map[string]string{
		"ce_specversion": "1.0", "ce_id": "2-1099511627776-3", "ce_source": "/mainstay/mainstay/0f3a", "ce_type": TypeCLV, "ce_time": "2026-03-01T12:00:00Z",
		"content-type": "application/json", "mainstay_ledger_id": "0f3a", "mainstay_ledger_partition": "2", "mainstay_ledger_offset": "1099511627776", "mainstay_ordinal": "3", "mainstay_logic": "5",
	} {
		value, ok := got.Get(name)
		require.True(t, ok, name)
		require.Equal(t, want, string(value), name)
	}
	require.EqualValues(t, 11*2, block[0], "the count, as a zigzag varint")
	id, err := ParseIdentity(got.Get)
	require.NoError(t, err)
	require.Equal(t, Identity{LedgerID: "0f3a", ID: ID{2, 1 << 40, 3}, Logic: 5}, id)

	_, err = ParseIdentity(Headers(nil).Get)
	require.ErrorIs(t, err, ErrForeign)
	bad := bytes.ReplaceAll(block, []byte("1099511627776"), []byte("109951162777x"))
	_, err = ParseIdentity(Headers(bad).Get)
	require.ErrorIs(t, err, ErrForeign)
	for end := range block { // cut anywhere, it is no panic, and never another place
		if id, err := ParseIdentity(Headers(block[:end]).Get); err == nil {
			require.EqualValues(t, 1<<40, id.Offset)
		}
	}
}

// TestHeadersArePassedOn verifies that the records of a step bear the headers that are passed on beside their own, those of the next step
// do not, and what is no header block is not valid.
func TestHeadersArePassedOn(t *testing.T) {
	passed := Headers("\x02\x16traceparent\x0400")
	require.True(t, passed.Valid())
	var b Batch
	b.Begin(passed)
	b.Append(Record{Type: TypeCLV}, func(dst []byte) []byte { return append(dst, "{}"...) })
	b.AppendTombstone(Record{Type: TypeErased})
	b.Begin(nil)
	b.Append(Record{Type: TypeCLV}, func(dst []byte) []byte { return append(dst, "{}"...) })

	envelope := NewEnvelope("mainstay", "0f3a", 2, 5)
	headers := func(i int) Headers { return envelope.AppendHeaders(nil, &b.Records[i], b.Passed(&b.Records[i])) }
	for i := range 2 {
		require.True(t, headers(i).Valid())
		value, ok := headers(i).Get("traceparent")
		require.True(t, ok)
		require.Equal(t, "00", string(value))
		_, err := ParseIdentity(headers(i).Get)
		require.NoError(t, err)
	}
	_, ok := headers(2).Get("traceparent")
	require.False(t, ok)
	require.Equal(t, "{}", string(b.Value(&b.Records[0])))

	require.True(t, Headers("\x00").Valid())
	for end := range passed {
		require.False(t, passed[:end].Valid())
	}
	require.False(t, append(slices.Clone(passed), 0).Valid())
	require.False(t, Headers("\x01").Valid(), "a negative count")
}

func FuzzHeaders(f *testing.F) {
	f.Add(NewEnvelope("mainstay", "0f3a", 2, 5).AppendHeaders(nil, &Record{Type: TypeCLV}, nil))
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, block []byte) {
		if id, err := ParseIdentity(Headers(block).Get); err == nil {
			require.NotEmpty(t, id.LedgerID)
			require.GreaterOrEqual(t, id.Offset, int64(0))
			require.GreaterOrEqual(t, id.Partition, int32(0))
		}
	})
}

func TestEncodersDoNotAllocate(t *testing.T) {
	e := CLVUpdated{About: about(unit(t, "EUR")), Model: mbg, PredictedOrders: Some(1.5), Previous: Some(PreviousCLV{})}
	envelope := NewEnvelope("mainstay", "0f3a", 2, 5)
	r := Record{Type: TypeCLV}
	buf := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		buf = e.Append(buf[:0])
		buf = envelope.AppendHeaders(buf, &r, nil)
	}))
}

func BenchmarkCLV(b *testing.B) {
	e := CLVUpdated{
		About: about(unit(b, "EUR")), Model: mbg, Historic: 4990, Predicted: Some[int64](1001), Total: Some[int64](5991), HorizonDays: 365, Orders: 1,
		PredictedOrders: Some(.2345), AverageOrderValue: Some[int64](4990), AverageDaysBetweenOrders: Some(30.5), ExpectedDateOfNextOrder: Some(noon), Percentile: Some(99.0), Previous: Some(PreviousCLV{}),
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Append(buf[:0])
	}
}
