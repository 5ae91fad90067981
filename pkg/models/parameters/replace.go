package parameters

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/mainstay/mainstay/processors/model"
)

// ErrReplace is returned for a file that must not be replaced unasked.
var ErrReplace = errors.New("parameters: an existing file is kept")

// MayReplace returns an error that wraps ErrReplace if path exists and is not the parameter file of the same source, or is a better
// one: fitted to later or more data, or with a better status. A source is the same if its name and currency are.
func (f *File) MayReplace(path string) error {
	old, err := Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, ErrFile):
		return fmt.Errorf("%w: %s is not a parameter file of this release", ErrReplace, path)
	case err != nil:
		return err
	}
	grade := func(f *File) int { return slices.Index(model.Statuses(), f.Status) }
	keep := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s %s", ErrReplace, path, fmt.Sprintf(format, args...))
	}
	switch {
	case old.Currency != f.Currency:
		return keep("has amounts in %s, and the fit in %s", named(old.Currency), named(f.Currency))
	case old.Source.File != f.Source.File:
		return keep("was fitted to %s, and the fit is to %s", named(old.Source.File), named(f.Source.File))
	case old.Source.Until > f.Source.Until:
		return keep("was fitted to purchases until %s, and the fit until %s", old.Source.Until, f.Source.Until)
	case old.Diagnostics.Customers > f.Diagnostics.Customers:
		return keep("was fitted to %d customers, and the fit to %d", old.Diagnostics.Customers, f.Diagnostics.Customers)
	case grade(old) > grade(f):
		return keep("is %s, and the fit is %s", old.Status, f.Status)
	}
	return nil
}

func named(text string) string {
	if text == "" {
		return "none stated"
	}
	return text
}
