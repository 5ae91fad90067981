package processors

import (
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// contribute runs with each tick that moves base time over the end of an interval: the partition sends its totals to partition 0,
// and partition 0 adds up the contributions that it has.
func (s *step) contribute(before int64, wasKnown bool) {
	p := s.state
	interval := int64(p.settings.GetContributionMinutes()) * 60_000
	if seconds := p.settings.GetContributionSeconds(); seconds > 0 {
		interval = int64(seconds) * 1000
	}
	if !p.baseKnown || wasKnown && p.base/interval <= before/interval {
		return
	}
	c := p.totals.Contribution(p.number, s.offset, p.base, &s.p.terms)
	s.send(0, &ledger.Entry{Kind: ledger.Kind_KIND_CONTRIBUTION, Time: p.base}, c)
	if p.number == 0 {
		s.publishPortfolio()
	}
}

// foldContribution keeps the contribution of a partition, in partition 0.
func (s *step) foldContribution() (Verdict, error) {
	c := new(ledger.Contribution)
	if err := c.UnmarshalVT(s.entry.GetPayload()); err != nil {
		return Verdict{}, fmt.Errorf("%w contribution: %w", ErrMalformed, err)
	}
	s.state.advanceMark(s.entry)
	if s.state.number != 0 || !s.state.contributions.Replace(c) {
		return Verdict{Result: Ignored}, nil
	}
	if sum := s.state.contributions.RemoveFinal(s.state.genesis.GetPartitions()); sum != nil {
		s.publishFinal(sum)
	}
	return Verdict{}, nil
}

// publishPortfolio publishes the sums over the whole base where they have changed. It sends new thresholds to all partitions only
// as portfolio.Redraw says, since new ones have every customer rescored.
func (s *step) publishPortfolio() {
	p := s.state
	sum := p.contributions.Sum(p.genesis.GetPartitions())
	if sum == nil {
		return
	}
	least := int64(p.settings.GetTiersMinCustomers())
	bounds := p.thresholds
	// Until intake takes over, the thresholds of a copy are those of the ledger that is copied.
	if !p.copying() {
		if next := portfolio.Redraw(bounds, sum, least, p.settings.GetTiersRedrawShare(), p.base); next != nil {
			bounds = s.sendThresholds(next, 0)
		}
	}
	sum.Values = nil
	if published := p.contributions.Published(); published != nil && sameSums(sum, published) {
		return
	}
	e := &output.PortfolioUpdated{
		About: s.scratch.writer.about(s.p.terms.At(sum.GetTime(), p.base, true), output.TriggerTimer, ""),
		State: output.PortfolioProvisional,
	}
	portfolio.Describe(sum, p.contributions.SetPublished(sum), bounds, least, e)
	s.scratch.writer.writeWithKey(output.Portfolio, output.TypePortfolio, output.PortfolioKey, &e.About, e.Append)
}

// sendThresholds sends thresholds to all partitions, those of a close with the end of its day (ms), and returns them.
func (s *step) sendThresholds(t *ledger.Thresholds, closed int64) *ledger.Thresholds {
	p := s.state
	t.Version, t.Time, t.Close = max(p.thresholds.GetVersion(), p.sentThresholds)+1, p.base, closed
	p.sentThresholds = t.GetVersion()
	for partition := range p.genesis.GetPartitions() {
		s.send(partition, &ledger.Entry{Kind: ledger.Kind_KIND_THRESHOLDS, Time: p.base}, t)
	}
	return t
}

func sameSums(a, b *ledger.Contribution) bool {
	return a.GetCustomers() == b.GetCustomers() && a.GetProspects() == b.GetProspects() && a.GetActive() == b.GetActive() && slices.Equal(a.ChurnClasses, b.ChurnClasses) &&
		a.GetPromoters() == b.GetPromoters() && a.GetPassives() == b.GetPassives() && a.GetDetractors() == b.GetDetractors() &&
		a.GetExpectedOrders() == b.GetExpectedOrders() && a.GetHistoricClv() == b.GetHistoricClv() && a.GetPredictedClv() == b.GetPredictedClv() && a.GetCustomerEquity() == b.GetCustomerEquity() &&
		slices.Equal(customer.DecodeCancellations(a.Cancellations), customer.DecodeCancellations(b.Cancellations))
}
