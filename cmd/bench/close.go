package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// close measures the CPU time of a day's close: all customers of a partition are valued at the day's end, the sums are published as
// final, and outputs for the customers whose tier the new bounds move. It leaves out reading the customers from Redis.
func (b *bench) close(ctx context.Context) error {
	finals := 0
	l, err := newMemoryLedger(func(r *output.Record) {
		if r.Topic == output.Portfolio && r.Trigger == output.TriggerClose {
			finals++
		}
	})
	if err != nil {
		return err
	}
	// One to four orders each, of the last year.
	const day = 24 * int64(time.Hour/time.Millisecond)
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if err := l.tick(end - day); err != nil {
		return err
	}
	for i := range b.closed {
		if err := ctx.Err(); err != nil {
			return err
		}
		for k := range 1 + i%4 {
			at := end - day - int64(1+(i*7919+k*104_729)%360)*day
			e := &ledger.Event{Id: fmt.Sprintf("order:%d-%d", i, k), Source: "purchase", OccurredAt: at, Purchase: &ledger.Purchase{
				OrderId: fmt.Sprintf("%d-%d", i, k), Total: int64(1000 + (i*31+k*977)%9000), Currency: "EUR",
			}}
			if err := l.event(fmt.Sprintf("customer-%d", i), end-day, e); err != nil {
				return err
			}
		}
	}
	// The first close gives everybody a tier. Another day's timers are fired before the close that is measured.
	for _, at := range []int64{end + 1, end + day - 1} {
		if err := l.tick(at); err != nil {
			return err
		}
	}
	finals = 0
	before, err := cpuSeconds()
	if err != nil {
		return err
	}
	if err := l.tick(end + day + 1); err != nil {
		return err
	}
	after, err := cpuSeconds()
	if err != nil {
		return err
	}
	if finals != 1 {
		return fmt.Errorf("%d final portfolios were published, not one", finals)
	}
	spent := after - before
	b.addFigure(fmt.Sprintf("a day's close of %d customers, CPU-seconds of Step", b.closed), fmt.Sprintf("%.1f", spent), "", true)
	b.addFigure("a day's close for each customer, CPU-µs of Step", fmt.Sprintf("%.1f", spent/float64(b.closed)*1e6), "", true)
	return nil
}

// cpuSeconds returns the CPU time of this process so far, user and system.
func cpuSeconds() (float64, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("read the CPU time of this process: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds(), nil
}
