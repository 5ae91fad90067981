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
		Use: "audit", Short: "Recompute everything from the ledger and compare it byte for byte", Args: cobra.NoArgs,
		Long: `Audit folds the ledger from its start into memory and compares, byte for byte, with every published output and with the state
of every customer in Redis. It changes nothing and can run on a live system. State that is behind is compared as of its
offset; state that is not there is counted as missing. With --redis=false, outputs alone are compared.

The exit code is 0 when nothing is lost, doubled, differing or missing, and 3 otherwise. A clean audit that compared Redis too
stores its time there, for the metric mainstay_audit_last_success_timestamp_seconds.`,
		RunE: p.interruptible(p.audit),
	}
	cmd.Flags().Duration("patience", time.Minute, "how long to wait for an open transaction to end")
	cmd.Flags().Bool("redis", true, "compare the state in Redis; without it, missing state is no finding")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) audit(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	patience, err := cmd.Flags().GetDuration("patience")
	if err != nil {
		return err
	}
	withRedis, err := cmd.Flags().GetBool("redis")
	if err != nil {
		return err
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.bar("folding the ledger", false)
	store := a.Redis
	if !withRedis {
		store = nil
	}
	outputs, err := a.Outputs(g)
	if err != nil {
		return err
	}
	result, err := audit.Run(ctx, audit.Config{
		Namespace: a.Config.Namespace, Genesis: g, Outputs: outputs, Patience: patience, Now: p.now,
		Progress: func(partition int32, folded, end int64) {
			bar.Describe(fmt.Sprintf("folding partition %d of %d", partition+1, g.GetPartitions()))
			setProgress(bar, folded, end)
		},
	}, a.Kafka, store)
	_ = bar.Finish() // an error of drawing does not stop the command
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
		return errFindings
	case !withRedis:
		return nil
	}
	return a.Redis.SetLastAudit(ctx, a.Config.Namespace, p.now())
}

func (p *program) auditTable(r *audit.Result) error {
	err := p.table([]string{"PARTITIONS", "ENTRIES", "OUTPUTS", "CUSTOMERS", "LOST", "DOUBLED", "DIFFERING", "STATE MISSING"}, [][]string{{
		formatInt(int64(r.Partitions)), formatInt(r.Entries), formatInt(r.Outputs), formatInt(r.Customers), formatInt(r.Lost), formatInt(r.Doubled), formatInt(r.Differing), formatInt(r.StateMissing),
	}})
	if err != nil {
		return err
	}
	if f := r.Final; f != nil {
		if err := p.printf("closed days compared with the sum over all customers: %d, the last as of %s\n", r.Finals, f.AsOf.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	rows := make([][]string, len(r.Findings))
	for i, f := range r.Findings {
		rows[i] = []string{string(f.Kind), formatInt(int64(f.Partition)), formatInt(f.Offset), f.Place, f.Detail}
	}
	if len(rows) == 0 {
		return p.printf("nothing lost, doubled, differing or missing\n")
	}
	return p.table([]string{"WHAT", "PARTITION", "OFFSET", "WHERE", "TEXT"}, rows)
}
