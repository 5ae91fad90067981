package processors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// FuzzDecodeCustomer: what can be read can be written and read again, the same.
func FuzzDecodeCustomer(f *testing.F) {
	w := newWorld(f, genesis(1, ledger.Clock_CLOCK_EVENT))
	at := ms("2024-01-01")
	for _, e := range []*ledger.Event{
		purchase("1", 1000, at), purchase("2", 500, at+day), refund("r", "2", 100, at+day), cancel("3", at+2*day),
		survey("s", 9, at, at), refer("x", "b", ledger.ReferralStatus_REFERRAL_STATUS_APPROVED, at),
	} {
		w.event("a", e)
	}
	f.Add(w.state("a").Encode(nil))
	f.Add(w.state("b").Encode(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		s, err := customer.Decode(blob)
		if err != nil {
			require.ErrorIs(t, err, customer.ErrMalformed)
			return
		}
		first := s.Encode(nil)
		again, err := customer.Decode(first)
		require.NoError(t, err)
		require.Equal(t, first, again.Encode(nil))
		require.Positive(t, s.Size())
	})
}

// FuzzStep: no entry makes a step panic, and a refused one changes nothing.
func FuzzStep(f *testing.F) {
	at := ms("2024-01-01")
	for _, e := range []*ledger.Event{purchase("1", 1000, at), refund("r", "2", 100, at), cancel("3", at), survey("s", 9, at, at)} {
		blob, err := e.MarshalVT()
		require.NoError(f, err)
		f.Add(int32(ledger.Kind_KIND_EVENT), "c", at, blob)
	}
	for kind := range ledger.Kind_name {
		f.Add(kind, "", at, []byte{8, 1})
	}
	f.Fuzz(func(t *testing.T, kind int32, id string, at int64, payload []byte) {
		p := processors.NewPartition(0)
		store := &encodingStore{t: t, blobs: map[string][]byte{}}
		g, err := genesis(2, ledger.Clock_CLOCK_LIVE).MarshalVT()
		require.NoError(t, err)
		var out output.Batch
		_, err = processors.Step(p, 0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_GENESIS, Payload: g}, store, &out)
		require.NoError(t, err)
		before := p.Encode(nil)
		if _, err = processors.Step(p, 1, &ledger.Entry{Version: 1, Kind: ledger.Kind(kind), Customer: id, Time: at, Payload: payload}, store, &out); err != nil {
			require.ErrorIs(t, err, processors.ErrRefused)
			require.Equal(t, before, p.Encode(nil))
			require.Empty(t, store.blobs)
			require.Empty(t, out.Records)
		}
	})
}

func FuzzDecodePartition(f *testing.F) {
	w := newWorld(f, genesis(2, ledger.Clock_CLOCK_EVENT))
	w.event("a", purchase("1", 1000, 1))
	w.tick(5)
	for _, p := range w.parts {
		f.Add(p.state.Encode(nil))
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		p, err := processors.DecodePartition(blob)
		if err != nil {
			require.ErrorIs(t, err, processors.ErrState)
			return
		}
		first := p.Encode(nil)
		again, err := processors.DecodePartition(first)
		require.NoError(t, err)
		require.Equal(t, first, again.Encode(nil))
	})
}
