package faulttest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// inUncompressedWorld is inWorld under a clock, with batches whose records can be looked at.
func inUncompressedWorld(t *testing.T, seed uint64, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(seed, nil, rand.New(rand.NewPCG(1, 1)), newCoverage(), zap.NewNop())
		require.NoError(t, err)
		defer w.close()
		w.cfg.Kafka.Compression = "none"
		test(t, w)
	})
}

// The seeds of worlds with two ledger partitions, and with three.
const (
	eventClockSeed = 4
	liveClockSeed  = 5
)

// refuse makes the broker refuse batches for a topic for which when is true (nil: all), until remove is called. It refuses the
// batches of the topic's other partitions in the same request as well.
func (w *world) refuse(topic string, with *kerr.Error, when func(batch []byte) bool) (remove func()) {
	f := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: with, Count: -1}
	if when != nil {
		f.When = func(r kmsg.Request) bool {
			for _, t := range r.(*kmsg.ProduceRequest).Topics { //nolint:forcetypeassert // by Keys
				for _, p := range t.Partitions {
					if t.Topic == topic && when(p.Records) {
						return true
					}
				}
			}
			return false
		}
	}
	return w.env.Cluster().Fault(f).Remove
}

// stampedAhead says that a record of an uncompressed batch is stamped further ahead than brokers accept by default.
func stampedAhead(batch []byte) bool {
	const atMaxTimestamp = 35
	return int64(binary.BigEndian.Uint64(batch[atMaxTimestamp:])) > time.Now().Add(time.Hour).UnixMilli()
}

// withoutKey says that a record of an uncompressed batch has no key.
func withoutKey(batch []byte) bool {
	const header = 61
	for rest := batch[header:]; len(rest) > 0; {
		size, n := binary.Varint(rest)
		record := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		_, delta := binary.Varint(record[1:])
		_, offset := binary.Varint(record[1+delta:])
		if key, _ := binary.Varint(record[1+delta+offset:]); key < 0 {
			return true
		}
	}
	return false
}

func largerThan(bytes int) func([]byte) bool {
	return func(batch []byte) bool { return len(batch) > bytes }
}

// ends returns the ends of a topic's partitions, added up: they also count what was aborted, and markers.
func (w *world) ends(t *testing.T, topic string) int64 {
	t.Helper()
	var sum int64
	for p := range w.genesis.GetPartitions() {
		bounds, err := w.client.Kafka.ListOffsets(w.ctx, topic, []int32{p})
		require.NoError(t, err)
		sum += bounds[p].HighWatermark
	}
	return sum
}

// inputRecord is a record as a shop sends it: t is its Kafka timestamp in ms, 0: now.
type inputRecord struct {
	key   []byte
	ts    int64
	value string
}

// send appends records to partition 0 of an input topic, in one batch.
func (w *world) send(t *testing.T, topic string, records ...inputRecord) {
	t.Helper()
	producer, err := w.client.Kafka.NewProducer(w.ctx)
	require.NoError(t, err)
	b := kafka.NewBatch(topic, 0)
	for _, r := range records {
		if r.ts == 0 {
			r.ts = time.Now().UnixMilli()
		}
		b.Append(r.ts, r.key, []byte(r.value), nil)
	}
	_, err = producer.Produce(w.ctx, []*kafka.Batch{b})
	require.NoError(t, err)
}

// sale is a purchase of a customer of its own, with a number of refunds.
func sale(id, refunds int) inputRecord {
	body := map[string]any{
		"event_id": fmt.Sprintf("e%d", id), "customer_id": fmt.Sprintf("c%d", id), "order_id": fmt.Sprintf("o%d", id), "total": 1000, "currency": "USD",
		"occurred_at": time.Now().AddDate(0, 0, -100).UTC().Format(time.RFC3339),
	}
	if refunds > 0 {
		all := make([]map[string]any, refunds)
		for i := range all {
			all[i] = map[string]any{"refund_id": fmt.Sprintf("r%d-%d", id, i), "total": 1}
		}
		body["refunds"] = all
	}
	value, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return inputRecord{value: string(value)}
}

func malformed(n int) inputRecord { return inputRecord{value: fmt.Sprintf("not json %d", n)} }

