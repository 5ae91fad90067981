package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/schemas/event"
)

// choice is the value of a flag that takes one of a fixed set. Parsing refuses anything else, so a command that reads the flag
// has no error to handle.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }

// Type is what the help text shows as the flag's argument.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set implements pflag.Value.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return fmt.Errorf("must be %s", strings.Join(c.allowed, " or "))
	}
	c.value = value
	return nil
}

// addChoiceFlag adds a flag with a fixed set of values, which completion offers; value is the default and may lie outside the set.
func addChoiceFlag(cmd *cobra.Command, name, shorthand, value, usage string, allowed ...string) {
	cmd.Flags().VarP(&choice{value, allowed}, name, shorthand, usage)
	completeFlag(cmd, name, allowed...)
}

func choiceOf(cmd *cobra.Command, name string) string { return cmd.Flag(name).Value.String() }

// addOutputFlag adds --output; asJSON reads it.
func addOutputFlag(cmd *cobra.Command) {
	addChoiceFlag(cmd, "output", "o", "table", "human-readable table, or JSON for programs", "table", "json")
}

func asJSON(cmd *cobra.Command) bool { return choiceOf(cmd, "output") == "json" }

// addTopicFlag adds --topic, which completion fills with the configured input topics.
func (p *program) addTopicFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().String("topic", "", usage)
	_ = cmd.RegisterFlagCompletionFunc("topic", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.inputTopics(cmd), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that does not exist
}

// completeInputTopic completes an argument that is an input topic.
func (p *program) completeInputTopic(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.inputTopics(cmd), cobra.ShellCompDirectiveNoFileComp
}

// inputTopics are the configured input topics, sorted; none if the settings are not valid.
func (p *program) inputTopics(cmd *cobra.Command) []string {
	c, err := p.config(cmd)
	if err != nil {
		return nil
	}
	return sortedInputs(c)
}

func sortedInputs(c config.Config) []string {
	var names []string
	for name := range app.Inputs(c) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func completeFlag(cmd *cobra.Command, flag string, values ...string) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// topicFor is --topic, or the first configured topic for the kind.
func topicFor(cmd *cobra.Command, c config.Config, kind event.Kind) (string, error) {
	if topic, _ := cmd.Flags().GetString("topic"); topic != "" {
		return topic, nil
	}
	topic, err := firstTopic(c, kind)
	if err != nil {
		return "", fmt.Errorf("%w: give --topic", err)
	}
	return topic, nil
}

// firstTopic is the first topic of the kind whose records have Mainstay's own format, which is what the commands write.
func firstTopic(c config.Config, kind event.Kind) (string, error) {
	for _, entry := range c.Kafka.Topics[kind] {
		if topic, name := config.SplitInput(entry); name == "" || name == format.Mainstay {
			return topic, nil
		}
	}
	return "", usage("kafka.topics names no topic for %s events in the format %s", kind, format.Mainstay)
}
