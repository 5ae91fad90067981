package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Status reports a settings entry that was skipped because a value is out of bounds, with its revision and the reason.
func TestStatusShowsRefusedSettings(t *testing.T) {
	w, _ := newRunningWorld(t)
	require.NotContains(t, w.status(), "is not in force")

	values := settings.Default()
	values.WakeLimit = 20_000
	payload, err := (&ledger.Settings{Revision: 5, Hash: settings.Hash(values), Values: values}).MarshalVT()
	require.NoError(t, err)
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_SETTINGS, Payload: payload}).MarshalVT()
	require.NoError(t, err)
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(t, err)
	defer k.Close()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	b := kafka.NewBatch(ledger.Topic("mainstay"), 1)
	b.Append(0, ledger.AppendKey(nil, "", 1), value, nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{b})
	require.NoError(t, err)

	const reason = "fold.wake_limit: must be from 1 to 10000; it is 20000"
	var partitions []any
	w.eventually(func() bool {
		partitions, _ = object(t, w.status())["partitions"].([]any)
		return len(partitions) == 2 && valueAt(partitions[1].(map[string]any), "settings_refused_revision") != nil
	}, "the refused revision")
	skipped := partitions[1].(map[string]any)
	require.Equal(t, json.Number("5"), skipped["settings_refused_revision"])
	require.Equal(t, reason, skipped["settings_refused_reason"])
	require.Empty(t, skipped["halted"], "the partition continues under the settings in force")
	require.NotContains(t, partitions[0], "settings_refused_revision", "the other partition has not read such an entry")
	code, out, _ := w.run("status")
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "ledger partition 1: settings_revision 5 is not in force: "+reason)
}

// TestStatusWaitsForAnswers verifies that after status --wait, commands that read Redis have the answers of what was sent before, and that
// a commit that does not come in time is a finding.
func TestStatusWaitsForAnswers(t *testing.T) {
	w, _ := newRunningWorld(t)
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "ada", "--total", "5", "--currency", "USD", "--wait") // the process runs
	for _, customer := range []string{"ben", "eve"} {
		w.mustRun("send", "purchase", "--customer", customer, "--order", customer, "--total", "5", "--currency", "USD")
	}
	require.Contains(t, w.mustRun("status", "--wait", "30s"), "Healthy")
	for _, customer := range []string{"ada", "ben", "eve"} {
		require.Contains(t, w.mustRun("customer", "get", customer), "5.00 historic")
	}

	w, _ = newRunningWorld(t, "MAINSTAY_FOLD_COMMIT_INTERVAL=1m") // but a partition that gets no entries commits within a second
	sent := 0
	w.eventually(func() bool {
		sent++
		w.mustRun("send", "purchase", "--customer", "ada", "--order", strconv.Itoa(sent), "--total", "5", "--currency", "USD")
		code, out, _ := w.run("status", "--wait", "1ns")
		return code == exitFindings && strings.Contains(out, "are published, and not in Redis yet")
	}, "a finding")
}
