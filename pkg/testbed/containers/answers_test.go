//go:build real

package containers

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/recount"
)

// requireEqualsRecount compares the answers of every customer in Redis, and every output, with the recount. It returns the number of
// outputs.
func requireEqualsRecount(t *testing.T, counted *recount.Recount, namespace string, partitions int32) int {
	t.Helper()
	published, err := counted.CompareOutputs(t.Context(), newClient(t), namespace, partitions)
	require.NoError(t, err)
	require.Empty(t, published.Differences)
	require.Zero(t, published.Lost)
	require.Zero(t, published.Doubled)
	t.Logf("published: %d outputs of %d customers, sequences without gap; each of %d purchases answered once",
		published.Outputs, published.Customers, published.Purchases)

	r, err := redis.New(redis.Config{Addresses: []string{store.Address}})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	const modelOfAll = 1
	compared, err := counted.CompareAnswers(t.Context(), r, namespace, partitions, modelOfAll)
	require.NoError(t, err)
	require.Empty(t, compared.Differences)
	require.Zero(t, compared.Differing)
	require.Zero(t, compared.Missing)
	require.Equal(t, counted.Customers(), compared.Customers)
	require.Equal(t, compared.Customers, compared.Modelled)
	t.Logf("recount as of %s: %d customers, all equal", counted.Now().Format(time.RFC3339), compared.Customers)
	return published.Outputs
}

// readAnswers reads all customers of a namespace from Redis.
func readAnswers(t *testing.T, namespace string, partitions int32) map[string]*recount.Answers {
	t.Helper()
	r, err := redis.New(redis.Config{Addresses: []string{store.Address}})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	all := map[string]*recount.Answers{}
	require.NoError(t, recount.ReadAnswers(t.Context(), r, namespace, partitions, func(id string, a *recount.Answers) error {
		all[id] = a
		return nil
	}))
	return all
}

func newClient(t *testing.T) *kafka.Client {
	t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{broker.Address}, ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

// waitDrained waits until everything that was sent is processed.
func waitDrained(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	// The tick after the last record follows within a second, and advances base time.
	const tick = 3 * time.Second
	waitCaughtUp(ctx, t, p)
	time.Sleep(tick)
	waitCaughtUp(ctx, t, p)
}

func waitCaughtUp(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	for {
		out, _, err := p.Do(ctx, "status", "--output", "json", "--wait", "5s")
		require.NoError(t, ctx.Err(), "the lag does not reach 0: %s", out)
		if err == nil {
			var s struct {
				Lag *int64 `json:"lag"`
			}
			require.NoError(t, json.Unmarshal(out, &s))
			if s.Lag != nil && *s.Lag == 0 {
				return
			}
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// requireCleanAudit runs an audit, which must find nothing.
func requireCleanAudit(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	out, code, err := p.Do(ctx, "audit", "--output", "json")
	require.NoError(t, err, "%s", out)
	require.Zero(t, code)
	var r struct {
		Entries, Outputs, Customers int64
		Lost, Doubled, Differing    *int64
		StateMissing                *int64 `json:"state_missing"`
	}
	require.NoError(t, json.Unmarshal(out, &r))
	require.Positive(t, r.Entries)
	require.Positive(t, r.Outputs)
	require.Positive(t, r.Customers)
	for what, n := range map[string]*int64{"lost": r.Lost, "doubled": r.Doubled, "differing": r.Differing, "state_missing": r.StateMissing} {
		require.NotNil(t, n, what)
		require.Zero(t, *n, what)
	}
	t.Log("audit: " + strconv.FormatInt(r.Entries, 10) + " entries folded again, " + strconv.FormatInt(r.Outputs, 10) + " outputs and " +
		strconv.FormatInt(r.Customers, 10) + " customers compared: 0 lost, 0 doubled, 0 differing, 0 missing")
}
