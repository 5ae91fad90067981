//go:build compose

package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	parts "github.com/mainstay/mainstay/pkg/real"
)

const shoppers = 120 // more than tiers.min_customers, so that there are tiers

// TestCompose is one story, since bringing it up takes a minute: events flow through it, Prometheus sees them, and every
// question of every board and rule has an answer.
func TestCompose(t *testing.T) {
	began := time.Now()
	s := up(t)
	program := emitter(t, s)
	orders := history(t, program)

	s.await(t, `sum(mainstay_records_consumed_total{result="accepted"})`, float64(orders))
	s.await(t, `sum(mainstay_records_consumed_total{result="dead_letter"})`, 1)
	s.await(t, `sum(mainstay_outputs_total{topic="clv"})`, shoppers)
	s.await(t, `sum(mainstay_rejections_total{reason="self_referral"})`, 1)
	s.await(t, `max(mainstay_customers)`, shoppers)
	s.await(t, `sum(mainstay_customers_by_value_tier)`, shoppers)
	s.await(t, `sum(mainstay_ledger_bytes)`, 1)
	s.await(t, `max(mainstay_redis_memory_ratio) > 0`, 0)

	t.Run("the image is small and serves", func(t *testing.T) { imageAndHealth(t, s) })
	t.Run("what was sent is found", func(t *testing.T) { found(t, program) })
	t.Run("every rule is evaluated", func(t *testing.T) { rules(t, s) })
	boards(t, s, began)
}

// emitter is the program on this machine, which reaches Kafka and Redis by their ports here: the other listener.
func emitter(t *testing.T, s *stack) parts.Program {
	t.Helper()
	path, err := parts.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	return parts.Program{Path: path, Settings: map[string]string{
		"KAFKA_BROKERS": s.address("KAFKA_PORT"), "REDIS_ADDRESSES": s.address("REDIS_PORT"), "HTTP_LISTEN": s.address("HTTP_PORT"),
	}}
}

// history sends orders and answers, a referral of oneself, and something that nobody can read. It returns how many events
// were sent that can be taken.
func history(t *testing.T, p parts.Program) (events int) {
	t.Helper()
	var purchases, surveys strings.Builder
	purchases.WriteString("customer_id,order_id,total,currency,occurred_at\n")
	surveys.WriteString("customer_id,response_id,score,created_at\n")
	now := time.Now().UTC()
	for i := range shoppers {
		for n := range 1 + i%3 {
			at := now.Add(-time.Duration(i+40*n) * 24 * time.Hour).Format(time.RFC3339)
			fmt.Fprintf(&purchases, "c%d,o%d-%d,%d.90,USD,%s\n", i, i, n, 10+i, at)
			events++
		}
		if i%4 == 0 {
			fmt.Fprintf(&surveys, "c%d,r%d,%d,%s\n", i, i, i%11, now.Add(-time.Hour).Format(time.RFC3339))
			events++
		}
	}
	dir := t.TempDir()
	for kind, text := range map[string]string{"purchase": purchases.String(), "survey": surveys.String()} {
		path := filepath.Join(dir, kind+".csv")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, _, err := p.Do(t.Context(), "import", path, "--type", kind)
		require.NoError(t, err)
	}
	_, _, err := p.Do(t.Context(), "send", "referral", "--referrer", "c1", "--customer", "c1")
	require.NoError(t, err)
	_, _, err = p.Do(t.Context(), "send", "survey", "--customer", "c1", "--score", "99", "--force")
	require.NoError(t, err)
	return events + 1
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
	out, _, err := p.Do(t.Context(), "customer", "get", "c2", "--output", "json")
	require.NoError(t, err)
	var c struct {
		CLV struct {
			Orders int `json:"historic_number_of_orders"`
		} `json:"clv"`
	}
	require.NoError(t, json.Unmarshal(out, &c))
	require.Equal(t, 3, c.CLV.Orders)
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

// boards asks what Grafana would ask, panel by panel, over the time since began. An answer without a number in it is none.
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
					promql := strings.ReplaceAll(q.Expr, "$__rate_interval", "1m")
					var a *answer
					if q.Instant {
						a, err = s.query(t.Context(), promql)
					} else {
						a, err = s.queryRange(t.Context(), promql, began, time.Now())
					}
					require.NoError(t, err, promql)
					require.Empty(t, a.warnings, promql)
					require.NotEmpty(t, a.numbers(), "%s is without an answer", promql)
				})
			}
		}
	}
}
