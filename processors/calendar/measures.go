package calendar

import (
	"math"
	"strconv"

	"github.com/mainstay/mainstay/schemas/money"
)

// Measure is a measure of T: of a period of all customers, or of a month of a cohort.
type Measure[T any] struct {
	Name string // as reports state it
	Of   func(*T) Value
}

// Value is the value of a measure.
type Value struct {
	amount, of int64 // amount / of, for a ratio
	unit       unitOf
}

type unitOf uint8

const (
	unknown  unitOf = iota
	count           // of customers or orders
	minor           // minor units of the base currency
	average         // minor units, amount for each of so many
	fraction        // a ratio
)

func number(n int64) Value    { return Value{n, 1, count} }
func amount(n int64) Value    { return Value{n, 1, minor} }
func per(n, of int64) Value   { return ratioOf(n, of, average) }
func share(n, of int64) Value { return ratioOf(n, of, fraction) }

// ratioOf is unknown where there is nothing to divide by.
func ratioOf(n, of int64, unit unitOf) Value {
	if of <= 0 {
		return Value{}
	}
	return Value{n, of, unit}
}

// Known returns false for a ratio of nothing.
func (v Value) Known() bool { return v.unit != unknown }

// Append appends the value as a JSON number: amounts in the currency's decimals, ratios with four; null if it is not known.
func (v Value) Append(dst []byte, currency money.Unit) []byte {
	switch v.unit {
	case count:
		return strconv.AppendInt(dst, v.amount, 10)
	case minor:
		return currency.Append(dst, v.amount)
	case average:
		return currency.Append(dst, currency.Round(int64(math.RoundToEven(float64(v.amount)/float64(v.of)))))
	case fraction:
		return strconv.AppendFloat(dst, float64(v.amount)/float64(v.of), 'f', 4, 64)
	default:
		return append(dst, "null"...)
	}
}

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
func (p *Period) Lost() int64 { return p.Sum[LostSaid] + p.Sum[LostSilent] }

// End is Start of the period after it.
func (p *Period) End() int64 { return p.Start + p.New + p.Sum[Returning] - p.Lost() }

// Retention are the measures of who stays.
func Retention() []Measure[Period] {
	return []Measure[Period]{
		{"customers_at_start", func(p *Period) Value { return number(p.Start) }},
		{"new_customers", func(p *Period) Value { return number(p.New) }},
		{"returning_customers", func(p *Period) Value { return number(p.Sum[Returning]) }},
		{"lost_said", func(p *Period) Value { return number(p.Sum[LostSaid]) }},
		{"lost_silent", func(p *Period) Value { return number(p.Sum[LostSilent]) }},
		{"customers_at_end", func(p *Period) Value { return number(p.End()) }},
		{"churn_rate", func(p *Period) Value { return share(p.Lost()-p.Sum[Returning], p.Start) }},
		{"retention_rate", func(p *Period) Value { return share(p.End()-p.New, p.Start) }},
	}
}

// Sales are the measures of what is bought, and by whom.
func Sales() []Measure[Period] {
	return []Measure[Period]{
		{"revenue", func(p *Period) Value { return amount(p.Sum[Revenue]) }},
		{"new_revenue", func(p *Period) Value { return amount(p.NewRevenue) }},
		{"repeat_revenue", func(p *Period) Value { return amount(p.Sum[Revenue] - p.NewRevenue - p.Sum[Reactivated]) }},
		{"reactivated_revenue", func(p *Period) Value { return amount(p.Sum[Reactivated]) }},
		{"repeat_share", func(p *Period) Value { return share(p.Sum[Revenue]-p.NewRevenue, p.Sum[Revenue]) }},
		{"orders", func(p *Period) Value { return number(p.Sum[Orders]) }},
		{"average_order_value", func(p *Period) Value { return per(p.Sum[Revenue], p.Sum[Orders]) }},
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
func Cohort() []Measure[Age] {
	return []Measure[Age]{
		{"customers", func(a *Age) Value { return number(a.Customers) }},
		{"buying_customers", func(a *Age) Value { return number(a.Cell[Active]) }},
		{"buying_share", func(a *Age) Value { return share(a.Cell[Active], a.Customers) }},
		{"orders", func(a *Age) Value { return number(a.Cell[Orders]) }},
		{"revenue", func(a *Age) Value { return amount(a.Cell[Revenue]) }},
		{"cumulative_revenue", func(a *Age) Value { return amount(a.Revenue) }},
		{"value_per_customer", func(a *Age) Value { return per(a.Revenue, a.Customers) }},
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
