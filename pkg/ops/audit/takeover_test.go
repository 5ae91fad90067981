package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// The ledger of the former release, which has every kind of entry, is taken over by the logic of this one: it is folded again
// without an output, then a logic entry is appended, and outputs follow for the events after it. An audit, which compares from the
// logic entry on, finds nothing, and what the former release published is untouched.
func TestTakeoverOfAFormerRelease(t *testing.T) {
	former := formerHistory(t)
	kinds := map[ledger.Kind]bool{}
	for _, l := range former.Logs {
		for _, r := range l.Records {
			if l.Topic == ledger.Topic(namespace) {
				var e ledger.Entry
				require.NoError(t, e.UnmarshalVT(r.Value))
				kinds[e.GetKind()] = true
			}
		}
	}
	for kind := range ledger.Kind_name {
		switch kind := ledger.Kind(kind); kind {
		case ledger.Kind_KIND_UNSPECIFIED, ledger.Kind_KIND_RATES: // reserved
		case ledger.Kind_KIND_ERASE, ledger.Kind_KIND_UNNAME, ledger.Kind_KIND_UNNAMED, ledger.Kind_KIND_COST,
			ledger.Kind_KIND_MERGE, ledger.Kind_KIND_FACTS, ledger.Kind_KIND_FORWARD, ledger.Kind_KIND_CALL_MARK: // unknown to that release
		default:
			require.True(t, kinds[kind], "the history has no entry of %s", kind)
		}
	}

	h := readHistory(t)
	published := 0
	for _, l := range h.Logs {
		before := &partitionLog{} // of a topic that the former release did not have
		if slices.ContainsFunc(former.Logs, func(f partitionLog) bool { return f.Topic == l.Topic }) {
			before = former.log(l.Topic, l.Partition)
		}
		kept := append([]logRecord(nil), l.Records[:len(before.Records)]...)
		require.Equal(t, withoutTimes(before.Records), withoutTimes(kept), "%s/%d", l.Topic, l.Partition)
		if l.Topic == ledger.Topic(namespace) {
			require.Greater(t, h.logicOffset(t, l.Partition), before.Published)
			continue
		}
		for _, r := range l.Records[len(before.Records):] {
			id, err := output.ParseIdentity(output.Headers(r.Headers).Get)
			require.NoError(t, err)
			require.EqualValues(t, processors.LogicVersion, id.Logic)
			require.GreaterOrEqual(t, id.Offset, former.log(ledger.Topic(namespace), l.Partition).Published, "an output of an entry that the former release had folded")
			if id.Offset > h.logicOffset(t, l.Partition) {
				published++
			}
		}
	}
	l := h.start(t)
	got, err := l.audit(l.redis)
	require.NoError(t, err)
	require.Empty(t, got.Findings)
	require.True(t, got.Clean())
	require.EqualValues(t, published, got.Outputs)
	require.Positive(t, published)
	stored := 0
	for _, key := range l.servers.Miniredis().Keys() {
		if strings.HasSuffix(key, customers) {
			all, err := l.servers.Miniredis().HKeys(key)
			require.NoError(t, err)
			stored += len(all)
		}
	}
	require.EqualValues(t, stored, got.Customers)
	require.Positive(t, stored)
}

// logicOffset returns the offset of the entry with which this release took a partition over.
func (h *history) logicOffset(t *testing.T, partition int32) int64 {
	t.Helper()
	for _, r := range h.log(ledger.Topic(namespace), partition).Records {
		var e ledger.Entry
		require.NoError(t, e.UnmarshalVT(r.Value))
		var logic ledger.Logic
		if e.GetKind() == ledger.Kind_KIND_LOGIC && logic.UnmarshalVT(e.GetPayload()) == nil && logic.GetVersion() == processors.LogicVersion {
			return r.Offset
		}
	}
	t.Fatalf("partition %d was not taken over", partition)
	return 0
}

// readHistory returns the history of the former release after this release has taken it over and folded more events. It is made
// once, and each call returns a copy.
func readHistory(t *testing.T) *history {
	t.Helper()
	takenOver.once.Do(func() {
		var err error
		takenOver.blob, err = json.Marshal(takeOver(t))
		require.NoError(t, err)
	})
	h := &history{}
	require.NoError(t, json.NewDecoder(bytes.NewReader(takenOver.blob)).Decode(h))
	return h
}

var takenOver struct {
	once sync.Once
	blob []byte
}