// appended counts how often each origin of an event was appended to the ledger, and the ticks.
func (w *world) appended(t *testing.T) (byOrigin map[string]int, ticks int) {
	t.Helper()
	byOrigin = map[string]int{}
	require.NoError(t, w.readAll(ledger.Topic(w.cfg.Namespace), func(r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil {
			return err
		}
		switch e.GetKind() { //nolint:exhaustive // what intake appends
		case ledger.Kind_KIND_EVENT:
			byOrigin[fmt.Sprintf("%s/%d/%d/%d", e.GetOrigin().GetTopic(), e.GetOrigin().GetIncarnation(), e.GetOrigin().GetPartition(), e.GetOrigin().GetOffset())]++
		case ledger.Kind_KIND_TICK:
			ticks++
		}
		return nil
	}))
	return byOrigin, ticks
}

// letters counts the dead letters of purchases by reason and origin offset.
func (w *world) letters(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	require.NoError(t, w.readAll(intake.DeadLetterTopic(w.cfg.Namespace, event.Purchase), func(r kafka.Record) error {
		offset, _ := r.Header("__connect.errors.offset")
		class, _ := r.Header("__connect.errors.exception.class.name")
		all[strings.TrimPrefix(string(class), "mainstay.")+" "+string(offset)]++
		return nil
	}))
	return all
}

// Whatever topic refuses whatever is sent, without end: what any log grows by is bounded by what was accepted, the partition shows a named
// reason within seconds and for as long as it lasts, and other inputs go on, as far as the ledger accepts anything. Once the cause is
// removed, everything continues, and each record is an event or a dead letter.
func TestRefusedForEver(t *testing.T) {
	for i, topic := range []string{"mainstay.ledger.v1", "mainstay.purchases.dlq", "mainstay.clv.v1", "mainstay.portfolio.v1"} {
		byFold := i > 1
		for j, with := range []*kerr.Error{kerr.MessageTooLarge, kerr.TopicAuthorizationFailed, kerr.InvalidTimestamp, kerr.InvalidRecord} {
			if byFold && j > 3-i {
				continue // of what kind the refusal is makes no difference but to the reason
			}
			t.Run(fmt.Sprintf("%s, %d", topic, with.Code), func(t *testing.T) {
				t.Parallel()
				inUncompressedWorld(t, []uint64{eventClockSeed, liveClockSeed}[(i+j)%2], func(t *testing.T, w *world) {
					in, f := w.startProcess("intake"), w.startProcess("fold")
					w.send(t, "purchases", sale(0, 0), sale(1, 0))
					time.Sleep(2 * time.Second)
					remove := w.refuse(topic, with, nil)
					began := time.Now()
					_, ticksBefore := w.appended(t)
					for i := range 10 {
						w.send(t, "purchases", sale(10+3*i, 0), malformed(i), sale(11+3*i, 0))
						w.send(t, "surveys", inputRecord{value: fmt.Sprintf(`{"event_id":"s%d","customer_id":"c0","response_id":"s%d","survey_type":"nps","score":9}`, i, i)})
						time.Sleep(time.Second)
					}
					halted := func() {
						t.Helper()
						if byFold {
							require.True(t, foldHalts(f.fold)[reasonOf(topic, with)], "%v", f.fold.Status())
							require.Positive(t, haltedSeries(t, f, reasonOf(topic, with)))
							return
						}
						require.True(t, inputHalts(in.intake)[reasonOf(topic, with)], "%v", in.intake.Status())
					}
					halted()
					compareGrowth := func(time.Duration) {}
					if byFold {
						compareGrowth = w.growth(t, topic)
					}
					for range 20 { // whatever else ends runs and claims meanwhile
						time.Sleep(2 * time.Second)
						halted()
						w.env.CutKafka()
					}
					time.Sleep(5 * time.Second)
					halted()
					compareGrowth(time.Since(began))

					events, ticks := w.appended(t)
					for origin, n := range events {
						require.Equal(t, 1, n, "%s was appended %d times", origin, n)
					}
					every := w.cfg.Intake.TickInterval
					require.LessOrEqual(t, ticks-ticksBefore, int(w.genesis.GetPartitions())*int(time.Since(began)/every+3), "ticks")
					if topic != "mainstay.ledger.v1" {
						require.Empty(t, w.unread(t, "surveys"), "other inputs go on")
					}
					if topic == "mainstay.purchases.dlq" {
						require.Empty(t, w.letters(t))
					}

					remove()
					time.Sleep(35 * time.Second)
					require.Empty(t, inputHalts(in.intake))
					require.Empty(t, foldHalts(f.fold))
					in.drain()
					<-in.done
					time.Sleep(3 * time.Second)
					f.drain()
					<-f.done
					require.Equal(t, 22, w.orders(t))
					require.Len(t, w.letters(t), 10, "each malformed record is a dead letter")
					events, _ = w.appended(t)
					for origin, n := range events {
						require.Equal(t, 1, n, "%s was appended %d times", origin, n)
					}
					require.Empty(t, w.verify())
				})
			})
		}
	}
}

