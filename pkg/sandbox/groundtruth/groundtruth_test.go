package groundtruth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/sandbox/groundtruth"
	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// memoryLedger is a ledger of one partition in memory; each entry is folded when it is appended.
type memoryLedger struct {
	t      *testing.T
	state  *processors.Partition
	store  *memstore.MemStore
	offset int64
	origin int64
	out    output.Batch
}

func newMemoryLedger(t *testing.T) *memoryLedger {
	h := &memoryLedger{t: t, state: processors.NewPartition(0), store: memstore.New()}
	h.append(ledger.Kind_KIND_GENESIS, 0, &ledger.Genesis{
		LedgerId: "truth", Partitions: 1, CustomerHash: "murmur2", CustomerNormalisation: "none", Clock: ledger.Clock_CLOCK_EVENT, Currency: "EUR", Timezone: "UTC",
	})
	v := settings.Default() // published seldom, since only the last outputs are compared
	v.ClvMaterial, v.ChurnMaterial, v.ContributionMinutes, v.AlertRules = 1, 1, 7*24*60, nil
	h.append(ledger.Kind_KIND_SETTINGS, 0, &ledger.Settings{Revision: 1, Hash: settings.Hash(v), Values: v})
	return h
}

func (h *memoryLedger) append(kind ledger.Kind, at int64, body interface{ MarshalVT() ([]byte, error) }) {
	h.t.Helper()
	blob, err := body.MarshalVT()
	require.NoError(h.t, err)
	h.fold(&ledger.Entry{Kind: kind, Time: at, Payload: blob})
}

// fold steps an entry, and whatever that sends.
func (h *memoryLedger) fold(e *ledger.Entry) {
	for pending := []*ledger.Entry{e}; len(pending) > 0; {
		e, pending = pending[0], pending[1:]
		e.Version = ledger.Version
		h.out.Reset()
		_, err := processors.Step(h.state, h.offset, e, h.store, &h.out)
		require.NoError(h.t, err)
		for i, s := range h.out.Sends {
			s.Entry.Origin = &ledger.Origin{Offset: h.offset, Ordinal: uint32(i)}
			pending = append(pending, &s.Entry)
		}
		h.offset++
	}
}

func (h *memoryLedger) event(e *event.Result) {
	blob, err := e.Event.MarshalVT()
	require.NoError(h.t, err)
	h.origin++
	h.fold(&ledger.Entry{
		Kind: ledger.Kind_KIND_EVENT, Customer: e.Customer, Time: e.Time, Payload: blob, Origin: &ledger.Origin{Topic: "shop", Offset: h.origin},
	})
}

func (h *memoryLedger) tick(at time.Time) {
	h.append(ledger.Kind_KIND_TICK, at.UnixMilli(), &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "shop", Partitions: 1}}, AdvanceTo: at.UnixMilli(),
		Readings: []*ledger.Reading{{Topic: "shop", Offset: h.origin + 1, Time: at.UnixMilli(), AtEnd: true}},
	})
}

// live plays the shop's life through the decoder and Step, with a tick each week.
func (h *memoryLedger) live(s *shop.Shop, end time.Time) {
	options := event.DefaultOptions()
	options.EventTime = true
	decoder, err := event.NewDecoder(options)
	require.NoError(h.t, err)
	var result event.Result
	var last time.Time
	for e := range s.Events() {
		if e.At.Sub(last) >= 7*24*time.Hour {
			last = e.At
			h.tick(last)
		}
		m := event.Message{Key: e.Key, Value: e.Value, Timestamp: e.At.UnixMilli(), Header: func(name string) ([]byte, bool) {
			for _, x := range e.Headers {
				if x.Key == name {
					return []byte(x.Value), true
				}
			}
			return nil, false
		}}
		require.NoError(h.t, decoder.Decode(e.Kind, &m, e.At.UnixMilli(), &result))
		h.event(&result)
	}
	h.tick(end)
}

// fit is what a refit does: the models are fitted to what is remembered of every customer.
func (h *memoryLedger) fit() {
	today, ok := h.state.Today()
	require.True(h.t, ok)
	var rows []lifetimes.Summary
	h.store.Each(func(_ string, s *customer.State) {
		if len(s.Days()) > 0 {
			rows = append(rows, s.Days().Summary(today, customer.DaysPerWeek, h.state.MinorPerUnit()))
		}
	})
	purchases, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	require.NoError(h.t, err)
	require.True(h.t, purchases.Converged)
	require.Equal(h.t, lifetimes.StatusFitted, purchases.Status)
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	require.NoError(h.t, err)
	m, g := purchases.Model, spend.Model
	h.append(ledger.Kind_KIND_PARAMETERS, 0, &ledger.Parameters{
		Version: h.state.Parameters().GetVersion() + 1, Model: "mbg_nbd", Status: string(purchases.Status),
		R: m.R, Alpha: m.Alpha, A: m.A, B: m.B, P: g.P, Q: g.Q, V: g.V,
	})
}

func (h *memoryLedger) answers(id string) (processors.CustomerScores, bool) {
	s, err := h.store.Customer(id)
	require.NoError(h.t, err)
	if s == nil {
		return processors.CustomerScores{}, false
	}
	return processors.ScoreCustomer(h.state, id, s), true
}

// The simulated shop is of the models' family, so what its customers are predicted must hold: within 4 points in every tenth of
// them once the models are fitted, which under the prior it does not. Referrers and their referral values are exact.
func TestPromisesHoldOnceTheModelsAreFitted(t *testing.T) {
	const customers, days, year = 30_000, 365, 365 * 24 * time.Hour
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(0, 0, days)
	s, err := shop.New(shop.Config{Seed: 1, Customers: customers, Days: days, Start: start})
	require.NoError(t, err)
	h := newMemoryLedger(t)
	h.live(s, end)
	prior := groundtruth.Compare(s.GroundTruth(), end, year, h.answers)
	h.fit()
	f := groundtruth.Compare(s.GroundTruth(), end, year, h.answers)
	for _, d := range f.Calibration.Deciles {
		t.Logf("%d customers: %.4f predicted, %.4f gone", d.Customers, d.Predicted, d.Gone)
	}
	t.Logf("largest gap %.1f points, under the prior %.1f; top decile %+v", f.Calibration.LargestGap, prior.Calibration.LargestGap, f.TopDecile)

	const points = 4
	require.Len(t, f.Calibration.Deciles, 10)
	require.LessOrEqual(t, f.Calibration.LargestGap, float64(points))
	require.Greater(t, prior.Calibration.LargestGap, float64(points))
	require.Less(t, f.Calibration.LargestError, 1.0)
	require.Greater(t, f.TopDecile.Customers, customers/11)
	require.Greater(t, f.TopDecile.Precision, .8)
	require.Greater(t, f.TopDecile.ShareOfValue, .95)
	require.Greater(t, f.Concordance, .85)

	require.EqualValues(t, customers, f.Buyers)
	require.Equal(t, f.Buyers, f.ValueExact)
	require.Equal(t, f.Buyers, f.OrdersExact)
	require.Greater(t, f.Referred, int64(customers/20))
	require.Equal(t, f.Referred, f.ReferrersRight)
	require.Equal(t, f.Referrers, f.CreditExact)
}
