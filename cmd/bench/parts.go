package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// commitWait is the time after the last answer in which the state is committed to Redis, so that the CPU time includes the commit.
const commitWait = 1500 * time.Millisecond

const passTimeout = 10 * time.Minute

// speed measures the cost per million events at full speed: in a fresh process that starts with a backlog, then in a warm one.
func (b *bench) speed(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the pass took longer than %s", passTimeout))
	defer cancel()
	program, s, err := b.newPass(ctx, "speed", b.partitions)
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
	fmt.Printf("%d purchases of %d customers, %d bytes each, are produced\n", n, len(s.keys), s.bytes/n)
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
	time.Sleep(commitWait)
	cold, err := readUsage(ctx, p)
	if err != nil {
		return err
	}
	million := float64(n) / 1e6
	b.addFigure("CPU-s per 1M, cold: fresh process, since its start", fmt.Sprintf("%.2f", cold.cpu/million), "<= 3", cold.cpu/million <= 3)
	b.addFigure("events/s, cold: since the start of the process", fmt.Sprintf("%.0f", float64(n)/last.Sub(p.Started).Seconds()), "", true)
	after, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	b.addFigure(fmt.Sprintf("Redis bytes per customer, %.1f orders each (zipf, all on one day)", float64(n)/float64(len(s.keys))),
		fmt.Sprintf("%.0f", float64(after-before)/float64(len(s.keys))), "", true)

	// The warm pass: customers are cached, connections are open.
	rounds := s.prepare(b.events, customer, now)
	began := time.Now()
	if err := s.send(ctx, rounds); err != nil {
		return err
	}
	sending := time.Since(began)
	if last, err = w.await(ctx, 2*n); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	time.Sleep(commitWait)
	warm, err := readUsage(ctx, p)
	if err != nil {
		return err
	}
	used := (warm.cpu - cold.cpu) / million
	b.addFigure("CPU-s per 1M, warm", fmt.Sprintf("%.2f", used), "<= 3", used <= 3)
	b.addFigure(fmt.Sprintf("events/s, warm (of which %.1f s while they were being sent)", sending.Seconds()), fmt.Sprintf("%.0f", float64(n)/last.Sub(began).Seconds()), "", true)
	b.addFigure("allocations per event, warm", fmt.Sprintf("%.2f (%.0f bytes)", (warm.allocations-cold.allocations)/float64(n), (warm.allocated-cold.allocated)/float64(n)), "", true)
	b.addFigure("resident memory of the process", fmt.Sprintf("%.0f MB", warm.resident/1e6), "", true)

	// The profiled pass is separate, because the profiler takes CPU time.
	rounds = s.prepare(b.events, customer, now)
	profile := b.profile(ctx, p, "speed", last.Sub(began)+commitWait)
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
	fmt.Printf("getrusage over the life of the process: %.2f CPU-s for %d events\n", p.CPU().Seconds(), 3*n)
	return b.requireOnce(w, s)
}

// requireOnce returns an error unless every event was answered exactly once.
func (b *bench) requireOnce(w *watcher, s *source) error {
	lost, doubled := w.countWrong(s.next)
	fmt.Printf("answers to %d events: %d lost, %d doubled\n", s.next, lost, doubled)
	if lost+doubled > 0 {
		return fmt.Errorf("of %d events %d were not answered and %d answered more than once: the figures are invalid", s.next, lost, doubled)
	}
	return nil
}

// rate sends at fixed rates and times the answers.
func (b *bench) rate(ctx context.Context) error {
	program, s, err := b.newPass(ctx, "rates", b.partitions)
	if err != nil {
		return err
	}
	w := s.watch(ctx)
	defer w.close()
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the passes took longer than %s", passTimeout))
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
	return b.requireOnce(w, s)
}

func (b *bench) atRate(ctx context.Context, p *containers.Process, s *source, w *watcher, customer func() int, rate int) error {
	length := time.Duration(b.seconds) * time.Second
	const warmUp, profiled = 3 * time.Second, 10 * time.Second
	if _, _, err := s.pace(ctx, rate, customer, time.Now().Add(warmUp)); err != nil {
		return err
	}
	before, err := readUsage(ctx, p)
	if err != nil {
		return err
	}
	first := w.answered()
	w.startTiming(s.next)
	n, delay, err := s.pace(ctx, rate, customer, time.Now().Add(length))
	if err != nil {
		return err
	}
	after, err := readUsage(ctx, p)
	if err != nil {
		return err
	}
	answered := w.answered()
	left := s.next - answered
	if _, err := w.await(ctx, s.next); err != nil {
		return err
	}
	_, p50, p99, most := w.percentiles()
	// A pipeline that keeps up has at most the events of a publish interval in flight. The generator must have kept its rate as well.
	kept, of := left <= int64(rate/2) && n >= int(length.Seconds()*float64(rate)*.98), fmt.Sprintf("at %d/s", rate)
	if !kept {
		of = fmt.Sprintf("at %d/s, NOT KEPT UP: with a growing backlog", rate)
	}
	b.addFigure(fmt.Sprintf("events not answered after %d s at %d/s", b.seconds, rate), fmt.Sprintf("%d of %d", left, n), "kept up", kept)
	used := (after.cpu - before.cpu) / float64(answered-first) * 1e6
	goal, met := "", true
	if rate >= 60_000 {
		goal, met = "<= 4", kept && used <= 4
	}
	b.addFigure("CPU-s per 1M answers "+of, fmt.Sprintf("%.2f", used), goal, met)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond)) }
	b.addFigure("ms from input sent to output readable, p50 / p99 / maximum, "+of,
		ms(p50)+" / "+ms(p99)+" / "+ms(most), "p99 <= 150", kept && p99 <= 150*time.Millisecond)
	fmt.Printf("the generator was at most %s ms late\n", ms(delay))
	profile := b.profile(ctx, p, fmt.Sprintf("at-%d", rate), profiled)
	n, _, err = s.pace(ctx, rate, customer, time.Now().Add(profiled))
	if err != nil {
		return err
	}
	return profile(int64(n))
}

