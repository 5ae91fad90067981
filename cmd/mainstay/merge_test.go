package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomerMerge(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_KAFKA_TOPICS_IDENTITIES=identities", "MAINSTAY_LEDGER_PARTITIONS=3")
	buy := func(customer, order string) {
		w.mustRun("send", "purchase", "--customer", customer, "--order", order, "--total", "7", "--currency", "USD", "--wait")
	}
	orders := func(customer string) string {
		return numberAt(object(t, w.mustRun("customer", "get", customer, "--output", "json")), "clv", "historic_number_of_orders")
	}
	buy("ada", "1")
	buy("ada", "2")
	buy("ann", "2")
	buy("bea", "3")

	for name, c := range map[string]struct {
		from, into, want string
	}{
		"with themselves": {"ada", "ada", "name two"},
		"unknown":         {"nobody", "ada", `customer "nobody": no such customer`},
		"unknown other":   {"ada", "nobody", `customer "nobody": no such customer`},
		"no id":           {"", "ada", "the id is empty"},
	} {
		code, _, errs := w.run("customer", "merge", c.from, c.into, "--yes")
		require.Equal(t, exitFailed, code, name)
		require.Contains(t, errs, c.want, name)
		require.Contains(t, errs, "nothing was changed", name)
	}
	require.Contains(t, w.mustRun("customer", "merge", "ada", "ann"), "nothing was sent: with --yes ada is merged into ann")
	require.Equal(t, "1", orders("ann"))

	require.Contains(t, w.mustRun("customer", "merge", "ada", "ann", "--yes"), "merged: entry ")
	require.Equal(t, "2", orders("ann"), "the order that both have counts once")
	require.Contains(t, w.mustRun("customer", "get", "ada"), "ada was merged into ann, who follows")
	require.Equal(t, "2", orders("ada"))
	require.NotContains(t, w.mustRun("customer", "list"), "ada")

	code, _, errs := w.run("customer", "merge", "ada", "bea", "--yes")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `the customer is merged already, into "ann": merge that one; nothing was changed`)
	code, _, errs = w.run("customer", "merge", "ann", "ada", "--yes")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `a cycle of merges: "ada" was merged into "ann" before`)

	w.mustRun("send", "identity", "--customer", "ann", "--into", "bea", "--wait") // as a tool for identities does
	buy("ada", "4")
	w.eventually(func() bool { return orders("bea") == "4" }, "ann's orders are bea's")
	lines := strings.Split(strings.TrimSpace(w.mustRun("tail", "clv", "--customer", "ada", "--from", "start", "--follow=false")), "\n")
	require.Contains(t, lines[len(lines)-2], "merged into ann")
	require.Contains(t, lines[len(lines)-1], "ada  tombstone")

	w.mustRun("customer", "forget", "ada")
	w.eventually(func() bool {
		code, _, _ := w.run("customer", "get", "bea")
		return code == exitFailed
	}, "bea is forgotten too")
	_, out, _ := w.run("dlq", "list")
	require.Contains(t, out, "no dead letters")
	require.Equal(t, exitOK, b.stop())
	_, out, _ = w.run("audit")
	require.Contains(t, out, "nothing lost, doubled, differing or missing")
}
