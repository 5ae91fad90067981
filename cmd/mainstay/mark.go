package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

func (p *program) customerMarkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "mark ID " + strings.Join(callmark.Marks(), "|"), Short: "Say what was done about a customer whom today lists", Args: cobra.ExactArgs(2), ValidArgs: callmark.Marks(),
		Long: `Mark appends to the ledger that somebody has acted (done), that nobody is to act before a time (snooze), or that the mark from before is
taken back (clear). The last mark holds. It survives restarts and the loss of Redis, and is erased with the customer. It changes no score.

today leaves marked customers out: who is snoozed until the time is over, who is done for today.done_days, or until an alert is raised after the mark.`,
		Example: "  " + p.name + " customer mark c-1001 done --by Ann --note 'will order in May'\n" +
			"  " + p.name + " customer mark c-1001 snooze --until 7d",
		RunE: p.interruptible(p.customerMark),
	}
	cmd.Flags().String("until", "", "end of a snooze: days from the ledger's time such as 7d, a day in its time zone, or RFC 3339")
	cmd.Flags().String("by", "", "who says so, at most 40 bytes")
	cmd.Flags().String("note", "", "a note of at most 200 bytes")
	cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait until the mark is folded")
	addOutputFlag(cmd)
	return cmd
}

func (p *program) customerMark(ctx context.Context, cmd *cobra.Command, args []string) error {
	text := func(flag string) string {
		value, _ := cmd.Flags().GetString(flag)
		return value
	}
	machine := asJSON(cmd)
	timeout, _ := cmd.Flags().GetDuration("timeout")
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	m := callmark.Marker{Ledger: p.enterable(a, g), Redis: a.Redis, Timeout: timeout}
	e, err := m.Mark(ctx, args[0], callmark.Statement{Mark: args[1], Until: text("until"), By: text("by"), Note: text("note")})
	var wrong *callmark.FieldError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "mark":
		return usage("the mark: %v", wrong.Err)
	case errors.As(err, &wrong):
		return usage("--%s: %v", wrong.Field, wrong.Err)
	case errors.Is(err, lookup.ErrUnknownCustomer):
		return fmt.Errorf("%w; nothing was changed", err)
	case err != nil:
		return err
	case !e.Folded:
		return fmt.Errorf("the mark is entry %d of ledger partition %d, and is not folded yet; see `%s status`", e.Place.Offset, e.Place.Partition, p.name)
	case machine:
		return p.json(e.Place)
	}
	return p.printf("%s: %s, entry %d of ledger partition %d\n", printable(e.Customer), args[1], e.Place.Offset, e.Place.Partition)
}
