package ledgercopy

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

const (
	from, to  = "old", "new"
	input     = "purchases"
	inputs    = 4 // partitions of the input topic; two intakes read two each
	customers = 40
)

// old writes a ledger as two intakes and the folds would: the partitions get their entries in different orders, and an intake that
// crashes has written to some partitions only, and writes again what it had not committed.
type old struct {
	t          *testing.T
	kafka      *kafka.Client
	producer   *kafka.Producer
	rng        *rand.Rand
	partitions int32
	clock      int64 // ms
	intakes    [2]oldIntake
	version    uint64 // of the thresholds
}

type oldIntake struct {
	sources   []int32
	committed map[int32]int64
	log       map[int32][]*ledger.Entry // what each of its inputs holds: a function of the offset
	sent      map[[2]int32]int64        // by ledger partition and source: the origin that the run sent last
}

func newOld(t *testing.T, k *kafka.Client, seed uint64, partitions int32) *old {
	t.Helper()
	g := &ledger.Genesis{
		Partitions: partitions, CustomerHash: settings.CustomerHash, CustomerNormalisation: "none",
		Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC",
	}
	values := settings.Default()
	_, _, err := topics.Apply(t.Context(), k, topicsOf(from, partitions), g, &ledger.Settings{Revision: 1, Hash: settings.Hash(values), Values: values}, processors.LogicVersion, rand.Uint64)
	require.NoError(t, err)
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	o := &old{t: t, kafka: k, producer: producer, rng: rand.New(rand.NewPCG(seed, 1)), partitions: partitions, clock: 1_700_000_000_000}
	for i := range o.intakes {
		o.intakes[i] = oldIntake{sources: []int32{int32(2 * i), int32(2*i + 1)}, committed: map[int32]int64{}, log: map[int32][]*ledger.Entry{}, sent: map[[2]int32]int64{}}
	}
	return o
}

func topicsOf(namespace string, partitions int32) topics.Config {
	return topics.Config{
		Namespace: namespace, Inputs: []string{input}, DeadLetters: []string{namespace + ".purchases.dlq"}, InputPartitions: inputs, Partitions: partitions,
		Retention: 30 * 24 * time.Hour, DeadLetterBytes: 4 << 20,
	}
}

// round lets both intakes write a batch. One of them crashes now and then, and writes the batch again in another order.
func (o *old) round() {
	o.clock += 700
	batches := make([][][]*ledger.Entry, 0, 4) // by batch and partition
	for i := range o.intakes {
		in := &o.intakes[i]
		in.grow(o)
		batch := in.batch(o)
		if o.rng.IntN(4) == 0 { // it crashes
			for p := range batch {
				batch[p] = batch[p][:o.rng.IntN(len(batch[p])+1)]
			}
			batches = append(batches, batch)
			clear(in.sent)
			batch = in.batch(o)
		}
		batches = append(batches, batch)
		for _, s := range in.sources {
			in.committed[s] = int64(len(in.log[s]))
		}
	}
	batches = append(batches, o.folds())
	var produced []*kafka.Batch
	for p := range o.partitions {
		b := kafka.NewBatch(ledger.Topic(from), p)
		for _, i := range o.order(len(batches)) {
			for _, e := range batches[i][p] {
				value, err := e.MarshalVT()
				require.NoError(o.t, err)
				b.Append(o.clock, ledger.AppendKey(nil, e.GetCustomer(), o.rng.Uint64()), value, nil)
			}
		}
		if b.Len() > 0 {
			produced = append(produced, b)
		}
	}
	_, err := o.producer.Produce(o.t.Context(), produced)
	require.NoError(o.t, err)
}

// order is one in which the batches of one intake keep their order, as a partition may have got them.
func (o *old) order(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if o.rng.IntN(2) == 0 && n == 3 { // no one has crashed
		all[0], all[1] = all[1], all[0]
	}
	return all
}

