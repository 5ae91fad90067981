package output

// PortfolioUpdated is mainstay.portfolio.updated.v1: figures of all customers together. Its key is PortfolioKey; it has no customer
// and no sequence. Amounts are minor units.
type PortfolioUpdated struct {
	About
	State      string // PortfolioProvisional or PortfolioFinal
	Customers  int64  // with a standing order
	Prospects  int64  // without one: referrers, survey answers, customers whose orders were all cancelled
	Active     int64  // customers who are not churned
	Low        int64  // customers and prospects by churn class
	Medium     int64
	High       int64
	None       int64
	Churned    int64
	Promoters  int64
	Passives   int64
	Detractors int64
	NPS        Opt[float64] // -100 to 100
	// HistoricRevenue is the sum of historic CLV over customers and prospects, FutureValue that of predicted CLV over customers, and
	// CustomerEquity that of total CLV over customers.
	HistoricRevenue, FutureValue, CustomerEquity int64
	// PredictedOrders is the expected number of orders of all customers within the prediction horizon. The intervals contain the
	// number, and what it is worth, with a probability of 80%.
	PredictedOrders         Opt[float64]
	PredictedOrdersInterval Interval[int64]
	FutureInterval          Interval[int64]

	// CancelReasons counts the cancellations of customers and prospects, the most frequent reason first.
	CancelReasons []CancelReason

	AverageCLV   Opt[int64] // customer equity per customer
	Top10, Top20 Opt[int64] // total CLV from which the value tiers begin

	// Of a final portfolio alone.
	EquityChange Opt[EquityChange] // unknown: not all partitions have closed the day of the final portfolio before
	Cohort       Opt[Cohort]       // unknown: nobody is in it
	Drivers      []EquityDriver

	Previous Opt[PreviousPortfolio]
}

// CancelReason counts what was cancelled for one reason.
type CancelReason struct {
	Reason                                   Opt[string] // a code; unknown: none was stated
	Orders, Refunds, Subscriptions, Accounts int64
}

// AppendCancelReasons appends counts as JSON.
func AppendCancelReasons(dst []byte, all []CancelReason) []byte {
	l := line{dst: append(dst, '[')}
	for i := range all {
		if i > 0 {
			l.dst = append(l.dst, ',')
		}
		l.optText(`{"reason":`, all[i].Reason)
		l.whole(`,"orders":`, all[i].Orders)
		l.whole(`,"refunds":`, all[i].Refunds)
		l.whole(`,"subscriptions":`, all[i].Subscriptions)
		l.whole(`,"accounts":`, all[i].Accounts)
		l.close()
	}
	return append(l.dst, ']')
}

// EquityChange divides the difference between the customer equity and that of the final portfolio before by its causes, whose amounts sum
// to it.
type EquityChange struct {
	Since int64   // as_of of the final portfolio before, ms
	Parts []int64 // in the order of EquityParts
}

// EquityParts are the names of the causes.
func EquityParts() []string {
	return []string{"new_customers", "purchases", "silence", "lost", "model", "settings", "late_events", "erased"}
}

// EquityDrivers are the dimensions of equity surveys.
func EquityDrivers() []string { return []string{"value", "brand", "relationship"} }

// Cohort are the customers whose first purchase is in the last month that is over.
type Cohort struct {
	Month                string // YYYY-MM
	NewCustomers         int64
	EquityPerNewCustomer int64 // the margin on their historic CLV, and predicted CLV
}

// EquityDriver is what customers answer in equity surveys of a dimension, each by the newest response that counts.
type EquityDriver struct {
	Name          string
	Responses     int64
	MeanScore     Opt[float64]
	StandardError Opt[float64] // of the mean
}

// PreviousPortfolio holds the figures last published in the same state.
type PreviousPortfolio struct {
	Customers, Prospects, Active                 int64
	NPS                                          Opt[float64]
	HistoricRevenue, FutureValue, CustomerEquity int64
}

// States of a portfolio.
const (
	PortfolioProvisional = "provisional" // customers count as last published
	PortfolioFinal       = "final"       // every customer is valued at the end of a civil day
)

