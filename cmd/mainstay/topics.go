package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) topicsCommand() *cobra.Command {
	plan := &cobra.Command{
		Use: "plan", Short: "Show what apply would create, and topics that are configured wrongly (exit code 3)", Args: cobra.NoArgs,
		Long: `Plan compares the topics with what the configuration needs, and changes nothing.

With --acls it prints instead, without connecting, the commands that grant Mainstay what it needs in Kafka and Redis and nothing else:
for the principal of the processes, and for that of the operator who creates topics and sends events. Both may be one.`,
		Example: "  " + p.name + " topics plan --acls --principal User:mainstay > grants.sh",
		RunE:    p.interruptible(p.topicsPlan),
	}
	plan.Flags().Bool("acls", false, "print the commands that grant the permissions, instead")
	plan.Flags().String("principal", "User:mainstay", "with --acls: principal of the processes in Kafka")
	plan.Flags().String("operator", "User:mainstay-operator", "with --acls: principal of the operator in Kafka")
	plan.Flags().String("redis-user", "mainstay", "with --acls: user in Redis")
	apply := &cobra.Command{
		Use: "apply", Short: "Create missing topics and the ledger; existing ones are not changed", Args: cobra.NoArgs,
		RunE: p.interruptible(p.topicsApply),
	}
	recreated := &cobra.Command{
		Use: "recreated TOPIC", Short: "Confirm that an input topic was deleted and re-created", Args: cobra.ExactArgs(1),
		Long: `A re-created input topic has the same name and may have the same offsets. Mainstay recognises it by a fingerprint of the last
record that it read, and halts (input_recreated). It also halts when retention deleted records before they were read
(input_truncated).

This command confirms the change: the topic gets a new incarnation and is read from its start. Events that were read before are
recognised by their identity within dedup.days. Stop all intakes first.`,
		RunE:              p.interruptible(p.topicsRecreated),
		ValidArgsFunction: p.completeInputTopic,
	}
	for _, c := range []*cobra.Command{plan, apply, recreated} {
		addOutputFlag(c)
	}
	return commandGroup("topics", "Plan and create topics and the ledger", plan, apply, recreated)
}

// topicRow is a topic in the output of plan and apply.
type topicRow struct {
	Topic      string `json:"topic"`
	Kind       string `json:"kind"`
	Partitions int32  `json:"partitions"`
}

func topicRows(all []topics.Wanted) (list []topicRow, rows [][]string) {
	list = []topicRow{}
	for _, w := range all {
		list = append(list, topicRow{w.Name, string(w.Kind), w.Partitions})
		rows = append(rows, []string{w.Name, string(w.Kind), strconv.Itoa(int(w.Partitions))})
	}
	return list, rows
}

func (p *program) topicsPlan(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	if acls, _ := cmd.Flags().GetBool("acls"); acls {
		return p.printGrants(cmd, machine)
	}
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	type finding struct {
		Topic string `json:"topic"`
		Fatal bool   `json:"fatal"`
		Text  string `json:"text"`
	}
	differs, fatal := []finding{}, false
	switch g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace); {
	case err == nil:
		if err := process.CheckGenesis(a.Config, g); err != nil {
			differs, fatal = append(differs, finding{ledger.Topic(a.Config.Namespace), true, err.Error()}), true
		}
		a.Config.AdoptGenesis(g) // partitions and clock are the ledger's
	case !errors.Is(err, topics.ErrNoLedger):
		return err
	}
	missing, findings, err := topics.Plan(ctx, a.Kafka, app.Topics(a.Config))
	if err != nil {
		return err
	}
	list, rows := topicRows(missing)
	for _, f := range findings {
		if !f.Missing {
			differs, fatal = append(differs, finding{f.Topic, f.Fatal, f.Text}), fatal || f.Fatal
		}
	}
	switch {
	case machine:
		err = p.json(map[string]any{"make": list, "findings": differs})
	case len(list) == 0:
		err = p.printf("all topics exist\n")
	default:
		err = p.table([]string{"TO CREATE", "KIND", "PARTITIONS"}, rows)
	}
	if err != nil {
		return err
	}
	for _, f := range differs {
		if !machine {
			if err := p.printf("%s: %s\n", f.Topic, f.Text); err != nil {
				return err
			}
		}
	}
	if fatal {
		return errFindings
	}
	return nil
}

func (p *program) topicsApply(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	switch g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace); {
	case err == nil: // before a topic is created that contradicts the ledger
		if err := process.CheckGenesis(a.Config, g); err != nil {
			return err
		}
	case !errors.Is(err, topics.ErrNoLedger):
		return err
	}
	missing, g, err := a.Apply(ctx)
	if err != nil {
		return err
	}
	list, rows := topicRows(missing)
	if machine {
		return p.json(map[string]any{"made": list, "ledger_id": g.GetLedgerId()})
	}
	if len(rows) > 0 {
		if err := p.table([]string{"CREATED", "KIND", "PARTITIONS"}, rows); err != nil {
			return err
		}
	}
	return p.printf("%d topics created; ledger %s, %d partitions, clock %s, currency %s, timezone %s\n",
		len(rows), g.GetLedgerId(), g.GetPartitions(), clockName(g), g.GetCurrency(), g.GetTimezone())
}

func (p *program) topicsRecreated(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, ok := app.Inputs(a.Config)[args[0]]; !ok {
		return usage("%s is not an input topic; the input topics are %s (kafka.topics)", args[0], strings.Join(sortedInputs(a.Config), ", "))
	}
	incarnation, err := intake.DeclareRecreated(ctx, a.Kafka, a.Config.Namespace, args[0])
	if err != nil {
		return fmt.Errorf("confirm that %s was re-created: %w", args[0], err)
	}
	if machine {
		return p.json(map[string]any{"topic": args[0], "incarnation": incarnation})
	}
	return p.printf("%s now has incarnation %d and is read from its start\n", args[0], incarnation)
}
