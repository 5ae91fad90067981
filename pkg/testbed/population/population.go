// Package population owns a small customer base in memory, for tests of what reads the state: the customers of a scenario, folded by Step,
// as a Source of package views.
//
// It refuses to simulate Redis, whose reads have tests of their own.
package population

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/sandbox/ruletest"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/enter"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
)

// Population is a Source of views. It counts the reads of all customers.
type Population struct {
	partition *processors.Partition
	customers *memstore.MemStore
	reading   *sync.Mutex // of partition and customers, which no two may read at once
	Walks     atomic.Int64
	Err       error // of every read; nil: none
}

// New folds a scenario (package ruletest) under the shipped rules.
func New(scenario string) (*Population, error) {
	s, err := ruletest.New(alert.Shipped(), nil)
	if err != nil {
		return nil, err
	}
	if err := s.Run(strings.NewReader(scenario), func(string, []string) error { return nil }); err != nil {
		return nil, fmt.Errorf("fold the scenario: %w", err)
	}
	p := &Population{reading: new(sync.Mutex)}
	p.partition, p.customers = s.State()
	return p, nil
}

// Again returns the same customers with counters of their own.
func (p *Population) Again() *Population {
	return &Population{partition: p.partition, customers: p.customers, reading: p.reading}
}

// Mark marks a customer, of the populations that Again has returned, too.
func (p *Population) Mark(ctx context.Context, id string, s callmark.Statement) (callmark.Entered, error) {
	profile, err := p.Profile(ctx, id)
	if err != nil {
		return callmark.Entered{}, err
	}
	payload, err := s.Payload(time.UnixMilli(profile.Scores.AsOf), time.UTC)
	if err != nil {
		return callmark.Entered{}, err
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	state, err := p.customers.Customer(id)
	if err != nil {
		return callmark.Entered{}, err
	}
	state.RecordCallMark(customer.Moment{Now: profile.Scores.AsOf}, payload)
	return callmark.Entered{Customer: id, Mark: payload, Place: enter.Place(profile.Explanation.Ledger), Folded: true}, nil
}

// IDs are the ids of all customers, in order.
func (p *Population) IDs() (all []string) {
	p.customers.Each(func(id string, _ *customer.State) { all = append(all, id) })
	slices.Sort(all)
	return all
}

// Profile reads a customer.
func (p *Population) Profile(_ context.Context, id string) (*lookup.Profile, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	s, err := p.customers.Customer(id)
	switch {
	case p.Err != nil:
		return nil, p.Err
	case err != nil:
		return nil, err
	case s == nil:
		return nil, lookup.ErrUnknownCustomer
	}
	return lookup.NewProfile(p.partition, id, s), nil
}

// List lists customers.
func (p *Population) List(ctx context.Context, q lookup.ListQuery) (*lookup.Listing, error) {
	return q.List(ctx, p.walk)
}

// Tally counts customers and open alerts.
func (p *Population) Tally(ctx context.Context, q lookup.AlertQuery) (*lookup.Tally, error) {
	return q.Tally(ctx, p.walk)
}

// Segments sums customers by each of some dimensions.
func (p *Population) Segments(ctx context.Context, by []lookup.Dimension) ([]*lookup.Segments, error) {
	return lookup.SumSegments(ctx, p.walk, by, nil)
}

// Calendar returns what all customers did month by month. It counts as no read of all customers.
func (p *Population) Calendar(context.Context) (*lookup.Calendar, error) {
	if p.Err != nil {
		return nil, p.Err
	}
	return lookup.SumCalendars([]*processors.Partition{p.partition})
}

// Returns returns what all customers bought and what was spent on them.
func (p *Population) Returns(ctx context.Context) (*lookup.Returns, error) {
	if p.Err != nil {
		return nil, p.Err
	}
	return lookup.SumReturns(ctx, []*processors.Partition{p.partition}, p.walk, nil)
}

// Model returns what customers are scored with. It counts as no read of all customers.
func (p *Population) Model(context.Context) (*lookup.Model, error) {
	if p.Err != nil {
		return nil, p.Err
	}
	return lookup.SumModels([]*processors.Partition{p.partition}), nil
}

// Snapshot returns all customers.
func (p *Population) Snapshot(context.Context, int32) (*lookup.Snapshot, error) {
	if _, known := p.partition.BaseTime(); p.Err != nil || !known {
		return nil, cmp.Or(p.Err, lookup.ErrNoState)
	}
	p.Walks.Add(1)
	ids := p.IDs()
	return &lookup.Snapshot{Partition: p.partition, Offset: 1000, Len: len(ids), At: func(i int) (string, *customer.State, error) {
		s, err := p.customers.Customer(ids[i])
		return ids[i], s, err
	}}, nil
}

// Changed returns nobody.
func (p *Population) Changed(context.Context, int32, int64, int64) (map[string]struct{}, error) {
	return nil, p.Err
}

func (p *Population) walk(_ context.Context, _ func(int64), each func(*processors.Partition, string, *customer.State)) (int64, error) {
	p.Walks.Add(1)
	p.reading.Lock()
	defer p.reading.Unlock()
	p.customers.Each(func(id string, s *customer.State) { each(p.partition, id, s) })
	base, _ := p.partition.BaseTime()
	return base, p.Err
}

var _ views.Source = (*Population)(nil)
