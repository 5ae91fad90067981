package processors

import (
	"fmt"
	"slices"

	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// contribute runs on the tick that takes base time over the end of an interval, and on no other entry: the partition tells
// partition 0 its totals, and partition 0 adds up what it has been told until then.
func (s *step) contribute(before int64, was bool) {
	p := s.Partition
	interval := int64(p.settings.GetContributionMinutes()) * 60_000
	if seconds := p.settings.GetContributionSeconds(); seconds > 0 {
		interval = int64(seconds) * 1000
	}
	if !p.based || was && p.base/interval <= before/interval {
		return
	}
	c := p.totals.Contribution(p.number, s.offset)
	s.send(0, &ledger.Entry{Kind: ledger.Kind_KIND_CONTRIBUTION, Time: p.base}, c)
	if p.number == 0 {
		s.merge()
	}
}

// contribution: partition 0 keeps what a partition tells of itself.
func (s *step) contribution() (Verdict, error) {
	c := new(ledger.Contribution)
	if err := c.UnmarshalVT(s.entry.GetPayload()); err != nil {
		return Verdict{}, fmt.Errorf("%w contribution: %w", ErrMalformed, err)
	}
	s.pass(s.entry)
	if s.number != 0 || !s.board.Take(c) {
		return Verdict{Result: Ignored}, nil
	}
	return Verdict{}, nil
}

// merge publishes the base as a whole where it has changed, and tells all partitions new bounds of the tiers where those in
// force have become wrong: for all customers are scored anew by them.
func (s *step) merge() {
	p := s.Partition
	sum := p.board.Sum()
	if sum == nil {
		return
	}
	least := int64(p.settings.GetTiersMinCustomers())
	bounds := p.thresholds
	if portfolio.Wrong(bounds, sum, least) {
		bounds = portfolio.Draw(sum)
		bounds.Version = p.thresholds.GetVersion() + 1
		for partition := range p.genesis.GetPartitions() {
			s.send(partition, &ledger.Entry{Kind: ledger.Kind_KIND_THRESHOLDS, Time: p.base}, bounds)
		}
	}
	if known := p.board.Announced(); known != nil && sameSums(sum, known) {
		return
	}
	e := &output.PortfolioUpdated{About: s.voice.identify(p.terms.At(p.base, p.base, true), output.TriggerTimer, "")}
	portfolio.Describe(sum, p.board.Announce(sum), bounds, least, e)
	s.voice.say(output.Portfolio, output.TypePortfolio, &e.About, e.Append)
}

func sameSums(a, b *ledger.Contribution) bool {
	return a.GetCustomers() == b.GetCustomers() && a.GetActive() == b.GetActive() && slices.Equal(a.ChurnClasses, b.ChurnClasses) &&
		a.GetPromoters() == b.GetPromoters() && a.GetPassives() == b.GetPassives() && a.GetDetractors() == b.GetDetractors() &&
		a.GetHistoricClv() == b.GetHistoricClv() && a.GetPredictedClv() == b.GetPredictedClv()
}
