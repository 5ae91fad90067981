package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ordersFile writes a file of orders: each customer orders every few weeks on average, and some stop.
func ordersFile(t *testing.T, customers int) string {
	var file strings.Builder
	file.WriteString("customer_id,occurred_at,total\n")
	random := rand.New(rand.NewPCG(5, 6))
	until := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	for i := range customers {
		at := time.Date(2024, 6, 1+random.IntN(300), 12, 0, 0, 0, time.UTC)
		for at.Before(until) {
			fmt.Fprintf(&file, "c%d,%s,%d.90\n", i, at.Format(time.RFC3339), 5+random.IntN(90))
			if random.Float64() < .12 {
				break
			}
			at = at.Add(time.Duration(random.ExpFloat64() * 25 * 24 * float64(time.Hour)))
		}
	}
	return write(t, "orders.csv", file.String())
}

func TestRefit(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD", "MAINSTAY_FOLD_WAKE_LIMIT=40", "MAINSTAY_CLV_MATERIAL=0.01")
	code, _, errs := w.run("refit")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "Redis holds no state")
	w.mustRun("import", ordersFile(t, 300), "--type", "purchase")
	w.mustRun("advance", "--to", "2025-12-01T00:00:00Z")
	w.customer("c1", func(c map[string]any) bool { return c["as_of"] == "2025-12-01T00:00:00Z" })
	w.eventually(func() bool { return numberAt(object(t, w.status()), "lag") == "0" }, "caught up")

	dry := object(t, w.mustRun("refit", "--dry-run", "--output", "json"))
	require.Equal(t, "dry_run", dry["outcome"])
	require.Equal(t, "300", numberAt(dry, "customers"))
	require.Equal(t, "0", numberAt(dry, "in_force", "version"))
	require.Contains(t, w.mustRun("refit"), "appended to the ledger as version 1")
	for i := range 300 { // every customer is rescored, without an event
		w.customer(fmt.Sprint("c", i), func(c map[string]any) bool {
			return numberAt(c, "clv", "model", "version") == "1" && valueAt(c, "clv", "model", "status") == "fitted"
		})
	}
	refitted := map[string]bool{}
	for line := range strings.Lines(w.mustRun("tail", "clv", "--from", "start", "--follow=false", "--output", "json")) {
		if o := object(t, line); valueAt(o, "trigger") == "parameters" {
			refitted[fmt.Sprint(o["customer_id"])] = true
		}
	}
	require.Greater(t, len(refitted), 250, "the value of almost every customer changes by more than 1%")
	again := object(t, w.mustRun("refit", "--output", "json"))
	require.Equal(t, "unchanged", again["outcome"])
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

