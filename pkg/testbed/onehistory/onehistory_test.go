package onehistory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/orderfile"
	"github.com/mainstay/mainstay/pkg/ops/importer"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/ops/refold"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)

// record is a record of an input topic.
type record struct {
	kind   event.Kind
	format *format.Format // nil: Mainstay's own
	event.Message
}

// One history ends in one state, byte for byte, however it is reported; the state is that of a recount; check --sample shows the events that
// the stream reads; and files of orders have the purchase days of the state.
func TestOneHistoryIsOneState(t *testing.T) {
	shop := newShop(t)
	rapid.Check(t, func(t *rapid.T) {
		shop.options = options(t)
		all := history(t)
		plain := shop.stream(t)
		for i := range all {
			for _, f := range all[i].facts {
				plain.take(record{kinds[all[i].what], nil, event.Message{Value: asJSON(t, all[i].own(&f)), Timestamp: f.at.UnixMilli()}})
			}
		}
		want := plain.end()
		for range 3 {
			mixed := shop.stream(t)
			for i := range all {
				for _, r := range shop.report(t, &all[i]) {
					mixed.take(r)
				}
			}
			require.Equal(t, want, mixed.end())
		}
		for id, counted := range recount(all, &shop.options) {
			state, err := plain.Customers.Customer(id)
			require.NoError(t, err)
			require.NotNil(t, state)
			scores := processors.ScoreCustomer(plain.State, id, state)
			got := answers{scores.CLV.Orders, scores.CLV.Historic, scores.Promoter.Responses}
			require.Equal(t, counted, got, id)
		}
	})
}

func options(t *rapid.T) event.Options {
	o := event.DefaultOptions()
	o.EventTime = true
	o.KeepComments = rapid.Bool().Draw(t, "keep comments")
	o.Normalise = rapid.SampledFrom([]event.Normalise{event.NormaliseNone, event.NormaliseLower}).Draw(t, "normalisation")
	o.Total = rapid.SampledFrom([]event.Total{event.TotalTotal, event.TotalWithoutTax, event.TotalWithoutShipping, event.TotalWithoutTaxAndShipping}).Draw(t, "total")
	zone := rapid.SampledFrom([]string{"UTC", "Asia/Tehran", "Asia/Kathmandu"}).Draw(t, "zone")
	var err error
	o.Zone, err = time.LoadLocation(zone)
	require.NoError(t, err)
	return o
}

// shop is where files are imported.
type shop struct {
	dir     string
	kafka   *kafka.Client
	imports int
	options event.Options
}

const topic = "events"

func newShop(t *testing.T) *shop {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Topics: []embedded.Topic{{Name: topic, Partitions: 1}, {Name: topics.Imports("test"), Partitions: 1}}})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	k, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return &shop{dir: t.TempDir(), kafka: k}
}

// report draws how a list of facts is reported.
func (s *shop) report(t *rapid.T, l *list) []record {
	var able []reporter
	for _, r := range reporters {
		if r.what == l.what && r.able(l.says) {
			able = append(able, r)
		}
	}
	forms := []string{"own"}
	if l.says.timed {
		forms = append(forms, "file")
	}
	if len(able) > 0 {
		forms = append(forms, "vendor")
	}
	switch rapid.SampledFrom(forms).Draw(t, "form of "+l.what) {
	case "file":
		f := asFile(t, l, s.options.Zone)
		path := filepath.Join(s.dir, f.name)
		require.NoError(t, os.WriteFile(path, []byte(f.content), 0o600))
		s.requireSameOrders(t, l, path, f.mapping)
		all := s.imported(t, kinds[l.what], path, f.mapping)
		if l.facts[0].customer != "" {
			s.requireSameSample(t, &all[0], path, f.mapping)
		}
		return all
	case "vendor":
		r := rapid.SampledFrom(able).Draw(t, "vendor")
		f, err := format.Open(r.format)
		require.NoError(t, err)
		return records(t, l, f, r.lists, func(f *fact) any { return r.record(l, f) })
	}
	at := rapid.SampledFrom(clocks(s.options.Zone)).Draw(t, "clock")
	array := func(all []any) any { return all }
	return records(t, l, nil, array, func(f *fact) any {
		own := written(l.own(f), at)
		if rapid.Bool().Draw(t, "properties") {
			return object{"type": kinds[l.what].String(), "properties": own}
		}
		return own
	})
}

