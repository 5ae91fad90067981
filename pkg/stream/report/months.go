package report

import (
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Months say which months a report covers. The zero value stands for all that are over.
type Months struct {
	from, to *calendar.Month // nil: from the first purchase, to the last month that is over
	current  bool            // to the month that is not over
}

// ParameterError says which parameter of a report is wrong.
type ParameterError struct {
	Parameter string // from or to
	Err       error
}

func (e *ParameterError) Error() string { return e.Parameter + ": " + e.Err.Error() }

func (e *ParameterError) Unwrap() error { return e.Err }

// ParseMonths reads the first and the last month, YYYY-MM or empty, and whether the month that is not over is among them. An error is a
// *ParameterError.
func ParseMonths(from, to string, current bool) (m Months, err error) {
	for _, p := range []struct {
		name, text string
		month      **calendar.Month
	}{{"from", from, &m.from}, {"to", to, &m.to}} {
		if p.text == "" {
			continue
		}
		month, err := calendar.ParseMonth(p.text)
		if err != nil {
			return m, &ParameterError{p.name, err}
		}
		*p.month = &month
	}
	switch {
	case m.from != nil && m.to != nil && *m.from > *m.to:
		return m, &ParameterError{"from", fmt.Errorf("%v is after the last month, %v", *m.from, *m.to)}
	case m.to != nil && current:
		return m, &ParameterError{"to", fmt.Errorf("current asks for the month that is not over: leave out one of the two")}
	}
	m.current = current
	return m, nil
}

// last returns the last month that is asked for.
func (m *Months) last(c *lookup.Calendar) (calendar.Month, error) {
	switch {
	case m.to != nil && *m.to >= c.Current:
		return 0, &ParameterError{"to", fmt.Errorf("%v is not over: the ledger's time is %s; current shows the month as it stands", *m.to, timestamp.Append(nil, c.AsOf))}
	case m.to != nil:
		return *m.to, nil
	case m.current:
		return c.Current, nil
	default:
		return c.Current - 1, nil
	}
}

func (m *Months) before(month calendar.Month) bool { return m.from != nil && month < *m.from }

// Month and Quarter are the lengths of a period.
const (
	Month   = "month"
	Quarter = "quarter"
)

// PeriodColumns are the columns of Periods.
func PeriodColumns(measures []measure.Measure[calendar.Period], by string) []Column {
	return columns(measures, by)
}

// Periods reports measures by Month or by Quarter. An error is a *ParameterError.
func Periods(c *lookup.Calendar, measures []measure.Measure[calendar.Period], by string, months Months) (*Report, error) {
	last, err := months.last(c)
	if err != nil {
		return nil, err
	}
	r := &Report{AsOf: c.AsOf, Unit: c.Unit, Columns: PeriodColumns(measures, by)}
	length, name := calendar.Month(1), calendar.Month.String
	if by == Quarter {
		length, name = 3, calendar.Month.Quarter
	}
	for _, period := range c.Periods(length, last) {
		if !months.before(period.From) {
			r.Rows = append(r.Rows, row(measures, &period, name(period.From)))
		}
	}
	return r, nil
}

// CohortColumns are the columns of Cohorts.
func CohortColumns() []Column { return columns(calendar.Cohort(), "cohort", "month") }

// Cohorts reports each month of each cohort. An error is a *ParameterError.
func Cohorts(c *lookup.Calendar, months Months) (*Report, error) {
	last, err := months.last(c)
	if err != nil {
		return nil, err
	}
	r := &Report{AsOf: c.AsOf, Unit: c.Unit, Columns: CohortColumns()}
	for _, age := range c.Ages(last) {
		if !months.before(age.Cohort) {
			r.Rows = append(r.Rows, row(calendar.Cohort(), &age, age.Cohort.String(), age.Month.String()))
		}
	}
	return r, nil
}

// TriangleMeasures are the measures that Triangle can show: those of a month of a cohort, but not the number of its customers.
func TriangleMeasures() []measure.Measure[calendar.Age] { return calendar.Cohort()[1:] }

// Triangle reports one measure: a row for each cohort, with the number of its customers and a column for each month since their first
// purchase (+0, +1, ...). Later cohorts have fewer cells. An error is a *ParameterError.
func Triangle(c *lookup.Calendar, measureName string, months Months) (*Report, error) {
	last, err := months.last(c)
	if err != nil {
		return nil, err
	}
	shown := calendar.Cohort()[:1]
	for _, m := range TriangleMeasures() {
		if m.Name == measureName {
			shown = append(shown, m)
		}
	}
	if len(shown) != 2 {
		return nil, &ParameterError{"measure", fmt.Errorf("there is no measure %q of cohorts", measureName)}
	}
	r := &Report{AsOf: c.AsOf, Unit: c.Unit, Columns: columns(shown[:1], "cohort")}
	for _, age := range c.Ages(last) {
		if months.before(age.Cohort) {
			continue
		}
		if age.Month == age.Cohort {
			r.Rows = append(r.Rows, row(shown[:1], &age, age.Cohort.String()))
		}
		at := len(r.Rows) - 1
		r.Rows[at] = append(r.Rows[at], Cell{Value: shown[1].Of(&age)})
		if n := int(age.Month - age.Cohort); n == len(r.Columns)-2 {
			r.Columns = append(r.Columns, Column{"+" + strconv.Itoa(n), r.Rows[at][n+2].Value.Kind(), shown[1].Better})
		}
	}
	return r, nil
}
