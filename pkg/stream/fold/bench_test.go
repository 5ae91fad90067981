package fold

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// BenchmarkFold measures the work of a partition between fetch and transaction: looking up customers, folding entries, batching
// outputs, and encoding the changed customers every 40,000 entries. Customers are chosen by a zipf distribution from an eighth of
// 100,000.
func BenchmarkFold(b *testing.B) {
	c := benchClaim(b)
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 1)), 1.1, 1, 100_000/8-1)
	rng := rand.New(rand.NewPCG(2, 2))
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).UnixMilli()
	records := make([]kafka.Record, b.N)
	for i := range records {
		value, err := purchase(int64(i), z.Uint64(), at, 500+rng.Int64N(20_000))
		if err != nil {
			b.Fatal(err)
		}
		records[i] = kafka.Record{Offset: int64(i + 1), Timestamp: at, Key: make([]byte, 16), Value: value}
		at += int64(i & 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	bytes, outputs := 0, 0
	for n := 0; len(records) > 0; n++ {
		chunk := records[:min(len(records), chunkEntries)]
		records = records[len(chunk):]
		require.NoError(b, c.foldChunk(b.Context(), chunk))
		if n%15 == 14 || len(records) == 0 {
			for _, x := range c.pending.batches.All() {
				bytes += x.Bytes()
			}
			outputs += c.pending.outputCount
			c.pending.reset()
		}
		if n%80 == 79 {
			c.customers.changes()
			c.customers.committed()
		}
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/op")
	b.ReportMetric(float64(outputs)/float64(b.N), "outputs/op")
}

func benchClaim(b testing.TB) *claim {
	b.Helper()
	g := &ledger.Genesis{LedgerId: "0f3c", Partitions: 8, CustomerHash: "murmur2", Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC", CustomerNormalisation: "none"}
	f := &Fold{
		cfg: Config{
			Namespace: "mainstay", Genesis: g, CacheBytes: 1 << 30, Now: time.Now, Random: rand.Uint64,
			AtStep: func(context.Context, string) error { return nil },
		},
		metrics: telemetry.NewFold(prometheus.NewRegistry()), status: map[int32]Status{}, fuses: map[int32]map[string]bool{},
	}
	o := &owner{
		Fold: f, topic: ledger.Topic("mainstay"),
		envelope: output.NewEnvelope("mainstay", g.GetLedgerId(), 0, processors.LogicVersion),
	}
	for t := range output.Topics {
		o.outputTopics[t] = t.Name("mainstay")
	}
	c := &claim{owner: o, state: processors.NewPartition(0), pending: pending{batches: kafka.NewBatches()}}
	_, c.customers = newFakeStore(1 << 30)
	payload, err := g.MarshalVT()
	require.NoError(b, err)
	_, err = processors.Step(c.state, 0, &ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_GENESIS, Payload: payload}, c.customers, &c.pending.outputs)
	require.NoError(b, err)
	return c
}

// purchase is an entry as an intake appends it.
func purchase(n int64, customer uint64, at, total int64) ([]byte, error) {
	payload, err := (&ledger.Event{
		Id: "e-" + strconv.FormatInt(n, 10), Source: "purchase", OccurredAt: at - 20, Facts: uint64(n) * 0x9e3779b97f4a7c15,
		Purchase: &ledger.Purchase{OrderId: "o-" + strconv.FormatInt(n, 10), Total: total, Currency: "EUR"},
	}).MarshalVT()
	if err != nil {
		return nil, err
	}
	e := &ledger.Entry{
		Version: ledger.Version, Kind: ledger.Kind_KIND_EVENT, Customer: "customer-" + strconv.FormatUint(customer, 10), Time: at,
		Payload: payload, Origin: &ledger.Origin{Topic: "bench.purchases", Offset: n},
	}
	if n > 0 {
		e.After = &ledger.Mark{Offset: n - 1}
	}
	return e.MarshalVT()
}
