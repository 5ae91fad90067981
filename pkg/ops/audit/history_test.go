package audit_test

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

var record = flag.String("record", "", "write testdata/former/history.json.gz from KAFKA_BROKER,REDIS_ADDRESS, where generate.sh has run")

const (
	historyFile = "testdata/former/history.json.gz"
	namespace   = "former"
)

// history is all that a ledger, its outputs and its state in Redis consist of, as a fold left them.
type history struct {
	Logs  []partitionLog `json:"logs"`
	Redis [][]byte       `json:"redis"` // an embedded.Copy
}

// partitionLog is the committed records of a partition. Offsets between them are transaction markers, or records of
// transactions that were aborted.
type partitionLog struct {
	Topic     string      `json:"topic"`
	Partition int32       `json:"partition"`
	End       int64       `json:"end"`
	Published int64       `json:"published"` // of a ledger partition: the fold group's offset
	Records   []logRecord `json:"records"`
}

type logRecord struct {
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value"`
	Headers   []byte `json:"headers"` // as they stand in the record batch
}

func formerHistory(t *testing.T) *history {
	t.Helper()
	f, err := os.Open(historyFile)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	unzip, err := gzip.NewReader(f)
	require.NoError(t, err)
	h := &history{}
	require.NoError(t, json.NewDecoder(unzip).Decode(h))
	return h
}

// log returns the partition's log, to be changed before it is loaded.
func (h *history) log(topic string, partition int32) *partitionLog {
	i := slices.IndexFunc(h.Logs, func(l partitionLog) bool { return l.Topic == topic && l.Partition == partition })
	return &h.Logs[i]
}

// recent returns the index of a record near the end.
func (l *partitionLog) recent() int { return len(l.Records) - 10 }

// append adds a record behind the end.
func (l *partitionLog) append(r logRecord) {
	r.Offset = l.End
	l.Records, l.End = append(l.Records, r), l.End+1
}

// insert adds a record and moves the records after it.
func (l *partitionLog) insert(i int, r logRecord) {
	r.Offset = l.Records[i-1].Offset + 1
	l.Records, l.End = slices.Insert(l.Records, i, r), l.End+1
	for j := i + 1; j < len(l.Records); j++ {
		l.Records[j].Offset++
	}
}

// withOrdinal returns the output under another ordinal of its entry.
func (r logRecord) withOrdinal(ordinal uint32) logRecord {
	id, err := output.ParseIdentity(output.Headers(r.Headers).Get)
	if err != nil {
		panic(err)
	}
	r.Headers = output.NewEnvelope(namespace, id.LedgerID, id.Partition, id.Logic).AppendHeaders(nil, &output.Record{Offset: id.Offset, Ordinal: ordinal}, nil)
	return r
}

// partitions is the ledger's count.
func (h *history) partitions() int32 {
	n := int32(0)
	for _, l := range h.Logs {
		n = max(n, l.Partition+1)
	}
	return n
}

