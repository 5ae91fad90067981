package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
)

// in returns the same servers under another namespace and number of partitions.
func (w *world) in(namespace string, partitions int) *world {
	return &world{t: w.t, servers: w.servers, environ: append(append([]string{}, w.environ...), "MAINSTAY_NAMESPACE="+namespace, fmt.Sprint("MAINSTAY_LEDGER_PARTITIONS=", partitions))}
}

// answersOf takes from a customer what depends on the ledger and on when credits arrived.
func answersOf(c map[string]any) string {
	delete(c, "ledger")
	for _, part := range []string{"clv", "churn_risk", "promoter_status"} {
		for _, name := range []string{"event_id", "sequence", "previous"} {
			delete(c[part].(map[string]any), name)
		}
		if part != "churn_risk" {
			delete(c[part].(map[string]any), "reasons") // what has moved since the previous
		}
	}
	return fmt.Sprint(c)
}

// More partitions: the copy follows the running system, takes over its inputs when it stops, and gives the same answers.
func TestLedgerCopy(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD")
	two := w.in("two", 3)
	orders := ordersFile(t, 60)
	w.mustRun("import", orders, "--type", "purchase")
	w.mustRun("send", "referral", "--referrer", "c1", "--customer", "c2", "--at", "2024-06-01")
	w.mustRun("send", "survey", "--customer", "c3", "--score", "9", "--response", "s1", "--at", "2025-11-01")
	w.customer("c1", func(c map[string]any) bool { return numberAt(c, "clv", "referral_value") != "0.00" })

	code, _, errs := w.run("ledger", "copy")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--namespace NEW")
	code, _, errs = w.run("ledger", "copy", "--namespace", "mainstay")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "cannot be copied onto itself")

	require.Contains(t, w.mustRun("ledger", "copy", "--namespace", "two", "--partitions", "3"), "not finished")
	_, checked, _ := two.run("check")
	require.Contains(t, checked, "is a copy of mainstay that is not finished")
	after := two.start("run") // its intake waits, its folds do not
	finish := w.start("ledger", "copy", "--namespace", "two", "--finish", "--output", "json")
	w.mustRun("send", "purchase", "--customer", "followed", "--order", "f", "--total", "10", "--at", "2025-12-01")
	w.mustRun("send", "purchase", "--customer", "c7", "--order", "f7", "--total", "10", "--at", "2025-12-01")
	w.mustRun("advance", "--to", "2025-12-20T00:00:00Z")
	two.customer("followed", func(c map[string]any) bool { return numberAt(c, "clv", "historic_clv") == "10.00" })
	w.customer("followed", func(c map[string]any) bool { return c["as_of"] == "2025-12-20T00:00:00Z" })
	select {
	case <-finish.ended:
		require.Fail(t, "handed over while an intake runs")
	default:
	}
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	require.Equal(t, exitOK, finish.wait(), finish.errs.String())
	result := object(t, finish.out.String())
	require.Equal(t, true, result["finished"])
	require.Equal(t, "3", numberAt(result, "partitions"))
	require.NotEmpty(t, numberAt(result, "entries"))

	for i := range 60 {
		id := fmt.Sprint("c", i)
		want := answersOf(object(t, w.mustRun("customer", "get", id, "--output", "json")))
		two.customer(id, func(c map[string]any) bool { return answersOf(c) == want })
	}
	// The new intakes begin where the old ones stopped, and a file that was imported is known.
	two.mustRun("send", "purchase", "--customer", "followed", "--order", "g", "--total", "5", "--at", "2025-12-21")
	c := two.customer("followed", func(c map[string]any) bool { return numberAt(c, "clv", "historic_number_of_orders") == "2" })
	require.Equal(t, "15.00", numberAt(c, "clv", "historic_clv"))
	again := object(t, two.mustRun("import", orders, "--type", "purchase", "--output", "json"))
	require.Equal(t, numberAt(again, "sent"), numberAt(again, "duplicates"))
	require.Contains(t, two.mustRun("audit"), "nothing lost, doubled, differing or missing")
	require.Equal(t, exitOK, after.stop(), after.errs.String())
	require.Equal(t, 1, strings.Count(after.errs.String(), "waiting for the inputs to be handed over"))
	code, _, errs = w.run("ledger", "copy", "--namespace", "two")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "this copy is finished")
}

func TestReadCustomers(t *testing.T) {
	file := write(t, "forget.txt", " Ada \r\n\nbob\n")
	got, err := readCustomers(file, event.Normalise("lower"))
	require.NoError(t, err)
	require.Equal(t, []string{"ada", "bob"}, got)
	got, err = readCustomers("", "none")
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = readCustomers(write(t, "empty.txt", "\n"), "none")
	require.ErrorContains(t, err, "names no customer")
	_, err = readCustomers(file+"x", "none")
	require.ErrorContains(t, err, "--without: ")
}
