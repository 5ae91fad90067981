package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/inspect"
)

func (p *program) customerCommand() *cobra.Command {
	get := &cobra.Command{
		Use: "get ID", Short: "A customer's lifetime value, churn risk and promoter status, from Redis", Args: cobra.ExactArgs(1),
		RunE: p.work(p.customerGet),
	}
	outputFlag(get)
	return family("customer", "What is known of a customer", get)
}

func (p *program) customerGet(ctx context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	answers, err := inspect.Customer(ctx, a.Redis, a.Config.Namespace, g, args[0])
	if err != nil {
		return err
	}
	text := answers.Append(nil)
	if machine {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return fmt.Errorf("print the customer: %w", err)
		}
		return p.say("%s\n", indented.Bytes())
	}
	lines, err := inspect.Sheet(text)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := p.say("%s\n", l); err != nil {
			return err
		}
	}
	return nil
}
