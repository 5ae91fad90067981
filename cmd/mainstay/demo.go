package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/demo"
)

func (p *program) demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a demonstration with a simulated shop or a file of orders, without any server", Args: cobra.NoArgs,
		Long: `Demo runs Mainstay with Kafka and Redis embedded in the process. A simulated shop with known ground truth sends purchases,
cancellations, referrals and surveys over a simulated year, and the answers change as you watch, such as the churn risk of
customers who stop buying. At the end a summary compares the answers with the ground truth, and an audit compares them with the
ledger.

With --file it reads a shop's own orders instead, as import does, and shows whom to call, the customers by churn risk, cohorts, and how far the
predictions can be trusted. The time is that of the last order.

Its pages, Kafka and Redis listen on free loopback ports; the address of the pages is printed first, and commands to paste. Demo runs until Ctrl-C, or with
--exit until the end of the simulated time.`,
		Example: "  " + p.name + " demo\n  " + p.name + " demo --file orders.csv --map customer_id=Email,order_id=Order,occurred_at=Date,total=Total --currency EUR",
		RunE: p.drainable(func(ctx context.Context, cmd *cobra.Command) error {
			if path, _ := cmd.Flags().GetString("file"); path != "" {
				return p.demoOfFile(ctx, cmd, path)
			}
			return p.demo(ctx, cmd)
		}),
	}
	cmd.Flags().String("file", "", "read orders from this file instead of a simulated shop, and say whom to call; the columns are mapped as for import")
	addPurchasesFlags(cmd)
	cmd.Flags().Int("customers", 1000, "number of customers who buy")
	cmd.Flags().Int("days", 365, "simulated days, ending at the present")
	cmd.Flags().Uint64("seed", 1, "random seed; the same seed gives the same shop")
	cmd.Flags().Duration("pace", 0, "wall time for the simulated time (default: 15s on a terminal, otherwise 6s)")
	cmd.Flags().Bool("exit", false, "exit at the end, instead of keeping everything running")
	cmd.Flags().Bool("open", false, "open the pages in the browser")
	for _, simulated := range []string{"customers", "days", "seed", "pace"} {
		cmd.MarkFlagsMutuallyExclusive("file", simulated)
	}
	addOutputFlag(cmd)
	return cmd
}

func (p *program) demo(ctx context.Context, cmd *cobra.Command) error {
	machine := asJSON(cmd)
	c := demo.Config{Now: p.now, Random: app.Random, Listen: "127.0.0.1:0"}
	f := cmd.Flags()
	c.Customers, _ = f.GetInt("customers")
	c.Days, _ = f.GetInt("days")
	c.Seed, _ = f.GetUint64("seed")
	c.Exit, _ = f.GetBool("exit")
	c.Pace, _ = f.GetDuration("pace")
	if c.Customers < 1 || c.Days < 1 || c.Days > 36_500 || c.Pace < 0 {
		return usage("--customers and --days must be at least 1, --days at most 36500, --pace not negative")
	}
	redraw := p.outTerminal && !machine
	if !f.Changed("pace") {
		if c.Pace = 6 * time.Second; redraw {
			c.Pace = 15 * time.Second
		}
	}
	var err error
	if c.Log, err = p.demoLogger(cmd); err != nil {
		return err
	}
	_, colourless := p.getenv("NO_COLOR")
	c.Screen = &demo.Screen{Out: p.out, Redraw: redraw, Colour: redraw && !colourless, Quiet: machine, Command: p.name, Now: p.now}
	if p.directory != "" {
		c.Screen.Directory = shellQuote(p.directory)
	}
	if open, _ := f.GetBool("open"); open {
		c.Started = p.openPages
	}
	summary, err := demo.Run(ctx, c, p.stopping)
	switch {
	case errors.Is(err, demo.ErrStopped) && !c.Exit:
		return nil // the regular end without --exit
	case err != nil:
		return err
	case machine:
		err = p.json(summary)
	}
	if err == nil && !summary.Audit.Clean() {
		return errFindings
	}
	return err
}

// demoLogger logs nothing unless the command line asks for it: log lines would break the picture.
func (p *program) demoLogger(cmd *cobra.Command) (*zap.Logger, error) {
	flags := changedSettings(cmd)
	if flags["log-level"] == "" {
		return zap.NewNop(), nil
	}
	settings, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		return nil, usageError{err}
	}
	log, err := p.logger(settings)
	if err != nil {
		return nil, usageError{err}
	}
	return log, nil
}

// openPages opens the pages in a browser. The demonstration goes on without one.
func (p *program) openPages(address string) {
	if err := p.open(address); err != nil {
		p.printErr("--open: no browser could be started: %v\n", err)
	}
}
