package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/deadletters"
	"github.com/mainstay/mainstay/pkg/ops/deliveries"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
)

func (p *program) deliverCommand() *cobra.Command {
	status := &cobra.Command{
		Use: "status", Short: "Show each destination's progress, and how old its oldest undelivered output is", Args: cobra.NoArgs, RunE: p.interruptible(p.deliverStatus),
	}
	pause := &cobra.Command{
		Use: "pause DESTINATION", Short: "Stop deliveries to a destination until it is resumed; nothing is lost within outputs.retention", Args: cobra.ExactArgs(1),
		RunE: p.interruptible(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			return p.deliverSetPaused(ctx, cmd, args[0], true)
		}),
	}
	resume := &cobra.Command{
		Use: "resume DESTINATION", Short: "Continue deliveries to a destination where they were paused", Args: cobra.ExactArgs(1),
		RunE: p.interruptible(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			return p.deliverSetPaused(ctx, cmd, args[0], false)
		}),
	}
	test := &cobra.Command{
		Use: "test DESTINATION", Short: "Send one sample to a destination from here, and show what it answers", Args: cobra.ExactArgs(1), RunE: p.interruptible(p.deliverTest),
		Long: `Test sends one sample of each output that the destination gets, about a customer "sample-customer" who does not exist, with a
webhook-id that begins with msg_test_. It is sent by this command, once: the secrets' files must be readable here. Kafka is not used.`,
	}
	list := &cobra.Command{Use: "list DESTINATION", Short: "Count the destination's dead letters by topic and reason", Args: cobra.ExactArgs(1), RunE: p.interruptible(p.deliverDLQList)}
	replay := &cobra.Command{
		Use: "replay DESTINATION", Short: "Deliver dead letters again; a dry run without --apply", Args: cobra.ExactArgs(1), RunE: p.interruptible(p.deliverDLQReplay),
		Long: `Replay has the processes with the role deliver send dead letters of a destination again, with the webhook-id that they had: a
receiver that knows the id drops what it has. Replayed records stay in the dead-letter topic. They may arrive after later outputs of the same
customer: compare sequence.`,
	}
	for _, c := range []*cobra.Command{list, replay} {
		c.Flags().String("reason", "", "only dead letters with this reason, such as http_400")
		c.Flags().String("since", "", "only records of this time or later: RFC 3339, a day, or relative to now (-24h)")
	}
	addReplayFlags(replay)
	for _, c := range []*cobra.Command{status, test, list, replay} {
		addOutputFlag(c)
	}
	return commandGroup("deliver", "Webhooks: show progress, pause, resume and test destinations, replay dead letters",
		status, pause, resume, test, commandGroup("dlq", "List and replay what receivers refused", list, replay))
}

// destinationOf returns a destination of the configuration, and names those that there are if there is none of that name.
func destinationOf(c config.Config, name string) (*destination.Destination, error) {
	var names []string
	for i := range c.Deliver.Destinations {
		if c.Deliver.Destinations[i].Name == name {
			return &c.Deliver.Destinations[i], nil
		}
		names = append(names, c.Deliver.Destinations[i].Name)
	}
	if len(names) == 0 {
		return nil, usage("there are no destinations: set deliver.destinations_file (MAINSTAY_DELIVER_DESTINATIONS_FILE)")
	}
	return nil, usage("no destination is named %q; there are %s", name, strings.Join(names, ", "))
}

func (p *program) deliverStatus(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if len(a.Config.Deliver.Destinations) == 0 {
		_, err := destinationOf(a.Config, "")
		return err
	}
	all, err := deliveries.ReadStatus(ctx, a.Kafka, a.Config.Namespace, a.Config.Deliver.Destinations)
	if err != nil {
		return err
	}
	if machine {
		return p.json(all)
	}
	rows := make([][]string, len(all))
	for i, s := range all {
		state := "running"
		switch {
		case s.Paused:
			state = "paused since " + formatTime(s.PausedAt)
		case s.Members == 0:
			state = "no process has the role deliver"
		}
		oldest := "-"
		if s.Oldest != nil {
			oldest = p.now().Sub(*s.Oldest).Round(time.Second).String()
		}
		rows[i] = []string{s.Destination, state, formatInt(int64(s.Members)), formatInt(s.Undelivered), oldest, formatInt(s.DeadLetters)}
	}
	return p.table([]string{"DESTINATION", "STATE", "PROCESSES", "UNDELIVERED", "OLDEST", "DEAD LETTERS"}, rows)
}

