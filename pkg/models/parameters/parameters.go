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
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Format is the version of the file format.
const Format = "mainstay/parameters/v1"

// Model is the name of the purchase model, MBG/NBD, as in the ledger.
const Model = "mbg_nbd"

// ErrFile is wrapped by each error about the content of a file.
var ErrFile = errors.New("not a usable parameter file")

// File is a parameter file.
type File struct {
	Format string `yaml:"format" json:"format"`
	// Version increases with every fit; a ledger accepts only a higher version than its own.
	Version uint64 `yaml:"version" json:"version"`
	Model   string `yaml:"model" json:"model"`
	// Status is lifetimes.Status: prior, provisional or fitted.
	Status   string    `yaml:"status" json:"status"`
	FittedAt time.Time `yaml:"fitted_at" json:"fitted_at"`
	TimeUnit string    `yaml:"time_unit" json:"time_unit"` // week
	// Currency is the ISO 4217 code of the amounts; empty if the source has none.
	Currency    string      `yaml:"currency" json:"currency"`
	Purchases   Purchases   `yaml:"purchases" json:"purchases"`
	Spend       *Spend      `yaml:"spend" json:"spend"` // absent without repeat buyers: the prior does not know the scale of a currency
	Diagnostics Diagnostics `yaml:"diagnostics" json:"diagnostics"`
	Source      Source      `yaml:"source" json:"source"`
}

// Purchases are the parameters of MBG/NBD, with time in weeks.
type Purchases struct {
	R     float64 `yaml:"r" json:"r"`
	Alpha float64 `yaml:"alpha" json:"alpha"`
	A     float64 `yaml:"a" json:"a"`
	B     float64 `yaml:"b" json:"b"`
}

// Spend are the parameters of Gamma-Gamma; v is in major units of the currency.
type Spend struct {
	P float64 `yaml:"p" json:"p"`
	Q float64 `yaml:"q" json:"q"`
	V float64 `yaml:"v" json:"v"`
}

// Diagnostics describe the fit; see lifetimes.Diagnostics.
type Diagnostics struct {
	Converged      bool      `yaml:"converged" json:"converged"`
	Customers      int       `yaml:"customers" json:"customers"`
	RepeatBuyers   int       `yaml:"repeat_buyers" json:"repeat_buyers"`
	LogLikelihood  float64   `yaml:"log_likelihood" json:"log_likelihood"`
	GradientNorm   float64   `yaml:"gradient_norm" json:"gradient_norm"`
	StandardErrors Purchases `yaml:"standard_errors" json:"standard_errors"` // 0: not determined by the data
	SpendErrors    *Spend    `yaml:"spend_errors" json:"spend_errors"`
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
	case f.Model != Model:
		return bad("model is %q; this release has %q", f.Model, Model)
	case f.TimeUnit != "week":
		return bad("time_unit is %q; it must be \"week\"", f.TimeUnit)
	case !slices.Contains([]lifetimes.Status{lifetimes.StatusPrior, lifetimes.StatusProvisional, lifetimes.StatusFitted}, lifetimes.Status(f.Status)):
		return bad("status is %q; it must be prior, provisional or fitted", f.Status)
	case !f.Diagnostics.Converged:
		return bad("diagnostics.converged is false: these parameters must not be used")
	}
	if err := lifetimes.MBGNBD(f.Purchases).Validate(); err != nil {
		return bad("purchases: %w", err)
	}
	if f.Spend != nil {
		if err := lifetimes.GammaGamma(*f.Spend).Validate(); err != nil {
			return bad("spend: %w", err)
		}
	}
	return nil
}

// Ledger returns the payload of a parameters entry. Without Spend, p, q and v are 0, as in the built-in prior.
func (f *File) Ledger() *ledger.Parameters {
	p := &ledger.Parameters{
		Version: f.Version, Model: f.Model, Status: f.Status,
		R: f.Purchases.R, Alpha: f.Purchases.Alpha, A: f.Purchases.A, B: f.Purchases.B,
	}
	if f.Spend != nil {
		p.P, p.Q, p.V = f.Spend.P, f.Spend.Q, f.Spend.V
	}
	return p
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
