package processors_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

const (
	siteVisit      = ledger.EngagementType_ENGAGEMENT_TYPE_SITE_VISIT
	review         = ledger.EngagementType_ENGAGEMENT_TYPE_REVIEW
	supportContact = ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT

	hour = int64(3_600_000)
)

func engagement(id string, kind ledger.EngagementType, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: id, Source: "engagement", OccurredAt: at, Engagement: &ledger.Engagement{Type: kind, Channel: "web", Campaign: "spring"}})
}

var eventID = regexp.MustCompile(`"event_id":"[^"]*",`) // the place of the entry

// Engagement is folded once for each event id, and no output says anything else for it.
func TestEngagementChangesNoAnswer(t *testing.T) {
	at := ms("2026-01-01")
	run := func(engaged bool) []string {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
		visit := func(id string, kind ledger.EngagementType, at int64, want processors.Verdict) {
			if engaged {
				v := w.event("ada", engagement(id, kind, at))
				require.Equal(t, want.Result, v.Result)
				require.Equal(t, want.Reason, v.Reason)
			}
		}
		visit("v0", siteVisit, at-hour, processors.Verdict{})
		w.event("ada", purchase("o1", 10_000, at))
		visit("v1", supportContact, at+hour, processors.Verdict{})
		visit("v1", supportContact, at+hour, processors.Verdict{Result: processors.DuplicateEvent})
		visit("v2", review, at+2*hour, processors.Verdict{})
		w.event("ada", purchase("o2", 5_000, at+30*24*hour))
		w.tick(at + 400*24*hour)
		var outputs []string
		for _, o := range w.takeOutputs() {
			outputs = append(outputs, o.Type+eventID.ReplaceAllString(o.json, ""))
		}
		return outputs
	}
	without := run(false)
	require.NotEmpty(t, without)
	require.Equal(t, without, run(true))
}

// recountEngagement recounts the figures of engagement from a customer's events, by maps.
func recountEngagement(list []*ledger.Event, now int64) (e customer.Engagement) {
	short, long := map[int64]bool{}, map[int64]bool{}
	for _, x := range list {
		if x.Engagement == nil {
			continue
		}
		if !e.Known || x.OccurredAt < e.FirstAt {
			e.FirstAt = x.OccurredAt
		}
		e.Known, e.LastAt = true, max(e.LastAt, x.OccurredAt)
		e.Events++
		ago := now/day - x.OccurredAt/day
		if ago < 30 {
			short[ago] = true
		}
		if ago < 90 {
			long[ago] = true
		}
		switch x.Engagement.Type {
		case supportContact:
			e.SupportContacts++
			if ago < 90 {
				e.SupportContacts90++
			}
		case review:
			e.Reviews++
		default:
		}
	}
	e.ActiveDays30, e.ActiveDays90 = int64(len(short)), int64(len(long))
	if e.Known {
		e.DaysSinceLast = float64(now-e.LastAt) / float64(day)
	}
	return e
}

// Somebody who is known by engagement alone is a prospect from the first event on: in the sums of the last published state at once, and in the
// close of each day that ends after it, not of one before.
func TestVisitorIsAProspectFromTheFirstVisitOn(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-01")
	w.event("ada", purchase("o1", 10_000, at))
	w.tick(at + 12*hour)
	// On the day after, before the tick that closes the first day.
	w.event("bob", engagement("v1", siteVisit, at+day+hour))
	prospects := func() (all []int64) {
		for _, o := range w.takeOutputs() {
			if o.Topic != output.Portfolio {
				continue
			}
			var x struct {
				State     string `json:"state"`
				Prospects int64  `json:"prospects"`
			}
			require.NoError(t, json.Unmarshal([]byte(o.json), &x))
			if x.State == "final" {
				all = append(all, x.Prospects)
			}
		}
		return all
	}
	require.EqualValues(t, 2, w.parts[0].state.Totals().Known)
	w.tick(at + day + 2*hour)
	require.Equal(t, []int64{0}, prospects(), "of a day before the first visit")
	w.tick(at + 2*day + 2*hour)
	require.Equal(t, []int64{1}, prospects())
	_, known := processors.ScoreCustomerAsOf(w.parts[0].state, "bob", w.state("bob"), at+day)
	require.False(t, known)
	w.event("bob", purchase("o2", 5_000, at+2*day+3*hour))
	w.tick(at + 3*day + 2*hour)
	require.Equal(t, []int64{0}, prospects(), "who buys is a customer")
}

// Of a time before the latest event the figures are not known, and no scores depend on it.
func TestEngagementAsOfATime(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-01")
	w.event("ada", purchase("o1", 10_000, at))
	w.event("ada", engagement("v1", siteVisit, at+hour))
	w.event("ada", engagement("v2", siteVisit, at+50*hour))
	w.tick(at + 60*hour)
	p, s := w.parts[0].state, w.state("ada")
	for hours, want := range map[int64]customer.Engagement{
		1:  {},
		50: {},
		74: {Known: true, FirstAt: at + hour, LastAt: at + 50*hour, DaysSinceLast: 1, ActiveDays30: 2, ActiveDays90: 2, Events: 2},
	} {
		a, known := processors.ScoreCustomerAsOf(p, "ada", s, at+hours*hour)
		require.True(t, known)
		require.Equal(t, want, a.Engagement, "%d hours", hours)
	}
}

// Nothing is left of the engagement of an erased customer, and what follows is that of a new one.
func TestErasureForgetsEngagement(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2026-01-01")
	w.event("ada", engagement("v1", review, at))
	w.erase("ada", at+hour)
	require.Nil(t, w.state("ada"))
	w.event("ada", engagement("v2", siteVisit, at+2*hour))
	require.Equal(t, customer.Engagement{Known: true, FirstAt: at + 2*hour, LastAt: at + 2*hour, ActiveDays30: 1, ActiveDays90: 1, Events: 1}, w.scores("ada").Engagement)
	require.EqualValues(t, 1, w.parts[0].state.Totals().Known)
}
