package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) topicsCommand() *cobra.Command {
	plan := &cobra.Command{
		Use: "plan", Short: "Say what apply would make, and what is not as it should be (exit code 3)", Args: cobra.NoArgs,
		RunE: p.work(p.topicsPlan),
	}
	apply := &cobra.Command{
		Use: "apply", Short: "Make missing topics and found the ledger, if it is new; what exists is left alone", Args: cobra.NoArgs,
		RunE: p.work(p.topicsApply),
	}
	recreated := &cobra.Command{
		Use: "recreated TOPIC", Short: "Declare that an input topic was deleted and made again", Args: cobra.ExactArgs(1),
		Long: `An input topic that was deleted and made again has the same name and may have the same offsets; Mainstay knows it by a
fingerprint of what it read last, and halts (input_recreated). The same happens when retention deleted records before they
were read (input_truncated).

This command says that it is so: the topic begins a new incarnation, and all that lies in it now is read from its start.
Events that were read before are known by their identity within the window of dedup.days. Stop all intakes first.`,
		RunE: p.work(p.topicsRecreated),
	}
	for _, c := range []*cobra.Command{plan, apply, recreated} {
		outputFlag(c)
	}
	return family("topics", "Make the topics, found the ledger", plan, apply, recreated)
}

// made is a topic as it is printed.
type made struct {
	Topic      string `json:"topic"`
	Kind       string `json:"kind"`
	Partitions int32  `json:"partitions"`
}

func madeOf(all []topics.Wanted) (list []made, rows [][]string) {
	list = []made{}
	for _, w := range all {
		list = append(list, made{w.Name, string(w.Kind), w.Partitions})
		rows = append(rows, []string{w.Name, string(w.Kind), strconv.Itoa(int(w.Partitions))})
	}
	return list, rows
}

func (p *program) topicsPlan(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	a, err := p.reach(ctx, cmd)
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
		if err := process.Agree(a.Config, g); err != nil {
			differs, fatal = append(differs, finding{ledger.Topic(a.Config.Namespace), true, err.Error()}), true
		}
		process.Adopt(&a.Config, g) // the topics that are wanted are those of the ledger as it is
	case !errors.Is(err, topics.ErrNoLedger):
		return err
	}
	missing, findings, err := topics.Plan(ctx, a.Kafka, app.Topics(a.Config))
	if err != nil {
		return err
	}
	list, rows := madeOf(missing)
	for _, f := range findings {
		if !f.Missing {
			differs, fatal = append(differs, finding{f.Topic, f.Fatal, f.Text}), fatal || f.Fatal
		}
	}
	switch {
	case machine:
		err = p.json(map[string]any{"make": list, "findings": differs})
	case len(list) == 0:
		err = p.say("all topics are there\n")
	default:
		err = p.table([]string{"TO BE MADE", "KIND", "PARTITIONS"}, rows)
	}
	if err != nil {
		return err
	}
	for _, f := range differs {
		if !machine {
			if err := p.say("%s: %s\n", f.Topic, f.Text); err != nil {
				return err
			}
		}
	}
	if fatal {
		return errFound
	}
	return nil
}

func (p *program) topicsApply(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	switch g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace); {
	case err == nil: // before a topic is made that does not go with it
		if err := process.Agree(a.Config, g); err != nil {
			return err
		}
	case !errors.Is(err, topics.ErrNoLedger):
		return err
	}
	missing, g, err := a.Apply(ctx)
	if err != nil {
		return err
	}
	list, rows := madeOf(missing)
	if machine {
		return p.json(map[string]any{"made": list, "ledger_id": g.GetLedgerId()})
	}
	if len(rows) > 0 {
		if err := p.table([]string{"MADE", "KIND", "PARTITIONS"}, rows); err != nil {
			return err
		}
	}
	return p.say("%d topics made; ledger %s, %d partitions, clock %s, currency %s, timezone %s\n",
		len(rows), g.GetLedgerId(), g.GetPartitions(), clockName(g), g.GetCurrency(), g.GetTimezone())
}

func (p *program) topicsRecreated(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, ok := app.Inputs(a.Config)[args[0]]; !ok {
		return usage("%s is none of the input topics in kafka.topics", args[0])
	}
	incarnation, err := intake.DeclareRecreated(ctx, a.Kafka, a.Config.Namespace, args[0])
	if err != nil {
		return fmt.Errorf("declare %s re-created: %w", args[0], err)
	}
	if machine {
		return p.json(map[string]any{"topic": args[0], "incarnation": incarnation})
	}
	return p.say("%s begins incarnation %d and is read from its start\n", args[0], incarnation)
}
