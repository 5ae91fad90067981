package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Partitions, owners, lag, time behind, last commit, and what is halted and why", Args: cobra.NoArgs,
		Long: `Status asks Kafka and Redis, and the running processes at --http (by default the one at http.listen, if it answers), since
only they know why something is halted. Lag counts records up to the last stable offset; caught up is 0.`,
		RunE: p.work(p.status),
	}
	cmd.Flags().StringSlice("http", nil, "host:port of processes to ask")
	cmd.Flags().Duration("settle", 2*time.Second, "how long a lag may be what is committed in a moment")
	outputFlag(cmd)
	return cmd
}

func (p *program) status(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	c := inspect.StatusConfig{Namespace: a.Config.Namespace, Genesis: g, Inputs: app.Topics(a.Config).Inputs, Now: p.now}
	c.Settle, _ = cmd.Flags().GetDuration("settle")
	c.HTTP, _ = cmd.Flags().GetStringSlice("http")
	if len(c.HTTP) == 0 && a.Config.HTTP.Listen != "" {
		c.HTTP, c.Quiet = []string{a.Config.HTTP.Listen}, true
	}
	s, err := inspect.Look(ctx, c, a.Kafka, a.Redis)
	if err != nil {
		return err
	}
	if machine {
		return p.json(s)
	}
	return p.statusTables(s)
}

func (p *program) statusTables(s *inspect.Status) error {
	if err := p.say("namespace %s, ledger %s, clock %s, lag %d\n", s.Namespace, s.LedgerID, s.Clock, s.Lag); err != nil {
		return err
	}
	for _, g := range s.Groups {
		if err := p.say("group %s: %s, %d members\n", g.Name, g.State, len(g.Members)); err != nil {
			return err
		}
	}
	for _, a := range s.Processes {
		if err := p.say("process %s: %v %s %s\n", a.Address, a.Roles, a.Version, a.Error); err != nil {
			return err
		}
	}
	rows := make([][]string, len(s.Inputs))
	for i, in := range s.Inputs {
		rows[i] = []string{
			fmt.Sprintf("%s/%d", in.Topic, in.Partition), dash(in.Owner), number(in.Committed), number(in.End), number(in.Lag),
			number(in.Unstable), when(in.Time), seconds(in.Behind), dash(in.Halted), in.Cause,
		}
	}
	if err := p.say("\n"); err != nil {
		return err
	}
	if err := p.table([]string{"INPUT", "OWNER", "COMMITTED", "END", "LAG", "UNSTABLE", "READ UP TO", "BEHIND", "HALTED", "CAUSE"}, rows); err != nil {
		return err
	}
	rows = make([][]string, len(s.Partitions))
	for i, f := range s.Partitions {
		rows[i] = []string{
			number(int64(f.Partition)), dash(f.Owner), number(f.Published), number(f.Committed), number(f.End), number(f.Lag),
			number(f.Customers), when(f.Time), seconds(f.Behind), when(f.LastCommit), dash(f.Halted), f.Cause,
		}
	}
	if err := p.say("\n"); err != nil {
		return err
	}
	return p.table([]string{"LEDGER", "OWNER", "PUBLISHED", "IN REDIS", "END", "LAG", "CUSTOMERS", "TIME", "BEHIND", "LAST COMMIT", "HALTED", "CAUSE"}, rows)
}

func clockName(g *ledger.Genesis) string {
	if g.GetClock() == ledger.Clock_CLOCK_EVENT {
		return "event"
	}
	return "live"
}
