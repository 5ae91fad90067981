// Package merge owns the merge of a customer into another at an operator's request: it appends a merge entry to the ledger, as intake does for
// what a tool for identities states.
//
// It refuses to touch state, outputs or the entries from before: the folds of the entry and of those that follow from it do what follows
// (processors).
package merge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// The refusals of a merge. Nothing was changed.
var (
	ErrSame   = errors.New("both ids are the same customer, as the ledger has them: name two")
	ErrMerged = errors.New("the customer is merged already")
	ErrCycle  = errors.New("a cycle of merges")
)

// Merge is a merge that can be asked for.
type Merge struct {
	From, Into processors.CustomerScores // as they are now; Into is who remains, also where the id that was given is merged into them
	asGiven    string
}

// Plan reads both customers, and refuses a merge that would change nothing or that the fold would reject. Besides the refusals, its
// error may be enter.ErrNoCustomer or lookup.ErrUnknownCustomer.
func Plan(ctx context.Context, l *enter.Ledger, c *redis.Client, from, into string) (*Merge, error) {
	ids := [2]string{from, into}
	var all [2]processors.CustomerScores
	for i := range ids {
		var err error
		if ids[i], err = l.Customer(ids[i]); err != nil {
			return nil, err
		}
		if all[i], err = lookup.Customer(ctx, c, l.Namespace, l.Genesis, ids[i]); err != nil {
			return nil, fmt.Errorf("customer %q: %w", ids[i], err)
		}
	}
	switch {
	case ids[0] == ids[1]:
		return nil, ErrSame
	case all[0].Customer != ids[0]:
		return nil, fmt.Errorf("customer %q: %w, into %q: merge that one", ids[0], ErrMerged, all[0].Customer)
	case all[1].Customer == ids[0]:
		return nil, fmt.Errorf("%w: %q was merged into %q before, so they are one customer already", ErrCycle, ids[1], ids[0])
	}
	return &Merge{From: all[0], Into: all[1], asGiven: ids[1]}, nil
}

// Append asks for the merge.
func (m *Merge) Append(ctx context.Context, l *enter.Ledger) (enter.Place, error) {
	place, err := l.Append(ctx, ledger.Kind_KIND_MERGE, m.From.Customer, &ledger.Event{
		Id: "merge-" + strconv.FormatUint(l.Random(), 36), Source: event.Identity.String(), OccurredAt: l.Now().UnixMilli(), Merge: &ledger.Merge{Into: m.asGiven},
	})
	if errors.Is(err, enter.ErrCopying) {
		err = fmt.Errorf("%w: merge the customers in the ledger that is copied, which hands the merge on", err)
	}
	return place, err
}

// ErrRejected means that the fold has rejected the merge: another one came before it.
var ErrRejected = errors.New("the merge was rejected, since another came before it")

// Wait waits until the customer who remains has taken over what is known of the other, and returns their answers. The error may be
// ErrRejected or enter.ErrNotFolded.
func (m *Merge) Wait(ctx context.Context, l *enter.Ledger, c *redis.Client, at enter.Place, timeout time.Duration) (remains processors.CustomerScores, err error) {
	if err := l.WaitFolded(ctx, c, at, timeout); err != nil {
		return remains, err
	}
	err = enter.Wait(ctx, timeout, func(ctx context.Context) (taken bool, err error) {
		remains, taken, err = lookup.TakenOver(ctx, c, l.Namespace, l.Genesis, m.From.Customer)
		if err == nil && remains.Customer == m.From.Customer {
			err = ErrRejected
		}
		return taken, err
	})
	return remains, err
}
