package processors_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// chosen returns a customer of the sample.
func chosen() string {
	for i := 0; ; i++ {
		if id := fmt.Sprint("c", i); ledger.Class(id, 8) == 0 {
			return id
		}
	}
}

func TestPromiseOutcomeIsRecordedAfterHorizon(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	id, at := chosen(), ms("2024-01-01")+5*3_600_000
	w.event(id, purchase("1", 1000, at))
	p := w.state(id).Promise
	require.EqualValues(t, 90, p.Days)
	require.EqualValues(t, at/day, p.Day)
	require.Positive(t, p.Probability)
	require.Less(t, p.Probability, uint32(10_000))
	w.event(id, purchase("2", 1000, at+3600_000)) // the same day: keeps no promise, breaks none
	w.event(id, purchase("3", 1000, at+90*day))   // the last that counts
	require.Equal(t, p, w.state(id).Promise)
	w.tick(ms("2024-01-01") + 91*day - 1)
	require.Equal(t, calibration.Totals{}, w.parts[0].state.Calibration())
	w.tick(ms("2024-01-01") + 91*day)
	var want calibration.Totals
	tenth := p.Probability / 1000
	want.Promises[tenth], want.Probability[tenth], want.Kept[tenth] = 1, int64(p.Probability), 1
	want.Predicted, want.Observed = int64(p.Orders), 1
	require.Equal(t, want, w.parts[0].state.Calibration())
	next := w.state(id).Promise
	require.EqualValues(t, int64(p.Day)+91, next.Day, "and the next is made")
	w.tick(ms("2024-01-01") + 400*day) // long after: silence has broken it, whenever that is noticed
	got := w.parts[0].state.Calibration()
	require.EqualValues(t, 1, sumOf(got.Kept))
	require.EqualValues(t, 2, sumOf(got.Promises))

	other := "b0"
	for ledger.Class(other, 8) == 0 {
		other += "0"
	}
	w.event(other, purchase("1", 1000, at+400*day))
	require.Equal(t, customer.Promise{}, w.state(other).Promise)
}

func sumOf(all [calibration.Tenths]int64) (n int64) {
	for _, v := range all {
		n += v
	}
	return n
}

// TestForecastsAreCalibratedUnderTheTrueModel: the outcomes for customers drawn from the model agree with its forecasts in each tenth.
func TestForecastsAreCalibratedUnderTheTrueModel(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	const people, r, alpha, stops = 5000, 2.0, 6.0, .15
	type order struct {
		customer string
		at       int64
	}
	start := ms("2022-01-01")
	var all []order
	for i := range people {
		id := fmt.Sprint("customer-", i)
		rate := (random.ExpFloat64() + random.ExpFloat64()) / alpha / (7 * float64(day)) // gamma of shape 2
		for at := start + random.Int64N(300*day); at < start+720*day; at += int64(random.ExpFloat64() / rate) {
			all = append(all, order{id, at})
			if random.Float64() < stops {
				break
			}
		}
	}
	slices.SortFunc(all, func(a, b order) int { return cmp.Compare(a.at, b.at) })
	p, store, out, offset := processors.NewPartition(0), memstore.New(), new(output.Batch), int64(0)
	fold := func(e *ledger.Entry, body payload) {
		blob, err := body.MarshalVT()
		require.NoError(t, err)
		e.Version, e.Payload = 1, blob
		out.Reset()
		_, err = processors.Step(p, offset, e, store, out)
		require.NoError(t, err)
		offset++
	}
	fold(&ledger.Entry{Kind: ledger.Kind_KIND_GENESIS}, genesis(1, ledger.Clock_CLOCK_EVENT))
	v := settings.Default()
	v.WakeLimit = 10_000
	fold(&ledger.Entry{Kind: ledger.Kind_KIND_SETTINGS}, &ledger.Settings{Revision: 1, Hash: settings.Hash(v), Values: v})
	// stops is the same for all, so a and b are large.
	fold(&ledger.Entry{Kind: ledger.Kind_KIND_PARAMETERS}, &ledger.Parameters{Version: 1, Model: "mbg_nbd", Status: "fitted", R: r, Alpha: alpha, A: 1000 * stops, B: 1000 * (1 - stops)})
	for i, o := range all {
		e := purchase(fmt.Sprint(i), 1000, o.at)
		fold(&ledger.Entry{Kind: ledger.Kind_KIND_EVENT, Customer: o.customer, Time: o.at, Origin: &ledger.Origin{Topic: "purchases", Offset: int64(i + 1)}}, e)
		if i == len(all)-1 || all[i+1].at/day > o.at/day {
			fold(&ledger.Entry{Kind: ledger.Kind_KIND_TICK}, &ledger.Tick{
				Revision: 1, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 1}},
				Readings: []*ledger.Reading{reading("purchases", 0, int64(i+2), (o.at/day+1)*day-1, true)},
			})
		}
	}
	c := p.Calibration()
	require.Greater(t, sumOf(c.Promises), int64(2000))
	used := 0
	for tenth, n := range c.Promises {
		if n < 50 {
			continue
		}
		used++
		promised := float64(c.Probability[tenth]) / 10_000 / float64(n)
		require.GreaterOrEqual(t, promised, float64(tenth)/10)
		require.LessOrEqual(t, promised, float64(tenth+1)/10)
		require.InDelta(t, promised, float64(c.Kept[tenth])/float64(n), .02+3*math.Sqrt(promised*(1-promised)/float64(n)), "tenth %d of %d", tenth, n)
	}
	require.GreaterOrEqual(t, used, 4)
	require.InEpsilon(t, float64(c.Predicted)/1000, float64(c.Observed), .1)
}

type payload interface{ MarshalVT() ([]byte, error) }
