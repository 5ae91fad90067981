package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/forget"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) customerForgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget ID", Short: "Erase a customer: state, answers, and their name in other customers' referrals", Args: cobra.ExactArgs(1),
		Long: `Forget appends an erase entry to the ledger. The customer's state goes, their open alerts are cleared, and customer.erased and a
tombstone go out on the topics of answers, so that subscribers delete what they keep. Whoever was merged into them is forgotten with them. Referrers keep the amount of their credit, without
the name. Totals keep what was sold to the customer. An event of the same id that is read afterwards begins a new customer.

The entries from before stay in the ledger, where nothing reads them as the customer's any more, until it is copied: mainstay ledger copy
leaves them out. See docs/privacy.md for what else holds personal data, and how long.`,
		Example: "  " + p.name + " customer forget c-1001",
		RunE:    p.interruptible(p.customerForget),
	}
	cmd.Flags().Bool("unknown", false, "also if no customer of this id is known: pending referrals of other customers may name them")
	cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait until the erasure is folded")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) customerForget(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	unknown, _ := cmd.Flags().GetBool("unknown")
	timeout, _ := cmd.Flags().GetDuration("timeout")
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	r := forget.Request{Ledger: p.enterable(a, g), Customer: args[0], Unknown: unknown}
	place, err := r.Append(ctx, a.Redis)
	switch {
	case errors.Is(err, lookup.ErrUnknownCustomer):
		return fmt.Errorf("%w; nothing was changed (--unknown forgets an id that only pending referrals name)", err)
	case err != nil:
		return err
	}
	err = r.WaitFolded(ctx, a.Redis, place, timeout)
	switch {
	case err != nil:
		return fmt.Errorf("the erasure is entry %d of ledger partition %d, and is not folded yet: %w; see `%s status`", place.Offset, place.Partition, err, p.name)
	case machine:
		return p.json(place)
	}
	return p.printf("forgotten: entry %d of ledger partition %d\nthe entries from before stay in the ledger until `%s ledger copy` makes one without them\n", place.Offset, place.Partition, p.name)
}

// enterable is the ledger to which commands append.
func (p *program) enterable(a *app.App, g *ledger.Genesis) enter.Ledger {
	return enter.Ledger{Kafka: a.Kafka, Namespace: a.Config.Namespace, Genesis: g, Now: p.now, Random: app.Random}
}