// claim folds a customer base into one partition and times how long a claim of the partition takes.
func (b *bench) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the pass took longer than %s", passTimeout))
	defer cancel()
	program, s, err := b.newPass(ctx, "claim", 1)
	if err != nil {
		return err
	}
	before, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	// Every customer has one order, and 1.5 more on average, all within the last two years.
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
	time.Sleep(commitWait)
	after, err := containers.UsedMemory(ctx, b.redis)
	if err != nil {
		return err
	}
	each := float64(after-before) / float64(len(s.keys))
	b.addFigure(fmt.Sprintf("Redis bytes per customer, %d customers, %.1f orders each over two years", len(s.keys), float64(orders)/float64(len(s.keys))),
		fmt.Sprintf("%.0f", each), "<= 300", each <= 300)
	var longest time.Duration
	for i := range 3 {
		if i == 2 {
			p.Kill() // the last owner does not commit
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
		fmt.Printf("claim %d took %s; %s since the start of the process\n", i+1, took, claimed.At.Sub(p.Started).Round(time.Millisecond))
		longest = max(longest, took)
	}
	b.addFigure(fmt.Sprintf("claim of a partition of %d customers, longest of 3", len(s.keys)), longest.String(), "<= 500ms", longest <= 500*time.Millisecond)
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return b.requireOnce(w, s)
}

// generationBefore returns when the process learned that it owns the partition.
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
		return at, fmt.Errorf("the log does not show when the partition was assigned\n%s", p.Tail(20))
	}
	return at, nil
}

// takeover kills one of two processes that share the partitions, and measures the time until every partition answers again.
func (b *bench) takeover(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the pass took longer than %s", passTimeout))
	defer cancel()
	program, s, err := b.newPass(ctx, "takeover", b.partitions)
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
		_, _, err := s.pace(load, rate, func() int { next++; return next % 1000 }, time.Now().Add(passTimeout))
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
		fmt.Printf("takeover %d: %s until the partitions of the killed process answered, %s until all did\n", i+1, took.Round(time.Millisecond), all.Round(time.Millisecond))
		longest = max(longest, took)
		if both[i%2], err = program.Run(ctx); err != nil {
			return err
		}
	}
	b.addFigure(fmt.Sprintf("from SIGKILL of an owner until its partitions answer, longest of %d", b.takeovers),
		longest.Round(time.Millisecond).String(), "<= 10s", longest <= 10*time.Second)
	stop()
	if err := <-loaded; err != nil {
		return err
	}
	return nil
}

// killOne waits until both processes own partitions, kills one of them, and measures the time until each partition has answered an
// event that was sent after the kill.
func (b *bench) killOne(ctx context.Context, w *watcher, both []*containers.Process, victim int) (victims, all time.Duration, err error) {
	var partitions []int32
	for {
		if partitions, err = ownedPartitions(ctx, both[victim]); err != nil {
			return 0, 0, err
		}
		others, err := ownedPartitions(ctx, both[1-victim])
		if err != nil {
			return 0, 0, err
		}
		if len(partitions)+len(others) == b.partitions && len(partitions) > 0 && len(others) > 0 {
			break
		}
		select {
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("the partitions were not assigned to both processes: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
	time.Sleep(2 * time.Second) // so that the kill interrupts normal work
	w.mu.Lock()
	killed := time.Now().UnixNano()
	first := map[int32]int64{}
	w.onAnswer = func(partition int32, sent, now int64) {
		if sent > killed && first[partition] == 0 {
			first[partition] = now
		}
	}
	w.mu.Unlock()
	both[victim].Kill()
	for {
		w.mu.Lock()
		done, updated, err := len(first) == b.partitions, w.updated, w.err
		if done {
			w.onAnswer = nil
			for _, at := range first {
				all = max(all, time.Duration(at-killed))
			}
			for _, p := range partitions {
				victims = max(victims, time.Duration(first[p]-killed))
			}
		}
		w.mu.Unlock()
		if done || err != nil {
			return victims, all, err
		}
		select {
		case <-updated:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("only %d of %d partitions answered again: %w\n%s", len(first), b.partitions, context.Cause(ctx), both[1-victim].Tail(20))
		}
	}
}
