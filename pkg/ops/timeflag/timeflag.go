// Package timeflag owns the reading of times that a person types as flags of a command.
//
// It refuses words other than now, and dates in any form but ISO 8601: those can be read in more than one way.
package timeflag

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var errFormat = errors.New("must be a time like 2026-03-01T12:00:00Z, a day like 2026-03-01, now, or a duration from now like -36h or -30d")

// Parse reads RFC 3339, a day (its start in UTC), now, or a duration from now, in Go's form or in days.
func Parse(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now.UTC().Truncate(time.Millisecond), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return now.UTC().AddDate(0, 0, n).Truncate(time.Millisecond), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.UTC().Add(d).Truncate(time.Millisecond), nil
	}
	return time.Time{}, fmt.Errorf("%w; it is %q", errFormat, text)
}
