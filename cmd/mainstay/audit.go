package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/audit"
)

func (p *program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Fold the ledger again and compare with all that was published and stored, byte for byte", Args: cobra.NoArgs,
		Long: `Audit folds the ledger from its start into memory and compares, byte for byte, with every output that is published and every
customer that Redis holds. It changes nothing and can run beside a live system;
when all is in order it notes the time, for the metric that on-call watches. Its exit code is 0 only when nothing is lost,
doubled or differing, and 3 when something is.`,
		RunE: p.work(p.audit),
	}
	cmd.Flags().Duration("patience", time.Minute, "how long to wait for a transaction under way")
	outputFlag(cmd)
	return cmd
}

func (p *program) audit(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	patience, err := cmd.Flags().GetDuration("patience")
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.bar("folding the ledger again", false)
	result, err := audit.Run(ctx, audit.Config{
		Namespace: a.Config.Namespace, Genesis: g, Patience: patience, Now: p.now,
		Progress: func(partition int32, folded, end int64) {
			bar.Describe(fmt.Sprintf("folding partition %d of %d again", partition+1, g.GetPartitions()))
			at(bar, folded, end)
		},
	}, a.Kafka, a.Redis)
	_ = bar.Finish() // a bar that cannot be drawn stops nothing
	if err != nil {
		return err
	}
	if machine {
		err = p.json(result)
	} else {
		err = p.auditTable(result)
	}
	switch {
	case err != nil:
		return err
	case !result.Clean():
		return errFound
	}
	return a.Redis.SetLastAudit(ctx, a.Config.Namespace, p.now())
}

func (p *program) auditTable(r *audit.Result) error {
	err := p.table([]string{"PARTITIONS", "ENTRIES", "OUTPUTS", "CUSTOMERS", "LOST", "DOUBLED", "DIFFERING"}, [][]string{{
		number(int64(r.Partitions)), number(r.Entries), number(r.Outputs), number(r.Customers), number(r.Lost), number(r.Doubled), number(r.Differing),
	}})
	if err != nil {
		return err
	}
	rows := make([][]string, len(r.Findings))
	for i, f := range r.Findings {
		rows[i] = []string{f.What, number(int64(f.Partition)), number(f.Offset), f.Where, f.Text}
	}
	if len(rows) == 0 {
		return p.say("nothing lost, doubled or differing\n")
	}
	return p.table([]string{"WHAT", "PARTITION", "OFFSET", "WHERE", "TEXT"}, rows)
}
