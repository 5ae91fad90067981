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

// watcher consumes the clv topic of a namespace with read-committed isolation. Every purchase must cause exactly one output.
type watcher struct {
	source *source
	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	err      error
	answers  []uint8 // by event number: the number of outputs that it caused
	count    int64   // of answers
	last     time.Time
	updated  chan struct{} // closed and replaced after each fetch
	from     int64         // answers to events with at least this number are timed
	delays   []time.Duration
	onAnswer func(partition int32, sent, now int64) // called with mu held
}

func (s *source) watch(ctx context.Context) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{source: s, cancel: cancel, ended: make(chan struct{}), answers: make([]uint8, len(s.sent)), updated: make(chan struct{}), from: int64(len(s.sent))}
	go func() {
		defer close(w.ended)
		err := w.read(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err = err; ctx.Err() != nil {
			w.err = context.Canceled
		}
		close(w.updated)
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
				w.record(p.Partition, p.Records[i].Value, now)
			}
			if p.Err != nil && !kafka.Retriable(p.Err) {
				err = p.Err
			}
		}
		close(w.updated)
		w.updated = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (w *watcher) record(partition int32, value []byte, now time.Time) {
	n := causeOf(value)
	if n < 0 || n >= int64(len(w.answers)) {
		return // caused by a timer, or by an event of another source
	}
	w.answers[n]++
	w.count++
	w.last = now
	sent := w.source.sent[n].Load()
	if n >= w.from {
		w.delays = append(w.delays, time.Duration(now.UnixNano()-sent))
	}
	if w.onAnswer != nil {
		w.onAnswer(partition, sent, now.UnixNano())
	}
}

// causeOf returns the number of the event that caused an output; -1: none.
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

// await waits for a number of answers, and returns when the last of them became readable.
func (w *watcher) await(ctx context.Context, count int64) (time.Time, error) {
	for {
		w.mu.Lock()
		updated, have, last, err := w.updated, w.count, w.last, w.err
		w.mu.Unlock()
		switch {
		case have >= count:
			return last, nil
		case err != nil:
			return last, fmt.Errorf("read answers: %w", err)
		}
		select {
		case <-updated:
		case <-ctx.Done():
			return last, fmt.Errorf("received %d of %d answers: %w", have, count, context.Cause(ctx))
		}
	}
}

// countWrong counts the events that were not answered exactly once.
func (w *watcher) countWrong(events int64) (lost, doubled int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.answers[:events] {
		switch {
		case n == 0:
			lost++
		case n > 1:
			doubled++
		}
	}
	return lost, doubled
}

// answered returns the number of answers so far.
func (w *watcher) answered() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// startTiming starts to time answers, from an event on.
func (w *watcher) startTiming(from int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from, w.delays = from, nil
}

// percentiles stops the timing and returns its results.
func (w *watcher) percentiles() (n int, p50, p99, most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.delays
	w.from, w.delays = int64(len(w.answers)), nil
	if len(all) == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(all)
	return len(all), all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
}
