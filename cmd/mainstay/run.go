package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Short: "Run Mainstay: read the inputs, fold, publish, serve health and metrics", Args: cobra.NoArgs,
		Long: `Run takes the roles of this process from --roles: intake reads the inputs into the ledger, fold turns the ledger into
answers, http serves /livez, /readyz, /metrics and /status. Several processes share the work of a role.

The first SIGINT or SIGTERM finishes what has begun, at most until shutdown.deadline; a second one stops at once.`,
		RunE: p.draining(p.run),
	}
	return cmd
}

func (p *program) run(ctx context.Context, cmd *cobra.Command) error {
	c, err := p.config(cmd)
	if err != nil {
		return err
	}
	log, err := p.logger(c)
	if err != nil {
		return usageError{err}
	}
	a, err := app.New(c, log, p.seams)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Kafka.Ping(ctx); err != nil {
		return fmt.Errorf("kafka.brokers: no broker answers: %w", err)
	}
	missing, _, err := topics.Plan(ctx, a.Kafka, app.Topics(c))
	if err != nil {
		return err
	}
	missing = slices.DeleteFunc(missing, func(w topics.Wanted) bool { return w.Kind == topics.Imported }) // only an import needs it
	g, err := topics.Genesis(ctx, a.Kafka, c.Namespace)
	switch {
	case len(missing) > 0, errors.Is(err, topics.ErrNoLedger):
		return p.nothingThere(cmd, missing, err)
	case err != nil:
		return err
	}
	if err := process.Agree(c, g); err != nil {
		return err
	}
	if a.Parameters, err = startingParameters(c); err != nil {
		return err
	}
	running, err := process.New(ctx, a, g, log, p.now())
	if err != nil {
		return err
	}
	build := telemetry.ReadBuild()
	log.Info("running", zap.String("version", build.Version), zap.String("revision", build.Revision), zap.Strings("roles", c.Roles),
		zap.String("namespace", c.Namespace), zap.String("ledger", g.GetLedgerId()), zap.String("clock", c.Clock),
		zap.String("http", running.Address()), zap.String("admin", running.AdminAddress()))
	if err := running.Run(ctx, p.stopping); err != nil {
		return err
	}
	log.Info("drained")
	return nil
}

// startingParameters reads the file of parameters that a fold begins with; nil when none is configured.
func startingParameters(c config.Config) (*ledger.Parameters, error) {
	if c.Model.ParametersFile == "" {
		return nil, nil //nolint:nilnil // the ledger's own
	}
	f, err := parameters.Read(c.Model.ParametersFile)
	if err != nil {
		return nil, fmt.Errorf("model.parameters_file: %w", err)
	}
	if f.Spend != nil && f.Currency != "" && f.Currency != c.Money.Currency {
		return nil, fmt.Errorf("model.parameters_file: %s was fitted in %s, money.currency is %s: fit it in that currency", c.Model.ParametersFile, f.Currency, c.Money.Currency)
	}
	return f.Ledger(), nil
}

// nothingThere says what is missing and the line that makes it.
func (p *program) nothingThere(cmd *cobra.Command, missing []topics.Wanted, err error) error {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Name
	}
	if len(names) > 0 {
		err = fmt.Errorf("topics are missing: %v", names)
	}
	return fmt.Errorf("%w\nmake the topics and found the ledger with:\n  %s", err, p.applyLine(cmd))
}
