package main

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
)

// The worked example of the simple CLV formula: 200,000 per purchase, 2.5 purchases per year, over 2 years.
func TestWorkedExample(t *testing.T) {
	days := []string{"2024-01-01", "2024-07-01", "2025-01-01", "2025-07-01", "2025-12-31"}
	for _, currency := range []string{"USD", "IRT"} {
		t.Run(currency, func(t *testing.T) {
			w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY="+currency)
			for i, day := range days[:2] {
				out := w.mustRun("send", "purchase", "--customer", "ada", "--order", fmt.Sprint(i+1), "--total", "200000", "--currency", currency, "--at", day)
				require.Contains(t, out, "sent to purchases, partition")
			}
			var file strings.Builder
			file.WriteString("who,day,amount\n")
			for _, day := range days[2:] {
				fmt.Fprintf(&file, "ada,%s,200000\n", strings.ReplaceAll(day, "-", ""))
			}
			out := w.mustRun("import", write(t, "orders.csv", file.String()), "--type", "purchase",
				"--map", "customer_id=who,occurred_at=day,total=amount", "--time-format", "20060102", "--currency", currency)
			require.Contains(t, out, "3 rows: 3 sent, 0 refused")
			w.customer("ada", orders("5"))
			const twoYears = "2025-12-31T12:00:00Z" // of 365.25 days, since the first order
			w.mustRun("advance", "--to", twoYears)

			c := w.customer("ada", func(c map[string]any) bool { return c["as_of"] == twoYears })
			require.Equal(t, "ada", c["customer_id"])
			require.Nil(t, c["referrer_customer_id"])
			require.Equal(t, currency, valueAt(c, "clv", "currency"))
			for name, want := range map[string]int64{"historic_clv": 1_000_000, "average_order_value": 200_000, "simple_clv": 1_000_000} {
				got, ok := new(big.Rat).SetString(numberAt(c, "clv", name))
				require.True(t, ok)
				require.Zero(t, got.Cmp(big.NewRat(want, 1)), "%s is %s", name, numberAt(c, "clv", name))
			}
			require.NotNil(t, valueAt(c, "churn_risk", "churn_probability"))
			require.Equal(t, "unknown", valueAt(c, "promoter_status", "nps_category"))

			require.Contains(t, w.mustRun("customer", "get", "ada"), "orders")
			require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")
			code, _, errs := w.run("advance", "--to", "2025-01-01")
			require.Equal(t, exitFailed, code)
			require.Contains(t, errs, "base time cannot go back: the time of the ledger is already "+twoYears)
			code, _, errs = w.run("customer", "get", "Ada")
			require.Equal(t, exitFailed, code)
			require.Contains(t, errs, "no such customer")
			require.NotContains(t, errs, "Ada")
			require.Equal(t, exitOK, b.stop(), b.errs.String())
			w.mustRun("customer", "get", "ada") // no process runs
		})
	}
}

func TestEveryKindOfEvent(t *testing.T) {
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "100", "--at", "2026-01-01")
	w.mustRun("send", "purchase", "--customer", "bob", "--order", "2", "--total", "40", "--at", "2026-01-02")
	w.customer("ada", orders("1"))
	w.customer("bob", orders("1"))
	w.mustRun("send", "cancellation", "--customer", "ada", "--order", "1", "--refund", "r1", "--total", "30", "--at", "2026-01-03")
	w.mustRun("send", "referral", "--referrer", "ada", "--customer", "bob", "--at", "2026-01-02")
	w.mustRun("send", "survey", "--customer", "ada", "--score", "9", "--response", "s1", "--at", "2026-01-05")
	ada := w.customer("ada", func(c map[string]any) bool {
		return numberAt(c, "clv", "historic_clv") == "70.00" && valueAt(c, "promoter_status", "nps_category") == "promoter" &&
			numberAt(c, "clv", "referral_value") == "40.00"
	})
	require.Equal(t, "1", numberAt(ada, "clv", "historic_number_of_orders"))
	bob := w.customer("bob", func(c map[string]any) bool { return c["referrer_customer_id"] != nil })
	require.Equal(t, "ada", bob["referrer_customer_id"])

	out := w.mustRun("tail", "clv", "--from", "start", "--customer", "bob", "--max", "1", "--output", "json")
	first := object(t, out)
	require.Equal(t, "bob", first["customer_id"])
	require.Equal(t, 1, strings.Count(out, "\n"))
	all := w.mustRun("tail", "clv", "--from", "start", "--follow=false")
	require.Contains(t, all, "historic 100.00")
	require.Contains(t, all, "historic 100.00 -> 70.00")
	require.Contains(t, w.mustRun("tail", "promoter-status", "--from", "start", "--follow=false"), "promoter  score 9")
	code, _, errs := w.run("tail", "clw")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "known are clv, churn-risk")

	w.eventually(func() bool { return numberAt(object(t, w.status()), "lag") == "0" }, "caught up")
	s := object(t, w.status())
	require.Equal(t, "event", s["clock"])
	require.Len(t, s["inputs"], 2*len(app.Kinds(config.Default())), "partitions")
	require.Len(t, s["partitions"], 2)
}

