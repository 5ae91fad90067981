package processors_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// bought is an order in a category.
func bought(order, category string, total, at int64) *ledger.Event {
	e := purchase(order, total, at)
	e.PurchaseDetails = &ledger.PurchaseDetails{Products: []*ledger.Product{{Category: category, Net: total}}}
	return fact(e)
}

// reached returns the ids of the milestones among outputs, each with its trigger.
func reached(all []published) (ids []string) {
	for _, o := range all {
		if o.Topic == output.Milestones {
			ids = append(ids, field(o.json, "milestone_id")+" by "+field(o.json, "trigger"))
		}
	}
	return ids
}

// milestonesOf recounts the milestones of a customer whose events come in the order of time, from the events and the published churn risk.
type milestonesOf struct {
	standing, most, largest int64
	days                    []int64
	categories              map[string]bool
	class                   string
	years                   int
	silent, returned        map[int64]bool // days that were told
	want                    []string
}

func (r *milestonesOf) away() bool { return r.class == "high" }

func (r *milestonesOf) order(category string, total, at int64) {
	first := r.most == 0
	r.standing++
	r.days = append(r.days, at/day)
	for _, n := range []int64{1, 2, 3, 5, 10, 25, 50, 100} {
		if r.standing == n && r.most < n {
			r.want = append(r.want, fmt.Sprintf("order_number-%d by event", n))
		}
	}
	r.most = max(r.most, r.standing)
	if !r.categories[category] && !first {
		r.want = append(r.want, "new_category-"+category+" by event")
	}
	r.categories[category] = true
	if !first && 2*total >= 3*r.largest && total > r.largest && r.largest > 0 {
		r.want = append(r.want, fmt.Sprintf("dearer-%d by event", total))
	}
	r.largest = max(r.largest, total)
	if on := at / day; r.away() && !r.returned[on] {
		r.returned[on] = true
		r.want = append(r.want, "back-"+time.UnixMilli(at).UTC().Format(time.DateOnly)+" by event")
	}
}

// pass lets time pass, at the end of which the class of churn risk is known from the outputs.
func (r *milestonesOf) pass(class string, now int64) {
	was := r.away()
	r.class = class
	if len(r.days) == 0 {
		return
	}
	if last := r.days[len(r.days)-1]; r.away() && !was && !r.silent[last] {
		r.silent[last] = true
		r.want = append(r.want, "dormant-"+time.UnixMilli(last*day).UTC().Format(time.DateOnly)+" by timer")
	}
	years := 0
	for !time.UnixMilli(r.days[0]*day).UTC().AddDate(years+1, 0, 0).After(time.UnixMilli(now).UTC()) {
		years++
	}
	if years > r.years {
		r.years = years
		if !r.away() {
			r.want = append(r.want, fmt.Sprintf("anniversary-%d by timer", years))
		}
	}
}

func TestMilestonesAreThoseOfARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
		now := ms("2019-02-27") + rapid.Int64Range(0, 3).Draw(t, "first day")*day
		r := milestonesOf{categories: map[string]bool{}, silent: map[int64]bool{}, returned: map[int64]bool{}}
		var all []published
		class := func() {
			for _, o := range w.outputs[len(all):] {
				if o.Topic == output.ChurnRisk {
					r.class = field(o.json, "churn_risk")
				}
			}
			all = slices.Clone(w.outputs)
		}
		silence := func() { // in steps, at the end of which a tick tells what silence has changed
			days := rapid.SampledFrom([]int64{0, 1, 20, 90, 400}).Draw(t, "days")
			for range min(days, 8) {
				now += max(1, days/8) * day
				before := r.class
				w.tick(now)
				class()
				after := r.class
				r.class = before
				r.pass(after, now)
			}
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "orders") {
			silence()
			category, total := rapid.SampledFrom([]string{"shoes", "hats", "toys"}).Draw(t, "category"), rapid.Int64Range(100, 1000).Draw(t, "total")
			at := now + int64(i)*1000
			w.event("ada", bought(fmt.Sprint(i), category, total, at))
			r.order(category, total, at)
			class()
			if rapid.IntRange(0, 3).Draw(t, "cancels") == 0 && r.standing > 1 {
				w.event("ada", cancel(fmt.Sprint(i), at+1))
				r.standing--
				r.days = r.days[:len(r.days)-1]
				class()
			}
		}
		silence()
		got, want := reached(w.outputs), slices.Clone(r.want)
		slices.Sort(got) // of one entry they are in the order of the kinds
		slices.Sort(want)
		require.Equal(t, want, got)
		require.Len(t, slices.Compact(got), len(want), "a milestone was told twice")
	})
}

