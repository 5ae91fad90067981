// Package promoter owns the promoter status: whether a customer would recommend the shop, by the Net Promoter categories, and when
// to publish it.
//
// It refuses surveys of other types: satisfaction, effort and equity are not counted.
package promoter

import (
	"strconv"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Status is a customer's promoter status at a moment. Responses older than the survey window, or excluded, do not count.
type Status struct {
	Category  customer.Category  // of Latest
	Latest    *customer.Response // the newest response that counts, by creation, then id; nil: none
	Responses int32              // number of responses that count
	Expires   int64              // time (ms) at which the oldest of them leaves the survey window; 0: there is none
	Referred  int64              // customers referred: what the customer did, while Category is what they say they would do

	sum int64 // of the scores that count
}

// Score returns a customer's promoter status at a moment.
func Score(t *customer.Terms, m customer.Moment, s *customer.State) Status {
	a := Status{Category: customer.Unknown, Referred: int64(s.Referred())}
	window := int64(t.Settings.GetSurveyWindowDays()) * customer.DayMS
	all := s.Responses(ledger.SurveyType_SURVEY_TYPE_NPS)
	for i := range all {
		r := &all[i]
		if r.Excluded || m.Now >= r.CreatedAt+window {
			continue
		}
		if a.Responses++; a.Responses == 1 {
			a.Expires = r.CreatedAt + window
		}
		a.sum += int64(r.Score)
		a.Latest = r
	}
	if a.Latest != nil {
		a.Category = CategoryOf(a.Latest.Score)
	}
	return a
}

// CategoryOf returns the category of a score.
func CategoryOf(score int32) customer.Category {
	switch {
	case score >= 9:
		return customer.Promoter
	case score >= 7:
		return customer.Passive
	}
	return customer.Detractor
}

func (a *Status) score() int32 {
	if a.Latest == nil {
		return -1
	}
	return a.Latest.Score
}

// Material reports whether the status differs from the one published last. The first status is not published for a customer without
// a response that counts and without a referred customer.
func Material(a *Status, last *customer.LastPublished) bool {
	if last.Category == customer.CategoryNotPublished {
		return a.Responses > 0 || a.Referred > 0
	}
	return a.Referred > 0 != last.Action || a.Category != last.Category || a.score() != last.Score || a.Responses != last.Responses
}

// SetPublished records that the status is published on a civil day.
func SetPublished(a *Status, day int32, last *customer.LastPublished) {
	last.BeforeStatus = customer.StatusBefore{Day: day, Score: last.Score, Responses: last.Responses, Action: last.Action}
	last.Category, last.Score, last.Responses, last.Action = a.Category, a.score(), a.Responses, a.Referred > 0
}

// Describe sets all fields of an output except About and Previous; last is what was published before.
func Describe(a *Status, last *customer.LastPublished, e *output.PromoterStatusUpdated) {
	*e = output.PromoterStatusUpdated{
		About: e.About, Previous: e.Previous, Reasons: e.Reasons, Category: a.Category.String(), Responses: int64(a.Responses),
		Action: a.Referred > 0, Referred: a.Referred,
	}
	e.Reasons.Reset()
	describeMoves(a, &customer.StatusBefore{Score: last.Score, Responses: last.Responses, Action: last.Action}, &e.Reasons)
	if r := a.Latest; r != nil {
		e.Score = output.Some(int64(r.Score))
		e.Intent = output.Some(a.Category == customer.Promoter)
		e.AverageScore = output.Some(float64(a.sum) / float64(a.Responses))
		e.LastRespondedAt = output.Some(r.CreatedAt)
		e.ResponseID, e.SurveyID, e.Comment = output.Text(r.ID), output.Text(r.SurveyID), output.Text(r.Comment)
	}
}

// LastMoves returns what the status that was published last has moved. The status is the present one: every change is published.
func LastMoves(a *Status, last *customer.LastPublished) []string {
	var r output.Reasons
	describeMoves(a, &last.BeforeStatus, &r)
	return r.All()
}

// describeMoves adds what has moved the status since an output before. The score has one cause, the newest response that counts;
// the numbers of responses and of referred customers follow it.
func describeMoves(a *Status, before *customer.StatusBefore, r *output.Reasons) {
	switch score := a.score(); {
	case score == before.Score:
	case score < 0:
		r.EndShare(append(r.Text(), "no response counts any more"...), 100)
	default:
		text := strconv.AppendInt(append(r.Text(), "answered "...), int64(score), 10)
		text = timestamp.AppendDay(append(text, " of 10 on "...), a.Latest.CreatedAt)
		if before.Score >= 0 {
			text = append(strconv.AppendInt(append(text, ", "...), int64(before.Score), 10), " before"...)
		}
		r.EndShare(text, 100)
	}
	if a.Responses != before.Responses {
		text := strconv.AppendInt(append(r.Text(), "responses that count: "...), int64(before.Responses), 10)
		r.End(strconv.AppendInt(append(text, " to "...), int64(a.Responses), 10))
	}
	if a.Referred > 0 != before.Action {
		r.End(strconv.AppendInt(append(r.Text(), "referred customers: "...), a.Referred, 10))
	}
}
