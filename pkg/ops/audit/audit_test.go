package audit_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// loaded is a history in an in-process Kafka and Redis.
type loaded struct {
	t       *testing.T
	servers *embedded.Embedded
	kafka   *kafka.Client
	redis   *redis.Client
}

func (h *history) start(t *testing.T) *loaded {
	t.Helper()
	servers, k := h.load(t)
	r, err := redis.New(redis.Config{Addresses: []string{servers.RedisAddress()}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return &loaded{t, servers, k, r}
}

func (l *loaded) audit(r *redis.Client) (*audit.Result, error) {
	l.t.Helper()
	g, err := topics.Genesis(l.t.Context(), l.kafka, namespace)
	require.NoError(l.t, err)
	return audit.Run(l.t.Context(), audit.Config{Namespace: namespace, Genesis: g, Patience: 10 * time.Second, Now: time.Now}, l.kafka, r)
}

// key returns the Redis key of partition 1 that ends so.
func (l *loaded) key(end string) string {
	l.t.Helper()
	for _, key := range l.servers.Miniredis().Keys() {
		if strings.HasPrefix(key, namespace+":{1.") && strings.HasSuffix(key, end) {
			return key
		}
	}
	l.t.Fatalf("no key ends in %s", end)
	return ""
}

// fields returns two fields of a hash of partition 1.
func (l *loaded) fields(end string) (key, first, second string) {
	l.t.Helper()
	key = l.key(end)
	all, err := l.servers.Miniredis().HKeys(key)
	require.NoError(l.t, err)
	return key, all[0], all[1]
}

const (
	customers = ":customers"
	timers    = ":timers:0"
	meta      = ":meta"
	nobody    = "nobody"
)

// Each kind of difference is found, and nothing else.
func TestDifferences(t *testing.T) {
	clv := output.CLV.Name(namespace)
	inRedis := func(damage func(l *loaded)) func(*history) func(*loaded) {
		return func(*history) func(*loaded) { return damage }
	}
	inKafka := func(damage func(l *partitionLog)) func(*history) func(*loaded) {
		return func(h *history) func(*loaded) {
			damage(h.log(clv, 1))
			return func(*loaded) {}
		}
	}
	for name, c := range map[string]struct {
		damage func(*history) func(*loaded) // before it is loaded, and after
		kind   audit.Kind
		place  string
		detail string
	}{
		"an output is lost": {inKafka(func(l *partitionLog) {
			l.Records = slices.Delete(l.Records, l.recent(), l.recent()+1)
		}), audit.Lost, clv, "was not published"},
		"the last output is lost": {inKafka(func(l *partitionLog) {
			l.Records = l.Records[:len(l.Records)-1]
		}), audit.Lost, clv, "was not published"},
		"an output is doubled": {inKafka(func(l *partitionLog) {
			l.append(l.Records[l.recent()])
		}), audit.Doubled, clv, "was published again"},
		"an output is doubled at once": {inKafka(func(l *partitionLog) {
			l.insert(l.recent()+1, l.Records[l.recent()])
		}), audit.Doubled, clv, "was published again"},
		"an output's value is altered": {inKafka(func(l *partitionLog) {
			r := &l.Records[l.recent()]
			r.Value = append([]byte(" "), r.Value...)
		}), audit.Differing, clv, "with another value"},
		"an output's key is altered": {inKafka(func(l *partitionLog) {
			l.Records[l.recent()].Key = []byte(nobody)
		}), audit.Differing, clv, "with another key"},
		"an output's headers are altered": {inKafka(func(l *partitionLog) {
			r := &l.Records[l.recent()]
			r.Headers = kafka.AppendHeaders(nil, r.Headers, []kafka.Header{{Key: "more", Value: []byte("1")}})
		}), audit.Differing, clv, "with other headers"},
		"an output that no entry calls for": {inKafka(func(l *partitionLog) {
			l.append(l.Records[len(l.Records)-1].withOrdinal(77))
		}), audit.Differing, clv, "no entry calls for it"},
		"an output of another partition": {func(h *history) func(*loaded) {
			h.log(clv, 1).append(h.log(clv, 0).Records[h.log(clv, 0).recent()])
			return func(*loaded) {}
		}, audit.Differing, clv, "is an output of partition 0"},
		"a record of another program": {inKafka(func(l *partitionLog) {
			l.append(logRecord{Value: []byte("{}")})
		}), audit.Differing, clv, "is not an output of Mainstay"},
		"a customer is missing": {inRedis(func(l *loaded) {
			key, id, _ := l.fields(customers)
			l.servers.Miniredis().HDel(key, id)
		}), audit.StateMissing, "redis", "a customer"},
		"a customer is altered": {inRedis(func(l *loaded) {
			key, id, other := l.fields(customers)
			l.servers.Miniredis().HSet(key, id, l.servers.Miniredis().HGet(key, other))
		}), audit.Differing, "redis", "a customer's state"},
		"a customer too many": {inRedis(func(l *loaded) {
			key, id, _ := l.fields(customers)
			l.servers.Miniredis().HSet(key, nobody, l.servers.Miniredis().HGet(key, id))
		}), audit.Differing, "redis", "a customer that is not in the ledger"},
		"a timer is missing": {inRedis(func(l *loaded) {
			key, id, _ := l.fields(timers)
			l.servers.Miniredis().HDel(key, id)
		}), audit.StateMissing, "redis", "a customer's timer"},
		"a timer has moved": {inRedis(func(l *loaded) {
			key, id, _ := l.fields(timers)
			l.servers.Miniredis().HSet(key, id, "1234567890123")
		}), audit.Differing, "redis", "a customer's timer has another deadline"},
		"a timer too many": {inRedis(func(l *loaded) {
			l.servers.Miniredis().HSet(l.key(timers), nobody, "1234567890123")
		}), audit.Differing, "redis", "a timer of a customer that is not in the ledger"},
		"a partition's state is altered": {inRedis(func(l *loaded) {
			key := l.key(meta)
			l.servers.Miniredis().HSet(key, "state", l.servers.Miniredis().HGet(key, "state")+"\x00")
		}), audit.Differing, "redis", "the partition's own state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := readHistory(t)
			after := c.damage(h)
			l := h.start(t)
			after(l)
			got, err := l.audit(l.redis)
			require.NoError(t, err)
			require.Len(t, got.Findings, 1, "%+v", got.Findings)
			f := got.Findings[0]
			require.Equal(t, c.kind, f.Kind)
			require.EqualValues(t, 1, f.Partition)
			require.Equal(t, c.place, f.Place)
			require.Contains(t, f.Detail, c.detail)
			require.False(t, got.Clean())
			require.Equal(t, map[audit.Kind]int64{c.kind: 1}, counts(got))

			withoutRedis, err := l.audit(nil)
			require.NoError(t, err)
			require.Equal(t, c.place == "redis", withoutRedis.Clean())
		})
	}
}

// counts are the counts of a result that are not 0.
func counts(r *audit.Result) map[audit.Kind]int64 {
	all := map[audit.Kind]int64{
		audit.Lost: r.Lost, audit.Doubled: r.Doubled, audit.Differing: r.Differing, audit.StateMissing: r.StateMissing,
	}
	maps.DeleteFunc(all, func(_ audit.Kind, n int64) bool { return n == 0 })
	return all
}

// An entry that a fold appends to another partition is lost when that partition ends before it.
func TestAnEntryForAnotherPartitionIsLost(t *testing.T) {
	h := readHistory(t)
	l := h.log(ledger.Topic(namespace), 2)
	at := slices.IndexFunc(l.Records, func(r logRecord) bool {
		var e ledger.Entry
		require.NoError(t, e.UnmarshalVT(r.Value))
		return r.Offset > h.logicOffset(t, 2) && e.GetOrigin() != nil && e.GetOrigin().GetTopic() == "" && e.GetOrigin().GetPartition() != 2
	})
	type origin struct {
		partition int32
		offset    int64
		ordinal   uint32
	}
	end := l.Records[at].Offset
	lost := map[origin]bool{} // what the former logic sent is not compared, nor what entries beyond the end sent
	for _, r := range l.Records[at:] {
		var e ledger.Entry
		require.NoError(t, e.UnmarshalVT(r.Value))
		if o := e.GetOrigin(); o != nil && o.GetTopic() == "" && (o.GetPartition() != 2 || o.GetOffset() < end) && o.GetOffset() >= h.logicOffset(t, o.GetPartition()) {
			lost[origin{o.GetPartition(), o.GetOffset(), o.GetOrdinal()}] = true
		}
	}
	require.NotEmpty(t, lost)
	l.End, l.Published, l.Records = end, end, l.Records[:at]
	got, err := h.start(t).audit(nil)
	require.NoError(t, err)
	require.Equal(t, map[audit.Kind]int64{audit.Lost: int64(len(lost))}, counts(got))
	require.Equal(t, "ledger", got.Findings[0].Place)
}

// Redis without state is a finding, also where nothing of it differs.
func TestRedisWithoutState(t *testing.T) {
	l := readHistory(t).start(t)
	whole, err := l.audit(l.redis)
	require.NoError(t, err)
	all, err := l.servers.Copy()
	require.NoError(t, err)
	ofPartition, err := l.servers.Miniredis().HKeys(l.key(customers))
	require.NoError(t, err)

	for name, c := range map[string]struct {
		damage   func()
		missing  int64
		findings int
	}{
		"nothing at all":     {func() { require.NoError(t, l.servers.Empty()) }, whole.Customers + 3, 3},
		"no meta":            {func() { l.servers.Miniredis().Del(l.key(meta)) }, int64(len(ofPartition)) + 1, 1},
		"half a meta":        {func() { l.servers.Miniredis().HDel(l.key(meta), "offset") }, int64(len(ofPartition)) + 1, 1},
		"no customers":       {func() { l.servers.Miniredis().Del(l.key(customers)) }, int64(len(ofPartition)), len(ofPartition)},
		"a refold has begun": {func() { l.beginSnapshot() }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, l.servers.Restore(all))
			c.damage()
			got, err := l.audit(l.redis)
			require.NoError(t, err)
			require.Equal(t, c.missing, got.StateMissing)
			require.Len(t, got.Findings, c.findings)
			require.Zero(t, got.Lost+got.Doubled+got.Differing)
			require.Equal(t, c.missing == 0, got.Clean())
		})
	}
}

// beginSnapshot does what an owner does that cannot use what Redis holds.
func (l *loaded) beginSnapshot() {
	l.t.Helper()
	g, err := topics.Genesis(l.t.Context(), l.kafka, namespace)
	require.NoError(l.t, err)
	p := l.redis.Partition(namespace, 1, g.GetPartitions())
	_, err = p.Claim(l.t.Context(), "token")
	require.NoError(l.t, err)
	require.NoError(l.t, p.BeginSnapshot(l.t.Context(), g.GetLedgerId(), "fresh", "commit", 0))
}

// The state of another ledger cannot be compared.
func TestRedisOfAnotherLedgerIsRefused(t *testing.T) {
	l := readHistory(t).start(t)
	l.servers.Miniredis().HSet(l.key(meta), "ledger", "another")
	_, err := l.audit(l.redis)
	require.ErrorContains(t, err, "do not belong together")
}
