package lookup

import (
	"slices"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// lossWindows are the days after an answer within which a customer is lost, or not. The last is that of the median.
var lossWindows = [...]int64{90, 180} //nolint:gochecknoglobals // a constant

// answers sums what followed answers of customers who were not lost when they gave them.
type answers struct {
	passed, lost [len(lossWindows)]int64 // for which each window is over, and those of them after which the customer was lost within it
	days         counts                  // of those lost within the last window, by the days until then
}

// falls tells answers of a lower class than the one before, of the same customer, from all others that have one before.
type falls struct{ fell, steady answers }

func (f *falls) add(p *processors.Partition, c *customer.State) {
	var before *customer.Response
	all := c.Responses(ledger.SurveyType_SURVEY_TYPE_NPS)
	for i := range all {
		now := &all[i]
		if now.Excluded {
			continue
		}
		if before != nil {
			to := &f.steady
			//mutant:any-lower-score-falls if before.Score > now.Score || $
			if promoter.CategoryOf(now.Score) > promoter.CategoryOf(before.Score) { // the categories from the best to the worst
				to = &f.fell
			}
			to.add(p, c, p.CivilDay(now.CreatedAt))
		}
		before = now
	}
}

// add adds an answer of a civil day, unless the customer had not bought, or was lost, by the end of it.
func (a *answers) add(p *processors.Partition, c *customer.State, day int32) {
	bought := c.Days().Until(day)
	today, known := p.Today()
	if len(bought) == 0 || !known {
		return
	}
	i := slices.IndexFunc(c.Losses, func(l customer.Loss) bool { return l.Day >= bought[len(bought)-1].Day })
	//mutant:lost-before-the-answer if false && $
	if i >= 0 && c.Losses[i].Day <= day {
		return
	}
	const last = len(lossWindows) - 1
	for k, window := range lossWindows {
		if int64(today) <= int64(day)+window {
			continue
		}
		a.passed[k]++
		if i < 0 || int64(c.Losses[i].Day) > int64(day)+window {
			continue
		}
		a.lost[k]++
		if k == last {
			a.days.add(int64(c.Losses[i].Day - day))
		}
	}
}

func fallMeasures() []measure.Measure[Segment] {
	all := []measure.Measure[Segment]{{Name: "customers", Of: func(s *Segment) measure.Value { return measure.Number(s.Customers) }}}
	for _, kind := range []struct {
		answers, days string
		lost          [len(lossWindows)]string
		of            func(s *Segment) *answers
	}{
		{"fall_answers", "fall_median_days_to_loss", [len(lossWindows)]string{"fall_lost_90", "fall_lost_180"}, func(s *Segment) *answers { return &s.fell }},
		{"steady_answers", "steady_median_days_to_loss", [len(lossWindows)]string{"steady_lost_90", "steady_lost_180"}, func(s *Segment) *answers { return &s.steady }},
	} {
		all = append(all, measure.Measure[Segment]{Name: kind.answers, Of: func(s *Segment) measure.Value { return measure.Number(kind.of(s).passed[len(lossWindows)-1]) }})
		for k, name := range kind.lost {
			all = append(all, measure.Measure[Segment]{Name: name, Better: measure.Less, Of: func(s *Segment) measure.Value { return measure.Share(kind.of(s).lost[k], kind.of(s).passed[k]) }})
		}
		all = append(all, measure.Measure[Segment]{Name: kind.days, Of: func(s *Segment) measure.Value { return kind.of(s).days.median() }})
	}
	return append(all, fewMeasure())
}
