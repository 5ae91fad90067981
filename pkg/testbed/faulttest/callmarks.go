package faulttest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const callMarksEvery = 6 // events

// markCustomer marks a customer as somebody does who works off the list of calls, some twice, and takes some marks back. Redis may lack the customer at
// the moment, or be damaged: then nothing is marked.
func (w *world) markCustomer(i int) {
	random := rand.New(rand.NewPCG(w.seed, uint64(1000+i))) //nolint:gosec // the other events of a seed are the same with and without marks
	m := callmark.Marker{
		Ledger: enter.Ledger{Kafka: w.client.Kafka, Namespace: w.cfg.Namespace, Genesis: w.genesis, Now: time.Now, Random: random.Uint64},
		Redis:  w.client.Redis,
	}
	s := callmark.Statement{Mark: callmark.Marks()[random.IntN(len(callmark.Marks()))], By: fmt.Sprint(i)}
	if s.Mark == callmark.Snooze {
		s.Until = "7d"
	}
	id := fmt.Sprintf("c%d", random.IntN(shopCustomers))
	for range 1 + i%2 {
		if e, err := m.Mark(w.ctx, id, s); err == nil {
			w.callMarks[e.Customer] = append(w.callMarks[e.Customer], e.Mark)
		}
	}
}

// checkCallMarks compares the marks of customers with those that were stated. Whether a mark is in the ledger before an erasure or a merge, the oracle does
// not know: in a shop that has these, a customer has no mark that nobody stated.
func (w *world) checkCallMarks() (problems []string) {
	var all []*ledger.CallMark
	for _, stated := range w.callMarks {
		all = append(all, stated...)
	}
	err := w.eachCustomer(func(_ *processors.Partition, id string, c *customer.State) {
		got := c.CallMark()
		stated := w.callMarks[id]
		var last *ledger.CallMark
		if len(stated) > 0 && stated[len(stated)-1].GetKind() != ledger.CallMarkKind_CALL_MARK_KIND_CLEARED {
			last = stated[len(stated)-1]
		}
		if forgets(w.seed) || merges(w.seed) {
			if got == nil || hasCallMark(all, got) {
				return
			}
		} else if got == nil && last == nil || got != nil && hasCallMark([]*ledger.CallMark{last}, got) {
			return
		}
		problems = append(problems, fmt.Sprintf("customer %s: the call mark is %+v, stated were %v", id, got, stated))
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

func hasCallMark(all []*ledger.CallMark, k *customer.CallMark) bool {
	for _, one := range all {
		if one.GetKind() == k.Kind && one.GetBy() == k.By && one.GetUntil() == k.Until {
			return true
		}
	}
	return false
}
