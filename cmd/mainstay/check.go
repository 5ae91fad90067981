package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Say what is wrong with a set-up before it hurts; or how a payload is read", Args: cobra.NoArgs,
		Long: `Check looks at the brokers, topics, retention, the ledger, permissions, and Redis's policy and persistence. Its exit code is 3
when something fatal is wrong.

With --sample FILE --topic TOPIC it reads one payload, needs neither Kafka nor Redis, and shows field by field what becomes
of it, or why it is refused (exit code 3). FILE may be - for the standard input.`,
		Example: "  " + p.name + " check --sample order.json --topic purchases",
		RunE:    p.work(p.check),
	}
	cmd.Flags().String("sample", "", "file with one payload")
	cmd.Flags().String("topic", "", "input topic that the sample is meant for")
	cmd.Flags().StringArray("header", nil, "name=value of the sample's record headers, as CloudEvents in binary mode have them")
	cmd.Flags().String("key", "", "the sample's record key")
	outputFlag(cmd)
	return cmd
}

func (p *program) check(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	file, _ := cmd.Flags().GetString("sample")
	topic, _ := cmd.Flags().GetString("topic")
	if (file == "") != (topic == "") {
		return usage("--sample and --topic go together")
	}
	a, err := p.open(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if file != "" {
		return p.sample(cmd, a, file, topic, machine)
	}
	report := inspect.Check(ctx, a)
	if machine {
		err = p.json(report)
	} else {
		rows := make([][]string, len(report.Findings))
		for i, f := range report.Findings {
			rows[i] = []string{string(f.Severity), f.Where, f.Text}
		}
		err = p.table([]string{"", "WHAT", "FOUND"}, rows)
	}
	if err == nil && report.Fatal > 0 {
		return errFound
	}
	return err
}

func (p *program) sample(cmd *cobra.Command, a *app.App, file, topic string, machine bool) error {
	inputs := app.Inputs(a.Config)
	kind, ok := inputs[topic]
	if !ok {
		var known []string
		for name := range inputs {
			known = append(known, name)
		}
		slices.Sort(known)
		return usage("--topic %s is no input topic; they are %s (kafka.topics)", topic, strings.Join(known, ", "))
	}
	message, err := p.message(cmd, file)
	if err != nil {
		return err
	}
	decoder, err := a.Decoder(app.Genesis(a.Config))
	if err != nil {
		return err
	}
	s := inspect.Explain(decoder, kind, message, p.now().UnixMilli())
	if machine {
		err = p.json(s)
	} else {
		err = p.sampleTable(s)
	}
	if err == nil && !s.Accepted {
		return errFound
	}
	return err
}

// message is the sample as a record.
func (p *program) message(cmd *cobra.Command, file string) (*event.Message, error) {
	read := func() ([]byte, error) { return os.ReadFile(file) } //nolint:gosec // the person names the file
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(p.in) }
	}
	value, err := read()
	if err != nil {
		return nil, fmt.Errorf("--sample: %w", err)
	}
	headers := map[string][]byte{}
	given, _ := cmd.Flags().GetStringArray("header")
	for _, one := range given {
		name, text, ok := strings.Cut(one, "=")
		if !ok {
			return nil, usage("--header must be name=value; it is %q", one)
		}
		headers[name] = []byte(text)
	}
	key, _ := cmd.Flags().GetString("key")
	return &event.Message{
		Key: []byte(key), Value: value, Timestamp: p.now().UnixMilli(),
		Header: func(name string) ([]byte, bool) {
			v, ok := headers[name]
			return v, ok
		},
	}, nil
}

func (p *program) sampleTable(s inspect.Sample) error {
	rows := make([][]string, len(s.Fields))
	for i, f := range s.Fields {
		became := f.Value
		if f.Refused != "" {
			became = "REFUSED: " + strings.TrimPrefix(f.Refused, f.Field+": ")
		}
		rows[i] = []string{f.Field, dash(f.From), dash(f.Text), dash(became)}
	}
	if err := p.table([]string{"FIELD", "FOUND AT", "AS", "BECOMES"}, rows); err != nil {
		return err
	}
	return p.say("%s: %s\n", s.Kind, s.Verdict)
}
