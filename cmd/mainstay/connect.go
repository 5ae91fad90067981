package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// A command connects in one of three depths: openApp makes the clients and connects to nothing, connect has a broker that
// answers, openLedger has read the ledger's genesis. In all three the caller closes the App. A wrapper that opens the ledger
// before the command's function was tried: flags have to be validated before anything is connected to, so each command would
// have become two functions.

// openApp makes the clients without connecting.
func (p *program) openApp(cmd *cobra.Command) (*app.App, error) {
	c, err := p.config(cmd)
	if err != nil {
		return nil, err
	}
	return app.New(c, zap.NewNop(), p.hooks)
}

// connect makes the clients and fails unless a broker answers: the Kafka client itself would retry forever.
func (p *program) connect(ctx context.Context, cmd *cobra.Command) (*app.App, error) {
	a, err := p.openApp(cmd)
	if err != nil {
		return nil, err
	}
	if err := ping(ctx, a); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func ping(ctx context.Context, a *app.App) error {
	err := a.Kafka.Ping(ctx)
	brokers := strings.Join(a.Config.Kafka.Brokers, ",")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.ErrAuthorization):
		return fmt.Errorf("kafka.sasl: the brokers %s refuse these credentials: %w", brokers, err)
	}
	return fmt.Errorf("kafka.brokers: none of %s answers: %w; set --kafka-brokers or MAINSTAY_KAFKA_BROKERS", brokers, err)
}

// openLedger connects and reads the ledger's genesis. What genesis fixes overrides the settings, so that a command that only
// reads needs none of them.
func (p *program) openLedger(ctx context.Context, cmd *cobra.Command) (*app.App, *ledger.Genesis, error) {
	a, err := p.connect(ctx, cmd)
	if err != nil {
		return nil, nil, err
	}
	g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace)
	if err != nil {
		a.Close()
		if errors.Is(err, topics.ErrNoLedger) {
			return nil, nil, fmt.Errorf("%w\ncreate the topics and the ledger with:\n  %s", err, p.applyCommand(cmd))
		}
		return nil, nil, err
	}
	a.Config.AdoptGenesis(g)
	return a, g, nil
}
