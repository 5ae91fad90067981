package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/ops/audit"
)

func named(names ...string) (all []Fault) {
	for _, n := range names {
		all = append(all, Fault{Name: n, Do: func(context.Context, *run) error { return nil }})
	}
	return all
}

func tally(plan []Fault) map[string]int {
	of := map[string]int{}
	for _, f := range plan {
		of[f.Name]++
	}
	return of
}

func TestPlanHasEveryFaultAboutAsOften(t *testing.T) {
	plan := func(seed uint64, n int) []Fault {
		r := &run{Config: Config{Faults: n}, servers: &Servers{Faults: named("a", "b", "c")}, rng: rand.New(rand.NewPCG(seed, 0))}
		return r.plan()
	}
	require.Equal(t, map[string]int{"a": 3, "b": 3, "c": 3}, tally(plan(1, 9)))
	require.Len(t, plan(1, 5), 5)
	orders := map[string]bool{}
	for seed := range uint64(20) {
		order := ""
		for _, f := range plan(seed, 3) {
			order += f.Name
		}
		orders[order] = true
	}
	require.Greater(t, len(orders), 3, "the seed decides the order")
}

func TestSoakHasTheStatedProportions(t *testing.T) {
	plan := Soak(1000).Plan(rand.New(rand.NewPCG(1, 0)), named("f1", "f2", "f3"))
	of := tally(plan)
	require.Equal(t, 1000, of["mainstay: SIGKILL"]+of["Kafka: the broker is killed"])
	require.Equal(t, 100, of["f1"]+of["f2"]+of["f3"])
	require.Equal(t, 250, of["mainstay: stopped and started: two rebalances"])
	require.Len(t, plan, 1350)

	broken := errors.New("broken")
	for failure, want := range map[error]error{errNothingLost: nil, broken: broken} {
		do := withOrWithoutLoss(func(context.Context, *run) error { return failure })
		require.Equal(t, want, do(t.Context(), &run{Config: Config{Log: t.Logf}}))
	}
}

func TestVerdictIsCleanOnlyIfAllWasComparedAndEqual(t *testing.T) {
	clean := func() Verdict {
		return Verdict{Audited: true, Recounted: true, Audit: audit.Result{Outputs: 1, Customers: 1}, Customers: 1}
	}
	v := clean()
	require.True(t, v.Clean())
	for what, change := range map[string]func(*Verdict){
		"no audit":             func(v *Verdict) { v.Audited = false },
		"no recount":           func(v *Verdict) { v.Recounted = false },
		"nothing audited":      func(v *Verdict) { v.Audit.Outputs = 0 },
		"nobody audited":       func(v *Verdict) { v.Audit.Customers = 0 },
		"nobody recounted":     func(v *Verdict) { v.Customers = 0 },
		"audit: lost":          func(v *Verdict) { v.Audit.Lost = 1 },
		"audit: doubled":       func(v *Verdict) { v.Audit.Doubled = 1 },
		"audit: differing":     func(v *Verdict) { v.Audit.Differing = 1 },
		"audit: state missing": func(v *Verdict) { v.Audit.StateMissing = 1 },
		"recount: lost":        func(v *Verdict) { v.Lost = 1 },
		"recount: doubled":     func(v *Verdict) { v.Doubled = 1 },
		"recount: differing":   func(v *Verdict) { v.Differing = 1 },
	} {
		v := clean()
		change(&v)
		require.False(t, v.Clean(), what)
	}
}

func TestReport(t *testing.T) {
	r := newReport(Config{Set: Set{Name: "cluster"}, Seed: 7}, time.Time{})
	r.Planned = 4
	r.add("kill", 2*time.Second)
	r.add("kill", time.Second)
	r.recovered(named("kill"), 3*time.Second)
	r.recovered(named("kill"), 5*time.Second)
	r.add("pause", time.Second)
	r.recovered(named("kill", "pause"), 7*time.Second)
	r.Failure = "a | b"
	text := Markdown("make nemesis", []*Report{r})
	require.Contains(t, text, "| cluster | 7 | 3 of 4 planned |")
	require.Contains(t, text, "FAILED: a / b")
	require.Contains(t, text, "| kill | 2 | 2.0 s | 4.0 s | 5.0 s |")
	require.Contains(t, text, "| pause | 1 | 1.0 s | not waited for | not waited for |")
	require.Contains(t, text, "| (after all faults of a round) | 1 | | 7.0 s | 7.0 s |")
}

func TestFaultsOfProcessesHappenBesideThoseOfServers(t *testing.T) {
	r := &run{began: time.Now(), report: newReport(Config{}, time.Time{})}
	r.Log = t.Logf
	var order []string
	killed := make(chan struct{})
	ofProcess := func(name string) Fault {
		return Fault{Name: name, OfProcess: true, Do: func(context.Context, *run) error { order = append(order, name); return nil }}
	}
	last := ofProcess("p3")
	last.Do = func(context.Context, *run) error { close(killed); return nil }
	server := Fault{Name: "server", Do: func(ctx context.Context, _ *run) error {
		select { // it lasts until the processes have had all of theirs
		case <-killed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	require.NoError(t, r.injectRound(t.Context(), []Fault{server, ofProcess("p1"), ofProcess("p2"), last}, nil))
	require.Equal(t, []string{"p1", "p2"}, order)
	require.Equal(t, 4, r.report.Faults())

	broken := errors.New("broken")
	waits := Fault{Name: "waits", Do: func(ctx context.Context, _ *run) error { <-ctx.Done(); return context.Cause(ctx) }}
	fails := Fault{Name: "fails", OfProcess: true, Do: func(context.Context, *run) error { return broken }}
	require.ErrorIs(t, r.injectRound(t.Context(), []Fault{waits, fails}, nil), broken)

	stop := make(chan struct{})
	close(stop)
	require.NoError(t, r.injectRound(t.Context(), []Fault{waits, fails}, stop))
	require.Equal(t, 4, r.report.Faults())
}
