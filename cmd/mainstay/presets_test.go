package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command that reads a file recognises an export, says so, and takes the flags of a preset.
func TestExportsAreRecognised(t *testing.T) {
	const export = "../../pkg/eventfile/testdata/presets/shopify-orders.csv"
	for _, command := range [][]string{
		{"import", export, "--type", "purchase", "--dry-run"},
		{"import", export, "--preset", "shopify-orders", "--dry-run"},
		{"fit", export, "--to", filepath.Join(t.TempDir(), "parameters.yaml")},
		{"alerts", "forecast", "shipped", "--file", export},
	} {
		code, _, errs := run(t, []string{"MAINSTAY_MONEY_CURRENCY=EUR"}, command...)
		require.Equal(t, exitOK, code, errs)
		require.Contains(t, errs, "shopify-orders.csv: read by --preset shopify-orders, with --map 'cancelled_at=Cancelled at,")
		require.Contains(t, errs, "customer_id=Email|=null", "columns are named")
	}
	code, _, errs := run(t, nil, "import", export, "--type", "purchase", "--dry-run", "--preset", "none")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no column for the fields occurred_at, customer_id")
	code, _, errs = run(t, nil, "import", export, "--preset", "shopify")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "shopify-orders")

	_, out, _ := run(t, nil, "formats", "list")
	require.Contains(t, out, "uci-retail")
	_, out, _ = run(t, nil, "formats", "show", "uci-retail")
	require.Contains(t, out, "--lines sum")
	require.Contains(t, out, "total=Quantity*Price|Quantity*UnitPrice")
}

// A guess is taken after a yes on a terminal alone; elsewhere the error has it.
func TestAGuessIsAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(path, []byte("Order No,Client ID,Order Date,Order Total\n1,a,2026-01-01,5\n2,b,2026-01-02,x\n3,c,2026-01-03,7\n4,d,2026-01-04,8\n"), 0o600))
	ask := func(answer string, terminal bool) (int, string, string) {
		var out, errs syncBuffer
		p := newProgram(&out, &errs, answer, []string{"MAINSTAY_MONEY_CURRENCY=EUR"}, nil)
		p.inTerminal = terminal
		code := p.main(t.Context(), []string{"import", path, "--type", "purchase", "--currency", "EUR", "--dry-run"})
		return code, out.String(), errs.String()
	}
	const guess = "--map 'customer_id=Client ID,occurred_at=Order Date,order_id=Order No,total=Order Total'"
	for _, yes := range []string{"\n", "y\n", "YES\n"} {
		code, out, errs := ask(yes, true)
		require.Equal(t, exitOK, code, errs)
		require.Contains(t, out, "4 rows: 3 would be sent, 1 refused")
		require.Contains(t, errs, guess)
		require.Contains(t, errs, `line 2: {"type":"purchase","occurred_at":"2026-01-01T00:00:00Z","customer_id":"a","order_id":"1","total":5,"currency":"EUR"}`)
		require.Contains(t, errs, `line 3: total: "x" is not a number`)
		require.NotContains(t, errs, `"order_id":"4"`, "three rows are shown")
		require.Contains(t, errs, "Read the file so? [Y/n]")
	}
	for _, no := range []string{"n\n", "no\n", "what\n", ""} {
		code, out, errs := ask(no, true)
		require.Equal(t, exitFailed, code)
		require.NotContains(t, out, "would be sent")
		require.Contains(t, errs, guess)
	}
	code, _, errs := ask("y\n", false)
	require.Equal(t, exitFailed, code)
	require.NotContains(t, errs, "Read the file so?")
	require.Contains(t, errs, guess+", of which the columns are guessed")
}

// Times of a file that state no zone are of the ledger's, as in the stream, unless --timezone says otherwise.
func TestImportReadsTimesInTheZoneOfTheLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(path, []byte("customer_id,order_id,occurred_at,total\na,1,2026-01-01 02:00:00,5\n"), 0o600))
	for flag, first := range map[string]string{"": "2025-12-31T22:30:00Z", "UTC": "2026-01-01T02:00:00Z"} {
		_, out, errs := run(t, []string{"MAINSTAY_TIMEZONE=Asia/Tehran", "MAINSTAY_MONEY_CURRENCY=EUR"}, slices.Concat(
			[]string{"import", path, "--type", "purchase", "--currency", "EUR", "--dry-run", "--output", "json"}, map[bool][]string{true: {"--timezone", flag}}[flag != ""])...)
		require.Equal(t, first, object(t, out)["first_event"], errs)
	}
}
