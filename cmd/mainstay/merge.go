package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/merge"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
)

func (p *program) customerMergeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "merge FROM INTO", Short: "Merge a customer into another, who is the same person; without --yes it only shows both", Args: cobra.ExactArgs(2),
		Long: `Merge appends a merge entry to the ledger. Everything that is known of FROM moves to INTO, and nothing counts twice: an order that both
have is one order. Open alerts of FROM are cleared, customer.merged and a tombstone go out on the topics of answers, and whatever is
reported of FROM later counts for INTO. A merge cannot be taken back.

Without --yes nothing is sent: the two customers are shown, for a look whether they are the same person. See docs/measures.md for what a
merge does to each figure, and docs/connecting.md for merges that a tool for identities sends.`,
		Example: "  " + p.name + " customer merge c-1002 c-1001 --yes",
		RunE:    p.interruptible(p.customerMerge),
	}
	cmd.Flags().Bool("yes", false, "merge them")
	cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait until the merge is folded")
	addOutputFlag(cmd)
	return cmd
}

// mergeResult is what `customer merge` prints as JSON.
type mergeResult struct {
	Merged bool         `json:"merged"`          // false: --yes was not given
	Place  *enter.Place `json:"place,omitempty"` // of the merge entry
	From   string       `json:"from_customer_id"`
	Into   string       `json:"into_customer_id"`
}

func (p *program) customerMerge(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	yes, _ := cmd.Flags().GetBool("yes")
	timeout, _ := cmd.Flags().GetDuration("timeout")
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	l := p.enterable(a, g)
	m, err := merge.Plan(ctx, &l, a.Redis, args[0], args[1])
	switch {
	case errors.Is(err, lookup.ErrNoState):
		return err
	case err != nil:
		return fmt.Errorf("%w; nothing was changed", err)
	}
	result := mergeResult{From: m.From.Customer, Into: m.Into.Customer}
	if !yes {
		if machine {
			return p.json(result)
		}
		if err := p.printCustomers("", &m.From, &m.Into); err != nil {
			return err
		}
		return p.printf("nothing was sent: with --yes %s is merged into %s, for good\n", printable(m.From.Customer), printable(m.Into.Customer))
	}
	place, err := m.Append(ctx, &l)
	if err != nil {
		return err
	}
	remains, err := m.Wait(ctx, &l, a.Redis, place, timeout)
	switch {
	case errors.Is(err, merge.ErrRejected):
		return fmt.Errorf("%w; see `%s tail rejections --customer %s --from start`", err, p.name, m.From.Customer)
	case err != nil:
		return fmt.Errorf("the merge is entry %d of ledger partition %d, and is not done yet: %w; see `%s status`", place.Offset, place.Partition, err, p.name)
	case machine:
		result.Merged, result.Place, result.Into = true, &place, remains.Customer
		return p.json(result)
	}
	if err := p.printCustomers("before", &m.From, &m.Into, &remains); err != nil {
		return err
	}
	return p.printf("merged: entry %d of ledger partition %d\n", place.Offset, place.Partition)
}

// printCustomers prints customers side by side; the last of three is who remains.
func (p *program) printCustomers(before string, all ...*processors.CustomerScores) error {
	header := []string{"CUSTOMER", "ORDERS", "HISTORIC CLV", "REFERRAL VALUE", "CHURN RISK", "NPS RESPONSES", ""}
	var rows [][]string
	for i, a := range all {
		when := before
		if i == 2 {
			when = "now"
		}
		c := &a.CLV
		rows = append(rows, []string{
			a.Customer, strconv.FormatInt(c.Orders, 10), string(c.Currency.Append(nil, c.Historic)) + " " + c.Currency.Code,
			string(c.Currency.Append(nil, c.ReferralValue)), a.Churn.Risk, strconv.FormatInt(a.Promoter.Responses, 10), when,
		})
	}
	return p.table(header, rows)
}
