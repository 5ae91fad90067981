package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/importer"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// FileConfig configures a demonstration with the orders of a shop.
type FileConfig struct {
	Path     string
	Mapping  eventfile.Mapping
	Settings config.Config // of the shop: money, time zone, churn and so on
	Exit     bool          // stop after the answers
	Listen   string        // HTTP address; port 0 takes a free port

	Log    *zap.Logger
	Now    func() time.Time
	Random func() uint64

	Started  func(address string) error                       // of the pages
	Progress func(step string, done, total int64)             // of the step that runs
	Refused  func(*eventfile.RowError)                        // a row that is no event
	Imported func(*ledger.Genesis, importer.Counts) error     // after the last row
	Answered func(ctx context.Context, answers Answers) error // once all answers are those of the end of the file
}

// Answers are where the answers of a file can be read.
type Answers struct {
	App     *app.App
	Genesis *ledger.Genesis
	Model   Model
	At      time.Time // of the last event: nothing is known after it
}

// ErrNoOrders means that no row of a file is an event.
var ErrNoOrders = errors.New("no row of the file is an order")

// RunFile imports a file of orders, as `mainstay import` does, advances the time to the last of them and fits the models. Without Exit
// everything keeps running after the answers until stopping is closed.
func RunFile(ctx context.Context, c FileConfig, stopping <-chan struct{}) error {
	im := importer.Import{Path: c.Path, Mapping: c.Mapping, Now: c.Now, Random: c.Random, Refused: c.Refused}
	var err error
	if im.Kind, err = event.ParseKind(c.Mapping.Type); err != nil {
		return fmt.Errorf("the kind of the events: %w", err)
	}
	if err := c.adoptCurrency(); err != nil {
		return err
	}
	i, err := start(ctx, c.Settings, c.Listen, c.Log, c.Now, c.Random)
	if err != nil {
		return err
	}
	defer i.close()
	im.Namespace, im.Topic, im.Ledger, im.Convertible = i.app.Config.Namespace, im.Kind.Descriptor().Topic, ledger.FirstID(i.genesis), i.app.Config.Money.Convertible
	im.Progress = func(done, total int64) { c.Progress("importing", done, total) }
	if im.Decoder, err = i.app.Decoder(i.genesis); err != nil {
		return err
	}
	return i.run(ctx, stopping, func(ctx context.Context) error {
		if err := c.Started(i.pages()); err != nil {
			return err
		}
		return i.showFile(ctx, &c, &im)
	})
}

func (i *instance) showFile(ctx context.Context, c *FileConfig, im *importer.Import) error {
	counts, err := im.Run(ctx, i.app.Kafka)
	if err != nil {
		return err
	}
	if err := c.Imported(i.genesis, counts); err != nil {
		return err
	}
	if counts.Last == nil {
		return ErrNoOrders
	}
	folding := func(done, total int64) { c.Progress("scoring customers", done, total) }
	folding(0, counts.Sent)
	if err := i.advance(ctx, *counts.Last); err != nil {
		return err
	}
	if err := i.waitCaughtUp(ctx, *counts.Last, folding); err != nil {
		return err
	}
	c.Progress("fitting the model", 0, 1)
	model, err := i.fit(ctx, *counts.Last)
	if err != nil {
		return err
	}
	c.Progress("fitting the model", 1, 1)
	if err := c.Answered(ctx, Answers{App: i.app, Genesis: i.genesis, Model: model, At: *counts.Last}); err != nil || c.Exit {
		return err
	}
	return keepRunning(ctx)
}

// adoptCurrency makes the currency of the file that of the ledger, unless the settings name one. Amounts without a currency are in that of
// the ledger.
func (c *FileConfig) adoptCurrency() error {
	quiet := c.Mapping
	quiet.Opened = nil // the import says how the file is read
	f, err := eventfile.Open(c.Path, quiet)
	if err != nil {
		return err //nolint:wrapcheck // it names the file and the row
	}
	codes := slices.Sorted(maps.Keys(f.Currencies()))
	if err := f.Close(); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	m := &c.Settings.Money
	if standard := config.Default().Money.Currency; m.Currency == standard && !slices.Contains(codes, standard) {
		switch len(codes) {
		case 0:
		case 1:
			if _, ok := settings.BaseCurrency(codes[0]); ok {
				m.Currency = codes[0]
			}
		default:
			return fmt.Errorf("the file has amounts in %s: choose one for the answers, and give the rates of the others into it, such as --money-currency=%s --money-rates=%s=1.1",
				strings.Join(codes, ", "), codes[0], codes[1])
		}
	}
	if m.DefaultCurrency == "" {
		m.DefaultCurrency = m.Currency
	}
	return nil
}
