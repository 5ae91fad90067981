package processors_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

func reading(topic string, partition int32, offset, at int64, end bool) *ledger.Reading {
	return &ledger.Reading{Topic: topic, Partition: partition, Offset: offset, Time: at, AtEnd: end}
}

func (w *world) ticks(t *ledger.Tick) processors.Verdict {
	blob, err := t.MarshalVT()
	require.NoError(w.t, err)
	return w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK, Time: 1 << 50, Payload: blob})
}

func (w *world) base() int64 {
	at, ok := w.parts[0].state.BaseTime()
	if !ok {
		return -1
	}
	return at
}

func TestBaseTimeLive(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	set := []*ledger.Input{{Topic: "surveys", Partitions: 1}, {Topic: "purchases", Partitions: 2}}
	tick := func(readings ...*ledger.Reading) int64 {
		w.ticks(&ledger.Tick{Revision: 3, Inputs: set, Readings: readings})
		return w.base()
	}
	require.EqualValues(t, -1, tick(reading("purchases", 0, 5, 100, false)), "one of three heard")
	require.EqualValues(t, -1, tick(reading("surveys", 0, 5, 90, false)))
	require.EqualValues(t, 80, tick(reading("purchases", 1, 5, 80, true)), "the least, at its end or not")
	require.EqualValues(t, 90, tick(reading("purchases", 1, 5, 120, true)))
	require.EqualValues(t, 90, tick(reading("purchases", 1, 4, 70, false)), "nothing goes back")
	require.EqualValues(t, 90, tick(reading("purchases", 2, 1, 10, false)), "no member")
	require.Equal(t, processors.Ignored, w.ticks(&ledger.Tick{Revision: 2, Inputs: set[:1], Readings: []*ledger.Reading{reading("surveys", 0, 9, 500, true)}}).Result)
	require.EqualValues(t, 90, w.base(), "a former input set")
	late := reading("surveys", 0, 9, 110, true)
	late.Last = &ledger.Mark{Offset: 8}
	require.EqualValues(t, 90, tick(late), "what it presupposes is not folded")
	blob, err := survey("r", 5, 1, 1).MarshalVT()
	require.NoError(t, err)
	w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_EVENT, Customer: "c", Time: 1, Payload: blob, Origin: &ledger.Origin{Topic: "surveys", Offset: 8}})
	require.EqualValues(t, 100, tick(late), "now it is")
	w.ticks(&ledger.Tick{Revision: 4, Inputs: set[:1], Readings: []*ledger.Reading{reading("surveys", 0, 12, 300, true)}})
	require.EqualValues(t, 300, w.base(), "who has left the set holds nothing back")
	in := w.parts[0].state.Inputs()
	require.Equal(t, []processors.Input{{Topic: "surveys", Reported: true, Position: 12, Time: 300, AtEnd: true, Mark: 8}}, in)
}

func TestBaseTimeOfEvents(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	set := []*ledger.Input{{Topic: "purchases", Partitions: 2}}
	tick := func(advance int64, readings ...*ledger.Reading) int64 {
		w.ticks(&ledger.Tick{Revision: 1, Inputs: set, Readings: readings, AdvanceTo: advance})
		return w.base()
	}
	require.EqualValues(t, -1, tick(900, reading("purchases", 0, 5, 100, false)))
	require.EqualValues(t, 100, tick(0, reading("purchases", 1, 5, 40, true)), "one at its end holds nothing back")
	require.EqualValues(t, 150, tick(0, reading("purchases", 0, 6, 150, false)))
	require.EqualValues(t, 150, tick(0, reading("purchases", 0, 5, 150, true)), "a former owner knows no end")
	require.EqualValues(t, 900, tick(0, reading("purchases", 0, 7, 160, true)), "all at their end: the advance that was asked for")
	require.EqualValues(t, 950, tick(0, reading("purchases", 1, 8, 950, true)), "or the latest seen")
}

func TestWakeLimit(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	w.settings(func(v *ledger.SettingsValues) { v.WakeLimit, v.ClvMaterial = 3, 1 })
	at := ms("2024-01-01")
	for i := range 10 {
		w.event(fmt.Sprintf("c%02d", 9-i), purchase("1", 1000, at+int64(i)*day))
	}
	w.tick(at + 10*day)
	w.takeOutputs()
	p := w.parts[0]
	blob, err := (&ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "purchases", Partitions: 1}},
		Readings: []*ledger.Reading{reading("purchases", 0, w.origin+1, at+100*day, true)},
	}).MarshalVT()
	require.NoError(t, err)
	require.Equal(t, 3, w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK, Payload: blob}).Woken)
	continues := func() int {
		n := 0
		for _, e := range p.queue {
			if e.Kind == ledger.Kind_KIND_CONTINUE {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, continues())
	require.Equal(t, 3, w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_TICK, Payload: blob}).Woken)
	require.Equal(t, 1, continues(), "never a second one while one is under way")
	w.drain()
	var order []string
	for _, s := range w.takeOutputs() {
		if s.Topic == output.ChurnRisk {
			order = append(order, s.Key)
		}
	}
	// the latest came first by name
	require.Equal(t, "c09 c08 c07 c06 c05 c04 c03 c02 c01 c00", strings.Join(order, " "), "by deadline")
	due, err := p.store.Due(at+100*day, 1)
	require.NoError(t, err)
	require.Empty(t, due)
}

// TestTimersFireAtTheirDeadline: a ms before a deadline nothing is published, at the deadline an output is, and the class last
// published is always the true one.
func TestTimersFireAtTheirDeadline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := genesis(1, ledger.Clock_CLOCK_EVENT)
		g.Timezone = rapid.SampledFrom([]string{"UTC", "Asia/Tehran", "America/New_York", "Pacific/Auckland"}).Draw(t, "zone")
		w := newWorld(t, g)
		w.append(ledger.Kind_KIND_PARAMETERS, 0, &ledger.Parameters{
			Version: 1, Model: "mbg_nbd", Status: "fitted", P: 6, Q: 4, V: 15,
			R: rapid.Float64Range(.05, 5).Draw(t, "r"), Alpha: rapid.Float64Range(.1, 50).Draw(t, "alpha"),
			A: rapid.Float64Range(.05, 5).Draw(t, "a"), B: rapid.Float64Range(.05, 5).Draw(t, "b"),
		})
		at := ms("2024-01-01") + rapid.Int64Range(0, 300*day).Draw(t, "start")
		for i := range rapid.IntRange(1, 6).Draw(t, "orders") {
			at += rapid.Int64Range(0, 60*day).Draw(t, "gap")
			w.event("c", purchase(fmt.Sprint(i), 1000, at))
		}
		w.tick(at)
		for range 6 {
			next, ok := w.state("c").Deadline()
			if !ok {
				return
			}
			require.Greater(t, next, at)
			w.takeOutputs()
			w.tick(next - 1)
			require.Empty(t, customers(w.takeOutputs()), "before its time")
			asOf := w.scores("c")
			w.tick(next)
			require.NotEmpty(t, customers(w.takeOutputs()), "at its time, %v before", asOf.Churn)
			at = next
		}
	})
}

// customers returns the outputs that belong to a customer.
func customers(all []published) []published {
	var some []published
	for _, s := range all {
		if !s.Topic.OfBase() {
			some = append(some, s)
		}
	}
	return some
}
