// Package parameters owns the file of model parameters, which `mainstay fit` writes and `mainstay run` starts with. It is YAML and is
// decoded strictly: an unknown key, format or model, or a number outside its domain, is an error that names the file and the key.
//
// It refuses to write or to read the parameters of a fit that did not converge.
package parameters

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/processors/model"
)

// Format is the version of the file format.
const Format = "mainstay/parameters/v1"

// ErrFile is wrapped by each error about the content of a file.
var ErrFile = errors.New("not a usable parameter file")

// File is a parameter file.
type File struct {
	Format string `yaml:"format" json:"format"`
	// Version increases with every fit; a ledger accepts only a higher version than its own.
	Version uint64 `yaml:"version" json:"version"`
	// Model is one of model.Names.
	Model string `yaml:"model" json:"model"`
	// Status is lifetimes.Status: prior, provisional or fitted.
	Status   string    `yaml:"status" json:"status"`
	FittedAt time.Time `yaml:"fitted_at" json:"fitted_at"`
	TimeUnit string    `yaml:"time_unit" json:"time_unit"` // week
	// Currency is the ISO 4217 code of the amounts; empty if the source has none.
	Currency    string      `yaml:"currency" json:"currency"`
	Purchases   *Purchases  `yaml:"purchases,omitempty" json:"purchases,omitempty"` // of all models but pareto_nbd
	Pareto      *Pareto     `yaml:"pareto,omitempty" json:"pareto,omitempty"`       // of pareto_nbd and blended
	Blend       *Blend      `yaml:"blend,omitempty" json:"blend,omitempty"`         // of blended
	Season      *Season     `yaml:"season,omitempty" json:"season,omitempty"`       // absent: none
	Spend       *Spend      `yaml:"spend" json:"spend"`                             // absent without repeat buyers: the prior does not know the scale of a currency
	Uncertainty Uncertainty `yaml:"uncertainty" json:"uncertainty"`                 // widens intervals; absent in older files
	Diagnostics Diagnostics `yaml:"diagnostics" json:"diagnostics"`
	Source      Source      `yaml:"source" json:"source"`
	Choice      *Choice     `yaml:"choice,omitempty" json:"choice,omitempty"` // how the model was chosen; absent if it was given
	Notes       []string    `yaml:"notes,omitempty" json:"notes,omitempty"`   // what the fit fell back to
}

// Purchases are the parameters of MBG/NBD or BG/NBD, with time in weeks.
type Purchases struct {
	R     float64 `yaml:"r" json:"r"`
	Alpha float64 `yaml:"alpha" json:"alpha"`
	A     float64 `yaml:"a" json:"a"`
	B     float64 `yaml:"b" json:"b"`
}

// Pareto are the parameters of Pareto/NBD, with time in weeks.
type Pareto struct {
	R     float64 `yaml:"r" json:"r"`
	Alpha float64 `yaml:"alpha" json:"alpha"`
	S     float64 `yaml:"s" json:"s"`
	Beta  float64 `yaml:"beta" json:"beta"`
}

// Blend holds the weights and corrections of the blended scorer; see lifetimes.Scorer. Times are in weeks, amounts in major units.
type Blend struct {
	BGNBD          bool        `yaml:"bg_nbd" json:"bg_nbd"`                   // the beta-dropout model is BG/NBD; false: MBG/NBD
	AliveByPareto  bool        `yaml:"alive_by_pareto" json:"alive_by_pareto"` // P(alive) is that of Pareto/NBD, not of the blend
	ParetoInOdds   float64     `yaml:"pareto_in_odds" json:"pareto_in_odds"`
	ParetoInCounts float64     `yaml:"pareto_in_counts" json:"pareto_in_counts"`
	Lift           float64     `yaml:"lift" json:"lift"`
	Centre         float64     `yaml:"centre" json:"centre"`
	Shift          float64     `yaml:"shift" json:"shift"`
	Slope          float64     `yaml:"slope" json:"slope"`
	Level          float64     `yaml:"level" json:"level"`
	Power          float64     `yaml:"power" json:"power"`
	Typical        float64     `yaml:"typical" json:"typical"`
	Horizon        float64     `yaml:"horizon" json:"horizon"`
	Silence        Percentiles `yaml:"silence" json:"silence"`
	Repeats        Percentiles `yaml:"repeats" json:"repeats"`
	Value          Percentiles `yaml:"value" json:"value"`
}

// Season is how many times as often as on average customers buy on a day; see season.Season. Each list may be absent.
type Season struct {
	Weekly    []float64        `yaml:"weekly,flow,omitempty" json:"weekly,omitempty"` // from Monday
	Yearly    []float64        `yaml:"yearly,flow,omitempty" json:"yearly,omitempty"` // from January
	Events    []SeasonEvent    `yaml:"events,omitempty" json:"events,omitempty"`
	Campaigns []SeasonCampaign `yaml:"campaigns,omitempty" json:"campaigns,omitempty"`
}

// SeasonEvent is one of season.Events.
type SeasonEvent struct {
	Name       string  `yaml:"name" json:"name"`
	Multiplier float64 `yaml:"multiplier" json:"multiplier"`
}

// SeasonCampaign is a campaign of the shop; First and Last are days, YYYY-MM-DD.
type SeasonCampaign struct {
	Name       string  `yaml:"name" json:"name"`
	First      string  `yaml:"first" json:"first"`
	Last       string  `yaml:"last" json:"last"`
	Multiplier float64 `yaml:"multiplier" json:"multiplier"`
}

