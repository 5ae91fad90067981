package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
)

func TestRunWithoutTopicsPrintsApplyCommand(t *testing.T) {
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
	// The command is complete, and omits settings that topics do not depend on.
	require.Contains(t, line, "--namespace till")
	require.Contains(t, line, "--money-currency EUR")
	require.Contains(t, line, "--kafka-brokers "+w.servers.KafkaAddress())
	require.NotContains(t, line, "roles")
	require.NotContains(t, line, "redis")
	words := strings.Fields(line)
	require.Equal(t, "mainstay", words[0])
	code, out, errs := run(t, nil, words[1:]...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "currency EUR")

	b := w.start("run", "--money.currency", "EUR")
	w.eventually(func() bool {
		_, out, _ := w.run("status", "--money.currency", "EUR") // exit code 3 while there is none
		return strings.Contains(out, "group till-fold: Stable, 1 members")
	}, "a member")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

func TestRunRefusesGenesisMismatch(t *testing.T) {
	w := newWorld(t)
	w.mustRun("topics", "apply")
	for _, c := range []struct{ setting, value string }{
		{"clock", "event"}, {"timezone", "Europe/Berlin"}, {"money.currency", "EUR"}, {"ledger.customer_normalisation", "lower"}, {"ledger.partitions", "4"},
	} {
		for _, command := range [][]string{{"run", "--http.listen", "127.0.0.1:0"}, {"topics", "apply"}} {
			code, _, errs := w.run(append(command, "--"+c.setting, c.value)...)
			require.Equal(t, exitFailed, code, "%s", c.setting)
			require.Contains(t, errs, c.setting+" is "+c.value+" here and ")
		}
		code, out, _ := w.run("check", "--"+c.setting, c.value)
		require.Equal(t, exitFindings, code, out)
		require.Contains(t, out, c.setting+" is "+c.value)
		code, _, _ = w.run("topics", "plan", "--"+c.setting, c.value)
		require.Equal(t, exitFindings, code)
	}
}

func TestTopics(t *testing.T) {
	w := newWorld(t)
	code, out, _ := w.run("topics", "plan")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "mainstay.ledger.v1")
	code, _, errs := w.run("status")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "mainstay topics apply")

	out = w.mustRun("topics", "apply")
	require.Contains(t, out, "18 topics created")
	require.Contains(t, w.mustRun("topics", "plan"), "all topics exist")
	again := w.mustRun("topics", "apply")
	require.Contains(t, again, "0 topics created")
	id := func(out string) string {
		_, rest, _ := strings.Cut(out, "ledger ")
		name, _, _ := strings.Cut(rest[strings.LastIndex(rest, "ledger ")+1:], ",")
		return name
	}
	require.Contains(t, out, id(again))

	code, out, errs = w.run("check")
	require.Equal(t, exitOK, code, out+errs)
	require.Contains(t, w.mustRun("topics", "recreated", "purchases"), "now has incarnation 1")
	require.Equal(t, map[string]any{"topic": "purchases", "incarnation": json.Number("2")},
		object(t, w.mustRun("topics", "recreated", "purchases", "--output", "json")))
	code, _, errs = w.run("topics", "recreated", "sales")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "is not an input topic")
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	w, b := newRunningWorld(t)
	w.eventually(func() bool {
		_, out, _ := w.run("status")
		return strings.Contains(out, "mainstay-fold: Stable, 1 members")
	}, "a member")
	b.cancel()
	require.Equal(t, exitFailed, b.wait())
	require.Contains(t, b.errs.String(), "stopped at once")
}

func TestTakenPortNamesSetting(t *testing.T) {
	w := newWorld(t)
	w.mustRun("topics", "apply")
	code, _, errs := w.run("run", "--http.listen", w.servers.RedisAddress())
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "http.listen")
	require.Contains(t, errs, "is taken by another process")
}

// address returns the HTTP address of a process, from its log.
func (b *background) address(w *world) string {
	w.t.Helper()
	var at string
	w.eventually(func() bool {
		_, rest, ok := strings.Cut(b.errs.String(), `"http":"`)
		at, _, _ = strings.Cut(rest, `"`)
		return ok
	}, "an address")
	return at
}

