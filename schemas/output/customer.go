package output

// CLVUpdated is mainstay.customer.clv.updated.v1. Amounts are minor units of About.Currency; times ms.
type CLVUpdated struct {
	About
	Model                    Model
	Historic                 int64
	Predicted                Opt[int64]
	Total                    Opt[int64]
	HorizonDays              int64
	Orders                   int64 // number of standing orders
	PredictedOrders          Opt[float64]
	PredictedOrdersInterval  Interval[int64] // 80%
	PredictedInterval        Interval[int64] // 80%, of Predicted
	AverageOrderValue        Opt[int64]
	AverageDaysBetweenOrders Opt[float64] // between purchase days
	ExpectedDateOfNextOrder  Opt[int64]   // fixed at the last order, not moved by silence
	DaysOverdue              Opt[float64] // since that date passed
	Simple                   Opt[int64]
	Percentile               Opt[float64] // 0-100
	ValueTier                Opt[string]  // top_10, top_20, rest
	ReferralValue            int64        // sum of the credits for customers whom the customer referred; not part of any CLV
	Reasons                  Reasons      // what has moved the value since it was last published
	Previous                 Opt[PreviousCLV]
}

// Interval holds the bounds between which a future figure lies with a stated probability; unknown where the figure is.
type Interval[T any] struct{ Low, High Opt[T] }

// PreviousCLV holds the figures last published.
type PreviousCLV struct {
	Historic      int64
	Predicted     Opt[int64]
	Total         Opt[int64]
	Orders        int64
	ValueTier     Opt[string]
	ReferralValue int64
}

// Append appends the output as JSON.
func (e *CLVUpdated) Append(dst []byte) []byte {
	l := e.begin(dst, TypeCLV)
	e.Model.append(&l)
	l.money(`,"historic_clv":`, e.Historic)
	l.optMoney(`,"predicted_clv":`, e.Predicted)
	l.optMoney(`,"predicted_clv_low":`, e.PredictedInterval.Low)
	l.optMoney(`,"predicted_clv_high":`, e.PredictedInterval.High)
	l.optMoney(`,"total_clv":`, e.Total)
	l.whole(`,"prediction_horizon_days":`, e.HorizonDays)
	l.whole(`,"historic_number_of_orders":`, e.Orders)
	l.optFloat(`,"predicted_number_of_orders":`, e.PredictedOrders, countDecimals)
	l.optWhole(`,"predicted_number_of_orders_low":`, e.PredictedOrdersInterval.Low)
	l.optWhole(`,"predicted_number_of_orders_high":`, e.PredictedOrdersInterval.High)
	l.optMoney(`,"average_order_value":`, e.AverageOrderValue)
	l.optFloat(`,"average_days_between_orders":`, e.AverageDaysBetweenOrders, dayDecimals)
	l.optTime(`,"expected_date_of_next_order":`, e.ExpectedDateOfNextOrder)
	l.optFloat(`,"days_overdue":`, e.DaysOverdue, dayDecimals)
	l.optMoney(`,"simple_clv":`, e.Simple)
	l.optFloat(`,"clv_percentile":`, e.Percentile, percentDecimals)
	l.optText(`,"value_tier":`, e.ValueTier)
	l.money(`,"referral_value":`, e.ReferralValue)
	l.reasons(&e.Reasons)
	if p := &e.Previous.Value; e.Previous.Known {
		l.key(`,"previous":{`)
		l.money(`"historic_clv":`, p.Historic)
		l.optMoney(`,"predicted_clv":`, p.Predicted)
		l.optMoney(`,"total_clv":`, p.Total)
		l.whole(`,"historic_number_of_orders":`, p.Orders)
		l.optText(`,"value_tier":`, p.ValueTier)
		l.money(`,"referral_value":`, p.ReferralValue)
		l.close()
	} else {
		l.key(`,"previous":null`)
	}
	l.close()
	return l.dst
}

