package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// settle is how long after the last answer the commit to Redis is waited for, which is counted in.
const settle = 1500 * time.Millisecond

const patience = 10 * time.Minute // with a pass

// speed sends everything first, or as fast as it can, and counts what a million costs.
func (b *bench) speed(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the pass took longer than %s", patience))
	defer cancel()
	program, s, err := b.place(ctx, "speed", b.partitions)
	if err != nil {
		return err
	}
	before, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	customer, n := s.zipf(b.customers), int64(b.events)
	now := func() time.Time { return time.Now().UTC() }
	if err := s.send(ctx, s.prepare(b.events, customer, now)); err != nil {
		return err
	}
	fmt.Printf("%d purchases of %d customers, %d bytes each, are in the topic\n", n, len(s.keys), s.bytes/n)
	w := s.watch(ctx)
	defer w.close()
	p, err := program.Run(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	last, err := w.await(ctx, n)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	time.Sleep(settle)
	cold, err := meter(ctx, p)
	if err != nil {
		return err
	}
	million := float64(n) / 1e6
	b.found("CPU-s per 1M, cold: fresh process, from its start", fmt.Sprintf("%.2f", cold.cpu/million), "<= 3", cold.cpu/million <= 3)
	b.found("events/s, cold: from the process's start", fmt.Sprintf("%.0f", float64(n)/last.Sub(p.Started).Seconds()), "", true)
	after, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	b.found(fmt.Sprintf("Redis bytes per customer, %.1f orders each (zipf, all of today)", float64(n)/float64(len(s.keys))),
		fmt.Sprintf("%.0f", float64(after-before)/float64(len(s.keys))), "", true)

	// Once more, with customers, connections and memory as they are by now.
	rounds := s.prepare(b.events, customer, now)
	began := time.Now()
	if err := s.send(ctx, rounds); err != nil {
		return err
	}
	sending := time.Since(began)
	if last, err = w.await(ctx, 2*n); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	time.Sleep(settle)
	warm, err := meter(ctx, p)
	if err != nil {
		return err
	}
	used := (warm.cpu - cold.cpu) / million
	b.found("CPU-s per 1M, warm", fmt.Sprintf("%.2f", used), "<= 3", used <= 3)
	b.found(fmt.Sprintf("events/s, warm (%.1f s of it also sending them)", sending.Seconds()), fmt.Sprintf("%.0f", float64(n)/last.Sub(began).Seconds()), "", true)
	b.found("allocations per event, warm", fmt.Sprintf("%.2f (%.0f bytes)", (warm.allocations-cold.allocations)/float64(n), (warm.allocated-cold.allocated)/float64(n)), "", true)
	b.found("resident memory of the process", fmt.Sprintf("%.0f MB", warm.resident/1e6), "", true)

	// And once under the profiler.
	rounds = s.prepare(b.events, customer, now)
	profile := b.profile(ctx, p, "speed", last.Sub(began)+settle)
	if err := s.send(ctx, rounds); err != nil {
		return err
	}
	if _, err := w.await(ctx, 3*n); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	if err := profile(n); err != nil {
		return err
	}
	if err := b.allocations(ctx, p, "speed", 3*n); err != nil {
		return err
	}
	if err := p.Stop(ctx); err != nil {
		return err
	}
	fmt.Printf("getrusage of the process over its whole life: %.2f CPU-s for %d events\n", p.CPU().Seconds(), 3*n)
	return b.once(w, s)
}

// once says whether every event was answered exactly once.
func (b *bench) once(w *watcher, s *source) error {
	lost, doubled := w.check(s.next)
	fmt.Printf("answers to %d events: %d lost, %d doubled\n", s.next, lost, doubled)
	if lost+doubled > 0 {
		return fmt.Errorf("of %d events %d were not answered, %d more than once: no figure counts", s.next, lost, doubled)
	}
	return nil
}

// rate sends at fixed rates and times the answers.
func (b *bench) rate(ctx context.Context) error {
	program, s, err := b.place(ctx, "rates", b.partitions)
	if err != nil {
		return err
	}
	w := s.watch(ctx)
	defer w.close()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the passes took longer than %s", patience))
	defer cancel()
	p, err := program.Run(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	customer := s.zipf(b.customers)
	for _, rate := range b.rates {
		if err := b.atRate(ctx, p, s, w, customer, rate); err != nil {
			return fmt.Errorf("%d/s: %w\n%s", rate, err, p.Tail(20))
		}
	}
	if _, err := w.await(ctx, s.next); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return b.once(w, s)
}

func (b *bench) atRate(ctx context.Context, p *containers.Process, s *source, w *watcher, customer func() int, rate int) error {
	length := time.Duration(b.seconds) * time.Second
	const run, profiled = 3 * time.Second, 10 * time.Second
	if _, _, err := s.pace(ctx, rate, customer, time.Now().Add(run)); err != nil {
		return err
	}
	before, err := meter(ctx, p)
	if err != nil {
		return err
	}
	first := w.answered()
	w.timed(s.next)
	n, behind, err := s.pace(ctx, rate, customer, time.Now().Add(length))
	if err != nil {
		return err
	}
	after, err := meter(ctx, p)
	if err != nil {
		return err
	}
	answered := w.answered()
	left := s.next - answered
	if _, err := w.await(ctx, s.next); err != nil {
		return err
	}
	_, p50, p99, most := w.percentiles()
	// A pipeline that keeps up has a publish interval's events under way, and the generator sends what it should.
	kept, of := left <= int64(rate/2) && n >= int(length.Seconds()*float64(rate)*.98), fmt.Sprintf("at %d/s", rate)
	if !kept {
		of = fmt.Sprintf("at %d/s, NOT KEPT UP WITH: of a growing backlog", rate)
	}
	b.found(fmt.Sprintf("events not answered after %d s at %d/s", b.seconds, rate), fmt.Sprintf("%d of %d", left, n), "kept up", kept)
	used := (after.cpu - before.cpu) / float64(answered-first) * 1e6
	goal, met := "", true
	if rate >= 60_000 {
		goal, met = "<= 4", kept && used <= 4
	}
	b.found("CPU-s per 1M answered "+of, fmt.Sprintf("%.2f", used), goal, met)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond)) }
	b.found("ms from input sent to output readable, p50 / p99 / most, "+of,
		ms(p50)+" / "+ms(p99)+" / "+ms(most), "p99 <= 150", kept && p99 <= 150*time.Millisecond)
	fmt.Printf("the generator was at most %s ms behind its own pace\n", ms(behind))
	profile := b.profile(ctx, p, fmt.Sprintf("at-%d", rate), profiled)
	n, _, err = s.pace(ctx, rate, customer, time.Now().Add(profiled))
	if err != nil {
		return err
	}
	return profile(int64(n))
}

