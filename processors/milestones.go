package processors

import (
	"strconv"
	"time"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/output"
)

// publishMilestones publishes the milestones that the customer who is scored has reached.
func (s *step) publishMilestones(m customer.Moment, c *subject, trigger output.Trigger, cause string) {
	x, risk := s.scratch, &s.scratch.scores.risk
	course := customer.Course{
		Timer: trigger == output.TriggerTimer, Away: isAway(risk.Class),
		Stated: risk.Class == customer.Churned || c.state.SubscriptionCancelled(),
	}
	if f := &x.former; trigger == output.TriggerEvent && c.state.Orders() > f.orders {
		course.Order, course.Amount, course.Category = true, c.state.Net()-f.net, s.category
		course.At, course.History = s.occurredAt, s.isHistory(m)
	}
	x.milestones = c.state.ReachMilestones(&s.p.terms, m, &course, x.milestones[:0])
	for i := range x.milestones {
		s.publishMilestone(m, c, trigger, cause, &course, &x.milestones[i])
	}
}

// isAway reports whether a customer of a class of churn risk is silent for long, or has left.
func isAway(class customer.Class) bool { return class == customer.High || class == customer.Churned }

func (s *step) publishMilestone(m customer.Moment, c *subject, trigger output.Trigger, cause string, course *customer.Course, k *customer.Milestone) {
	t, w, days := &s.p.terms, &s.scratch.writer, c.state.Days()
	on := t.Day(k.At)
	w.milestone = output.Milestone{
		About: w.aboutCustomer(m, c, trigger, cause), Kind: k.Kind, OccurredAt: k.At,
		DaysSinceFirstOrder: int64(on) - int64(days[0].Day), Orders: c.state.Orders(), Historic: c.state.Historic(),
		ValueTier: output.Text(c.state.LastPublished.Tier.String()), ChurnRisk: s.scratch.scores.risk.Class.String(),
	}
	var id string
	e := &w.milestone
	if since, known := c.state.DaysSinceOrder(on, course.Order); known {
		e.DaysSinceLastOrder = output.Some(since)
	}
	if course.Order {
		e.Amount = output.Some(course.Amount)
	}
	switch k.Kind {
	case output.OrderNumber, output.Anniversary:
		e.Number, id = output.Some(k.Number), strconv.FormatInt(k.Number, 10)
	case output.NewCategory:
		id = s.state.texts.Text(trait.Category, k.Category)
		e.Category = output.Some(id)
	case output.Dearer:
		e.PreviousAmount, id = output.Some(k.Previous), strconv.FormatInt(course.Amount, 10)
	default:
		id = time.UnixMilli(int64(k.Day) * customer.DayMS).UTC().Format(time.DateOnly)
	}
	e.MilestoneID = k.Kind.String() + "-" + id
	w.write(output.Milestones, output.TypeMilestone, &e.About, w.appendMilestone)
}
