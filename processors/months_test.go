package processors_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// monthRow is a row of the calendar by its names.
type monthRow struct{ cohort, month string }

// monthFigures are what a recount counts, in the order of calendar.Figure.
type monthFigures struct{ active, orders, revenue, reactivated, returning, lostStated, lostSilent int64 }

// lossOf is a day on which a customer was lost.
type lossOf struct {
	day    int64
	stated bool
}

// losses recounts when a customer was lost: by the formula of the page for the probability at which risk is high, and by what was stated.
func (r *recount) losses(high float64, now int64) (all []lossOf) {
	var days []int64
	for d := range r.perDay {
		days = append(days, d)
	}
	slices.Sort(days)
	const grace = 30
	for i, d := range days {
		x, a, b := float64(i), priorA, priorSum-priorA
		tx := float64(d-days[0]) / 7
		weeks := (priorAlpha+tx)*math.Pow(high/(1-high)*(b+x)/a, 1/(priorR+x)) - priorAlpha
		silentAt := float64(days[0]) + math.Max(weeks, tx)*7
		silent := max(int64(math.Floor(silentAt)), d+grace)
		last := i == len(days)-1
		isSilent := !last && silent < days[min(i+1, len(days)-1)] ||
			last && silentAt*86_400_000 <= float64(now) && r.lastAt+grace*86_400_000 <= now
		closed := r.closedAt / 86_400_000
		isStated := r.closedAt > 0 && closed >= d &&
			(!last && closed < days[min(i+1, len(days)-1)] || last && r.closedAt <= now && r.lastAt <= r.closedAt)
		switch {
		case isStated && (!isSilent || closed <= silent):
			all = append(all, lossOf{closed, true})
		case isSilent:
			all = append(all, lossOf{silent, false})
		}
	}
	return all
}

// addMonths recounts the months of one customer: month by month, by what holds at its start and at its end.
func (r *recount) addMonths(all map[monthRow]*monthFigures, losses []lossOf, now int64) {
	if r.orders == 0 {
		return
	}
	month := func(day int64) string { return time.Unix(day*86_400, 0).UTC().Format("2006-01") }
	// lostBefore is whether the customer is lost before a day, and whether it was stated.
	lostBefore := func(day int64) (lost, stated bool) {
		latest := int64(math.MinInt64)
		for d := range r.perDay {
			if d < day {
				latest = max(latest, d)
			}
		}
		for _, l := range losses {
			if l.day < day && l.day >= latest {
				latest, lost, stated = l.day, true, l.stated
			}
		}
		return lost, stated
	}
	first := time.Unix(r.first*86_400, 0).UTC()
	for at := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC); at.UnixMilli() <= now; at = at.AddDate(0, 1, 0) {
		name, from, until := at.Format("2006-01"), at.Unix()/86_400, at.AddDate(0, 1, 0).Unix()/86_400
		var f monthFigures
		was, _ := lostBefore(from)
		is, stated := lostBefore(until)
		for d, net := range r.perDay {
			if month(d) != name {
				continue
			}
			f.active = 1
			f.orders += r.ordersOn[d]
			f.revenue += int64(net)
			if was {
				f.reactivated += int64(net)
			}
		}
		switch {
		case was && !is:
			f.returning = 1
		case !was && is && stated:
			f.lostStated = 1
		case !was && is:
			f.lostSilent = 1
		}
		if f == (monthFigures{}) {
			continue
		}
		row := monthRow{month(r.first), name}
		if all[row] == nil {
			all[row] = new(monthFigures)
		}
		sum := all[row]
		*sum = monthFigures{
			sum.active + f.active, sum.orders + f.orders, sum.revenue + f.revenue, sum.reactivated + f.reactivated,
			sum.returning + f.returning, sum.lostStated + f.lostStated, sum.lostSilent + f.lostSilent,
		}
	}
}

func recountMonths(all map[string]*recount, high float64, now int64) map[monthRow]*monthFigures {
	rows := map[monthRow]*monthFigures{}
	for _, r := range all {
		r.addMonths(rows, r.losses(high, now), now)
	}
	return rows
}

// months returns the calendars of all partitions together.
func (w *world) months() map[monthRow]*monthFigures {
	var sum calendar.Table
	for _, p := range w.parts {
		t := p.state.Calendar()
		sum.Merge(&t)
	}
	rows := map[monthRow]*monthFigures{}
	sum.Each(func(k calendar.Key, c *calendar.Cell) {
		rows[monthRow{k.Cohort.String(), k.Month.String()}] = &monthFigures{
			c[calendar.Active], c[calendar.Orders], c[calendar.Revenue], c[calendar.Reactivated], c[calendar.Returning], c[calendar.LostStated], c[calendar.LostSilent],
		}
	})
	return rows
}

// TestMonthsEqualARecount: whatever arrives when, the calendar equals a recount. The limit of a high risk is low, so that there is time to
// be lost and to come back.
func TestMonthsEqualARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		now := start + rapid.Int64Range(251*24, 398*24).Draw(t, "now")*3_600_000
		mixed := rapid.Permutation(all).Draw(t, "mixed")
		events := map[string][]*ledger.Event{}
		for _, h := range all {
			events[h.customer] = append(events[h.customer], h.Event)
		}
		high := func(limit float64) func(v *ledger.SettingsValues) {
			return func(v *ledger.SettingsValues) {
				inDollars(v)
				v.ChurnMedium, v.ChurnHigh = .2, limit
			}
		}
		w := foldUnder(t, "mixed", mixed, rapid.Int32Range(1, 3).Draw(t, "partitions"), high(.3), rapid.Bool().Draw(t, "ticking"), now)
		recounted := recountAll(events, now)
		require.Equal(t, recountMonths(recounted, .3, now), w.months())

		// Another idea of who is lost changes the months that are over as well.
		w.settings(high(.45))
		require.Equal(t, recountMonths(recounted, .45, now), w.months())
	})
}

// What an erased customer bought stays in the calendar. They are lost from that day on, unless they were before, and whoever comes under
// their id is a new customer.
func TestErasedCustomersInTheCalendar(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-10")
	for _, id := range []string{"ada", "bob"} {
		w.event(id, purchase(id, 1000, at))
	}
	closing := &ledger.Event{Id: "closed", Source: "cancellation", OccurredAt: at + day, Cancellation: &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT}}
	w.event("bob", fact(closing))
	for _, id := range []string{"ada", "bob", "nobody"} {
		w.erase(id, ms("2026-02-10"))
		w.drain()
	}
	w.event("ada", purchase("again", 500, ms("2026-03-10")))
	require.Equal(t, map[monthRow]*monthFigures{
		{"2026-01", "2026-01"}: {active: 2, orders: 2, revenue: 2000, lostStated: 1},
		{"2026-01", "2026-02"}: {lostStated: 1},
		{"2026-03", "2026-03"}: {active: 1, orders: 1, revenue: 500},
	}, w.months())
}
