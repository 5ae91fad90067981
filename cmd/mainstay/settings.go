package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// addSettingFlags makes every setting a flag of every command, and completes those with a fixed set of values.
func addSettingFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.String("config", "", "YAML file of settings (MAINSTAY_CONFIG)")
	for _, s := range config.Settings() {
		doc, _, _ := strings.Cut(s.Doc, ".")
		flags.String(s.Flag, "", doc)
		f := flags.Lookup(s.Flag)
		f.DefValue = s.Default
		f.Hidden = !commonSetting(s.Flag)
		values := s.Values()
		if s.Type == "boolean" {
			f.NoOptDefVal = "true"
			values = []string{"true", "false"}
		}
		if len(values) > 0 {
			completeFlag(root, s.Flag, values...)
		}
	}
}

// commonSetting reports whether a setting's flag is listed in every command's help; `help settings` lists all.
func commonSetting(flag string) bool {
	return flag == "kafka-brokers" || flag == "redis-addresses" || flag == "namespace" || flag == "locale"
}

// normaliseFlag accepts --kafka.brokers and --kafka_brokers for --kafka-brokers, the spelling that all output uses.
func normaliseFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.NewReplacer(".", "-", "_", "-").Replace(name))
}

// settingsTopic is a page of help; it does not run.
func settingsTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("Every setting is a flag, an environment variable and a key of the YAML file (--config). A flag overrides the variable, which\noverrides the file.\n\n")
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, s := range config.Settings() {
		_, _ = fmt.Fprintf(w, "  --%s\t%s\t%s\n", s.Flag, s.Env, s.Default)
	}
	_ = w.Flush() // writes to memory
	return &cobra.Command{Use: "settings", Short: "List all settings with their flags and environment variables", Long: text.String()}
}

// config loads the settings from the file, the environment and the flags.
func (p *program) config(cmd *cobra.Command) (config.Config, error) {
	c, err := config.Load(p.sources(cmd))
	if err != nil {
		return c, usageError{fmt.Errorf("settings:\n%w", err)}
	}
	return c, nil
}

func (p *program) sources(cmd *cobra.Command) config.Sources {
	return config.Sources{File: cmd.Flag("config").Value.String(), Env: p.environ, Flags: changedSettings(cmd)}
}

// logger writes to the error output.
func (p *program) logger(c config.Config) (*zap.Logger, error) {
	log, _, err := telemetry.NewLogger(p.err, c.Log.Format, c.Log.Level)
	return log, err
}

// applyCommand is the `topics apply` command line with every setting of this one that topics depend on.
func (p *program) applyCommand(cmd *cobra.Command) string {
	line := []string{p.name, "topics", "apply"}
	if file := cmd.Flag("config").Value.String(); file != "" {
		line = append(line, "--config", shellQuote(file))
	} else if file, ok := p.getenv("MAINSTAY_CONFIG"); ok {
		line = append(line, "--config", shellQuote(file))
	}
	flags := changedSettings(cmd)
	for _, s := range config.Settings() {
		section, _, _ := strings.Cut(s.Path, ".")
		switch section {
		case "roles", "locale", "redis", "registry", "http", "admin", "log", "shutdown":
			continue // topics do not depend on them
		}
		value, ok := flags[s.Flag]
		switch {
		case ok:
		case s.Type == "secret":
			value, ok = p.getenv(s.Env + "_FILE")
		default:
			value, ok = p.getenv(s.Env)
		}
		if ok {
			line = append(line, "--"+s.Flag, shellQuote(value))
		}
	}
	return strings.Join(line, " ")
}

// changedSettings are the settings that the command line sets, by flag.
func changedSettings(cmd *cobra.Command) map[string]string {
	flags := map[string]string{}
	for _, s := range config.Settings() {
		if f := cmd.Flag(s.Flag); f != nil && f.Changed {
			flags[s.Flag] = f.Value.String()
		}
	}
	return flags
}
