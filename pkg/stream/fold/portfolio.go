package fold

import (
	"cmp"
	"math"
	"strconv"

	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// observePortfolio sets the customer base's totals as partition 0 merged them last. The thresholds that are computed from
// them are applied later, when the partition folds the entry that carries them.
func (c *claim) observePortfolio() {
	sum, bounds := c.state.PublishedPortfolio(), c.state.Thresholds()
	if sum == nil || sum == c.observed.portfolio && bounds == c.observed.thresholds {
		return
	}
	c.observed.portfolio, c.observed.thresholds = sum, bounds
	m := c.metrics.Portfolio
	m.Customers.WithLabelValues().Set(float64(sum.GetCustomers()))
	m.Prospects.WithLabelValues().Set(float64(sum.GetProspects()))
	m.Active.WithLabelValues().Set(float64(sum.GetActive()))
	for i, class := range []string{"low", "medium", "high", "none", "churned"} {
		m.ByChurnRisk.WithLabelValues(class).Set(float64(sum.ChurnClasses[i]))
	}
	unit := c.state.Unit()
	m.HistoricRevenue.WithLabelValues(unit.Code).Set(unit.Major(sum.GetHistoricClv()))
	m.FutureValue.WithLabelValues(unit.Code).Set(unit.Major(sum.GetPredictedClv()))
	m.CustomerEquity.WithLabelValues(unit.Code).Set(unit.Major(sum.GetCustomerEquity()))

	m.Cancellations.Reset()
	for _, n := range sum.GetCancellations() {
		reason := cmp.Or(n.GetReason(), "none")
		m.Cancellations.WithLabelValues("order", reason).Set(float64(n.GetOrders()))
		m.Cancellations.WithLabelValues("refund", reason).Set(float64(n.GetRefunds()))
		m.Cancellations.WithLabelValues("subscription", reason).Set(float64(n.GetSubscriptions()))
		m.Cancellations.WithLabelValues("account", reason).Set(float64(n.GetAccounts()))
	}
	m.ByValueTier.Reset()
	if bounds.GetCustomers() >= int64(c.state.Settings().GetTiersMinCustomers()) {
		top10, top20, rest := portfolio.Tiers(sum, bounds)
		m.ByValueTier.WithLabelValues("top_10").Set(float64(top10))
		m.ByValueTier.WithLabelValues("top_20").Set(float64(top20))
		m.ByValueTier.WithLabelValues("rest").Set(float64(rest))
	}

	promoters, detractors := float64(sum.GetPromoters()), float64(sum.GetDetractors())
	n := promoters + float64(sum.GetPassives()) + detractors
	m.ByNPSCategory.WithLabelValues("promoter").Set(promoters)
	m.ByNPSCategory.WithLabelValues("passive").Set(float64(sum.GetPassives()))
	m.ByNPSCategory.WithLabelValues("detractor").Set(detractors)
	m.ByNPSCategory.WithLabelValues("unknown").Set(float64(sum.GetCustomers()+sum.GetProspects()) - n)
	m.NPS.Reset()
	m.NPSError.Reset()
	if n > 0 {
		p, d := promoters/n, detractors/n
		m.NPS.WithLabelValues().Set(100 * (p - d))
		m.NPSError.WithLabelValues().Set(100 * math.Sqrt(max(0, p+d-(p-d)*(p-d))/n))
	}
}

// observeNewCustomers sets what the newest customers cost and are worth, as of the last close that partition 0 has published.
func (c *claim) observeNewCustomers() {
	if c.partition != 0 {
		return
	}
	m, unit, cohort := c.metrics.Portfolio, c.state.Unit(), c.state.FinalPortfolio().GetCohort()
	n := float64(cohort.GetCustomers())
	if n == 0 {
		m.EquityPerNewCustomer.Reset()
		m.CAC.Reset()
		return
	}
	value := portfolio.Value(c.state.Settings().GetMargin(), cohort.GetHistoric(), cohort.GetPredicted())
	m.EquityPerNewCustomer.WithLabelValues(unit.Code).Set(unit.Major(value) / n)
	cost, stated := c.state.AcquisitionCost(calendar.Month(cohort.GetMonth()))
	if !stated {
		m.CAC.Reset()
		return
	}
	m.CAC.WithLabelValues(unit.Code).Set(unit.Major(cost) / n)
}

// observeSegments sets the figures of segments as of the last close that partition 0 has published.
func (c *claim) observeSegments() {
	final := c.state.FinalPortfolio()
	if final == nil || final == c.observed.final {
		return
	}
	c.observed.final = final
	m, unit := c.metrics.Portfolio, c.state.Unit()
	m.BySegment.Reset()
	m.SegmentEquity.Reset()
	var segments segment.Set
	segments.Plus(final.Segments)
	for _, row := range segments.BoundedRows() {
		m.BySegment.WithLabelValues(row.Dimension, row.Segment).Set(float64(row.Customers))
		m.SegmentEquity.WithLabelValues(row.Dimension, row.Segment, unit.Code).Set(unit.Major(row.Historic + row.Predicted))
	}
}

// deleteSeries deletes the series of a partition that another process may own now.
func (f *Fold) deleteSeries(partition int32) {
	topic, p := ledger.Topic(f.cfg.Namespace), strconv.Itoa(int(partition))
	f.metrics.DeletePartition(partition)
	f.metrics.LagRecords.DeleteLabelValues(topic, p)
	f.metrics.LagSeconds.DeleteLabelValues(topic, p)
	f.metrics.Consumer.Halted.DeletePartialMatch(map[string]string{"partition": p})
	f.metrics.LedgerBytes.DeleteLabelValues(p)
	f.metrics.Stalled.Delete(telemetry.ByFold, topic, p)
	f.metrics.OldestErasure.Delete(telemetry.ByFold, topic, p)
	if partition == 0 {
		f.metrics.TimeBehind.DeleteSource(telemetry.ByFold)
		f.metrics.Portfolio.Reset()
	}
}
