// Package forget owns the erasure of one customer at an operator's request: it appends an erase entry to the ledger, as intake does for a
// request of an input topic.
//
// It refuses to touch state, outputs or the entries from before: the fold of the entry does what follows (processors), and a copy of the
// ledger leaves the entries out (pkg/ops/ledgercopy).
package forget

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Request asks that a customer be forgotten.
type Request struct {
	enter.Ledger
	Customer string // id, as given
	Unknown  bool   // also if there is no such customer
}

var errCopying = errors.New("forget the customer in the ledger that is copied, which hands the erasure on")

// Append appends the erase entry. Its error may be enter.ErrNoCustomer, enter.ErrCopying, or lookup.ErrUnknownCustomer: there is no such customer, and nothing
// was changed.
func (r *Request) Append(ctx context.Context, c *redis.Client) (enter.Place, error) {
	id, err := r.Ledger.Customer(r.Customer)
	if err != nil {
		return enter.Place{}, err
	}
	_, err = lookup.Customer(ctx, c, r.Namespace, r.Genesis, id)
	if unknown := errors.Is(err, lookup.ErrUnknownCustomer); err != nil && (!unknown || !r.Unknown) {
		return enter.Place{}, err
	}
	e := &ledger.Event{Id: "forget-" + strconv.FormatUint(r.Random(), 36), Source: event.Erasure.String(), OccurredAt: r.Now().UnixMilli(), Erasure: &ledger.Erasure{}}
	place, err := r.Ledger.Append(ctx, ledger.Kind_KIND_ERASE, id, e)
	if errors.Is(err, enter.ErrCopying) {
		err = fmt.Errorf("%w: %w", err, errCopying)
	}
	return place, err
}
