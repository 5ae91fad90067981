package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// tableColumns are those that a terminal has room for; files have all.
var tableColumns = []string{"customer_id", "value_at_stake", "total_clv", "value_tier", "churn_risk", "last_order_at", "alerted_at", "why"}

func (p *program) customerListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List customers by a figure, from Redis", Args: cobra.NoArgs,
		Long: "List reads all customers and prints those for which all conditions hold, sorted by a figure. A condition is COLUMN=TEXT (several\n" +
			"texts with |) or, for numbers, amounts and times, COLUMN>=VALUE or COLUMN<=VALUE; conditions are separated by commas.\n\n" +
			"The columns are " + strings.Join(lookup.ColumnNames(nil), ", ") + ", and those of the setting attributes.",
		Example: "  " + p.name + " customer list --sort total_clv --where 'value_tier=top_10,nps_category=detractor'\n" +
			"  " + p.name + " customer list --sort last_order_at --ascending --where 'last_order_at>=2026-01-01' --limit 0 --csv",
		RunE: p.interruptible(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			c, err := p.config(cmd)
			if err != nil {
				return err
			}
			q, err := listQuery(cmd, c.Attributes.Names())
			if err != nil {
				return usageError{err}
			}
			return p.list(ctx, cmd, q)
		}),
	}
	cmd.Flags().String("sort", "value_at_stake", "column to sort by")
	cmd.Flags().Bool("ascending", false, "the smallest figure first")
	cmd.Flags().String("where", "", "conditions that must all hold")
	addListFlags(cmd)
	return cmd
}

func (p *program) todayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "today", Short: "List the customers to call today, and why", Args: cobra.NoArgs,
		Long: `Today lists the customers who are slipping away (churn risk medium or high), the greatest value at stake first: predicted lifetime
value x churn probability. A customer who is almost certainly gone has little predicted value left and stands low in the list. alerted_at
is when an alert of the customer that is still open was last published. Customers in the control group of an open alert are left out: nobody
is to act on it, so that report lift can compare.

Customers whom somebody has marked with customer mark are left out: who is snoozed until the time is over, who is done for today.done_days, or until
an alert is raised after the mark. With --all they are listed too, with the columns done_at, done_by and snoozed_until.`,
		Example: "  " + p.name + " today --limit 50\n  " + p.name + " today --csv > calls.csv",
		RunE: p.interruptible(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
			limit, err := listLimit(cmd)
			if err != nil {
				return err
			}
			hide := new(lookup.Hiding) // for how long the configuration says
			if all, _ := cmd.Flags().GetBool("all"); all {
				hide = nil
			}
			q, err := lookup.CallList(limit, hide)
			if err != nil {
				return err
			}
			return p.list(ctx, cmd, q)
		}),
	}
	cmd.Flags().Bool("all", false, "also customers whom somebody has marked as done or snoozed")
	addListFlags(cmd)
	return cmd
}

func addListFlags(cmd *cobra.Command) {
	cmd.Flags().Int("limit", 20, "number of customers; 0: all")
	cmd.Flags().StringSlice("columns", nil, "columns to print (default: all in CSV and JSON, those that fit in a table)")
	cmd.Flags().Bool("csv", false, "print CSV")
	addOutputFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("csv", "output")
}

func listLimit(cmd *cobra.Command) (int, error) {
	limit, err := cmd.Flags().GetInt("limit")
	if err == nil && limit < 0 {
		err = usage("--limit: must not be negative")
	}
	return limit, err
}

func listQuery(cmd *cobra.Command, attributes []string) (q lookup.ListQuery, err error) {
	if q.Limit, err = listLimit(cmd); err != nil {
		return q, err
	}
	q.Ascending, _ = cmd.Flags().GetBool("ascending")
	name, _ := cmd.Flags().GetString("sort")
	if q.Sort, err = lookup.ColumnNamed(name, attributes); err != nil {
		return q, fmt.Errorf("--sort: %w", err)
	}
	if !q.Sort.Sortable() {
		return q, fmt.Errorf("--sort: %s has no order", name)
	}
	where, _ := cmd.Flags().GetString("where")
	if q.Where, err = lookup.ParseConditions(where, attributes); err != nil {
		return q, fmt.Errorf("--where: %w", err)
	}
	return q, nil
}

