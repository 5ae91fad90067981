package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// headline returns the first line of the status, and whether the exit code says that something is wrong.
func (w *world) headline() (line string, wrong bool) {
	w.t.Helper()
	code, out, errs := w.run("status", "--wait", "0")
	require.Contains(w.t, []int{exitOK, exitFindings}, code, errs)
	return strings.Split(out, "\n")[0], code == exitFindings
}

// With Redis away, what only Redis knows is unknown, and not 0; with Kafka away, customers can be read still.
func TestStatusInAnOutage(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_KAFKA_TIMEOUT=1s", "MAINSTAY_REDIS_TIMEOUT=1s")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "5", "--currency", "USD")
	w.customer("ada", orders("1"))
	w.eventually(func() bool {
		line, wrong := w.headline()
		return line == "Healthy: everything is processed." && !wrong
	}, "a healthy status")
	require.Equal(t, exitOK, b.stop(), b.errs.String())

	line, wrong := w.headline()
	require.True(t, wrong)
	require.Equal(t, "Not healthy: no process is a member of group mainstay-intake: start one with `mainstay run` (and 1 more)", line)

	redis := w.servers.RedisAddress()
	w.servers.Miniredis().Close()
	line, wrong = w.headline()
	require.True(t, wrong)
	require.Contains(t, line, "Not healthy: Redis does not answer: ")
	_, out, _ := w.run("status", "--wait", "0")
	require.Regexp(t, `(?m)^0 +- +\d+ +\? +\d+ +\d+ +\? +- `, out, "published is known, in Redis and customers are not") // a tick may have come last
	partition, _ := object(t, w.status())["partitions"].([]any)[0].(map[string]any)
	require.Nil(t, partition["committed"])
	require.Nil(t, partition["customers"])
	require.NotNil(t, partition["published"])
	require.NoError(t, w.servers.Miniredis().StartAddr(redis))

	w.servers.Cluster().Close()
	line, wrong = w.headline()
	require.True(t, wrong)
	require.Contains(t, line, "Not healthy: Kafka does not answer: ")
	_, out, _ = w.run("status", "--wait", "0")
	require.Regexp(t, `(?m)^purchases/\d +- +\? +\? +\? +\? `, out)
	require.Contains(t, w.mustRun("customer", "get", "ada", "--output", "json"), `"historic_number_of_orders": 1`)
	require.Contains(t, w.mustRun("customer", "explain", "ada"), "ada")
	w.environ = append(w.environ, "MAINSTAY_LEDGER_PARTITIONS=8")
	w.mustRun("customer", "get", "ada") // the number of partitions is the ledger's

	w.servers.Miniredis().Close()
	line, wrong = w.headline()
	require.True(t, wrong)
	require.Contains(t, line, "(and 1 more)")
	code, _, errs := w.run("customer", "get", "ada")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "redis.addresses "+redis)
}

// A process with other settings of one revision does not join, so that it takes no partition from those that can fold it.
func TestAProcessWithOtherSettingsDoesNotJoin(t *testing.T) {
	w, _ := newRunningWorld(t)
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "5", "--currency", "USD")
	w.customer("ada", orders("1"))
	code, _, errs := w.run("run", "--churn.high", "0.9", "--dedup.days", "7")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "this process does not join: settings_conflict: ")
	require.Contains(t, errs, "churn.high is 0.9 here and 0.66 in the ledger")
	require.Contains(t, errs, "dedup.days is 7 here and 30 in the ledger")
	require.NotContains(t, errs, "churn.medium")
	w.eventually(func() bool {
		_, out, _ := w.run("status", "--wait", "0")
		return strings.Contains(out, "group mainstay-fold: Stable, 1 members") && !strings.Contains(out, "settings_conflict")
	}, "the first process undisturbed")
}
