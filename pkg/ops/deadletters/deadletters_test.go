package deadletters

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	letters = "mainstay.purchases.dlq"
	origin  = "purchases"
)

func added(topic string, partition, offset int64, reason string) []kafka.Header {
	header := func(name, value string) kafka.Header { return kafka.Header{Key: name, Value: []byte(value)} }
	return []kafka.Header{
		header("__connect.errors.topic", topic), header("__connect.errors.partition", fmt.Sprint(partition)),
		header("__connect.errors.offset", fmt.Sprint(offset)), header("__connect.errors.stage", "VALUE_CONVERTER"),
		header("__connect.errors.class.name", "mainstay.intake"), header("__connect.errors.exception.class.name", "mainstay."+reason),
		header("__connect.errors.exception.message", "total: "+reason),
	}
}

// broker is an embedded Kafka with an input topic and all dead letters.
func broker(t *testing.T) *kafka.Client {
	t.Helper()
	topics := []embedded.Topic{{Name: origin, Partitions: 3}}
	for _, name := range (Filter{}).Topics("mainstay") {
		topics = append(topics, embedded.Topic{Name: name, Partitions: 3})
	}
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: topics})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

func put(t *testing.T, k *kafka.Client, partition int32, at time.Time, key, value, headers []byte) {
	t.Helper()
	p, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	b := kafka.NewBatch(letters, partition)
	b.Append(at.UnixMilli(), key, value, headers)
	_, err = p.Produce(t.Context(), []*kafka.Batch{b})
	require.NoError(t, err)
}

func read(t *testing.T, k *kafka.Client, topic string) (all []kafka.Record) {
	t.Helper()
	bounds, err := k.ListOffsets(t.Context(), topic, []int32{0, 1, 2})
	require.NoError(t, err)
	for p := range int32(3) {
		_, err := k.ReadCommitted(t.Context(), topic, p, 0, bounds[p].LastStable, func(r kafka.Record) error {
			all = append(all, r.Clone())
			return nil
		})
		require.NoError(t, err)
	}
	return all
}

// A record that was dead-lettered and replayed is the record that was, whatever its own headers are, those of an earlier
// life among somebody's dead letters included.
func TestReplaySendsWhatWas(t *testing.T) {
	k := broker(t)
	own := [][]kafka.Header{
		nil,
		{{Key: "content-type", Value: []byte("application/json")}, {Key: "empty", Value: []byte{}}, {Key: "null"}},
		added("elsewhere", 7, 7, "old"),
	}
	at := time.UnixMilli(1_700_000_000_123)
	type was struct {
		key, value string
		headers    string
		timestamp  int64
	}
	var want []was
	for i, headers := range own {
		key, value := []byte(fmt.Sprintf("k%d", i)), []byte(fmt.Sprintf(`{"n":%d`, i))
		raw := kafka.EncodeHeaders(nil, headers)
		put(t, k, int32(i), at, key, value, kafka.AppendHeaders(nil, raw, added(origin, int64(i), 40+int64(i), "malformed")))
		want = append(want, was{string(key), string(value), string(raw), at.UnixMilli()})
	}
	dry := Replay{Max: 10}
	done, err := dry.Run(t.Context(), k, "mainstay", []string{origin})
	require.NoError(t, err)
	require.Equal(t, &Replayed{Matched: 3, Replayed: 3}, done)
	require.Empty(t, read(t, k, origin), "a dry run sends nothing")

	wet := Replay{Max: 10, Apply: true}
	done, err = wet.Run(t.Context(), k, "mainstay", []string{origin})
	require.NoError(t, err)
	require.Equal(t, &Replayed{Applied: true, Matched: 3, Replayed: 3}, done)
	var got []was
	for _, r := range read(t, k, origin) {
		got = append(got, was{string(r.Key), string(r.Value), string(r.RawHeaders()), r.Timestamp})
	}
	require.Equal(t, want, got)
}

// What intake adds to a dead letter is taken away again: its own timestamp, and the key of a record without one.
func TestReplayOfAStampedAndKeyedLetter(t *testing.T) {
	k := broker(t)
	const recordTime = 1795799654458000 // in microseconds, by mistake
	at := time.UnixMilli(1_700_000_000_000)
	header := func(name, value string) kafka.Header { return kafka.Header{Key: name, Value: []byte(value)} }
	stamped := append(added(origin, 0, 7, "too_late"), header(intake.HeaderTimestamp, fmt.Sprint(recordTime)), header(intake.HeaderKeyAdded, "true"))
	put(t, k, 0, at, []byte("purchases/0/7"), []byte("{}"), kafka.EncodeHeaders(nil, stamped))
	unstamped := append(added(origin, 0, 8, "malformed"), header(intake.HeaderTimestamp, "1600000000000"))
	put(t, k, 1, time.UnixMilli(-1), []byte("k"), []byte("x"), kafka.EncodeHeaders(nil, unstamped))

	l, err := Show(t.Context(), k, letters+"/0/0")
	require.NoError(t, err)
	require.Equal(t, at.UTC(), l.Timestamp)
	require.Nil(t, l.Key)
	require.EqualValues(t, recordTime, l.RecordTimestamp)
	l, err = Show(t.Context(), k, letters+"/1/0")
	require.NoError(t, err)
	require.Equal(t, time.UnixMilli(1600000000000).UTC(), l.Timestamp, "stored without a timestamp")

	wet := Replay{Max: 10, Apply: true}
	_, err = wet.Run(t.Context(), k, "mainstay", []string{origin})
	require.NoError(t, err)
	got := read(t, k, origin)
	require.Len(t, got, 2)
	require.EqualValues(t, recordTime, got[0].Timestamp)
	require.Nil(t, got[0].Key)
	require.Empty(t, slices.Collect(maps.Keys(maps.Collect(got[0].Headers()))))
}

