package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// profile starts a CPU profile of a process. The returned function waits for its end and prints the cost of the parts, for a number
// of events.
func (b *bench) profile(ctx context.Context, p *containers.Process, name string, length time.Duration) func(events int64) error {
	path := filepath.Join(b.scratch, name+".pprof")
	done := make(chan error, 1)
	go func() { done <- fetchProfile(ctx, p, path, length) }()
	return func(events int64) error {
		if err := <-done; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		stacks, err := readStacks(ctx, path)
		if err != nil {
			return err
		}
		fmt.Printf("CPU profile, %s:\n", name)
		printParts(stacks, events)
		return nil
	}
}

func fetchProfile(ctx context.Context, p *containers.Process, path string, length time.Duration) error {
	seconds := int(length/time.Second) + 1
	return fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.Admin, seconds), path, length+time.Minute)
}

func fetch(ctx context.Context, url, path string, patience time.Duration) error {
	body, err := get(ctx, url, patience)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // already read
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, body); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// stack is a sample of a profile, the innermost function first.
type stack struct {
	took   time.Duration
	frames []string
}

// allocations prints which functions allocated over the life of a process, for a number of events.
func (b *bench) allocations(ctx context.Context, p *containers.Process, name string, events int64) error {
	path := filepath.Join(b.scratch, name+"-allocations.pprof")
	if err := fetch(ctx, "http://"+p.Admin+"/debug/pprof/allocs", path, time.Minute); err != nil {
		return fmt.Errorf("allocations: %w", err)
	}
	text, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-sample_index=alloc_space", "-unit=mb", "-nodecount=15", "-top", path).Output()
	if err != nil {
		return fmt.Errorf("read the profile %s: %w", path, err)
	}
	fmt.Printf("allocated over the life of the process, %d events:\n", events)
	top := false
	for line := range strings.Lines(string(text)) {
		if top = top || strings.Contains(line, "flat%"); top {
			fmt.Print("  " + line)
		}
	}
	return nil
}

// readStacks has pprof write the profile as text.
func readStacks(ctx context.Context, path string) ([]stack, error) {
	text, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", path).Output()
	if err != nil {
		return nil, fmt.Errorf("read the profile %s: %w", path, err)
	}
	var all []stack
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	fresh := false
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "-----") {
			fresh = true
			continue
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if fresh {
			took, err := time.ParseDuration(words[0])
			if err != nil || len(words) < 2 {
				continue // a label
			}
			all = append(all, stack{took: took, frames: []string{words[1]}})
			fresh = false
			continue
		}
		if len(all) > 0 {
			last := &all[len(all)-1]
			last.frames = append(last.frames, words[0])
		}
	}
	return all, lines.Err()
}

// part names a share of the work by a function. A sample belongs to the part of its innermost listed function.
type part struct{ function, name string }

// parts are in the order of the pipeline. partOf adds whether a sample belongs to intake or fold.
var parts = []part{
	{"schemas/event.(*Decoder).Decode", "JSON decode and validate"},
	{"intake.(*run).encodeEvent", "entry and batch"},
	{"kafka.(*Fetcher).Fetch", "fetch"},
	{"kafka.(*Producer).Produce", "produce, compression and CRC"},
	{"intake.(*run).appendTick", "ticks"},
	{"intake.(*run).commit", "input offsets"},
	{"fold.(*claim).loadCustomers", "customers from Redis"},
	{"ledger.(*Entries).Decode", "entry decode"},
	{"ledger.(*EventReader).Read", "event decode"},
	{"processors.(*step).applyEvent", "step: apply the event"},
	{"processors.(*step).loadCustomer", "step: look up the customer"},
	{"processors/clv.", "step: value"},
	{"processors/churn.", "step: churn"},
	{"processors/promoter.", "step: promoter"},
	{"output.(*CLVUpdated).Append", "output JSON"},
	{"output.(*ChurnRiskUpdated).Append", "output JSON"},
	{"output.(*PromoterStatusUpdated).Append", "output JSON"},
	{"fold.(*workingSet).Put", "working set"},
	{"processors.Step", "step: other"},
	{"fold.(*claim).encodePending", "output headers and batches"},
	{"kafka.(*Transactional).Publish", "transactions, compression and CRC"},
	{"fold.(*workingSet).changes", "customers encoded"},
	{"redis.(*Partition).Commit", "commit to Redis"},
	{"fold.(*claim).foldRecord", "fold: other"},
	{"segmentio/kafka-go.", "kafka-go's connections"},
	{"runtime.gcBgMarkWorker", "garbage collection"},
	{"runtime.bgsweep", "garbage collection"},
	{"runtime.bgscavenge", "garbage collection"},
	{"runtime.mcall", "scheduler"},
	{"runtime.mstart", "scheduler"},
	{"runtime.systemstack", "scheduler"},
}

func partOf(s stack) string {
	side := ""
	for _, f := range s.frames {
		switch {
		case strings.Contains(f, "pkg/stream/intake."):
			side = "intake: "
		case strings.Contains(f, "pkg/stream/fold."):
			side = "fold: "
		}
	}
	for _, f := range s.frames {
		for _, p := range parts {
			if strings.Contains(f, p.function) {
				return side + p.name
			}
		}
	}
	return side + "other"
}

func printParts(stacks []stack, events int64) {
	cost := map[string]time.Duration{}
	leaves := map[string]time.Duration{}
	total := time.Duration(0)
	for _, s := range stacks {
		cost[partOf(s)] += s.took
		leaves[s.frames[0]] += s.took
		total += s.took
	}
	show := func(title string, of map[string]time.Duration, most int) {
		fmt.Printf("  %-60s %9s %6s\n", title, "s per 1M", "share")
		names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
			return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
		})
		for _, name := range names[:min(most, len(names))] {
			fmt.Printf("  %-60s %9.3f %5.1f%%\n", name, of[name].Seconds()/float64(events)*1e6, 100*of[name].Seconds()/total.Seconds())
		}
	}
	show("part", cost, 30)
	show("innermost function", leaves, 15)
	fmt.Printf("  %-60s %9.3f\n", "all", total.Seconds()/float64(events)*1e6)
}
