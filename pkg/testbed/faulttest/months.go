package faulttest

import (
	"fmt"
	"time"

	"github.com/mainstay/mainstay/processors/calendar"
)

// monthOfCohort names a row of the calendar.
type monthOfCohort struct{ cohort, month string }

// bought is what customers bought in a month.
type bought struct{ active, orders, revenue int64 }

// addMonths adds a customer's months to those of all.
func (c *customerTotals) addMonths(all map[monthOfCohort]bought) {
	month := func(day int64) string { return time.Unix(day*86400, 0).UTC().Format("2006-01") }
	cohort, months := "", map[string]bought{}
	for _, b := range c.byOrder {
		if !b.stands() {
			continue
		}
		m := month(b.day)
		if cohort == "" || m < cohort {
			cohort = m
		}
		n := months[m]
		months[m] = bought{1, n.orders + 1, n.revenue + max(0, b.total-b.refunded)}
	}
	for m, n := range months {
		sum := all[monthOfCohort{cohort, m}]
		all[monthOfCohort{cohort, m}] = bought{sum.active + n.active, sum.orders + n.orders, sum.revenue + n.revenue}
	}
}

// checkMonths compares the calendars of all partitions with a recount, of those who were erased as well, and the number of customers who
// are not lost with those whose risk is not high.
func (w *world) checkMonths(f *forgotten, recounted *recount) (problems []string) {
	want := map[monthOfCohort]bought{}
	kept, sure := int64(0), true
	var sum calendar.Table
	for p := range w.genesis.GetPartitions() {
		state := w.committedState(p)
		if state == nil {
			return nil
		}
		t := state.Calendar()
		sum.Merge(&t)
		base, _ := state.BaseTime()
		for id, c := range recounted.customers {
			if partitionOf(id, w.genesis.GetPartitions()) != p || c.orders == 0 {
				continue
			}
			c.addMonths(want)
			class, is := recounted.class(w, c, base)
			if sure = sure && is; class != "high" {
				kept++
			}
		}
	}
	for _, x := range f.erasures {
		former, err := w.recount(func(r inputPlace) bool { return f.records[r] == x.lifeOf })
		if err != nil {
			return append(problems, err.Error())
		}
		if c := former.customers[x.customer]; c != nil {
			c.addMonths(want)
		}
	}
	sum.Each(func(k calendar.Key, c *calendar.Cell) {
		row := monthOfCohort{k.Cohort.String(), k.Month.String()}
		if got := (bought{c[calendar.Active], c[calendar.Orders], c[calendar.Revenue]}); got != want[row] {
			problems = append(problems, fmt.Sprintf("calendar, cohort %s in %s: it counts %+v, the recount %+v", row.cohort, row.month, got, want[row]))
		}
		delete(want, row)
		if k.Cohort == k.Month {
			kept -= c[calendar.Active]
		}
		kept += c[calendar.LostStated] + c[calendar.LostSilent] - c[calendar.Returning]
	})
	for row, n := range want {
		problems = append(problems, fmt.Sprintf("calendar, cohort %s in %s: it counts nothing, the recount %+v", row.cohort, row.month, n))
	}
	if sure && kept != 0 {
		problems = append(problems, fmt.Sprintf("calendar: of the customers whose risk is not high, it counts %d too few as kept", kept))
	}
	return problems
}