// reasonOf is the reason for which a partition is halted whose topic refuses what is sent.
func reasonOf(topic string, with *kerr.Error) halt.Reason {
	switch {
	case with == kerr.TopicAuthorizationFailed:
		return halt.NotAuthorized
	case topic == "mainstay.ledger.v1":
		return halt.LedgerRefuses
	case strings.HasSuffix(topic, ".dlq"):
		return halt.DeadLetterRefused
	}
	return halt.OutputRefused
}

// consumed returns how many records of purchases the metrics of a process have counted, by result.
func consumed(t *testing.T, p *process) map[string]float64 {
	t.Helper()
	families, err := p.reg.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "mainstay_records_consumed_total" && m.GetLabel()[1].GetValue() == "purchases" { // labels: result, topic
				all[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return all
}

// haltedSeries counts the partitions that the metrics of a process show as halted.
func haltedSeries(t *testing.T, p *process, reason halt.Reason) (n int) {
	t.Helper()
	families, err := p.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "mainstay_partition_halted" && l.GetName() == "reason" && l.GetValue() == string(reason) && m.GetGauge().GetValue() == 1 {
					n++
				}
			}
		}
	}
	return n
}

// growth notes the ends of the ledger and the outputs while an output topic refuses, and all partitions that were going to halt are halted.
// What it returns compares them after a time: for each record that was committed, a topic may have got a marker, and the topic that refuses
// may have got the marker of an abort for each claim of a halted partition.
func (w *world) growth(t *testing.T, refusing string) (compare func(lasted time.Duration)) {
	t.Helper()
	all := []string{ledger.Topic(w.cfg.Namespace)}
	for o := range output.Topics {
		all = append(all, o.Name(w.cfg.Namespace))
	}
	records := func(topic string) (n int64) {
		t.Helper()
		if topic == refusing { // nothing of it is committed, and the transaction of the last claim is open
			return 0
		}
		var err error
		for range 20 { // a healthy partition's transaction may be open
			n = 0
			if err = w.readAll(topic, func(kafka.Record) error { n++; return nil }); err == nil {
				return n
			}
			time.Sleep(10 * time.Millisecond)
		}
		require.NoError(t, err)
		return n
	}
	before, committed := map[string]int64{}, map[string]int64{}
	for _, topic := range all {
		before[topic], committed[topic] = w.ends(t, topic), records(topic)
	}
	return func(lasted time.Duration) {
		t.Helper()
		for _, topic := range all {
			grown, accepted, claims := w.ends(t, topic)-before[topic], records(topic)-committed[topic], int64(0)
			if topic == refusing {
				claims = int64(w.genesis.GetPartitions()) * int64(lasted/(30*time.Second)+3)
			}
			require.LessOrEqual(t, grown, 2*accepted+claims, "%s: records, aborted records and markers while %s refuses", topic, refusing)
		}
	}
}

// unread names a partition of an input topic that is not read to its end.
func (w *world) unread(t *testing.T, topic string) string {
	t.Helper()
	for p := range int32(w.cfg.Ledger.Partitions) {
		bounds, err := w.client.Kafka.ListOffsets(w.ctx, topic, []int32{p})
		require.NoError(t, err)
		committed, _, err := w.client.Kafka.CommittedOffset(w.ctx, intake.Group(w.cfg.Namespace), topic, p)
		require.NoError(t, err)
		if bounds[p].HighWatermark > max(committed, 0) {
			return fmt.Sprintf("%s/%d: %d of %d", topic, p, committed, bounds[p].HighWatermark)
		}
	}
	return ""
}

