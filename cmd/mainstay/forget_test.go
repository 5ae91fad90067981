package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomerForget(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_KAFKA_TOPICS_ERASURES=erasures", "MAINSTAY_KAFKA_TOPICS_ENGAGEMENT=engagement")
	buy := func(customer, order string) {
		w.mustRun("send", "purchase", "--customer", customer, "--order", order, "--total", "7", "--currency", "USD", "--wait")
	}
	buy("ada", "1")
	w.mustRun("send", "engagement", "--customer", "ada", "--type", "review", "--channel", "web", "--wait")
	w.mustRun("send", "referral", "--referrer", "eve", "--customer", "ada", "--wait")

	code, _, errs := w.run("customer", "forget", "nobody")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no such customer")
	require.Contains(t, errs, "nothing was changed")
	code, _, errs = w.run("customer", "forget", "")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "the id is empty")

	require.Contains(t, w.mustRun("customer", "forget", "ada"), "forgotten: entry ")
	for _, read := range []string{"get", "explain"} {
		code, _, errs = w.run("customer", read, "ada")
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "no such customer")
	}
	w.mustRun("customer", "forget", "nobody", "--unknown")
	lines := strings.Split(strings.TrimSpace(w.mustRun("tail", "clv", "--customer", "ada", "--from", "start", "--follow=false")), "\n")
	require.Contains(t, lines[len(lines)-2], "erased, as requested")
	require.Contains(t, lines[len(lines)-1], "ada  tombstone")
	buy("ada", "2")
	require.Equal(t, "1", numberAt(object(t, w.mustRun("customer", "get", "ada", "--output", "json")), "clv", "historic_number_of_orders"))

	w.mustRun("send", "erasure", "--customer", "ada", "--wait") // as a consent tool does
	code, _, _ = w.run("customer", "get", "ada")
	require.Equal(t, exitFailed, code)
	_, out, _ := w.run("check")
	require.Contains(t, out, "3 requests, the oldest 0 days ago")
	_, out, _ = w.run("dlq", "list")
	require.Contains(t, out, "no dead letters")
	require.Equal(t, exitOK, b.stop())
	_, out, _ = w.run("audit")
	require.Contains(t, out, "nothing lost, doubled, differing or missing")
}
