package processors_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// recordingStore records which customers are loaded.
type recordingStore struct {
	*encodingStore
	loaded []string
}

func (w *recordingStore) Customer(id string) (*customer.State, error) {
	w.loaded = append(w.loaded, id)
	return w.encodingStore.Customer(id)
}

// fitted are parameters under which the answers differ from the prior's, and from those of another version.
func fitted(version uint64) *ledger.Parameters {
	return &ledger.Parameters{
		Version: version, Model: "mbg_nbd", Status: "fitted", R: .2 + float64(version%5)/10, Alpha: 4 + float64(version), A: .8, B: 1.5, P: 6, Q: 4, V: 15,
	}
}

// crowd returns a world of one partition with so many customers, whose first orders are a day apart, after a tick 200 days later.
func crowd(t require.TestingT, people int, limit uint32) *world {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) { v.WakeLimit, v.TiersMinCustomers = limit, 5 })
	at := ms("2024-01-01")
	for i := range people {
		id := fmt.Sprint("customer-", i)
		for o := range 1 + i%3/2*2 {
			w.event(id, purchase(fmt.Sprint(o), int64(1000+137*i), at+int64(i%90)*day+int64(o)*9*day))
		}
	}
	w.tick(at + 200*day)
	w.takeOutputs()
	return w
}

func (w *world) enter(kind ledger.Kind, body interface{ MarshalVT() ([]byte, error) }) {
	blob, err := body.MarshalVT()
	require.NoError(w.t, err)
	w.fold(0, &ledger.Entry{Version: 1, Kind: kind, Payload: blob})
}

// TestEveryCustomerIsRescoredOnce: after new parameters all customers are rescored, each once, in the order of class and
// id, at most wake_limit with one entry, and at most one continue entry is appended at any time, whatever entries come in between.
func TestEveryCustomerIsRescoredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people, limit := rapid.IntRange(0, 90).Draw(t, "people"), rapid.IntRange(1, 40).Draw(t, "limit")
		w := crowd(t, people, uint32(limit))
		p := w.parts[0]
		recorder := &recordingStore{encodingStore: p.store}
		fold := func(e *ledger.Entry) processors.Verdict {
			var out output.Batch
			v, err := processors.Step(p.state, p.offset, e, recorder, &out)
			require.NoError(t, err)
			p.state, err = processors.DecodePartition(p.state.Encode(nil))
			require.NoError(t, err)
			p.offset++
			for _, s := range out.Sends {
				if s.Entry.Kind == ledger.Kind_KIND_CONTINUE {
					p.queue = append(p.queue, &s.Entry)
				}
			}
			require.LessOrEqual(t, len(p.queue), 1, "never two entries to go on")
			require.LessOrEqual(t, v.Woken+v.Rescored, limit)
			return v
		}
		classes := uint32(1)
		terms := func(version uint64) processors.Verdict {
			for classes = 1; int64(classes) < p.state.Totals().Known/16; {
				classes *= 2
			}
			blob, err := fitted(version).MarshalVT()
			require.NoError(t, err)
			recorder.loaded = nil
			return fold(&ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: blob})
		}
		rescored := terms(1).Rescored
		again := rapid.IntRange(0, 8).Draw(t, "again after")
		come := 0
		for n := 0; len(p.queue) > 0; n++ {
			if n == again {
				rescored = terms(2).Rescored // starts again
			}
			if len(p.queue) == 0 {
				break
			}
			if rapid.IntRange(0, 3).Draw(t, "event") == 0 {
				loaded := recorder.loaded
				id := fmt.Sprint("new-", come)
				come++
				e, err := purchase("1", 700, ms("2024-08-01")).MarshalVT()
				require.NoError(t, err)
				w.origin++
				fold(&ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: id, Time: ms("2024-08-01"), Payload: e, Origin: &ledger.Origin{Topic: "purchases", Offset: w.origin}})
				recorder.loaded = loaded
			}
			e := p.queue[0]
			p.queue = nil
			rescored += fold(e).Rescored
		}
		_, _, under := p.state.Rescoring()
		require.False(t, under)
		require.Len(t, recorder.loaded, rescored)
		old := slices.DeleteFunc(slices.Clone(recorder.loaded), func(id string) bool { return strings.HasPrefix(id, "new-") })
		require.Len(t, old, people)
		require.True(t, slices.IsSortedFunc(recorder.loaded, func(a, b string) int {
			if x, y := ledger.Class(a, classes), ledger.Class(b, classes); x != y {
				return int(x) - int(y)
			}
			return strings.Compare(a, b)
		}), "by class, then id")
		slices.Sort(recorder.loaded)
		require.Len(t, slices.Compact(recorder.loaded), rescored, "nobody twice")
	})
}

