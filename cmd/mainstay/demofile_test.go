package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The demonstration of a file shows what the file says: a recount of its rows, and the same backtest as the command.
func TestDemoOfAFile(t *testing.T) {
	arguments := cdnow("demo", "--exit", "--output", "json")
	arguments[1] = "--file=" + arguments[1]
	code, out, errs := run(t, nil, arguments...)
	require.Equal(t, exitOK, code, "%s%s", out, errs)
	require.Empty(t, errs)
	s := object(t, out)

	f, err := os.Open("../../pkg/lifetimes/testdata/cdnow_sample.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.NoError(t, f.Close())
	customers, last, total := map[string]bool{}, "", new(big.Rat)
	for _, row := range rows[1:] { // masterid, sampleid, date, cds, sales
		customers[row[1]] = true
		last = max(last, row[2])
		amount, ok := new(big.Rat).SetString(row[4])
		require.True(t, ok)
		total.Add(total, amount)
	}
	require.Equal(t, fmt.Sprint(len(rows)-1), numberAt(s, "import", "sent"))
	require.Equal(t, last[:4]+"-"+last[4:6]+"-"+last[6:]+"T00:00:00Z", valueAt(s, "as_of"))
	segments, ok := valueAt(s, "segments", "rows").([]any)
	require.True(t, ok)
	all, ok := segments[len(segments)-1].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "all", all["churn_risk"])
	require.Equal(t, fmt.Sprint(len(customers)), numberAt(all, "customers"))
	require.Equal(t, total.FloatString(2), numberAt(all, "historic_revenue"))
	cohorts, ok := valueAt(s, "cohorts", "rows").([]any)
	require.True(t, ok)
	require.Len(t, cohorts, 3, "all bought first in the first quarter of 1997")
	require.Equal(t, "appended", valueAt(s, "model", "outcome"))
	calls, ok := valueAt(s, "today").([]any)
	require.True(t, ok)
	require.Len(t, calls, 10)

	code, alone, errs := run(t, nil, cdnow("backtest", "-o", "json")...)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, object(t, alone), valueAt(s, "backtest"))
}

// It goes on until it is stopped, and what it prints to paste works: on its own servers and, by an import, on others.
func TestDemoOfAFileKeepsRunning(t *testing.T) {
	path := write(t, "orders of may.csv", "customer_id;order_id;occurred_at;total;currency\nada;1;2026-03-01;10,50;EUR\nada;2;2026-04-01;20;EUR\nbob;3;2026-05-02;7;EUR\nbob;4;2026-05-03;no amount;EUR\n")
	w := &world{t: t}
	w.openBrowser = func(address string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		require.Equal(t, http.StatusOK, answer.StatusCode, "the pages answer when the browser opens")
		require.NoError(t, answer.Body.Close())
		return errors.New("no display")
	}
	b := w.start("demo", "--file", path, "--decimal-comma", "--open")
	w.eventually(func() bool { return strings.Contains(b.out.String(), "To go live") }, "the end of the file")
	require.Contains(t, b.errs.String(), "--open: no browser could be started: no display")
	shown := b.out.String()
	require.Regexp(t, `^  http://127.0.0.1:\d+/\n`, shown)
	for _, text := range []string{
		"refused: line 5: total", "3 sent, 1 refused", "as of 2026-05-02", "provisional: these orders alone are too few for a fit", "amounts in EUR",
		"The orders do not suffice for a test of the predictions: ", "all         2",
	} {
		require.Contains(t, shown, text)
	}
	_, pasted, _ := strings.Cut(shown, "Everything keeps running")
	looking, live, _ := strings.Cut(pasted, "To go live")
	for l := range strings.Lines(looking) {
		words := strings.Fields(l)
		switch {
		case len(words) > 1 && words[0] == "export":
			w.environ = append(w.environ, words[1:]...)
		case len(words) > 1 && words[0] == "mainstay":
			w.mustRun(words[1:]...)
		}
	}
	require.Len(t, w.environ, 2)
	require.Contains(t, live, "MAINSTAY_MONEY_CURRENCY=EUR MAINSTAY_TIMEZONE=UTC")
	_, arguments, found := strings.Cut(live, "mainstay import '"+path+"' ")
	require.True(t, found, live)
	arguments, _, _ = strings.Cut(arguments, "\n")
	require.Equal(t, []string{"--type=purchase", "--decimal-comma=true"}, strings.Fields(arguments))
	require.Contains(t, w.mustRun(append([]string{"import", path}, strings.Fields(arguments)...)...), "3 of these rows were sent by an earlier import of this file")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

func TestDemoOfAFileRefuses(t *testing.T) {
	const header = "customer_id,order_id,occurred_at,total,currency\n"
	for name, c := range map[string]struct {
		content, says string
		more          []string
		code          int
	}{
		"no orders":          {header + "ada,1,2026-03-01,much,EUR\n", "every row was refused", nil, exitFailed},
		"no orders, as JSON": {header + "ada,1,2026-03-01,much,EUR\n", "no row of the file is an order", []string{"--output", "json"}, exitFailed},
		"nothing":            {"", "the file has no rows", nil, exitFailed},
		"a column is absent": {"customer_id,order_id,total\nada,1,3\n", "occurred_at=COLUMN", nil, exitFailed},
		"two currencies":     {header + "ada,1,2026-03-01,1,EUR\nada,2,2026-03-01,1,GBP\n", "--money-currency=EUR --money-rates=GBP=1.1", nil, exitFailed},
		"a simulated shop":   {header, "none of the others can be", []string{"--days", "3"}, exitUsage},
		"a time zone":        {header, "timezone", []string{"--timezone", "Mars/Olympus"}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, nil, append([]string{"demo", "--exit", "--file", write(t, "orders.csv", c.content)}, c.more...)...)
			require.Equal(t, c.code, code, "%s%s", out, errs)
			require.Contains(t, errs, c.says)
		})
	}
	code, out, errs := run(t, nil, "demo", "--exit", "--file", write(t, "orders.csv", header+"ada,1,2026-03-01,1,EUR\nada,2,2026-03-01,1,GBP\n"), "--money-currency=EUR", "--money-rates=GBP=1.2")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "2.20")
}

// A demonstration that is stopped while it reads ends in order.
func TestDemoOfAFileIsStopped(t *testing.T) {
	var out, errs syncBuffer
	stopping := make(chan struct{})
	close(stopping)
	arguments := cdnow("demo")
	arguments[1] = "--file=" + arguments[1]
	require.Equal(t, exitOK, newProgram(&out, &errs, "", nil, stopping).main(context.Background(), arguments), errs.String())
}
