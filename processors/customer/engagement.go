package customer

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// engagement is what is remembered of what a customer does with the shop besides buying. It is a function of the set of the events and not of
// their order: times are the least and the greatest, counts are sums, and what falls out of the remembered days would do so in any order, since
// the latest day only rises. To keep the events was rejected: a customer may visit daily for years.
type engagement struct {
	first, last int64         // time of the first and of the latest event, ms
	day         int32         // the latest active day: a civil day with an event
	days        activeDays    // counted back from day
	events      [types]uint32 // number of events by ledger.EngagementType, from 1
	support     []int32       // civil days of the newest MostSupport support contacts among the remembered days, rising
	cut         bool          // AsOf has left events out: there are others, and no figure of them is known
}

// types is the number of types of engagement.
const types = int(ledger.EngagementType_ENGAGEMENT_TYPE_FEATURE_USE)

// The figures count back from now, which may be before the latest active day while inputs are behind each other. So more days are remembered than
// the longest window has.
const (
	rememberedDays = 128
	// MostSupport is how many support contacts are counted.
	MostSupport = 64
)

// The windows of the figures, in civil days, today included.
const (
	ShortWindow = 30
	LongWindow  = 90
)

// activeDays are the active days among rememberedDays: bit n of both halves together is the day that is n days before the latest.
type activeDays [2]uint64

// shift makes the latest day one that is n days later.
func (d activeDays) shift(n int64) activeDays {
	switch {
	case n >= rememberedDays:
		return activeDays{}
	case n >= 64:
		return activeDays{0, d[0] << (n - 64)}
	}
	return activeDays{d[0] << n, d[1]<<n | d[0]>>(64-n)}
}

func (d *activeDays) set(n int64) { d[n/64] |= 1 << (n % 64) }

// count returns how many days are active of the window days that end n days after the latest; n may be negative.
func (d activeDays) count(n, window int64) int64 {
	from, to := max(0, -n), min(rememberedDays, window-n) // bits
	if from >= to {
		return 0
	}
	below := func(n int64) int64 {
		if n >= 64 {
			return int64(bits.OnesCount64(d[0])) + int64(bits.OnesCount64(d[1]&(1<<(n-64)-1)))
		}
		return int64(bits.OnesCount64(d[0] & (1<<n - 1)))
	}
	return below(to) - below(from)
}

// RecordEngagement records an event of engagement. The caller has made sure that it is a new one.
func (s *State) RecordEngagement(t *Terms, at int64, v *ledger.Engagement) Change {
	day := t.Day(at)
	g := s.engagement
	if g == nil {
		g = &engagement{first: at, last: at, day: day}
		s.engagement = g
	}
	//mutant:late-engagement-moves-last replace g.first, g.last = min(g.first, at), at
	g.first, g.last = min(g.first, at), max(g.last, at)
	if day > g.day {
		g.days, g.day = g.days.shift(int64(day)-int64(g.day)), day
		g.forgetSupport()
	}
	//mutant:late-active-day-lost if before == 0
	if before := int64(g.day) - int64(day); before < rememberedDays {
		g.days.set(before)
		if v.GetType() == ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT {
			i, _ := slices.BinarySearch(g.support, day)
			g.support = slices.Insert(g.support, i, day)
			g.forgetSupport()
		}
	}
	g.events[v.GetType()-1]++
	return Change{}
}

// forgetSupport drops the support contacts that are not remembered: those of too long ago, then the oldest of too many.
func (g *engagement) forgetSupport() {
	drop := max(0, len(g.support)-MostSupport)
	for drop < len(g.support) && int64(g.day)-int64(g.support[drop]) >= rememberedDays {
		drop++
	}
	g.support = slices.Delete(g.support, 0, drop)
}

// activeIn returns how many days are active of the window days that end with a day.
func (g *engagement) activeIn(day int32, window int64) int64 {
	return g.days.count(int64(day)-int64(g.day), window)
}

// supportIn returns how many support contacts were made in the window days that end with a day.
func (g *engagement) supportIn(day int32, window int64) (n int64) {
	for _, at := range g.support {
		if ago := int64(day) - int64(at); ago >= 0 && ago < window {
			n++
		}
	}
	return n
}

// Engagement are the figures of a customer's engagement at a moment.
type Engagement struct {
	Known             bool    // false: no event is known, or not all that is needed; all other fields are 0
	FirstAt, LastAt   int64   // ms
	DaysSinceLast     float64 // since LastAt
	ActiveDays30      int64   // active days among the last ShortWindow civil days, today included
	ActiveDays90      int64   // among the last LongWindow
	SupportContacts90 int64   // in the last LongWindow; no more than MostSupport are counted
	SupportContacts   int64   // of all time
	Reviews           int64   // of all time
	Events            int64   // of all types and all time
}

