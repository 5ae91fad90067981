package portfolio

import (
	"math"

	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Part is a cause of the difference between the customer equity of a close and that of the close before. The parts sum to the difference.
type Part int

// The parts, in the order of output.EquityParts.
const (
	NewCustomers Part = iota // the value of those who were no customers at the close before
	Purchases                // what was bought, refunded and cancelled, and what that changes of what is expected
	Silence                  // what time alone changes of what is expected
	Lost                     // what is no longer expected of those who have said that they leave
	Model                    // new parameters
	NewSettings              // new settings, such as the margin; the bounds of the tiers move no equity
	LateEvents               // events from before the close before that came, or were changed, after it
	Erased                   // who was forgotten
	Parts                    // the number of parts
)

// AddChange divides what has become of a customer since the close before. first is their value at that close under its own terms, second
// under its settings and the parameters of now, was under the terms of now; now is their value at this close. bought: they have bought since.
func AddChange(c *ledger.EquityChange, first, second, was Before, now *customer.LastPublished, bought bool) {
	c.Known += first.Equity()
	c.Parts[Model] += second.Equity() - first.Equity()
	c.Parts[NewSettings] += was.Equity() - second.Equity()
	today := Before{now.Orders, now.Historic, now.Predicted, now.Churn == customer.Churned}
	if was.Orders == 0 {
		c.Parts[NewCustomers] += today.Equity()
		return
	}
	if now.Orders == 0 {
		c.Parts[Purchases] -= was.Equity()
		return
	}
	c.Parts[Purchases] += now.Historic - was.Historic
	expected := Silence
	switch {
	case today.Gone && !was.Gone:
		expected = Lost
	case bought || now.Historic != was.Historic || now.Orders != was.Orders:
		expected = Purchases
	}
	//mutant:part-lost replace c.Parts[expected] = 0
	c.Parts[expected] += now.Predicted - was.Predicted
}

// Before is a customer at the close before, as of what is known now.
type Before struct {
	Orders, Historic, Predicted int64
	Gone                        bool // churned by an event
}

// Equity is the customer's part of customer equity.
func (b *Before) Equity() int64 {
	if b.Orders == 0 {
		return 0
	}
	return b.Historic + b.Predicted
}

// sumChanges adds up how all partitions divide the difference to a close before. It returns nil if they do not all compare with that one.
func sumChanges(all []*ledger.Contribution, before *ledger.Contribution) *ledger.EquityChange {
	if before == nil {
		return nil
	}
	sum := &ledger.EquityChange{Since: before.GetClose(), Parts: make([]int64, Parts)}
	for _, c := range all {
		if c.GetMore() {
			continue
		}
		change := c.GetEquityChange()
		if change == nil || change.GetSince() != before.GetClose() || len(change.Parts) != int(Parts) {
			return nil
		}
		sum.Known += change.GetKnown()
		for i, v := range change.Parts {
			sum.Parts[i] += v
		}
	}
	sum.Parts[LateEvents] = sum.GetKnown() - before.GetCustomerEquity() - sum.Parts[Erased]
	return sum
}

// sumCohorts adds up the newest cohort of all partitions; nil if nobody is in it.
func sumCohorts(all []*ledger.Contribution) *ledger.Cohort {
	var sum *ledger.Cohort
	for _, c := range all {
		one := c.GetCohort()
		switch {
		case one == nil:
		case sum == nil:
			sum = &ledger.Cohort{Month: one.GetMonth(), Customers: one.GetCustomers(), Historic: one.GetHistoric(), Predicted: one.GetPredicted()}
		default:
			sum.Customers, sum.Historic, sum.Predicted = sum.GetCustomers()+one.GetCustomers(), sum.GetHistoric()+one.GetHistoric(), sum.GetPredicted()+one.GetPredicted()
		}
	}
	return sum
}

// Value returns what a margin leaves of historic CLV, and predicted CLV, of which the margin is taken already.
func Value(margin float64, historic, predicted int64) int64 {
	return int64(math.RoundToEven(float64(margin*float64(historic)))) + predicted
}

// AddScores adds the newest score of a customer in each dimension that counts at a time.
func AddScores(to []*ledger.EquityScores, t *customer.Terms, s *customer.State, at int64) []*ledger.EquityScores {
	newest := map[string]int64{}
	for _, r := range s.Responses(ledger.SurveyType_SURVEY_TYPE_EQUITY) { // oldest first
		if !r.Excluded && at < r.CreatedAt+int64(t.Settings.GetSurveyWindowDays())*customer.DayMS {
			newest[r.Dimension] = int64(r.Score)
		}
	}
	if len(newest) == 0 {
		return to
	}
	if to == nil {
		to = noScores()
	}
	for i, name := range output.EquityDrivers() {
		if score, answered := newest[name]; answered {
			to[i].Responses++
			to[i].Sum += score
			to[i].Squares += score * score
		}
	}
	return to
}

func noScores() (all []*ledger.EquityScores) {
	for range output.EquityDrivers() {
		all = append(all, &ledger.EquityScores{})
	}
	return all
}

func sumScores(all []*ledger.Contribution) []*ledger.EquityScores {
	sums := noScores()
	for _, c := range all {
		for i, s := range c.EquityScores[:min(len(c.EquityScores), len(sums))] {
			sums[i].Responses, sums[i].Sum, sums[i].Squares = sums[i].GetResponses()+s.GetResponses(), sums[i].GetSum()+s.GetSum(), sums[i].GetSquares()+s.GetSquares()
		}
	}
	return sums
}

// DescribeClose sets the fields that only the portfolio of a close has.
func DescribeClose(sum *ledger.Contribution, margin float64, e *output.PortfolioUpdated) {
	if c := sum.GetEquityChange(); c != nil {
		e.EquityChange = output.Some(output.EquityChange{Since: c.GetSince(), Parts: c.Parts})
	}
	if c := sum.GetCohort(); c.GetCustomers() > 0 {
		e.Cohort = output.Some(output.Cohort{
			Month: calendar.Month(c.GetMonth()).String(), NewCustomers: c.GetCustomers(),
			EquityPerNewCustomer: e.Currency.Round(roundedRatio(Value(margin, c.GetHistoric(), c.GetPredicted()), c.GetCustomers())),
		})
	}
	for i, s := range sum.EquityScores {
		e.Drivers = append(e.Drivers, driver(output.EquityDrivers()[i], s))
	}
}

// driver returns the mean of scores and its standard error, which two responses are needed for.
func driver(name string, s *ledger.EquityScores) output.EquityDriver {
	d := output.EquityDriver{Name: name, Responses: s.GetResponses()}
	if s.GetResponses() == 0 {
		return d
	}
	n := float64(s.GetResponses())
	mean := float64(s.GetSum()) / n
	d.MeanScore = output.Some(mean)
	if n > 1 {
		d.StandardError = output.Some(math.Sqrt(max(0, float64(s.GetSquares())-float64(n*float64(mean*mean))) / (n - 1) / n))
	}
	return d
}
