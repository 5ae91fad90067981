package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/config"
)

func (p *program) configCommand() *cobra.Command {
	format := func(c *cobra.Command) *cobra.Command {
		c.Flags().StringP("output", "o", "yaml", "yaml or json")
		return c
	}
	return family("config", "The settings: validate them, show them, print the defaults",
		&cobra.Command{
			Use: "validate", Short: "Say everything that is wrong with the settings (exit code 3)", Args: cobra.NoArgs,
			RunE: p.work(p.configValidate),
		},
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
	file, _ := cmd.Root().PersistentFlags().GetString("config")
	if _, err := config.Load(config.Sources{File: file, Env: p.environ, Flags: given(cmd)}); err != nil {
		p.complain("%v\n", err)
		return errFound
	}
	return p.say("the settings are valid\n")
}

func (p *program) configPrint(cmd *cobra.Command, c config.Config) error {
	format, _ := cmd.Flags().GetString("output")
	if format != "yaml" && format != "json" {
		return usage("--output must be yaml or json; it is %q", format)
	}
	return config.Print(p.out, c, format)
}