func TestHaltIsReportedAndRemoved(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_LOG_LEVEL=info")
	purchase := func(order string) {
		w.mustRun("send", "purchase", "--customer", "ada", "--order", order, "--total", "5", "--currency", "USD")
	}
	purchase("1")
	w.customer("ada", orders("1"))
	require.Contains(t, w.mustRun("probe", b.address(w)), "ready")
	require.Equal(t, exitOK, b.stop())

	// No process runs while records are added and deleted.
	place := object(t, w.mustRun("send", "purchase", "--customer", "ada", "--order", "2", "--total", "5", "--currency", "USD", "--output", "json"))
	purchase("3")
	partition, err := place["partition"].(json.Number).Int64()
	require.NoError(t, err)
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(t, err)
	defer k.Close()
	require.NoError(t, k.DeleteRecords(t.Context(), "purchases", int32(partition), 2))

	b = w.start("run")
	address := b.address(w)
	w.eventually(func() bool {
		_, out, _ := w.run("status", "--http", address, "--wait", "0")
		return strings.Contains(out, "input_truncated")
	}, "a halt")
	code, out, _ := w.run("status", "--http", address, "--wait", "0")
	require.Equal(t, exitFindings, code, out)
	require.Contains(t, strings.Split(out, "\n")[0], "Not healthy: ")
	require.Contains(t, out, "retention deleted records before they were read")
	require.Contains(t, out, "`mainstay topics recreated purchases`")
	code, _, errs := w.run("probe", address)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "is halted: input_truncated")
	code, _, errs = w.run("topics", "recreated", "purchases")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "stop all intakes first")

	require.Equal(t, exitOK, b.stop())
	w.mustRun("topics", "recreated", "purchases")
	w.start("run")
	w.customer("ada", orders("2"))
	w.mustRun("audit")
}

func TestRunRefusesRedisThatEvicts(t *testing.T) {
	w := newWorld(t)
	w.mustRun("topics", "apply")
	require.NoError(t, w.servers.Miniredis().Server().Register("CONFIG", func(c *server.Peer, _ string, args []string) {
		c.WriteStrings([]string{args[1], map[string]string{"maxmemory-policy": "allkeys-lru", "save": ""}[args[1]]})
	}))
	for command, want := range map[string]int{"run": exitFailed, "check": exitFindings} {
		var out, errs syncBuffer
		p := newProgram(&out, &errs, "", w.environ, nil)
		p.hooks.Embedded = false
		require.Equal(t, want, p.main(t.Context(), []string{command}))
		require.Contains(t, out.String()+errs.String(), "maxmemory-policy is allkeys-lru: under memory pressure Redis would evict state; set it to noeviction")
	}
}

// What check calls fatal stops run, which would otherwise lose data unnoticed; a flag overrides it, loudly.
func TestRunStopsOnFatalFindings(t *testing.T) {
	w := newWorld(t, "MAINSTAY_HTTP_LISTEN=127.0.0.1:0")
	require.NoError(t, w.servers.Cluster().CreateTopic("mainstay.ledger.v1", 2, map[string]string{
		"retention.ms": "86400000", "message.timestamp.type": "LogAppendTime",
	}))
	w.mustRun("topics", "apply")
	code, out, _ := w.run("check")
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "retention.ms is 86400000, must be -1")
	code, _, errs := w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "topic mainstay.ledger.v1: retention.ms is 86400000, must be -1")
	require.Contains(t, errs, "--ignore-findings")

	b := w.start("run", "--ignore-findings")
	w.eventually(func() bool {
		return strings.Contains(b.errs.String(), `"level":"error"`) && strings.Contains(b.errs.String(), "STARTED IN SPITE OF A FATAL FINDING")
	}, "a loud line")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// A Redis that accepts no writes answers PING: only a write shows it.
func TestCheckFailsOnARedisThatRefusesWrites(t *testing.T) {
	w := newWorld(t)
	w.mustRun("topics", "apply")
	for reply, next := range map[string]string{
		"OOM command not allowed when used memory > 'maxmemory'.": "raise maxmemory",
		"MISCONF Redis is configured to save RDB snapshots":       "INFO persistence",
		"READONLY You can't write against a read only replica.":   "INFO replication",
	} {
		w.servers.Miniredis().Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
			if cmd == "SET" {
				c.WriteError(reply)
				return true
			}
			return false
		})
		code, out, _ := w.run("check")
		require.Equal(t, exitFindings, code, out)
		require.Contains(t, out, next)
		code, _, errs := w.run("run")
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, next)
	}
}
