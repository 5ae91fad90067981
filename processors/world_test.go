package processors_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// encodingStore is a Store that holds nothing but bytes: every state goes through its encoding on every step.
type encodingStore struct {
	t      require.TestingT
	blobs  map[string][]byte
	loaded map[string]*customer.State // what this step has been given
	fail   error
}

// requireAllPut ends a step. It fails if the step changed a state without putting it back: a fold would keep the change in memory and
// lose it at a restart.
func (s *encodingStore) requireAllPut() {
	for id, c := range s.loaded {
		require.Equal(s.t, s.blobs[id], c.Encode(nil), "a customer was changed and not put back")
	}
	clear(s.loaded)
}

func (s *encodingStore) Customer(id string) (*customer.State, error) {
	blob, ok := s.blobs[id]
	if !ok || s.fail != nil {
		return nil, s.fail
	}
	c, err := customer.Decode(blob)
	if s.loaded == nil {
		s.loaded = map[string]*customer.State{}
	}
	s.loaded[id] = c
	return c, err
}

func (s *encodingStore) Put(id string, c *customer.State) {
	delete(s.loaded, id)
	blob := c.Encode(nil)
	again, err := customer.Decode(blob)
	require.NoError(s.t, err)
	require.Equal(s.t, blob, again.Encode(nil), "encoding is not canonical")
	s.blobs[id] = blob
}

func (s *encodingStore) Delete(id string) {
	delete(s.loaded, id)
	delete(s.blobs, id)
}

func (s *encodingStore) Due(now int64, limit int) ([]string, error) {
	type timer struct {
		at int64
		id string
	}
	var due []timer
	for id, blob := range s.blobs {
		c, err := customer.Decode(blob)
		if err != nil {
			return nil, err
		}
		if at, ok := c.Deadline(); ok && at <= now {
			due = append(due, timer{at, id})
		}
	}
	slices.SortFunc(due, func(a, b timer) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	ids := make([]string, 0, limit)
	for _, d := range due[:min(limit, len(due))] {
		ids = append(ids, d.id)
	}
	return ids, s.fail
}

func (s *encodingStore) Class(class, classes uint32) ([]string, error) {
	var ids []string
	for id := range s.blobs {
		if ledger.Class(id, classes) == class {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, s.fail
}

// world is a ledger with its partitions, folded as it is written; what they send each other is folded when it is run.
type world struct {
	t       require.TestingT
	genesis *ledger.Genesis
	parts   []*part
	origin  int64
	outputs []published
}

type part struct {
	state  *processors.Partition
	store  *encodingStore
	offset int64
	queue  []*ledger.Entry
	log    []*ledger.Entry
}

type published struct {
	partition int32
	output.Record
	json string
}

func newWorld(t require.TestingT, g *ledger.Genesis) *world {
	w := &world{t: t, genesis: g}
	blob, err := g.MarshalVT()
	require.NoError(t, err)
	for i := range g.GetPartitions() {
		w.parts = append(w.parts, &part{state: processors.NewPartition(i), store: &encodingStore{t: t, blobs: map[string][]byte{}}})
		w.fold(i, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_GENESIS, Payload: blob})
	}
	return w
}

func genesis(partitions int32, clock ledger.Clock) *ledger.Genesis {
	return &ledger.Genesis{
		LedgerId: "test", Partitions: partitions, CustomerHash: "murmur2", CustomerNormalisation: "none", Clock: clock, Currency: "EUR", Timezone: "UTC",
	}
}

// fold steps one entry, with the partition's state, too, through its encoding.
func (w *world) fold(i int32, e *ledger.Entry) processors.Verdict {
	p := w.parts[i]
	var out output.Batch
	v, err := processors.Step(p.state, p.offset, e, p.store, &out)
	require.NoError(w.t, err)
	p.store.requireAllPut()
	blob := p.state.Encode(nil)
	p.state, err = processors.DecodePartition(blob)
	require.NoError(w.t, err)
	require.Equal(w.t, blob, p.state.Encode(nil), "encoding is not canonical")
	for k := range out.Records {
		r := out.Records[k]
		w.outputs = append(w.outputs, published{i, r, string(out.Value(&r))})
	}
	for k, s := range out.Sends {
		s.Entry.Origin = &ledger.Origin{Partition: i, Offset: p.offset, Ordinal: uint32(k)}
		sent := proto.Clone(&s.Entry).(*ledger.Entry)
		w.parts[s.Partition].queue = append(w.parts[s.Partition].queue, sent)
	}
	p.log = append(p.log, e)
	p.offset++
	return v
}

// drain folds what partitions have sent each other until nothing is under way. What never ends fails the test before it fills the memory.
func (w *world) drain() {
	const most = 5_000
	for folded, busy := 0, true; busy; {
		busy = false
		for i, p := range w.parts {
			for len(p.queue) > 0 {
				busy = true
				e := p.queue[0]
				p.queue = p.queue[1:]
				w.fold(int32(i), e)
				if folded++; folded > most {
					require.FailNow(w.t, "what partitions send each other does not end")
				}
			}
		}
	}
}

func (w *world) partitionOf(customer string) int32 {
	return murmur2.PartitionFor([]byte(customer), w.genesis.GetPartitions())
}

// event appends an event of a customer with an origin of its own, and settles.
func (w *world) event(customer string, e *ledger.Event) processors.Verdict {
	v := w.put(customer, e, e.GetOccurredAt())
	w.drain()
	return v
}

func (w *world) put(customer string, e *ledger.Event, at int64) processors.Verdict {
	blob, err := e.MarshalVT()
	require.NoError(w.t, err)
	w.origin++
	return w.fold(w.partitionOf(customer), &ledger.Entry{
		Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: customer, Time: at, Payload: blob,
		Origin: &ledger.Origin{Topic: "purchases", Offset: w.origin},
	})
}

// tick folds a tick that reports all inputs as read up to a time.
func (w *world) tick(at int64) {
	w.append(ledger.Kind_KIND_TICK, at, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 1}},
		Readings:  []*ledger.Reading{{Topic: "purchases", Offset: w.origin + 1, Time: at, AtEnd: true}},
		AdvanceTo: at,
	})
}

