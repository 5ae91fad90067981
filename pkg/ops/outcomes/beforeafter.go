package outcomes

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
)

// PeriodError is the error of days that cannot be compared.
type PeriodError struct {
	Flag    string // date or days
	Message string
}

func (e *PeriodError) Error() string { return e.Message }

// parseDays reads one length of a window.
func parseDays(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > MostDays {
		return 0, fmt.Errorf("must be whole numbers from 1 to %d, separated by commas; it is %q", MostDays, text)
	}
	return n, nil
}

// ParseDate reads a civil day, counted from 1970-01-01.
func ParseDate(text string) (int32, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("must be a day like 2026-03-01; it is %q", text)
	}
	const seconds = 86_400
	return int32(at.Unix() / seconds), nil //nolint:gosec // four digits of a year
}

// The rows: who is counted, and what.
const (
	AllCustomers   = "all"
	KnownCustomers = "known" // who had bought before the day, as far as the ledger knew when its time came to the day
	NewCustomers   = "new"   // all others
)

// compared sums the customers of some rows: before the day, from the day on, and what was expected from the day on.
type compared struct {
	before, after bought
	expectedDays  float64
	expectedValue float64
}

func (c *compared) add(o *compared) {
	for _, p := range []struct{ to, from *bought }{{&c.before, &o.before}, {&c.after, &o.after}} {
		p.to.days, p.to.orders, p.to.revenue = p.to.days+p.from.days, p.to.orders+p.from.orders, p.to.revenue+p.from.revenue
	}
	c.expectedDays, c.expectedValue = c.expectedDays+o.expectedDays, c.expectedValue+o.expectedValue
}

// comparison folds for BeforeAfter.
type comparison struct {
	day, days int32
	unit      money.Unit
	expected  map[string]expectation // of the partition, as of the day
	made      bool                   // expected is complete
	status    string                 // of the parameters
	known     compared
	fresh     compared // of new customers
	first     int32    // day of the first purchase of all
	none      bool     // nobody has bought
}

type expectation struct{ days, value float64 }

// Change is a comparison of the days around a day.
type Change struct {
	Report *report.Report
	Status string // of the parameters with which the expectation was made: prior, provisional or fitted; empty: there is none
}

// BeforeAfter folds the ledger and compares the days from a civil day on with as many before it, and with what the model expected at its
// beginning, with the parameters that were in force then, of those who had bought before.
func BeforeAfter(ctx context.Context, cfg Config, k *kafka.Client, day int32, days int) (*Change, error) {
	c := &comparison{day: day, days: int32(days), expected: map[string]expectation{}, none: true} //nolint:gosec // at most MostDays
	until, err := fold(ctx, cfg, k, c.expect, c.sum)
	if err != nil {
		return nil, err
	}
	if err := c.check(cfg.Genesis.GetTimezone(), until); err != nil {
		return nil, err
	}
	return &Change{c.report(until), c.status}, nil
}

// expect makes the expectation once base time has come to the day. What is dated later and has arrived already is left out of it.
func (c *comparison) expect(p *refold.Partition) error {
	base, known := p.State.BaseTime()
	//mutant:before-after-with-hindsight if c.made || !known || base < p.State.DayBegins(c.day+c.days)
	if c.made || !known || base < p.State.DayBegins(c.day) {
		return nil
	}
	c.made, c.status = true, p.State.Parameters().GetStatus()
	p.Customers.Each(func(id string, s *customer.State) {
		if days, value, known := processors.ExpectCustomerAsOf(p.State, s, p.State.DayBegins(c.day), int(c.days)); known {
			c.expected[id] = expectation{days, value}
		}
	})
	return nil
}

func (c *comparison) sum(p *refold.Partition) error {
	c.unit = p.State.Unit()
	p.Customers.Each(func(id string, s *customer.State) {
		days := s.Days()
		if len(days) == 0 {
			return
		}
		if c.none || days[0].Day < c.first {
			c.none, c.first = false, days[0].Day
		}
		e, expected := c.expected[id]
		one := compared{boughtWithin(s, c.day-c.days, c.day-1), boughtWithin(s, c.day, c.day+c.days-1), e.days, e.value}
		if expected && days[0].Day < c.day {
			c.known.add(&one)
		} else {
			c.fresh.add(&one)
		}
	})
	clear(c.expected)
	c.made = false
	return nil
}

