package lookup

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Returns are the customers of a base by what they bought in which month, and what the shop spent on them.
type Returns struct {
	*Calendar
	costs   cost.Table
	margin  float64
	cohorts map[cohort]*cohortSums
	lives   []life
}

// cohort are the customers of a source whose first purchase is in a month.
type cohort struct {
	month  calendar.Month
	source string // empty: the cohorts of all sources
}

type cohortSums struct {
	customers, historic, predicted int64
	revenue                        []int64 // by months since the first purchase
}

// life is what a customer bought, month by month, without months of nothing.
type life struct {
	months   []bought
	referred bool // a referral by another customer is in force
}

type bought struct {
	month calendar.Month
	net   int64
}

// ReadReturns reads all customers of a namespace. It is a scan, as List is. ErrNoState: a partition has no state, or no time of the ledger
// is known yet.
func ReadReturns(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, scanned func(int64)) (*Returns, error) {
	all, err := readPartitions(ctx, r, namespace, g)
	if err != nil {
		return nil, err
	}
	return SumReturns(ctx, all, inRedis(r, namespace, g), scanned)
}

// SumReturns reads the customers of a walk through some partitions, which begin with partition 0.
func SumReturns(ctx context.Context, all []*processors.Partition, through Walk, scanned func(int64)) (*Returns, error) {
	c, err := SumCalendars(all)
	if err != nil {
		return nil, err
	}
	r := &Returns{Calendar: c, costs: all[0].Costs(), margin: all[0].Settings().GetMargin(), cohorts: map[cohort]*cohortSums{}}
	walked := onlyOnce{}
	_, err = through(ctx, scanned, func(p *processors.Partition, id string, s *customer.State) {
		if s.Orders() > 0 && !walked.again(p, id) {
			r.add(p, id, s)
		}
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Returns) add(p *processors.Partition, id string, s *customer.State) {
	a := processors.ScoreCustomer(p, id, s)
	one := life{referred: a.Referrer != ""}
	for _, d := range s.Days() {
		month := calendar.MonthOf(d.Day)
		if n := len(one.months); n == 0 || one.months[n-1].month != month {
			one.months = append(one.months, bought{month: month})
		}
		one.months[len(one.months)-1].net += d.Net
	}
	r.lives = append(r.lives, one)
	first := one.months[0].month
	for _, key := range []cohort{{month: first}, {first, cmp.Or(p.Trait(s, trait.Source), segment.None)}} {
		sums := r.cohorts[key]
		if sums == nil {
			sums = &cohortSums{}
			r.cohorts[key] = sums
		}
		sums.customers++
		sums.historic += a.CLV.Historic
		sums.predicted += a.CLV.Predicted.Value
		for _, b := range one.months {
			age := int(b.month - first)
			if more := age + 1 - len(sums.revenue); more > 0 {
				sums.revenue = append(sums.revenue, make([]int64, more)...)
			}
			sums.revenue[age] += b.net
		}
	}
}

// Return compares what was spent with what it brought, in a period, of all customers or of those of a source. Amounts are minor units.
type Return struct {
	From, To calendar.Month
	Source   string // empty: all
	New      int64  // customers whose first purchase is in the period, as Period.New
	Known    int64  // those of them of whom there is a state: all but who was forgotten
	Value    int64  // of these: the margin on what they bought, and predicted CLV
	Referral int64  // what those of them bought in the period for whom a referral is in force
	// What customers bought in the period before; what they bought in this one, at most as much; and what they bought in this one beyond it.
	Opening, Retained, Expansion int64
	Acquisition, Retention       Cost
	Payback                      Months
}

// Months is a number of months.
type Months struct {
	Number int64
	Known  bool
}

func (m Months) value() measure.Value {
	if !m.Known {
		return measure.Ratio(0, 0, 0)
	}
	return measure.Ratio(m.Number, 1, 0)
}

// Cost is what was spent in a period, minor units.
type Cost struct {
	Amount int64
	Known  bool // it is stated of every month of the period
}

func (c Cost) value() measure.Value {
	if !c.Known {
		return measure.AmountPer(0, 0)
	}
	return measure.Amount(c.Amount)
}

// per is the cost for each of so many, rounded as it is shown.
func (c Cost) per(n int64) (minor int64, known bool) {
	if !c.Known || n == 0 {
		return 0, false
	}
	return measure.PerEach(c.Amount, n), true
}

func (r *Return) acquisitionCost() measure.Value {
	if each, known := r.Acquisition.per(r.New); known {
		return measure.Amount(each)
	}
	return measure.AmountPer(0, 0)
}

// valueToCost is the value of a new customer for each unit of what they cost.
func (r *Return) valueToCost() measure.Value {
	each, known := r.Acquisition.per(r.New)
	if !known || r.Known == 0 {
		return measure.Ratio(0, 0, 2)
	}
	return measure.Ratio(measure.PerEach(r.Value, r.Known), each, 2)
}

func (r *Return) retentionReturn() measure.Value {
	c := r.Retention
	if !c.Known {
		return measure.Ratio(0, 0, 2)
	}
	return measure.Ratio(r.Retained+r.Expansion+r.Referral-c.Amount, c.Amount, 2)
}

// AcquisitionMeasures are the measures of what new customers cost and are worth.
func AcquisitionMeasures() []measure.Measure[Return] {
	return []measure.Measure[Return]{
		{Name: "new_customers", Of: func(r *Return) measure.Value { return measure.Number(r.New) }},
		{Name: "acquisition_cost", Of: func(r *Return) measure.Value { return r.Acquisition.value() }},
		{Name: "cac", Better: measure.Less, Of: (*Return).acquisitionCost},
		{Name: "equity_per_new_customer", Better: measure.More, Of: func(r *Return) measure.Value { return measure.AmountPer(r.Value, r.Known) }},
		{Name: "clv_to_cac", Better: measure.More, Of: (*Return).valueToCost},
		{Name: "payback_months", Better: measure.Less, Of: func(r *Return) measure.Value { return r.Payback.value() }},
	}
}

// ReturnMeasures are the measures of a period over all customers.
func ReturnMeasures() []measure.Measure[Return] {
	return append(AcquisitionMeasures(), []measure.Measure[Return]{
		{Name: "retention_cost", Of: func(r *Return) measure.Value { return r.Retention.value() }},
		{Name: "opening_revenue", Of: func(r *Return) measure.Value { return measure.Amount(r.Opening) }},
		{Name: "retained_revenue", Of: func(r *Return) measure.Value { return measure.Amount(r.Retained) }},
		{Name: "expansion_revenue", Of: func(r *Return) measure.Value { return measure.Amount(r.Expansion) }},
		{Name: "referral_revenue", Of: func(r *Return) measure.Value { return measure.Amount(r.Referral) }},
		{Name: "retention_roi", Better: measure.More, Of: (*Return).retentionReturn},
		{Name: "gross_revenue_retention", Better: measure.More, Of: func(r *Return) measure.Value { return measure.Share(r.Retained, r.Opening) }},
		{Name: "net_revenue_retention", Better: measure.More, Of: func(r *Return) measure.Value { return measure.Share(r.Retained+r.Expansion, r.Opening) }},
	}...)
}

// Over returns periods of so many months up to a month, over all customers, in the order of time.
func (r *Returns) Over(months, to calendar.Month) (all []Return) {
	place := map[calendar.Month]int{} // of a period, by its first month
	for _, p := range r.Periods(months, to) {
		place[p.From] = len(all)
		one := r.of(p.From, p.To, "")
		one.New = p.New
		one.Acquisition = r.cost(p.From, p.To, ledger.CostKind_COST_KIND_ACQUISITION)
		one.Retention = r.cost(p.From, p.To, ledger.CostKind_COST_KIND_RETENTION, ledger.CostKind_COST_KIND_PROGRAMME)
		one.Payback = r.payback(&one)
		all = append(all, one)
	}
	for i := range r.lives {
		r.lives[i].addTo(all, place, months)
	}
	return all
}

// addTo adds what a customer bought to the periods.
func (l *life) addTo(all []Return, place map[calendar.Month]int, months calendar.Month) {
	var before bought // the period before, by its first month
	spent := map[calendar.Month]int64{}
	for _, b := range l.months {
		spent[b.month-(b.month%months+months)%months] += b.net
	}
	for i, from := range slices.Sorted(maps.Keys(spent)) {
		now := bought{from, spent[from]}
		if k, listed := place[from]; listed {
			if i == 0 && l.referred {
				all[k].Referral += now.net
			}
			if i > 0 && before.month == from-months {
				//mutant:expansion-is-retained replace all[k].Retained += now.net
				all[k].Retained += min(before.net, now.net)
				all[k].Expansion += max(0, now.net-before.net)
			}
		}
		if k, listed := place[from+months]; listed {
			all[k].Opening += now.net
		}
		before = now
	}
}

// BySource returns the months up to a month, each with the sources of new customers and of costs in the order of their names.
func (r *Returns) BySource(to calendar.Month) (all []Return) {
	const kind = ledger.CostKind_COST_KIND_ACQUISITION
	sources := map[calendar.Month]map[string]bool{}
	for _, p := range r.Periods(1, to) {
		sources[p.From] = map[string]bool{}
	}
	note := func(month calendar.Month, source string) {
		if sources[month] != nil && source != "" {
			sources[month][source] = true
		}
	}
	for key := range r.cohorts {
		note(key.month, key.source)
	}
	for _, c := range r.costs.All() {
		if c.Kind == kind {
			note(c.Month, c.Source)
		}
	}
	for _, month := range slices.Sorted(maps.Keys(sources)) {
		for _, source := range slices.Sorted(maps.Keys(sources[month])) {
			one := r.of(month, month, source)
			one.New = one.Known
			amount, stated := r.costs.Amount(month, kind, source)
			one.Acquisition = Cost{amount, stated}
			one.Payback = r.payback(&one)
			all = append(all, one)
		}
	}
	return all
}

// of sums the customers whose first purchase is in a period.
func (r *Returns) of(from, to calendar.Month, source string) Return {
	one := Return{From: from, To: to, Source: source}
	var historic int64
	for month := from; month <= to; month++ {
		if sums := r.cohorts[cohort{month, source}]; sums != nil {
			one.Known += sums.customers
			one.Value += sums.predicted
			historic += sums.historic
		}
	}
	one.Value = portfolio.Value(r.margin, historic, one.Value)
	return one
}

// cost sums what was spent in a period on some kinds.
func (r *Returns) cost(from, to calendar.Month, kinds ...ledger.CostKind) Cost {
	c := Cost{Known: true}
	for month := from; month <= to; month++ {
		amount, stated := r.costs.Sum(month, kinds...)
		c.Amount, c.Known = c.Amount+amount, c.Known && stated
	}
	return c
}

// payback returns the number of months after that of the first purchase at whose end new customers have brought in what they cost: 0 if
// they did so in the month of their first purchase. It is not known before all of them have had so many months.
func (r *Returns) payback(one *Return) Months {
	each, known := one.Acquisition.per(one.New)
	if !known || one.Known == 0 {
		return Months{}
	}
	revenue := int64(0)
	for age := range int(r.Current - one.To) {
		for month := one.From; month <= one.To; month++ {
			if sums := r.cohorts[cohort{month, one.Source}]; sums != nil && age < len(sums.revenue) {
				revenue += sums.revenue[age]
			}
		}
		if measure.PerEach(portfolio.Value(r.margin, revenue, 0), one.Known) >= each {
			return Months{int64(age), true}
		}
	}
	return Months{}
}
