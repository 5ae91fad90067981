package processors_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

const day = int64(86_400_000)

func TestWorkedExample(t *testing.T) {
	for _, c := range []struct {
		currency, code string
		minor          int64 // of one unit
		written        string
	}{{"EUR", "EUR", 100, "1000000.00,"}, {"IRT", "IRR", 1000, "1000000,"}} {
		g := genesis(1, ledger.Clock_CLOCK_EVENT)
		g.Currency = c.currency
		w := newWorld(t, g)
		for i, at := range []string{"2023-01-10T10:00:00Z", "2023-07-10", "2024-01-10", "2024-07-10", "2025-01-10T21:30:00Z"} {
			e := purchase(string(rune('a'+i)), 200_000*c.minor, ms(at))
			e.Purchase.Currency = c.code
			w.event("c", fact(e))
		}
		a := w.scores("c")
		require.Equal(t, 1_000_000*c.minor, a.CLV.Historic)
		require.Equal(t, output.Some(1_000_000*c.minor), a.CLV.Simple)
		require.Equal(t, output.Some(200_000*c.minor), a.CLV.AverageOrderValue)
		require.EqualValues(t, 5, a.CLV.Orders)
		last := w.takeOutputs()
		require.Contains(t, last[len(last)-1].json+last[len(last)-2].json, `"historic_clv":`+c.written)
		require.Contains(t, string(a.Append(nil)), `"simple_clv":`+c.written)
		if c.currency == "IRT" {
			require.NotRegexp(t, `"(\w+_clv|referral_value|average_order_value)":-?\d+\.`, string(a.Append(nil)), "toman in fractions")
		}
	}
}

func TestStepRefuses(t *testing.T) {
	fresh := func() (*processors.Partition, *encodingStore) {
		return processors.NewPartition(0), &encodingStore{t: t, blobs: map[string][]byte{}}
	}
	g, err := genesis(2, ledger.Clock_CLOCK_LIVE).MarshalVT()
	require.NoError(t, err)
	start := &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_GENESIS, Payload: g}
	var out output.Batch
	p, store := fresh()
	_, err = processors.Step(p, 0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK}, store, &out)
	require.ErrorIs(t, err, processors.ErrNoGenesis)
	_, err = processors.Step(p, 0, &ledger.Entry{Version: 2, Kind: ledger.Kind_KIND_GENESIS}, store, &out)
	require.ErrorIs(t, err, processors.ErrUnknownVersion)
	_, err = processors.Step(p, 0, start, store, &out)
	require.NoError(t, err)
	before := p.Encode(nil)
	for want, e := range map[error]*ledger.Entry{
		processors.ErrSecondGenesis: start,
		processors.ErrUnknownKind:   {Version: 1, Kind: ledger.Kind_KIND_RATES},
		processors.ErrMalformed:     {Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: "c", Payload: []byte{0xff}},
		processors.ErrNewerLogic:    {Version: 1, Kind: ledger.Kind_KIND_LOGIC, Payload: []byte{8, 99}},
		processors.ErrUnknownModel:  {Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: []byte{8, 1}},
	} {
		_, err = processors.Step(p, 1, e, store, &out)
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, processors.ErrRefused)
		require.Equal(t, before, p.Encode(nil))
	}
	_, err = processors.Step(p, 0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_LOGIC}, store, &out)
	require.ErrorIs(t, err, processors.ErrOutOfOrder)
	store.fail = errors.New("torn")
	blob, err := purchase("o", 1, 1).MarshalVT()
	require.NoError(t, err)
	_, err = processors.Step(p, 1, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: "c", Payload: blob}, store, &out)
	require.ErrorIs(t, err, store.fail)
	require.NotErrorIs(t, err, processors.ErrRefused)
	require.Empty(t, out.Records)
}

func TestOriginsAndGaps(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	at := ms("2024-01-01")
	entry := func(order string, offset int64, ordinal uint32, after *ledger.Mark) *ledger.Entry {
		blob, err := purchase(order, 100, at).MarshalVT()
		require.NoError(t, err)
		return &ledger.Entry{
			Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: "c", Time: at, Payload: blob, After: after,
			Origin: &ledger.Origin{Topic: "purchases", Partition: 3, Offset: offset, Ordinal: ordinal},
		}
	}
	require.Equal(t, processors.Gap, w.fold(0, entry("a", 10, 0, &ledger.Mark{Offset: 9})).Result, "after something never folded")
	require.Equal(t, processors.Applied, w.fold(0, entry("a", 10, 0, nil)).Result)
	require.Equal(t, processors.DuplicateOrigin, w.fold(0, entry("x", 10, 0, nil)).Result)
	require.Equal(t, processors.DuplicateOrigin, w.fold(0, entry("x", 9, 5, nil)).Result)
	require.Equal(t, processors.Applied, w.fold(0, entry("b", 10, 1, &ledger.Mark{Offset: 10})).Result)
	require.Equal(t, processors.Gap, w.fold(0, entry("d", 14, 0, &ledger.Mark{Offset: 12})).Result)
	require.Equal(t, processors.Applied, w.fold(0, entry("c", 12, 0, &ledger.Mark{Offset: 10, Ordinal: 1})).Result)
	require.Equal(t, processors.Applied, w.fold(0, entry("d", 14, 0, &ledger.Mark{Offset: 12})).Result)
	again := entry("e", 1, 0, nil)
	again.Origin.Incarnation = 1
	require.Equal(t, processors.Applied, w.fold(0, again).Result, "a topic made again begins again")
	require.EqualValues(t, 5, w.scores("c").CLV.Orders)
}

func TestEventIDs(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	w.settings(func(v *ledger.SettingsValues) { v.DedupDays = 7 })
	at := ms("2024-01-01")
	first := purchase("o1", 100, at)
	first.Id = "e1"
	require.Equal(t, processors.Applied, w.event("c", first).Result)
	require.Equal(t, processors.DuplicateEvent, w.event("c", first).Result)
	other := purchase("o2", 100, at)
	other.Id = "e1"
	require.Equal(t, output.EventConflict, w.event("c", other).Reason)
	require.Equal(t, processors.DuplicateEvent, w.event("c", other).Result, "a rejection is published once")
	again := purchase("o1", 100, at)
	again.Id = "e2"
	require.Equal(t, processors.DuplicateEvent, w.event("c", again).Result, "the same order under another id")
	conflict := purchase("o1", 101, at)
	conflict.Id = "e3"
	require.Equal(t, output.OrderConflict, w.event("c", conflict).Reason)
	require.Equal(t, processors.DuplicateEvent, w.event("c", conflict).Result)
	late := purchase("o3", 100, at)
	late.Id = "e1"
	require.Equal(t, processors.Applied, w.put("c", late, at+8*day).Result, "outside of the window the id is new")
	require.EqualValues(t, 200, w.scores("c").CLV.Historic)
	rejections := 0
	for _, s := range w.takeOutputs() {
		if s.Topic == output.Rejections {
			rejections++
		}
	}
	require.Equal(t, 2, rejections)
}
