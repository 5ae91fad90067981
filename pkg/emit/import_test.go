package emit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/embedded"
	"github.com/mainstay/mainstay/pkg/history"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/schemas/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rows = 3 * flushRows

// file has as many orders as make several batches.
func file(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("customer_id,occurred_at,total,currency\n")
	for i := range rows {
		fmt.Fprintf(&b, "c%d,2026-01-01,%d.00,EUR\n", i%100, i)
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func importOf(t *testing.T, path string) *Import {
	t.Helper()
	d, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	return &Import{
		Path: path, Mapping: history.Mapping{Type: "purchase"}, Kind: event.Purchase, Topic: "purchases", Decoder: d, State: StateOf(path),
		Now: func() time.Time { return noon },
	}
}

func broker(t *testing.T, around func(context.Context, kafka.Call, func(context.Context) error) error) (whole, faulty *kafka.Client) {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{{Name: "purchases", Partitions: 3}}})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	clients := make([]*kafka.Client, 2)
	for i, a := range []func(context.Context, kafka.Call, func(context.Context) error) error{nil, around} {
		clients[i], err = kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Around: a})
		require.NoError(t, err)
		t.Cleanup(clients[i].Close)
	}
	return clients[0], clients[1]
}

// sent counts how often each value lies in the topic, and checks where.
func sent(t *testing.T, k *kafka.Client) map[string]int {
	t.Helper()
	all := map[string]int{}
	bounds, err := k.ListOffsets(t.Context(), "purchases", []int32{0, 1, 2})
	require.NoError(t, err)
	for p := range int32(3) {
		_, err := k.ReadCommitted(t.Context(), "purchases", p, 0, bounds[p].LastStable, func(r kafka.Record) error {
			all[string(r.Value)]++
			require.Equal(t, murmur2.PartitionFor(r.Key, 3), p)
			require.Equal(t, noon.UnixMilli(), r.Timestamp)
			return nil
		})
		require.NoError(t, err)
	}
	return all
}

var errCut = errors.New("cut")

func TestAnImportThatWasCutOffGoesOn(t *testing.T) {
	produced := 0
	whole, faulty := broker(t, func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
		if c.API == "Produce" {
			if produced++; produced > 1 {
				return kafka.CodeTopicAuthorizationFailed // not one to try again
			}
		}
		return do(ctx)
	})
	path := file(t)
	im := importOf(t, path)
	counts, err := im.Run(t.Context(), faulty)
	require.ErrorContains(t, err, "--resume goes on")
	require.Equal(t, int64(flushRows), counts.Sent)
	require.FileExists(t, im.State)

	im.Resume = true
	counts, err = im.Run(t.Context(), whole)
	require.NoError(t, err)
	require.Equal(t, int64(rows), counts.Sent)
	require.Equal(t, int64(rows), counts.Rows)
	require.Equal(t, flushRows+1, counts.From)
	require.NoFileExists(t, im.State)
	all := sent(t, whole)
	require.Len(t, all, rows)
	for value, n := range all {
		require.Equal(t, 1, n, value)
	}
	_, err = im.Run(t.Context(), whole)
	require.ErrorIs(t, err, ErrNothingToResume)
}

func TestLostAnswersAreSentAgain(t *testing.T) {
	produced := 0
	whole, faulty := broker(t, func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
		err := do(ctx)
		if c.API == "Produce" {
			if produced++; produced == 2 {
				return errCut // it arrived, and nobody was told
			}
		}
		return err
	})
	counts, err := importOf(t, file(t)).Run(t.Context(), faulty)
	require.NoError(t, err)
	require.Equal(t, int64(rows), counts.Sent)
	all := sent(t, whole)
	require.Len(t, all, rows)
	doubled := 0
	for _, n := range all {
		if n > 1 {
			doubled++
		}
	}
	require.Equal(t, flushRows, doubled, "the events of that batch, known by their order ids")
}

func TestTheStateOfAnotherFileIsRefused(t *testing.T) {
	whole, _ := broker(t, nil)
	path := file(t)
	im := importOf(t, path)
	require.NoError(t, os.WriteFile(im.State, []byte(`{"path":"x","sha256":"other","line":5,"offset":5,"topic":"purchases"}`), 0o600))
	im.Resume = true
	_, err := im.Run(t.Context(), whole)
	require.ErrorIs(t, err, history.ErrOtherFile)
	require.NoError(t, os.WriteFile(im.State, []byte(`{"topic":"sales"}`), 0o600))
	_, err = im.Run(t.Context(), whole)
	require.ErrorContains(t, err, "went into topic sales")
	im.Resume, im.DryRun = false, true
	counts, err := im.Run(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, int64(rows), counts.Rows)
	require.Zero(t, counts.Sent)
	require.Empty(t, sent(t, whole))
}
