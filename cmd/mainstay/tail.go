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
	"github.com/mainstay/mainstay/schemas/output"
)

func (p *program) tailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tail TOPIC", Short: "Print records of a topic as they arrive: clv, churn-risk, promoter-status, alerts and others", Args: cobra.ExactArgs(1),
		Long: `Tail prints committed records as they arrive, until Ctrl-C or --max records. TOPIC is clv, churn-risk, promoter-status, alerts,
milestones, portfolio, segments, rejections, dlq (all dead letters), purchases.dlq and so on, an input topic, or a full topic name.

With --output json each answer is printed as it was published, one per line. Records of other topics are printed as topic,
partition, offset and reason; key and value only with --payload.`,
		RunE:              p.interruptible(p.tail),
		ValidArgsFunction: p.completeTailTopic,
	}
	addChoiceFlag(cmd, "from", "", "end", "where to begin in the topic", "start", "end")
	cmd.Flags().String("customer", "", "only records with this customer as their key")
	cmd.Flags().Int("max", 0, "stop after this many records; 0: no limit")
	cmd.Flags().Bool("follow", true, "wait for new records at the end of the topic")
	cmd.Flags().Bool("payload", false, "print key and value of records that are not answers")
	addOutputFlag(cmd)
	return cmd
}

// completeTailTopic offers the topics that TOPIC can name.
func (p *program) completeTailTopic(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := []string{"dlq"}
	for t := range output.Topics {
		names = append(names, t.String())
	}
	return append(names, p.inputTopics(cmd)...), cobra.ShellCompDirectiveNoFileComp
}

func (p *program) tail(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	t := inspect.Tail{Start: choiceOf(cmd, "from") == "start"}
	t.Key, _ = cmd.Flags().GetString("customer")
	t.Max, _ = cmd.Flags().GetInt("max")
	t.Follow, _ = cmd.Flags().GetBool("follow")
	payload, _ := cmd.Flags().GetBool("payload")
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if t.Topics, err = inspect.TopicsNamed(a.Config.Namespace, sortedInputs(a.Config), app.Kinds(a.Config), args[0]); err != nil {
		return usageError{err}
	}
	outputs, err := a.Outputs(a.Config.Genesis())
	if err != nil {
		return err
	}
	err = t.Run(ctx, a.Kafka, func(s inspect.TailRecord) (err error) {
		if _, own := s.Header(output.HeaderLedgerID); own {
			if s.Value, err = outputs.Open(ctx, s.Value); err != nil {
				return fmt.Errorf("read %s/%d at offset %d: %w", s.Topic, s.Partition, s.Offset, err)
			}
		}
		return p.printRecord(s, machine, payload)
	})
	if errors.Is(err, errInterrupted) {
		return nil // the regular end of a tail that follows
	}
	return err
}

// printRecord prints an answer as it was published, or a line about any other record.
func (p *program) printRecord(s inspect.TailRecord, machine, payload bool) error {
	_, answer := s.Header("ce_type")
	if machine && answer && json.Valid(s.Value) {
		return p.printf("%s\n", s.Value)
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
		return p.printf("%s\n", text)
	}
	timestamp := time.UnixMilli(s.Timestamp).UTC().Format("15:04:05.000")
	switch {
	case answer && s.Value == nil:
		return p.printf("%s  %s  tombstone\n", timestamp, printable(string(s.Record.Key)))
	case answer:
		return p.printf("%s  %s\n", timestamp, printable(lookup.RenderOutput(s.Value)))
	case payload:
		return p.printf("%s  %s/%d/%d  %s  %s  %s\n", timestamp, s.Topic, s.Partition, s.Offset, printable(orDash(string(reason))), printable(string(s.Record.Key)), printable(string(s.Value)))
	default:
		return p.printf("%s  %s/%d/%d  %s\n", timestamp, s.Topic, s.Partition, s.Offset, strings.TrimSpace(fmt.Sprintf("%s %d bytes", printable(string(reason)), len(s.Value))))
	}
}