func takeOver(t *testing.T) *history {
	t.Helper()
	l := formerHistory(t).start(t)
	g, err := topics.Genesis(t.Context(), l.kafka, namespace)
	require.NoError(t, err)
	f := fold.New(fold.Config{
		Namespace: namespace, Genesis: g, Settings: l.settings(t),
		PublishInterval: 20 * time.Millisecond, MaxTransactionsPerSecond: 1000, CommitInterval: 100 * time.Millisecond,
		CheckpointInterval: time.Hour, TransactionTimeout: 10 * time.Second,
		SessionTimeout: 10 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 10 * time.Second, HaltRetry: time.Second,
		CacheBytes: 16 << 20, Now: time.Now, Random: rand.Uint64,
	}, l.kafka, l.redis, telemetry.NewFold(prometheus.NewRegistry()), zap.NewNop())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	l.appendOrders(t, g, 0, 30) // the logic entry is appended with the first transaction
	l.await(t, f, g)
	l.appendOrders(t, g, 30, 120)
	l.await(t, f, g)
	f.Drain()
	require.NoError(t, <-ended)
	stop()
	h, err := dump(t.Context(), l.kafka, l.servers.RedisAddress())
	require.NoError(t, err)
	return h
}

// settings returns the newest settings in the ledger.
func (l *loaded) settings(t *testing.T) *ledger.Settings {
	t.Helper()
	newest := &ledger.Settings{}
	topic := ledger.Topic(namespace)
	bounds, err := l.kafka.ListOffsets(t.Context(), topic, []int32{0})
	require.NoError(t, err)
	_, err = l.kafka.ReadCommitted(t.Context(), topic, 0, 0, bounds[0].LastStable, func(r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil || e.GetKind() != ledger.Kind_KIND_SETTINGS {
			return err
		}
		s := &ledger.Settings{}
		if err := s.UnmarshalVT(e.GetPayload()); err != nil {
			return err
		}
		if s.GetRevision() > newest.GetRevision() {
			newest = s
		}
		return nil
	})
	require.NoError(t, err)
	return newest
}

// await waits until every partition is taken over, and folded, published and committed to its end.
func (l *loaded) await(t *testing.T, f *fold.Fold, g *ledger.Genesis) {
	t.Helper()
	require.Eventually(t, func() bool {
		done := int32(0)
		for p := range g.GetPartitions() {
			bounds, err := l.kafka.ListOffsets(t.Context(), ledger.Topic(namespace), []int32{p})
			require.NoError(t, err)
			meta, err := l.redis.Partition(namespace, p, g.GetPartitions()).ReadMeta(t.Context())
			if err != nil || len(meta.State) == 0 {
				continue
			}
			state, err := processors.DecodePartition(meta.State)
			if err != nil || state.Logic() != processors.LogicVersion {
				continue
			}
			for _, s := range f.Status() {
				if s.Partition == p && s.Committed == s.Folded && s.Committed == meta.Offset && l.records(t, p, s.Folded, bounds[p].LastStable) == 0 {
					done++
				}
			}
		}
		return done == g.GetPartitions()
	}, 30*time.Second, 20*time.Millisecond)
}

// records returns the number of entries in a part of the ledger. Behind the last entry there may be any number of markers of
// transactions.
func (l *loaded) records(t *testing.T, partition int32, from, to int64) (n int) {
	t.Helper()
	if from >= to {
		return 0
	}
	_, err := l.kafka.ReadCommitted(t.Context(), ledger.Topic(namespace), partition, from, to, func(kafka.Record) error {
		n++
		return nil
	})
	require.NoError(t, err)
	return n
}

// appendOrders appends orders of customers of all partitions as an intake would, those of referred customers among them.
func (l *loaded) appendOrders(t *testing.T, g *ledger.Genesis, from, to int) {
	t.Helper()
	decoder, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	producer, err := l.kafka.NewProducer(t.Context())
	require.NoError(t, err)
	for i := from; i < to; i++ {
		id := fmt.Sprintf("c-%d", i%40)
		if i%3 == 0 {
			id = fmt.Sprintf("friend-%d", 2+i/3%5)
		}
		at := time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC)
		var r event.Result
		value := fmt.Sprintf(`{"customer_id":"%s","order_id":"new-%d","total":%d,"currency":"EUR","occurred_at":"%s"}`, id, i, 10+i, at.Format(time.RFC3339))
		require.NoError(t, decoder.Decode(event.Purchase, &event.Message{Value: []byte(value), Timestamp: at.UnixMilli()}, at.UnixMilli(), &r))
		payload, err := r.Event.MarshalVT()
		require.NoError(t, err)
		entry := ledger.Entry{
			Version: ledger.Version, Kind: ledger.Kind_KIND_EVENT, Customer: id, Time: at.UnixMilli(), Payload: payload,
			Origin: &ledger.Origin{Topic: "more-purchases", Offset: int64(i)},
		}
		blob, err := entry.MarshalVT()
		require.NoError(t, err)
		batch := kafka.NewBatch(ledger.Topic(namespace), murmur2.PartitionFor([]byte(id), g.GetPartitions()))
		batch.Append(at.UnixMilli(), []byte(fmt.Sprint("more-", i)), blob, nil)
		_, err = producer.Produce(t.Context(), []*kafka.Batch{batch})
		require.NoError(t, err)
	}
}