// claim folds a base of customers into one partition and times how long taking it over needs.
func (b *bench) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the pass took longer than %s", patience))
	defer cancel()
	program, s, err := b.place(ctx, "claim", 1)
	if err != nil {
		return err
	}
	before, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	// Everybody has one order, and 1.5 more on average; all of them in the last two years.
	next, orders := 0, b.base*5/2
	customer := func() int {
		if next++; next <= b.base {
			return next - 1
		}
		return s.rng.IntN(1 + s.rng.IntN(b.base))
	}
	today := time.Now().UTC()
	at := func() time.Time { return today.Add(-time.Duration(rand.N(int64(2 * 365 * 24 * time.Hour)))) }
	if err := s.send(ctx, s.prepare(orders, customer, at)); err != nil {
		return err
	}
	w := s.watch(ctx)
	defer w.close()
	p, err := program.Run(ctx)
	if err != nil {
		return err
	}
	defer func() { p.Kill() }()
	if _, err := w.await(ctx, int64(orders)); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	time.Sleep(settle)
	after, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	each := float64(after-before) / float64(len(s.keys))
	b.found(fmt.Sprintf("Redis bytes per customer, %d customers, %.1f orders each over two years", len(s.keys), float64(orders)/float64(len(s.keys))),
		fmt.Sprintf("%.0f", each), "<= 300", each <= 300)
	var longest time.Duration
	for i := range 3 {
		if i == 2 {
			p.Kill() // the last one leaves in a hurry
		} else if err := p.Stop(ctx); err != nil {
			return err
		}
		if p, err = program.Run(ctx); err != nil {
			return err
		}
		claimed, err := p.Await(ctx, "partition claimed")
		if err != nil {
			return err
		}
		generation, err := generationBefore(p, claimed)
		if err != nil {
			return err
		}
		took := claimed.At.Sub(generation)
		fmt.Printf("claim %d took %s; %s from the process's start\n", i+1, took, claimed.At.Sub(p.Started).Round(time.Millisecond))
		longest = max(longest, took)
	}
	b.found(fmt.Sprintf("claim of a partition of %d customers, longest of 3", len(s.keys)), longest.String(), "<= 500ms", longest <= 500*time.Millisecond)
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return b.once(w, s)
}

