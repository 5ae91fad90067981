package faulttest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/costs"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// statedCost is a month, kind and source of which the operator of the shop has stated a cost.
type statedCost struct {
	month  int32
	kind   ledger.CostKind
	source string
}

const costsEvery = 15 // events

// stateCosts states costs, as an operator's command does: some twice, some for another amount than before, and withdraws some.
func (w *world) stateCosts(i int) {
	l := enter.Ledger{Kafka: w.client.Kafka, Namespace: w.cfg.Namespace, Genesis: w.genesis, Now: time.Now, Random: rand.New(rand.NewPCG(w.seed, uint64(i))).Uint64} //nolint:gosec // the other events of a seed are the same with and without costs
	for n := range 3 {
		at := statedCost{600 + int32(i/costsEvery%2), ledger.CostKind(1 + n), []string{"", "ads"}[i%2]}
		k := &ledger.Cost{Month: at.month, Kind: at.kind, Source: at.source, Amount: int64(i), Withdrawn: i/costsEvery%4 == 3 && n == 1}
		w.costs[at] = k.GetAmount()
		if k.GetWithdrawn() {
			delete(w.costs, at)
		}
		for range 1 + n%2 {
			if _, err := costs.Append(w.ctx, &l, k); err != nil {
				panic(err) // the shop's requests have no faults
			}
		}
	}
}

// checkCosts compares the costs that partition 0 has with those that were stated.
func (w *world) checkCosts() []string {
	state := w.committedState(0)
	if state == nil {
		return nil
	}
	got, table := map[statedCost]int64{}, state.Costs()
	for _, c := range table.All() {
		got[statedCost{int32(c.Month), c.Kind, c.Source}] = c.Amount
	}
	if !maps.Equal(got, w.costs) {
		return []string{fmt.Sprintf("costs: the state has %v, %v were stated", got, w.costs)}
	}
	return nil
}
