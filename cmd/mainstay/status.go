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
		Use: "status", Short: "Show partitions, owners, lag, last commits and halts", Args: cobra.NoArgs,
		Long: `Status reads Kafka and Redis, and asks the processes at --http (default: the one at http.listen, if it answers) for the causes of
halts, which only they know. Lag counts records up to the last stable offset; 0 means caught up.

The first line says how Mainstay is. What is not known, because a server does not answer, is shown as ?. The exit code is 3 if something
is wrong: Kafka or Redis does not answer, no process owns a partition, a partition is halted or makes no progress.`,
		RunE: p.interruptible(p.status),
	}
	cmd.Flags().StringSlice("http", nil, "processes to ask, host:port")
	cmd.Flags().Duration("wait", 2*time.Second, "how long to wait for what is being processed before a lag is reported; if it is given, the answers must be in Redis, too")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) status(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	a, g, kafkaDown, err := p.openLedgerOrRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	c := inspect.StatusConfig{Namespace: a.Config.Namespace, Genesis: g, Inputs: app.Topics(a.Config).Inputs, KafkaDown: kafkaDown, Now: p.now}
	c.CatchUp, _ = cmd.Flags().GetDuration("wait")
	c.InRedis = cmd.Flags().Changed("wait")
	c.HTTP, _ = cmd.Flags().GetStringSlice("http")
	if len(c.HTTP) == 0 && a.Config.HTTP.Listen != "" {
		c.HTTP, c.Quiet = []string{a.Config.HTTP.Listen}, true
	}
	s, err := inspect.ReadStatus(ctx, c, a.Kafka, a.Redis)
	if err != nil {
		return err
	}
	if machine {
		err = p.json(s)
	} else {
		err = p.statusTables(s)
	}
	if err == nil && !s.Healthy {
		return errFindings
	}
	return err
}

func (p *program) statusTables(s *inspect.Status) error {
	if err := p.printf("%s\n", printable(s.Headline)); err != nil {
		return err
	}
	if len(s.Problems) > 1 {
		for _, problem := range s.Problems {
			if err := p.printf("  - %s\n", printable(problem)); err != nil {
				return err
			}
		}
	}
	if err := p.printf("\nnamespace %s, ledger %s, clock %s, lag %s\n", s.Namespace, orUnknown(s.LedgerID), s.Clock, formatKnown(s.Lag)); err != nil {
		return err
	}
	for _, g := range s.Groups {
		if err := p.printf("group %s: %s, %d members\n", g.Name, g.State, len(g.Members)); err != nil {
			return err
		}
	}
	for _, a := range s.Processes {
		if err := p.printf("process %s: %v %s %s\n", a.Address, a.Roles, a.Version, a.Error); err != nil {
			return err
		}
	}
	rows := make([][]string, len(s.Inputs))
	for i, in := range s.Inputs {
		rows[i] = []string{
			fmt.Sprintf("%s/%d", in.Topic, in.Partition), orDash(in.Owner), formatKnown(in.Committed), formatKnown(in.End), formatKnown(in.Lag),
			formatKnown(in.Unstable), formatTime(in.Time), formatSeconds(in.Behind), orDash(in.Halted), in.Cause,
		}
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	if err := p.table([]string{"INPUT", "OWNER", "COMMITTED", "END", "LAG", "UNSTABLE", "READ UP TO", "BEHIND", "HALTED", "CAUSE"}, rows); err != nil {
		return err
	}
	rows = make([][]string, len(s.Partitions))
	for i, f := range s.Partitions {
		rows[i] = []string{
			formatInt(int64(f.Partition)), orDash(f.Owner), formatKnown(f.Published), formatKnown(f.Committed), formatKnown(f.End), formatKnown(f.Lag),
			formatKnown(f.Customers), formatTime(f.Time), formatSeconds(f.Behind), formatTime(f.LastCommit), orDash(f.Halted), f.Cause,
		}
	}
	if err := p.printf("\n"); err != nil {
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
