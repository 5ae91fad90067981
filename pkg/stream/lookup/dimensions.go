package lookup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/trait"
)

// Dimension groups customers: each belongs to one segment of it.
type Dimension struct {
	Name  string
	About string
	of    func(c *counted) string
	order []string // of the segments that are not in the order of their names
	// Ranked: segments depend on the ranks of customers among all, which take a walk of their own.
	Ranked bool
}

// counted is a customer who is counted in a segment of each dimension.
type counted struct {
	partition *processors.Partition
	scores    *processors.CustomerScores
	state     *customer.State
	base      *rfm // nil unless a dimension is ranked
}

// noSegment is the segment of customers of whom a dimension says nothing.
const noSegment = "none"

// Dimensions returns all dimensions: those of the answers, the traits, and the attributes of these names.
func Dimensions(attributes []string) []Dimension {
	all := []Dimension{
		{
			Name: "value_tier", About: "by value", order: []string{"top_10", "top_20", "rest"},
			of: func(c *counted) string { return c.scores.CLV.ValueTier.Value },
		},
		{
			Name: "churn_risk", About: "by class", order: []string{"low", "medium", "high", "churned"},
			of: func(c *counted) string { return c.scores.Churn.Risk },
		},
		{
			Name: "nps_category", About: "by the latest answer", order: []string{"promoter", "passive", "detractor", "unknown"},
			of: func(c *counted) string { return c.scores.Promoter.Category },
		},
		{Name: "cohort", About: "by the month of the first purchase", of: func(c *counted) string {
			first, bought := c.state.Days().First()
			if !bought {
				return noSegment
			}
			return calendar.MonthOf(first).String()
		}},
		{Name: "referred", About: "by whether a referral by another customer is in force", of: func(c *counted) string {
			return map[bool]string{true: "yes", false: "no"}[c.scores.Referrer != ""]
		}},
		{
			Name: "engagement", About: "by the latest active day: among the last 30 days, the last 90, or earlier", order: []string{"active_30", "active_90", "earlier"},
			of: engagementSegment,
		},
		{Name: "answer_month", About: "by the month of the latest answer to a survey of promoters that counts", of: func(c *counted) string {
			at := c.scores.Promoter.LastRespondedAt
			if !at.Known {
				return noSegment
			}
			return calendar.MonthOf(c.partition.CivilDay(at.Value)).String()
		}},
		{
			Name: "rfm", About: "by recency, frequency and monetary value, each compared with all customers", order: rfmOrder(), Ranked: true,
			of: func(c *counted) string {
				if c.state.Orders() == 0 {
					return noSegment
				}
				return c.base.groupOf(c.state)
			},
		},
	}
	for t := range trait.Traits {
		all = append(all, Dimension{Name: t.String(), About: t.About(), of: func(c *counted) string { return c.partition.Trait(c.state, t) }})
	}
	for _, name := range attributes {
		all = append(all, Dimension{Name: name, About: "by " + name + ", as the latest event that states it has it", of: func(c *counted) string { return c.partition.Attribute(c.state, name) }})
	}
	return all
}

func engagementSegment(c *counted) string {
	switch e := &c.scores.Engagement; {
	case e.ActiveDays30 > 0:
		return "active_30"
	case e.ActiveDays90 > 0:
		return "active_90"
	case e.Known:
		return "earlier"
	}
	return noSegment
}

// firstVisit returns the civil day of the first event of engagement; false if none is known.
func firstVisit(p *processors.Partition, a *processors.CustomerScores) (day int64, known bool) {
	return int64(p.CivilDay(a.Engagement.FirstAt)), a.Engagement.Known
}

// IsTaken reports whether no attribute can have a name, since a dimension or a figure of segments has it.
func IsTaken(name string) bool {
	if slices.ContainsFunc(Dimensions(nil), func(d Dimension) bool { return d.Name == name }) {
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
