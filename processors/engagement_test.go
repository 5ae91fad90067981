package processors_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const (
	siteVisit      = ledger.EngagementType_ENGAGEMENT_TYPE_SITE_VISIT
	review         = ledger.EngagementType_ENGAGEMENT_TYPE_REVIEW
	supportContact = ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT
)

func engagement(id string, kind ledger.EngagementType, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: id, Source: "engagement", OccurredAt: at, Engagement: &ledger.Engagement{Type: kind, Channel: "web", Campaign: "spring"}})
}

var eventID = regexp.MustCompile(`"event_id":"[^"]*",`) // the place of the entry

// Engagement is folded once for each event id, and no output says anything else for it.
func TestEngagementChangesNoAnswer(t *testing.T) {
	at := ms("2026-01-01")
	const hour = int64(3_600_000)
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
