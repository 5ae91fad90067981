package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/config"
)

func (p *program) configCommand() *cobra.Command {
	format := func(c *cobra.Command) *cobra.Command {
		addChoiceFlag(c, "output", "o", "yaml", "format", "yaml", "json")
		return c
	}
	validate := &cobra.Command{
		Use: "validate", Short: "Validate the settings and print every problem (exit code 3)", Args: cobra.NoArgs,
		RunE: p.interruptible(p.configValidate),
	}
	addOutputFlag(validate)
	return commandGroup("config", "Validate and show the settings, print the defaults",
		validate,
		format(&cobra.Command{
			Use: "show", Short: "Print the effective settings from file, environment and flags; secrets are redacted", Args: cobra.NoArgs,
			RunE: p.interruptible(func(_ context.Context, cmd *cobra.Command, _ []string) error {
				c, err := p.config(cmd)
				if err != nil {
					return err
				}
				return p.configPrint(cmd, c)
			}),
		}),
		format(&cobra.Command{
			Use: "print-default", Short: "Print the defaults", Args: cobra.NoArgs,
			RunE: p.interruptible(func(_ context.Context, cmd *cobra.Command, _ []string) error {
				return p.configPrint(cmd, config.Default())
			}),
		}),
	)
}

func (p *program) configValidate(_ context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	_, invalid := config.Load(p.sources(cmd))
	var err error
	switch {
	case machine:
		err = p.json(map[string]any{"valid": invalid == nil, "problems": problems(invalid)})
	case invalid != nil:
		p.printErr("%v\n", invalid)
	default:
		err = p.printf("the settings are valid\n")
	}
	if err == nil && invalid != nil {
		return errFindings
	}
	return err
}

// problems splits a joined error into its lines.
func problems(err error) []string {
	all := []string{}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func (p *program) configPrint(cmd *cobra.Command, c config.Config) error {
	return config.Print(p.out, c, choiceOf(cmd, "output"))
}
