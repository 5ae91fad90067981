//go:build real

package containers

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCDNOW imports a real shop's history and compares every customer with a recount of the file.
func TestCDNOW(t *testing.T) {
	const partitions = 4
	ctx := t.Context()
	namespace := "cdnow-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	p := program.With(inputs(namespace))
	_, _, err := p.Do(ctx, "topics", "apply")
	require.NoError(t, err)
	running, err := p.Run(ctx)
	require.NoError(t, err)
	t.Cleanup(running.Kill)

	file := filepath.Join("..", "..", "eventfile", "testdata", "cdnow_sample.csv")
	load := func(known int) {
		out, _, err := p.Do(ctx, "import", file, "--type", "purchase", "--map", "customer_id=sampleid,occurred_at=date,total=sales",
			"--time-format", "20060102", "--currency", "USD", "--output", "json")
		require.NoError(t, err)
		type counts struct{ Rows, Sent, Duplicates, Refused, Skipped int }
		var c counts
		require.NoError(t, json.Unmarshal(out, &c))
		require.Equal(t, counts{6919, 6919, known, 0, 0}, c)
		waitDrained(ctx, t, p)
	}
	waitCommit := func() { time.Sleep(2 * time.Second) } // an idle fold commits within a second

	facts := cdnow(t, file)
	last := facts[0].At
	for i := range facts {
		if facts[i].At.After(last) {
			last = facts[i].At
		}
		facts[i].ID = "" // the importer assigns ids
	}
	load(0)
	waitCommit()
	first := readCustomers(t, namespace, partitions)
	require.Len(t, first, 2357)
	requireEqualsRecount(t, facts, first, last)
	outputs := requirePublishedOnce(t, namespace, partitions, facts)
	require.GreaterOrEqual(t, outputs, 6919)
	requireCleanAudit(ctx, t, p)

	// A second import adds only duplicates, although the file spans 18 months and orders are remembered for 400 days.
	load(6919)
	waitCommit()
	again := readCustomers(t, namespace, partitions)
	require.Len(t, again, len(first))
	for id, before := range first {
		require.Equal(t, before.CLV, again[id].CLV, "customer %s", id)
		require.Equal(t, before.Churn, again[id].Churn, "customer %s", id)
	}
	requireEqualsRecount(t, facts, again, last)
	require.Equal(t, outputs, requirePublishedOnce(t, namespace, partitions, facts))

	// The same answers by the command.
	out, _, err := p.Do(ctx, "customer", "get", "1", "--output", "json")
	require.NoError(t, err)
	var one answers
	require.NoError(t, json.Unmarshal(out, &one))
	require.InDelta(t, 100.50, one.CLV.Historic, 1e-9)
	require.EqualValues(t, 4, one.CLV.Orders)
	requireCleanAudit(ctx, t, p)
	require.NoError(t, running.Stop(ctx))
}

// inputs returns settings that give a namespace its own input topics.
func inputs(namespace string) map[string]string {
	return map[string]string{
		"NAMESPACE": namespace, "KAFKA_TOPICS_PURCHASES": namespace + ".purchases", "KAFKA_TOPICS_CANCELLATIONS": namespace + ".cancellations",
		"KAFKA_TOPICS_REFERRALS": namespace + ".referrals", "KAFKA_TOPICS_SURVEYS": namespace + ".surveys",
	}
}
