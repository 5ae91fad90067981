package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/shopfeed"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "simulate", Short: "Send the events of a simulated shop into the input topics", Args: cobra.NoArgs,
		Long: `Simulate lets a simulated shop emit its purchases, cancellations, referrals and surveys into the input topics, as any shop
would: in several forms, some late, some twice. It opened --days days before the ledger was founded, and all that has
happened since is told, --rate events a second. With --stay it then lives on in real time, for a year at most.

Under the event clock the ledger's time passes with the shop's: churn risks rise in silence, alerts are raised. Under the
live clock what lies behind is history: it is right at once, and its old alerts do not fire.

The same flags tell a ledger the same story. To tell it again changes nothing, so that one that was cut off may simply begin
again; other flags tell another story of the same customers and orders, c-1 and 100001 and so on, most of which is rejected.
This is for a ledger that is there to be tried out.`,
		Example: "  " + p.name + " simulate --customers 500 --rate 0\n  " + p.name + " simulate --stay",
		RunE:    p.draining(p.simulate),
	}
	f := cmd.Flags()
	f.Int("customers", 1000, "who ever come; some of them only if it stays")
	f.Int("days", 365, "that the shop had been open when the ledger was founded")
	f.Uint64("seed", 1, "of the simulation: the same seed gives the same shop")
	f.Int("rate", 200, "events a second at most, of what lies behind; 0: as many as Kafka takes")
	f.Bool("stay", false, "go on in real time, until a signal")
	outputFlag(cmd)
	return cmd
}

func (p *program) simulate(ctx context.Context, cmd *cobra.Command) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	s := shopfeed.Feed{Now: p.now, Topics: map[event.Kind]string{}}
	f := cmd.Flags()
	s.Customers, _ = f.GetInt("customers")
	s.Days, _ = f.GetInt("days")
	s.Seed, _ = f.GetUint64("seed")
	s.Rate, _ = f.GetInt("rate")
	s.Stay, _ = f.GetBool("stay")
	const longest = 10_000 // days: the first events may not lie before 1990
	if s.Customers < 1 || s.Days < 1 || s.Days > longest || s.Rate < 0 {
		return usage("--customers and --days must be at least 1, --days at most %d, --rate not negative", longest)
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	s.Namespace, s.Genesis = a.Config.Namespace, g
	for kind := range event.Kinds {
		if s.Topics[kind], err = firstTopic(a.Config, kind); err != nil {
			return err
		}
	}
	told, err := p.tell(ctx, &s, a.Kafka, machine)
	switch {
	case err != nil:
		return err
	case machine:
		return p.json(told)
	}
	return p.say("%d events sent; the shop's days from %s to %s\n", told.Events, told.From.Format(time.DateOnly), told.To.Format(time.DateOnly))
}

// tell shows a bar on a terminal, and a line for every tenth elsewhere.
func (p *program) tell(ctx context.Context, s *shopfeed.Feed, k *kafka.Client, machine bool) (shopfeed.Progress, error) {
	bar, began, tenth, caught := p.bar("simulating", false), p.now(), 0, false
	s.OnProgress = func(t shopfeed.Progress) {
		switch {
		case caught:
			return // from here on nobody knows how much is to come
		case t.Events == 0 && !p.errTerminal && !machine:
			p.complain("a shop that opened on %s tells what has happened since\n", t.From.Format(time.DateOnly))
		}
		days, all := int64(t.To.Sub(t.From)/(24*time.Hour)), max(1, int64(began.Sub(t.From)/(24*time.Hour)))
		at(bar, days, all)
		switch now := int(10 * days / all); {
		case t.CaughtUp:
			caught = true
			_ = bar.Finish() // a bar that cannot be drawn stops nothing
			if s.Stay && !machine {
				p.complain("%d events sent; the shop's time is now, and it lives on in real time until a signal comes\n", t.Events)
			}
		case now > tenth && !p.errTerminal && !machine:
			tenth = now
			p.complain("%s: %d events sent\n", t.To.Format(time.DateOnly), t.Events)
		}
	}
	told, err := s.Run(ctx, k, p.stopping)
	_ = bar.Finish()
	return told, err
}