func TestRunReadsParametersFile(t *testing.T) {
	file := write(t, "parameters.yaml", "")
	w := newWorld(t, "MAINSTAY_CLOCK=event", "MAINSTAY_HTTP_LISTEN=127.0.0.1:0", "MAINSTAY_MODEL_PARAMETERS_FILE="+file)
	w.mustRun("topics", "apply")
	code, _, errs := w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "model.parameters_file: ")
	w.mustRun("fit", ordersFile(t, 200), "--currency", "EUR", "--to", file, "--overwrite")
	code, _, errs = w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "was fitted in EUR, money.currency is USD")
	f := object(t, w.mustRun("fit", ordersFile(t, 200), "--currency", "USD", "--to", file, "--overwrite", "--output", "json"))
	b := w.start("run")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "10", "--currency", "USD", "--at", "2026-01-01")
	c := w.customer("ada", func(c map[string]any) bool { return valueAt(c, "clv", "model", "status") == "fitted" })
	require.Equal(t, numberAt(f, "version"), numberAt(c, "clv", "model", "version"))
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// metric returns a sample from the metrics of a process; empty if there is none.
func (b *background) metric(w *world, sample string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+b.address(w)+"/metrics", http.NoBody)
	require.NoError(w.t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	require.NoError(w.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// Scheduled refits replace the prior by fitted parameters, under which every customer is rescored.
func TestScheduledRefit(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD", "MAINSTAY_REFIT_INTERVAL=1s", "MAINSTAY_LOG_LEVEL=info")
	w.mustRun("send", "purchase", "--customer", "first", "--order", "1", "--total", "10", "--currency", "USD", "--at", "2024-05-01")
	w.customer("first", func(c map[string]any) bool {
		return valueAt(c, "clv", "model", "status") == "prior" && valueAt(c, "churn_risk", "model", "name") == valueAt(c, "clv", "model", "name")
	})
	w.eventually(func() bool { return b.metric(w, `mainstay_refits_total{namespace="mainstay",outcome="no_data"}`) > "0" }, "a refit without repeat buyers")
	w.mustRun("import", ordersFile(t, 300), "--type", "purchase")
	w.mustRun("advance", "--to", "2025-12-01T00:00:00Z")
	for i := range 20 {
		w.customer(fmt.Sprint("c", i), func(c map[string]any) bool {
			return valueAt(c, "clv", "model", "status") == "fitted" && valueAt(c, "churn_risk", "model", "status") == "fitted"
		})
	}
	w.eventually(func() bool {
		return b.metric(w, `mainstay_refits_total{namespace="mainstay",outcome="unchanged"}`) > "0"
	}, "a refit with unchanged parameters")
	require.Contains(t, b.errs.String(), "refitted the models")
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// Customers who all bought every week until the purchase horizon before now, and nothing since, are predicted better by parameters
// under which everybody stops. The refit is refused with the reason.
func TestRefusedRefitIsReported(t *testing.T) {
	inForce := write(t, "parameters.yaml", `format: mainstay/parameters/v1
version: 4
model: mbg_nbd
status: fitted
time_unit: week
currency: USD
purchases: {r: 0.01, alpha: 50, a: 20, b: 0.5}
diagnostics: {converged: true}
`)
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD", "MAINSTAY_REFIT_INTERVAL=1s", "MAINSTAY_LOG_LEVEL=info",
		"MAINSTAY_MODEL_PARAMETERS_FILE="+inForce)
	var file strings.Builder
	file.WriteString("customer_id,occurred_at,total\n")
	for i := range 4800 { // sixty customers, eighty weeks
		at := time.Date(2024, 5, 1+i%60+7*(i/60), 12, 0, 0, 0, time.UTC)
		fmt.Fprintf(&file, "c%d,%s,%d\n", i%60, at.Format(time.RFC3339), 20+i%7)
	}
	w.mustRun("import", write(t, "orders.csv", file.String()), "--type", "purchase")
	w.mustRun("advance", "--to", "2026-04-15T00:00:00Z")
	w.eventually(func() bool { return b.metric(w, `mainstay_refits_total{namespace="mainstay",outcome="worse"}`) > "0" }, "a refused refit")
	w.eventually(func() bool {
		return strings.Contains(b.errs.String(), "refit refused: the current parameters stay")
	}, "its reason")
	code, out, _ := w.run("refit")
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "worse: on the last 90 days ")
	require.Contains(t, out, "that of version ")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// TestEveryModelIsPutInForce fits each model to the live customers. The outputs name it, and the audit finds nothing.
func TestEveryModelIsPutInForce(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD")
	w.mustRun("import", ordersFile(t, 200), "--type", "purchase")
	w.mustRun("advance", "--to", "2025-12-01T00:00:00Z")
	w.customer("c1", func(c map[string]any) bool { return c["as_of"] == "2025-12-01T00:00:00Z" })
	for i, name := range []string{"bg_nbd", "mbg_nbd", "pareto_nbd", "blended"} {
		require.Contains(t, w.mustRun("refit", "--model-choice", name), fmt.Sprintf("appended to the ledger as version %d", i+1))
		w.customer("c1", func(c map[string]any) bool {
			return valueAt(c, "clv", "model", "name") == name && valueAt(c, "churn_risk", "model", "name") == name
		})
		require.Contains(t, w.mustRun("customer", "explain", "c1"), name+fmt.Sprintf(", version %d (", i+1))
	}
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// A refit is not an event of a customer. On 39 weeks of the sample it moves more than a thousand customers across the threshold of a
// rule, and no alert is published for them.
func TestRefitRaisesNoAlerts(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "pkg", "eventfile", "testdata", "cdnow_sample.csv"))
	require.NoError(t, err)
	const until = "19970930"
	var file strings.Builder
	for line := range strings.Lines(string(content)) {
		if date := strings.Split(line, ",")[2]; date == "date" || date <= until {
			file.WriteString(line)
		}
	}
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=USD",
		"MAINSTAY_ALERTS_RULES=[{name: slipping, metric: churn_probability, above: 0.5, clear: 0.4, severity: warning}]")
	w.mustRun("import", write(t, "orders.csv", file.String()), "--type", "purchase",
		"--map", "customer_id=sampleid,occurred_at=date,total=sales", "--time-format", "20060102", "--currency", "USD")
	const now = "1997-10-01T00:00:00Z"
	w.mustRun("advance", "--to", now)
	waitCaughtUp := func(holds func(c map[string]any) bool) {
		w.customer("1", holds)
		w.eventually(func() bool { return numberAt(object(t, w.status()), "lag") == "0" }, "caught up")
	}
	waitCaughtUp(func(c map[string]any) bool { return c["as_of"] == now })
	published := func() int {
		return strings.Count(w.mustRun("tail", "alerts", "--from", "start", "--follow=false", "--output", "json"), "\n")
	}
	baselineAlerts := func() int {
		return strings.Count(w.mustRun("alerts", "list", "--baseline", "--output", "json"), `"alert_id"`)
	}
	publishedBefore, baseline := published(), baselineAlerts()
	require.Contains(t, w.mustRun("refit"), "appended to the ledger as version 1")
	waitCaughtUp(func(c map[string]any) bool { return numberAt(c, "clv", "model", "version") == "1" })
	w.eventually(func() bool { return baselineAlerts() > baseline+1000 }, "alerts that are opened without being published")
	require.Equal(t, publishedBefore, published())
	t.Logf("%d alerts published before the refit; opened without being published: %d before, %d after", publishedBefore, baseline, baselineAlerts())
	w.mustRun("audit")
}