// TestWakeLimitChangesNoOutput: how many customers an entry may score does not change the outputs of any customer.
func TestWakeLimitChangesNoOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.IntRange(1, 50).Draw(t, "people")
		version := rapid.Uint64Range(1, 9).Draw(t, "version")
		foldAll := func(limit uint32) (all []string) {
			w := crowd(t, people, limit)
			w.append(ledger.Kind_KIND_PARAMETERS, 0, fitted(version))
			for _, s := range customers(w.takeOutputs()) {
				require.Equal(t, output.TriggerParameters, s.Trigger)
				require.Contains(t, s.json, `"trigger":"parameters","cause_event_id":null`)
				_, behind, _ := strings.Cut(s.json, ",") // behind its id, which names the entry
				all = append(all, behind)
			}
			for id := range w.parts[0].store.blobs {
				before := w.state(id).Encode(nil)
				w.enter(ledger.Kind_KIND_CONTINUE, &ledger.Continue{})
				require.Equal(t, before, w.state(id).Encode(nil), "nothing is left to do")
			}
			return all
		}
		one := foldAll(1)
		require.NotEmpty(t, one)
		require.Equal(t, one, foldAll(rapid.Uint32Range(2, 200).Draw(t, "limit")))
	})
}

// TestNewTermsReachInactiveCustomers: parameters, bounds and settings, each by itself, move whoever has not been touched.
func TestNewTermsReachInactiveCustomers(t *testing.T) {
	w := crowd(t, 40, 7)
	tiers := func() map[string]int {
		n := map[string]int{}
		for i := range 40 {
			n[w.state(fmt.Sprint("customer-", i)).LastPublished.Tier.String()]++
		}
		return n
	}
	now, _ := w.parts[0].state.BaseTime()
	for range 4 {
		now += 61 * 60_000
		w.tick(now)
	}
	require.Equal(t, map[string]int{"top_10": 4, "top_20": 4, "rest": 32}, tiers(), "from the base's own bounds, by nothing but time")
	w.takeOutputs()
	bounds := &ledger.Thresholds{Version: 100, Top_10: 1, Top_20: 1, Percentiles: make([]int64, 101), Customers: 40}
	w.append(ledger.Kind_KIND_THRESHOLDS, now, bounds)
	require.Equal(t, map[string]int{"top_10": 40}, tiers())
	for _, s := range customers(w.takeOutputs()) {
		require.Equal(t, output.TriggerThresholds, s.Trigger)
		_, previous, _ := strings.Cut(s.json, `"previous":`)
		require.NotContains(t, previous, `"value_tier":"top_10"`, "whose tier stays is not published")
	}
	w.settings(func(v *ledger.SettingsValues) { v.WakeLimit, v.TiersMinCustomers, v.ChurnHigh = 7, 41, .34 })
	require.Equal(t, map[string]int{"": 40}, tiers(), "the base is too small by the new settings")
	for _, s := range w.takeOutputs() {
		require.NotContains(t, s.json, `"churn_risk":"medium","purchase`)
	}
}

// TestOutputsNameTheModel: without any customer to learn from, answers are the prior's and say so; then those of the entry.
func TestOutputsNameTheModel(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.event("c", purchase("1", 1000, ms("2024-01-01")))
	all := w.takeOutputs()
	require.Len(t, all, 3)
	for _, s := range all[:2] { // a milestone is no answer of a model
		require.Contains(t, s.json, `"model":{"name":"mbg_nbd","version":0,"status":"prior"}`)
	}
	w.append(ledger.Kind_KIND_PARAMETERS, 0, fitted(3))
	w.event("c", purchase("2", 1000, ms("2024-02-01")))
	for _, s := range slices.DeleteFunc(w.takeOutputs(), func(s published) bool { return s.Topic == output.Milestones }) {
		require.Contains(t, s.json, `"model":{"name":"mbg_nbd","version":3,"status":"fitted"}`)
	}
}
