package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/costs"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/schemas/money"
)

func (p *program) costsCommand() *cobra.Command {
	set := &cobra.Command{
		Use: "set", Short: "State what was spent in a month on winning or keeping customers", Args: cobra.NoArgs,
		Long: `Set appends to the ledger what the shop spent in a month that is over. It replaces the former amount of that month, kind and source, so
stating it again changes nothing. An amount of 0 says that nothing was spent; --withdraw takes back what was stated. Costs of acquisition may have a source, as the shop writes it in
acquisition.source of purchases. mainstay report returns compares costs with what they brought.`,
		Example: "  " + p.name + " costs set --month 2026-10 --kind acquisition --source ads --amount 1200\n" +
			"  " + p.name + " costs set --month 2026-10 --kind retention --amount 300.50 --currency USD",
		RunE: p.interruptible(p.costsSet),
	}
	set.Flags().String("month", "", "month that is over, such as 2026-10")
	addChoiceFlag(set, "kind", "", "acquisition", "what it was spent on", cost.Kinds()...)
	set.Flags().String("source", "", "source of the customers (default: no particular one)")
	set.Flags().String("amount", "", "amount in whole units, such as 1200 or 1200.50; 0: nothing was spent")
	set.Flags().Bool("withdraw", false, "take back what was stated, so that the cost is not known")
	set.Flags().String("currency", "", "currency of the amount, converted by the rates in force now (default: the base currency)")
	set.Flags().Duration("timeout", 30*time.Second, "how long to wait until the amount is folded")
	addOutputFlag(set)
	_ = set.MarkFlagRequired("month") // there is a flag of this name
	set.MarkFlagsOneRequired("amount", "withdraw")
	set.MarkFlagsMutuallyExclusive("amount", "withdraw")
	list := &cobra.Command{
		Use: "list", Short: "List what was stated", Args: cobra.NoArgs,
		Example: "  " + p.name + " costs list --csv",
		RunE:    p.interruptible(p.costsList),
	}
	addFormFlags(list)
	return commandGroup("costs", "State and list what was spent on winning and keeping customers", set, list)
}

func (p *program) costsSet(ctx context.Context, cmd *cobra.Command, _ []string) error {
	text := func(flag string) string {
		value, _ := cmd.Flags().GetString(flag)
		return value
	}
	timeout, _ := cmd.Flags().GetDuration("timeout")
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	currencies, err := money.NewTable(a.Config.Money.Currencies)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	before, err := lookup.Partition(ctx, a.Redis, a.Config.Namespace, g, 0)
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	s := costs.Statement{Month: text("month"), Kind: choiceOf(cmd, "kind"), Source: text("source"), Amount: text("amount"), Currency: text("currency")}
	s.Withdraw, _ = cmd.Flags().GetBool("withdraw")
	k, err := s.Cost(before, currencies)
	var wrong *costs.FieldError
	switch {
	case errors.As(err, &wrong):
		return usage("--%s: %v", wrong.Field, wrong.Err)
	case err != nil:
		return fmt.Errorf("%w; nothing was changed", err)
	}
	l := p.enterable(a, g)
	place, err := costs.Append(ctx, &l, k)
	if err != nil {
		return err
	}
	if err := l.WaitFolded(ctx, a.Redis, place, timeout); err != nil {
		return fmt.Errorf("the amount is entry %d of ledger partition %d, and is not folded yet: %w; see `%s status`", place.Offset, place.Partition, err, p.name)
	}
	if asJSON(cmd) {
		return p.json(place)
	}
	if s.Withdraw {
		return p.printf("%s, %s: withdrawn, entry %d of ledger partition %d\n", s.Month, s.Kind, place.Offset, place.Partition)
	}
	unit := before.Unit()
	return p.printf("%s, %s: %s %s, entry %d of ledger partition %d\n", s.Month, s.Kind, unit.Append(nil, k.GetAmount()), unit.Code, place.Offset, place.Partition)
}

func (p *program) costsList(ctx context.Context, cmd *cobra.Command, _ []string) error {
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	state, err := lookup.Partition(ctx, a.Redis, a.Config.Namespace, g, 0)
	if err != nil {
		return err
	}
	return p.print(cmd, &sheet{Report: report.Costs(state), empty: says("No cost is stated: see `%s costs set --help`.", p.name)})
}
