package nemesis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
)

// caughtUp waits until every record that is in the inputs now is in the ledger, and every entry that is in the ledger then is folded,
// published and committed to Redis.
func (r *run) caughtUp(ctx context.Context) error {
	within := cmp.Or(r.Set.RecoverWithin, recoverTimeout)
	var now, then *inspect.Status
	read := func(to **inspect.Status) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			s, err := r.status(ctx)
			*to = s
			return err == nil, err
		}
	}
	if err := until(ctx, within, "the positions can be read", read(&now)); err != nil {
		return err
	}
	err := until(ctx, within, "the inputs are read", func(ctx context.Context) (bool, error) {
		if _, err := read(&then)(ctx); err != nil {
			return false, err
		}
		for i, in := range then.Inputs {
			if end := now.Inputs[i].End; !reached(in.Committed, end) {
				return false, fmt.Errorf("%s/%d is read up to %s of %d: %s", in.Topic, in.Partition, offset(in.Committed), *end, then.Headline)
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return until(ctx, within, "the ledger is folded and its state committed", func(ctx context.Context) (bool, error) {
		var s *inspect.Status
		if _, err := read(&s)(ctx); err != nil {
			return false, err
		}
		for i, p := range s.Partitions {
			if end := then.Partitions[i].End; !reached(p.Published, end) || !reached(p.Committed, end) {
				return false, fmt.Errorf("ledger partition %d is published up to %s and committed up to %s of %d: %s", p.Partition, offset(p.Published), offset(p.Committed), *end, s.Headline)
			}
		}
		return true, nil
	})
}

// reached reports whether a position is at an end; one that is not known is not.
func reached(position, end *int64) bool { return position != nil && *position >= *end }

func offset(position *int64) string {
	if position == nil {
		return "?"
	}
	return strconv.FormatInt(*position, 10)
}

// status reads the positions, and requires that the ends of all partitions are known. A process that has ended by itself is an error.
func (r *run) status(ctx context.Context) (*inspect.Status, error) {
	c := inspect.StatusConfig{Namespace: r.namespace, Genesis: r.genesis, Now: time.Now}
	for _, kind := range shop.Kinds() {
		c.Inputs = append(c.Inputs, r.namespace+"."+kind.Descriptor().Topic)
	}
	for i, p := range r.processes {
		if p.Ended() {
			return nil, fmt.Errorf("mainstay %d has ended by itself", i)
		}
		c.HTTP = append(c.HTTP, p.HTTP)
	}
	// A client of its own: it must not remember where the masters were before the fault.
	client, err := redis.New(r.servers.Redis)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }() // what it read is used anyway
	s, err := inspect.ReadStatus(ctx, c, r.kafka, client)
	if err == nil && s.Lag == nil {
		return nil, fmt.Errorf("positions are not known: %s", s.Headline)
	}
	return s, err
}

// drained waits until there is nothing left to process.
func (r *run) drained(ctx context.Context) error {
	empty := func(ctx context.Context) (bool, error) {
		s, err := r.status(ctx)
		return err == nil && *s.Lag == 0, err
	}
	// The tick after the last record follows within a second and advances base time; then the state is committed.
	const tick = 3 * time.Second
	for range 2 {
		if err := until(ctx, cmp.Or(r.Set.RecoverWithin, recoverTimeout), "everything is processed", empty); err != nil {
			return err
		}
		if err := sleep(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// judge stops the processes and requires that nothing is lost, doubled or differing.
func (r *run) judge(ctx context.Context) error {
	for _, p := range r.processes {
		stopping, cancel := context.WithTimeout(ctx, time.Minute)
		err := p.Stop(stopping)
		cancel()
		if err != nil {
			return err
		}
	}
	r.Log("%d events sent, %d of them again; all are processed after %.0f s: audit and recount follow", r.report.Sent, r.report.Resent, time.Since(r.began).Seconds())
	audited, err := r.audit(ctx)
	if err != nil {
		return err
	}
	v := &r.report.Verdict
	v.Audit, v.Audited = audited, true
	if err := r.recount(ctx); err != nil {
		return err
	}
	r.Log("audit: %d entries folded again, %d outputs and %d customers compared: %d lost, %d doubled, %d differing, %d missing",
		v.Audit.Entries, v.Audit.Outputs, v.Audit.Customers, v.Audit.Lost, v.Audit.Doubled, v.Audit.Differing, v.Audit.StateMissing)
	r.Log("recount: %d outputs, %d purchases and %d customers (%d with their model): %d lost, %d doubled, %d differing",
		v.Outputs, v.Purchases, v.Customers, v.Modelled, v.Lost, v.Doubled, v.Differing)
	if !v.Clean() {
		return fmt.Errorf("not clean: %s", v)
	}
	return nil
}

// audit runs the program's own audit.
func (r *run) audit(ctx context.Context) (found audit.Result, err error) {
	out, code, err := r.program.Do(ctx, "audit", "--output", "json")
	if err != nil && code != 3 { // 3: it has findings
		return found, err
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return found, fmt.Errorf("read the audit: %w", err)
	}
	return found, nil
}

// recount compares with what was sent. The model is recounted for a few thousand customers, which takes some seconds.
func (r *run) recount(ctx context.Context) error {
	counted, err := r.load.Recount()
	if err != nil {
		return err
	}
	v := &r.report.Verdict
	published, err := counted.CompareOutputs(ctx, r.kafka, r.namespace, partitions)
	if err != nil {
		return err
	}
	client, err := redis.New(r.servers.Redis)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // what it read is used anyway
	const models = 2000
	compared, err := counted.CompareAnswers(ctx, client, r.namespace, partitions, uint32(max(1, counted.Customers()/models)))
	if err != nil {
		return err
	}
	v.Outputs, v.Purchases, v.Customers, v.Modelled = published.Outputs, published.Purchases, compared.Customers, compared.Modelled
	v.Lost, v.Doubled, v.Differing = published.Lost+compared.Missing, published.Doubled, compared.Differing
	v.Differences = slices.Concat(published.Differences, compared.Differences)
	v.Recounted = true
	return nil
}
