package lookup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
)

// Dimension groups customers: each belongs to one segment of it.
type Dimension struct {
	segment.Dimension
	of func(c *counted) string
	// Ranked: segments depend on the ranks of customers among all, which take a walk of their own.
	Ranked bool
}

// counted is a customer who is counted in a segment of each dimension.
type counted struct {
	segment.Customer
	base *ranks // nil unless a dimension is ranked
}

// Dimensions returns all dimensions: those of every close, with the attributes of these names, and those that are ranked.
func Dimensions(attributes []string) []Dimension {
	var all []Dimension
	for _, d := range segment.Dimensions(attributes) {
		all = append(all, Dimension{Dimension: d, of: func(c *counted) string { return d.Of(&c.Customer) }})
	}
	return append(all, Dimension{
		Dimension: segment.Dimension{Name: "rfm", About: "by recency, frequency and monetary value, each compared with all customers", Order: rfmOrder()}, Ranked: true,
		of: func(c *counted) string {
			if c.State.Orders() == 0 {
				return segment.None
			}
			return c.base.groupOf(c.State)
		},
	}, Dimension{
		Dimension: segment.Dimension{Name: "referrer", About: "by who referred them: the 100 of the greatest referral value, and other"}, Ranked: true,
		of: func(c *counted) string { return c.base.referrers.of(c.State.Referrer()) },
	})
}

// firstVisit returns the civil day of the first event of engagement; false if none is known.
func firstVisit(p *processors.Partition, a *processors.CustomerScores) (day int64, known bool) {
	return int64(p.CivilDay(a.Engagement.FirstAt)), a.Engagement.Known
}

// IsTaken reports whether no attribute can have a name, since a dimension, a figure of segments or a column of lists has it.
func IsTaken(name string) bool {
	if slices.ContainsFunc(Dimensions(nil), func(d Dimension) bool { return d.Name == name }) {
		return true
	}
	if slices.Contains(ColumnNames(nil), name) {
		return true
	}
	return slices.ContainsFunc(SegmentReports(), func(r SegmentReport) bool {
		return slices.ContainsFunc(r.Measures, func(m measure.Measure[Segment]) bool { return m.Name == name })
	})
}

// DimensionNamed returns the dimension of a name, among those with the attributes of some names, or an error that names all of them.
func DimensionNamed(name string, attributes []string) (Dimension, error) {
	var names []string
	for _, d := range Dimensions(attributes) {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Dimension{}, fmt.Errorf("no dimension %q; there are %s", name, strings.Join(names, ", "))
}