// grow adds records to the inputs.
func (in *oldIntake) grow(o *old) {
	for _, s := range in.sources {
		for range o.rng.IntN(4) {
			customer := fmt.Sprint("c", o.rng.IntN(customers))
			offset := int64(len(in.log[s]))
			e := ledger.Event{Id: fmt.Sprintf("e-%d-%d", s, offset), Source: "purchase", OccurredAt: o.clock, Purchase: &ledger.Purchase{OrderId: fmt.Sprintf("o-%d-%d", s, offset), Total: 1 + o.rng.Int64N(5000), Currency: "EUR"}}
			if o.rng.IntN(6) == 0 {
				e.Purchase = nil
				e.Referral = &ledger.Referral{ReferralId: e.GetId(), Referrer: fmt.Sprint("c", o.rng.IntN(customers)), Status: ledger.ReferralStatus_REFERRAL_STATUS_APPROVED}
			}
			payload, err := e.MarshalVT()
			require.NoError(o.t, err)
			in.log[s] = append(in.log[s], &ledger.Entry{
				Version: ledger.Version, Kind: ledger.Kind_KIND_EVENT, Customer: customer, Time: o.clock - o.rng.Int64N(300),
				Origin: &ledger.Origin{Topic: input, Partition: s, Offset: offset}, Payload: payload,
			})
		}
	}
}

// batch is what a run sends from what is committed on, with a tick at its end most of the time.
func (in *oldIntake) batch(o *old) [][]*ledger.Entry {
	all := make([][]*ledger.Entry, o.partitions)
	sources := slices.Clone(in.sources)
	o.rng.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
	for _, s := range sources {
		for _, e := range in.log[s][in.committed[s]:] {
			e = proto.CloneOf(e)
			p := murmur2.PartitionFor([]byte(e.Customer), o.partitions)
			if last, ok := in.sent[[2]int32{p, s}]; ok {
				e.After = &ledger.Mark{Offset: last}
			}
			in.sent[[2]int32{p, s}] = e.Origin.Offset
			all[p] = append(all[p], e)
		}
	}
	if o.rng.IntN(4) == 0 {
		return all
	}
	for p := range o.partitions {
		t := ledger.Tick{Revision: inputs, Inputs: []*ledger.Input{{Topic: input, Partitions: inputs}}}
		for _, s := range in.sources {
			r := &ledger.Reading{Topic: input, Partition: s, Offset: int64(len(in.log[s])), Time: o.clock - int64(s)}
			if last, ok := in.sent[[2]int32{p, s}]; ok {
				r.Last = &ledger.Mark{Offset: last}
			}
			t.Readings = append(t.Readings, r)
		}
		payload, err := t.MarshalVT()
		require.NoError(o.t, err)
		all[p] = append(all[p], &ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: o.clock, Payload: payload})
	}
	return all
}

// folds is what folds append now and then: some of it is copied, and some is derived again.
func (o *old) folds() [][]*ledger.Entry {
	all := make([][]*ledger.Entry, o.partitions)
	add := func(p int32, kind ledger.Kind, customer string, body interface{ MarshalVT() ([]byte, error) }) {
		payload, err := body.MarshalVT()
		require.NoError(o.t, err)
		all[p] = append(all[p], &ledger.Entry{Version: ledger.Version, Kind: kind, Customer: customer, Time: o.clock, Payload: payload, Origin: &ledger.Origin{Offset: o.clock, Ordinal: uint32(p)}})
	}
	if o.rng.IntN(5) > 0 {
		return all
	}
	o.version++
	for p := range o.partitions {
		add(p, ledger.Kind_KIND_THRESHOLDS, "", &ledger.Thresholds{Version: o.version, Top_10: 9000, Top_20: 5000})
		add(p, ledger.Kind_KIND_CHECKPOINT, "", &ledger.Checkpoint{Published: 1})
	}
	add(0, ledger.Kind_KIND_CREDIT, "c1", &ledger.Credit{Referred: "c2", Net: 7, Approved: true})
	values := settings.Default()
	values.ChurnGraceDays = uint32(o.version)
	for p := range o.partitions {
		add(p, ledger.Kind_KIND_SETTINGS, "", &ledger.Settings{Revision: 1 + o.version, Hash: settings.Hash(values), Values: values})
		all[p][len(all[p])-1].Origin = nil
	}
	return all
}

// stop commits what the intakes have read, as those that are drained do.
func (o *old) stop() {
	var at []kafka.TopicPartitionOffset
	for i := range o.intakes {
		for _, s := range slices.Sorted(maps.Keys(o.intakes[i].committed)) {
			n := o.intakes[i].committed[s]
			at = append(at, kafka.TopicPartitionOffset{Topic: input, Partition: s, Offset: n, Metadata: fmt.Sprintf("v1 0 %d %016x", n-1, 7)})
		}
	}
	require.NoError(o.t, o.kafka.CommitOffsets(o.t.Context(), from+"-intake", at))
}

// delivered is an entry as a partition gets it, with the base time at that point.
type delivered struct {
	base  int64
	place string
	time  int64
	body  string
}