func TestSendWait(t *testing.T) {
	w, b := newRunningWorld(t)
	purchase := func(order string, more ...string) []string {
		return append([]string{"send", "purchase", "--customer", "ada", "--order", order, "--total", "1", "--currency", "USD", "--wait"}, more...)
	}
	for _, order := range []string{"1", "2", "3"} {
		w.mustRun(purchase(order)...)
		c := object(t, w.mustRun("customer", "get", "ada", "--output", "json"))
		require.Equal(t, order, numberAt(c, "clv", "historic_number_of_orders"))
	}
	code, _, errs := w.run("send", "purchase", "--customer", "guest", "--order", "4", "--total", "1", "--currency", "USD", "--wait")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "intake skips the event")
	require.Equal(t, exitOK, b.stop())
	code, out, errs := w.run(purchase("5", "--timeout", "50ms")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "sent to purchases")
	require.Contains(t, errs, "--wait: the event was sent, and is not in the answers after 50ms")
}

func TestTailStopsAtSignal(t *testing.T) {
	w, _ := newRunningWorld(t)
	tail := w.start("tail", "clv", "--from", "start")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "1", "--currency", "USD")
	w.eventually(func() bool { return strings.Contains(tail.out.String(), "ada") }, "an answer")
	require.Equal(t, exitOK, tail.stop())
}

func TestImport(t *testing.T) {
	w, _ := newRunningWorld(t)
	var file strings.Builder
	file.WriteString("customer_id,occurred_at,total,currency\n")
	for i := range 50 {
		fmt.Fprintf(&file, "c%d,2026-01-%02d,%d.50,USD\n", i%5, 1+i%28, i)
	}
	file.WriteString("c1,2026-01-01,-3,USD\nc1,yesterday,3,USD\nc1,2026-01-01,3,XXQ\n\nguest,2026-01-01,3,USD\n")
	path := write(t, "orders.csv", file.String())

	code, out, errs := w.run("import", path, "--type", "purchase")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "refused: line 52: total: is negative")
	require.Contains(t, out, "refused: line 53: occurred_at:")
	require.Contains(t, out, "refused: line 54:")
	require.Contains(t, out, "54 rows: 50 sent, 3 refused, 1 skipped")
	before := w.customer("c1", orders("10"))

	// A second import sends only duplicates, and changes no answer.
	got := object(t, w.mustRun("import", path, "--type", "purchase", "--output", "json"))
	require.Equal(t, "50", numberAt(got, "sent"))
	require.Equal(t, "50", numberAt(got, "duplicates"))
	require.Equal(t, "3", numberAt(got, "refused"))
	require.Len(t, got["refused_rows"], 3)
	w.mustRun("advance", "--to", "2026-02-01")
	after := w.customer("c1", func(c map[string]any) bool { return c["as_of"] == "2026-02-01T00:00:00Z" })
	require.Equal(t, numberAt(before, "clv", "historic_clv"), numberAt(after, "clv", "historic_clv"))
	require.Equal(t, "10", numberAt(after, "clv", "historic_number_of_orders"))
	w.mustRun("audit")

	// After a complete import there is nothing to resume.
	code, _, errs = w.run("import", path, "--type", "purchase", "--resume")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "import without --resume")
	_, err := os.Stat(path)
	require.NoError(t, err)
}

// The sample spans 18 months, and orders are remembered for 400 days before the time of the events. A second import must still change
// nothing.
func TestRepeatedImportOfLongHistoryChangesNothing(t *testing.T) {
	file := filepath.Join("..", "..", "pkg", "eventfile", "testdata", "cdnow_sample.csv")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	revenue := new(big.Rat)
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		if sales, ok := new(big.Rat).SetString(cells[len(cells)-1]); ok {
			revenue.Add(revenue, sales)
		}
	}
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=USD")
	load := func() map[string]any {
		return object(t, w.mustRun("import", file, "--type", "purchase",
			"--map", "customer_id=sampleid,occurred_at=date,total=sales", "--time-format", "20060102", "--currency", "USD", "--output", "json"))
	}
	answersAt := func(until string) (answers []string, portfolio map[string]any) {
		for _, hour := range []string{"T00:00:00Z", "T01:00:00Z"} { // the portfolio includes the contributions of the interval before
			w.mustRun("advance", "--to", until+hour, "--timeout", "2m")
			w.eventually(func() bool { return numberAt(object(t, w.status()), "lag") == "0" }, "caught up")
			w.customer("1", func(c map[string]any) bool { return valueAt(c, "as_of") == until+hour })
		}
		for _, id := range []string{"1", "2", "187", "1000", "2357"} {
			c := object(t, w.mustRun("customer", "get", id, "--output", "json"))
			answers = append(answers, fmt.Sprint(id, " ", numberAt(c, "clv", "historic_clv"), " ", numberAt(c, "clv", "historic_number_of_orders")))
		}
		last := strings.TrimSpace(w.mustRun("tail", "portfolio", "--from", "start", "--follow=false", "--output", "json"))
		return answers, object(t, last[strings.LastIndexByte(last, '\n')+1:])
	}
	first := load()
	require.Equal(t, [3]string{"6919", "6919", "0"}, [3]string{numberAt(first, "rows"), numberAt(first, "sent"), numberAt(first, "duplicates")})
	before, sum := answersAt("1998-07-02")
	second := load()
	require.Equal(t, [3]string{"6919", "6919", "6919"}, [3]string{numberAt(second, "rows"), numberAt(second, "sent"), numberAt(second, "duplicates")})
	after, again := answersAt("1998-07-03")
	require.Equal(t, before, after)
	require.Equal(t, "2357", numberAt(again, "customers"))
	require.Equal(t, numberAt(sum, "historic_revenue"), numberAt(again, "historic_revenue"))
	require.Equal(t, revenue.FloatString(2), numberAt(again, "historic_revenue"))
	w.mustRun("audit")
}

