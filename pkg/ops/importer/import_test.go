package importer

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
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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
	random := uint64(0)
	return &Import{
		Path: path, Mapping: eventfile.Mapping{Type: "purchase"}, Kind: event.Purchase, Topic: "purchases", Decoder: d,
		Namespace: "test", Ledger: "l", Now: func() time.Time { return noon },
		Random:      func() uint64 { random++; return random },
		Convertible: func(string) bool { return true },
	}
}

func broker(t *testing.T, around func(context.Context, kafka.Call, func(context.Context) error) error) (whole, faulty *kafka.Client) {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{
		{Name: "purchases", Partitions: 3}, {Name: topics.Imports("test"), Partitions: 1},
	}})
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

// inTopic counts how often each value lies in the topic, and checks where.
func inTopic(t *testing.T, k *kafka.Client) map[string]int {
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
	im := importOf(t, file(t))
	im.Resume = true
	_, err := im.Run(t.Context(), whole)
	require.ErrorIs(t, err, ErrNothingToResume)
	im.Resume = false
	counts, err := im.Run(t.Context(), faulty)
	require.ErrorContains(t, err, "it resumes after the last row that was sent")
	require.Equal(t, int64(flushRows), counts.Sent)
	im.Resume = true
	counts, err = im.Run(t.Context(), whole)
	require.NoError(t, err)
	require.Equal(t, int64(rows), counts.Sent)
	require.Equal(t, int64(flushRows), counts.Known)
	require.Equal(t, int64(rows), counts.Rows)
	require.Equal(t, flushRows+1, counts.From)
	once(t, whole)
	_, err = im.Run(t.Context(), whole)
	require.ErrorIs(t, err, ErrNothingToResume)
}

// A file with a currency that cannot be converted is refused before anything is sent.
func TestACurrencyWithoutARateIsRefused(t *testing.T) {
	whole, _ := broker(t, nil)
	im := importOf(t, file(t))
	im.Mapping.Currency = "EUR"
	im.Convertible = func(code string) bool { return code != "EUR" }
	_, err := im.Run(t.Context(), whole)
	require.EqualError(t, err, "import: --currency: there is no exchange rate for EUR into the base currency: set money.rates.EUR, restart the processes with it, and import then; nothing was sent")
	require.Empty(t, inTopic(t, whole))
	im.DryRun = true
	counts, err := im.Run(t.Context(), nil)
	require.NoError(t, err)
	require.Contains(t, counts.Warning, "no exchange rate for EUR")
}

// once says that every row lies in the topic once.
func once(t *testing.T, k *kafka.Client) {
	t.Helper()
	all := inTopic(t, k)
	require.Len(t, all, rows)
	for value, n := range all {
		require.Equal(t, 1, n, value)
	}
}

// Wherever an answer is lost, before the request arrived or behind it, every row goes in once.
func TestNoRowGoesInTwice(t *testing.T) {
	for _, lost := range []struct {
		api string
		nth int
	}{{"InitProducerId", 1}, {"AddPartitionsToTxn", 2}, {"Produce", 1}, {"Produce", 3}, {"EndTxn", 1}, {"EndTxn", 3}, {"EndTxn", 4}} {
		for _, arrives := range []bool{false, true} {
			t.Run(fmt.Sprint(lost.api, lost.nth, arrives), func(t *testing.T) {
				calls := 0
				whole, faulty := broker(t, func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
					if c.API != lost.api {
						return do(ctx)
					}
					if calls++; calls != lost.nth {
						return do(ctx)
					}
					if arrives {
						require.NoError(t, do(ctx))
					}
					return errCut
				})
				counts, err := importOf(t, file(t)).Run(t.Context(), faulty)
				require.NoError(t, err)
				require.GreaterOrEqual(t, calls, lost.nth, "the answer was lost")
				require.Equal(t, int64(rows), counts.Sent)
				once(t, whole)
			})
		}
	}
}

