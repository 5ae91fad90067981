package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/models/parameters"
)

// cdnow returns a command line on the CDNOW sample, with the flags that map its columns.
func cdnow(command string, more ...string) []string {
	return append([]string{
		command, "../../pkg/lifetimes/testdata/cdnow_sample.csv", "--map", "customer_id=sampleid,occurred_at=date,total=sales",
		"--time-format", "20060102", "--currency", "USD",
	}, more...)
}

// call runs a command line at a fixed time, without servers.
func call(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &o, err: &e, name: "mainstay", stopping: make(chan struct{}),
		now: func() time.Time { return time.Date(2026, 5, 17, 12, 30, 45, 0, time.UTC) },
	}
	code = p.main(context.Background(), args)
	return code, o.String(), e.String()
}

func TestBacktest(t *testing.T) {
	report := filepath.Join(t.TempDir(), "cdnow.html")
	code, out, errs := call(cdnow("backtest", "--split", "1997-09-30", "--until", "1998-06-30", "--report", report)...)
	require.Equal(t, exitOK, code, errs)
	require.Empty(t, errs)
	require.Regexp(t, `(?m)^MBG/NBD +0\.7648 +1\.607 +0\.6273 +-16\.2% +0\.7601 +0\.055 `, out)
	require.Regexp(t, `(?m)^RFM +- +- +- +- +0\.7804 `, out)
	require.Contains(t, out, "recommended: blended scorer")
	// The last line is the command that fits the recommended model, and fit ends with the command that puts it in force.
	last := strings.Fields(out[strings.LastIndex(out, "mainstay fit"):])
	require.Contains(t, last, "--model-choice=blended")
	parametersFile := filepath.Join(t.TempDir(), "parameters.yaml")
	last[len(last)-1] = "--to=" + parametersFile
	code, fit, errs := call(last[1:]...)
	require.Equal(t, exitOK, code, errs)
	require.True(t, strings.HasSuffix(fit, "mainstay run --model-parameters-file="+parametersFile+"\n"), fit)
	require.Contains(t, fit, "\nblended, version")
	page, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(page), "<title>Backtest of cdnow_sample.csv</title>")

	code, out, errs = call(cdnow("backtest", "-o", "json")...)
	require.Equal(t, exitOK, code, errs)
	var got struct {
		Models []struct {
			Name string  `json:"name"`
			MAE  float64 `json:"mae"`
		} `json:"models"`
		Recommended string `json:"recommended"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.NotEmpty(t, got.Recommended)
	require.Equal(t, "BG/NBD", got.Models[0].Name)
	require.InDelta(t, .7855, got.Models[0].MAE, .00005)
}

func TestFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	code, out, errs := call(cdnow("fit", "--until", "1997-09-30", "--to", path)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "version 20260517123045: fitted, on 2357 customers, 946 of them repeat buyers, from 1997-01-01 to 1997-09-30")
	f, err := parameters.Read(path)
	require.NoError(t, err)
	require.InDelta(t, .525, f.Purchases.R, .01) // maximum likelihood has .525, 6.183, .891, 1.614
	require.InDelta(t, 6.183, f.Purchases.Alpha, .1)
	require.InDelta(t, 6.25, f.Spend.P, .1)
	require.Equal(t, "USD", f.Currency)
	require.Equal(t, "cdnow_sample.csv", f.Source.File)

	code, out, errs = call(cdnow("fit", "--until", "1997-09-30", "--to", "-")...)
	require.Equal(t, exitOK, code, errs)
	printed, err := parameters.Parse([]byte(out))
	require.NoError(t, err)
	require.Equal(t, f, printed)

	code, _, errs = call(cdnow("fit", "--until", "1997-06-30", "--to", path)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "was fitted to purchases until 1997-09-30, and the fit until 1997-06-30; give another --to, or --overwrite")
	code, _, errs = call(cdnow("fit", "--until", "1997-06-30", "--to", path, "--overwrite")...)
	require.Equal(t, exitOK, code, errs)

	code, out, errs = call(cdnow("fit", "--until", "1997-09-30", "--to", "-", "-o", "json")...)
	require.Equal(t, exitOK, code, errs)
	require.True(t, json.Valid([]byte(out)))
}

// TestFitReadsWhatTheStreamReads verifies that settings of intake decide which orders count.
func TestFitReadsWhatTheStreamReads(t *testing.T) {
	path := write(t, "orders.csv", `customer_id,order_id,occurred_at,total,subtotal,currency,status
 A ,1,2025-01-01T23:30:00-08:00,10,8,EUR,completed
a,2,2025-02-01T23:30:00-08:00,10,8,EUR,completed
a,3,2025-03-01T00:00:00Z,10,8,EUR,cancelled
walk-in,4,2025-03-01T00:00:00Z,10,8,EUR,completed
`)
	fit := func(args ...string) (customers, repeats float64, first string) {
		code, out, errs := call(append([]string{"fit", path, "--to", "-", "-o", "json"}, args...)...)
		require.Equal(t, exitOK, code, errs)
		var f parameters.File
		require.NoError(t, json.Unmarshal([]byte(out), &f))
		return float64(f.Diagnostics.Customers), float64(f.Diagnostics.RepeatBuyers), f.Source.First
	}
	customers, repeats, first := fit()
	require.Equal(t, []float64{3, 0}, []float64{customers, repeats})
	require.Equal(t, "2025-01-02", first)
	customers, repeats, first = fit("--intake-anonymous", "walk-in", "--ledger-customer-normalisation", "lower", "--timezone", "America/Los_Angeles")
	require.Equal(t, []float64{1, 1}, []float64{customers, repeats})
	require.Equal(t, "2025-01-01", first)
}

func TestBacktestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		errs string
	}{
		"no file":        {[]string{"backtest", "none.csv"}, exitFailed, "none.csv"},
		"no argument":    {[]string{"backtest"}, exitUsage, "arg"},
		"no mapping":     {[]string{"backtest", "../../pkg/lifetimes/testdata/cdnow_sample.csv"}, exitFailed, "--map 'occurred_at=date,total=sales,customer_id=COLUMN', of which the columns are guessed"},
		"no such day":    {cdnow("backtest", "--split", "1997-09-31"), exitUsage, "--split must be a day"},
		"split outside":  {cdnow("backtest", "--split", "2003-01-01"), exitFailed, "purchases go from 1997-01-01 to 1998-06-30"},
		"split too soon": {cdnow("backtest", "--split", "1997-01-01", "--until", "1996-01-01"), exitFailed, "is not after the split"},
		"other events":   {cdnow("backtest", "--type", "survey"), exitUsage, `--type" flag: must be purchase`},
		"no such output": {cdnow("backtest", "-o", "xml"), exitUsage, `--output" flag: must be table or json`},
		"no such folder": {cdnow("backtest", "--report", "/nowhere/at/all.html"), exitFailed, "--report"},
		"fit too soon":   {cdnow("fit", "--until", "1990-01-01"), exitFailed, "no customer had bought by 1990-01-01"},
		"fit to nowhere": {cdnow("fit", "--to", "/nowhere/at/all.yaml"), exitFailed, "/nowhere/at"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(c.args...)
			require.Equal(t, c.code, code, errs)
			require.Contains(t, errs, c.errs)
			require.Empty(t, out)
		})
	}
}