// Engagement returns the figures of the customer's engagement at a moment.
func (s *State) Engagement(m Moment) Engagement {
	g := s.engagement
	if g == nil || g.cut {
		return Engagement{}
	}
	today := dayOf(m.Local)
	e := Engagement{
		Known: true, FirstAt: g.first, LastAt: g.last, DaysSinceLast: float64(max(0, m.Now-g.last)) / DayMS,
		ActiveDays30: g.activeIn(today, ShortWindow), ActiveDays90: g.activeIn(today, LongWindow), SupportContacts90: g.supportIn(today, LongWindow),
		SupportContacts: g.number(ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT), Reviews: g.number(ledger.EngagementType_ENGAGEMENT_TYPE_REVIEW),
	}
	for _, n := range g.events {
		e.Events += int64(n)
	}
	return e
}

// EachEngagement calls each for every type of engagement of which the customer has events, with their number.
func (s *State) EachEngagement(each func(of ledger.EngagementType, n int64)) {
	if s.engagement == nil {
		return
	}
	for i, n := range s.engagement.events {
		if n > 0 {
			each(ledger.EngagementType(i+1), int64(n))
		}
	}
}

// SupportDays returns the civil days of the newest support contacts, in the order of time. They must not be changed.
func (s *State) SupportDays() []int32 {
	if s.engagement == nil {
		return nil
	}
	return s.engagement.support
}

func (g *engagement) number(of ledger.EngagementType) int64 { return int64(g.events[of-1]) }

// ActiveDaysFall returns the time (ms) from which silence keeps the active days of the last window civil days at or below a level; false: no event is
// known.
func (s *State) ActiveDaysFall(t *Terms, window int64, level float64) (int64, bool) {
	return s.engagementFalls(t, window, level, (*engagement).activeIn)
}

// SupportContactsFall returns the same of the support contacts.
func (s *State) SupportContactsFall(t *Terms, window int64, level float64) (int64, bool) {
	return s.engagementFalls(t, window, level, (*engagement).supportIn)
}

// engagementFalls finds the day: a figure falls at the beginning of a civil day, and is 0 when the window has passed the latest active day.
func (s *State) engagementFalls(t *Terms, window int64, level float64, figure func(g *engagement, day int32, window int64) int64) (int64, bool) {
	g := s.engagement
	if g == nil || g.cut || level < 0 {
		return 0, false
	}
	day := g.day
	for float64(figure(g, day, window)) > level {
		day++
	}
	return t.Until(int64(day) * DayMS), true
}

// until leaves out what is dated at or after a time: nil if nothing is left.
func (g *engagement) until(at int64) *engagement {
	switch {
	case g == nil || g.last < at:
		return g
	case g.first >= at:
		return nil
	}
	return &engagement{cut: true}
}

func (s *State) writeEngagement(w *state.Customer) {
	g := s.engagement
	if g == nil {
		return
	}
	e := &state.Engagement{FirstAt: g.first, LastAt: g.last - g.first, LastDay: g.day - dayOf(g.last), Days: g.days[0], DaysBefore: g.days[1]}
	for i := range g.events {
		e.Events = append(e.Events, int64(g.events[i]))
	}
	for len(e.Events) > 0 && e.Events[len(e.Events)-1] == 0 {
		e.Events = e.Events[:len(e.Events)-1]
	}
	before := g.day
	for _, day := range g.support {
		e.SupportDay = append(e.SupportDay, day-before)
		before = day
	}
	w.Engagement = e
}

func (s *State) readEngagement(w *state.Engagement) error {
	if w == nil {
		return nil
	}
	//mutant:engagement-lost-on-reclaim insert return nil
	if len(w.Events) > types || len(w.SupportDay) > MostSupport {
		return fmt.Errorf("%w: engagement", ErrMalformed)
	}
	g := &engagement{first: w.GetFirstAt(), last: w.GetFirstAt() + w.GetLastAt(), days: activeDays{w.GetDays(), w.GetDaysBefore()}}
	g.day = dayOf(g.last) + w.GetLastDay()
	for i, n := range w.Events {
		g.events[i] = uint32(n) //nolint:gosec // as written
	}
	before := g.day
	for _, step := range w.SupportDay {
		before += step
		g.support = append(g.support, before)
	}
	s.engagement = g
	return nil
}

// size estimates how many bytes of memory it takes.
func (g *engagement) size() int {
	if g == nil {
		return 0
	}
	return 96 + 4*cap(g.support)
}