// load puts a history into an in-process Kafka and Redis, every record at the offset that it had.
func (h *history) load(t *testing.T) (*embedded.Embedded, *kafka.Client) {
	t.Helper()
	servers, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Redis: true})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	client, err := kafka.New(kafka.Config{Brokers: []string{servers.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(client.Close)

	var specs []kafka.TopicSpec
	for _, l := range h.Logs {
		if l.Partition == 0 {
			specs = append(specs, kafka.TopicSpec{Name: l.Topic, Partitions: h.partitions()})
		}
	}
	for t := range output.Topics { // that release had fewer: topics apply creates what is missing
		if name := t.Name(namespace); !slices.ContainsFunc(specs, func(s kafka.TopicSpec) bool { return s.Name == name }) {
			specs = append(specs, kafka.TopicSpec{Name: name, Partitions: h.partitions()})
		}
	}
	require.NoError(t, client.CreateTopics(t.Context(), specs))
	producer, err := client.NewProducer(t.Context())
	require.NoError(t, err)
	for i := range h.Logs {
		l := &loader{client: client, producer: producer, log: &h.Logs[i]}
		require.NoError(t, l.load(t.Context()), "%s/%d", l.log.Topic, l.log.Partition)
	}
	all := make(embedded.Copy, len(h.Redis))
	for i, s := range h.Redis {
		all[i] = string(s)
	}
	require.NoError(t, servers.Restore(all))
	upgrade(servers)
	return servers, client
}

// upgrade gives the state in Redis, which has the layout of the earlier release, the present one: a checksum behind each blob, and the
// number of customers in meta.
func upgrade(servers *embedded.Embedded) {
	r := servers.Miniredis()
	for _, key := range r.Keys() {
		if !strings.HasSuffix(key, meta) || r.HGet(key, "format") != "1" {
			continue
		}
		customersKey := strings.TrimSuffix(key, meta) + ":" + r.HGet(key, "snapshot") + customers
		ids, _ := r.HKeys(customersKey) // no key: no customers
		for _, id := range ids {
			blob := r.HGet(customersKey, id)
			sum := crc32.Checksum([]byte(id+blob), crc32.MakeTable(crc32.Castagnoli))
			r.HSet(customersKey, id, string(binary.BigEndian.AppendUint32([]byte(blob), sum)))
		}
		r.HSet(key, "format", "2", "customers", strconv.Itoa(len(ids)))
	}
}

// loader appends a partition's records at their offsets. A transaction's marker takes one offset; where more are missing, an
// aborted transaction fills them with records that no reader of committed data sees.
type loader struct {
	client   *kafka.Client
	producer *kafka.Producer
	log      *partitionLog
}

func (l *loader) load(ctx context.Context) error {
	for next := int64(0); next < l.log.End; {
		run := l.runFrom(next)
		batch := kafka.NewBatch(l.log.Topic, l.log.Partition)
		for _, r := range run {
			batch.Append(r.Timestamp, r.Key, r.Value, r.Headers)
		}
		next += int64(len(run))
		missing := l.nextRecord(next) - next
		var err error
		switch {
		case missing == 1:
			err = l.inTransaction(ctx, batch, true)
		case len(run) > 0:
			_, err = l.producer.Produce(ctx, []*kafka.Batch{batch})
		}
		if err == nil && missing > 1 {
			err = l.inTransaction(ctx, fillers(l.log, missing-1), false)
		}
		if err != nil {
			return err
		}
		next += missing
	}
	if l.log.Published > 0 {
		at := kafka.TopicPartitionOffset{Topic: l.log.Topic, Partition: l.log.Partition, Offset: l.log.Published}
		return l.client.CommitOffsets(ctx, fold.Group(namespace), []kafka.TopicPartitionOffset{at})
	}
	return nil
}

// runFrom returns the records at next and the offset after each.
func (l *loader) runFrom(next int64) []logRecord {
	first, _ := slices.BinarySearchFunc(l.log.Records, next, func(r logRecord, at int64) int { return int(r.Offset - at) })
	end := first
	for end < len(l.log.Records) && l.log.Records[end].Offset == next+int64(end-first) {
		end++
	}
	return l.log.Records[first:end]
}

// nextRecord returns the offset of the first record at or behind next.
func (l *loader) nextRecord(next int64) int64 {
	i, _ := slices.BinarySearchFunc(l.log.Records, next, func(r logRecord, at int64) int { return int(r.Offset - at) })
	if i == len(l.log.Records) {
		return l.log.End
	}
	return l.log.Records[i].Offset
}

func fillers(log *partitionLog, n int64) *kafka.Batch {
	batch := kafka.NewBatch(log.Topic, log.Partition)
	for range n {
		batch.Append(0, nil, []byte("aborted"), nil)
	}
	return batch
}

// inTransaction appends a batch and the marker after it. To abort, it commits the offset of a member that the group does not
// have, which is refused and leaves the transaction open for its next owner to abort.
func (l *loader) inTransaction(ctx context.Context, batch *kafka.Batch, commit bool) error {
	const id, timeout = "load", 10 * time.Second
	owner, err := l.client.OpenTransactional(ctx, id, timeout)
	if err != nil {
		return err
	}
	x := kafka.Transaction{Batches: []*kafka.Batch{batch}}
	if commit {
		return owner.Publish(ctx, x)
	}
	x.Group, x.Topic, x.Partition, x.Generation, x.Member = "load", batch.Topic(), batch.Partition(), 1, "nobody"
	if err := owner.Publish(ctx, x); err == nil {
		return errors.New("the offset of an unknown member was committed")
	}
	_, err = l.client.OpenTransactional(ctx, id, timeout)
	return err
}

// dump reads a history from a running Kafka and Redis.
func dump(ctx context.Context, client *kafka.Client, redisAddress string) (*history, error) {
	g, err := topics.Genesis(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	h := &history{}
	names := []string{ledger.Topic(namespace)}
	for t := range output.Topics {
		names = append(names, t.Name(namespace))
	}
	for _, name := range names {
		for p := range g.GetPartitions() {
			l, err := dumpPartition(ctx, client, name, p)
			if err != nil {
				return nil, fmt.Errorf("%s/%d: %w", name, p, err)
			}
			h.Logs = append(h.Logs, *l)
		}
	}
	h.Redis, err = dumpRedis(ctx, redisAddress)
	return h, err
}

func dumpPartition(ctx context.Context, client *kafka.Client, topic string, partition int32) (*partitionLog, error) {
	l := &partitionLog{Topic: topic, Partition: partition}
	bounds, err := client.ListOffsets(ctx, topic, []int32{partition})
	if err != nil {
		return nil, err
	}
	l.End = bounds[partition].LastStable
	if topic == ledger.Topic(namespace) {
		if l.Published, _, err = client.CommittedOffset(ctx, fold.Group(namespace), topic, partition); err != nil {
			return nil, err
		}
	}
	_, err = client.ReadCommitted(ctx, topic, partition, 0, l.End, func(r kafka.Record) error {
		r = r.Clone()
		l.Records = append(l.Records, logRecord{r.Offset, r.Timestamp, r.Key, r.Value, r.RawHeaders()})
		return nil
	})
	return l, err
}

func dumpRedis(ctx context.Context, address string) ([][]byte, error) {
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close() //nolint:errcheck // it was only read from
	keys, err := client.Keys(ctx, namespace+":*").Result()
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	var all [][]byte
	for _, key := range keys {
		kind, err := client.Type(ctx, key).Result()
		if err != nil {
			return nil, err
		}
		var values []string
		switch kind {
		case "hash":
			var fields map[string]string
			if fields, err = client.HGetAll(ctx, key).Result(); err == nil {
				for _, f := range slices.Sorted(maps.Keys(fields)) {
					values = append(values, f, fields[f])
				}
			}
		case "zset":
			var members []redis.Z
			if members, err = client.ZRangeWithScores(ctx, key, 0, -1).Result(); err == nil {
				for _, m := range members {
					values = append(values, fmt.Sprint(m.Member), fmt.Sprintf("%.0f", m.Score))
				}
			}
		case "string":
			var s string
			s, err = client.Get(ctx, key).Result()
			values = []string{s}
		default:
			err = fmt.Errorf("%s is a %s", key, kind)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, []byte(key), []byte(kind), fmt.Append(nil, len(values)))
		for _, v := range values {
			all = append(all, []byte(v))
		}
	}
	return all, nil
}

// With -record, the test first writes the fixture.
func TestHistoryIsLoadedAsItWasRecorded(t *testing.T) {
	if *record != "" {
		recordHistory(t)
	}
	h := formerHistory(t)
	_, client := h.load(t)
	for _, want := range h.Logs {
		got, err := dumpPartition(t.Context(), client, want.Topic, want.Partition)
		require.NoError(t, err)
		require.Equal(t, want.End, got.End)
		require.Equal(t, max(want.Published, 0), max(got.Published, 0))
		require.Equal(t, withoutTimes(want.Records), withoutTimes(got.Records), "%s/%d", want.Topic, want.Partition)
	}
}

func recordHistory(t *testing.T) {
	t.Helper()
	broker, address, _ := strings.Cut(*record, ",")
	client, err := kafka.New(kafka.Config{Brokers: []string{broker}})
	require.NoError(t, err)
	defer client.Close()
	h, err := dump(t.Context(), client, address)
	require.NoError(t, err)
	f, err := os.Create(historyFile)
	require.NoError(t, err)
	zip, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	require.NoError(t, err)
	require.NoError(t, json.NewEncoder(zip).Encode(h))
	require.NoError(t, zip.Close())
	require.NoError(t, f.Close())
}

// withoutTimes: the append times of a loaded ledger are those of the loading. No answer depends on them.
func withoutTimes(all []logRecord) []logRecord {
	all = slices.Clone(all)
	for i := range all {
		all[i].Timestamp = 0
	}
	return all
}
