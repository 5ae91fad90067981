//go:build compose

package compose

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	parts "github.com/mainstay/mainstay/pkg/testbed/containers"
)

// TestCompose is one story, since bringing it up takes a minute: it is brought up as a newcomer would, with the simulated shop;
// the shop's events flow through it, Prometheus sees them, and every question of every board and rule has an answer.
func TestCompose(t *testing.T) {
	began := time.Now()
	s := up(t)
	program := emitter(t, s)
	sent := shopCaughtUp(t, s)
	t.Run("what nobody can take is told apart", func(t *testing.T) {
		_, _, err := program.Do(t.Context(), "send", "referral", "--referrer", "c-1", "--customer", "c-1")
		require.NoError(t, err)
		_, _, err = program.Do(t.Context(), "send", "survey", "--customer", "c-1", "--score", "99", "--force")
		require.NoError(t, err)
		_, _, err = program.Do(t.Context(), "send", "purchase", "--customer", "guest", "--order", "1", "--total", "5", "--currency", "USD")
		require.NoError(t, err)
	})
	s.await(t, `sum(mainstay_records_consumed_total)`, float64(sent+3))
	s.await(t, `sum(mainstay_records_skipped_total{reason="anonymous"})`, 1)
	s.await(t, `sum(mainstay_records_consumed_total{result="dead_letter"})`, 1)
	s.await(t, `sum(mainstay_rejections_total{reason="self_referral"})`, 1)
	s.await(t, `sum(mainstay_outputs_total{topic="clv"})`, leastCustomers)
	s.await(t, `sum(mainstay_outputs_total{topic="promoter-status"})`, 1)
	s.await(t, `max(mainstay_customers)`, leastCustomers)
	s.await(t, `sum(mainstay_customers_by_value_tier)`, leastCustomers)
	s.await(t, `max(mainstay_nps_standard_error)`, 0.1)
	s.await(t, `sum(mainstay_ledger_bytes)`, 1)
	s.await(t, `max(mainstay_redis_memory_ratio) > 0`, 0)

	t.Run("an audit finds nothing", func(t *testing.T) {
		out, _, err := program.Do(t.Context(), "audit")
		require.NoError(t, err, "%s", out)
		s.await(t, `max(mainstay_audit_last_success_timestamp_seconds)`, 1)
	})

	t.Run("the image is small and serves", func(t *testing.T) { imageAndHealth(t, s) })
	t.Run("what was sent is found", func(t *testing.T) { found(t, program) })
	t.Run("every rule is evaluated", func(t *testing.T) { rules(t, s) })
	boards(t, s, began)
	t.Run("the shop ends in order", func(t *testing.T) { shopEnds(t, s) })
}

// leastCustomers have come when the shop's time is now: more than tiers.min_customers, so that there are tiers.
const leastCustomers = 150

// emitter is the program on this machine, which reaches Kafka and Redis by their ports here: the other listener.
func emitter(t *testing.T, s *stack) parts.Program {
	t.Helper()
	path, err := parts.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	return parts.Program{Path: path, Settings: map[string]string{
		"KAFKA_BROKERS": s.address("KAFKA_PORT"), "REDIS_ADDRESSES": s.address("REDIS_PORT"), "HTTP_LISTEN": s.address("HTTP_PORT"),
	}}
}

var caughtUp = regexp.MustCompile(`(\d+) events sent; the shop's time is now`)

// shopCaughtUp waits until the simulated shop has told what lies behind it, and returns how many events that were.
func shopCaughtUp(t *testing.T, s *stack) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		out, err := s.command(ctx, "logs", "--no-log-prefix", "shop").CombinedOutput()
		require.NoError(t, err, "%s", out)
		if found := caughtUp.FindSubmatch(out); found != nil {
			events, err := strconv.Atoi(string(found[1]))
			require.NoError(t, err)
			require.Greater(t, events, leastCustomers)
			return events
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "the shop does not catch up with the clock", "%s", out)
		case <-time.After(time.Second):
		}
	}
}

// shopEnds stops it, which it does at the first signal, with nothing left unsent.
func shopEnds(t *testing.T, s *stack) {
	out, err := s.command(t.Context(), "stop", "shop").CombinedOutput()
	require.NoError(t, err, "%s", out)
	state, err := s.command(t.Context(), "ps", "--all", "--format", "{{.State}} {{.ExitCode}}", "shop").Output()
	require.NoError(t, err)
	require.Equal(t, "exited 0", strings.TrimSpace(string(state)))
}