// Append appends the output as JSON.
func (e *PortfolioUpdated) Append(dst []byte) []byte {
	l := e.identify(dst, TypePortfolio)
	l.time(`,"as_of":`, e.AsOf)
	e.attribute(&l)
	l.text(`,"state":`, e.State)
	l.whole(`,"customers":`, e.Customers)
	l.whole(`,"prospects":`, e.Prospects)
	l.whole(`,"active_customers":`, e.Active)
	l.key(`,"churn_risk":{`)
	l.whole(`"low":`, e.Low)
	l.whole(`,"medium":`, e.Medium)
	l.whole(`,"high":`, e.High)
	l.whole(`,"none":`, e.None)
	l.whole(`,"churned":`, e.Churned)
	l.close()
	l.whole(`,"promoters":`, e.Promoters)
	l.whole(`,"passives":`, e.Passives)
	l.whole(`,"detractors":`, e.Detractors)
	l.optFloat(`,"nps":`, e.NPS, percentDecimals)
	l.key(`,"cancel_reasons":`)
	l.dst = AppendCancelReasons(l.dst, e.CancelReasons)
	l.money(`,"historic_revenue":`, e.HistoricRevenue)
	l.money(`,"future_value":`, e.FutureValue)
	l.optMoney(`,"future_value_low":`, e.FutureInterval.Low)
	l.optMoney(`,"future_value_high":`, e.FutureInterval.High)
	l.optFloat(`,"predicted_number_of_orders":`, e.PredictedOrders, countDecimals)
	l.optWhole(`,"predicted_number_of_orders_low":`, e.PredictedOrdersInterval.Low)
	l.optWhole(`,"predicted_number_of_orders_high":`, e.PredictedOrdersInterval.High)
	l.money(`,"customer_equity":`, e.CustomerEquity)
	l.optMoney(`,"average_clv":`, e.AverageCLV)
	l.key(`,"tiers":{`)
	l.optMoney(`"top_10":`, e.Top10)
	l.optMoney(`,"top_20":`, e.Top20)
	l.close()
	e.appendClose(&l)
	if p := &e.Previous.Value; e.Previous.Known {
		l.key(`,"previous":{`)
		l.whole(`"customers":`, p.Customers)
		l.whole(`,"prospects":`, p.Prospects)
		l.whole(`,"active_customers":`, p.Active)
		l.optFloat(`,"nps":`, p.NPS, percentDecimals)
		l.money(`,"historic_revenue":`, p.HistoricRevenue)
		l.money(`,"future_value":`, p.FutureValue)
		l.money(`,"customer_equity":`, p.CustomerEquity)
		l.close()
	} else {
		l.key(`,"previous":null`)
	}
	l.close()
	return l.dst
}

// appendClose appends the fields that only a final portfolio has.
func (e *PortfolioUpdated) appendClose(l *line) {
	if c := &e.EquityChange.Value; e.EquityChange.Known {
		l.time(`,"customer_equity_change":{"since":`, c.Since)
		for i, name := range EquityParts() {
			l.money(`,"`+name+`":`, c.Parts[i])
		}
		l.close()
	} else {
		l.key(`,"customer_equity_change":null`)
	}
	if c := &e.Cohort.Value; e.Cohort.Known {
		l.text(`,"newest_cohort":{"month":`, c.Month)
		l.whole(`,"new_customers":`, c.NewCustomers)
		l.money(`,"equity_per_new_customer":`, c.EquityPerNewCustomer)
		l.close()
	} else {
		l.key(`,"newest_cohort":null`)
	}
	if e.Drivers == nil {
		l.key(`,"equity_drivers":null`)
		return
	}
	l.key(`,"equity_drivers":{`)
	for i := range e.Drivers {
		d := &e.Drivers[i]
		if i > 0 {
			l.dst = append(l.dst, ',')
		}
		l.whole(`"`+d.Name+`":{"responses":`, d.Responses)
		l.optFloat(`,"mean_score":`, d.MeanScore, scoreDecimals)
		l.optFloat(`,"standard_error":`, d.StandardError, scoreDecimals)
		l.close()
	}
	l.close()
}

// Reasons of a rejection: the event was decoded and not applied, or not wholly.
const (
	EventConflict       = "event_conflict"        // the event_id is known with other facts; the first event holds
	OrderConflict       = "order_conflict"        // the order_id is known from another event_id with other facts; the first holds
	OrderForgotten      = "order_forgotten"       // the order of a cancellation did not arrive, or has left memory
	OverRefund          = "over_refund"           // a refund exceeds the order's total; the excess is not applied
	TooManyRefunds      = "too_many_refunds"      // the order has 1,000 refunds that events of their own state; further ones are not applied
	SelfReferral        = "self_referral"         // referrer and referred customer are the same
	ReferralTaken       = "referral_taken"        // a referral by another referrer is in force
	CurrencyUnknownRate = "currency_unknown_rate" // no rate into the base currency
	MergeCycle          = "merge_cycle"           // the customer into whom another is to be merged was merged into that one
)

// RejectionReasons returns all reasons of a rejection.
func RejectionReasons() []string {
	return []string{EventConflict, OrderConflict, OrderForgotten, OverRefund, TooManyRefunds, SelfReferral, ReferralTaken, CurrencyUnknownRate, MergeCycle}
}

// Rejection is mainstay.rejection.v1: an event that was decoded and not applied, or not wholly. It has no sequence. About.Cause is
// the event's id.
type Rejection struct {
	About
	Reason    string
	Kind      string     // purchase, cancellation, referral or survey
	Topic     string     // of the event's input record
	Partition int32      // likewise
	Offset    int64      // likewise
	Excess    Opt[int64] // over_refund: the amount not applied, minor units
}

// Append appends the output as JSON.
func (e *Rejection) Append(dst []byte) []byte {
	l := e.identify(dst, TypeRejection)
	l.text(`,"customer_id":`, e.Customer)
	l.time(`,"as_of":`, e.AsOf)
	e.attribute(&l)
	l.text(`,"reason":`, e.Reason)
	l.text(`,"kind":`, e.Kind)
	l.key(`,"origin":{`)
	l.text(`"topic":`, e.Topic)
	l.whole(`,"partition":`, int64(e.Partition))
	l.whole(`,"offset":`, e.Offset)
	l.close()
	l.optMoney(`,"excess":`, e.Excess)
	l.close()
	return l.dst
}
