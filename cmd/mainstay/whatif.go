package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
	"github.com/mainstay/mainstay/pkg/ops/whatif"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) whatifCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "whatif", Short: "Fold the ledger under other rules, settings or parameters, and compare alerts and totals", Args: cobra.NoArgs,
		Long: `Whatif folds the ledger twice side by side in memory: as it was, and as it would be if the rules, settings or parameters of the files had
held from --since on. It prints which alerts would be gained and lost, by rule and by week, how many of their customers bought again
within 30 days, and the totals and tiers that would be different. It writes nothing and can run beside a live system.

--settings takes a file in the form of the configuration file; of it, the settings that answers depend on count. What the files say
wins over every later settings or parameters entry of the ledger; what they do not name stays as the ledger says.

Memory is that of all customers, twice: 290 MB for 24,000 customers with 164,000 events. Customers who were erased are not counted. See docs/whatif.md.`,
		Example: "  " + p.name + " whatif --rules rules.yaml --since 2026-01-01\n  " + p.name + " whatif --parameters fitted.yaml",
		RunE:    p.interruptible(p.whatif),
	}
	f := cmd.Flags()
	f.String("rules", "", "file of alert rules, or the word shipped")
	f.String("settings", "", "file of settings")
	f.String("parameters", "", "file of model parameters, as fit writes it")
	f.String("since", "", "time of the ledger from which the files hold (default: its beginning)")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) whatif(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	f := cmd.Flags()
	rules, _ := f.GetString("rules")
	settings, _ := f.GetString("settings")
	params, _ := f.GetString("parameters")
	if rules == "" && settings == "" && params == "" {
		return usage("give --rules, --settings or --parameters: what is to be different")
	}
	since, err := p.sinceFlag(cmd)
	if err != nil {
		return err
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	terms, err := readTerms(a.Config, p.printErr, rules, settings, params)
	if err != nil {
		return err
	}
	result, err := p.runWhatif(ctx, a, g, terms, since)
	switch {
	case errors.Is(err, whatif.ErrSame):
		return p.printf("%s\n", err)
	case err != nil:
		return err
	case machine:
		return p.json(result)
	}
	return p.whatifTable(result)
}

// sinceFlag reads --since; 0 if it is not set.
func (p *program) sinceFlag(cmd *cobra.Command) (int64, error) {
	text, err := cmd.Flags().GetString("since")
	if err != nil || text == "" {
		return 0, err
	}
	at, err := timeflag.Parse(text, p.now())
	if err != nil {
		return 0, usage("--since: %v", err)
	}
	return at.UnixMilli(), nil
}

// runWhatif draws how far it has come.
func (p *program) runWhatif(ctx context.Context, a *app.App, g *ledger.Genesis, terms whatif.Terms, since int64) (*whatif.Result, error) {
	bar, progress := p.foldBar()
	result, err := whatif.Run(ctx, whatif.Config{Namespace: a.Config.Namespace, Genesis: g, Terms: terms, Since: since, Progress: progress}, a.Kafka)
	_ = bar.Finish() // an error of drawing does not stop the command
	return result, err
}

// foldBar draws what is folded, at which rate, and the time left.
func (p *program) foldBar() (*progressbar.ProgressBar, whatif.Progress) {
	bar := p.bar("", false)
	progressbar.OptionShowIts()(bar)
	last := ""
	return bar, func(what string, done, total int64) {
		if what != last || done == 0 { // another phase, or another fold
			bar.Reset()
			bar.Describe(what)
			last = what
		}
		setProgress(bar, done, total)
	}
}

// readTerms reads the files that say what is to be different.
func readTerms(c config.Config, note func(format string, args ...any), rules, settings, params string) (whatif.Terms, error) {
	var terms whatif.Terms
	if settings != "" {
		content, err := os.ReadFile(settings) //nolint:gosec // the operator names the file
		if err != nil {
			return terms, fmt.Errorf("read the settings: %w", err)
		}
		change, err := config.ParseChange(settings, content, c)
		if err != nil {
			return terms, err
		}
		if len(change.Ignored) > 0 {
			note("no answer depends on these settings of %s: %s\n", settings, strings.Join(change.Ignored, ", "))
		}
		terms.Settings, terms.Paths = change.Values, change.Paths
	}
	if rules != "" {
		all, err := ruleFile(rules)
		if err != nil {
			return terms, err
		}
		if terms.Names(whatif.RulesPath) {
			return terms, usage("--rules and --settings both give alert rules; give them once")
		}
		terms = terms.With(whatif.Rules(all))
	}
	if params != "" {
		file, err := parameters.Read(params)
		if err != nil {
			return terms, err
		}
		// The scale of spend is in units of a currency. A file without one is of amounts in no unit in particular.
		if base := c.Money.Currency; file.Currency != "" && file.Currency != base {
			return terms, fmt.Errorf("parameters: %s: its amounts are in %s, those of the ledger in %s: fit to purchases in %s", params, file.Currency, base, base)
		}
		terms.Parameters = file.Ledger()
	}
	return terms, nil
}

func (p *program) whatifTable(r *whatif.Result) error {
	from := "the beginning"
	if r.Since != nil {
		from = r.Since.Format(time.RFC3339)
	}
	if err := p.printf("Under these terms from %s to %s:\n", from, r.Until.Format(time.RFC3339)); err != nil {
		return err
	}
	for _, c := range r.Changes {
		if err := p.printf("  %s\n    is:       %s\n    would be: %s\n", c.Setting, c.Now, c.Would); err != nil {
			return err
		}
	}
	if len(r.Changes) == 0 {
		if err := p.printf("  they hold at the end as well, but did not always\n"); err != nil {
			return err
		}
	}
	if err := p.whatifAlerts(r); err != nil {
		return err
	}
	return p.whatifTotals(r)
}

func (p *program) whatifAlerts(r *whatif.Result) error {
	rows := make([][]string, len(r.Rules))
	for i, n := range r.Rules {
		rows[i] = []string{
			n.Rule, formatInt(n.Before.Alerts), formatInt(n.After.Alerts), formatInt(n.Kept), formatInt(n.Gained.Alerts), formatInt(n.Lost.Alerts),
			cameBack(n.Before), cameBack(n.Gained), cameBack(n.Lost),
		}
	}
	if err := p.printf("\nAlerts, and how many of their customers bought again within 30 days:\n"); err != nil {
		return err
	}
	if err := p.table([]string{"RULE", "WERE", "WOULD BE", "KEPT", "GAINED", "LOST", "OF WERE BOUGHT", "OF GAINED", "OF LOST"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, n := range r.Weeks {
		if n.Gained+n.Lost > 0 {
			rows = append(rows, []string{n.Week, n.Rule, formatInt(n.Before), formatInt(n.After), formatInt(n.Gained), formatInt(n.Lost)})
		}
	}
	if len(rows) == 0 {
		return p.printf("\nNo alert would be gained or lost.\n")
	}
	if err := p.printf("\nBy week and rule, where an alert would be gained or lost:\n"); err != nil {
		return err
	}
	return p.table([]string{"WEEK FROM", "RULE", "WERE", "WOULD BE", "GAINED", "LOST"}, rows)
}

// cameBack writes a share with what it is of: only alerts of which the next 30 days are in the ledger count.
func cameBack(c whatif.Counts) string {
	if c.Followed == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", c.Returned, c.Followed)
}

func (p *program) whatifTotals(r *whatif.Result) error {
	before, after := r.Portfolio.Before, r.Portfolio.After
	rows := [][]string{
		{"customers", formatInt(before.Customers), formatInt(after.Customers)},
		{"prospects", formatInt(before.Prospects), formatInt(after.Prospects)},
		{"historic revenue", before.Revenue.String(), after.Revenue.String()},
		{"future value", before.FutureValue.String(), after.FutureValue.String()},
		{"customer equity", before.CustomerEquity.String(), after.CustomerEquity.String()},
		{"customers at high risk", formatInt(before.HighRisk), formatInt(after.HighRisk)},
	}
	for _, tier := range whatif.Tiers() {
		rows = append(rows, []string{"tier " + tier, formatInt(before.Tiers[tier]), formatInt(after.Tiers[tier])})
	}
	if err := p.printf("\nTotals as of %s, amounts in %s, without customers who were erased:\n", r.Until.Format(time.RFC3339), r.Currency); err != nil {
		return err
	}
	if err := p.table([]string{"", "ARE", "WOULD BE"}, rows); err != nil {
		return err
	}
	for _, m := range r.Portfolio.Moves {
		if err := p.printf("%d customers would be in %s instead of %s\n", m.Customers, m.To, m.From); err != nil {
			return err
		}
	}
	return nil
}
