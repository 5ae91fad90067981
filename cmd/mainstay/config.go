package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/config"
)

func (p *program) configCommand() *cobra.Command {
	format := func(c *cobra.Command) *cobra.Command {
		c.Flags().StringP("output", "o", "yaml", "yaml or json")
		return c
	}
	validate := &cobra.Command{
		Use: "validate", Short: "Say everything that is wrong with the settings (exit code 3)", Args: cobra.NoArgs,
		RunE: p.work(p.configValidate),
	}
	outputFlag(validate)
	return family("config", "The settings: validate them, show them, print the defaults",
		validate,
		format(&cobra.Command{
			Use: "show", Short: "Print the settings as they come out of the file, the environment and the flags; secrets are not shown", Args: cobra.NoArgs,
			RunE: p.work(func(_ context.Context, cmd *cobra.Command, _ []string) error {
				c, err := p.config(cmd)
				if err != nil {
					return err
				}
				return p.configPrint(cmd, c)
			}),
		}),
		format(&cobra.Command{
			Use: "print-default", Short: "Print the settings that hold when nothing is said", Args: cobra.NoArgs,
			RunE: p.work(func(_ context.Context, cmd *cobra.Command, _ []string) error {
				return p.configPrint(cmd, config.Default())
			}),
		}),
	)
}

func (p *program) configValidate(_ context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	file, _ := cmd.Root().PersistentFlags().GetString("config")
	_, wrong := config.Load(config.Sources{File: file, Env: p.environ, Flags: given(cmd)})
	switch {
	case machine:
		err = p.json(map[string]any{"valid": wrong == nil, "problems": problems(wrong)})
	case wrong != nil:
		p.complain("%v\n", wrong)
	default:
		err = p.say("the settings are valid\n")
	}
	if err == nil && wrong != nil {
		return errFound
	}
	return err
}

// problems are the errors that were joined, one by one.
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
	format, _ := cmd.Flags().GetString("output")
	if format != "yaml" && format != "json" {
		return usage("--output must be yaml or json; it is %q", format)
	}
	return config.Print(p.out, c, format)
}
