// Package callmark owns how somebody states what they did about a customer on the list of calls: it checks a statement against the ledger's time
// and appends it to the ledger, where the customer's state keeps it (processors/customer).
//
// It refuses to change anything unless the customer is known and the mark can be kept.
package callmark

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// The marks that can be stated.
const (
	Done   = "done"
	Snooze = "snooze"
	Clear  = "clear"
)

// Marks are the marks that can be stated.
func Marks() []string { return []string{Done, Snooze, Clear} }

// Statement is a mark as somebody states it.
type Statement struct {
	Mark  string // one of Marks
	Until string // of Snooze: days from the ledger's time on (7d), a day in its time zone, or RFC 3339; empty otherwise
	By    string // who states it; empty: not stated
	Note  string
}

// NameOf returns the part of a name that fits into By.
func NameOf(name string) string {
	name = name[:min(len(name), customer.MostMarkBy)]
	return strings.ToValidUTF8(name, "")
}

// FieldError says which field of a statement is wrong. Nothing was changed.
type FieldError struct {
	Field string // mark, until, by or note
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

// mostSnoozed bounds a snooze, so that a year that is mistyped hides nobody for good.
const mostSnoozed = 366 * 24 * time.Hour

var errUntil = errors.New("want a number of days such as 7d, a day such as 2026-12-24, or a time such as 2026-12-24T09:00:00Z")

// Payload reads a statement, as of the ledger's time and in its time zone. An error is a *FieldError.
func (s *Statement) Payload(now time.Time, zone *time.Location) (*ledger.CallMark, error) {
	k := &ledger.CallMark{By: strings.TrimSpace(s.By), Note: strings.TrimSpace(s.Note)}
	switch s.Mark {
	case Done:
		k.Kind = ledger.CallMarkKind_CALL_MARK_KIND_DONE
	case Snooze:
		k.Kind = ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED
	case Clear:
	default:
		return nil, &FieldError{"mark", fmt.Errorf("want one of %s", strings.Join(Marks(), ", "))}
	}
	for _, t := range []struct {
		field, text string
		most        int
	}{{"by", k.GetBy(), customer.MostMarkBy}, {"note", k.GetNote(), customer.MostMarkNote}} {
		if len(t.text) > t.most || !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, unicode.IsControl) {
			return nil, &FieldError{t.field, fmt.Errorf("at most %d bytes of UTF-8 without line breaks and other control characters are wanted", t.most)}
		}
	}
	switch {
	case s.Mark == Snooze:
		until, err := parseUntil(s.Until, now, zone)
		if err != nil {
			return nil, &FieldError{"until", err}
		}
		k.Until = until.UnixMilli()
	case s.Until != "":
		return nil, &FieldError{"until", fmt.Errorf("only a snooze has an end")}
	}
	return k, nil
}

func parseUntil(text string, now time.Time, zone *time.Location) (until time.Time, err error) {
	if days, is := strings.CutSuffix(text, "d"); is {
		n, err := strconv.Atoi(days)
		if err != nil {
			return until, errUntil
		}
		until = now.AddDate(0, 0, min(max(n, -1), 10_000))
	} else if until, err = time.ParseInLocation(time.DateOnly, text, zone); err != nil {
		if until, err = time.Parse(time.RFC3339, text); err != nil {
			return until, errUntil
		}
	}
	if !until.After(now) || until.After(now.Add(mostSnoozed)) {
		return until, fmt.Errorf("must be after the ledger's time, %s, and at most %d days after it", timestamp.Append(nil, now.UnixMilli()), mostSnoozed/(24*time.Hour))
	}
	return until, nil
}

// Mark marks a customer, as Marker.Mark does.
type Mark func(ctx context.Context, id string, s Statement) (Entered, error)

// Marker marks customers.
type Marker struct {
	Ledger  enter.Ledger
	Redis   *redis.Client
	Timeout time.Duration // how long to wait until a mark is folded
}

// Entered is a mark in the ledger.
type Entered struct {
	Customer string // as the ledger has the id; of one who was merged, the customer who remains
	Mark     *ledger.CallMark
	Place    enter.Place
	Folded   bool // Redis holds it
}

// Mark appends a mark and waits until it is folded. The error may be a *FieldError, enter.ErrNoCustomer, enter.ErrCopying, lookup.ErrUnknownCustomer or
// lookup.ErrNoState: then nothing was changed. Once the mark is in the ledger there is no error, whether or not it is seen to be folded.
func (m *Marker) Mark(ctx context.Context, id string, s Statement) (Entered, error) {
	l := &m.Ledger
	zone, err := time.LoadLocation(l.Genesis.GetTimezone())
	if err != nil {
		return Entered{}, fmt.Errorf("the ledger's time zone: %w", err)
	}
	if id, err = l.Customer(id); err != nil {
		return Entered{}, err
	}
	scores, err := lookup.Customer(ctx, m.Redis, l.Namespace, l.Genesis, id)
	if err != nil {
		return Entered{}, err
	}
	payload, err := s.Payload(time.UnixMilli(scores.AsOf).UTC(), zone)
	if err != nil {
		return Entered{}, err
	}
	e := Entered{Customer: scores.Customer, Mark: payload}
	if e.Place, err = Append(ctx, l, e.Customer, payload); err != nil {
		return Entered{}, err
	}
	e.Folded = l.WaitFolded(ctx, m.Redis, e.Place, m.Timeout) == nil
	return e, nil
}

// Append appends a mark of a customer who is known.
func Append(ctx context.Context, l *enter.Ledger, id string, k *ledger.CallMark) (enter.Place, error) {
	place, err := l.Append(ctx, ledger.Kind_KIND_CALL_MARK, id, k)
	if errors.Is(err, enter.ErrCopying) {
		err = fmt.Errorf("%w: mark the customer in the ledger that is copied, of which the copy gets it", err)
	}
	return place, err
}
