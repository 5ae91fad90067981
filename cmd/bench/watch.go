package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// watcher reads the lifetime values of a namespace as they become readable to readers of committed data. Every accepted
// purchase says one.
type watcher struct {
	source *source
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	err     error
	seen    []uint8 // by event number: how often it was answered
	count   int64
	last    time.Time
	moved   chan struct{}
	from    int64 // answers to events from here on are timed
	delays  []time.Duration
	answers func(partition int32, sent, now int64) // under mu
}

func (s *source) watch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{source: s, cancel: cancel, ended: make(chan struct{}), seen: make([]uint8, len(s.sent)), moved: make(chan struct{}), from: int64(len(s.sent))}
	go func() {
		defer close(w.ended)
		err := w.read(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err = err; ctx.Err() != nil {
			w.err = context.Canceled
		}
		close(w.moved)
	}()
	return w
}

func (w *watcher) close() {
	w.cancel()
	<-w.ended
}

func (w *watcher) read(ctx context.Context) error {
	f := w.source.kafka.NewFetcher(kafka.FetcherConfig{})
	for p := range w.source.partitions {
		f.Assign(w.source.namespace+".clv.v1", p, 0)
	}
	for {
		got, err := f.Fetch(ctx, 100*time.Millisecond, 1)
		if err != nil {
			return err
		}
		now := time.Now()
		w.mu.Lock()
		for _, p := range got {
			for i := range p.Records {
				w.take(p.Partition, p.Records[i].Value, now)
			}
			if p.Err != nil && !kafka.Retriable(p.Err) {
				err = p.Err
			}
		}
		close(w.moved)
		w.moved = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (w *watcher) take(partition int32, value []byte, now time.Time) {
	n := causeOf(value)
	if n < 0 || n >= int64(len(w.seen)) {
		return // a timer's, or of nobody we know
	}
	w.seen[n]++
	w.count++
	w.last = now
	sent := w.source.sent[n].Load()
	if n >= w.from {
		w.delays = append(w.delays, time.Duration(now.UnixNano()-sent))
	}
	if w.answers != nil {
		w.answers(partition, sent, now.UnixNano())
	}
}

// causeOf is the number of the event that an output answers; -1: none.
func causeOf(value []byte) int64 {
	_, rest, ok := bytes.Cut(value, []byte(`"cause_event_id":"e-`))
	if !ok {
		return -1
	}
	n := int64(0)
	for _, c := range rest {
		if c < '0' || c > '9' {
			return n
		}
		n = 10*n + int64(c-'0')
	}
	return -1
}

// await waits for so many answers, and tells when the last of them was readable.
func (w *watcher) await(ctx context.Context, count int64) (time.Time, error) {
	for {
		w.mu.Lock()
		moved, have, last, err := w.moved, w.count, w.last, w.err
		w.mu.Unlock()
		switch {
		case have >= count:
			return last, nil
		case err != nil:
			return last, fmt.Errorf("read answers: %w", err)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return last, fmt.Errorf("%d of %d answers came: %w", have, count, context.Cause(ctx))
		}
	}
}

// check counts the events that were answered not once.
func (w *watcher) check(events int64) (lost, doubled int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.seen[:events] {
		switch {
		case n == 0:
			lost++
		case n > 1:
			doubled++
		}
	}
	return lost, doubled
}

// answered is how many answers came so far.
func (w *watcher) answered() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// timed starts the timing of answers with an event.
func (w *watcher) timed(from int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from, w.delays = from, nil
}

// percentiles ends it.
func (w *watcher) percentiles() (n int, p50, p99, most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.delays
	w.from, w.delays = int64(len(w.seen)), nil
	if len(all) == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(all)
	return len(all), all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
}