func (p *program) deliverSetPaused(ctx context.Context, cmd *cobra.Command, name string, paused bool) error {
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := destinationOf(a.Config, name); err != nil {
		return err
	}
	if err := deliveries.SetPaused(ctx, a.Kafka, a.Config.Namespace, name, paused, p.now()); err != nil {
		return err
	}
	word := "resumed"
	if paused {
		word = "paused"
	}
	return p.printf("%s is %s; processes follow within a second\n", name, word)
}

func (p *program) deliverTest(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, err := p.openApp(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	d, err := destinationOf(a.Config, args[0])
	if err != nil {
		return err
	}
	sender := deliver.NewSender(d, p.now)
	defer sender.Close()
	var rows [][]string
	answers := []map[string]any{}
	failed := false
	for _, t := range d.Outputs() {
		body, contentType, err := d.Body(destination.Sample(t))
		if err != nil {
			return err
		}
		id := fmt.Sprintf("msg_test_%s_%d", t, p.now().UnixNano())
		answer := sender.Send(ctx, id, body, contentType)
		text := ""
		if answer.Result != deliver.OK {
			failed, text = true, answer.Err.Error()
		}
		rows = append(rows, []string{t.String(), string(answer.Result), formatInt(int64(answer.Status)), text})
		answers = append(answers, map[string]any{"topic": t.String(), "result": answer.Result, "status": answer.Status, "error": text})
	}
	if machine {
		err = p.json(answers)
	} else {
		err = p.table([]string{"SAMPLE OF", "RESULT", "STATUS", "ERROR"}, rows)
	}
	if err == nil && failed {
		return errFindings
	}
	return err
}

// deliverFilter reads the flags of list and replay.
func (p *program) deliverFilter(cmd *cobra.Command) (reason string, since time.Time, err error) {
	reason, _ = cmd.Flags().GetString("reason")
	if text, _ := cmd.Flags().GetString("since"); text != "" {
		if since, err = timeflag.Parse(text, p.now()); err != nil {
			return reason, since, usage("--since: %v", err)
		}
	}
	return reason, since, nil
}

func (p *program) deliverDLQList(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	reason, since, err := p.deliverFilter(cmd)
	if err != nil {
		return err
	}
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := destinationOf(a.Config, args[0]); err != nil {
		return err
	}
	all, err := deadletters.List(ctx, a.Kafka, a.Config.Namespace, deadletters.Filter{
		Letters: []string{deliver.DeadLetterTopic(a.Config.Namespace, args[0])}, Reason: reason, Since: since,
	})
	if err != nil {
		return err
	}
	if machine {
		return p.json(all)
	}
	return p.printDeadLetters(all)
}

func (p *program) deliverDLQReplay(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	r := deliveries.Replay{Destination: args[0]}
	var err error
	if r.Reason, r.Since, err = p.deliverFilter(cmd); err != nil {
		return err
	}
	if r.Max, r.Apply, err = replayFlags(cmd); err != nil {
		return err
	}
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := destinationOf(a.Config, args[0]); err != nil {
		return err
	}
	var rows [][]string
	r.Each = func(l *deadletters.DeadLetter) {
		rows = append(rows, []string{fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset), l.Reason, l.Timestamp.Format(time.RFC3339), l.Origin.Topic})
	}
	done, err := r.Run(ctx, a.Kafka, a.Config.Namespace)
	if err != nil {
		return err
	}
	if machine {
		return p.json(done)
	}
	if len(rows) > 0 {
		if err := p.table([]string{"DEAD LETTER", "REASON", "AT", "OUTPUT"}, rows); err != nil {
			return err
		}
	}
	verb := "would be sent; use --apply to send them"
	if done.Applied {
		verb = "are sent by the processes with the role deliver"
	}
	beyond := ""
	if done.Beyond > 0 {
		beyond = fmt.Sprintf("; %d omitted: beyond --max", done.Beyond)
	}
	return p.printf("%d of %d %s%s\n", done.Replayed, done.Matched, verb, beyond)
}
