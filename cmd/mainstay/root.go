package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// root is the tree of commands.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mainstay",
		Short: "Which customers a shop leans on, which slip away, and which bring others: while it happens",
		Long: `Mainstay turns purchases, cancellations, referrals and surveys from Kafka into each customer's lifetime value, churn risk
and promoter status: exactly once, in Kafka and in Redis. Without anything at hand, begin with: ` + p.name + ` demo`,
		SilenceErrors: true, SilenceUsage: true, Version: telemetry.ReadBuild().Version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetGlobalNormalizationFunc(dashed)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	settingsFlags(root.PersistentFlags())
	for _, group := range []*cobra.Group{
		{ID: "run", Title: "Run it:"}, {ID: "data", Title: "Events and answers:"}, {ID: "models", Title: "The models:"}, {ID: "look", Title: "Look after it:"},
	} {
		root.AddGroup(group)
	}
	for _, add := range []struct {
		group    string
		commands []*cobra.Command
	}{
		{"run", []*cobra.Command{p.demoCommand(), p.runCommand(), p.topicsCommand(), p.configCommand()}},
		{"data", []*cobra.Command{p.sendCommand(), p.importCommand(), p.simulateCommand(), p.tailCommand(), p.customerCommand(), p.alertsCommand(), p.advanceCommand()}},
		{"models", []*cobra.Command{p.backtestCommand(), p.fitCommand(), p.refitCommand()}},
		{"look", []*cobra.Command{p.checkCommand(), p.statusCommand(), p.auditCommand(), p.dlqCommand(), p.probeCommand()}},
		{"", []*cobra.Command{p.versionCommand(), settingsTopic()}},
	} {
		for _, c := range add.commands {
			c.GroupID = add.group
			root.AddCommand(c)
		}
	}
	return root
}

// dashed makes --kafka.brokers, --kafka_brokers and --kafka-brokers one flag.
func dashed(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.NewReplacer(".", "-", "_", "-").Replace(name))
}

// shown are the settings whose flags stand in every help; the others are listed by `help settings`.
func shown(flag string) bool {
	return flag == "kafka-brokers" || flag == "redis-addresses" || flag == "namespace"
}

func settingsFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "YAML file of settings (MAINSTAY_CONFIG)")
	for _, s := range config.Settings() {
		doc, _, _ := strings.Cut(s.Doc, ".")
		flags.String(s.Flag, "", doc)
		f := flags.Lookup(s.Flag)
		f.DefValue = s.Default
		f.Hidden = !shown(s.Flag)
		if s.Type == "boolean" {
			f.NoOptDefVal = "true"
		}
	}
}

// family is a command that only has others below it.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
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

// settingsTopic is a page of help, no command.
func settingsTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("Every setting is a flag, a variable and a key of the YAML file (--config). Flags go over variables, variables over the file.\n\n")
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, s := range config.Settings() {
		_, _ = fmt.Fprintf(w, "  --%s\t%s\t%s\n", s.Flag, s.Env, s.Default)
	}
	_ = w.Flush() // into memory
	return &cobra.Command{Use: "settings", Short: "All settings, as flags and variables", Long: text.String()}
}

// work wraps a command's function: from here on what fails is no wrong use, and the first signal ends it.
func (p *program) work(run func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.running = true
		ctx, cancel := context.WithCancelCause(cmd.Context())
		defer cancel(nil)
		go func() {
			select {
			case <-p.stopping:
				cancel(errInterrupted)
			case <-ctx.Done():
			}
		}()
		return run(ctx, cmd, args)
	}
}

// draining wraps a function that ends in order by itself at the first signal; its context ends at the second.
func (p *program) draining(run func(ctx context.Context, cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		p.running = true
		return run(cmd.Context(), cmd)
	}
}

