package processors

import (
	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// At the first tick of each civil day a partition values all of its customers at the end of the day before, and contributes the sums;
// when all partitions have contributed, partition 0 publishes them as final.
//
// The sums are over the customers as the ledger knows them at that tick, without what is dated after the end of the day; what was sold to
// customers erased before it is added. The work is
// bounded per entry, so entries come in between that change customers whom the cursor has not reached: such a customer is valued
// before the change, under the terms at the tick, and passed over by the cursor. So the sums depend neither on what comes in between
// nor on how many customers an entry may value. They are sums of whole minor units, each rounded as published, so they depend on no
// order either.
//
// A tick that passes several midnights closes the day before the last of them. A close that the next midnight finds unfinished is
// given up: its sums could no longer be those at its tick.

// closing is a close under way.
type closing struct {
	at      int64 // end of the day, ms
	day     int32 // the civil day that begins then
	classes uint32
	class   uint32 // under way
	after   string // the customer of that class valued last
	totals  portfolio.Totals
	values  []int64 // total CLV of those who have a tier, valued since the last contribution of values

	change *ledger.EquityChange   // of the customers valued so far; nil: there is no close before
	cohort *ledger.Cohort         // of those valued so far whose first purchase is in the month before the day; nil: there is none
	scores []*ledger.EquityScores // of those valued so far; nil: there is none
	erased int64                  // customer equity at the end of the day of those who were erased since the tick

	segments segment.Set // of the customers valued since the last contribution of segments

	thresholds *ledger.Thresholds // at the tick
	// The settings and parameters at the tick, where they or the thresholds have changed since; nil otherwise.
	settings   *ledger.SettingsValues
	parameters *ledger.Parameters
	terms      *customer.Terms // derived of all three
}

func (c *closing) encode() *state.Closing {
	if c == nil {
		return nil
	}
	return &state.Closing{
		At: c.at, Day: c.day, Classes: c.classes, Class: c.class, After: c.after, Totals: c.totals.Encode(), Values: c.values, Settings: c.settings, Parameters: c.parameters,
		Change: c.change, Cohort: c.cohort, EquityScores: c.scores, Erased: c.erased, Segments: c.segments.Encode(),
		Thresholds: c.thresholds,
	}
}

func decodeClosing(w *state.Closing) *closing {
	if w == nil {
		return nil
	}
	c := &closing{
		at: w.GetAt(), day: w.GetDay(), classes: w.GetClasses(), class: w.GetClass(), after: w.GetAfter(), settings: w.Settings, parameters: w.Parameters,
	}
	c.totals.Decode(w.GetTotals())
	c.values = w.GetValues()
	c.thresholds = w.Thresholds
	c.change, c.cohort, c.scores, c.erased = w.Change, w.Cohort, w.EquityScores, w.GetErased()
	//mutant:segments-lost-on-reclaim delete
	c.segments.Plus(w.Segments)
	return c
}

// startClose begins the close of a day if base time has passed its end.
func (s *step) startClose(before int64, wasKnown bool) {
	p, t := s.state, &s.p.terms
	today := t.Day(p.base)
	if !wasKnown || today <= t.Day(before) || p.settings.GetPortfolioClose() == ledger.PortfolioClose_PORTFOLIO_CLOSE_OFF {
		return
	}
	if p.closing != nil {
		p.closed = nil // who was erased since its tick is in no sum that the next close could be compared with
	}
	p.closing = &closing{at: t.Until(int64(today) * customer.DayMS), day: today, classes: p.hashClasses(), thresholds: p.thresholds, totals: portfolio.Totals{ErasedCLV: p.totals.ErasedCLV}}
	if c := p.closed; c != nil {
		p.closing.change = &ledger.EquityChange{Since: c.at, Parts: make([]int64, portfolio.Parts)}
		p.closing.change.Parts[portfolio.Erased] = -c.erased
	}
}

// keepClosingTerms keeps the terms of a close under way and of the last one, which new settings or parameters are about to replace.
func (s *partitionState) keepClosingTerms() {
	//mutant:close-under-new-terms delete
	s.keepTermsOfClosing()
	//mutant:closed-under-new-terms if false && $
	if c := s.closed; c != nil && c.settings == nil {
		c.settings, c.parameters = s.settings, s.parameters
	}
}

// keepTermsOfClosing keeps the terms of a close under way alone: new thresholds move no value, only the tiers that its segments count.
func (s *partitionState) keepTermsOfClosing() {
	if c := s.closing; c != nil && c.settings == nil {
		c.settings, c.parameters = s.settings, s.parameters
	}
}

// deriveClosingTerms makes the terms of a close under way, and of the last one, agree with their settings and parameters.
func (p *Partition) deriveClosingTerms() {
	if c := p.state.closing; c != nil && c.settings != nil {
		c.terms = p.termsOf(c.settings, c.parameters)
		c.terms.Thresholds = c.thresholds
	}
	if c := p.state.closed; c != nil && c.settings != nil {
		c.terms = p.termsOf(c.settings, c.parameters)
	}
}

// termsOf returns the terms in force with other settings and parameters.
func (p *Partition) termsOf(v *ledger.SettingsValues, parameters *ledger.Parameters) *customer.Terms {
	terms := p.terms
	terms.Settings, terms.Purchases, terms.Spend = v, model.New(parameters), model.Spend(parameters)
	terms.Season = model.Clock(parameters)
	terms.OrdersError, terms.SpendError = parameters.GetOrdersError(), parameters.GetSpendError()
	return &terms
}

// beforeChange notes what the sums count of a customer before an entry changes them, and values a customer whom a close under way has not
// reached. Every step calls it for every customer that it changes, and stores them afterwards.
func (s *step) beforeChange(c *subject) {
	s.scratch.cancellations = c.state.AppendCancellations(s.scratch.cancellations[:0])
	s.scratch.former.keep(c.state)
	k := s.state.closing
	if k == nil || k.hasPassed(c.id) {
		c.state.ClosedDay = 0
		return
	}
	if c.state.ClosedDay == k.day {
		return
	}
	c.state.ClosedDay = k.day
	//mutant:close-after-change if false && $
	if c.known {
		s.value(c.state)
	}
}

func (k *closing) hasPassed(id string) bool {
	class := ledger.Class(id, k.classes)
	return class < k.class || class == k.class && id <= k.after
}

// value adds a customer to the sums of the close under way.
func (s *step) value(c *customer.State) {
	k, t := s.state.closing, s.closingTerms()
	if now := c.AsOf(t, k.at); now != nil {
		last := valueAt(t, now, k.at)
		k.totals.Known++
		k.totals.Add(&last)
		k.totals.AddCancellations(now.AppendCancellations(nil))
		s.compare(c, now, &last)
		k.addToCohort(now, &last)
		k.scores = portfolio.AddScores(k.scores, t, now, k.at)
		if last.Orders > 0 {
			k.segments.Add(&segment.Customer{State: now, Scores: &last, Terms: t, Moment: t.At(k.at, k.at, true), Day: int64(k.day) - 1, Texts: &s.state.texts})
		}
		if portfolio.Ranked(&last) {
			k.values = append(k.values, last.Historic+last.Predicted)
		}
	}
}

// closingTerms returns the terms of the close under way.
func (s *step) closingTerms() *customer.Terms {
	if t := s.state.closing.terms; t != nil {
		return t
	}
	return &s.p.terms
}

// valueAt returns a customer's scores at a time, as they would be published.
func valueAt(t *customer.Terms, s *customer.State, at int64) customer.LastPublished {
	m := t.At(at, at, true)
	var scores customer.LastPublished
	value, risk, status := clv.Score(t, m, s, &s.LastPublished), churn.Score(t, m, s), promoter.Score(t, m, s)
	value.Spread(t, m, s)
	clv.SetPublished(&value, 0, &scores)
	churn.SetPublished(&risk, &scores)
	promoter.SetPublished(&status, 0, &scores)
	return scores
}

// walkClose values the next customers of the cursor, at most limit. What has no bound it contributes on the way, the sums at the end of the
// last class.
func (s *step) walkClose(limit int) (done int, err error) {
	done, err = s.walkClasses(limit)
	if k := s.state.closing; err == nil && k != nil && (len(k.values) >= valuesPerContribution || k.segments.Len() >= segmentsPerContribution) {
		s.contributeClose(&ledger.Contribution{Partition: s.state.number, Offset: s.offset, Time: s.state.base, More: true})
	}
	return done, err
}

func (s *step) walkClasses(limit int) (done int, err error) {
	k := s.state.closing
	for k != nil && done < limit {
		ids, err := s.store.Class(k.class, k.classes)
		if err != nil {
			return done, err
		}
		for _, id := range ids {
			if id <= k.after {
				continue
			}
			if done == limit {
				return done, nil
			}
			c, err := s.store.Customer(id)
			if err != nil {
				return done, err
			}
			if c == nil {
				return done, ErrLostCustomer
			}
			//mutant:close-twice if true || $
			if c.ClosedDay != k.day {
				s.value(c)
			}
			k.after = id
			done++
		}
		k.class, k.after = k.class+1, ""
		if k.class == k.classes {
			c := k.totals.Contribution(s.state.number, s.offset, s.state.base, s.closingTerms())
			c.EquityChange, c.Cohort, c.EquityScores = k.change, k.cohort, k.scores
			s.contributeClose(c)
			s.state.closing, s.state.closed = nil, &closed{at: k.at, settings: k.settings, parameters: k.parameters, terms: k.terms, erased: k.erased}
			return done, nil
		}
	}
	return done, nil
}

// These bound an entry, and what a partition keeps of a close under way: a value takes a byte or two, a segment some 60 bytes.
const (
	valuesPerContribution   = 10_000
	segmentsPerContribution = 2_000
)

// contributeClose sends a contribution to the close under way, with the values and segments that were not sent before.
func (s *step) contributeClose(c *ledger.Contribution) {
	k := s.state.closing
	c.Close, c.Values, c.Segments = k.at, portfolio.SortedDifferences(k.values), k.segments.Encode()
	//mutant:segments-sent-twice replace k.values = nil
	k.values, k.segments = nil, segment.Set{}
	s.send(0, &ledger.Entry{Kind: ledger.Kind_KIND_CONTRIBUTION, Time: s.state.base}, c)
}

// publishFinal publishes the sums of a close to which all partitions have contributed, and sends the bounds of its tiers.
func (s *step) publishFinal(sum *ledger.Contribution) {
	p, least := s.state, int64(s.state.settings.GetTiersMinCustomers())
	bounds := p.thresholds
	if next := portfolio.DrawThresholds(sum); !p.copying() && (next.GetCustomers() >= least || bounds.GetCustomers() >= least) {
		bounds = s.sendThresholds(next, sum.GetClose())
	}
	sum.Values = nil
	e := &output.PortfolioUpdated{
		About: s.scratch.writer.about(s.p.terms.At(sum.GetClose(), p.base, p.baseKnown), output.TriggerClose, ""),
		State: output.PortfolioFinal,
	}
	portfolio.Describe(sum, p.contributions.SetPublishedFinal(sum), bounds, least, e)
	portfolio.DescribeClose(sum, p.settings.GetMargin(), e)
	s.scratch.writer.writeWithKey(output.Portfolio, output.TypePortfolio, output.PortfolioKey, &e.About, e.Append)
	s.publishSegments(sum)
}

// publishSegments publishes the segments of a close, and keeps those of the dimensions that metrics show.
func (s *step) publishSegments(sum *ledger.Contribution) {
	var segments segment.Set
	segments.Plus(sum.Segments)
	sum.Segments = segments.EncodeBounded()
	for _, row := range segments.Rows() {
		e := &output.SegmentUpdated{
			About:     s.scratch.writer.about(s.p.terms.At(sum.GetClose(), s.state.base, s.state.baseKnown), output.TriggerClose, ""),
			Dimension: row.Dimension, Segment: row.Segment,
		}
		for _, m := range segment.Measures() {
			e.Figures = append(e.Figures, output.Figure{Name: m.Name, JSON: m.Of(&row.Sums).Append(nil, e.Currency)})
		}
		s.scratch.writer.writeWithKey(output.Segments, output.TypeSegment, e.Key(), &e.About, e.Append)
	}
}
