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
		Use: "demo", Short: "See it work, with nothing at hand: a simulated shop, Kafka and Redis in this process", Args: cobra.NoArgs,
		Long: `Demo needs no server and no flags. A simulated shop, whose truth is known, emits purchases, cancellations, referrals and
surveys over a simulated year; answers move as you watch, above all the churn risk of those who fall silent. At last a
summary compares them with the truth, and an audit with the ledger.

Kafka and Redis listen on free ports of this machine, which are printed with lines to paste. It stays up until Ctrl-C, or
ends with the simulated time with --exit.`,
		RunE: p.draining(p.demo),
	}
	cmd.Flags().Int("customers", 1000, "customers who ever buy")
	cmd.Flags().Int("days", 365, "simulated days, up to now")
	cmd.Flags().Uint64("seed", 1, "of the simulation: the same seed gives the same shop")
	cmd.Flags().Duration("pace", 0, "wall time that the simulated time is spread over; by default 15s on a terminal, and 6s elsewhere")
	cmd.Flags().Bool("exit", false, "stop at the end of the simulated time")
	outputFlag(cmd)
	return cmd
}

func (p *program) demo(ctx context.Context, cmd *cobra.Command) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
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
	moving := p.outTerminal && !machine
	if !f.Changed("pace") {
		if c.Pace = 6 * time.Second; moving {
			c.Pace = 15 * time.Second
		}
	}
	if flags := given(cmd); flags["log-level"] != "" { // otherwise the picture would be written over
		settings, err := config.Load(config.Sources{Flags: flags})
		if err != nil {
			return usageError{err}
		}
		if c.Log, err = p.logger(settings); err != nil {
			return usageError{err}
		}
	}
	_, colourless := p.variable("NO_COLOR")
	c.Screen = &demo.Screen{To: p.out, Moving: moving, Colour: moving && !colourless, Quiet: machine, Name: p.name, Now: p.now}
	summary, err := demo.Run(ctx, c, p.stopping)
	switch {
	case errors.Is(err, demo.ErrStopped) && !c.Exit:
		return nil // that is how it ends
	case err != nil:
		return err
	case machine:
		err = p.json(summary)
	}
	if err == nil && !summary.Audit.Clean() {
		return errFound
	}
	return err
}
