package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunWithoutTopicsPrintsTheLineThatMakesThem(t *testing.T) {
	w := newWorld(t, "MAINSTAY_NAMESPACE=till", "MAINSTAY_HTTP_LISTEN=127.0.0.1:0")
	code, _, errs := w.run("run", "--money.currency", "EUR", "--roles", "intake,fold")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "till.ledger.v1")

	var line string
	for l := range strings.Lines(errs) {
		if strings.Contains(l, "topics apply") {
			line = strings.TrimSpace(l)
		}
	}
	// It needs nothing but itself, and leaves out what has no part in topics.
	require.Contains(t, line, "--namespace till")
	require.Contains(t, line, "--money-currency EUR")
	require.Contains(t, line, "--kafka-brokers "+w.servers.KafkaAddress())
	require.NotContains(t, line, "roles")
	require.NotContains(t, line, "redis")
	words := strings.Fields(line)
	require.Equal(t, "mainstay", words[0])
	code, out, errs := run(t, nil, words[1:]...)
	require.Equal(t, exitDone, code, errs)
	require.Contains(t, out, "currency EUR")

	b := w.start("run", "--money.currency", "EUR")
	w.eventually(func() bool {
		return strings.Contains(w.must("status", "--money.currency", "EUR"), "group till-fold: Stable, 1 members")
	}, "a member")
	require.Equal(t, exitDone, b.stop(), b.errs.String())
}

func TestRunRefusesWhatTheLedgerContradicts(t *testing.T) {
	w := newWorld(t)
	w.must("topics", "apply")
	for _, c := range []struct{ setting, value string }{
		{"clock", "event"}, {"timezone", "Europe/Berlin"}, {"money.currency", "EUR"}, {"ledger.customer_normalisation", "lower"}, {"ledger.partitions", "4"},
	} {
		for _, command := range [][]string{{"run", "--http.listen", "127.0.0.1:0"}, {"topics", "apply"}} {
			code, _, errs := w.run(append(command, "--"+c.setting, c.value)...)
			require.Equal(t, exitFailed, code, "%s", c.setting)
			require.Contains(t, errs, c.setting+" is "+c.value+" here and ")
		}
		code, out, _ := w.run("check", "--"+c.setting, c.value)
		require.Equal(t, exitFound, code, out)
		require.Contains(t, out, c.setting+" is "+c.value)
		code, _, _ = w.run("topics", "plan", "--"+c.setting, c.value)
		require.Equal(t, exitFound, code)
	}
}

func TestTopics(t *testing.T) {
	w := newWorld(t)
	code, out, _ := w.run("topics", "plan")
	require.Equal(t, exitDone, code)
	require.Contains(t, out, "mainstay.ledger.v1")
	code, _, errs := w.run("status")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "mainstay topics apply")

	out = w.must("topics", "apply")
	require.Contains(t, out, "15 topics made")
	require.Contains(t, w.must("topics", "plan"), "all topics are there")
	again := w.must("topics", "apply")
	require.Contains(t, again, "0 topics made")
	id := func(out string) string {
		_, rest, _ := strings.Cut(out, "ledger ")
		name, _, _ := strings.Cut(rest[strings.LastIndex(rest, "ledger ")+1:], ",")
		return name
	}
	require.Contains(t, out, id(again))

	code, out, errs = w.run("check")
	require.Equal(t, exitDone, code, out+errs)
	require.Contains(t, w.must("topics", "recreated", "purchases"), "begins incarnation 1")
	require.Contains(t, w.must("topics", "recreated", "purchases"), "begins incarnation 2")
	code, _, errs = w.run("topics", "recreated", "sales")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "none of the input topics")
}

func TestASecondSignalStopsAtOnce(t *testing.T) {
	w, b := founded(t)
	w.eventually(func() bool { return strings.Contains(w.must("status"), "mainstay-fold: Stable, 1 members") }, "a member")
	b.cancel()
	require.Equal(t, exitFailed, <-b.code)
	require.Contains(t, b.errs.String(), "stopped at once")
	b.code <- exitFailed // for the clean-up
}

func TestATakenPortNamesTheSetting(t *testing.T) {
	w := newWorld(t)
	w.must("topics", "apply")
	code, _, errs := w.run("run", "--http.listen", w.servers.RedisAddress())
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "http.listen")
	require.Contains(t, errs, "is taken by another process")
}