// records writes facts as records, one of each or lists of them, with what may stand around a record.
func records(t *rapid.T, l *list, f *format.Format, lists func([]any) any, write func(f *fact) any) (all []record) {
	for i := 0; i < len(l.facts); {
		n := 1
		if lists != nil && l.says.timed {
			n = rapid.IntRange(1, len(l.facts)-i).Draw(t, "in one record")
		}
		value := write(&l.facts[i])
		if n > 1 || lists != nil && l.says.timed && rapid.Bool().Draw(t, "a list of one") {
			var several []any
			for k := range n {
				several = append(several, write(&l.facts[i+k]))
			}
			value = lists(several)
		}
		all = append(all, record{kinds[l.what], f, event.Message{Value: framed(t, value), Timestamp: l.facts[i].at.UnixMilli()}})
		i += n
	}
	return all
}

// framed draws what stands around a record.
func framed(t *rapid.T, value any) []byte {
	switch rapid.SampledFrom([]string{"", "", "mark", "registry", "connect", "debezium"}).Draw(t, "around it") {
	case "mark":
		return append([]byte("\ufeff"), asJSON(t, value)...)
	case "registry":
		return append([]byte{0, 0, 0, 0, 7}, asJSON(t, value)...)
	case "connect":
		return asJSON(t, object{"schema": object{"type": "struct"}, "payload": value})
	case "debezium":
		return asJSON(t, object{"before": nil, "after": value, "op": "c", "ts_ms": 1, "source": object{"connector": "mysql"}})
	}
	return asJSON(t, value)
}

// imported imports a file and returns the records that it has become.
func (s *shop) imported(t rapid.TB, kind event.Kind, path string, m eventfile.Mapping) (all []record) {
	ctx := context.Background()
	before, err := s.kafka.ListOffsets(ctx, topic, []int32{0})
	require.NoError(t, err)
	decoder, err := event.NewDecoder(s.options)
	require.NoError(t, err)
	s.imports++
	im := importer.Import{
		Path: path, Mapping: m, Kind: kind, Topic: topic, Decoder: decoder, Namespace: "test", Ledger: fmt.Sprint(s.imports),
		Convertible: func(string) bool { return true }, Now: func() time.Time { return now }, Random: func() uint64 { return uint64(s.imports) },
		Refused: func(e *eventfile.RowError) { t.Fatalf("%s: %v", path, e) },
	}
	_, err = im.Run(ctx, s.kafka)
	require.NoError(t, err)
	after, err := s.kafka.ListOffsets(ctx, topic, []int32{0})
	require.NoError(t, err)
	_, err = s.kafka.ReadCommitted(ctx, topic, 0, before[0].LastStable, after[0].LastStable, func(r kafka.Record) error {
		all = append(all, record{kind, nil, event.Message{Key: slices.Clone(r.Key), Value: slices.Clone(r.Value), Timestamp: r.Timestamp}})
		return nil
	})
	require.NoError(t, err)
	return all
}

// requireSameOrders reads a file of orders as fit, backtest and forecast do, and compares the purchase days with those of the stream's state.
func (s *shop) requireSameOrders(t *rapid.T, l *list, path string, m eventfile.Mapping) {
	currencies := map[string]bool{}
	for _, f := range l.facts {
		currencies[f.currency] = true
	}
	if kinds[l.what] != event.Purchase || len(currencies) > 1 {
		return
	}
	read, err := orderfile.Read(path, orderfile.Options{Mapping: m, Event: s.options, Zone: s.options.Zone, Now: now})
	require.NoError(t, err)
	require.Empty(t, read.Refused)
	stream := s.stream(t)
	for i := range l.facts {
		stream.take(record{event.Purchase, nil, event.Message{Value: asJSON(t, l.own(&l.facts[i]))}})
	}
	var want []lifetimes.History
	for _, id := range stream.seen {
		state, err := stream.Customers.Customer(id)
		require.NoError(t, err)
		if days := state.Days(); len(days) > 0 {
			want = append(want, days)
		}
	}
	require.Equal(t, want, read.Histories)
}

// requireSameSample compares what check --sample shows of a file with the record of its first row.
func (s *shop) requireSameSample(t *rapid.T, first *record, path string, m eventfile.Mapping) {
	decoder, err := event.NewDecoder(s.options)
	require.NoError(t, err)
	want, err := inspect.DecodeSample(context.Background(), nil, decoder, nil, first.kind, &first.Message, now.UnixMilli())
	require.NoError(t, err)
	got, err := inspect.DecodeFile(decoder, first.kind, path, m, now.UnixMilli())
	require.NoError(t, err)
	require.True(t, got.Accepted)
	require.Equal(t, want.Events, got.Events)
}

