package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
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
	addOutputFlag(get)
	addOutputFlag(explain)
	return commandGroup("customer", "Show, explain or list customers' answers, from Redis; Kafka need not answer", get, explain, p.customerListCommand())
}

func (p *program) customerGet(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	a, g, err := p.openRedis(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	answers, err := lookup.Customer(ctx, a.Redis, a.Config.Namespace, g, args[0])
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
	for _, l := range lines {
		if err := p.printf("%s\n", printable(l)); err != nil {
			return err
		}
	}
	return nil
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
