package processors_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

func (w *world) callMark(customer string, k *ledger.CallMark) processors.Result {
	blob, err := k.MarshalVT()
	require.NoError(w.t, err)
	return w.fold(w.partitionOf(customer), &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_CALL_MARK, Customer: customer, Payload: blob}).Result
}

const (
	done    = ledger.CallMarkKind_CALL_MARK_KIND_DONE
	snoozed = ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED
	cleared = ledger.CallMarkKind_CALL_MARK_KIND_CLEARED
)

// Of each customer the last call mark holds, with the ledger's time, through encoding and through a fold of the same ledger again. It changes no answer and causes no output.
func TestCallMarks(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	ids := []string{"ada", "bob", "cleo"}
	for i, id := range ids {
		w.event(id, purchase(id, 1000, ms("2026-01-01")+int64(i)))
	}
	random := rand.New(rand.NewPCG(1, 2))
	now, want := ms("2026-01-02"), map[string]customer.CallMark{}
	w.tick(now)
	scored := func(id string) string {
		s := w.scores(id)
		s.Mark, s.CLV.ID, s.Churn.ID, s.Promoter.ID = nil, output.ID{}, output.ID{}, output.ID{} // it says up to which entry
		return string(s.Append(nil))
	}
	for i := range 200 {
		if random.IntN(10) == 0 {
			now += 3_600_000
			w.tick(now)
		}
		w.takeOutputs()
		id := ids[random.IntN(len(ids))]
		k := &ledger.CallMark{Kind: ledger.CallMarkKind(random.IntN(3)), By: []string{"", "Ann"}[i%2], Note: []string{"", "voicemail"}[i/2%2]}
		if k.GetKind() == snoozed {
			k.Until = now + random.Int64N(1e9)
		}
		before := scored(id)
		require.Equal(t, processors.Applied, w.callMark(id, k))
		require.Equal(t, before, scored(id))
		require.Empty(t, w.takeOutputs())
		want[id] = customer.CallMark{Kind: k.GetKind(), At: now, Until: k.GetUntil(), By: k.GetBy(), Note: k.GetNote()}
		if k.GetKind() == cleared {
			delete(want, id)
		}
	}
	again := newWorld(t, w.genesis)
	for i, p := range w.parts {
		for _, e := range p.log[1:] {
			again.fold(int32(i), e)
		}
	}
	for _, id := range ids {
		require.Equal(t, w.state(id).Encode(nil), again.state(id).Encode(nil))
		k, is := want[id]
		got := w.state(id).CallMark()
		require.Equal(t, is, got != nil, id)
		if is {
			require.Equal(t, [...]any{k.Kind, k.At, k.Until, k.By, k.Note}, [...]any{got.Kind, got.At, got.Until, got.By, got.Note})
		}
	}
}

// Without a mark no byte is kept, also after one was taken back. What cannot be kept, or is of nobody who is known, is ignored.
func TestCallMarksThatAreIgnored(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	w.event("ada", purchase("1", 1000, ms("2026-01-01")))
	before := w.state("ada").Encode(nil)
	for _, k := range []*ledger.CallMark{
		{Kind: 3},
		{Kind: snoozed},
		{Kind: done, By: strings.Repeat("x", customer.MostMarkBy+1)},
		{Kind: done, Note: strings.Repeat("x", customer.MostMarkNote+1)},
	} {
		require.Equal(t, processors.Ignored, w.callMark("ada", k))
	}
	require.Equal(t, processors.Applied, w.callMark("ada", &ledger.CallMark{Kind: done, By: strings.Repeat("x", customer.MostMarkBy), Note: strings.Repeat("x", customer.MostMarkNote)}))
	require.NotEqual(t, before, w.state("ada").Encode(nil))
	require.Equal(t, processors.Applied, w.callMark("ada", &ledger.CallMark{Kind: cleared}))
	require.Equal(t, before, w.state("ada").Encode(nil))

	require.Equal(t, processors.Ignored, w.callMark("nobody", &ledger.CallMark{Kind: done}))
	require.Nil(t, w.state("nobody"))
	w.callMark("ada", &ledger.CallMark{Kind: done, By: "Ann"})
	w.erase("ada", ms("2026-01-02"))
	w.drain()
	require.Equal(t, processors.Ignored, w.callMark("ada", &ledger.CallMark{Kind: done, By: "Ann"}))
	require.Nil(t, w.state("ada"))
	w.event("ada", purchase("1", 1000, ms("2026-01-03")))
	require.Nil(t, w.state("ada").CallMark(), "a new customer of the same id")
}

// Of two customers who are one person, the later mark holds, whichever is merged into the other; a mark that comes for the merged id is theirs.
func TestCallMarksOfMergedCustomers(t *testing.T) {
	for _, from := range []string{"ada", "bob"} {
		into := map[string]string{"ada": "bob", "bob": "ada"}[from]
		w := newWorld(t, genesis(3, ledger.Clock_CLOCK_EVENT))
		at := ms("2026-01-01")
		w.event("ada", purchase("1", 1000, at))
		w.event("bob", purchase("2", 1000, at))
		w.tick(at + 1000)
		w.callMark("ada", &ledger.CallMark{Kind: done, By: "earlier"})
		w.tick(at + 2000)
		w.callMark("bob", &ledger.CallMark{Kind: snoozed, Until: at + 9000, By: "later"})
		w.merge(from, into, at+3000)
		w.drain()
		require.Equal(t, "later", w.state(into).CallMark().By, from)
		require.Nil(t, w.state(from).CallMark())
		require.Equal(t, processors.Forwarded, w.callMark(from, &ledger.CallMark{Kind: done, By: "for the merged one"}))
		w.drain()
		require.Equal(t, "for the merged one", w.state(into).CallMark().By)
	}
}

// An alert is new if the ledger has it after the mark, whatever the times of both.
func TestAlertsSinceCallMark(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	w.settings(under([]alert.Rule{
		{Name: "spent", Metric: "historic_clv", At: 50, Clear: 50, Severity: "info"},
		{Name: "unhappy", Metric: "nps_score", Below: true, At: 6, Clear: 6, Severity: "info"},
	}))
	at := ms("2026-01-01")
	w.event("ada", purchase("1", 1000, at))
	w.tick(at + 500)
	w.event("ada", purchase("2", 9000, at+1000)) // base time is before it
	raised := func() (n int) {
		for _, o := range w.takeOutputs() {
			if o.Topic == output.Alerts {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, raised())
	require.False(t, w.state("ada").AlertedSinceCallMark(), "there is no mark")
	w.callMark("ada", &ledger.CallMark{Kind: done})
	require.Less(t, w.state("ada").CallMark().At, at+1000, "the alert bears a later time")
	require.False(t, w.state("ada").AlertedSinceCallMark())

	w.event("ada", survey("s", 2, at+600, at+600))
	require.Equal(t, 1, raised())
	require.True(t, w.state("ada").AlertedSinceCallMark())
	w.callMark("ada", &ledger.CallMark{Kind: done})
	require.False(t, w.state("ada").AlertedSinceCallMark(), "marked again")

	// A mark that comes by a merge has seen the alerts of the one who remains that are open then.
	w.event("eve", purchase("3", 100, at+1100))
	w.tick(at + 2000)
	w.callMark("eve", &ledger.CallMark{Kind: done, By: "eve's"})
	w.merge("eve", "ada", at+3000)
	w.drain()
	require.Equal(t, "eve's", w.state("ada").CallMark().By)
	require.False(t, w.state("ada").AlertedSinceCallMark())
}
