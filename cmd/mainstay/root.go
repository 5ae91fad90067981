package main

import (
	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/telemetry"
)

// root is the tree of commands.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mainstay",
		Short: "Customer lifetime value, churn risk and promoter status from Kafka events, in real time",
		Long: `Mainstay turns purchases, cancellations, referrals and surveys from Kafka into each customer's lifetime value, churn risk
and promoter status, exactly once, in Kafka and Redis. To try it without any server: ` + p.name + ` demo`,
		SilenceErrors: true, SilenceUsage: true, Version: telemetry.ReadBuild().Version,
	}
	root.SetGlobalNormalizationFunc(normaliseFlag)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	addSettingFlags(root)
	for _, group := range []*cobra.Group{
		{ID: "run", Title: "Run Mainstay:"}, {ID: "data", Title: "Events and answers:"}, {ID: "models", Title: "Models:"}, {ID: "operations", Title: "Operations:"},
	} {
		root.AddGroup(group)
	}
	for _, add := range []struct {
		group    string
		commands []*cobra.Command
	}{
		{"run", []*cobra.Command{p.demoCommand(), p.runCommand(), p.topicsCommand(), p.configCommand()}},
		{"data", []*cobra.Command{p.sendCommand(), p.importCommand(), p.simulateCommand(), p.tailCommand(), p.customerCommand(), p.todayCommand(), p.reportCommand(), p.costsCommand(), p.exportCommand(), p.alertsCommand(), p.whatifCommand(), p.advanceCommand()}},
		{"models", []*cobra.Command{p.backtestCommand(), p.fitCommand(), p.refitCommand()}},
		{"operations", []*cobra.Command{p.checkCommand(), p.formatsCommand(), p.schemasCommand(), p.statusCommand(), p.auditCommand(), p.ledgerCommand(), p.dlqCommand(), p.deliverCommand(), p.probeCommand(), p.tokenCommand()}},
		{"", []*cobra.Command{p.versionCommand(), settingsTopic()}},
	} {
		for _, c := range add.commands {
			c.GroupID = add.group
			root.AddCommand(c)
		}
	}
	return root
}

// commandGroup is a command that only has subcommands.
func commandGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}
