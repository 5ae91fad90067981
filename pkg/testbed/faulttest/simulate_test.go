package faulttest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

var (
	seeds  = flag.Int("seeds", 200, "how many seeds to run")
	first  = flag.Uint64("seed", 1, "the first seed; with -seeds=1 it is told with its story and logs")
	faults = flag.Int("faults", 5, "faults per seed")
	killed = flag.Bool("failfast-seeds", false, "stop at the first seed that fails, for mutants")
)

// TestSeeds is the proof: whatever strikes, every accepted event counts once and is answered once.
func TestSeeds(t *testing.T) {
	coverage := NewCoverage()
	var mu sync.Mutex
	failed := 0
	queue := make(chan uint64)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for seed := range queue {
				story, problems := play(t, seed, coverage)
				if len(problems) == 0 {
					continue
				}
				mu.Lock()
				failed++
				t.Errorf("seed %d (%s clock): go test ./pkg/testbed/faulttest -run TestSeeds -seeds=1 -seed=%d\n  %s\nits story:\n  %s", seed, clockOf(seed), seed, strings.Join(problems, "\n  "), strings.Join(story, "\n  "))
				mu.Unlock()
			}
		})
	}
	for i := 0; i < *seeds || extra(i, coverage); i++ {
		mu.Lock()
		stop := failed > 0 && *killed
		mu.Unlock()
		if stop {
			break
		}
		queue <- *first + uint64(i)
	}
	close(queue)
	workers.Wait()
	if missing := coverage.Missing(); proof() {
		fmt.Fprintf(os.Stderr, "seeds from %d, %d faults each: how often each fault struck at each step\n%s", *first, *faults, coverage)
		if len(missing) > 0 {
			t.Errorf("%d pairs of step and fault never met: %s", len(missing), strings.Join(missing, "; "))
		}
	}
}

// proof says whether the run is one that must meet every pair of step and fault.
func proof() bool { return *seeds >= 200 && !*killed }

// extra says whether seed i, beyond those that were asked for, is played too: a strike that waits for its step may wait in vain,
// so a pair that has not met has some more turns, but not for ever.
func extra(i int, coverage *Coverage) bool {
	return proof() && i < *seeds*3/2 && len(coverage.Missing()) > 0
}

func clockOf(seed uint64) string { return [...]string{"event", "live"}[seed%2] }

// play runs a seed in a bubble of its own.
func play(t *testing.T, seed uint64, coverage *Coverage) (story, problems []string) {
	t.Helper()
	log := zap.NewNop()
	if *seeds == 1 {
		log = zaptest.NewLogger(t)
	}
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			story, problems = run(seed, *faults, coverage, log)
		})
	})
	return story, problems
}
