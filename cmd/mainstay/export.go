package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/exportfile"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

func (p *program) exportCommand() *cobra.Command {
	customers := &cobra.Command{
		Use: "customers", Short: "Export all customers' figures, each ledger partition as of one offset", Args: cobra.NoArgs,
		Long: "Export customers reads all customers from Redis and writes those for which all conditions hold, as CSV, NDJSON or Parquet. The manifest\n" +
			"states the ledger offset at which each partition was read, and the file's hash: it is written to FILE.manifest.json or, without\n" +
			"--output, to the error output. `export verify` proves the file from these.\n\n" +
			"With --since, only customers for whom an answer or an alert was published since the offsets of a former export are written; that\n" +
			"reads the output topics as well.\n\n" +
			"Conditions are those of `customer list`. The columns are " + strings.Join(lookup.ColumnNames(nil), ", ") + ", and those of the setting attributes.",
		Example: "  " + p.name + " export customers --output customers.csv\n" +
			"  " + p.name + " export customers --format parquet --columns total_clv,churn_risk --where 'value_tier=top_10' --output top.parquet\n" +
			"  " + p.name + " export customers --since customers.csv --output changed.csv",
		RunE: p.interruptible(p.exportCustomers),
	}
	addChoiceFlag(customers, "format", "", "csv", "form of the file", export.FormatNames()...)
	customers.Flags().StringSlice("columns", nil, "columns to write, after customer_id (default: all)")
	customers.Flags().String("where", "", "conditions that must all hold")
	customers.Flags().StringP("output", "o", "", "file to write (default: the standard output)")
	customers.Flags().String("since", "", "a former export, its manifest, or its offsets, separated by commas")
	verify := &cobra.Command{
		Use: "verify FILE", Short: "Prove that an export follows from the ledger, figure by figure", Args: cobra.ExactArgs(1),
		Long: `Export verify compares the file with the hash in its manifest, folds the ledger up to the offsets that the manifest states, and
compares every figure of every row. It needs Kafka alone, and changes nothing.

The exit code is 0 when the file is what the ledger gives, and 3 otherwise. Customers are named by a hash of their ids (with
log.customer_key the one that logs have), or with --show-ids by their ids.`,
		RunE: p.interruptible(p.exportVerify),
	}
	verify.Flags().Bool("show-ids", false, "name customers by their ids")
	addOutputFlag(verify)
	return commandGroup("export", "Export customers to a file, or verify such a file", customers, verify)
}

func (p *program) exportCustomers(ctx context.Context, cmd *cobra.Command, _ []string) error {
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	q, former, err := exportQuery(cmd, c.Attributes.Names())
	if err != nil {
		return usageError{err}
	}
	open := p.openRedis
	if q.Since != nil {
		open = p.openLedger
	}
	a, g, err := open(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if former != nil && former.LedgerID != g.GetLedgerId() {
		return fmt.Errorf("--since: the former export is of ledger %s, and this is ledger %s: export all customers", former.LedgerID, g.GetLedgerId())
	}
	from := &export.FromServers{Kafka: a.Kafka, Redis: a.Redis, Namespace: a.Config.Namespace, Genesis: g, Now: p.now}
	bar := p.bar("exporting customers", false)
	q.Progress = func(rows int64) { _ = bar.Set64(rows) } // an error of drawing does not stop the command
	write := func(to io.Writer) (*export.Manifest, error) { return export.Write(ctx, from, g, q, to) }
	path, _ := cmd.Flags().GetString("output")
	if path == "" {
		m, err := write(p.out)
		_ = bar.Finish() // likewise
		if err == nil {
			p.printErr("%s", m.Encode())
		}
		return err
	}
	m, err := exportfile.Write(path, write)
	_ = bar.Finish() // likewise
	if err != nil {
		return err
	}
	return p.printf("%d customers in %s, as of the offsets in %s\n", m.Rows, path, exportfile.ManifestPath(path))
}

// exportQuery reads the flags. former is the manifest of the export that --since names, nil if it names offsets.
func exportQuery(cmd *cobra.Command, attributes []string) (q *export.Query, former *export.Manifest, err error) {
	q = &export.Query{}
	if q.Format, err = export.FormatNamed(choiceOf(cmd, "format")); err != nil {
		return nil, nil, err
	}
	names, _ := cmd.Flags().GetStringSlice("columns")
	if q.Columns, err = export.ParseColumns(names, attributes); err != nil {
		return nil, nil, fmt.Errorf("--columns: %w", err)
	}
	q.Condition, _ = cmd.Flags().GetString("where")
	if q.Where, err = lookup.ParseConditions(q.Condition, attributes); err != nil {
		return nil, nil, fmt.Errorf("--where: %w", err)
	}
	since, _ := cmd.Flags().GetString("since")
	if since == "" {
		return q, nil, nil
	}
	for part := range strings.SplitSeq(since, ",") {
		offset, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			if former, err = exportfile.ReadManifest(since); err != nil {
				return nil, nil, fmt.Errorf("--since: neither offsets nor an export: %w", err)
			}
			q.Since = former.Offsets
			return q, former, nil
		}
		q.Since = append(q.Since, offset)
	}
	return q, nil, nil
}

func (p *program) exportVerify(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	name := telemetry.NewCustomerHasher(a.Config.Log.CustomerKey.Reveal()).Hash
	if shown, _ := cmd.Flags().GetBool("show-ids"); shown {
		name = func(id string) string { return id }
	}
	bar := p.bar("folding the ledger", false)
	result, err := exportfile.Verify(ctx, exportfile.Config{
		Namespace: a.Config.Namespace, Genesis: g, Name: name, Attributes: a.Config.Attributes.Names(),
		Progress: func(partition int, folded, end int64) {
			bar.Describe(fmt.Sprintf("folding partition %d of %d", partition+1, g.GetPartitions()))
			setProgress(bar, folded, end)
		},
	}, a.Kafka, args[0])
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	if machine {
		err = p.json(result)
	} else {
		err = p.verifyTable(result)
	}
	if err == nil && !result.Clean() {
		err = errFindings
	}
	return err
}

func (p *program) verifyTable(r *exportfile.Result) error {
	hash := "as written"
	if r.HashDiffers {
		hash = "differs"
	}
	err := p.table([]string{"ENTRIES", "ROWS", "HASH", "DIFFERING", "MISSING", "UNEXPECTED"}, [][]string{{
		formatInt(r.Entries), formatInt(r.Rows), hash, formatInt(r.Differing), formatInt(r.Missing), formatInt(r.Unexpected),
	}})
	switch {
	case err != nil:
		return err
	case r.Clean():
		return p.printf("the file is what the ledger gives\n")
	}
	rows := make([][]string, len(r.Findings))
	for i, f := range r.Findings {
		rows[i] = []string{string(f.Kind), strconv.Itoa(f.Partition), formatInt(f.Row), orDash(f.Customer), orDash(f.Column), f.Detail}
	}
	if len(rows) == 0 {
		return p.printf("the file has other bytes than the one that was written, and the same figures\n")
	}
	return p.table([]string{"WHAT", "PARTITION", "ROW", "CUSTOMER", "COLUMN", "TEXT"}, rows)
}
