package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Validate configuration and connectivity, or show how a payload is read", Args: cobra.NoArgs,
		Long: `Check validates the brokers, topics, retention, the ledger, permissions, the schema registry, and the eviction policy and
persistence of Redis. The exit code is 3 if there is a fatal finding.

With --sample FILE --topic TOPIC it decodes one payload, without Kafka or Redis, and shows how each field is read, or why the payload is
refused (exit code 3). Of a file of events, such as a CSV, a workbook or an export of a shop system, it shows from which column each field of the first
row is read, and with which flags import reads it so; columns of unknown names are guessed. If the payload names a schema, the schema registry is asked for it. Without --format, and if the topic has none, the payload is also tried with the shipped formats, and those
that it is a record of are named.
FILE may be - for standard input.`,
		Example: "  " + p.name + " check --sample order.json --topic purchases",
		RunE:    p.interruptible(p.check),
	}
	cmd.Flags().String("sample", "", "file with one payload, or a file of events; - for a payload from standard input")
	p.addTopicFlag(cmd, "input topic of the sample")
	cmd.Flags().String("format", "", "format of the sample: one of mainstay formats list, or a file (default: that of the topic)")
	cmd.Flags().StringArray("header", nil, "header of the sample's record, name=value, for CloudEvents in binary mode")
	cmd.Flags().String("key", "", "key of the sample's record")
	addUserFlag(cmd, "permissions", "whose permissions to check: those of a process, or of an operator who creates topics and sends events")
	addOutputFlag(cmd)
	return cmd
}

// addUserFlag adds a flag that names a user of Kafka by what it does.
func addUserFlag(cmd *cobra.Command, name, usage string) {
	var users []string
	for _, u := range access.Users() {
		users = append(users, string(u))
	}
	addChoiceFlag(cmd, name, "", users[0], usage, users...)
}

func (p *program) check(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	file, _ := cmd.Flags().GetString("sample")
	topic, _ := cmd.Flags().GetString("topic")
	if (file == "") != (topic == "") {
		return usage("--sample needs --topic, and --topic needs --sample")
	}
	a, err := p.openApp(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if file != "" {
		return p.sample(ctx, cmd, a, file, topic, machine)
	}
	report := inspect.Check(ctx, a, access.User(choiceOf(cmd, "permissions")), p.now())
	if machine {
		err = p.json(report)
	} else {
		rows := make([][]string, len(report.Findings))
		for i, f := range report.Findings {
			rows[i] = []string{string(f.Severity), f.Where, f.Text}
		}
		err = p.table([]string{"SEVERITY", "WHERE", "FINDING"}, rows)
	}
	if err == nil && report.Fatal > 0 {
		return errFindings
	}
	return err
}

func (p *program) sample(ctx context.Context, cmd *cobra.Command, a *app.App, file, topic string, machine bool) error {
	kind, ok := app.Inputs(a.Config)[topic]
	if !ok {
		return usage("--topic %s is not an input topic; the input topics are %s (kafka.topics)", topic, strings.Join(sortedInputs(a.Config), ", "))
	}
	message, err := p.sampleMessage(cmd, file)
	if err != nil {
		return err
	}
	decoder, err := a.Decoder(a.Config.Genesis())
	if err != nil {
		return err
	}
	var s inspect.Sample
	if file != "-" && !cmd.Flags().Changed("header") && !cmd.Flags().Changed("format") && inspect.IsFile(message.Value) {
		s, err = p.sampleFile(a, decoder, kind, file)
	} else {
		s, err = p.samplePayload(ctx, cmd, a, decoder, topic, kind, message)
	}
	if err != nil {
		return err
	}
	if machine {
		err = p.json(s)
	} else {
		err = p.sampleTable(s, file)
	}
	if err == nil && !s.Accepted {
		return errFindings
	}
	return err
}

func (p *program) sampleFile(a *app.App, decoder *event.Decoder, kind event.Kind, path string) (inspect.Sample, error) {
	zone, err := time.LoadLocation(a.Config.Timezone)
	if err != nil {
		return inspect.Sample{}, usage("timezone: %v", err)
	}
	m := eventfile.Mapping{Timezone: zone, Currencies: app.EventOptions(a.Config, nil).Currencies}
	return inspect.DecodeFile(decoder, kind, path, m, p.now().UnixMilli())
}

func (p *program) samplePayload(ctx context.Context, cmd *cobra.Command, a *app.App, decoder *event.Decoder, topic string, kind event.Kind, message *event.Message) (inspect.Sample, error) {
	f, err := sampleFormat(cmd, a, topic)
	if err != nil {
		return inspect.Sample{}, err
	}
	return inspect.DecodeSample(ctx, a.Registry, decoder, f, kind, message, p.now().UnixMilli())
}

// sampleFormat is the format that --format names, or that of the topic.
func sampleFormat(cmd *cobra.Command, a *app.App, topic string) (*format.Format, error) {
	if name, _ := cmd.Flags().GetString("format"); name != "" {
		f, err := format.Open(name)
		if err != nil {
			return nil, usage("--format: %v", err)
		}
		return f, nil
	}
	formats, err := app.Formats(a.Config)
	return formats[topic], err
}

// sampleMessage is the sample as intake would receive it.
func (p *program) sampleMessage(cmd *cobra.Command, file string) (*event.Message, error) {
	read := func() ([]byte, error) { return os.ReadFile(file) } //nolint:gosec // the user names the file
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(p.in) }
	}
	value, err := read()
	if err != nil {
		return nil, fmt.Errorf("--sample: %w", err)
	}
	headers := map[string][]byte{}
	given, _ := cmd.Flags().GetStringArray("header")
	for _, header := range given {
		name, text, ok := strings.Cut(header, "=")
		if !ok {
			return nil, usage("--header must be name=value; it is %q", header)
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

func (p *program) sampleTable(s inspect.Sample, file string) error {
	rows := make([][]string, len(s.Fields))
	for i, f := range s.Fields {
		became := f.Value
		if f.Refused != "" {
			became = "REFUSED: " + strings.TrimPrefix(f.Refused, f.Field+": ")
		}
		rows[i] = []string{f.Field, orDash(f.From), orDash(f.Text), orDash(became)}
	}
	if err := p.table([]string{"FIELD", "FOUND AT", "AS", "BECOMES"}, rows); err != nil {
		return err
	}
	if err := p.printf("%s, format %s: %s\n", s.Kind, s.Format, s.Verdict); err != nil {
		return err
	}
	if len(s.Import) > 0 {
		return p.printf("To check all rows, and send nothing: %s import %s %s --dry-run\n", p.name, shellQuote(file), strings.Join(s.Import, " "))
	}
	if len(s.Suggests) == 0 {
		return nil
	}
	verb := "is accepted"
	if s.Accepted {
		verb = "looks like a vendor's record, and should be read"
	}
	return p.printf("It "+verb+" with --format %s. For the topic: kafka.topics entries {topic: TOPIC, format: FORMAT}.\n", strings.Join(s.Suggests, ", --format "))
}
