package ledgercopy

import (
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// shop is a ledger that is written event by event, and folded after each.
type shop struct {
	t          *testing.T
	kafka      *kafka.Client
	producer   *kafka.Producer
	namespace  string
	partitions int32
	states     []*processors.Partition
	stores     []*memstore.MemStore
	next       []int64
	origin     int64
	at         int64
}

func newShop(t *testing.T, k *kafka.Client, namespace string, partitions int32) *shop {
	t.Helper()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	s := &shop{t: t, kafka: k, producer: producer, namespace: namespace, partitions: partitions, next: make([]int64, partitions), at: 1_700_000_000_000}
	for p := range partitions {
		s.states, s.stores = append(s.states, processors.NewPartition(p)), append(s.stores, memstore.New())
	}
	return s
}

func (s *shop) append(partition int32, e *ledger.Entry) {
	e.Version = ledger.Version
	value, err := e.MarshalVT()
	require.NoError(s.t, err)
	b := kafka.NewBatch(ledger.Topic(s.namespace), partition)
	b.Append(s.at, ledger.AppendKey(nil, e.GetCustomer(), rand.Uint64()), value, nil)
	_, err = s.producer.Produce(s.t.Context(), []*kafka.Batch{b})
	require.NoError(s.t, err)
}

// tell appends an event of a customer, and time after it.
func (s *shop) tell(id string, e *ledger.Event) {
	s.at += 1000
	e.OccurredAt, e.Source = s.at, "shop"
	payload, err := e.MarshalVT()
	require.NoError(s.t, err)
	kind := ledger.Kind_KIND_EVENT
	if e.GetErasure() != nil {
		kind = ledger.Kind_KIND_ERASE
	}
	s.origin++
	s.append(s.of(id), &ledger.Entry{Kind: kind, Customer: id, Time: s.at, Payload: payload, Origin: &ledger.Origin{Topic: input, Offset: s.origin}})
	s.waitForCopy()
	tick, err := processors.CopyTick(input, s.at).MarshalVT()
	require.NoError(s.t, err)
	for p := range s.partitions {
		s.append(p, &ledger.Entry{Kind: ledger.Kind_KIND_TICK, Time: s.at, Payload: tick})
	}
	s.waitForCopy()
}

func (s *shop) of(id string) int32 { return murmur2.PartitionFor([]byte(id), s.partitions) }

func (s *shop) buys(id, order string, total int64) {
	s.tell(id, &ledger.Event{Id: order, Purchase: &ledger.Purchase{OrderId: order, Total: total, Currency: "EUR"}})
}

func (s *shop) refers(by, id, referral string) {
	s.tell(id, &ledger.Event{Id: referral, Referral: &ledger.Referral{ReferralId: referral, Referrer: by, Status: ledger.ReferralStatus_REFERRAL_STATUS_APPROVED}})
}

func (s *shop) forgets(id string) {
	s.tell(id, &ledger.Event{Id: "forget", Erasure: &ledger.Erasure{}})
}

// marks marks a customer on the list of calls.
func (s *shop) marks(id, by string) {
	payload, err := (&ledger.CallMark{Kind: ledger.CallMarkKind_CALL_MARK_KIND_DONE, By: by}).MarshalVT()
	require.NoError(s.t, err)
	s.append(s.of(id), &ledger.Entry{Kind: ledger.Kind_KIND_CALL_MARK, Customer: id, Payload: payload})
	s.waitForCopy()
}

// waitForCopy folds until no fact is under way between partitions.
func (s *shop) waitForCopy() {
	for again := true; again; {
		again = false
		for p := range s.partitions {
			bounds, err := s.kafka.ListOffsets(s.t.Context(), ledger.Topic(s.namespace), []int32{p})
			require.NoError(s.t, err)
			var out output.Batch
			s.next[p], err = s.kafka.ReadCommitted(s.t.Context(), ledger.Topic(s.namespace), p, s.next[p], bounds[p].LastStable, func(r kafka.Record) error {
				var e ledger.Entry
				require.NoError(s.t, e.UnmarshalVT(r.Value))
				out.Reset()
				_, err := processors.Step(s.states[p], r.Offset, &e, s.stores[p], &out)
				for i, sent := range out.Sends {
					sent.Entry.Origin = &ledger.Origin{Partition: p, Offset: r.Offset, Ordinal: uint32(i)}
					s.append(sent.Partition, &sent.Entry)
					again = true
				}
				return err
			})
			require.NoError(s.t, err)
		}
	}
}

func (s *shop) state(id string) *customer.State {
	c, _ := s.stores[s.of(id)].Customer(id) // it never fails
	return c
}

// A copy has nothing of erased customers from before their erasure, not even their names, and what referrers were credited with for them.
// An erasure that comes while the copy is made is copied.
func TestErasedCustomersAreLeftOut(t *testing.T) {
	k, _ := broker(t, nil)
	newOld(t, k, 1, 2) // creates the ledger
	old := newShop(t, k, from, 2)
	old.buys("ada", "o1", 100)
	old.refers("ada", "bob", "r1")
	old.buys("bob", "o2", 700)
	old.refers("bob", "eve", "r2")
	old.buys("eve", "o3", 900)
	old.marks("ada", "Ann")
	old.marks("bob", "Ann, before the erasure")
	old.buys("late", "o4", 50)
	old.marks("late", "Bea")
	old.refers("late", "eve", "r3")
	old.forgets("bob") // ada keeps 700, and eve's referrer is late
	old.buys("bob", "o5", 30)
	old.marks("bob", "Ann, after it")
	old.forgets("nobody")

	cfg := copyOf(3, false)
	_, err := Run(t.Context(), cfg, k)
	require.NoError(t, err)
	fresh := newShop(t, k, to, 3)
	fresh.waitForCopy()
	same := func() {
		t.Helper()
		for _, id := range []string{"ada", "bob", "eve", "late", "nobody"} {
			want, got := old.state(id), fresh.state(id)
			if want == nil {
				require.Nil(t, got, id)
				continue
			}
			require.NotNil(t, got, id)
			require.Equal(t, [4]int64{want.Historic(), want.Orders(), want.ReferralValue(), int64(want.Referred())},
				[4]int64{got.Historic(), got.Orders(), got.ReferralValue(), int64(got.Referred())}, id)
			require.Equal(t, want.Referrer(), got.Referrer(), id)
			if want.CallMark() == nil {
				require.Nil(t, got.CallMark(), id)
				continue
			}
			a, b := want.CallMark(), got.CallMark()
			require.Equal(t, [...]any{a.Kind, a.At, a.By}, [...]any{b.Kind, b.At, b.By}, id)
		}
	}
	same()
	require.EqualValues(t, 700, fresh.state("ada").ReferralValue())
	require.Equal(t, "late", fresh.state("eve").Referrer())
	require.Equal(t, "Ann, after it", fresh.state("bob").CallMark().By)
	for p := range int32(3) {
		n, _ := fresh.states[p].Erasures()
		require.Zero(t, n, "the copy has no erase entry")
		bounds, err := k.ListOffsets(t.Context(), ledger.Topic(to), []int32{p})
		require.NoError(t, err)
		_, err = k.ReadCommitted(t.Context(), ledger.Topic(to), p, 0, bounds[p].LastStable, func(r kafka.Record) error {
			var e ledger.Entry
			require.NoError(t, e.UnmarshalVT(r.Value))
			if e.GetKind() == ledger.Kind_KIND_CREDIT {
				var c ledger.Credit
				require.NoError(t, c.UnmarshalVT(e.GetPayload()))
				require.NotEqual(t, xxhash.Sum64String("bob"), c.GetReferredHash())
			}
			if e.GetKind() == ledger.Kind_KIND_CALL_MARK {
				var m ledger.CallMark
				require.NoError(t, m.UnmarshalVT(e.GetPayload()))
				require.NotEqual(t, "Ann, before the erasure", m.GetBy(), "a mark of an erased customer")
			}
			var x ledger.Event
			if e.GetKind() != ledger.Kind_KIND_EVENT {
				return nil
			}
			require.NoError(t, x.UnmarshalVT(e.GetPayload()))
			require.NotEqual(t, "bob", x.GetReferral().GetReferrer())
			require.True(t, e.GetCustomer() != "bob" || x.GetPurchase().GetOrderId() == "o5", "an event from before the erasure")
			return nil
		})
		require.NoError(t, err)
	}

	old.forgets("late")
	old.forgets("bob")
	old.buys("late", "o6", 5)
	_, err = Run(t.Context(), copyOf(3, false), k) // it resumes: the later erasures change nothing of what is copied
	require.NoError(t, err)
	fresh.waitForCopy()
	same()
	require.Nil(t, fresh.state("bob"))
	require.Empty(t, fresh.state("eve").Referrer())
	require.EqualValues(t, 5, fresh.state("late").Historic())
}

// The costs that are stated when a ledger is copied are those of its copy, whatever was withdrawn or replaced before.
func TestCostsAreCopied(t *testing.T) {
	k, _ := broker(t, nil)
	newOld(t, k, 1, 2) // creates the ledger
	old := newShop(t, k, from, 2)
	for _, c := range []*ledger.Cost{{Month: 600, Kind: 1, Amount: 5}, {Month: 600, Kind: 2, Amount: 7}, {Month: 600, Kind: 1, Source: "ads", Amount: 9}, {Month: 600, Kind: 1, Amount: 6}, {Month: 600, Kind: 2, Withdrawn: true}} {
		payload, err := c.MarshalVT()
		require.NoError(t, err)
		old.append(0, &ledger.Entry{Kind: ledger.Kind_KIND_COST, Payload: payload})
	}
	old.buys("ada", "o1", 100)
	_, err := Run(t.Context(), copyOf(3, false), k)
	require.NoError(t, err)

	copied := newShop(t, k, to, 3)
	copied.waitForCopy()
	want, got := old.states[0].Costs(), copied.states[0].Costs()
	require.Len(t, want.All(), 2)
	require.Equal(t, want.All(), got.All())
}