func (p *program) list(ctx context.Context, cmd *cobra.Command, q lookup.ListQuery) error {
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	attributes := c.Attributes.Names()
	machine := asJSON(cmd)
	asCSV, _ := cmd.Flags().GetBool("csv")
	names, _ := cmd.Flags().GetStringSlice("columns")
	standard := len(names) == 0
	switch {
	case len(names) > 0:
	case machine || asCSV:
		names = lookup.ColumnNames(attributes)
	case slices.Contains(tableColumns, q.Sort.Name):
		names = tableColumns
	default:
		names = slices.Insert(slices.Clone(tableColumns), 1, q.Sort.Name)
	}
	columns, err := lookup.ColumnsNamed(names, attributes)
	if err != nil {
		return usageError{fmt.Errorf("--columns: %w", err)}
	}
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if q.Hide != nil {
		q.Hide.Done = a.Config.Today.DoneFor()
	}
	bar := p.bar("reading customers", false)
	q.Progress = func(read int64) { _ = bar.Set64(read) } // an error of drawing does not stop the command
	listing, err := lookup.List(ctx, a.Redis, a.Config.Namespace, g, q)
	_ = bar.Finish() // likewise
	switch {
	case err != nil:
		return err
	case machine:
		return p.listJSON(columns, listing.Rows)
	case asCSV:
		return p.listCSV(columns, listing.Rows)
	}
	if standard && slices.ContainsFunc(listing.Rows, func(l lookup.Listed) bool { return l.Scores.Mark != nil }) {
		if columns, err = lookup.ColumnsNamed(append(slices.Clone(names), "done_at", "done_by", "snoozed_until"), attributes); err != nil {
			return err
		}
	}
	in, zone, err := p.reader(cmd, g)
	if err != nil {
		return err
	}
	if err := p.listTable(in, zone, columns, listing.Rows); err != nil || len(listing.Hidden) == 0 {
		return err
	}
	return p.printf("%s\n", in.F("%d more are marked as done or snoozed: --all lists them", len(listing.Hidden)))
}

func (p *program) listJSON(columns []lookup.Column, rows []lookup.Listed) error {
	return p.json(listedJSON(columns, rows))
}

func listedJSON(columns []lookup.Column, rows []lookup.Listed) []json.RawMessage {
	all := make([]json.RawMessage, len(rows))
	for i := range rows {
		all[i] = lookup.AppendJSON(nil, columns, &rows[i])
	}
	return all
}

func (p *program) listCSV(columns []lookup.Column, rows []lookup.Listed) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.Name
	}
	_ = w.Write(line) // to memory
	for r := range rows {
		for i, c := range columns {
			//mutant:digits-in-csv replace line[i] = locale.Named("fa").Digits(c.Text(&rows[r]))
			line[i] = c.Text(&rows[r])
		}
		_ = w.Write(line) // likewise
	}
	w.Flush()
	return p.printf("%s", text.Bytes())
}

func (p *program) listTable(in *locale.Locale, zone *time.Location, columns []lookup.Column, rows []lookup.Listed) error {
	if len(rows) == 0 {
		return p.printf("%s\n", in.T("No customer is listed: none matches, or too few orders are known to score anybody."))
	}
	names, lines := make([]string, len(columns)), make([][]string, len(rows))
	for i := range columns {
		names[i] = columns[i].Name
	}
	for r := range rows {
		for i := range columns {
			lines[r] = append(lines[r], figure(in, zone, &columns[i], &rows[r]))
		}
	}
	return p.tableIn(in, heads(in, names), lines)
}
