package processors

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Explanation holds the inputs of a customer's scores, for operators and support agents: the history, its statistics that the models
// use, and the terms in force.
type Explanation struct {
	Customer string  `json:"customer_id"`
	AsOf     string  `json:"as_of"`
	Ledger   Place   `json:"ledger"`
	Currency string  `json:"currency"`
	Days     []Day   `json:"purchase_days"`
	Stats    *Stats  `json:"statistics"` // null without a standing order
	Money    Money   `json:"money"`
	Scoring  Scoring `json:"scoring"`

	Responses []Response `json:"nps_responses"`
	Engaged   *Engaged   `json:"engagement"` // null: none is known
	Referrer  *string    `json:"referrer_customer_id"`
	Reasons   []Reason   `json:"cancel_reasons"`
	Referred  int        `json:"referred_customers"`
	Moves     Moves      `json:"last_moves"`
	Alerts    []Episode  `json:"open_alerts"`
	Ended     *string    `json:"subscription_ended_at"`
	Closed    *string    `json:"account_closed_at"`
	Next      *string    `json:"next_deadline"` // time at which silence next changes an answer; null: none
}

// Place identifies the ledger entry folded last.
type Place struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// Day is a day with standing orders.
type Day struct {
	Day    string      `json:"day"`
	Orders uint32      `json:"orders"`
	Net    json.Number `json:"net"`
}

// Stats are the statistics of a history that the models use. Times are in weeks.
type Stats struct {
	Repeats int         `json:"x"`   // purchase days after the first
	Recency float64     `json:"t_x"` // time from the first purchase day to the last
	Age     float64     `json:"t"`   // time since the first purchase day
	Mean    json.Number `json:"m"`   // net spend of a repeat day
}

// Money holds the parts of the historic CLV, and the referral value.
type Money struct {
	Standing json.Number `json:"standing_orders"`       // net of their refunds
	Orphaned json.Number `json:"refunds_without_order"` // refunds whose order has not arrived or has left memory
	Historic json.Number `json:"historic_clv"`
	Referral json.Number `json:"referral_value"`
}

// Scoring holds the terms in force for all customers.
type Scoring struct {
	Model      string         `json:"model"`
	Version    uint64         `json:"version"`
	Status     string         `json:"status"`
	Purchases  *PurchaseModel `json:"purchases"`        // null: pareto_nbd, which has Pareto alone
	Pareto     *ParetoModel   `json:"pareto,omitempty"` // of pareto_nbd and blended
	Blend      *Blend         `json:"blend,omitempty"`  // of blended
	Season     *Season        `json:"season,omitempty"` // absent: none
	Spend      *SpendModel    `json:"spend"`            // null: the prior, by the customer's own average
	Errors     RelativeErrors `json:"relative_errors"`
	Medium     float64        `json:"churn_medium"`
	High       float64        `json:"churn_high"`
	GraceDays  uint32         `json:"churn_grace_days"`
	Thresholds *Tiers         `json:"tiers"` // null while there are too few customers
}

