package report

import "github.com/mainstay/mainstay/pkg/stream/lookup"

// SegmentColumns are the columns of Segments.
func SegmentColumns(by string) []Column { return columns(lookup.SegmentMeasures(), by) }

// Segments reports the segments of a dimension. The last row is of all customers; without a customer there is none.
func Segments(s *lookup.Segments) *Report {
	r := &Report{AsOf: s.AsOf, Unit: s.Unit, Columns: SegmentColumns(s.By.Name)}
	for i := range s.All {
		r.Rows = append(r.Rows, row(lookup.SegmentMeasures(), &s.All[i], s.All[i].Name))
	}
	if len(r.Rows) > 0 {
		r.Rows = append(r.Rows, row(lookup.SegmentMeasures(), &s.Base, s.Base.Name))
	}
	return r
}
