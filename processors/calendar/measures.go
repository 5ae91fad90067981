package calendar

import "github.com/mainstay/mainstay/processors/measure"

// Period sums a month, or several, over all cohorts.
type Period struct {
	From, To Month // both included
	// Start is the number of customers who had bought before and were not lost.
	Start int64
	// New is the number of customers whose first purchase was in the period, NewRevenue what they bought in the month of it, minor units.
	New, NewRevenue int64
	// Sum sums the months, so somebody who bought in two of them counts twice in Active.
	Sum Cell
}

// Lost is the number of customers who were lost in a month, however.
func (p *Period) Lost() int64 { return p.Sum[LostStated] + p.Sum[LostSilent] }

// End is Start of the period after it.
func (p *Period) End() int64 { return p.Start + p.New + p.Sum[Returning] - p.Lost() }

// Retention are the measures of who stays.
func Retention() []measure.Measure[Period] {
	return []measure.Measure[Period]{
		{Name: "customers_at_start", Of: func(p *Period) measure.Value { return measure.Number(p.Start) }},
		{Name: "new_customers", Of: func(p *Period) measure.Value { return measure.Number(p.New) }},
		{Name: "returning_customers", Of: func(p *Period) measure.Value { return measure.Number(p.Sum[Returning]) }},
		{Name: "lost_said", Of: func(p *Period) measure.Value { return measure.Number(p.Sum[LostStated]) }},
		{Name: "lost_silent", Of: func(p *Period) measure.Value { return measure.Number(p.Sum[LostSilent]) }},
		{Name: "customers_at_end", Of: func(p *Period) measure.Value { return measure.Number(p.End()) }},
		{Name: "churn_rate", Of: func(p *Period) measure.Value { return measure.Share(p.Lost()-p.Sum[Returning], p.Start) }},
		{Name: "retention_rate", Of: func(p *Period) measure.Value { return measure.Share(p.End()-p.New, p.Start) }},
	}
}

// Sales are the measures of what is bought, and by whom.
func Sales() []measure.Measure[Period] {
	return []measure.Measure[Period]{
		{Name: "revenue", Of: func(p *Period) measure.Value { return measure.Amount(p.Sum[Revenue]) }},
		{Name: "new_revenue", Of: func(p *Period) measure.Value { return measure.Amount(p.NewRevenue) }},
		{Name: "repeat_revenue", Of: func(p *Period) measure.Value {
			return measure.Amount(p.Sum[Revenue] - p.NewRevenue - p.Sum[Reactivated])
		}},
		{Name: "reactivated_revenue", Of: func(p *Period) measure.Value { return measure.Amount(p.Sum[Reactivated]) }},
		{Name: "repeat_share", Of: func(p *Period) measure.Value { return measure.Share(p.Sum[Revenue]-p.NewRevenue, p.Sum[Revenue]) }},
		{Name: "orders", Of: func(p *Period) measure.Value { return measure.Number(p.Sum[Orders]) }},
		{Name: "average_order_value", Of: func(p *Period) measure.Value { return measure.AmountPer(p.Sum[Revenue], p.Sum[Orders]) }},
	}
}

// Periods sums the table by periods of so many months, 1 or 3, from the month of the first purchase to a month, without a period that
// ends after it. Periods without a purchase are among them.
func (t *Table) Periods(months, to Month) (all []Period) {
	if len(t.keys) == 0 {
		return nil
	}
	first := t.keys[0].Month - (t.keys[0].Month%months+months)%months
	var sum Period
	row := 0
	for from := first; from+months-1 <= to; from += months {
		sum = Period{From: from, To: from + months - 1, Start: sum.End()}
		for ; row < len(t.keys) && t.keys[row].Month <= sum.To; row++ {
			k, c := t.keys[row], &t.cells[row]
			if k.Cohort == k.Month {
				sum.New += c[Active]
				sum.NewRevenue += c[Revenue]
			}
			sum.Sum.Add(c, 1)
		}
		all = append(all, sum)
	}
	return all
}

// Age is a month of a cohort.
type Age struct {
	Cohort, Month Month
	Customers     int64 // of the cohort
	Cell          Cell
	Revenue       int64 // since the first purchases, minor units
}

// Cohort are the measures of a month of a cohort.
func Cohort() []measure.Measure[Age] {
	return []measure.Measure[Age]{
		{Name: "customers", Of: func(a *Age) measure.Value { return measure.Number(a.Customers) }},
		{Name: "buying_customers", Of: func(a *Age) measure.Value { return measure.Number(a.Cell[Active]) }},
		{Name: "buying_share", Of: func(a *Age) measure.Value { return measure.Share(a.Cell[Active], a.Customers) }},
		{Name: "orders", Of: func(a *Age) measure.Value { return measure.Number(a.Cell[Orders]) }},
		{Name: "revenue", Of: func(a *Age) measure.Value { return measure.Amount(a.Cell[Revenue]) }},
		{Name: "cumulative_revenue", Of: func(a *Age) measure.Value { return measure.Amount(a.Revenue) }},
		{Name: "value_per_customer", Of: func(a *Age) measure.Value { return measure.AmountPer(a.Revenue, a.Customers) }},
	}
}

// Ages returns the months of each cohort from that of its first purchases to a month, cohort by cohort.
func (t *Table) Ages(to Month) (all []Age) {
	cells := map[Key]*Cell{}
	var cohorts []Month
	t.Each(func(k Key, c *Cell) {
		cells[k] = c
		if k.Cohort == k.Month {
			cohorts = append(cohorts, k.Cohort)
		}
	})
	for _, cohort := range cohorts {
		revenue, customers := int64(0), cells[Key{cohort, cohort}][Active]
		for month := cohort; month <= to; month++ {
			a := Age{Cohort: cohort, Month: month, Customers: customers}
			if c := cells[Key{cohort, month}]; c != nil {
				a.Cell = *c
			}
			revenue += a.Cell[Revenue]
			a.Revenue = revenue
			all = append(all, a)
		}
	}
	return all
}