func TestReplayIsBoundedAndChooses(t *testing.T) {
	k := broker(t)
	early, late := time.UnixMilli(1_600_000_000_000), time.UnixMilli(1_700_000_000_000)
	block := func(topic string, offset int64, reason string, more ...kafka.Header) []byte {
		return kafka.EncodeHeaders(nil, append(added(topic, 0, offset, reason), more...))
	}
	put(t, k, 0, early, nil, []byte("1"), block(origin, 1, "malformed"))
	put(t, k, 0, late, nil, []byte("2"), block(origin, 2, "missing"))
	put(t, k, 1, late, nil, []byte("2"), block(origin, 2, "missing")) // dead-lettered twice
	put(t, k, 0, late, nil, []byte("3"), block(origin, 3, "missing", kafka.Header{Key: intake.HeaderCut, Value: []byte("9999999")}))
	put(t, k, 0, late, nil, []byte("4"), block("sales", 4, "missing"))
	put(t, k, 0, late, nil, []byte("5"), nil) // somebody else's
	put(t, k, 0, late, nil, []byte("6"), block(origin, 6, "missing"))

	counts, err := List(t.Context(), k, "mainstay", Filter{})
	require.NoError(t, err)
	require.Equal(t, int64(5), counts.Total)
	require.Equal(t, int64(1), counts.Foreign)
	got := map[string]int64{}
	for _, c := range counts.Counts {
		got[c.Topic+" "+c.Reason] = c.Count
	}
	require.Equal(t, map[string]int64{"purchases malformed": 1, "purchases missing": 3, "sales missing": 1}, got)

	for name, c := range map[string]struct {
		replay Replay
		want   Replayed
	}{
		"all":        {Replay{Max: 9}, Replayed{Matched: 5, Replayed: 3, Cut: 1, Unknown: 1}},
		"bounded":    {Replay{Max: 1}, Replayed{Matched: 5, Replayed: 1, Cut: 1, Unknown: 1, Beyond: 2}},
		"reason":     {Replay{Max: 9, Filter: Filter{Reason: "malformed"}}, Replayed{Matched: 1, Replayed: 1}},
		"since":      {Replay{Max: 9, Filter: Filter{Since: late}}, Replayed{Matched: 4, Replayed: 2, Cut: 1, Unknown: 1}},
		"topic":      {Replay{Max: 9, Filter: Filter{Topic: "sales"}}, Replayed{Matched: 1, Unknown: 1}},
		"other kind": {Replay{Max: 9, Filter: Filter{Kinds: []event.Kind{event.Survey}}}, Replayed{}},
	} {
		t.Run(name, func(t *testing.T) {
			done, err := c.replay.Run(t.Context(), k, "mainstay", []string{origin})
			require.NoError(t, err)
			require.Equal(t, &c.want, done)
		})
	}
	_, err = (&Replay{}).Run(t.Context(), k, "mainstay", []string{origin})
	require.ErrorIs(t, err, errBound)
}

func TestShow(t *testing.T) {
	k := broker(t)
	put(t, k, 2, time.UnixMilli(5), []byte("ada"), nil, kafka.EncodeHeaders(nil, added(origin, 2, 8, "null")))
	l, err := Show(t.Context(), k, letters+"/2/0")
	require.NoError(t, err)
	require.Equal(t, Origin{origin, 2, 8}, l.Origin)
	require.Equal(t, "null", l.Reason)
	require.Equal(t, "total: null", l.Message)
	require.Nil(t, l.Value)
	for place, want := range map[string]error{
		letters + "/2/1": ErrNotFound, letters + "/9/0": ErrNotFound, "nowhere/0/0": ErrNotFound,
		letters: errPlace, letters + "/x/0": errPlace, letters + "/0/-1": errPlace, "": errPlace,
	} {
		_, err := Show(t.Context(), k, place)
		require.ErrorIs(t, err, want, place)
	}
}

// The headers of the record and those that Mainstay adds are never confused, whatever the record's headers hold.
func TestOwnHeadersAreThoseBeforeOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"a", headerTopic, headerOffset, intake.HeaderCut, "__connect.errors.x", "ce_id"})
		own := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) kafka.Header {
			return kafka.Header{Key: name.Draw(t, "name"), Value: rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "value")}
		}), 0, 12).Draw(t, "own")
		offset := rapid.Int64Range(0, 1<<60).Draw(t, "offset")
		raw := kafka.AppendHeaders(nil, kafka.EncodeHeaders(nil, own), added(origin, 1, offset, "missing"))
		var all []kafka.Header
		all = append(append(all, own...), added(origin, 1, offset, "missing")...)
		require.Equal(t, raw, kafka.EncodeHeaders(nil, all))

		l, err := parseHeaders(letters, 0, 3, all)
		require.NoError(t, err)
		require.Equal(t, Origin{origin, 1, offset}, l.Origin)
		require.Equal(t, "missing", l.Reason)
		require.Len(t, l.Headers, len(own))
		for i := range own {
			require.Equal(t, own[i], l.Headers[i])
		}
	})
}
