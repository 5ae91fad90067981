package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/pkg/sandbox/shopfeed"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "simulate", Short: "Send the events of a simulated shop", Args: cobra.NoArgs,
		Long: `Simulate sends the purchases, cancellations, referrals and surveys of a simulated shop to the input topics, as a real shop would:
in several formats, some late, some duplicated. The shop opened --days days before the ledger was created; everything since then
is sent at --rate events per second. With --stay the shop then continues in real time, for a year at most.

With the event clock the ledger's time follows the shop's events: churn risks rise while customers are inactive, and alerts are
raised. With the live clock the events before now are backfilled; no alerts are raised for them.

The same flags send the same events, so an interrupted simulation can be started again: what is re-sent changes nothing. Other
flags send conflicting events about the same customers and orders (c-1, 100001 and so on), most of which are rejected. Use it
only with a ledger for testing.`,
		Example: "  " + p.name + " simulate --customers 500 --rate 0\n  " + p.name + " simulate --stay",
		RunE:    p.drainable(p.simulate),
	}
	f := cmd.Flags()
	f.Int("customers", 1000, "number of customers; some of them appear only with --stay")
	f.Int("days", 365, "age of the shop in days when the ledger was created")
	f.Uint64("seed", 1, "random seed; the same seed gives the same shop")
	f.Int("rate", 200, "maximum number of past events per second; 0: unlimited")
	f.Bool("stay", false, "continue in real time until interrupted")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) simulate(ctx context.Context, cmd *cobra.Command) error {
	machine := asJSON(cmd)
	s := shopfeed.Feed{Now: p.now, Topics: map[event.Kind]string{}}
	f := cmd.Flags()
	s.Customers, _ = f.GetInt("customers")
	s.Days, _ = f.GetInt("days")
	s.Seed, _ = f.GetUint64("seed")
	s.Rate, _ = f.GetInt("rate")
	s.Stay, _ = f.GetBool("stay")
	const maxDays = 10_000 // an event before 1990 is refused
	if s.Customers < 1 || s.Days < 1 || s.Days > maxDays || s.Rate < 0 {
		return usage("--customers and --days must be at least 1, --days at most %d, --rate not negative", maxDays)
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	s.Namespace, s.Genesis = a.Config.Namespace, g
	for _, kind := range shop.Kinds() {
		if s.Topics[kind], err = firstTopic(a.Config, kind); err != nil {
			return err
		}
	}
	report, err := p.runSimulation(ctx, &s, a.Kafka, machine)
	switch {
	case err != nil:
		return err
	case machine:
		return p.json(report)
	}
	return p.printf("%d events sent, from %s to %s\n", report.Events, report.From.Format(time.DateOnly), report.To.Format(time.DateOnly))
}

// runSimulation shows a progress bar on a terminal, and otherwise prints a line after every tenth.
func (p *program) runSimulation(ctx context.Context, s *shopfeed.Feed, k *kafka.Client, machine bool) (shopfeed.Progress, error) {
	bar, began, tenth, caughtUp := p.bar("simulating", false), p.now(), 0, false
	s.OnProgress = func(t shopfeed.Progress) {
		switch {
		case caughtUp:
			return // there is no total to be measured against
		case t.Events == 0 && !p.errTerminal && !machine:
			p.printErr("sending the events of a shop that opened on %s\n", t.From.Format(time.DateOnly))
		}
		days, all := int64(t.To.Sub(t.From)/(24*time.Hour)), max(1, int64(began.Sub(t.From)/(24*time.Hour)))
		setProgress(bar, days, all)
		switch now := int(10 * days / all); {
		case t.CaughtUp:
			caughtUp = true
			_ = bar.Finish() // an error of drawing does not stop the command
			if s.Stay && !machine {
				p.printErr("%d events sent; the shop has reached the present and continues in real time until interrupted\n", t.Events)
			}
		case now > tenth && !p.errTerminal && !machine:
			tenth = now
			p.printErr("%s: %d events sent\n", t.To.Format(time.DateOnly), t.Events)
		}
	}
	report, err := s.Run(ctx, k, p.stopping)
	_ = bar.Finish()
	return report, err
}
