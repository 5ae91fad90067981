package processors_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (w *world) cost(partition int32, k *ledger.Cost) processors.Result {
	blob, err := k.MarshalVT()
	require.NoError(w.t, err)
	return w.fold(partition, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_COST, Payload: blob}).Result
}

// TestCosts: partition 0 keeps the last amount of each month, kind and source, through encoding; what is withdrawn is gone; what cannot be is ignored.
func TestCosts(t *testing.T) {
	w := newWorld(t, genesis(2, ledger.Clock_CLOCK_EVENT))
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]int64{}
	for range 500 {
		k := &ledger.Cost{
			Month: 600 + random.Int32N(4), Kind: ledger.CostKind(1 + random.Int32N(3)), Source: []string{"", "ads", "mail"}[random.IntN(3)], Amount: random.Int64N(4) * 100, Withdrawn: random.IntN(4) == 0,
		}
		require.Equal(t, processors.Applied, w.cost(0, k))
		key := fmt.Sprint(k.GetMonth(), " ", k.GetKind(), " ", k.GetSource())
		want[key] = k.GetAmount()
		if k.GetWithdrawn() {
			delete(want, key)
		}
	}
	costs := w.parts[0].state.Costs()
	got := map[string]int64{}
	for _, c := range costs.All() {
		got[fmt.Sprint(int32(c.Month), " ", c.Kind, " ", c.Source)] = c.Amount
	}
	require.Equal(t, want, got)
	before := costs.All()

	require.Equal(t, processors.Ignored, w.cost(1, &ledger.Cost{Month: 600, Kind: 1, Amount: 5}), "costs are of no customer")
	for _, k := range []*ledger.Cost{
		{Month: 600, Amount: 5}, {Month: 600, Kind: 9, Amount: 5}, {Month: 600, Kind: 1, Amount: -5}, {Month: 600, Kind: 1, Amount: 5, Source: strings.Repeat("x", 101)},
	} {
		require.Equal(t, processors.Ignored, w.cost(0, k), k)
	}
	again := w.parts[0].state.Costs()
	require.Equal(t, before, again.All())
	other := w.parts[1].state.Costs()
	require.Empty(t, other.All())
}

// TestCostsAreBounded: a full table takes no other cell, and still changes those that it has.
func TestCostsAreBounded(t *testing.T) {
	var table cost.Table
	for i := range cost.MostCells {
		require.True(t, table.Set(&ledger.Cost{Month: int32(i), Kind: 1, Amount: 1}))
	}
	require.False(t, table.Set(&ledger.Cost{Month: 5, Kind: 2, Amount: 1}))
	require.True(t, table.Set(&ledger.Cost{Month: 5, Kind: 1, Amount: 2}))
	amount, stated := table.Amount(5, 1, "")
	require.True(t, stated)
	require.EqualValues(t, 2, amount)
	require.True(t, table.Set(&ledger.Cost{Month: 5, Kind: 1, Withdrawn: true}))
	require.True(t, table.Set(&ledger.Cost{Month: 5, Kind: 2, Amount: 1}))
	require.True(t, slices.IsSortedFunc(table.All(), func(a, b cost.Cell) int { return int(a.Month - b.Month) }))
}