// Of two who import the same file at the same time the later one goes on, and the earlier one ends with an error.
func TestTwoImportsOfOneFile(t *testing.T) {
	path := file(t)
	var whole *kafka.Client
	ends := 0
	whole, faulty := broker(t, func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
		if c.API == "EndTxn" {
			if ends++; ends == 2 {
				later := importOf(t, path)
				later.Random = func() uint64 { return 4711 }
				counts, err := later.Run(ctx, whole)
				require.NoError(t, err)
				require.Equal(t, [2]int64{rows, flushRows}, [2]int64{counts.Sent, counts.Known})
			}
		}
		return do(ctx)
	})
	_, err := importOf(t, path).Run(t.Context(), faulty)
	require.ErrorIs(t, err, kafka.ErrFenced)
	require.ErrorContains(t, err, "another import of the same file has taken over")
	once(t, whole)
}

func TestAFileIsKnownAgain(t *testing.T) {
	whole, _ := broker(t, nil)
	path := file(t)
	im := importOf(t, path)
	_, err := im.Run(t.Context(), whole)
	require.NoError(t, err)
	again := func(im *Import, sentBefore, lines int64) {
		t.Helper()
		counts, err := im.Run(t.Context(), whole)
		require.NoError(t, err)
		require.Equal(t, sentBefore, counts.Known)
		require.Equal(t, lines, counts.Sent)
		require.Equal(t, lines, counts.Rows)
		require.Zero(t, counts.From)
		require.NotNil(t, counts.Last)
	}
	again(im, rows, rows)
	once(t, whole)
	other := importOf(t, path)
	other.Ledger = "another ledger"
	again(other, 0, rows)
	mapped := importOf(t, path)
	mapped.Mapping.Columns = map[string]string{"channel": "=web"}
	again(mapped, 0, rows)
	forced := importOf(t, path)
	forced.Again = true
	again(forced, 0, rows)
	require.Len(t, inTopic(t, whole), 2*rows, "the events of the other mapping are others")
}

// What was refused is not in the memory: when the settings have been mended it is sent, and nothing else is.
func TestRowsThatWereRefusedCanComeLater(t *testing.T) {
	whole, _ := broker(t, nil)
	var b strings.Builder
	b.WriteString("customer_id,occurred_at,total,currency\n")
	for i := range 30 {
		currency := "EUR"
		if i%3 == 1 {
			currency = "DOU" // of the shop's own making
		}
		fmt.Fprintf(&b, "c%d,2026-01-01,%d.00,%s\n", i, i, currency)
	}
	path := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	counts, err := importOf(t, path).Run(t.Context(), whole)
	require.NoError(t, err)
	require.Equal(t, [3]int64{20, 0, 10}, [3]int64{counts.Sent, counts.Known, counts.Refused})

	mended := importOf(t, path)
	options := event.DefaultOptions()
	options.Currencies = map[string]money.Alias{"DOU": {As: "EUR", Times: 1}}
	mended.Mapping.Currencies = options.Currencies
	mended.Decoder, err = event.NewDecoder(options)
	require.NoError(t, err)
	counts, err = mended.Run(t.Context(), whole)
	require.NoError(t, err)
	require.Equal(t, [3]int64{30, 20, 0}, [3]int64{counts.Sent, counts.Known, counts.Refused})
	counts, err = mended.Run(t.Context(), whole)
	require.NoError(t, err)
	require.Equal(t, [3]int64{30, 30, 0}, [3]int64{counts.Sent, counts.Known, counts.Refused})
	for value, n := range inTopic(t, whole) {
		require.Equal(t, 1, n, value)
	}
}

func TestADryRunNeedsNoServer(t *testing.T) {
	im := importOf(t, file(t))
	im.DryRun = true
	counts, err := im.Run(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, int64(rows), counts.Rows)
	require.Zero(t, counts.Sent)
}

func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []span
		want := map[int]bool{}
		for range rapid.IntRange(0, 8).Draw(t, "spans") {
			from := rapid.IntRange(1, 40).Draw(t, "from")
			to := from + rapid.IntRange(0, 9).Draw(t, "length")
			all = append(all, span{from, to})
			for line := from; line <= to; line++ {
				want[line] = true
			}
		}
		s := sentRows{spans: mergeSpans(all)}
		for line := range 60 {
			require.Equal(t, want[line], s.wasSent(line), line)
		}
	})
}
