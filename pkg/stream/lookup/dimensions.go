package lookup

import (
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/trait"
)

// Dimension groups customers: each belongs to one segment of it.
type Dimension struct {
	Name  string
	About string
	of    func(*processors.Partition, *processors.CustomerScores, *customer.State) string
	order []string // of the segments that are not in the order of their names
}

// noSegment is the segment of customers of whom a dimension says nothing.
const noSegment = "none"

// Dimensions returns all dimensions: those of the answers, then the traits.
func Dimensions() []Dimension {
	all := []Dimension{
		{
			"value_tier", "by value", func(_ *processors.Partition, a *processors.CustomerScores, _ *customer.State) string {
				return a.CLV.ValueTier.Value
			},
			[]string{"top_10", "top_20", "rest"},
		},
		{
			"churn_risk", "by class", func(_ *processors.Partition, a *processors.CustomerScores, _ *customer.State) string {
				return a.Churn.Risk
			},
			[]string{"low", "medium", "high", "churned"},
		},
		{
			"nps_category", "by the latest answer", func(_ *processors.Partition, a *processors.CustomerScores, _ *customer.State) string {
				return a.Promoter.Category
			},
			[]string{"promoter", "passive", "detractor", "unknown"},
		},
		{"cohort", "by the month of the first purchase", func(_ *processors.Partition, _ *processors.CustomerScores, s *customer.State) string {
			first, _ := s.Days().First()
			return calendar.MonthOf(first).String()
		}, nil},
		{"referred", "by whether a referral by another customer is in force", func(_ *processors.Partition, a *processors.CustomerScores, _ *customer.State) string {
			return map[bool]string{true: "yes", false: "no"}[a.Referrer != ""]
		}, nil},
		{"engagement", "by the latest active day: among the last 30 days, the last 90, or earlier", func(_ *processors.Partition, a *processors.CustomerScores, _ *customer.State) string {
			switch e := &a.Engagement; {
			case e.ActiveDays30 > 0:
				return "active_30"
			case e.ActiveDays90 > 0:
				return "active_90"
			case e.Known:
				return "earlier"
			}
			return noSegment
		}, []string{"active_30", "active_90", "earlier"}},
	}
	for t := range trait.Traits {
		all = append(all, Dimension{Name: t.String(), About: t.About(), of: func(p *processors.Partition, _ *processors.CustomerScores, s *customer.State) string {
			return p.Trait(s, t)
		}})
	}
	return all
}

// DimensionNamed returns the dimension of a name, or an error that names all of them.
func DimensionNamed(name string) (Dimension, error) {
	var names []string
	for _, d := range Dimensions() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Dimension{}, fmt.Errorf("no dimension %q; there are %s", name, strings.Join(names, ", "))
}
