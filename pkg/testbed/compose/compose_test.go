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

	"github.com/mainstay/mainstay/pkg/testbed/containers"
)

// TestCompose is one test, since starting the stack takes a minute. It starts the stack with the simulated shop, and checks that the
// shop's events are processed, that Prometheus has the metrics, and that every query of the dashboards and rules returns data.
func TestCompose(t *testing.T) {
	began := time.Now()
	s := startStack(t)
	program := hostProgram(t, s)
	sent := waitShopCaughtUp(t, s)
	t.Run("refused events are told apart", func(t *testing.T) {
		_, _, err := program.Do(t.Context(), "send", "referral", "--referrer", "c-1", "--customer", "c-1")
		require.NoError(t, err)
		sendDeadLetter(t, program)
		_, _, err = program.Do(t.Context(), "send", "purchase", "--customer", "guest", "--order", "1", "--total", "5", "--currency", "USD")
		require.NoError(t, err)
	})
	s.await(t, `sum(mainstay_records_consumed_total)`, float64(sent+3))
	s.await(t, `sum(mainstay_records_skipped_total{reason="anonymous"})`, 1)
	s.await(t, `sum(mainstay_records_consumed_total{result="dead_letter"})`, 1)
	sendDeadLetter(t, program) // the share of dead letters needs an increase of a series that Prometheus has already scraped
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

	t.Run("the image is small and serves", func(t *testing.T) { checkImageAndHealth(t, s) })
	t.Run("a customer has answers", func(t *testing.T) { checkCustomer(t, program) })
	t.Run("every rule is evaluated", func(t *testing.T) { checkRules(t, s) })
	checkDashboards(t, s, began)
	t.Run("the shop stops in order", func(t *testing.T) { stopShop(t, s) })
}

// leastCustomers is the minimum number of customers when the shop has caught up with the clock. It exceeds tiers.min_customers, so that
// there are tiers.
const leastCustomers = 150

// hostProgram returns the program on this machine, which reaches Kafka and Redis by their published ports, and so tests the second
// listener of Kafka.
func hostProgram(t *testing.T, s *stack) containers.Program {
	t.Helper()
	path, err := containers.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	return containers.Program{Path: path, Settings: map[string]string{
		"KAFKA_BROKERS": s.address("KAFKA_PORT"), "REDIS_ADDRESSES": s.address("REDIS_PORT"), "HTTP_LISTEN": s.address("HTTP_PORT"),
	}}
}

// sendDeadLetter sends a survey response that intake cannot accept.
func sendDeadLetter(t *testing.T, program containers.Program) {
	t.Helper()
	_, _, err := program.Do(t.Context(), "send", "survey", "--customer", "c-1", "--score", "99", "--force")
	require.NoError(t, err)
}

var caughtUp = regexp.MustCompile(`(\d+) events sent; the shop has reached the present`)

// waitShopCaughtUp waits until the simulated shop has sent its past events, and returns their number.
func waitShopCaughtUp(t *testing.T, s *stack) int {
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

// stopShop stops the shop, which must exit with 0 at the first signal.
func stopShop(t *testing.T, s *stack) {
	out, err := s.command(t.Context(), "stop", "shop").CombinedOutput()
	require.NoError(t, err, "%s", out)
	state, err := s.command(t.Context(), "ps", "--all", "--format", "{{.State}} {{.ExitCode}}", "shop").Output()
	require.NoError(t, err)
	require.Equal(t, "exited 0", strings.TrimSpace(string(state)))
}

func checkImageAndHealth(t *testing.T, s *stack) {
	const most = 45_000_000 // the most that the binary may have, and two megabytes of its base
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

func checkCustomer(t *testing.T, p containers.Program) {
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

// checkRules checks that Prometheus has loaded and evaluated all rules, and that the watchdog fires.
func checkRules(t *testing.T, s *stack) {
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
		_, err := s.get(ctx, "rules", nil, &all)
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

// fallback matches the part of a query that replaces series that do not exist yet.
var fallback = regexp.MustCompile(` or (label_replace\(.*\)|vector\(-?\d\))$`)

// quiet lists the panels that show only the fallback on a new and healthy system, with the reason.
var quiet = map[string]string{
	"Halted partitions":                      "the condition does not occur",
	"Halted partitions, by reason":           "the condition does not occur",
	"Firing alerts":                          "none fires",
	"Fuses open":                             "the condition does not occur",
	"Fuse, by rule":                          "none was ever open",
	"Oldest erasure":                         "nobody was forgotten",
	"Late events, by topic":                  "there are none under the live clock",
	"Last good refit":                        "none is scheduled by default",
	"Forecasts due":                          "the first are due when a horizon has passed",
	"Orders, forecast and observed":          "the first are due when a horizon has passed",
	"Calibration error, by decile":           "the first are due when a horizon has passed",
	"Purchase days, predicted and observed":  "the first are due when a horizon has passed",
	"New customers: cost and worth":          "no day ends while the test runs, and no cost is stated",
	"Schema registry: failed requests":       "no registry is configured",
	"Requests with events":                   "no process has the role ingest",
	"Events in requests":                     "no process has the role ingest",
	"Memory of requests":                     "no process has the role ingest",
	"Duration of a request":                  "no process has the role ingest",
	"Oldest undelivered output":              "no process has the role deliver",
	"Outputs, by destination and outcome":    "no process has the role deliver",
	"Requests to destinations, by result":    "no process has the role deliver",
	"Duration of a request to a destination": "no process has the role deliver",
	"Customer equity by segment":             "no day is closed yet",
	"Customers by segment":                   "no day is closed yet",
	"Outputs to deliver":                     "no process has the role deliver",
}

// checkDashboards runs the queries of every panel as Grafana would, over the time since began. Each must return a number; except for
// the quiet panels, it must do so without its fallback.
func checkDashboards(t *testing.T, s *stack, began time.Time) {
	paths, err := filepath.Glob(filepath.Join(root, "deploy/grafana/dashboards/*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var dashboard struct {
			Title  string `json:"title"`
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					Expr    string `json:"expr"`
					Instant bool   `json:"instant"`
				} `json:"targets"`
			} `json:"panels"`
		}
		require.NoError(t, json.Unmarshal(text, &dashboard))
		for _, p := range dashboard.Panels {
			for _, q := range p.Targets {
				t.Run(dashboard.Title+": "+p.Title, func(t *testing.T) {
					requireData(t, s, q.Expr, q.Instant, began)
					if asked := fallback.ReplaceAllString(q.Expr, ""); asked != q.Expr && quiet[p.Title] == "" {
						requireData(t, s, asked, q.Instant, began)
					}
				})
			}
		}
	}
}

// requireData repeats a query until it returns data: a rate needs two samples of a new series.
func requireData(t *testing.T, s *stack, promql string, instant bool, began time.Time) {
	t.Helper()
	promql = strings.ReplaceAll(promql, "$__rate_interval", "1m")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var a *queryResult
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
			require.FailNow(t, "the query returns no data", promql)
		case <-time.After(time.Second):
		}
	}
}
