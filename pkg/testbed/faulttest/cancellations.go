package faulttest

import (
	"fmt"
	"maps"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
)

// cancellations counts a customer's cancelled orders and refunds by reason. The cancellation of an order whose purchase was not read
// counts for nothing.
func (c *customerTotals) cancellations() map[string][2]int64 {
	all := map[string][2]int64{}
	for _, b := range c.byOrder {
		if b.cancelled && b.known {
			n := all[b.reason]
			all[b.reason] = [2]int64{n[0] + 1, n[1]}
		}
		for _, reason := range b.refunds {
			n := all[reason]
			all[reason] = [2]int64{n[0], n[1] + 1}
		}
	}
	return all
}

// checkCancellations compares the counts of cancellations by reason that a query returns with the recount.
func (w *world) checkCancellations(r *recount) (problems []string) {
	err := w.eachCustomer(func(p *processors.Partition, id string, c *customer.State) {
		counted := map[string][2]int64{}
		for _, n := range processors.ScoreCustomer(p, id, c).Reasons {
			counted[n.Reason.Value] = [2]int64{n.Orders, n.Refunds}
		}
		if want := r.customer(id).cancellations(); !maps.Equal(counted, want) {
			problems = append(problems, fmt.Sprintf("customer %s: orders and refunds by reason are %v, the recount has %v", id, counted, want))
		}
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}
