// Package parameters owns the file of model parameters: what `mainstay fit` writes, a person reads, and `mainstay run`
// starts from. It is YAML, and read strictly: an unknown key, another format, a model that this release does not have,
// or a number outside its domain is an error that names the file and the key.
//
// It refuses fits that did not converge: parameters that nobody should use are not written, and not read.
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

// Format is the only one there is.
const Format = "mainstay/parameters/v1"

// Model is the model of purchases in the file, MBG/NBD, under the name that it has in the ledger.
const Model = "mbg_nbd"

// ErrFile is what is wrong with a file's content. Each returned error about content wraps it.
var ErrFile = errors.New("not a usable parameter file")

// File is a parameter file.
type File struct {
	Format string `yaml:"format" json:"format"`
	// Version rises with every fit; a ledger takes only a higher one than it has.
	Version uint64 `yaml:"version" json:"version"`
	Model   string `yaml:"model" json:"model"`
	// Status is lifetimes.Status: prior, provisional or fitted.
	Status   string    `yaml:"status" json:"status"`
	FittedAt time.Time `yaml:"fitted_at" json:"fitted_at"`
	TimeUnit string    `yaml:"time_unit" json:"time_unit"` // week
	// Currency is that of the values, in major units; empty where the source stated none.
	Currency    string      `yaml:"currency" json:"currency"`
	Purchases   Purchases   `yaml:"purchases" json:"purchases"`
	Spend       *Spend      `yaml:"spend" json:"spend"` // absent where nobody has bought twice: a prior knows no currency's scale
	Diagnostics Diagnostics `yaml:"diagnostics" json:"diagnostics"`
	Source      Source      `yaml:"source" json:"source"`
}

// Purchases are the parameters of MBG/NBD, time in weeks.
type Purchases struct {
	R     float64 `yaml:"r" json:"r"`
	Alpha float64 `yaml:"alpha" json:"alpha"`
	A     float64 `yaml:"a" json:"a"`
	B     float64 `yaml:"b" json:"b"`
}

// Spend are the parameters of Gamma-Gamma, v in major units of money.
type Spend struct {
	P float64 `yaml:"p" json:"p"`
	Q float64 `yaml:"q" json:"q"`
	V float64 `yaml:"v" json:"v"`
}

// Diagnostics say what the fit went through; see lifetimes.Diagnostics.
type Diagnostics struct {
	Converged      bool      `yaml:"converged" json:"converged"`
	Customers      int       `yaml:"customers" json:"customers"`
	RepeatBuyers   int       `yaml:"repeat_buyers" json:"repeat_buyers"`
	LogLikelihood  float64   `yaml:"log_likelihood" json:"log_likelihood"`
	GradientNorm   float64   `yaml:"gradient_norm" json:"gradient_norm"`
	StandardErrors Purchases `yaml:"standard_errors" json:"standard_errors"` // 0: not determined by the data
	SpendErrors    *Spend    `yaml:"spend_errors" json:"spend_errors"`
}

// Source is what was fitted to.
type Source struct {
	File   string `yaml:"file" json:"file"` // its last path element
	SHA256 string `yaml:"sha256" json:"sha256"`
	First  string `yaml:"first" json:"first"` // day of the first purchase, YYYY-MM-DD
	Until  string `yaml:"until" json:"until"` // day up to which customers were seen
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
		return bad("version is 0, which is the built-in prior's; it must be at least 1")
	case f.Model != Model:
		return bad("model is %q; this release has %q", f.Model, Model)
	case f.TimeUnit != "week":
		return bad("time_unit is %q; it must be \"week\"", f.TimeUnit)
	case !slices.Contains([]lifetimes.Status{lifetimes.StatusPrior, lifetimes.StatusProvisional, lifetimes.StatusFitted}, lifetimes.Status(f.Status)):
		return bad("status is %q; it must be prior, provisional or fitted", f.Status)
	case !f.Diagnostics.Converged:
		return bad("diagnostics.converged is false: these parameters are not to be used")
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

// Ledger is the file as the ledger's entry. Without spend, p, q and v are 0, as in the built-in prior.
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

// most is far above what a parameter file can need.
const most = 1 << 20

// Read reads a file and validates it.
func Read(path string) (*File, error) {
	from, err := os.Open(path) //nolint:gosec // the person names the file
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
		return nil, fmt.Errorf("%w: something follows after the parameters", ErrFile)
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	return f, nil
}

// Encode validates a file and returns it as it is written.
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

// Write writes a file as a whole or not at all, over one that may be there.
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
