package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/sendevent"
	"github.com/mainstay/mainstay/schemas/event"
)

func (p *program) sendCommand() *cobra.Command {
	cmd := family("send", "Send one event: "+strings.Join(event.KindNames(), ", "))
	for kind := range event.Kinds {
		cmd.AddCommand(p.sendKind(kind))
	}
	return cmd
}

func (p *program) sendKind(kind event.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use: kind.String(), Short: "Send a " + kind.String(), Args: cobra.NoArgs,
		Example: "  " + p.name + " send " + kind.String() + " " + kind.Descriptor().Example,
	}
	flags := sendevent.Flags(kind)
	for _, f := range flags {
		cmd.Flags().String(f.Flag, f.Default, f.Help())
		if f.Format == event.Flag {
			cmd.Flags().Lookup(f.Flag).NoOptDefVal = "true"
		}
		if f.Required {
			_ = cmd.MarkFlagRequired(f.Flag) // has just been added
		}
	}
	cmd.Flags().String("topic", "", "input topic; the first of its kind in kafka.topics by default")
	cmd.Flags().Bool("force", false, "send it even if intake would refuse it")
	outputFlag(cmd)
	cmd.RunE = p.work(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		texts := map[string]string{}
		for _, f := range flags {
			texts[f.Flag] = cmd.Flags().Lookup(f.Flag).Value.String()
		}
		return p.send(ctx, cmd, kind, texts)
	})
	return cmd
}

func (p *program) send(ctx context.Context, cmd *cobra.Command, kind event.Kind, texts map[string]string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	now := p.now()
	key, value, err := sendevent.Compose(kind, texts, now, "sent-"+strconv.FormatInt(now.UnixNano(), 36))
	if err != nil {
		return usageError{err}
	}
	a, err := p.open(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	topic, err := topicFor(cmd, a.Config, kind)
	if err != nil {
		return err
	}
	if force, _ := cmd.Flags().GetBool("force"); !force {
		if err := judge(a, kind, key, value, now.UnixMilli()); err != nil {
			return err
		}
	}
	if err := a.Kafka.Ping(ctx); err != nil {
		return fmt.Errorf("kafka.brokers: none of %s answers: %w; give --kafka.brokers or MAINSTAY_KAFKA_BROKERS", strings.Join(a.Config.Kafka.Brokers, ","), err)
	}
	place, err := sendevent.Send(ctx, a.Kafka, topic, sendevent.Record{Key: key, Value: value, Timestamp: now.UnixMilli()})
	if err != nil {
		return err
	}
	if machine {
		return p.json(place)
	}
	return p.say("sent to %s, partition %d, offset %d\n%s\n", place.Topic, place.Partition, place.Offset, value)
}

// topicFor is --topic, or where events of a kind go.
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

// firstTopic is where events of a kind go.
func firstTopic(c config.Config, kind event.Kind) (string, error) {
	names := c.Kafka.Topics[kind]
	if len(names) == 0 {
		return "", usage("kafka.topics names no topic of %s events", kind)
	}
	return names[0], nil
}

// judge reads the event as intake will.
func judge(a *app.App, kind event.Kind, key, value []byte, now int64) error {
	decoder, err := a.Decoder(app.Genesis(a.Config))
	if err != nil {
		return err
	}
	var result event.Result
	err = decoder.Decode(kind, &event.Message{Key: key, Value: value, Timestamp: now}, now, &result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		return fmt.Errorf("intake would refuse it: %w; --force sends it all the same", err)
	}
	return err
}
