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
		Use: "demo", Short: "Run a demonstration with a simulated shop, without any server", Args: cobra.NoArgs,
		Long: `Demo runs Mainstay with Kafka and Redis embedded in the process. A simulated shop with known ground truth sends purchases,
cancellations, referrals and surveys over a simulated year, and the answers change as you watch, such as the churn risk of
customers who stop buying. At the end a summary compares the answers with the ground truth, and an audit compares them with the
ledger.

Its pages, Kafka and Redis listen on free loopback ports; the address of the pages is printed first, and commands to paste. Demo runs until Ctrl-C, or with
--exit until the end of the simulated time.`,
		RunE: p.drainable(p.demo),
	}
	cmd.Flags().Int("customers", 1000, "number of customers who buy")
	cmd.Flags().Int("days", 365, "simulated days, ending at the present")
	cmd.Flags().Uint64("seed", 1, "random seed; the same seed gives the same shop")
	cmd.Flags().Duration("pace", 0, "wall time for the simulated time (default: 15s on a terminal, otherwise 6s)")
	cmd.Flags().Bool("exit", false, "exit at the end of the simulated time")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) demo(ctx context.Context, cmd *cobra.Command) error {
	machine := asJSON(cmd)
	c := demo.Config{Log: zap.NewNop(), Now: p.now, Random: app.Random, Listen: "127.0.0.1:0"}
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
	if flags := changedSettings(cmd); flags["log-level"] != "" { // without the flag nothing is logged: log lines would break the picture
		settings, err := config.Load(config.Sources{Flags: flags})
		if err != nil {
			return usageError{err}
		}
		if c.Log, err = p.logger(settings); err != nil {
			return usageError{err}
		}
	}
	_, colourless := p.getenv("NO_COLOR")
	c.Screen = &demo.Screen{Out: p.out, Redraw: redraw, Colour: redraw && !colourless, Quiet: machine, Command: p.name, Now: p.now}
	if p.directory != "" {
		c.Screen.Directory = shellQuote(p.directory)
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
