package faulttest

import (
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/ledgercopy"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// verifyCopy copies the ledger that the faults have left into another number of partitions, folds the copy, and compares what it knows of
// every customer with the recount.
func (w *world) verifyCopy() []string {
	var problems []string
	report := func(format string, args ...any) {
		problems = append(problems, "copy of the ledger: "+fmt.Sprintf(format, args...))
	}
	cfg := w.cfg
	cfg.Namespace = "copy"
	partitions := w.genesis.GetPartitions()%3 + 1
	result, err := ledgercopy.Run(w.ctx, ledgercopy.Config{
		From: w.cfg.Namespace, To: app.Topics(cfg), Partitions: partitions, Finish: true, Logic: processors.LogicVersion,
		Pause: time.Second, Now: time.Now, Random: w.random,
	}, w.client.Kafka)
	if err != nil {
		report("%v", err)
		return problems
	}
	forgotten, err := w.readForgotten()
	if err != nil {
		report("%v", err)
		return problems
	}
	recounted, err := w.recount(forgotten.remains)
	if err != nil {
		report("%v", err)
		return problems
	}
	problems = append(problems, w.checkForgotten(forgotten, cfg.Namespace, result.Partitions)...)
	folded := &foldedCopy{stores: make([]*memstore.MemStore, result.Partitions), states: make([]*processors.Partition, result.Partitions)}
	for p := range result.Partitions {
		if err := folded.fold(w, cfg.Namespace, p); err != nil {
			report("partition %d: %v", p, err)
			return problems
		}
	}
	if err := folded.deliver(); err != nil {
		report("%v", err)
		return problems
	}
	for id, c := range recounted.customers {
		s, _ := folded.stores[partitionOf(id, result.Partitions)].Customer(id) // it never fails
		if s == nil {
			if len(c.byOrder) > 0 {
				report("customer %s is missing", id)
			}
			continue
		}
		last := s.LastPublished
		if last.Historic != c.historic || last.Orders != c.orders {
			report("customer %s: %d orders worth %d, the recount has %d worth %d", id, last.Orders, last.Historic, c.orders, c.historic)
		}
		if c.responses > 0 && (int64(last.Score) != c.score || int64(last.Responses) != c.responses) {
			report("customer %s: score %d of %d responses, the recount has %d of %d", id, last.Score, last.Responses, c.score, c.responses)
		}
	}
	return problems
}

// foldedCopy is the customers of a copy. Credits are not delivered, since no fold runs, and what merged customers pass on is delivered last.
type foldedCopy struct {
	stores []*memstore.MemStore
	states []*processors.Partition
	sent   []*output.Send
}

// keep keeps what a step has sent, with its origin.
func (f *foldedCopy) keep(p int32, offset int64, out *output.Batch) {
	for i, s := range out.Sends {
		if s.Entry.GetKind() == ledger.Kind_KIND_FORWARD {
			s.Entry.Origin = &ledger.Origin{Partition: p, Offset: offset, Ordinal: uint32(i)}
			f.sent = append(f.sent, s)
		}
	}
}

// deliver folds what merged customers pass on.
func (f *foldedCopy) deliver() error {
	var out output.Batch
	const behind = 1 << 40 // the copy
	for offset := int64(behind); len(f.sent) > 0; offset++ {
		s := f.sent[0]
		f.sent = f.sent[1:]
		out.Reset()
		if _, err := processors.Step(f.states[s.Partition], offset, &s.Entry, f.stores[s.Partition], &out); err != nil {
			return err
		}
		f.keep(s.Partition, offset, &out)
	}
	return nil
}

func (f *foldedCopy) fold(w *world, namespace string, p int32) error {
	bounds, err := w.client.Kafka.ListOffsets(w.ctx, ledger.Topic(namespace), []int32{p})
	if err != nil {
		return err
	}
	state, store := processors.NewPartition(p), memstore.New()
	f.stores[p], f.states[p] = store, state
	var out output.Batch
	_, err = w.client.Kafka.ReadCommitted(w.ctx, ledger.Topic(namespace), p, 0, bounds[p].LastStable, func(r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil {
			return err
		}
		out.Reset()
		v, err := processors.Step(state, r.Offset, &e, store, &out)
		f.keep(p, r.Offset, &out)
		if err == nil && (v.Result == processors.DuplicateOrigin || v.Result == processors.Gap) {
			return fmt.Errorf("entry %d: %s", r.Offset, v.Result)
		}
		return err
	})
	if err == nil && state.Copying() {
		return fmt.Errorf("the inputs are not handed over")
	}
	return err
}
