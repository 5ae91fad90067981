package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/memory"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func (p *program) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Short: "Run Mainstay: read events, publish answers, serve health and metrics", Args: cobra.NoArgs,
		Long: `Run starts the roles in --roles: intake reads the inputs into the ledger, fold computes the answers from the ledger, http serves
/livez, /readyz, /metrics and /status, ingest takes events by HTTP and writes them to the inputs, deliver sends webhooks. Processes with the same role share its partitions.

It does not start with a fatal finding of check, unless --ignore-findings is given, which is logged as an error.

The first SIGINT or SIGTERM drains the process, at most until shutdown.deadline; a second one stops it at once.`,
		RunE: p.drainable(p.run),
	}
	cmd.Flags().Bool("ignore-findings", false, "start in spite of fatal findings of `check`; the guarantees do not hold then")
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
	a, err := app.New(c, log, p.hooks)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := ping(ctx, a); err != nil {
		return err
	}
	missing, _, err := topics.Plan(ctx, a.Kafka, app.Topics(c))
	if err != nil {
		return err
	}
	missing = slices.DeleteFunc(missing, func(w topics.Wanted) bool { return w.Kind == topics.Imported }) // only an import writes to it
	g, err := topics.Genesis(ctx, a.Kafka, c.Namespace)
	switch {
	case len(missing) > 0, errors.Is(err, topics.ErrNoLedger):
		return p.missingTopicsError(cmd, missing, err)
	case err != nil:
		return err
	}
	if err := process.CheckGenesis(c, g); err != nil {
		return err
	}
	ignore, _ := cmd.Flags().GetBool("ignore-findings")
	if err := checkBeforeStart(ctx, a, p.now(), ignore, log); err != nil {
		return err
	}
	if a.Parameters, err = startingParameters(c); err != nil {
		return err
	}
	limit := memory.OfProcess(cacheBytes(c))
	if limit.Bytes > 0 {
		debug.SetMemoryLimit(limit.Bytes)
	}
	if limit.Short {
		log.Warn("the container's memory limit is less than fold.cache_bytes and 150 MB: garbage collection will take more CPU; raise the one or lower the other",
			zap.Int64("container_bytes", limit.Container), zap.Int64("cache_bytes", cacheBytes(c)))
	}
	running, err := process.New(ctx, a, g, log, p.now())
	if err != nil {
		return err
	}
	build := telemetry.ReadBuild()
	log.Info("started", zap.String("version", build.Version), zap.String("revision", build.Revision), zap.Strings("roles", c.Roles),
		zap.String("namespace", c.Namespace), zap.String("ledger", g.GetLedgerId()), zap.String("clock", c.Clock), zap.Stringer("memory_limit", limit),
		zap.String("http", running.Address()), zap.String("ingest", running.IngestAddress()), zap.String("admin", running.AdminAddress()))
	if err := running.Run(ctx, p.stopping); err != nil {
		return err
	}
	log.Info("drained")
	return nil
}

// checkBeforeStart refuses to start where `check` has a fatal finding: what it finds would otherwise be noticed when data is lost.
func checkBeforeStart(ctx context.Context, a *app.App, now time.Time, ignore bool, log *zap.Logger) error {
	report := inspect.Check(ctx, a, access.Process, now)
	var fatal []string
	for _, f := range report.Findings {
		switch f.Severity {
		case inspect.Fatal:
			fatal = append(fatal, f.Where+": "+f.Text)
		case inspect.Warn:
			log.Warn("finding of check", zap.String("where", f.Where), zap.String("finding", f.Text))
		case inspect.Note, inspect.OK:
		}
	}
	if len(fatal) > 0 && !ignore {
		return fmt.Errorf("`mainstay check` has %d fatal findings:\n  %s\ncorrect them; --ignore-findings starts in spite of them, without the guarantees", len(fatal), strings.Join(fatal, "\n  "))
	}
	for _, finding := range fatal {
		log.Error("STARTED IN SPITE OF A FATAL FINDING OF CHECK (--ignore-findings): the guarantees do not hold", zap.String("finding", finding))
	}
	return nil
}

// cacheBytes returns how much memory the process gives to customers.
func cacheBytes(c config.Config) int64 {
	if !slices.Contains(c.Roles, process.Fold) {
		return 0
	}
	return int64(c.Fold.CacheBytes)
}

// startingParameters reads model.parameters_file; nil if it is not set.
func startingParameters(c config.Config) (*ledger.Parameters, error) {
	if c.Model.ParametersFile == "" {
		return nil, nil //nolint:nilnil // the ledger has its own
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

// missingTopicsError names the missing topics and the command that creates them.
func (p *program) missingTopicsError(cmd *cobra.Command, missing []topics.Wanted, err error) error {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Name
	}
	if len(names) > 0 {
		err = fmt.Errorf("topics are missing: %v", names)
	}
	return fmt.Errorf("%w\ncreate the topics and the ledger with:\n  %s", err, p.applyCommand(cmd))
}
