package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/ops/sendevent"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) sendCommand() *cobra.Command {
	cmd := commandGroup("send", "Send one event: "+strings.Join(event.KindNames(), ", "))
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
			completeFlag(cmd, f.Flag, "true", "false")
		}
		if f.Required {
			_ = cmd.MarkFlagRequired(f.Flag) // fails only for a flag that does not exist
		}
	}
	p.addTopicFlag(cmd, "input topic (default: the first of the kind in kafka.topics)")
	cmd.Flags().Bool("force", false, "send the event even if intake would refuse it")
	cmd.Flags().Bool("wait", false, "wait until the customer's answers in Redis include the event")
	cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait with --wait")
	cmd.MarkFlagsMutuallyExclusive("wait", "force")
	addOutputFlag(cmd)
	cmd.RunE = p.interruptible(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		texts := map[string]string{}
		for _, f := range flags {
			texts[f.Flag] = cmd.Flags().Lookup(f.Flag).Value.String()
		}
		return p.send(ctx, cmd, kind, texts)
	})
	return cmd
}

func (p *program) send(ctx context.Context, cmd *cobra.Command, kind event.Kind, texts map[string]string) error {
	machine := asJSON(cmd)
	now := p.now()
	key, value, err := sendevent.Compose(kind, texts, now, "sent-"+strconv.FormatInt(now.UnixNano(), 36))
	if err != nil {
		return usageError{err}
	}
	a, err := p.openApp(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	topic, err := topicFor(cmd, a.Config, kind)
	if err != nil {
		return err
	}
	if force, _ := cmd.Flags().GetBool("force"); !force {
		if _, err := decodeEvent(a, a.Config.Genesis(), kind, key, value, now.UnixMilli()); err != nil {
			return err
		}
	}
	if err := ping(ctx, a); err != nil {
		return err
	}
	place, err := sendevent.Send(ctx, a.Kafka, topic, sendevent.Record{Key: key, Value: value, Timestamp: now.UnixMilli()})
	if err != nil {
		return err
	}
	if machine {
		err = p.json(place)
	} else {
		err = p.printf("sent to %s, partition %d, offset %d\n%s\n", place.Topic, place.Partition, place.Offset, value)
	}
	if wait, _ := cmd.Flags().GetBool("wait"); err != nil || !wait {
		return err
	}
	g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace)
	if err != nil {
		return fmt.Errorf("--wait: %w", err)
	}
	customer, err := decodeEvent(a, g, kind, key, value, now.UnixMilli())
	switch {
	case err != nil:
		return err
	case customer == "":
		return errors.New("--wait: intake skips the event: its customer is anonymous (intake.anonymous) or it is a test")
	}
	timeout, _ := cmd.Flags().GetDuration("timeout")
	origin := inspect.Origin{Topic: place.Topic, Partition: place.Partition, Offset: place.Offset}
	err = inspect.WaitFolded(ctx, a.Redis, a.Config.Namespace, g, customer, origin, timeout)
	switch {
	case errors.Is(err, inspect.ErrNotFolded):
		return fmt.Errorf("--wait: the event was sent, and is not in the answers after %s: see `%s status` for processes, lag and halts", timeout, p.name)
	case err != nil:
		return fmt.Errorf("--wait: the event was sent: %w", err)
	case machine:
		return nil
	}
	return p.printf("folded: the customer's answers include the event\n")
}

// decodeEvent decodes the event as intake will, and returns its customer as the ledger knows them; none if intake skips the event.
func decodeEvent(a *app.App, g *ledger.Genesis, kind event.Kind, key, value []byte, now int64) (customer string, err error) {
	decoder, err := a.Decoder(g)
	if err != nil {
		return "", err
	}
	var result event.Result
	err = decoder.Decode(kind, &event.Message{Key: key, Value: value, Timestamp: now}, now, &result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		return "", fmt.Errorf("intake would refuse the event: %w; use --force to send it anyway", err)
	}
	if err != nil || result.Skip != "" {
		return "", err
	}
	return result.Customer, nil
}