// Percentiles are a distribution over the customers; see lifetimes.Percentiles.
type Percentiles struct {
	At    []float64 `yaml:"at,flow" json:"at"`
	Share []float64 `yaml:"share,flow" json:"share"`
}

// Spend are the parameters of Gamma-Gamma; v is in major units of the currency.
type Spend struct {
	P float64 `yaml:"p" json:"p"`
	Q float64 `yaml:"q" json:"q"`
	V float64 `yaml:"v" json:"v"`
}

// Uncertainty holds relative standard errors, by the observed information: of the orders that are expected of all customers within a
// year, and of the mean value of an order.
type Uncertainty struct {
	Orders float64 `yaml:"orders" json:"orders"`
	Spend  float64 `yaml:"spend" json:"spend"`
}

// Diagnostics describe the fit; see lifetimes.Diagnostics.
type Diagnostics struct {
	Converged     bool    `yaml:"converged" json:"converged"`
	Customers     int     `yaml:"customers" json:"customers"`
	RepeatBuyers  int     `yaml:"repeat_buyers" json:"repeat_buyers"`
	LogLikelihood float64 `yaml:"log_likelihood" json:"log_likelihood"`
	GradientNorm  float64 `yaml:"gradient_norm" json:"gradient_norm"`
	// The standard error of each parameter; 0: not determined by the data. The blended scorer has none for purchases.
	StandardErrors *Purchases `yaml:"standard_errors,omitempty" json:"standard_errors,omitempty"`
	ParetoErrors   *Pareto    `yaml:"pareto_errors,omitempty" json:"pareto_errors,omitempty"`
	SpendErrors    *Spend     `yaml:"spend_errors" json:"spend_errors"`
}

// Source describes the data of the fit.
type Source struct {
	File   string `yaml:"file" json:"file"` // base name
	SHA256 string `yaml:"sha256" json:"sha256"`
	First  string `yaml:"first" json:"first"` // day of the first purchase, YYYY-MM-DD
	Until  string `yaml:"until" json:"until"` // last day of the data, YYYY-MM-DD
}

// Validate returns an error that wraps ErrFile and names the key, or nil.
func (f *File) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrFile, fmt.Errorf(format, args...))
	}
	switch {
	case f.Format != Format:
		return bad("format is %q; this release reads %q", f.Format, Format)
	case f.Version == 0:
		return bad("version is 0, the version of the built-in prior; it must be at least 1")
	case !slices.Contains(model.Names(), f.Model):
		return bad("model is %q; this release has %s", f.Model, strings.Join(model.Names(), ", "))
	case f.TimeUnit != "week":
		return bad("time_unit is %q; it must be \"week\"", f.TimeUnit)
	case !slices.Contains(model.Statuses(), f.Status):
		return bad("status is %q; it must be prior, provisional or fitted", f.Status)
	case !f.Diagnostics.Converged:
		return bad("diagnostics.converged is false: these parameters must not be used")
	}
	// The keys of the model, and those of other models.
	for _, key := range []struct {
		name         string
		given, wants bool
	}{
		{"purchases", f.Purchases != nil, f.Model != model.ParetoNBD},
		{"pareto", f.Pareto != nil, f.Model == model.ParetoNBD || f.Model == model.Blended},
		{"blend", f.Blend != nil, f.Model == model.Blended},
	} {
		switch {
		case key.wants && !key.given:
			return bad("%s is missing, which model %s has", key.name, f.Model)
		case key.given && !key.wants:
			return bad("%s is given, which model %s does not have", key.name, f.Model)
		}
	}
	if f.Season != nil {
		for _, c := range f.Season.Campaigns {
			for _, day := range []string{c.First, c.Last} {
				if _, err := time.Parse(time.DateOnly, day); err != nil {
					return bad("campaign %s has the day %q; write it as 2026-05-01", c.Name, day)
				}
			}
		}
	}
	if err := model.Validate(f.Ledger()); err != nil {
		return bad("%w", err)
	}
	return nil
}

// most is the maximum size of a file in bytes, far above what the format can need.
const most = 1 << 20

// Read reads a file and validates it.
func Read(path string) (*File, error) {
	from, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	defer from.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("parameters: read %s: %w", path, err)
	}
	f, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("parameters: %s: %w", path, err)
	}
	return f, nil
}

// Parse reads a file's content and validates it.
func Parse(content []byte) (*File, error) {
	if len(content) > most {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", ErrFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	f := new(File)
	if err := decoder.Decode(f); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty", ErrFile)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it has content after the parameters", ErrFile)
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	return f, nil
}

// Encode validates the file and returns its content.
func (f *File) Encode() ([]byte, error) {
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("# Parameters of the models, written by mainstay fit. Times in weeks, money in major units.\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(f), encoder.Close()); err != nil {
		return nil, fmt.Errorf("parameters: encode: %w", err)
	}
	return b.Bytes(), nil
}

// Write writes the file atomically and replaces an existing one.
func (f *File) Write(path string) error {
	content, err := f.Encode()
	if err != nil {
		return err
	}
	to, err := os.CreateTemp(filepath.Dir(path), ".parameters-*")
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	_, err = to.Write(content)
	err = errors.Join(err, to.Chmod(0o644), to.Sync(), to.Close())
	if err == nil {
		err = os.Rename(to.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("parameters: write %s: %w", path, errors.Join(err, os.Remove(to.Name())))
	}
	return nil
}
