package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/ops/whatif"
	"github.com/mainstay/mainstay/processors/alert"
)

func (p *program) forecastCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forecast RULES", Short: "Count the alerts that rules would have raised, from the ledger or a file of orders", Args: cobra.ExactArgs(1),
		Long: `Forecast folds a history under the rules of a file, and prints how many alerts each would have raised in a week: the mean, the least and
the most over the full weeks of the history, from Monday to Sunday. RULES is a YAML file with the key rules, or the word shipped.

The history is the ledger, or with --file a file of purchases, before Mainstay is in use: then Kafka and Redis are not needed, the
settings are those of the configuration, and the columns are mapped as for import. It writes nothing.

--per-day looks for the threshold of a rule (--rule, if the file has several) that raises at most so many alerts a day. It tries 32
thresholds in a fold and folds three times at most, so it finds the mildest of those that it tried, and prints the next one.`,
		Example: "  " + p.name + " alerts forecast rules.yaml\n  " + p.name + " alerts forecast rules.yaml --file orders.csv --per-day 10 --rule slipping",
		RunE:    p.interruptible(p.forecast),
	}
	addPurchasesFlags(cmd)
	f := cmd.Flags()
	f.String("file", "", "file of purchases instead of the ledger")
	f.String("parameters", "", "file of model parameters, as fit writes it (default: those of the ledger; with --file the prior)")
	f.String("since", "", "time of the ledger from which alerts count (default: its beginning)")
	f.Float64("per-day", 0, "find the threshold that raises at most so many alerts a day")
	f.String("rule", "", "rule whose threshold is looked for")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) forecast(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	perDay, _ := cmd.Flags().GetFloat64("per-day")
	name, _ := cmd.Flags().GetString("rule")
	file, _ := cmd.Flags().GetString("file")
	switch {
	case cmd.Flags().Changed("per-day") && !(perDay > 0):
		return usage("--per-day must be above 0; it is %g", perDay)
	case name != "" && perDay == 0:
		return usage("--rule names the rule whose threshold is looked for: give --per-day as well")
	case file != "" && cmd.Flags().Changed("since"):
		return usage("--since is a time of the ledger; it cannot be given with --file")
	}
	rules, err := ruleFile(args[0])
	if err != nil {
		return err
	}
	bar, progress := p.foldBar()
	source, terms, end, err := p.historySource(ctx, cmd, file, progress)
	if err != nil {
		return err
	}
	defer end()
	if perDay > 0 {
		found, err := source.ThresholdFor(ctx, rules, name, perDay, terms)
		_ = bar.Finish() // an error of drawing does not stop the command
		return p.printFound(found, err, perDay, machine)
	}
	result, err := source.Foresee(ctx, terms.With(whatif.Rules(rules)))
	_ = bar.Finish() // likewise
	switch {
	case err != nil:
		return err
	case machine:
		return p.json(result)
	}
	return p.forecastTable(result, rules)
}

// historySource is the ledger, or the file; the caller calls end.
func (p *program) historySource(ctx context.Context, cmd *cobra.Command, file string, progress whatif.Progress) (_ whatif.Source, _ whatif.Terms, end func(), _ error) {
	params, _ := cmd.Flags().GetString("parameters")
	var terms whatif.Terms
	if file == "" {
		since, err := p.sinceFlag(cmd)
		if err != nil {
			return nil, terms, nil, err
		}
		a, g, err := p.openLedger(ctx, cmd)
		if err != nil {
			return nil, terms, nil, err
		}
		if terms, err = readTerms(a.Config, p.printErr, "", "", params); err != nil {
			a.Close()
			return nil, terms, nil, err
		}
		return whatif.Ledger(whatif.Config{Namespace: a.Config.Namespace, Genesis: g, Since: since, Progress: progress}, a.Kafka), terms, a.Close, nil
	}
	c, err := p.config(cmd)
	if err != nil {
		return nil, terms, nil, err
	}
	orders := whatif.Orders{Settings: c.StepSettings(), Timezone: c.Timezone}
	if zone := cmd.Flag("timezone").Value.String(); zone != "" {
		orders.Timezone = zone
	}
	read, err := p.readPurchases(cmd, file, orders.Add)
	if err != nil {
		return nil, terms, nil, err
	}
	if orders.Len() == 0 {
		return nil, terms, nil, fmt.Errorf("%s: no purchases; %d rows were refused: check --map", file, read.refused)
	}
	if read.unit.Code != "" {
		orders.Currency = read.unit.Code
	}
	c.Money.Currency = orders.Currency
	terms, err = readTerms(c, p.printErr, "", "", params)
	return orders.Source(progress), terms, func() {}, err
}

func (p *program) forecastTable(f *whatif.Forecast, rules []alert.Rule) error {
	rows := make([][]string, len(f.Rules))
	for i, r := range f.Rules {
		rows[i] = []string{
			r.Rule, rules[i].Severity, strconv.FormatFloat(r.Mean, 'f', 1, 64), formatInt(r.Least), formatInt(r.Most), formatInt(r.Alerts), cameBack(r.Counts),
		}
	}
	if err := p.printf("Alerts in a week, over %d full weeks from %s, up to %s:\n", f.Weeks, f.From, f.Until.Format(time.RFC3339)); err != nil {
		return err
	}
	if err := p.table([]string{"RULE", "SEVERITY", "MEAN", "LEAST", "MOST", "IN ALL", "BOUGHT WITHIN 30 DAYS"}, rows); err != nil {
		return err
	}
	return p.printf("Customers bought again without any action that Mainstay knows of.\n")
}

func (p *program) printFound(found *whatif.Threshold, err error, perDay float64, machine bool) error {
	switch {
	case err != nil:
		return err
	case machine:
		return p.json(found)
	}
	side := map[bool]string{false: "above", true: "below"}[found.Below]
	if err := p.printf("%s: %s %s: %g, clear: %g raises %.2f alerts a day, over %d full weeks\n",
		found.Rule, found.Metric, side, found.Threshold, found.Clear, found.PerDay, found.Weeks); err != nil {
		return err
	}
	if found.Milder == nil {
		return p.printf("it is the mildest of the %d thresholds that were tried; none raises more than %g\n", found.Tried, perDay)
	}
	return p.printf("the next milder one of the %d thresholds that were tried, %g, raises %.2f\n", found.Tried, *found.Milder, *found.MilderPerDay)
}
