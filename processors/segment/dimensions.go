package segment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/processors/trait"
)

// Dimension groups customers: each belongs to one segment of it.
type Dimension struct {
	Name, About string
	Order       []string                 // of the segments that are not in the order of their names
	Of          func(c *Customer) string // empty: it says nothing of the customer
	Bounded     bool                     // its segments are few, whatever shops state
}

// None is the segment of customers of whom a dimension says nothing.
const None = "none"

// Dimensions returns all dimensions: those of the answers, the traits, and the attributes of these names.
func Dimensions(attributes []string) []Dimension {
	all := []Dimension{
		{
			Name: "value_tier", Bounded: true, About: "by value", Order: []string{"top_10", "top_20", "rest"},
			Of: func(c *Customer) string { return c.Scores.Tier.String() },
		},
		{
			Name: "churn_risk", Bounded: true, About: "by class", Order: []string{"low", "medium", "high", "churned"},
			Of: func(c *Customer) string { return c.Scores.Churn.String() },
		},
		{
			Name: "nps_category", Bounded: true, About: "by the latest answer", Order: []string{"promoter", "passive", "detractor", "unknown"},
			Of: func(c *Customer) string { return c.Scores.Category.String() },
		},
		{Name: "cohort", About: "by the month of the first purchase", Of: func(c *Customer) string {
			first, bought := c.State.Days().First()
			if !bought {
				return ""
			}
			return calendar.MonthOf(first).String()
		}},
		{Name: "referred", Bounded: true, About: "by whether a referral by another customer is in force", Of: func(c *Customer) string {
			return map[bool]string{true: "yes", false: "no"}[c.State.Referrer() != ""]
		}},
		{
			Name: "engagement", Bounded: true, About: "by the latest active day: among the last 30 days, the last 90, or earlier", Order: []string{"active_30", "active_90", "earlier"},
			Of: engagementSegment,
		},
		{Name: "answer_month", About: "by the month of the latest answer to a survey of promoters that counts", Of: func(c *Customer) string {
			status := promoter.Score(c.Terms, c.Moment, c.State)
			if status.Latest == nil {
				return ""
			}
			return calendar.MonthOf(c.Terms.Day(status.Latest.CreatedAt)).String()
		}},
		{Name: "channel_path", About: "by the channels of the first and of the latest order", Of: func(c *Customer) string {
			first := c.State.Trait(c.Texts, trait.FirstChannel)
			if first == "" {
				return ""
			}
			return first + " > " + c.State.Trait(c.Texts, trait.Channel)
		}},
	}
	for t := range trait.Traits {
		all = append(all, Dimension{Name: t.String(), About: t.About(), Bounded: t.IsTruth(), Of: func(c *Customer) string { return c.State.Trait(c.Texts, t) }})
	}
	for _, name := range attributes {
		all = append(all, Dimension{Name: name, About: "by " + name + ", as the latest event that states it has it", Of: func(c *Customer) string {
			t, known := c.Texts.KnownAttribute(name)
			if !known {
				return ""
			}
			return c.State.Trait(c.Texts, t)
		}})
	}
	return all
}

func engagementSegment(c *Customer) string {
	switch e := c.State.Engagement(c.Moment); {
	case e.ActiveDays30 > 0:
		return "active_30"
	case e.ActiveDays90 > 0:
		return "active_90"
	case e.Known:
		return "earlier"
	}
	return ""
}

// DimensionNamed returns the dimension of a name, All or one of those with these attributes, or an error that names all of them.
func DimensionNamed(name string, attributes []string) (Dimension, error) {
	names := []string{All}
	for _, d := range append([]Dimension{{Name: All}}, Dimensions(attributes)...) {
		if d.Name == name {
			return d, nil
		}
		if d.Name != All {
			names = append(names, d.Name)
		}
	}
	return Dimension{}, fmt.Errorf("no dimension %q; there are %s", name, strings.Join(names, ", "))
}

// Compare orders the segments of the dimension.
func (d *Dimension) Compare(a, b string) int {
	place := func(name string) int {
		if i := slices.Index(d.Order, name); i >= 0 {
			return i
		}
		return len(d.Order)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
}