// given are the flags of settings that the command line has.
func given(cmd *cobra.Command) map[string]string {
	flags := map[string]string{}
	all := cmd.Root().PersistentFlags()
	for _, s := range config.Settings() {
		if f := all.Lookup(s.Flag); f != nil && f.Changed {
			flags[s.Flag] = f.Value.String()
		}
	}
	return flags
}

// config reads the settings from all their places.
func (p *program) config(cmd *cobra.Command) (config.Config, error) {
	file, err := cmd.Root().PersistentFlags().GetString("config")
	if err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(config.Sources{File: file, Env: p.environ, Flags: given(cmd)})
	if err != nil {
		return c, usageError{fmt.Errorf("settings:\n%w", err)}
	}
	return c, nil
}

// open makes the clients of a command that looks or sends; Close is the caller's.
func (p *program) open(cmd *cobra.Command) (*app.App, error) {
	c, err := p.config(cmd)
	if err != nil {
		return nil, err
	}
	return app.New(c, zap.NewNop(), p.seams)
}

// reach is open, and makes sure that a broker answers: what follows would otherwise wait for one.
func (p *program) reach(ctx context.Context, cmd *cobra.Command) (*app.App, error) {
	a, err := p.open(cmd)
	if err != nil {
		return nil, err
	}
	if err := a.Kafka.Ping(ctx); err != nil {
		a.Close()
		if errors.Is(err, kafka.ErrAuthorization) {
			return nil, fmt.Errorf("kafka.sasl: the brokers %s refuse us: %w", strings.Join(a.Config.Kafka.Brokers, ","), err)
		}
		return nil, fmt.Errorf("kafka.brokers: none of %s answers: %w; give --kafka.brokers or MAINSTAY_KAFKA_BROKERS", strings.Join(a.Config.Kafka.Brokers, ","), err)
	}
	return a, nil
}

// ledger is reach, and reads the ledger's first entry. What it fixes goes over the settings of a command that only looks.
func (p *program) ledger(ctx context.Context, cmd *cobra.Command) (*app.App, *ledger.Genesis, error) {
	a, err := p.reach(ctx, cmd)
	if err != nil {
		return nil, nil, err
	}
	g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace)
	if err != nil {
		a.Close()
		if errors.Is(err, topics.ErrNoLedger) {
			return nil, nil, fmt.Errorf("%w\nmake the topics and found the ledger with:\n  %s", err, p.applyLine(cmd))
		}
		return nil, nil, err
	}
	process.Adopt(&a.Config, g)
	return a, g, nil
}

// applyLine is the line that makes what is missing, with every setting that it needs.
func (p *program) applyLine(cmd *cobra.Command) string {
	line := []string{p.name, "topics", "apply"}
	if file, _ := cmd.Root().PersistentFlags().GetString("config"); file != "" {
		line = append(line, "--config", quoted(file))
	} else if file, ok := p.variable("MAINSTAY_CONFIG"); ok {
		line = append(line, "--config", quoted(file))
	}
	flags := given(cmd)
	for _, s := range config.Settings() {
		value, ok := flags[s.Flag]
		if !ok && s.Type != "secret" {
			value, ok = p.variable(s.Env)
		}
		if !ok && s.Type == "secret" {
			value, ok = p.variable(s.Env + "_FILE")
		}
		section, _, _ := strings.Cut(s.Path, ".")
		switch section {
		case "roles", "redis", "http", "admin", "log", "shutdown":
			continue // have no part in it
		}
		if ok {
			line = append(line, "--"+s.Flag, quoted(value))
		}
	}
	return strings.Join(line, " ")
}

func (p *program) variable(name string) (string, bool) {
	for _, one := range slices.Backward(p.environ) { // the last stands
		if value, ok := strings.CutPrefix(one, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$&|;<>()*?[]{}~#`!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// logger logs to the error output.
func (p *program) logger(c config.Config) (*zap.Logger, error) {
	log, _, err := telemetry.NewLogger(p.err, c.Log.Format, c.Log.Level)
	return log, err
}