// generationBefore is when the process learned that the partition is its own.
func generationBefore(p *containers.Process, claimed containers.Line) (at time.Time, err error) {
	for _, l := range p.Lines() {
		if l.Message == "generation of the fold group" && !l.At.After(claimed.At) {
			var line struct {
				Partitions []int32 `json:"partitions"`
			}
			if err := json.Unmarshal([]byte(l.Text), &line); err == nil && len(line.Partitions) > 0 {
				at = l.At
			}
		}
	}
	if at.IsZero() {
		return at, fmt.Errorf("the process does not say when it was given the partition\n%s", p.Tail(20))
	}
	return at, nil
}

// takeover kills one of two processes that share the work, and times until every partition answers again.
func (b *bench) takeover(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the pass took longer than %s", patience))
	defer cancel()
	program, s, err := b.place(ctx, "takeover", b.partitions)
	if err != nil {
		return err
	}
	w := s.watch(ctx)
	defer w.close()
	var both [2]*containers.Process
	for i := range both {
		if both[i], err = program.Run(ctx); err != nil {
			return err
		}
		defer func() { both[i].Kill() }()
	}
	load, stop := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	next := 0
	go func() {
		const rate = 2000
		_, _, err := s.pace(load, rate, func() int { next++; return next % 1000 }, time.Now().Add(patience))
		if load.Err() != nil && ctx.Err() == nil {
			err = nil
		}
		loaded <- err
	}()
	defer stop()
	var longest time.Duration
	for i := range b.takeovers {
		took, all, err := b.killOne(ctx, w, both[:], i%2)
		if err != nil {
			return err
		}
		fmt.Printf("takeover %d: %s until its partitions answered, %s until all did\n", i+1, took.Round(time.Millisecond), all.Round(time.Millisecond))
		longest = max(longest, took)
		if both[i%2], err = program.Run(ctx); err != nil {
			return err
		}
	}
	b.found(fmt.Sprintf("from SIGKILL of an owner until its partitions are served, longest of %d", b.takeovers),
		longest.Round(time.Millisecond).String(), "<= 10s", longest <= 10*time.Second)
	stop()
	if err := <-loaded; err != nil {
		return err
	}
	return nil
}

// killOne waits until both processes serve half of the partitions, kills one of them, and times until each partition has
// answered an event that was sent after the kill.
func (b *bench) killOne(ctx context.Context, w *watcher, both []*containers.Process, victim int) (its, all time.Duration, err error) {
	var partitions []int32
	for {
		if partitions, err = owned(ctx, both[victim]); err != nil {
			return 0, 0, err
		}
		others, err := owned(ctx, both[1-victim])
		if err != nil {
			return 0, 0, err
		}
		if len(partitions)+len(others) == b.partitions && len(partitions) > 0 && len(others) > 0 {
			break
		}
		select {
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("the processes do not share the partitions: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
	time.Sleep(2 * time.Second) // under load, in the middle of anything
	w.mu.Lock()
	killed := time.Now().UnixNano()
	first := map[int32]int64{}
	w.answers = func(partition int32, sent, now int64) {
		if sent > killed && first[partition] == 0 {
			first[partition] = now
		}
	}
	w.mu.Unlock()
	both[victim].Kill()
	for {
		w.mu.Lock()
		done, moved, err := len(first) == b.partitions, w.moved, w.err
		if done {
			w.answers = nil
			for _, at := range first {
				all = max(all, time.Duration(at-killed))
			}
			for _, p := range partitions {
				its = max(its, time.Duration(first[p]-killed))
			}
		}
		w.mu.Unlock()
		if done || err != nil {
			return its, all, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("only %d of %d partitions answered again: %w\n%s", len(first), b.partitions, context.Cause(ctx), both[1-victim].Tail(20))
		}
	}
}
