package processors_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// warm is a Store of decoded states, as a fold's cache is.
type warm map[string]*customer.State

func (w warm) Customer(id string) (*customer.State, error) { return w[id], nil }
func (w warm) Put(id string, s *customer.State)            { w[id] = s }
func (w warm) Delete(id string)                            { delete(w, id) }
func (w warm) Due(int64, int) ([]string, error)            { return nil, nil }
func (w warm) Class(uint32, uint32) ([]string, error)      { return nil, nil }

// BenchmarkStepPurchase is a purchase of a customer in memory: order, scores, two outputs or more.
func BenchmarkStepPurchase(b *testing.B) {
	for _, customers := range []int{10_000, 100} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) { benchmarkPurchase(b, customers, nil) })
		b.Run(fmt.Sprintf("customers=%d,details", customers), func(b *testing.B) { benchmarkPurchase(b, customers, detailsOf) })
	}
}

// detailsOf are the details of the i-th order, as a shop states them that states all.
func detailsOf(i int) *ledger.PurchaseDetails {
	return &ledger.PurchaseDetails{
		Channel: []string{"web", "store", "app"}[i%3], Country: []string{"DE", "FR"}[i%2], LoyaltyMemberStated: true,
		Acquisition: &ledger.Acquisition{Source: fmt.Sprint("source-", i%20), Medium: "email", Campaign: "spring"},
		Products: []*ledger.Product{
			{ProductId: "p-7", Category: fmt.Sprint("category-", i%30), Brand: "Nord", Quantity: 2000, Net: 4990},
			{ProductId: "p-8", Category: "Garden", Brand: "Sud", Quantity: 1000, Net: 1990},
		},
	}
}

// BenchmarkStepPurchaseInSeason is likewise under fitted parameters, with a season and without one.
func BenchmarkStepPurchaseInSeason(b *testing.B) {
	for _, name := range []string{"without", "with"} {
		v := live(model.MBGNBD)
		if name == "with" {
			// So near 1 that the outputs are the same, and the times compare.
			v.Season = &ledger.Season{Weekly: []float64{1, 1, 1, 1, 1, 1, 1.00001}, Yearly: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.00001}}
		}
		b.Run(name, func(b *testing.B) { benchmarkPurchase(b, 10_000, nil, v) })
	}
}

func benchmarkPurchase(b *testing.B, customers int, details func(i int) *ledger.PurchaseDetails, parameters ...*ledger.Parameters) {
	var p *processors.Partition
	var store warm
	out := new(output.Batch)
	g, err := genesis(1, ledger.Clock_CLOCK_EVENT).MarshalVT()
	require.NoError(b, err)
	begin := func() {
		p, store = processors.NewPartition(0), warm{}
		_, err = processors.Step(p, 0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_GENESIS, Payload: g}, store, out)
		require.NoError(b, err)
		for _, v := range parameters {
			payload, err := v.MarshalVT()
			require.NoError(b, err)
			_, err = processors.Step(p, 1, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: payload}, store, out)
			require.NoError(b, err)
		}
	}
	ids := make([]string, customers)
	for i := range ids {
		ids[i] = fmt.Sprint("customer-", i)
	}
	at := ms("2024-01-01")
	entries := make([]ledger.Entry, 100_000)
	for i := range entries {
		at += 60_000
		e := purchase(fmt.Sprint("order-", i), int64(1000+i%7000), at)
		if details != nil {
			e.PurchaseDetails = details(i)
		}
		blob, err := e.MarshalVT()
		require.NoError(b, err)
		entries[i] = ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: ids[i*7919%customers], Time: at, Payload: blob, Origin: &ledger.Origin{Topic: "purchases"}}
	}
	b.ReportAllocs()
	b.ResetTimer()
	records := 0
	for i := range b.N {
		if i%len(entries) == 0 { // afterwards the same orders would be duplicates
			b.StopTimer()
			begin()
			b.StartTimer()
		}
		e := &entries[i%len(entries)]
		e.Origin.Offset = int64(i + 1)
		if _, err := processors.Step(p, int64(i+2), e, store, out); err != nil {
			b.Fatal(err)
		}
		if i%512 == 511 {
			records += len(out.Records)
			out.Reset()
		}
	}
	b.ReportMetric(float64(records)/float64(b.N), "outputs/op")
}

// BenchmarkState is a customer of ten orders, encoded and decoded, with its size.
func BenchmarkState(b *testing.B) { benchmarkState(b, nil) }

// BenchmarkStateWithTraits is likewise a customer whose orders state details.
func BenchmarkStateWithTraits(b *testing.B) { benchmarkState(b, detailsOf) }

func benchmarkState(b *testing.B, details func(i int) *ledger.PurchaseDetails) {
	w := newWorld(b, genesis(1, ledger.Clock_CLOCK_LIVE))
	for i := range 10 {
		e := purchase(fmt.Sprint("order-", i), int64(1990+i*500), ms("2024-01-01")+int64(i)*(9*day+3_661_000))
		if details != nil {
			e.PurchaseDetails = details(i)
		}
		w.event("c", e)
	}
	s := w.state("c")
	blob := s.Encode(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(blob)), "bytes")
		for range b.N {
			blob = s.Encode(blob[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := customer.Decode(blob); err != nil {
				b.Fatal(err)
			}
		}
	})
}
