package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/ledgercopy"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) ledgerCommand() *cobra.Command {
	cp := &cobra.Command{
		Use: "copy --namespace NEW", Short: "Copy the ledger into another namespace, with other partitions or another time zone", Args: cobra.NoArgs,
		Long: `The number of partitions and the time zone are fixed for the life of a ledger. Copy makes a new ledger from an old one under the
namespace that --namespace names; the old one is that of the configuration (or --from). The old one is not changed, and its processes
run on meanwhile.

Without a further flag, it copies what there is and ends. --follow goes on copying. --finish does too, and hands the inputs over as soon
as the processes of the old namespace have ended: those of the new namespace then go on exactly where the old ones stopped. An
interrupted copy is resumed by the same command. The copy is compared with the old ledger as a whole, entry by entry.

See docs/ledger-copy.md for the whole procedure, and how subscribers move.`,
		Example: "  " + p.name + " ledger copy --namespace shop2 --partitions 32\n  " + p.name + " ledger copy --namespace shop2 --finish",
		RunE:    p.interruptible(p.ledgerCopy),
	}
	f := cp.Flags()
	f.String("from", "", "namespace of the ledger that is copied (default: the namespace that is configured apart from --namespace)")
	f.Int32("partitions", 0, "number of partitions of the new ledger (default: as many as the old one has)")
	f.String("without", "", "file with the ids of customers of whom nothing is copied, one a line (give it to every run)")
	f.Bool("follow", false, "go on copying until interrupted")
	f.Bool("finish", false, "go on copying until the old namespace's processes have ended, and hand the inputs over")
	addOutputFlag(cp)
	return commandGroup("ledger", "Copy the ledger", cp)
}

func (p *program) ledgerCopy(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	cfg := ledgercopy.Config{Logic: processors.LogicVersion, Pause: time.Second, Now: p.now, Random: app.Random}
	cfg.From, _ = cmd.Flags().GetString("from")
	cfg.Partitions, _ = cmd.Flags().GetInt32("partitions")
	cfg.Follow, _ = cmd.Flags().GetBool("follow")
	cfg.Finish, _ = cmd.Flags().GetBool("finish")
	if !cmd.Flag("namespace").Changed {
		return usage("give the namespace of the copy: --namespace NEW")
	}
	if cfg.Partitions < 0 {
		return usage("--partitions: must be above 0")
	}
	if cfg.From == "" {
		old, err := p.configWithout(cmd, "namespace")
		if err != nil {
			return err
		}
		cfg.From = old.Namespace
	}
	if cmd.Flag("timezone").Changed { // otherwise the copy keeps that of the old ledger
		cfg.Timezone = cmd.Flag("timezone").Value.String()
	}
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	old, err := topics.Genesis(ctx, a.Kafka, cfg.From)
	if err != nil {
		return fmt.Errorf("read the ledger that is copied: %w", err)
	}
	file, _ := cmd.Flags().GetString("without")
	if cfg.Without, err = readCustomers(file, event.Normalise(old.GetCustomerNormalisation())); err != nil {
		return err
	}
	cfg.To = app.Topics(a.Config)
	bar := p.bar("copying the ledger", false)
	cfg.Progress = p.copyProgress(machine, cfg.From, func(done, total int64) { setProgress(bar, done, total) })
	result, err := ledgercopy.Run(ctx, cfg, a.Kafka)
	_ = bar.Finish() // an error of drawing does not stop the command
	if err != nil {
		return err
	}
	if machine {
		return p.json(result)
	}
	return p.copyReport(result)
}

// readCustomers reads a file of customer ids, one a line, as the ledger has them. Empty lines are skipped; no file is no customer.
func readCustomers(file string, normalise event.Normalise) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("--without: %w", err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if id := string(normalise.AppendCustomer(nil, []byte(line))); id != "" {
			all = append(all, id)
		}
	}
	if len(all) == 0 {
		return nil, usage("--without: %s names no customer", file)
	}
	return all, nil
}

// configWithout loads the settings without one flag.
func (p *program) configWithout(cmd *cobra.Command, flag string) (config.Config, error) {
	sources := p.sources(cmd)
	delete(sources.Flags, flag)
	c, err := config.Load(sources)
	if err != nil {
		return c, usageError{fmt.Errorf("settings:\n%w", err)}
	}
	return c, nil
}

// copyProgress moves the bar, and says once that the copy has caught up and what it waits for.
func (p *program) copyProgress(machine bool, from string, draw func(done, total int64)) func(ledgercopy.Progress) {
	lastPrinted := ""
	return func(now ledgercopy.Progress) {
		draw(now.Copied, now.Copied+now.Behind)
		if now.Waiting == nil || now.Behind > 0 || machine {
			return
		}
		text := now.Waiting.Error()
		if text == lastPrinted {
			return
		}
		lastPrinted = text
		p.printErr("the copy has caught up; %s: stop the processes of %s, the copy then hands the inputs over\n", text, from)
	}
}

func (p *program) copyReport(r *ledgercopy.Result) error {
	err := p.printf("copied %s to %s: %d entries, %d of them by this run; ledger %s, %d partitions, timezone %s; the copy equals what the old ledger gives\n",
		r.From, r.To, r.Entries, r.Appended, r.LedgerID, r.Partitions, r.Timezone)
	if err != nil {
		return err
	}
	settings := strings.Join([]string{
		"namespace: " + r.To, fmt.Sprintf("ledger.partitions: %d", r.Partitions), "timezone: " + r.Timezone,
	}, ", ")
	if !r.Finished {
		return p.printf("not finished: start folds with %s (--roles fold), and run it again with --finish\n", settings)
	}
	return p.printf("the inputs are handed over: start processes with %s\n", settings)
}
