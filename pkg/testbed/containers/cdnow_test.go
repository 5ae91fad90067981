//go:build real

package containers

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/testbed/recount"
)

// TestCDNOW imports a real shop's history and compares every customer with a recount of the file.
func TestCDNOW(t *testing.T) {
	const partitions = 4
	ctx := t.Context()
	namespace := "cdnow-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	p := program.With(InputTopics(namespace))
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

	load(0)
	waitCommit()
	first := readAnswers(t, namespace, partitions)
	require.Len(t, first, 2357)
	outputs := requireEqualsRecount(t, cdnow(t, file), namespace, partitions)
	require.GreaterOrEqual(t, outputs, 6919)
	requireCleanAudit(ctx, t, p)

	// A second import adds only duplicates, although the file spans 18 months and orders are remembered for 400 days.
	load(6919)
	waitCommit()
	again := readAnswers(t, namespace, partitions)
	require.Len(t, again, len(first))
	for id, before := range first {
		require.Equal(t, before.CLV, again[id].CLV, "customer %s", id)
		require.Equal(t, before.Churn, again[id].Churn, "customer %s", id)
	}
	require.Equal(t, outputs, requireEqualsRecount(t, cdnow(t, file), namespace, partitions))

	// The same answers by the command.
	out, _, err := p.Do(ctx, "customer", "get", "1", "--output", "json")
	require.NoError(t, err)
	var one recount.Answers
	require.NoError(t, json.Unmarshal(out, &one))
	require.InDelta(t, 100.50, one.CLV.Historic, 1e-9)
	require.EqualValues(t, 4, one.CLV.Orders)
	requireCleanAudit(ctx, t, p)
	require.NoError(t, running.Stop(ctx))
}

// cdnow counts the file of purchases. Their ids are not known: the importer assigns them.
func cdnow(t *testing.T, path string) *recount.Recount {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"masterid", "sampleid", "date", "cds", "sales"}, rows[0])
	r := recount.New()
	for i, row := range rows[1:] {
		at, err := time.Parse("20060102", row[2])
		require.NoError(t, err)
		require.NoError(t, r.Add(recount.Fact{Type: "purchase", At: at, Customer: row[1], Order: strconv.Itoa(i), Total: json.Number(row[4])}))
	}
	r.Finish()
	return r
}
