package report

import (
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/processors/measure"
)

// Year is the length of a period, and Source the name of what new customers are grouped by.
const (
	Year   = "year"
	Source = "source"
)

// ReturnsBy are the ways in which Returns can be divided.
func ReturnsBy() []string { return []string{Month, Quarter, Year, Source} }

// ReturnColumns are the columns of Returns.
func ReturnColumns(by string) []Column {
	if by == Source {
		return columns(lookup.AcquisitionMeasures(), Month, Source)
	}
	return columns(lookup.ReturnMeasures(), by)
}

// Returns reports what was spent and what it brought, by Month, Quarter or Year, or what new customers of each month and Source cost and are
// worth. An error is a *ParameterError.
func Returns(s *lookup.Returns, by string, months Months) (*Report, error) {
	last, err := months.last(s.Calendar)
	if err != nil {
		return nil, err
	}
	r := &Report{AsOf: s.AsOf, Unit: s.Unit, Columns: ReturnColumns(by)}
	add := func(all []lookup.Return, cells func(*lookup.Return) []Cell) {
		for i := range all {
			if !months.before(all[i].From) {
				r.Rows = append(r.Rows, cells(&all[i]))
			}
		}
	}
	named := func(name func(calendar.Month) string) func(*lookup.Return) []Cell {
		return func(one *lookup.Return) []Cell { return row(lookup.ReturnMeasures(), one, name(one.From)) }
	}
	switch by {
	case Quarter:
		add(s.Over(3, last), named(calendar.Month.Quarter))
	case Year:
		add(s.Over(12, last), named(calendar.Month.Year))
	case Source:
		add(s.BySource(last), func(one *lookup.Return) []Cell {
			return row(lookup.AcquisitionMeasures(), one, one.From.String(), one.Source)
		})
	default:
		add(s.Over(1, last), named(calendar.Month.String))
	}
	return r, nil
}

// Costs lists what partition 0 has of costs.
func Costs(p *processors.Partition) *Report {
	base, _ := p.BaseTime()
	r := &Report{AsOf: base, Unit: p.Unit(), Columns: []Column{{Name: Month}, {Name: "kind"}, {Name: Source}, {Name: "amount", Kind: measure.Money}}}
	costs := p.Costs()
	for _, c := range costs.All() {
		r.Rows = append(r.Rows, []Cell{{Text: c.Month.String()}, {Text: cost.KindName(c.Kind)}, {Text: c.Source}, {Value: measure.Amount(c.Amount)}})
	}
	return r
}
