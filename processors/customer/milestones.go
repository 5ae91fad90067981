package customer

import (
	"fmt"
	"slices"
	"time"

	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// A milestone is told once, when it is reached: what was told is not taken back, and not told again. So the state holds marks that only
// rise, whatever is cancelled: the most orders, the largest order, the years, the categories, the days of the latest silence and return
// that were published. To tell milestones from the history alone was rejected: a first order that is cancelled would make the second order
// the first again.
//
// Marks move for every reason, and a milestone is told for two only: an order of now reaches it, or passing time does. So an import, a
// refit and new settings move them silently.

// milestones are these marks.
type milestones struct {
	orders     int64          // the most standing orders that there have been at once
	largest    int64          // net amount of the largest order when it came, minor units
	categories []trait.Number // those bought in, rising; at most mostCategories
	years      uint32         // anniversaries of the first order that have passed
	dormantDay int32          // civil day of the last order before the latest silence that was told; 0: none was
	backDay    int32          // civil day of the latest return that was told; 0: none was
	away       bool           // churn risk is high, or the customer has left
}

// mostCategories bounds the categories that are remembered of a customer. With as many, no further one is new.
const mostCategories = 16

// Milestone is a milestone that a customer has reached.
type Milestone struct {
	Kind     output.MilestoneKind
	Number   int64        // of the order, or of years
	Category trait.Number // of NewCategory
	Previous int64        // net amount of the largest order before, of Dearer
	At       int64        // ms
	Day      int32        // civil day that identifies it: of the last order before a silence, or of the order that ended one
}

// Course is what has happened to a customer, by which they may reach milestones.
type Course struct {
	Order    bool         // an order stands that did not: the fields up to At are of it
	Amount   int64        // net, minor units
	Category trait.Number // 0: none that is told apart
	At       int64        // ms
	History  bool         // it is of long ago, and reaches nothing

	Timer  bool // time alone has passed
	Away   bool // churn risk is high, or the customer has left
	Stated bool // they said so, or a subscription was cancelled
}

// ReachMilestones moves the marks, and appends the milestones that are reached to dst.
func (s *State) ReachMilestones(t *Terms, m Moment, c *Course, dst []Milestone) []Milestone {
	if len(s.days) == 0 {
		return dst
	}
	k, reached := &s.milestones, len(dst)
	if c.Order {
		dst = k.order(s.orders, c, dst)
	}
	//mutant:milestone-told-again replace k.orders = s.orders
	k.orders = max(k.orders, s.orders)
	last := s.days[len(s.days)-1].Day
	switch wasAway := k.away; {
	case wasAway && !c.Away && c.Order && last > k.backDay:
		dst, k.backDay = append(dst, Milestone{Kind: output.Back, At: c.At, Day: last}), last
	case !wasAway && c.Away && c.Timer && !c.Stated && last > k.dormantDay:
		dst, k.dormantDay = append(dst, Milestone{Kind: output.Dormant, At: m.Now, Day: last}), last
	}
	k.away = c.Away
	if years := anniversaries(s.days[0].Day, dayOf(m.Local)); years > k.years {
		k.years = years
		if c.Timer && !c.Away {
			dst = append(dst, Milestone{Kind: output.Anniversary, Number: int64(years), At: t.Until(int64(anniversary(s.days[0].Day, years)) * DayMS)})
		}
	}
	//mutant:milestones-of-history if false && $
	if c.History {
		return dst[:reached]
	}
	return dst
}

// order appends the milestones that an order reaches by itself. now is the number of standing orders.
func (k *milestones) order(now int64, c *Course, dst []Milestone) []Milestone {
	first := k.orders == 0
	for _, number := range output.OrderNumbers() {
		if number > k.orders && number <= now {
			dst = append(dst, Milestone{Kind: output.OrderNumber, Number: number, At: c.At})
		}
	}
	if i, known := slices.BinarySearch(k.categories, c.Category); c.Category != 0 && !known && len(k.categories) < mostCategories {
		k.categories = slices.Insert(k.categories, i, c.Category)
		if !first {
			dst = append(dst, Milestone{Kind: output.NewCategory, Category: c.Category, At: c.At})
		}
	}
	//mutant:every-order-dearer if true || $
	if k.largest > 0 && 2*c.Amount >= 3*k.largest {
		dst = append(dst, Milestone{Kind: output.Dearer, Previous: k.largest, At: c.At})
	}
	k.largest = max(k.largest, c.Amount)
	return dst
}

// rise moves the marks, silently, to those of a customer who was merged into this one, who has so many orders now. Categories are not among
// them: one in which the other alone has bought may be told as new once.
func (k *milestones) rise(from *milestones, orders int64) {
	k.orders = max(k.orders, from.orders, orders)
	k.largest, k.years = max(k.largest, from.largest), max(k.years, from.years)
	k.dormantDay, k.backDay = max(k.dormantDay, from.dormantDay), max(k.backDay, from.backDay)
}

// Categories returns those in which the customer has bought, as far as they are remembered. They must not be changed.
func (s *State) Categories() []trait.Number { return s.milestones.categories }

// NoteAway notes that new terms see the customer as away, or do not: nothing is told of it.
func (s *State) NoteAway(away bool) { s.milestones.away = away && len(s.days) > 0 }

// NextAnniversary returns the time (ms) of the next anniversary of the first order; 0: there is none, since the customer is away.
func (s *State) NextAnniversary(t *Terms) int64 {
	if len(s.days) == 0 || s.milestones.away {
		return 0
	}
	return t.Until(int64(anniversary(s.days[0].Day, s.milestones.years+1)) * DayMS)
}

// anniversary returns the civil day that is so many years after a day; after 29 February, 1 March where a year has none.
func anniversary(day int32, years uint32) int32 {
	return dayOf(time.UnixMilli(int64(day)*DayMS).UTC().AddDate(int(years), 0, 0).UnixMilli())
}

// anniversaries returns how many anniversaries of a civil day have passed on another.
func anniversaries(first, today int32) uint32 {
	years := time.UnixMilli(int64(today)*DayMS).UTC().Year() - time.UnixMilli(int64(first)*DayMS).UTC().Year()
	if years > 0 && anniversary(first, uint32(years)) > today { //nolint:gosec // above 0
		years--
	}
	return uint32(max(0, years)) //nolint:gosec // not below 0
}

// write returns w, or a new message, with the marks; nil if none has moved.
func (k *milestones) write(orders int64, w *state.Milestones) *state.Milestones {
	if k.orders == 0 {
		return nil
	}
	if w == nil {
		w = new(state.Milestones)
	}
	*w = state.Milestones{
		Orders: k.orders - orders, Largest: k.largest, Years: k.years, Away: k.away, DormantDay: k.dormantDay, BackDay: k.backDay, Categories: w.Categories[:0],
	}
	for _, n := range k.categories {
		w.Categories = append(w.Categories, uint32(n))
	}
	return w
}

func (k *milestones) read(w *state.Milestones, orders int64) error {
	if w == nil {
		return nil
	}
	//mutant:milestones-lost-on-reclaim insert return nil
	if len(w.Categories) > mostCategories || w.GetOrders()+orders < 0 {
		return fmt.Errorf("%w: milestones", ErrMalformed)
	}
	*k = milestones{orders: w.GetOrders() + orders, largest: w.GetLargest(), years: w.GetYears(), away: w.GetAway(), dormantDay: w.GetDormantDay(), backDay: w.GetBackDay()}
	for _, n := range w.Categories {
		k.categories = append(k.categories, trait.Number(n))
	}
	return nil
}
