package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/history"
	"github.com/mainstay/mainstay/pkg/ops/timeflag"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) customerCommand() *cobra.Command {
	get := &cobra.Command{
		Use: "get ID", Short: "Show a customer's lifetime value, churn risk and promoter status", Args: cobra.ExactArgs(1),
		RunE: p.interruptible(p.customerGet),
	}
	explain := &cobra.Command{
		Use: "explain ID", Short: "Explain a customer's answers: the history, the model's inputs, the parameters", Args: cobra.ExactArgs(1),
		RunE: p.interruptible(p.customerExplain),
	}
	get.Flags().String("as-of", "", "RFC 3339, a day, now, or relative to now (-30d): what was known when the ledger's time reached it, from Kafka; default: the present, from Redis")
	addOutputFlag(get)
	addOutputFlag(explain)
	return commandGroup("customer", "Show, explain or list customers' answers, from Redis, where Kafka need not answer but for --as-of; mark, merge or forget a customer",
		get, explain, p.customerListCommand(), p.customerMarkCommand(), p.customerMergeCommand(), p.customerForgetCommand())
}

func (p *program) customerGet(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	answers, err := p.customerAnswers(ctx, cmd, a, g, args[0])
	if err != nil {
		return err
	}
	text := answers.Append(nil)
	if machine {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return fmt.Errorf("print the customer: %w", err)
		}
		return p.printf("%s\n", indented.Bytes())
	}
	lines, err := lookup.RenderCustomer(text)
	if err != nil {
		return err
	}
	if answers.Asked != answers.Customer {
		lines = append([]string{fmt.Sprintf("%s was merged into %s, who follows", answers.Asked, answers.Customer)}, lines...)
	}
	for _, l := range lines {
		if err := p.printf("%s\n", printable(l)); err != nil {
			return err
		}
	}
	return nil
}

// customerAnswers reads a customer's answers from Redis, or with --as-of from the ledger.
func (p *program) customerAnswers(ctx context.Context, cmd *cobra.Command, a *app.App, g *ledger.Genesis, id string) (processors.CustomerScores, error) {
	text, _ := cmd.Flags().GetString("as-of")
	if text == "" {
		return lookup.Customer(ctx, a.Redis, a.Config.Namespace, g, id)
	}
	at, err := timeflag.Parse(text, p.now())
	if err != nil {
		return processors.CustomerScores{}, usage("--as-of: %v", err)
	}
	return history.CustomerAsOf(ctx, a.Kafka, a.Config.Namespace, g, id, at.Unix()*1000)
}

func (p *program) customerExplain(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	explanation, err := lookup.Explanation(ctx, a.Redis, a.Config.Namespace, g, args[0])
	switch {
	case err != nil:
		return err
	case machine:
		return p.json(explanation)
	}
	for _, l := range lookup.RenderExplanation(&explanation) {
		if err := p.printf("%s\n", printable(l)); err != nil {
			return err
		}
	}
	return nil
}