// check refuses days that the ledger does not cover.
func (c *comparison) check(zone string, until int64) error {
	at := time.UnixMilli(until)
	if location, err := time.LoadLocation(zone); err == nil {
		at = at.In(location)
	}
	today, err := ParseDate(at.Format(time.DateOnly))
	if err != nil {
		return err
	}
	switch {
	case c.none || c.first > c.day-1:
		return &PeriodError{"date", fmt.Sprintf("nobody has bought before %s: there is nothing to compare with", dateOf(c.day))}
	case c.day >= today:
		return &PeriodError{"date", fmt.Sprintf("%s is not over: the ledger's time is %s; choose an earlier day", dateOf(c.day), at.UTC().Format(time.RFC3339))}
	case c.day+c.days > today:
		return &PeriodError{"days", fmt.Sprintf("the %d days from %s on are not over: the ledger's time is %s; give %d or fewer", c.days, dateOf(c.day), at.UTC().Format(time.RFC3339), today-c.day)}
	case c.day-c.days < c.first:
		return &PeriodError{"days", fmt.Sprintf("the first purchase was on %s, so that there are no %d days before %s; give %d or fewer", dateOf(c.first), c.days, dateOf(c.day), c.day-c.first)}
	}
	return nil
}

// BeforeAfterColumns are the columns of the report.
func BeforeAfterColumns() []report.Column {
	var all []report.Column
	for _, name := range []string{"customers", "measure", "before_per_day", "after_per_day", "change", "expected_per_day", "against_expected"} {
		all = append(all, report.Column{Name: name})
	}
	return all
}

func (c *comparison) report(until int64) *report.Report {
	r := &report.Report{AsOf: until, Unit: c.unit, Columns: BeforeAfterColumns()}
	all := c.known
	all.add(&c.fresh)
	r.Rows = c.rows(AllCustomers, &all)
	r.Rows = append(r.Rows, c.rows(KnownCustomers, &c.known)...)
	r.Rows = append(r.Rows, c.rows(NewCustomers, &c.fresh)...)
	return r
}

// rows are those of all, of known or of new customers. Only all are compared with the days before: whoever is known has bought before, and so
// buys less afterwards whatever is done. Only of known customers something was expected.
func (c *comparison) rows(name string, s *compared) [][]report.Cell {
	all := [][]report.Cell{
		{{Text: name}, {Text: "buying_customers"}, c.perDay(float64(s.before.days)), c.perDay(float64(s.after.days)), ratio(s.after.days, float64(s.before.days)), c.perDay(s.expectedDays), ratio(s.after.days, s.expectedDays)},
		{{Text: name}, {Text: "orders"}, c.perDay(float64(s.before.orders)), c.perDay(float64(s.after.orders)), ratio(s.after.orders, float64(s.before.orders)), {}, {}},
		{{Text: name}, {Text: "revenue"}, c.amountPerDay(float64(s.before.revenue)), c.amountPerDay(float64(s.after.revenue)), ratio(s.after.revenue, float64(s.before.revenue)), c.amountPerDay(s.expectedValue), ratio(s.after.revenue, s.expectedValue)},
	}
	for _, row := range all {
		if name != AllCustomers {
			row[2], row[4] = report.Cell{}, report.Cell{}
		}
		if name != KnownCustomers || s.expectedDays == 0 {
			row[5], row[6] = report.Cell{}, report.Cell{}
		}
	}
	return all
}

const thousands = 1000

func (c *comparison) perDay(n float64) report.Cell {
	return report.Cell{Value: measure.Ratio(int64(math.RoundToEven(n*thousands)), thousands*int64(c.days), 3)}
}

func (c *comparison) amountPerDay(minor float64) report.Cell {
	return report.Cell{Value: measure.AmountPer(int64(math.RoundToEven(minor)), int64(c.days))}
}

// ratio is by how much n exceeds another number, as a share of that.
func ratio(n int64, of float64) report.Cell {
	if !(of > 0) {
		return report.Cell{}
	}
	return report.Cell{Value: measure.Ratio(int64(math.RoundToEven((float64(n)/of-1)*thousands)), thousands, 3)}
}
