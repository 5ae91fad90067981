package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/deadletters"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) dlqCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Count dead letters by topic and reason", Args: cobra.NoArgs, RunE: p.interruptible(p.dlqList)}
	show := &cobra.Command{
		Use: "show TOPIC/PARTITION/OFFSET", Short: "Show a dead letter: origin, reason, headers", Args: cobra.ExactArgs(1),
		RunE: p.interruptible(p.dlqShow),
	}
	replay := &cobra.Command{
		Use: "replay", Short: "Send dead letters to their original topics; a dry run without --apply", Args: cobra.NoArgs,
		Long: `Replay sends dead letters, with their original key, value, headers and timestamp, to the topic that they came from, where intake
validates them again: use it after an upgrade or a changed setting. Without --apply it only prints what it would send.

Replaying twice is safe: an accepted event is recognised by its event_id (within dedup.days), or by its order, refund, response
or referral. Replayed records stay in the dead-letter topic; a record that is refused again is added to it again.`,
		RunE: p.interruptible(p.dlqReplay),
	}
	for _, c := range []*cobra.Command{list, replay} {
		addChoiceFlag(c, "kind", "", "", "only dead letters of this kind of input topic", event.KindNames()...)
		p.addTopicFlag(c, "only dead letters from this input topic")
		c.Flags().String("reason", "", "only dead letters with this reason, such as bad_format")
		c.Flags().String("since", "", "only records of this time or later: RFC 3339, a day, or relative to now (-24h)")
	}
	addReplayFlags(replay)
	show.Flags().Bool("payload", false, "show the key, the header values and the value, which may hold personal data")
	for _, c := range []*cobra.Command{list, show, replay} {
		addOutputFlag(c)
	}
	return commandGroup("dlq", "List, show and replay dead letters", list, show, replay)
}

func (p *program) deadLetterFilter(cmd *cobra.Command) (f deadletters.Filter, err error) {
	f.Topic, _ = cmd.Flags().GetString("topic")
	f.Reason, _ = cmd.Flags().GetString("reason")
	if name := choiceOf(cmd, "kind"); name != "" {
		kind, err := event.ParseKind(name)
		if err != nil {
			return f, usage("--kind: %v", err)
		}
		f.Kinds = []event.Kind{kind}
	}
	if since, _ := cmd.Flags().GetString("since"); since != "" {
		if f.Since, err = timeflag.Parse(since, p.now()); err != nil {
			return f, usage("--since: %v", err)
		}
	}
	return f, nil
}

func (p *program) dlqList(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	f, err := p.deadLetterFilter(cmd)
	if err != nil {
		return err
	}
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if len(f.Kinds) == 0 {
		f.Kinds = app.Kinds(a.Config)
	}
	all, err := deadletters.List(ctx, a.Kafka, a.Config.Namespace, f)
	if err != nil {
		return err
	}
	if machine {
		return p.json(all)
	}
	return p.printDeadLetters(all)
}

func (p *program) printDeadLetters(all *deadletters.Counts) error {
	if all.Total == 0 {
		return p.printf("no dead letters\n")
	}
	rows := make([][]string, len(all.Counts))
	for i, c := range all.Counts {
		rows[i] = []string{c.Topic, c.Reason, formatInt(c.Count), formatInt(c.Cut), formatTime(&c.First), formatTime(&c.Last), c.Where}
	}
	return p.table([]string{"FROM TOPIC", "REASON", "COUNT", "CUT", "FIRST", "LAST", "LAST AT"}, rows)
}

