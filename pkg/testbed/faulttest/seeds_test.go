package faulttest

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

var (
	seeds    = flag.Int("seeds", 200, "how many seeds to run")
	first    = flag.Uint64("seed", 1, "the first seed; with -seeds=1 its history and its logs are printed")
	perSeed  = flag.Int("faults", 5, "faults per seed")
	failfast = flag.Bool("failfast-seeds", false, "stop at the first seed that fails, for mutants")
)

// TestMain lets the heap grow: brokers, stores and processes in memory make much garbage, and a fifth of the time went into collecting it.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds shows that under all faults every accepted event counts once and causes its outputs once.
func TestSeeds(t *testing.T) {
	coverage := newCoverage()
	var mu sync.Mutex
	failed := 0
	queue := make(chan uint64)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for seed := range queue {
				history, problems := runSeed(t, seed, coverage)
				if len(problems) == 0 {
					continue
				}
				mu.Lock()
				failed++
				t.Errorf("seed %d (%s clock): go test ./pkg/testbed/faulttest -run TestSeeds -seeds=1 -seed=%d\n  %s\nits history:\n  %s", seed, clockOf(seed), seed, strings.Join(problems, "\n  "), strings.Join(history, "\n  "))
				mu.Unlock()
			}
		})
	}
	for i := 0; i < *seeds || extra(i, coverage); i++ {
		mu.Lock()
		stop := failed > 0 && *failfast
		mu.Unlock()
		if stop {
			break
		}
		queue <- *first + uint64(i)
	}
	close(queue)
	workers.Wait()
	if missing := coverage.missing(); mustCover() {
		fmt.Fprintf(os.Stderr, "seeds from %d, %d faults each: how often each fault was injected at each step\n%s", *first, *perSeed, coverage)
		if len(missing) > 0 {
			t.Errorf("%d pairs of step and fault were never injected: %s", len(missing), strings.Join(missing, "; "))
		}
	}
}

// mustCover says whether the run is large enough to inject every pair of step and fault.
func mustCover() bool { return *seeds >= 200 && !*failfast }

// extra says whether seed i, beyond those that were asked for, is run too. A seed can end before one of its steps is reached as
// often as planned, so a pair that was never injected gets some more seeds.
func extra(i int, coverage *coverage) bool {
	return mustCover() && i < *seeds*3/2 && len(coverage.missing()) > 0
}

// runSeed runs a seed in its own synctest bubble.
func runSeed(t *testing.T, seed uint64, coverage *coverage) (history, problems []string) {
	t.Helper()
	log := zap.NewNop()
	if *seeds == 1 {
		log = zaptest.NewLogger(t)
	}
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			history, problems = run(seed, *perSeed, coverage, log)
		})
	})
	return history, problems
}