// What is told is not taken back, and not told again.
func TestMilestonesComeOnce(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2024-01-01")
	w.event("ada", bought("1", "shoes", 1000, at))
	w.event("ada", bought("2", "hats", 1000, at+day))
	w.event("ada", cancel("2", at+2*day))
	w.event("ada", bought("3", "hats", 1400, at+3*day))
	w.event("ada", bought("4", "hats", 2100, at+4*day))
	require.Equal(t, []string{
		"order_number-1 by event", "order_number-2 by event", "new_category-hats by event", "order_number-3 by event", "dearer-2100 by event",
	}, reached(w.takeOutputs()))
}

// An import moves the marks and tells nothing, and what comes after it counts from there.
func TestHistoryReachesNoMilestone(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	now := ms("2024-06-01")
	w.tick(now)
	for i, at := range []int64{now - 1000*day, now - 990*day, now - 980*day} {
		w.put("ada", bought(fmt.Sprint("old", i), "shoes", 1000, at), now)
	}
	require.Empty(t, reached(w.takeOutputs()))
	w.put("ada", bought("4", "shoes", 1000, now), now)
	w.put("ada", bought("5", "shoes", 1000, now), now)
	require.Equal(t, []string{"back-2024-06-01 by event", "order_number-5 by event"}, reached(w.takeOutputs()))
	w.tick(ms("2024-09-04") + day)
	require.Equal(t, "2021-09-05", time.UnixMilli(now-1000*day).UTC().Format(time.DateOnly))
	require.Equal(t, []string{"anniversary-3 by timer"}, slices.DeleteFunc(reached(w.takeOutputs()), func(id string) bool { return !strings.HasPrefix(id, "anniv") }))
}

// A refit that sees a customer as lost tells nothing, also if an event or a timer comes before the cursor.
func TestRefitMakesNobodyDormant(t *testing.T) {
	for _, first := range []string{"cursor", "event", "timer"} {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
		at := ms("2024-01-01")
		w.tick(at)
		for i := range int64(8) {
			w.event("ada", bought(fmt.Sprint(i), "shoes", 1000, at+i*30*day))
		}
		at += 210 * day // of the last order
		w.tick(at + 40*day)
		require.NotContains(t, strings.Join(reached(w.takeOutputs()), " "), "dormant")
		for _, o := range w.outputs {
			require.NotContains(t, o.json, `"churn_risk":"high"`)
		}
		if first != "cursor" { // it has the others before her
			for i := range 40 {
				w.event(fmt.Sprint("other", i), bought("1", "shoes", 1000, at+40*day))
			}
			w.takeOutputs()
		}
		v := settings.Default()
		v.ChurnMedium, v.ChurnHigh, v.WakeLimit = .001, .002, 1
		blob, err := (&ledger.Settings{Revision: 1, Hash: settings.Hash(v), Values: v}).MarshalVT()
		require.NoError(t, err)
		w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_SETTINGS, Payload: blob})
		require.Equal(t, first == "cursor", w.state("ada").LastPublished.Churn.String() == "high")
		switch first {
		case "event":
			w.put("ada", survey("s", 9, at+41*day, at+41*day), at+41*day)
		case "timer":
			due, _ := w.state("ada").Deadline()
			queue := w.parts[0].queue // a continue entry: due timers fire before the cursor goes on
			w.parts[0].queue = nil
			w.tick(due)
			w.parts[0].queue = append(queue, w.parts[0].queue...)
		}
		w.drain()
		if at, _ := w.parts[0].state.BaseTime(); at < ms("2024-09-09") {
			w.tick(ms("2024-09-09"))
		}
		require.Equal(t, "high", w.scores("ada").Churn.Risk)
		require.Empty(t, reached(w.takeOutputs()))
		base, _ := w.parts[0].state.BaseTime()
		w.event("ada", bought("again", "shoes", 1000, base+day))
		require.Equal(t, []string{"back-" + time.UnixMilli(base+day).UTC().Format(time.DateOnly) + " by event"}, reached(w.takeOutputs()))
	}
}

// The categories that are remembered have a bound, beyond which none is new.
func TestCategoriesHaveABound(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2024-01-01")
	for i := range int64(40) {
		w.event("ada", bought(fmt.Sprint(i), fmt.Sprint("c", i), 1000, at+i*day))
	}
	count := 0
	for _, id := range reached(w.takeOutputs()) {
		if strings.HasPrefix(id, "new_category") {
			count++
		}
	}
	require.Equal(t, 15, count)
}