// PurchaseModel holds the parameters of MBG/NBD or BG/NBD; times are in weeks.
type PurchaseModel struct {
	R     float64 `json:"r"`
	Alpha float64 `json:"alpha"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
}

// ParetoModel holds the parameters of Pareto/NBD; times are in weeks.
type ParetoModel struct {
	R     float64 `json:"r"`
	Alpha float64 `json:"alpha"`
	S     float64 `json:"s"`
	Beta  float64 `json:"beta"`
}

// Blend holds the weights of the blended scorer and its corrections; see lifetimes.Scorer. The percentiles are left out.
type Blend struct {
	BGNBD   bool    `json:"bg_nbd"`          // Purchases is BG/NBD; false: MBG/NBD
	Alive   bool    `json:"alive_by_pareto"` // P(alive) is that of Pareto/NBD, not of the blend
	Odds    float64 `json:"pareto_in_odds"`
	Counts  float64 `json:"pareto_in_counts"`
	Lift    float64 `json:"lift"`
	Shift   float64 `json:"shift"`
	Slope   float64 `json:"slope"`
	Level   float64 `json:"level"`
	Power   float64 `json:"power"`
	Horizon float64 `json:"horizon"` // weeks for which the corrections were learned
}

// Season holds the multipliers of the season, by which the models count time; see season.Season. Lists that are empty are none.
type Season struct {
	Weekly    []float64        `json:"weekly"` // from Monday
	Yearly    []float64        `json:"yearly"` // from January
	Events    []SeasonEvent    `json:"events"`
	Campaigns []SeasonCampaign `json:"campaigns"`
}

// SeasonEvent is an event that recurs by a rule.
type SeasonEvent struct {
	Name       string  `json:"name"`
	Multiplier float64 `json:"multiplier"`
}

// SeasonCampaign is a campaign of the shop, with its first and last day.
type SeasonCampaign struct {
	Name       string  `json:"name"`
	First      string  `json:"first"`
	Last       string  `json:"last"`
	Multiplier float64 `json:"multiplier"`
}

// SpendModel holds the parameters of Gamma-Gamma.
type SpendModel struct {
	P float64 `json:"p"`
	Q float64 `json:"q"`
	V float64 `json:"v"`
}

// RelativeErrors are the relative standard errors, due to the uncertainty of the parameters, which widen the intervals: of the orders
// that are expected of all customers within a year, and of the mean value of an order.
type RelativeErrors struct {
	Orders float64 `json:"orders"`
	Spend  float64 `json:"spend"`
}

// Tiers holds the total CLV from which the value tiers begin.
type Tiers struct {
	Top10 json.Number `json:"top_10"`
	Top20 json.Number `json:"top_20"`
}

// Response is an NPS response in memory, excluded ones included.
type Response struct {
	Score    int32  `json:"score"`
	Created  string `json:"created_at"`
	Excluded bool   `json:"excluded"`
}

// Engaged is what the customer has done besides buying.
type Engaged struct {
	EngagementAnswer

	SupportDays []string    `json:"support_contact_days"` // of the newest support contacts
	Events      []TypeCount `json:"events"`
}

// TypeCount counts the events of a type of engagement.
type TypeCount struct {
	Type   string `json:"type"`
	Events int64  `json:"events"`
}

// Reason counts what the customer has cancelled for one reason.
type Reason struct {
	Reason        *string `json:"reason"` // null: not stated
	Orders        int64   `json:"orders"`
	Refunds       int64   `json:"refunds"`
	Subscriptions int64   `json:"subscriptions"`
	Accounts      int64   `json:"accounts"`
}

// Moves are what the newest outputs have moved.
type Moves struct {
	CLV      *Move `json:"clv"`             // null: none was published
	Promoter *Move `json:"promoter_status"` // likewise
}

// Move is what an output has moved.
type Move struct {
	Day     string   `json:"day"` // civil day of the output
	Reasons []string `json:"reasons"`
}

// Episode is an open alert, whether or not it was published.
type Episode struct {
	Rule   string `json:"rule"`
	State  string `json:"state"` // raised, baseline, initial, suppressed
	Raised string `json:"raised_at"`

	Group *string `json:"group"` // treated, control; null: there were no groups
}

// Explain returns the inputs of the scores that ScoreCustomer returns. Neither p nor s changes.
func Explain(p *Partition, id string, s *customer.State) Explanation {
	t := &p.terms
	m := p.currentMoment(s)
	b := Explanation{
		Customer: id, AsOf: moment(m.Now), Ledger: Place{p.state.number, p.state.offset}, Currency: t.Unit.Code, Days: []Day{}, Responses: []Response{},
		Money: Money{
			Standing: p.money(s.Net()), Orphaned: p.money(s.Net() - s.Historic()), Historic: p.money(s.Historic()), Referral: p.money(s.ReferralValue()),
		},
		Scoring:  p.Scoring(),
		Referred: s.Referred(), Reasons: []Reason{}, Alerts: []Episode{},
		Ended: momentIf(s.SubscriptionEndedAt), Closed: momentIf(s.AccountClosedAt), Next: momentIf(s.Next),
	}
	for _, d := range s.Days() {
		b.Days = append(b.Days, Day{civilDay(d.Day), d.Orders, p.money(d.Net)})
	}
	if sum, ok := s.Summary(t, m); ok {
		mean, _ := t.Unit.Minor(sum.M)
		b.Stats = &Stats{sum.X, sum.Tx, sum.T, p.money(t.Unit.Round(mean))}
	}
	for _, r := range s.Responses(ledger.SurveyType_SURVEY_TYPE_NPS) {
		b.Responses = append(b.Responses, Response{r.Score, moment(r.CreatedAt), r.Excluded})
	}
	b.Engaged = explainEngagement(m, s)
	for _, a := range OpenAlerts(p, id, s) {
		b.Alerts = append(b.Alerts, Episode{a.Rule, a.State, moment(a.RaisedAt), textIf(a.Group)})
	}
	if r := s.Referrer(); r != "" {
		b.Referrer = &r
	}
	if last := &s.LastPublished; last.BeforeCLV.Day != 0 {
		b.Moves.CLV = &Move{civilDay(last.BeforeCLV.Day), clv.LastMoves(t, last)}
	}
	if last := &s.LastPublished; last.BeforeStatus.Day != 0 {
		status := promoter.Score(t, m, s)
		b.Moves.Promoter = &Move{civilDay(last.BeforeStatus.Day), promoter.LastMoves(&status, last)}
	}
	for _, n := range portfolio.CancelReasons(s.AppendCancellations(nil)) {
		reason := Reason{nil, n.Orders, n.Refunds, n.Subscriptions, n.Accounts}
		if n.Reason.Known {
			reason.Reason = &n.Reason.Value
		}
		b.Reasons = append(b.Reasons, reason)
	}
	return b
}

func explainEngagement(m customer.Moment, s *customer.State) *Engaged {
	e := s.Engagement(m)
	answer := AnswerEngagement(&e)
	if answer == nil {
		return nil
	}
	x := &Engaged{EngagementAnswer: *answer, SupportDays: []string{}, Events: []TypeCount{}}
	s.EachEngagement(func(of ledger.EngagementType, n int64) {
		x.Events = append(x.Events, TypeCount{strings.ToLower(strings.TrimPrefix(of.String(), "ENGAGEMENT_TYPE_")), n})
	})
	for _, day := range s.SupportDays() {
		x.SupportDays = append(x.SupportDays, civilDay(day))
	}
	return x
}

// Scoring returns the terms in force for all customers.
func (p *Partition) Scoring() Scoring {
	t := &p.terms
	s := Scoring{
		Model: t.Model.Name, Version: t.Model.Version, Status: t.Model.Status,
		Purchases: purchaseModel(p.state.parameters), Pareto: paretoModel(p.state.parameters), Blend: blend(p.state.parameters),
		Medium: t.Settings.GetChurnMedium(), High: t.Settings.GetChurnHigh(), GraceDays: t.Settings.GetChurnGraceDays(),
	}
	s.Season = seasonOf(p.state.parameters.GetSeason())
	s.Errors = RelativeErrors{t.OrdersError, t.SpendError}
	if g := t.Spend; g.V > 0 {
		s.Spend = &SpendModel{g.P, g.Q, g.V}
	}
	if v := t.Thresholds; v.GetVersion() > 0 {
		s.Thresholds = &Tiers{p.money(t.Unit.Round(v.GetTop_10())), p.money(t.Unit.Round(v.GetTop_20()))}
	}
	return s
}

func purchaseModel(v *ledger.Parameters) *PurchaseModel {
	if v.GetModel() == model.ParetoNBD {
		return nil
	}
	return &PurchaseModel{v.GetR(), v.GetAlpha(), v.GetA(), v.GetB()}
}

func paretoModel(v *ledger.Parameters) *ParetoModel {
	p := v.GetPareto()
	if p == nil {
		return nil
	}
	return &ParetoModel{p.GetR(), p.GetAlpha(), p.GetS(), p.GetBeta()}
}

func blend(v *ledger.Parameters) *Blend {
	b := v.GetBlend()
	if b == nil {
		return nil
	}
	return &Blend{
		BGNBD: b.GetBgNbd(), Alive: b.GetAliveByPareto(), Odds: b.GetParetoInOdds(), Counts: b.GetParetoInCounts(), Lift: b.GetLift(), Shift: b.GetShift(), Slope: b.GetSlope(),
		Level: b.GetLevel(), Power: b.GetPower(), Horizon: b.GetHorizon(),
	}
}

func seasonOf(v *ledger.Season) *Season {
	if v == nil {
		return nil
	}
	s := &Season{Weekly: v.GetWeekly(), Yearly: v.GetYearly(), Events: []SeasonEvent{}, Campaigns: []SeasonCampaign{}}
	for _, e := range v.GetEvents() {
		s.Events = append(s.Events, SeasonEvent{e.GetName(), e.GetMultiplier()})
	}
	for _, c := range v.GetCampaigns() {
		s.Campaigns = append(s.Campaigns, SeasonCampaign{c.GetName(), civilDay(c.GetFirst()), civilDay(c.GetLast()), c.GetMultiplier()})
	}
	return s
}

// money returns an amount as outputs write it.
func (p *Partition) money(minor int64) json.Number {
	return json.Number(p.terms.Unit.Append(nil, minor))
}

func civilDay(day int32) string {
	return time.UnixMilli(int64(day) * customer.DayMS).UTC().Format(time.DateOnly)
}

func moment(ms int64) string { return string(timestamp.Append(nil, ms)) }

// textIf returns nil for no text.
func textIf(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// momentIf returns nil for 0, which means that it has not happened.
func momentIf(ms int64) *string {
	if ms == 0 {
		return nil
	}
	return new(moment(ms))
}