func TestImportIntoLiveLedgerWarns(t *testing.T) {
	w := newWorld(t)
	w.mustRun("topics", "apply")
	path := write(t, "orders.csv", "customer_id,occurred_at,total\nada,2026-01-01,3\n")
	require.Contains(t, w.mustRun("import", path, "--type", "purchase", "--currency", "USD"), "backfilled as late events")
	code, _, errs := w.run("advance", "--to", "now")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "live clock")
}

func TestDemo(t *testing.T) {
	began := time.Now()
	code, out, errs := run(t, nil, "demo", "--exit", "--output", "json", "--customers", "60", "--days", "120", "--pace", "1s")
	require.Equal(t, exitOK, code, "%s%s", out, errs)
	s := object(t, out)
	require.Equal(t, "60", numberAt(s, "customers"))
	require.Equal(t, "0", numberAt(s, "dead_letters"))
	for _, name := range []string{"lost", "doubled", "differing", "state_missing"} {
		require.Equal(t, "0", numberAt(s, "audit", name))
	}
	require.NotEqual(t, "0", numberAt(s, "by_silence"))
	require.NotEmpty(t, numberAt(s, "audit", "final", "customer_equity_minor_units"))
	require.Equal(t, numberAt(s, "audit", "final", "sum_minor_units"), numberAt(s, "audit", "final", "customer_equity_minor_units"))
	require.NotEqual(t, "0", numberAt(s, "open_alerts", "topic"))
	require.Equal(t, numberAt(s, "open_alerts", "state"), numberAt(s, "open_alerts", "topic"))
	require.Equal(t, "0", numberAt(s, "open_alerts", "differing"))
	require.Equal(t, "60", numberAt(s, "truth", "value_exact"))
	require.Equal(t, numberAt(s, "truth", "referred"), numberAt(s, "truth", "referrers_right"))
	require.Equal(t, numberAt(s, "truth", "referrers"), numberAt(s, "truth", "referral_value_exact"))
	require.Equal(t, "appended", valueAt(s, "model", "outcome"))
	require.Equal(t, "1", numberAt(s, "model", "in_force", "version"))
	require.Len(t, valueAt(s, "truth", "calibration", "deciles"), 10)
	require.NotEmpty(t, numberAt(s, "truth", "top_decile", "precision"))
	for _, topic := range []string{"clv", "churn-risk", "promoter-status"} {
		require.NotEqual(t, "0", numberAt(s, "outputs", topic))
	}
	wall, err := s["wall_seconds"].(interface{ Float64() (float64, error) }).Float64()
	require.NoError(t, err)
	require.Positive(t, wall)
	require.LessOrEqual(t, wall, time.Since(began).Seconds())
}

func TestDemoKeepsRunning(t *testing.T) {
	w := &world{t: t}
	b := w.start("demo", "--customers", "20", "--days", "30", "--pace", "100ms")
	w.eventually(func() bool { return strings.Contains(b.out.String(), "Everything keeps running") }, "the end of the simulated time")
	shown := b.out.String()
	require.NotContains(t, shown, "\x1b", "no colour off a terminal")
	require.Regexp(t, `^  http://127.0.0.1:\d+/\n`, shown)
	_, pasted, _ := strings.Cut(shown, "Everything keeps running")
	outputs := []string{}
	for l := range strings.Lines(strings.ReplaceAll(pasted, " \\\n", "")) {
		switch words := strings.Fields(l); {
		case len(words) == 2 && words[0] == "export":
			w.environ = append(w.environ, words[1])
		case len(words) > 0 && words[0] == "mainstay":
			outputs = append(outputs, w.mustRun(words[1:]...))
		}
	}
	require.Len(t, outputs, 4)
	require.Contains(t, outputs[0], "the customer's answers include the event")
	require.Contains(t, outputs[1], "customer me as of")
	require.Contains(t, outputs[3], "c-1")
	for l := range strings.Lines(pasted) {
		require.LessOrEqual(t, len(strings.TrimSuffix(l, "\n")), 80, l)
	}
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}