// append puts an entry into every partition, and settles.
func (w *world) append(kind ledger.Kind, at int64, body interface{ MarshalVT() ([]byte, error) }) {
	blob, err := body.MarshalVT()
	require.NoError(w.t, err)
	for i := range w.parts {
		w.fold(int32(i), &ledger.Entry{Version: 1, Kind: kind, Time: at, Payload: blob})
	}
	w.drain()
}

func (w *world) settings(change func(v *ledger.SettingsValues)) {
	v := settings.Default()
	change(v)
	revision, _ := w.parts[0].state.SettingsRevision()
	w.append(ledger.Kind_KIND_SETTINGS, 0, &ledger.Settings{Revision: revision + 1, Hash: settings.Hash(v), Values: v})
}

func (w *world) state(id string) *customer.State {
	s, err := w.parts[w.partitionOf(id)].store.Customer(id)
	require.NoError(w.t, err)
	return s
}

func (w *world) scores(id string) processors.CustomerScores {
	s := w.state(id)
	require.NotNil(w.t, s, "no customer %s", id)
	return processors.ScoreCustomer(w.parts[w.partitionOf(id)].state, id, s)
}

// takeOutputs returns the outputs since the last call.
func (w *world) takeOutputs() []published {
	all := w.outputs
	w.outputs = nil
	return all
}

func ms(text string) int64 {
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMilli()
		}
	}
	panic("no time: " + text)
}

func purchase(order string, total, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: "order:" + order, Source: "purchase", OccurredAt: at, Purchase: &ledger.Purchase{OrderId: order, Total: total, Currency: "EUR"}})
}

func refund(id, order string, total, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: "refund:" + id, Source: "cancellation", OccurredAt: at, Cancellation: &ledger.Cancellation{
		Kind: ledger.CancellationKind_CANCELLATION_KIND_REFUND, RefundId: id, OrderId: order, Total: total, Currency: "EUR",
	}})
}

func cancel(order string, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: "cancellation:" + order, Source: "cancellation", OccurredAt: at, Cancellation: &ledger.Cancellation{
		Kind: ledger.CancellationKind_CANCELLATION_KIND_ORDER, OrderId: order,
	}})
}

func survey(id string, score int32, created, updated int64) *ledger.Event {
	return fact(&ledger.Event{Id: fmt.Sprint("response:", id, "@", updated), Source: "survey", OccurredAt: created, Survey: &ledger.Survey{
		ResponseId: id, SurveyId: "s", Type: ledger.SurveyType_SURVEY_TYPE_NPS, Score: score, CreatedAt: created, UpdatedAt: updated,
	}})
}

func refer(id, referrer string, status ledger.ReferralStatus, at int64) *ledger.Event {
	return fact(&ledger.Event{Id: id + status.String(), Source: "referral", OccurredAt: at, Referral: &ledger.Referral{
		ReferralId: id, Referrer: referrer, Status: status,
	}})
}

// fact fills in the hash of what is stated.
func fact(e *ledger.Event) *ledger.Event {
	c := proto.Clone(e).(*ledger.Event)
	c.Id, c.Facts = "", 0
	blob, err := c.MarshalVT()
	if err != nil {
		panic(err)
	}
	e.Facts = xxhash.Sum64(blob)
	return e
}