// ChurnRiskUpdated is mainstay.customer.churn_risk.updated.v1.
type ChurnRiskUpdated struct {
	About
	Model              Model
	Probability        Opt[float64] // 1 - P(alive) as of AsOf; unknown without a standing order, or churned
	Risk               string       // low, medium, high, none, churned
	HorizonDays        int64        // of the purchase probability
	PurchaseInHorizon  Opt[float64]
	DaysSinceLastOrder Opt[float64]
	LastOrderAt        Opt[int64]
	NextCheckAt        Opt[int64] // time at which silence alone changes the risk
	Reasons            Reasons
	Previous           Opt[PreviousChurnRisk]
}

// PreviousChurnRisk holds the risk last published.
type PreviousChurnRisk struct {
	Probability Opt[float64]
	Risk        string
}

// Append appends the output as JSON.
func (e *ChurnRiskUpdated) Append(dst []byte) []byte {
	l := e.begin(dst, TypeChurnRisk)
	e.Model.append(&l)
	l.optFloat(`,"churn_probability":`, e.Probability, probabilityDecimals)
	l.text(`,"churn_risk":`, e.Risk)
	l.whole(`,"purchase_horizon_days":`, e.HorizonDays)
	l.optFloat(`,"probability_of_purchase_in_horizon":`, e.PurchaseInHorizon, probabilityDecimals)
	l.optFloat(`,"days_since_last_order":`, e.DaysSinceLastOrder, dayDecimals)
	l.optTime(`,"last_order_at":`, e.LastOrderAt)
	l.optTime(`,"next_check_at":`, e.NextCheckAt)
	l.reasons(&e.Reasons)
	if p := &e.Previous.Value; e.Previous.Known {
		l.key(`,"previous":{`)
		l.optFloat(`"churn_probability":`, p.Probability, probabilityDecimals)
		l.text(`,"churn_risk":`, p.Risk)
		l.close()
	} else {
		l.key(`,"previous":null`)
	}
	l.close()
	return l.dst
}

// PromoterStatusUpdated is mainstay.customer.promoter_status.updated.v1.
type PromoterStatusUpdated struct {
	About
	Score           Opt[int64]   // of the latest response that counts, 0-10
	Category        string       // promoter, passive, detractor, unknown
	Responses       int64        // number of NPS responses that are within the survey window and not excluded
	AverageScore    Opt[float64] // of those
	LastRespondedAt Opt[int64]
	ResponseID      Opt[string]
	SurveyID        Opt[string]
	Comment         Opt[string] // unknown unless surveys.keep_comments
	Intent          Opt[bool]   // the customer says that they would recommend the shop; unknown without a response
	Action          bool        // the customer has recommended it: they are credited for a referred customer
	Referred        int64       // number of referred customers for whom they are credited
	Reasons         Reasons     // what has moved the status since it was last published
	Previous        Opt[PreviousPromoterStatus]
}

// PreviousPromoterStatus holds the status last published.
type PreviousPromoterStatus struct {
	Score     Opt[int64]
	Category  string
	Responses int64
}

// Append appends the output as JSON.
func (e *PromoterStatusUpdated) Append(dst []byte) []byte {
	l := e.begin(dst, TypePromoterStatus)
	l.optWhole(`,"nps_score":`, e.Score)
	l.text(`,"nps_category":`, e.Category)
	l.whole(`,"response_count":`, e.Responses)
	l.optFloat(`,"average_score":`, e.AverageScore, scoreDecimals)
	l.optTime(`,"last_responded_at":`, e.LastRespondedAt)
	l.optText(`,"response_id":`, e.ResponseID)
	l.optText(`,"survey_id":`, e.SurveyID)
	l.optText(`,"comment":`, e.Comment)
	l.optBool(`,"intent":`, e.Intent)
	l.bool(`,"action":`, e.Action)
	l.whole(`,"referred_customers":`, e.Referred)
	l.reasons(&e.Reasons)
	if p := &e.Previous.Value; e.Previous.Known {
		l.key(`,"previous":{`)
		l.optWhole(`"nps_score":`, p.Score)
		l.text(`,"nps_category":`, p.Category)
		l.whole(`,"response_count":`, p.Responses)
		l.close()
	} else {
		l.key(`,"previous":null`)
	}
	l.close()
	return l.dst
}