// deliveries are the entries of every customer in order, and, under "", those for all customers.
type deliveries map[string][]delivered

// readEntries returns the entries of a partition with their offsets.
func readEntries(t *testing.T, k *kafka.Client, namespace string, p int32) (all []*ledger.Entry, offsets []int64) {
	t.Helper()
	bounds, err := k.ListOffsets(t.Context(), ledger.Topic(namespace), []int32{p})
	require.NoError(t, err)
	_, err = k.ReadCommitted(t.Context(), ledger.Topic(namespace), p, 0, bounds[p].LastStable, func(r kafka.Record) error {
		e := new(ledger.Entry)
		all, offsets = append(all, e), append(offsets, r.Offset)
		return e.UnmarshalVT(r.Value)
	})
	require.NoError(t, err)
	return all, offsets
}

func delivery(e *ledger.Entry, base int64) delivered {
	place := ""
	if e.GetKind() == ledger.Kind_KIND_EVENT {
		place = fmt.Sprintf("%s/%d@%d", e.GetOrigin().GetTopic(), e.GetOrigin().GetPartition(), e.GetOrigin().GetOffset())
	}
	return delivered{base, place, e.GetTime(), e.GetKind().String() + string(e.GetPayload())}
}

// oldDeliveries derives the deliveries of the old ledger naively.
func oldDeliveries(t *testing.T, k *kafka.Client, partitions int32) deliveries {
	t.Helper()
	all := deliveries{}
	for p := range partitions {
		marks, times := map[int32]int64{}, map[int32]int64{}
		ledgerMark := mark{-1, 0}
		base := int64(processors.BeforeTime)
		entries, _ := readEntries(t, k, from, p)
		for _, e := range entries {
			switch e.GetKind() {
			case ledger.Kind_KIND_EVENT:
				s, at := e.GetOrigin().GetPartition(), e.GetOrigin().GetOffset()
				last, known := marks[s]
				if known && at <= last || e.GetAfter() != nil && (!known || e.GetAfter().GetOffset() > last) {
					continue
				}
				marks[s] = at
				all[e.GetCustomer()] = append(all[e.GetCustomer()], delivery(e, base))
			case ledger.Kind_KIND_TICK:
				var tick ledger.Tick
				require.NoError(t, tick.UnmarshalVT(e.GetPayload()))
				for _, r := range tick.GetReadings() {
					last, known := marks[r.GetPartition()]
					if r.GetLast() == nil || known && r.GetLast().GetOffset() <= last {
						times[r.GetPartition()] = max(times[r.GetPartition()], r.GetTime())
					}
				}
				if len(times) == inputs {
					base = max(base, slices.Min(slices.Collect(maps.Values(times))))
				}
			case ledger.Kind_KIND_SETTINGS, ledger.Kind_KIND_THRESHOLDS:
				if o := e.GetOrigin(); o != nil {
					at := mark{o.GetOffset(), o.GetOrdinal()}
					if at.compare(ledgerMark) <= 0 {
						continue
					}
					ledgerMark = at
				}
				if p == 0 {
					all[""] = append(all[""], delivery(e, base))
				}
			case ledger.Kind_KIND_CHECKPOINT, ledger.Kind_KIND_CREDIT:
				o := e.GetOrigin()
				if at := (mark{o.GetOffset(), o.GetOrdinal()}); at.compare(ledgerMark) > 0 {
					ledgerMark = at
				}
			default:
			}
		}
	}
	return all
}

type mark struct {
	offset  int64
	ordinal uint32
}

func (m mark) compare(o mark) int {
	return cmp.Or(cmp.Compare(m.offset, o.offset), cmp.Compare(m.ordinal, o.ordinal))
}

// newTellings is what one partition of the copy tells.
func newTellings(t *testing.T, k *kafka.Client, p, partitions int32) deliveries {
	t.Helper()
	all := deliveries{}
	base := int64(processors.BeforeTime)
	entries, _ := readEntries(t, k, to, p)
	for _, e := range entries {
		if e.GetCopied() == nil {
			continue
		}
		switch e.GetKind() {
		case ledger.Kind_KIND_TICK:
			require.Greater(t, e.GetTime(), base)
			base = e.GetTime()
		case ledger.Kind_KIND_EVENT:
			require.Equal(t, p, murmur2.PartitionFor([]byte(e.GetCustomer()), partitions))
			all[e.GetCustomer()] = append(all[e.GetCustomer()], delivery(e, base))
		default:
			all[""] = append(all[""], delivery(e, base))
		}
	}
	return all
}