func imageAndHealth(t *testing.T, s *stack) {
	const most = 30_000_000
	out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "--format", "{{.Size}} {{.Config.User}}", "mainstay:"+s.version).Output()
	require.NoError(t, err)
	size, user, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	bytes, err := strconv.Atoi(size)
	require.NoError(t, err)
	require.Less(t, bytes, most)
	require.Equal(t, "65532:65532", user)
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address("HTTP_PORT")+path, nil)
		require.NoError(t, err)
		response, err := s.client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, path)
	}
}

func found(t *testing.T, p parts.Program) {
	out, _, err := p.Do(t.Context(), "customer", "get", "c-1", "--output", "json")
	require.NoError(t, err)
	var c struct {
		CLV struct {
			Orders int `json:"historic_number_of_orders"`
		} `json:"clv"`
	}
	require.NoError(t, json.Unmarshal(out, &c))
	require.Positive(t, c.CLV.Orders)
}

// rules makes sure that Prometheus has loaded all rules and can evaluate each, and that the watchdog reaches us.
func rules(t *testing.T, s *stack) {
	s.await(t, `count(ALERTS{alertname="MainstayWatchdog", alertstate="firing"})`, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		var all struct {
			Groups []struct {
				Rules []struct {
					Name      string `json:"name"`
					Health    string `json:"health"`
					LastError string `json:"lastError"`
				} `json:"rules"`
			} `json:"groups"`
		}
		_, err := s.ask(ctx, "rules", nil, &all)
		require.NoError(t, err)
		known, waiting := 0, 0
		for _, g := range all.Groups {
			for _, r := range g.Rules {
				require.Empty(t, r.LastError, r.Name)
				known++
				if r.Health != "ok" { // not evaluated yet
					waiting++
				}
			}
		}
		require.GreaterOrEqual(t, known, 20)
		if waiting == 0 {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "rules are not evaluated")
		case <-time.After(time.Second):
		}
	}
}

// fallback is what stands in for series that are not there yet.
var fallback = regexp.MustCompile(` or (label_replace\(.*\)|vector\(-?\d\))$`)

// quiet are panels that show only the fallback on a system that is new and healthy.
var quiet = map[string]string{
	"Halted partitions":                     "none is",
	"Halted partitions, by reason":          "none is",
	"Firing alerts":                         "none does",
	"Fuses open":                            "none is",
	"Fuse, by rule":                         "none was ever open",
	"Late events, by topic":                 "there are none under the live clock",
	"Last good refit":                       "none is scheduled by default",
	"Forecasts due":                         "the first are due when a horizon has passed",
	"Orders, forecast and observed":         "the first are due when a horizon has passed",
	"Calibration error, by decile":          "the first are due when a horizon has passed",
	"Purchase days, predicted and observed": "the first are due when a horizon has passed",
}

// boards asks what Grafana would ask, panel by panel, over the time since began. An answer without a number in it is none, and
// what a fallback says is none where the run gave cause for a better one.
func boards(t *testing.T, s *stack, began time.Time) {
	paths, err := filepath.Glob(filepath.Join(root, "deploy/grafana/dashboards/*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var board struct {
			Title  string `json:"title"`
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					Expr    string `json:"expr"`
					Instant bool   `json:"instant"`
				} `json:"targets"`
			} `json:"panels"`
		}
		require.NoError(t, json.Unmarshal(text, &board))
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				t.Run(board.Title+": "+p.Title, func(t *testing.T) {
					answers(t, s, q.Expr, q.Instant, began)
					if asked := fallback.ReplaceAllString(q.Expr, ""); asked != q.Expr && quiet[p.Title] == "" {
						answers(t, s, asked, q.Instant, began)
					}
				})
			}
		}
	}
}

// answers asks until there is an answer: a rate needs two looks at what has only just come to be.
func answers(t *testing.T, s *stack, promql string, instant bool, began time.Time) {
	t.Helper()
	promql = strings.ReplaceAll(promql, "$__rate_interval", "1m")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var a *answer
		var err error
		if instant {
			a, err = s.query(ctx, promql)
		} else {
			a, err = s.queryRange(ctx, promql, began, time.Now())
		}
		require.NoError(t, err, promql)
		require.Empty(t, a.warnings, promql)
		if len(a.numbers()) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "there is no answer", promql)
		case <-time.After(time.Second):
		}
	}
}
