package main

import (
	"fmt"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// memoryLedger is a ledger of one partition under the event clock that is folded as it is written, without servers: what it costs is
// the cost of Step alone, and what it publishes is the same at every run.
type memoryLedger struct {
	partition *processors.Partition
	store     *memstore.MemStore
	offset    int64 // of the next entry
	events    int64
	publish   func(*output.Record)
	out       output.Batch
	pending   []*ledger.Entry // sent by entries, to be folded
}

// newMemoryLedger returns a ledger in EUR and UTC with default settings. It calls publish for each output.
func newMemoryLedger(publish func(*output.Record)) (*memoryLedger, error) {
	l := &memoryLedger{partition: processors.NewPartition(0), store: memstore.New(), publish: publish}
	return l, l.append(ledger.Kind_KIND_GENESIS, 0, &ledger.Genesis{
		LedgerId: "bench", Partitions: 1, CustomerHash: "murmur2", CustomerNormalisation: "none", Clock: ledger.Clock_CLOCK_EVENT, Currency: "EUR", Timezone: "UTC",
	})
}

// tick folds the passing of time up to a time (ms).
func (l *memoryLedger) tick(at int64) error {
	return l.append(ledger.Kind_KIND_TICK, at, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "events", Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: "events", Offset: l.events + 1, Time: at, AtEnd: true}},
	})
}

func (l *memoryLedger) event(customer string, at int64, e *ledger.Event) error {
	blob, err := e.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	l.events++
	return l.fold(&ledger.Entry{
		Kind: event.EntryKind(e), Customer: customer, Time: at, Payload: blob, Origin: &ledger.Origin{Topic: "events", Offset: l.events},
	})
}

func (l *memoryLedger) append(kind ledger.Kind, at int64, body interface{ MarshalVT() ([]byte, error) }) error {
	blob, err := body.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return l.fold(&ledger.Entry{Kind: kind, Time: at, Payload: blob})
}

// fold folds an entry, and those that it sends.
func (l *memoryLedger) fold(e *ledger.Entry) error {
	l.pending = append(l.pending, e)
	for len(l.pending) > 0 {
		next := l.pending[0]
		l.pending = l.pending[1:]
		next.Version = ledger.Version
		if _, err := processors.Step(l.partition, l.offset, next, l.store, &l.out); err != nil {
			return fmt.Errorf("fold the entry %d: %w", l.offset, err)
		}
		for i := range l.out.Records {
			l.publish(&l.out.Records[i])
		}
		for i, s := range l.out.Sends {
			s.Entry.Origin = &ledger.Origin{Offset: l.offset, Ordinal: uint32(i)}
			l.pending = append(l.pending, &s.Entry)
		}
		l.out.Reset()
		l.offset++
	}
	return nil
}
