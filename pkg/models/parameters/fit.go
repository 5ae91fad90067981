package parameters

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
)

// ErrFit is returned for a fit whose parameters must not be used.
var ErrFit = errors.New("parameters: the fit is not usable")

// farthest is the maximum number of days between the last purchase and the end; more than ten years is taken for a typing error.
const farthest = 3653

// FitOptions are the parameters of Fit.
type FitOptions struct {
	// Until is the last civil day to include, in days since 1970-01-01; customers are evaluated at its end.
	Until int32
	// MinorPerUnit is the number of minor units per unit of the currency; Currency is its ISO 4217 code.
	MinorPerUnit float64
	Currency     string
	// Model is one of Choices.
	Model string
	// HorizonDays is the time span for which models are compared and the blended scorer is trained: the purchase horizon.
	HorizonDays float64
	// Seasons and Campaigns are those of Data.
	Seasons   bool
	Campaigns []season.Campaign
	// Now is stored as fitted_at and determines the version, so that a later fit has a higher one.
	Now time.Time
}

// Fit fits the chosen model and Gamma-Gamma with their weak priors to the customers with a purchase up to Until. The caller sets the
// file name and hash of the source (Stamp). The error is lifetimes.ErrNoData without such customers, and ErrFit for a day that is
// more than ten years after the last purchase. File.Notes states what could not be fitted, and what stands in its place.
func Fit(all []lifetimes.History, o FitOptions) (*File, error) {
	first, last := int32(math.MaxInt32), int32(math.MinInt32)
	for _, h := range all {
		if h = h.Until(o.Until); len(h) > 0 {
			first, last = min(first, h[0].Day), max(last, h[len(h)-1].Day)
		}
	}
	if last == math.MinInt32 {
		return nil, fmt.Errorf("parameters: %w: no customer had bought by %s", lifetimes.ErrNoData, civil(o.Until))
	}
	if o.Until-last > farthest {
		return nil, fmt.Errorf("%w: the last purchase is on %s, more than ten years before --until %s; give an earlier --until", ErrFit, civil(last), civil(o.Until))
	}
	data := Data{Histories: all, Now: float64(o.Until), MinorPerUnit: o.MinorPerUnit, Seasons: o.Seasons, Campaigns: o.Campaigns}
	var choice *Choice
	name, fit := o.Model, Fitted
	if name == Auto || data.Seasons && model.Seasonal(name) {
		var err error
		if choice, err = Choose(data, name, Incumbent{Model: model.MBGNBD}, o.HorizonDays); err != nil {
			return nil, fmt.Errorf("parameters: choose a model: %w", err)
		}
		name = choice.Model
		if choice.Season {
			fit = FittedInSeason
		}
	}
	e, err := fit(data, name, o.HorizonDays)
	if err != nil {
		return nil, err
	}
	at := o.Now.UTC().Truncate(time.Second)
	version, err := strconv.ParseUint(at.Format("20060102150405"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("parameters: version from %v: %w", at, err)
	}
	f := &File{
		Format: Format, Version: version, FittedAt: at, TimeUnit: "week", Currency: o.Currency,
		Diagnostics: e.Diagnostics, Source: Source{First: civil(first), Until: civil(o.Until)}, Choice: choice, Notes: e.Notes,
	}
	f.setModel(e.Parameters)
	return f, nil
}

// Stamp sets the name and the hash of the source file.
func (f *File) Stamp(path string) error {
	from, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("parameters: source: %w", err)
	}
	defer from.Close() //nolint:errcheck // only read
	h := sha256.New()
	if _, err := io.Copy(h, from); err != nil {
		return fmt.Errorf("parameters: hash %s: %w", path, err)
	}
	f.Source.File, f.Source.SHA256 = filepath.Base(path), hex.EncodeToString(h.Sum(nil))
	return nil
}

func civil(day int32) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }
