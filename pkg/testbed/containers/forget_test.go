//go:build real

package containers

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestForget forgets a customer, copies the ledger, and switches over. Afterwards neither a topic of the copy, nor Redis, nor the
// last record of a topic of answers holds the customer's id.
func TestForget(t *testing.T) {
	const who, partitions, more = "forget.me@example.com", 4, 6
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, context.DeadlineExceeded)
	defer cancel()
	namespace := "forget-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	p := program.With(InputTopics(namespace)).With(map[string]string{"CLOCK": "live"})
	do := func(p Program, args ...string) {
		t.Helper()
		_, _, err := p.Do(ctx, args...)
		require.NoError(t, err)
	}
	do(p, "topics", "apply")
	running, err := p.Run(ctx)
	require.NoError(t, err)
	t.Cleanup(running.Kill)
	do(p, "send", "purchase", "--customer", "ada@example.com", "--order", "1", "--total", "70", "--currency", "USD")
	do(p, "send", "referral", "--referrer", "ada@example.com", "--customer", who, "--referral", "r1", "--status", "approved")
	do(p, "send", "purchase", "--customer", who, "--order", "2", "--total", "700", "--currency", "USD", "--wait")
	do(p, "send", "survey", "--customer", who, "--response", "s1", "--score", "9", "--wait")
	waitDrained(ctx, t, p)
	holds := func(topic string, n int32) (all, last int) {
		t.Helper()
		return recordsWith(ctx, t, topic, n, who)
	}
	entries, _ := holds(ledger.Topic(namespace), partitions)
	require.Positive(t, entries, "the search finds the customer who is there")
	require.Contains(t, readAnswers(t, namespace, partitions), who)

	do(p, "customer", "forget", who)
	waitDrained(ctx, t, p)
	answers := readAnswers(t, namespace, partitions)
	require.NotContains(t, answers, who)
	require.Contains(t, answers, "ada@example.com")
	for _, topic := range output.AnswerTopics() {
		_, last := holds(topic.Name(namespace), partitions)
		require.Zero(t, last, "the last record of the customer in %s is not a tombstone", topic)
	}
	requireCleanAudit(ctx, t, p)

	// The copy is followed by folds while the old namespace still runs.
	next := namespace + "-next"
	fresh := p.With(map[string]string{"NAMESPACE": next, "LEDGER_PARTITIONS": strconv.Itoa(more)})
	do(p, "ledger", "copy", "--namespace", next, "--partitions", strconv.Itoa(more))
	taking, err := fresh.Run(ctx)
	require.NoError(t, err)
	t.Cleanup(taking.Kill)
	require.NoError(t, running.Stop(ctx))
	do(p, "ledger", "copy", "--namespace", next, "--finish")
	waitDrained(ctx, t, fresh)
	for _, topic := range output.AnswerTopics() {
		all, _ := holds(topic.Name(next), more)
		require.Zero(t, all, topic)
	}
	entries, _ = holds(ledger.Topic(next), more)
	require.Zero(t, entries, "the copy of the ledger")
	copied := readAnswers(t, next, more)
	require.Len(t, copied, len(answers))
	require.Equal(t, answers["ada@example.com"].CLV.Historic, copied["ada@example.com"].CLV.Historic)
	requireCleanAudit(ctx, t, fresh)

	// Who comes back is a new customer.
	do(fresh, "send", "purchase", "--customer", who, "--order", "3", "--total", "5", "--currency", "USD", "--wait")
	require.InDelta(t, 5, readAnswers(t, next, more)[who].CLV.Historic, 1e-9)
	require.NoError(t, taking.Stop(ctx))
}

// recordsWith counts the records of a topic whose key or value contains text, and the keys among whose records the last one does.
func recordsWith(ctx context.Context, t *testing.T, topic string, partitions int32, text string) (all, last int) {
	t.Helper()
	k := newClient(t)
	numbers := make([]int32, partitions)
	for i := range numbers {
		numbers[i] = int32(i)
	}
	ends, err := k.ListOffsets(ctx, topic, numbers)
	require.NoError(t, err)
	with := map[string]bool{}
	for p, end := range ends {
		_, err := k.ReadCommitted(ctx, topic, p, end.Start, end.LastStable, func(r kafka.Record) error {
			found := bytes.Contains(r.Key, []byte(text)) && len(r.Value) > 0 || bytes.Contains(r.Value, []byte(text))
			if found {
				all++
			}
			with[string(r.Key)] = found
			return nil
		})
		require.NoError(t, err)
	}
	for _, found := range with {
		if found {
			last++
		}
	}
	return all, last
}
