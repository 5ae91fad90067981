package lookup_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// A snooze ends with its time, whatever happens. Who is done comes back after today.done_days, or with an alert that was raised after the mark.
func TestHowLongMarksHide(t *testing.T) {
	const day = 24 * 3_600_000
	const done, snoozed = ledger.CallMarkKind_CALL_MARK_KIND_DONE, ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED
	for _, c := range []struct {
		mark    *customer.CallMark
		now     int64 // days
		alerted bool
		want    bool
	}{
		{nil, 100, false, false},
		{&customer.CallMark{Kind: done, At: 100 * day}, 100, false, true},
		{&customer.CallMark{Kind: done, At: 100 * day}, 113, false, true},
		{&customer.CallMark{Kind: done, At: 100 * day}, 114, false, false},
		{&customer.CallMark{Kind: done, At: 100 * day}, 100, true, false},
		{&customer.CallMark{Kind: done, At: 100 * day}, 113, true, false},
		{&customer.CallMark{Kind: snoozed, At: 100 * day, Until: 107 * day}, 106, false, true},
		{&customer.CallMark{Kind: snoozed, At: 100 * day, Until: 107 * day}, 106, true, true},
		{&customer.CallMark{Kind: snoozed, At: 100 * day, Until: 107 * day}, 107, false, false},
		{&customer.CallMark{Kind: snoozed, At: 100 * day, Until: 200 * day}, 150, false, true},
	} {
		l := &lookup.Listed{Scores: processors.CustomerScores{AsOf: c.now * day, Mark: c.mark, AlertedSinceMark: c.alerted}}
		h := lookup.Hiding{Done: 14 * 24 * time.Hour}
		require.Equal(t, c.want, h.Hides(l), "%+v on day %d, alerted: %t", c.mark, c.now, c.alerted)
	}
	l := &lookup.Listed{Scores: processors.CustomerScores{AsOf: 100 * day, Mark: &customer.CallMark{Kind: done, At: 100 * day}}}
	require.False(t, new(lookup.Hiding).Hides(l), "no days")
}

// Whatever is marked and taken back, in whatever order, the list is a naive recount of all customers; so is one in which only who was marked was replaced.
func TestTodayIsARecount(t *testing.T) {
	var scenario strings.Builder
	for order := range 4 {
		for c := range 60 {
			if order > 1+c%3 {
				continue
			}
			fmt.Fprintf(&scenario, "2026-01-%02d purchase c%d order=%d-%d total=%d\n", 1+order*7, c, c, order, 20+c*7%50)
		}
	}
	p, err := population.New(scenario.String() + "2026-05-04 tick\n")
	require.NoError(t, err)
	hide := &lookup.Hiding{Done: time.Hour}
	naive := func(hidden map[string]bool) (ids []string) {
		stake := map[string]int64{}
		for _, id := range p.IDs() {
			profile, err := p.Profile(t.Context(), id)
			require.NoError(t, err)
			if risk := profile.Scores.Churn.Risk; hidden[id] || risk != "medium" && risk != "high" {
				continue
			}
			stake[id], ids = profile.Scores.ValueAtStake().Value, append(ids, id)
		}
		slices.SortStableFunc(ids, func(a, b string) int { return int(stake[b] - stake[a]) })
		return ids
	}
	ids := func(l *lookup.Listing) (ids []string) {
		for _, r := range l.Rows {
			ids = append(ids, r.Scores.Customer)
		}
		return ids
	}
	all := naive(nil)
	require.Greater(t, len(all), 20)
	hidden := map[string]bool{}
	for _, limit := range []int{0, 15} {
		q, err := lookup.CallList(limit, hide)
		require.NoError(t, err)
		kept, err := p.List(t.Context(), q)
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(3, uint64(limit)))
		for range 60 {
			id := all[random.IntN(len(all))]
			s := callmark.Statement{Mark: callmark.Marks()[random.IntN(3)]}
			if s.Mark == callmark.Snooze {
				s.Until = "7d"
			}
			_, err := p.Mark(t.Context(), id, s)
			require.NoError(t, err)
			if hidden[id] = s.Mark != callmark.Clear; !hidden[id] {
				delete(hidden, id)
			}
			want := naive(hidden)
			fresh, err := p.List(t.Context(), q)
			require.NoError(t, err)
			profile, err := p.Profile(t.Context(), id)
			require.NoError(t, err)
			kept = q.Replace(kept, profile.Listed)
			require.Len(t, fresh.Hidden, len(hidden))
			require.Len(t, kept.Hidden, len(hidden))
			if limit == 0 {
				require.Equal(t, want, ids(fresh))
				require.Equal(t, want, ids(kept))
				continue
			}
			require.Equal(t, want[:min(limit, len(want))], ids(fresh))
			require.Equal(t, want[:len(kept.Rows)], ids(kept), "what is missing at its end is not read again; nobody else is")
			require.Equal(t, len(kept.Rows) < len(want), kept.More)
		}
	}
}
