package report

import "github.com/mainstay/mainstay/pkg/stream/lookup"

// SegmentColumns are the columns of Segments.
func SegmentColumns(of *lookup.SegmentReport, by string) []Column { return columns(of.Measures, by) }

// Segments reports the segments of a dimension. The last row is of all customers; without a customer there is none.
func Segments(of *lookup.SegmentReport, s *lookup.Segments) *Report {
	r := &Report{AsOf: s.AsOf, Unit: s.Unit, Columns: SegmentColumns(of, s.By.Name)}
	s = s.Of(of)
	for i := range s.All {
		r.Rows = append(r.Rows, row(of.Measures, &s.All[i], s.All[i].Name))
	}
	if len(r.Rows) > 0 {
		r.Rows = append(r.Rows, row(of.Measures, &s.Base, s.Base.Name))
	}
	return r
}
