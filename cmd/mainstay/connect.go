package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// A command connects in one of four depths: openApp makes the clients and connects to nothing, connect has a broker that
// answers, openLedger has read the ledger's genesis, openLedgerOrRedis has found it wherever it could. In all of them the caller closes
// the App. A wrapper that opens the ledger
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

// openRedis makes the clients and reads the ledger's genesis from Redis alone, so that it works while Kafka is away. Only if Redis holds
// no state of this namespace it asks Kafka, which knows whether there is a ledger.
func (p *program) openRedis(ctx context.Context, cmd *cobra.Command) (*app.App, *ledger.Genesis, error) {
	a, err := p.openApp(cmd)
	if err != nil {
		return nil, nil, err
	}
	g, err := genesisInRedis(ctx, a)
	switch {
	case err == nil:
		a.Config.AdoptGenesis(g)
		return a, g, nil
	case errors.Is(err, lookup.ErrNoState):
		a.Close()
		return p.openLedger(ctx, cmd)
	}
	a.Close()
	return nil, nil, fmt.Errorf("redis.addresses %s: %w", strings.Join(a.Config.Redis.Addresses, ","), err)
}

func genesisInRedis(ctx context.Context, a *app.App) (*ledger.Genesis, error) {
	return lookup.Genesis(ctx, a.Redis, a.Config.Namespace, int32(a.Config.Ledger.Partitions)) //nolint:gosec // bounded by validation
}

// openLedgerOrRedis reads the ledger's genesis from Kafka, and from Redis if Kafka does not answer: then it returns why as well. The
// genesis is nil if neither answers.
func (p *program) openLedgerOrRedis(ctx context.Context, cmd *cobra.Command) (a *app.App, g *ledger.Genesis, kafkaDown, err error) {
	a, err = p.openApp(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	kafkaDown = func() error {
		const patience = 5 * time.Second
		ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
		defer cancel()
		return ping(ctx, a)
	}()
	if kafkaDown == nil {
		a.Close()
		a, g, err = p.openLedger(ctx, cmd)
		return a, g, nil, err
	}
	if g, err = genesisInRedis(ctx, a); err == nil {
		a.Config.AdoptGenesis(g)
	}
	return a, g, kafkaDown, nil
}
