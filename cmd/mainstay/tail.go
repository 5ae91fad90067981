package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

func (p *program) tailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tail TOPIC", Short: "Watch answers go by: clv, churn-risk, promoter-status, alerts, portfolio, rejections, dlq", Args: cobra.ExactArgs(1),
		Long: `Tail shows committed records as they come. TOPIC is clv, churn-risk, promoter-status, alerts, portfolio, rejections,
dlq (all dead letters), purchases.dlq, an input topic, or a whole name. It ends with Ctrl-C, or after --max records.

With --output json each answer is a line as it was published; other topics' records are lines with topic, partition,
offset, key and reason, and with their value only with --payload.`,
		RunE: p.work(p.tail),
	}
	cmd.Flags().String("from", "end", "start or end of what is there")
	cmd.Flags().String("customer", "", "only this customer's (the record's key)")
	cmd.Flags().Int("max", 0, "end after so many records; 0: go on")
	cmd.Flags().Bool("follow", true, "wait for more at the end")
	cmd.Flags().Bool("payload", false, "show the values of records that are no answers")
	outputFlag(cmd)
	return cmd
}

func (p *program) tail(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	t := inspect.Tail{}
	switch from, _ := cmd.Flags().GetString("from"); from {
	case "start":
		t.Start = true
	case "end":
	default:
		return usage("--from must be start or end; it is %q", from)
	}
	t.Key, _ = cmd.Flags().GetString("customer")
	t.Max, _ = cmd.Flags().GetInt("max")
	t.Follow, _ = cmd.Flags().GetBool("follow")
	payload, _ := cmd.Flags().GetBool("payload")
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	inputs := []string{}
	for topic := range app.Inputs(a.Config) {
		inputs = append(inputs, topic)
	}
	if t.Topics, err = inspect.TopicsNamed(a.Config.Namespace, inputs, args[0]); err != nil {
		return usageError{err}
	}
	err = t.Run(ctx, a.Kafka, func(s inspect.Seen) error { return p.seen(s, machine, payload) })
	if errors.Is(err, errInterrupted) {
		return nil // that is how it ends
	}
	return err
}

// seen prints one record: an answer as it was published, or a line of what matters in it.
func (p *program) seen(s inspect.Seen, machine, payload bool) error {
	_, answer := s.Header("ce_type")
	if machine && answer && json.Valid(s.Value) {
		return p.say("%s\n", s.Value)
	}
	reason, dead := s.Header("__connect.errors.exception.message")
	if machine {
		line := map[string]any{
			"topic": s.Topic, "partition": s.Partition, "offset": s.Offset, "bytes": len(s.Value),
			"timestamp": time.UnixMilli(s.Timestamp).UTC().Format(time.RFC3339Nano),
		}
		if dead {
			line["reason"] = string(reason)
		}
		if payload {
			line["key"], line["value"] = string(s.Record.Key), string(s.Value)
		}
		text, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return p.say("%s\n", text)
	}
	at := time.UnixMilli(s.Timestamp).UTC().Format("15:04:05.000")
	switch {
	case answer:
		return p.say("%s  %s\n", at, lookup.RenderOutput(s.Value))
	case payload:
		return p.say("%s  %s/%d/%d  %s  %s  %s\n", at, s.Topic, s.Partition, s.Offset, dash(string(reason)), s.Record.Key, s.Value)
	default:
		return p.say("%s  %s/%d/%d  %s\n", at, s.Topic, s.Partition, s.Offset, strings.TrimSpace(fmt.Sprintf("%s %d bytes", reason, len(s.Value))))
	}
}
