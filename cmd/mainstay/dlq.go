package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/deadletters"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) dlqCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Count dead letters by topic and reason", Args: cobra.NoArgs, RunE: p.work(p.dlqList)}
	show := &cobra.Command{
		Use: "show TOPIC/PARTITION/OFFSET", Short: "One dead letter: where from, why, its headers; its payload only with --payload", Args: cobra.ExactArgs(1),
		RunE: p.work(p.dlqShow),
	}
	replay := &cobra.Command{
		Use: "replay", Short: "Send dead letters to their topics once more; a dry run without --apply", Args: cobra.NoArgs,
		Long: `Replay sends the records' own key, value, headers and timestamp to the topic that they came from, where intake judges them
anew: after a release that understands more, or a changed setting. Without --apply it only says what it would send.

To replay twice is harmless: an event that was accepted is known by its event_id (within dedup.days), or by its order,
refund, response or referral. Replayed records stay among the dead letters; one that is refused again becomes another.`,
		RunE: p.work(p.dlqReplay),
	}
	for _, c := range []*cobra.Command{list, replay} {
		c.Flags().String("kind", "", "only of purchase, cancellation, referral or survey topics")
		c.Flags().String("topic", "", "only those that came from this topic")
		c.Flags().String("reason", "", "only with this reason, such as bad_format")
		c.Flags().String("since", "", "only records of this time or later: RFC 3339, a day, or from now (-24h)")
	}
	replay.Flags().Int("max", 100, "send so many at most")
	replay.Flags().Bool("apply", false, "do it")
	show.Flags().Bool("payload", false, "show the key, the headers' values and the value, which may tell of a customer")
	for _, c := range []*cobra.Command{list, show, replay} {
		outputFlag(c)
	}
	return family("dlq", "Dead letters: what could not be understood", list, show, replay)
}

func (p *program) filter(cmd *cobra.Command) (f deadletters.Filter, err error) {
	f.Topic, _ = cmd.Flags().GetString("topic")
	f.Reason, _ = cmd.Flags().GetString("reason")
	if name, _ := cmd.Flags().GetString("kind"); name != "" {
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
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	f, err := p.filter(cmd)
	if err != nil {
		return err
	}
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	all, err := deadletters.List(ctx, a.Kafka, a.Config.Namespace, f)
	if err != nil {
		return err
	}
	if machine {
		return p.json(all)
	}
	if all.Total == 0 {
		return p.say("no dead letters\n")
	}
	rows := make([][]string, len(all.Counts))
	for i, c := range all.Counts {
		rows[i] = []string{c.Topic, c.Reason, number(c.Count), number(c.Cut), when(&c.First), when(&c.Last), c.Where}
	}
	return p.table([]string{"FROM TOPIC", "REASON", "COUNT", "CUT", "FIRST", "LAST", "LAST AT"}, rows)
}

func (p *program) dlqShow(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	payload, _ := cmd.Flags().GetBool("payload")
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	l, err := deadletters.Show(ctx, a.Kafka, args[0])
	if err != nil {
		return err
	}
	look := func(b []byte) string {
		switch {
		case b == nil:
			return "(null)"
		case payload:
			return string(b)
		}
		return fmt.Sprintf("(%d bytes, sha256 %x)", len(b), sha256.Sum256(b))
	}
	headers := map[string]string{}
	for _, h := range l.Own {
		headers[h.Key] = look(h.Value)
	}
	if machine {
		return p.json(map[string]any{
			"topic": l.Topic, "partition": l.Partition, "offset": l.Offset, "timestamp": l.At, "origin": l.Origin, "reason": l.Reason,
			"message": l.Message, "cut_from_bytes": l.Cut, "key": look(l.Key), "value": look(l.Value), "headers": headers,
		})
	}
	rows := [][]string{
		{"came from", fmt.Sprintf("%s/%d/%d", l.Origin.Topic, l.Origin.Partition, l.Origin.Offset)},
		{"at", when(&l.At)},
		{"reason", l.Reason},
		{"message", l.Message},
		{"key", look(l.Key)},
	}
	for _, h := range l.Own {
		rows = append(rows, []string{"header " + h.Key, look(h.Value)})
	}
	if l.Cut > 0 {
		rows = append(rows, []string{"cut from", fmt.Sprintf("%d bytes", l.Cut)})
	}
	return p.table([]string{"DEAD LETTER", args[0]}, append(rows, []string{"value", look(l.Value)}))
}

func (p *program) dlqReplay(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	r := deadletters.Replay{}
	if r.Filter, err = p.filter(cmd); err != nil {
		return err
	}
	r.Max, _ = cmd.Flags().GetInt("max")
	r.Apply, _ = cmd.Flags().GetBool("apply")
	if r.Max < 1 {
		return usage("--max must be at least 1; it is %d", r.Max)
	}
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	var rows [][]string
	r.Each = func(l *deadletters.Letter, to int32) {
		rows = append(rows, []string{
			fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset), l.Reason, l.At.Format(time.RFC3339), fmt.Sprintf("%s/%d", l.Origin.Topic, to),
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
	verb := "would be sent: --apply does it"
	if done.Applied {
		verb = "sent"
	}
	left := []string{}
	for _, l := range []struct {
		n   int64
		why string
	}{{done.Beyond, "beyond --max"}, {done.Cut, "cut when they were dead-lettered"}, {done.Unknown, "of a topic that is no input any more"}} {
		if l.n > 0 {
			left = append(left, fmt.Sprintf("%d left out, %s", l.n, l.why))
		}
	}
	return p.say("%s\n", strings.Join(append([]string{fmt.Sprintf("%d of %d %s", done.Replayed, done.Matched, verb)}, left...), "; "))
}