// stream is a ledger of one partition, whose entries intake's decoder makes of records.
type stream struct {
	*refold.Partition
	t       require.TestingT
	decoder *event.Decoder
	sample  *event.Decoder
	offset  int64
	events  int64
	seen    []string // customers, in the order of their first events
}

func (s *shop) stream(t require.TestingT) *stream {
	out := &stream{Partition: refold.New(0), t: t}
	for _, d := range []**event.Decoder{&out.decoder, &out.sample} {
		var err error
		*d, err = event.NewDecoder(s.options)
		require.NoError(t, err)
	}
	values := settings.Default()
	for _, code := range []string{"GBP", "INR", "JPY", "KWD", "USD"} {
		values.Rates = append(values.Rates, &ledger.Rate{Currency: code, Numerator: 1, Denominator: 1})
	}
	values.KeepComments = s.options.KeepComments
	out.append(ledger.Kind_KIND_GENESIS, 0, &ledger.Genesis{
		LedgerId: "test", Partitions: 1, CustomerHash: "murmur2", CustomerNormalisation: string(s.options.Normalise), Clock: ledger.Clock_CLOCK_EVENT, Currency: "EUR",
		Timezone: s.options.Zone.String(),
	})
	out.append(ledger.Kind_KIND_SETTINGS, 0, &ledger.Settings{Revision: 1, Hash: settings.Hash(values), Values: values})
	return out
}

// take reads a record as intake does, and folds the entries of its events. Their origins count the events, so that they are those of the same history
// in other records.
func (s *stream) take(r record) {
	var read []inspect.SampleEvent
	var into event.Result
	require.NoError(s.t, r.format.Decode(s.decoder, r.kind, &r.Message, now.UnixMilli(), &into, func(int, []byte) {
		if into.Skip != "" {
			require.Contains(s.t, []string{event.SkipAnonymous, event.SkipDraft}, into.Skip)
			return
		}
		kind, _ := event.KindOf(&into.Event)
		id := strings.Clone(into.Customer)
		read = append(read, inspect.SampleEvent{Kind: kind.String(), Customer: id, EventID: strings.Clone(into.Event.GetId())})
		if !slices.Contains(s.seen, id) {
			s.seen = append(s.seen, id)
		}
		payload, err := into.Event.MarshalVT()
		require.NoError(s.t, err)
		s.events++
		s.fold(&ledger.Entry{
			Version: ledger.Version, Kind: event.EntryKind(&into.Event), Customer: id, Time: into.Time, Payload: payload, Origin: &ledger.Origin{Topic: topic, Offset: s.events},
		})
	}), "%s", r.Value)
	sample, err := inspect.DecodeSample(context.Background(), nil, s.sample, r.format, r.kind, &r.Message, now.UnixMilli())
	require.NoError(s.t, err)
	require.True(s.t, sample.Accepted)
	require.Equal(s.t, read, sample.Events)
}

func (s *stream) append(kind ledger.Kind, at int64, body interface{ MarshalVT() ([]byte, error) }) {
	payload, err := body.MarshalVT()
	require.NoError(s.t, err)
	s.fold(&ledger.Entry{Version: ledger.Version, Kind: kind, Time: at, Payload: payload})
}

// fold folds an entry, and those that it sends.
func (s *stream) fold(e *ledger.Entry) {
	for pending := []*ledger.Entry{e}; len(pending) > 0; pending = pending[1:] {
		_, err := s.Fold(s.offset, pending[0])
		require.NoError(s.t, err)
		for i, sent := range s.Out.Sends {
			sent.Entry.Origin = &ledger.Origin{Offset: s.offset, Ordinal: uint32(i)}
			pending = append(pending, proto.CloneOf(&sent.Entry))
		}
		s.offset++
	}
}

// end lets time pass, and returns the bytes of all states.
func (s *stream) end() map[string][]byte {
	at := now.UnixMilli()
	s.append(ledger.Kind_KIND_TICK, at, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: topic, Partitions: 1}}, Readings: []*ledger.Reading{{Topic: topic, Offset: s.events + 1, Time: at, AtEnd: true}}, AdvanceTo: at,
	})
	all := map[string][]byte{"": s.State.Encode(nil)}
	s.Customers.Each(func(id string, c *customer.State) { all[id] = c.Encode(nil) })
	return all
}
