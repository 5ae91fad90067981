package processors

import (
	"encoding/json"
	"strconv"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// CustomerScores are a customer's scores as of a moment, in the form in which they are published.
type CustomerScores struct {
	Customer string
	Asked    string                // id that was asked for; another than Customer if it was merged into them
	AsOf     int64                 // ms
	Referrer string                // id of the customer credited with this customer's revenue; empty: none
	Reasons  []output.CancelReason // of the customer's cancellations
	CLV      output.CLVUpdated
	Churn    output.ChurnRiskUpdated
	Promoter output.PromoterStatusUpdated

	Engagement customer.Engagement

	scores           customer.LastPublished // the same, as they would be kept
	moment           customer.Moment
	Mark             *customer.CallMark // nil: nobody has marked the customer
	AlertedSinceMark bool               // an alert is open that was published after the mark
}

// ScoreCustomer scores a customer without folding anything, as of base time (of the latest event, while base time is undefined), or
// of their last order where that is later. The scores may differ from those published last, by less than is material. Neither p
// nor s changes.
func ScoreCustomer(p *Partition, id string, s *customer.State) CustomerScores {
	return scoreCustomer(p, p.currentMoment(s), id, s)
}

// ScoreCustomerAsOf scores a customer as of a time (ms, whole seconds) without what is dated at or after it, and without folding
// anything: at a time to come, as silence until then leaves the scores. The portfolio of a closed day is the sum of these scores over
// all customers, with p and s as they are at the first tick of the next day and at the end of the day. It returns false if nothing of
// the customer is dated before the time.
func ScoreCustomerAsOf(p *Partition, id string, s *customer.State, at int64) (CustomerScores, bool) {
	if s = s.AsOf(&p.terms, at); s == nil {
		return CustomerScores{}, false
	}
	return scoreCustomer(p, p.terms.At(at, at, true), id, s), true
}

// ExpectCustomerAsOf returns what the model expects of a customer within some civil days from a time (ms, whole seconds) on, without what is
// dated at or after it: purchase days, and their worth in minor units. It returns false if nothing of the customer is dated before the time.
func ExpectCustomerAsOf(p *Partition, s *customer.State, at int64, days int) (purchaseDays, revenue float64, known bool) {
	if s = s.AsOf(&p.terms, at); s == nil {
		return 0, 0, false
	}
	purchaseDays, revenue = clv.Expect(&p.terms, p.terms.At(at, at, true), s, days)
	return purchaseDays, revenue, true
}

func scoreCustomer(p *Partition, m customer.Moment, id string, s *customer.State) CustomerScores {
	t := &p.terms
	a := CustomerScores{Customer: id, Asked: id, AsOf: m.Now, Referrer: s.Referrer(), Reasons: portfolio.CancelReasons(s.AppendCancellations(nil))}
	about := output.About{
		ID: output.ID{Partition: p.state.number, Offset: p.state.offset}, Customer: id, AsOf: m.Now, Sequence: s.Sequence,
		Trigger: output.TriggerReplay, Currency: t.Unit,
	}
	a.CLV.About, a.Churn.About, a.Promoter.About = about, about, about
	last := s.LastPublished
	a.CLV.Previous, a.Churn.Previous, a.Promoter.Previous = previousCLV(&last), previousChurn(&last), previousPromoter(&last)
	value := clv.Score(t, m, s, &last)
	clv.Describe(t, m, &value, s, &last, &a.CLV)
	risk := churn.Score(t, m, s)
	churn.Describe(t, m, &risk, s, &last, &a.Churn)
	status := promoter.Score(t, m, s)
	promoter.Describe(&status, &last, &a.Promoter)
	clv.SetPublished(&value, 0, &a.scores)
	churn.SetPublished(&risk, &a.scores)
	promoter.SetPublished(&status, 0, &a.scores)
	a.moment = m
	a.Engagement = s.Engagement(m)
	a.Mark, a.AlertedSinceMark = s.CallMark(), s.AlertedSinceCallMark()
	return a
}

// SegmentCustomer returns a customer who has been scored, as segments count them.
func (p *Partition) SegmentCustomer(a *CustomerScores, s *customer.State) segment.Customer {
	return segment.Customer{State: s, Scores: &a.scores, Terms: &p.terms, Moment: a.moment, Day: int64(p.terms.Day(p.state.base)), Texts: &p.state.texts}
}

// ValueAtStake is predicted CLV x churn probability; unknown where one of them is.
func (a *CustomerScores) ValueAtStake() output.Opt[int64] {
	if !a.CLV.Predicted.Known || !a.Churn.Probability.Known {
		return output.Opt[int64]{}
	}
	return output.Some(alert.AtStake(a.CLV.Currency, a.CLV.Predicted.Value, a.Churn.Probability.Value))
}

// Append writes the scores as one JSON object, as `customer get` prints it.
func (a *CustomerScores) Append(dst []byte) []byte {
	dst = append(dst, `{"customer_id":`...)
	dst = appendString(dst, a.Customer)
	dst = append(dst, `,"as_of":"`...)
	dst = timestamp.Append(dst, a.AsOf)
	dst = append(dst, `","ledger":{"partition":`...)
	dst = strconv.AppendInt(dst, int64(a.CLV.ID.Partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, a.CLV.ID.Offset, 10)
	dst = append(dst, `},"referrer_customer_id":`...)
	if a.Referrer == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendString(dst, a.Referrer)
	}
	dst = output.AppendCancelReasons(append(dst, `,"cancel_reasons":`...), a.Reasons)
	dst = a.CLV.Append(append(dst, `,"clv":`...))
	dst = a.Churn.Append(append(dst, `,"churn_risk":`...))
	dst = a.Promoter.Append(append(dst, `,"promoter_status":`...))
	dst = appendJSON(append(dst, `,"engagement":`...), AnswerEngagement(&a.Engagement))
	dst = appendJSON(append(dst, `,"mark":`...), AnswerMark(a.Mark))
	return append(dst, '}')
}

// EngagementAnswer are the figures of a customer's engagement in the form in which they are shown.
type EngagementAnswer struct {
	First           string      `json:"first_engaged_at"`
	Last            string      `json:"last_engaged_at"`
	DaysSince       json.Number `json:"days_since_last_engagement"`
	ActiveDays30    int64       `json:"active_days_30"`
	ActiveDays90    int64       `json:"active_days_90"`
	Support90       int64       `json:"support_contacts_90"`
	SupportContacts int64       `json:"support_contacts"`
	Reviews         int64       `json:"reviews"`
}

// AnswerEngagement returns nil if no engagement is known.
func AnswerEngagement(e *customer.Engagement) *EngagementAnswer {
	if !e.Known {
		return nil
	}
	return &EngagementAnswer{
		moment(e.FirstAt), moment(e.LastAt), json.Number(strconv.FormatFloat(e.DaysSinceLast, 'f', 1, 64)), e.ActiveDays30, e.ActiveDays90,
		e.SupportContacts90, e.SupportContacts, e.Reviews,
	}
}

// MarkAnswer is what somebody did about a customer, in the form in which it is shown.
type MarkAnswer struct {
	Mark  string  `json:"mark"` // done or snoozed
	At    string  `json:"marked_at"`
	Until *string `json:"snoozed_until"`
	By    *string `json:"marked_by"`
	Note  *string `json:"note"`
}

// AnswerMark returns nil if nobody has marked the customer.
func AnswerMark(k *customer.CallMark) *MarkAnswer {
	if k == nil {
		return nil
	}
	a := &MarkAnswer{Mark: k.Word(), At: moment(k.At), Until: momentIf(k.Until)}
	if k.By != "" {
		a.By = new(k.By)
	}
	if k.Note != "" {
		a.Note = new(k.Note)
	}
	return a
}

func appendString(dst []byte, s string) []byte { return appendJSON(dst, s) }

func appendJSON(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("marshal: " + err.Error()) // texts and numbers cannot fail
	}
	return append(dst, text...)
}