// One record that is refused does not hold up the records beside it, of which each is appended once: an entry that is too large
// for the ledger becomes a dead letter, and a dead letter takes the form that its topic accepts.
func TestRefusedRecords(t *testing.T) {
	letters := "mainstay.purchases.dlq"
	for name, c := range map[string]struct {
		topic string
		with  *kerr.Error
		when  func([]byte) bool
		send  func() []inputRecord // in virtual time
		want  map[string]int       // dead letters
		check func(t *testing.T, r kafka.Record)
	}{
		"entries too large for the ledger": {
			topic: "mainstay.ledger.v1", with: kerr.MessageTooLarge, when: largerThan(3000),
			send: func() []inputRecord {
				return []inputRecord{sale(10, 0), sale(11, 300), sale(12, 0), sale(13, 300), sale(14, 300), sale(15, 0), malformed(1), sale(16, 300)}
			},
			want: map[string]int{"too_large 1": 1, "too_large 3": 1, "too_large 4": 1, "malformed 6": 1, "too_large 7": 1},
			check: func(t *testing.T, r kafka.Record) {
				_, cut := r.Header(intake.HeaderCut)
				require.False(t, cut, "the dead letter is whole")
			},
		},
		"dead letters without a key in a compacted topic": {
			topic: letters, with: kerr.InvalidRecord, when: withoutKey,
			send: func() []inputRecord {
				return []inputRecord{sale(10, 0), malformed(1), {key: []byte("k"), value: "no json"}, sale(11, 0), malformed(3)}
			},
			want: map[string]int{"malformed 1": 1, "malformed 2": 1, "malformed 4": 1},
			check: func(t *testing.T, r kafka.Record) {
				_, added := r.Header(intake.HeaderKeyAdded)
				require.Equal(t, string(r.Key) != "k", added)
			},
		},
		"dead letters too large for their topic, whose limit is not known": {
			topic: letters, with: kerr.MessageTooLarge, when: largerThan(2000),
			send: func() []inputRecord {
				return []inputRecord{sale(10, 0), {value: strings.Repeat("x", 5000)}, malformed(2), sale(11, 0)}
			},
			want: map[string]int{"malformed 1": 1, "malformed 2": 1},
			check: func(t *testing.T, r kafka.Record) {
				cut, ok := r.Header(intake.HeaderCut)
				require.Equal(t, strings.HasPrefix(string(r.Value), "xx"), ok)
				require.Contains(t, []string{"", "5001"}, string(cut))
			},
		},
		"records stamped two hours and 57,000 years ahead": {
			topic: letters, with: kerr.InvalidTimestamp, when: stampedAhead,
			send: func() []inputRecord {
				return []inputRecord{
					{key: []byte("mic-1"), ts: 1795799654458000, value: `{"customer_id": "mic-1", "order_id": "mic-1-1", "total": 10, "currency": "USD"}`},
					{key: []byte("ok-2"), ts: time.Now().UnixMilli(), value: `{"customer_id": "ok-2", "order_id": "ok-2-1", "total": 10, "currency": "USD"}`},
					{key: []byte("th-1"), ts: time.Now().Add(2 * time.Hour).UnixMilli(), value: "not json"},
				}
			},
			want: map[string]int{"too_late 0": 1, "malformed 2": 1},
			check: func(t *testing.T, r kafka.Record) {
				at, ok := r.Header(intake.HeaderTimestamp)
				require.True(t, ok)
				ms, err := strconv.ParseInt(string(at), 10, 64)
				require.NoError(t, err)
				require.Greater(t, ms, time.Now().Add(time.Hour).UnixMilli())
				require.Positive(t, r.Timestamp, "the letter is stamped")
				require.LessOrEqual(t, r.Timestamp, time.Now().UnixMilli())
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inUncompressedWorld(t, liveClockSeed, func(t *testing.T, w *world) {
				defer w.refuse(c.topic, c.with, c.when)()
				in, f := w.startProcess("intake"), w.startProcess("fold")
				time.Sleep(2 * time.Second)
				records := c.send()
				w.send(t, "purchases", records...)
				const more = 8
				for i := range more { // they are encoded while the answer to the first ones is awaited
					time.Sleep(40 * time.Millisecond)
					w.send(t, "purchases", sale(100+i, 0))
				}
				time.Sleep(5 * time.Second)
				require.Empty(t, inputHalts(in.intake), "%v", in.intake.Status())
				require.Empty(t, w.unread(t, "purchases"))
				in.drain()
				<-in.done
				time.Sleep(3 * time.Second)
				f.drain()
				<-f.done
				require.Equal(t, c.want, w.letters(t))
				events, _ := w.appended(t)
				require.Len(t, events, len(records)+more-len(c.want))
				for origin, n := range events {
					require.Equal(t, 1, n, "%s was appended %d times", origin, n)
				}
				require.Equal(t, len(events), w.orders(t))
				require.Equal(t, map[string]float64{"accepted": float64(len(events)), "dead_letter": float64(len(c.want)), "skipped": 0}, consumed(t, in), "each record is counted once")
				require.NoError(t, w.readAll(letters, func(r kafka.Record) error { c.check(t, r); return nil }))
			})
		})
	}
}