func (p *program) dlqShow(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	payload, _ := cmd.Flags().GetBool("payload")
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	l, err := deadletters.Show(ctx, a.Kafka, args[0])
	if err != nil {
		return err
	}
	redacted := func(b []byte) string {
		switch {
		case b == nil:
			return "(null)"
		case payload:
			return string(b)
		}
		return fmt.Sprintf("(%d bytes)", len(b)) // a hash would tell whoever can guess the id that it is theirs
	}
	headers := map[string]string{}
	for _, h := range l.Headers {
		headers[h.Key] = redacted(h.Value)
	}
	if machine {
		return p.json(map[string]any{
			"topic": l.Topic, "partition": l.Partition, "offset": l.Offset, "timestamp": l.Timestamp, "record_timestamp_ms": l.RecordTimestamp, "origin": l.Origin, "reason": l.Reason,
			"message": l.Message, "cut_from_bytes": l.Cut, "key": redacted(l.Key), "value": redacted(l.Value), "headers": headers,
		})
	}
	rows := [][]string{
		{"came from", fmt.Sprintf("%s/%d/%d", l.Origin.Topic, l.Origin.Partition, l.Origin.Offset)},
		{"at", formatTime(&l.Timestamp)},
		{"record's timestamp", recordTime(l.RecordTimestamp)},
		{"reason", l.Reason},
		{"message", l.Message},
		{"key", redacted(l.Key)},
	}
	for _, h := range l.Headers {
		rows = append(rows, []string{"header " + h.Key, redacted(h.Value)})
	}
	if l.Cut > 0 {
		rows = append(rows, []string{"cut from", fmt.Sprintf("%d bytes", l.Cut)})
	}
	return p.table([]string{"DEAD LETTER", args[0]}, append(rows, []string{"value", redacted(l.Value)}))
}

// recordTime is a record's own timestamp, which may be anything: as a time if it can be written as one, else as a number.
func recordTime(ms int64) string {
	if t := time.UnixMilli(ms).UTC(); t.Year() >= 1 && t.Year() <= 9999 {
		return formatTime(&t)
	}
	return strconv.FormatInt(ms, 10) + " ms, which is no time"
}

// addReplayFlags adds the flags of commands that send dead letters again.
func addReplayFlags(cmd *cobra.Command) {
	cmd.Flags().Int("max", 100, "maximum number of records to send")
	cmd.Flags().Bool("apply", false, "send the records")
}

// replayFlags reads the flags that addReplayFlags has added.
func replayFlags(cmd *cobra.Command) (most int, apply bool, err error) {
	most, _ = cmd.Flags().GetInt("max")
	apply, _ = cmd.Flags().GetBool("apply")
	if most < 1 {
		return most, apply, usage("--max must be at least 1; it is %d", most)
	}
	return most, apply, nil
}

func (p *program) dlqReplay(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	r := deadletters.Replay{}
	var err error
	if r.Filter, err = p.deadLetterFilter(cmd); err != nil {
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
	if len(r.Kinds) == 0 {
		r.Kinds = app.Kinds(a.Config)
	}
	var rows [][]string
	r.Each = func(l *deadletters.DeadLetter, to int32) {
		rows = append(rows, []string{
			fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset), l.Reason, l.Timestamp.Format(time.RFC3339), fmt.Sprintf("%s/%d", l.Origin.Topic, to),
		})
	}
	done, err := r.Run(ctx, a.Kafka, a.Config.Namespace, app.Topics(a.Config).Inputs)
	if err != nil {
		return err
	}
	if machine {
		return p.json(done)
	}
	if len(rows) > 0 {
		if err := p.table([]string{"DEAD LETTER", "REASON", "AT", "TO"}, rows); err != nil {
			return err
		}
	}
	verb := "would be sent; use --apply to send them"
	if done.Applied {
		verb = "sent"
	}
	omitted := []string{}
	for _, o := range []struct {
		n      int64
		reason string
	}{{done.Beyond, "beyond --max"}, {done.Cut, "truncated in the dead-letter topic"}, {done.Unknown, "their topic is no longer an input"}} {
		if o.n > 0 {
			omitted = append(omitted, fmt.Sprintf("%d omitted: %s", o.n, o.reason))
		}
	}
	return p.printf("%s\n", strings.Join(append([]string{fmt.Sprintf("%d of %d %s", done.Replayed, done.Matched, verb)}, omitted...), "; "))
}
