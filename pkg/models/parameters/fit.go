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
)

// ErrFit is a fit that is not to be used.
var ErrFit = errors.New("parameters: the fit is not usable")

// farthest is how many days the end may lie after the last purchase: beyond ten years it is a slip of the pen.
const farthest = 3653

// FitOptions say what to fit to.
type FitOptions struct {
	// Until is the last civil day that counts, from 1970-01-01; customers are seen as of its end.
	Until int32
	// MinorPerUnit is how many minor units make a unit of money, Currency its code.
	MinorPerUnit float64
	Currency     string
	// Now becomes fitted_at and, in digits, the version, so that a later fit has a higher one.
	Now time.Time
}

// Fit fits MBG/NBD and Gamma-Gamma with their weak priors to the customers who had bought by Until. The source's file and
// hash are the caller's to fill in. It returns lifetimes.ErrNoData where nobody had, and ErrFit for a fit that failed.
func Fit(all []lifetimes.History, o FitOptions) (*File, error) {
	var rows []lifetimes.Summary
	first, last := int32(math.MaxInt32), int32(math.MinInt32)
	for _, h := range all {
		if h = h.Until(o.Until); len(h) > 0 {
			first, last = min(first, h[0].Day), max(last, h[len(h)-1].Day)
			rows = append(rows, h.Summary(float64(o.Until), 7, o.MinorPerUnit))
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("parameters: %w: nobody had bought by %s", lifetimes.ErrNoData, civil(o.Until))
	}
	if o.Until-last > farthest {
		return nil, fmt.Errorf("%w: the last purchase is on %s, and customers are to be seen as of %s; give an earlier --until", ErrFit, civil(last), civil(o.Until))
	}
	purchases, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	if err != nil {
		return nil, fmt.Errorf("parameters: fit purchases: %w", err)
	}
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	if err != nil {
		return nil, fmt.Errorf("parameters: fit spend: %w", err)
	}
	if !purchases.Converged {
		return nil, fmt.Errorf("%w: MBG/NBD on %d customers, %d of them repeat buyers: %s; look at `mainstay backtest` and at the mapping of the columns",
			ErrFit, purchases.Customers, purchases.RepeatBuyers, purchases.Problem)
	}
	at := o.Now.UTC().Truncate(time.Second)
	version, err := strconv.ParseUint(at.Format("20060102150405"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("parameters: version from %v: %w", at, err)
	}
	f := &File{
		Format: Format, Version: version, Model: Model, Status: string(purchases.Status), FittedAt: at, TimeUnit: "week", Currency: o.Currency,
		Purchases: Purchases(purchases.Model),
		Diagnostics: Diagnostics{
			Converged: true, Customers: purchases.Customers, RepeatBuyers: purchases.RepeatBuyers,
			LogLikelihood: purchases.LogLikelihood, GradientNorm: purchases.GradientNorm,
			StandardErrors: Purchases(purchases.StandardErrors),
		},
		Source: Source{First: civil(first), Until: civil(o.Until)},
	}
	if spend.Status != lifetimes.StatusPrior {
		if !spend.Converged {
			return nil, fmt.Errorf("%w: Gamma-Gamma on %d repeat buyers: %s; look at the column of amounts", ErrFit, spend.RepeatBuyers, spend.Problem)
		}
		s, e := Spend(spend.Model), Spend(spend.StandardErrors)
		f.Spend, f.Diagnostics.SpendErrors = &s, &e
	}
	return f, nil
}

// Stamp fills in the name and the hash of the file that was fitted to.
func (f *File) Stamp(path string) error {
	from, err := os.Open(path) //nolint:gosec // the person names the file
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
