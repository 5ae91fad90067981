package output

// MilestoneKind is a kind of milestone.
type MilestoneKind uint8

// The kinds of milestones, in the order in which an entry reaches them.
const (
	OrderNumber MilestoneKind = iota // the n-th order, of those of OrderNumbers
	NewCategory                      // an order in a category in which the customer had not bought before
	Dearer                           // an order that is at least one and a half times as dear as all before it
	Back                             // an order after the customer was dormant or had left
	Dormant                          // silence has made churn risk high
	Anniversary                      // years since the first order
	milestoneKinds
)

var milestoneNames = [milestoneKinds]string{"order_number", "new_category", "dearer", "back", "dormant", "anniversary"} //nolint:gochecknoglobals // a constant

// String returns the kind as it is written in outputs.
func (k MilestoneKind) String() string { return milestoneNames[k] }

// MilestoneKinds returns the names of all kinds.
func MilestoneKinds() []string { return milestoneNames[:] }

// OrderNumbers returns the numbers of orders that are milestones.
func OrderNumbers() []int64 { return orderNumbers[:] }

var orderNumbers = [...]int64{1, 2, 3, 5, 10, 25, 50, 100} //nolint:gochecknoglobals // a constant

// Milestone is mainstay.customer.milestone.reached.v1. A customer has each MilestoneID once.
type Milestone struct {
	About
	MilestoneID         string
	Kind                MilestoneKind
	OccurredAt          int64
	Number              Opt[int64]  // of the order, or of years
	Category            Opt[string] // of NewCategory
	Amount              Opt[int64]  // net, of the order that reached it
	PreviousAmount      Opt[int64]  // net, of the largest order before, of Dearer
	DaysSinceFirstOrder int64
	DaysSinceLastOrder  Opt[int64] // since the order before the one that reached it, or the last one
	Orders              int64      // number of standing orders
	Historic            int64
	ValueTier           Opt[string]
	ChurnRisk           string
}

// Append appends the output as JSON.
func (e *Milestone) Append(dst []byte) []byte {
	l := e.begin(dst, TypeMilestone)
	l.text(`,"milestone_id":`, e.MilestoneID)
	l.text(`,"milestone":`, e.Kind.String())
	l.time(`,"occurred_at":`, e.OccurredAt)
	l.optWhole(`,"number":`, e.Number)
	l.optText(`,"category":`, e.Category)
	l.optMoney(`,"amount":`, e.Amount)
	l.optMoney(`,"previous_amount":`, e.PreviousAmount)
	l.whole(`,"days_since_first_order":`, e.DaysSinceFirstOrder)
	l.optWhole(`,"days_since_last_order":`, e.DaysSinceLastOrder)
	l.whole(`,"historic_number_of_orders":`, e.Orders)
	l.money(`,"historic_clv":`, e.Historic)
	l.optText(`,"value_tier":`, e.ValueTier)
	l.text(`,"churn_risk":`, e.ChurnRisk)
	l.close()
	return l.dst
}
