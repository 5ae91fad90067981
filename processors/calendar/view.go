package calendar

import (
	"math"
	"sort"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/customer"
)

// View is what the table counts of a customer.
type View struct {
	Days   lifetimes.History // purchase days
	Losses []customer.Loss   // each on or after a purchase day, at most one until the next
}

// Move takes a customer's former rows away and adds the present ones, from the first month on in which they differ.
func (t *Table) Move(before, after *View) {
	day, differ := firstDifference(before, after)
	if !differ {
		return
	}
	from := earliest
	if len(before.Days) > 0 && len(after.Days) > 0 && MonthOf(before.Days[0].Day) == MonthOf(after.Days[0].Day) {
		from = MonthOf(day)
	}
	//mutant:calendar-keeps-former delete
	t.addRows(before, from, -1)
	t.addRows(after, from, 1)
}

// firstDifference returns the first day on which two views differ.
func firstDifference(a, b *View) (day int32, differ bool) {
	day = math.MaxInt32
	i := 0
	for i < len(a.Days) && i < len(b.Days) && a.Days[i] == b.Days[i] {
		i++
	}
	k := 0
	for k < len(a.Losses) && k < len(b.Losses) && a.Losses[k] == b.Losses[k] {
		k++
	}
	for _, v := range [...]*View{a, b} {
		if i < len(v.Days) {
			day, differ = min(day, v.Days[i].Day), true
		}
		if k < len(v.Losses) {
			day, differ = min(day, v.Losses[k].Day), true
		}
	}
	return day, differ
}

// addRows adds the months in which a customer bought or was lost, from a month on, times n.
func (t *Table) addRows(v *View, from Month, n int64) {
	if len(v.Days) == 0 {
		return
	}
	i, k := 0, 0
	if from > earliest {
		first := from.FirstDay()
		i = sort.Search(len(v.Days), func(i int) bool { return v.Days[i].Day >= first })
		k = sort.Search(len(v.Losses), func(k int) bool { return v.Losses[k].Day >= first })
	}
	lost := i > 0 && k > 0 && v.Losses[k-1].Day >= v.Days[i-1].Day
	cohort := MonthOf(v.Days[0].Day)
	for i < len(v.Days) || k < len(v.Losses) {
		month := MonthOf(v.next(i, k))
		end := (month + 1).FirstDay()
		wasLost, stated := lost, false
		var c Cell
		for (i < len(v.Days) || k < len(v.Losses)) && v.next(i, k) < end {
			if k == len(v.Losses) || i < len(v.Days) && v.Days[i].Day <= v.Losses[k].Day {
				d := &v.Days[i]
				c[Active] = 1
				c[Orders] += int64(d.Orders)
				c[Revenue] += d.Net
				lost = false
				i++
				continue
			}
			lost, stated = true, v.Losses[k].Stated
			k++
		}
		switch {
		case wasLost && !lost:
			c[Returning] = 1
		case !wasLost && lost && stated:
			c[LostStated] = 1
		case !wasLost && lost:
			c[LostSilent] = 1
		}
		if wasLost {
			c[Reactivated] = c[Revenue]
		}
		t.Add(Key{Cohort: cohort, Month: month}, &c, n)
	}
}

// next returns the day of the next purchase day or loss.
func (v *View) next(i, k int) int32 {
	if k == len(v.Losses) || i < len(v.Days) && v.Days[i].Day <= v.Losses[k].Day {
		return v.Days[i].Day
	}
	return v.Losses[k].Day
}
