package processors

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// A field of the state that encode or decode leaves out fails here, and so does a field that fullState leaves empty.
func TestStateSurvivesEncoding(t *testing.T) {
	s := fullState()
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		require.False(t, v.Field(i).IsZero(), "fullState sets no %s", v.Type().Field(i).Name)
	}
	w := s.encode()
	m := reflect.ValueOf(w).Elem()
	for i := range m.NumField() {
		if f := m.Type().Field(i); f.IsExported() {
			require.False(t, m.Field(i).IsZero(), "encode leaves out %s", f.Name)
		}
	}
	blob, err := w.MarshalVT()
	require.NoError(t, err)
	again, err := decodePartitionState(blob)
	require.NoError(t, err)
	require.Equal(t, s, again)
	encoded, err := again.encode().MarshalVT()
	require.NoError(t, err)
	require.Equal(t, blob, encoded)
}

func fullState() partitionState {
	s := partitionState{
		number: 1, offset: 2, genesis: &ledger.Genesis{LedgerId: "l"}, settingsRevision: 3, settingsHash: 4, settings: settings.Default(), refused: &state.RefusedSettings{Offset: 3}, logic: 5,
		parameters: PriorParameters(), thresholds: &ledger.Thresholds{Version: 6}, checkpoint: 7, inputRevision: 8,
		inputs:      []*ledger.Input{{Topic: "t", Partitions: 1}},
		sources:     map[sourceKey]*state.Source{{"t", 1, 2}: {Topic: "t", Incarnation: 1, Partition: 2, Reported: true}},
		ledgerMarks: map[int32]mark{3: {4, 5}},
		baseKnown:   true, base: 9, advanceTo: 10, latest: 11, continuePending: true, rescoring: &state.Rescoring{Classes: 4, Class: 1, After: "c", Terms: 2}, retiredRules: []*ledger.AlertRule{{Name: "r"}},
		closing: &closing{
			at: 4, day: 5, classes: 6, class: 7, after: "c", totals: decodedTotals(&state.Totals{Known: 1, Histogram: []int64{2}}), values: []int64{8},
			change: &ledger.EquityChange{Since: 1, Parts: []int64{2}}, cohort: &ledger.Cohort{Month: 3}, scores: []*ledger.EquityScores{{Sum: 4}}, erased: 5,
		},
		closed: &closed{at: 3, erased: 4, settings: settings.Default(), parameters: PriorParameters()},
		totals: decodedTotals(&state.Totals{
			Known: 1, Customers: 1, Active: 2, ChurnClasses: []int64{3, 4, 5, 6, 7}, Promoters: 8, Passives: 9, Detractors: 10, HistoricClv: 11,
			PredictedClv: 12, CustomerEquity: 13, Histogram: []int64{1}, Values: []int64{-3}, Cancellations: []*ledger.CancellationCount{{Reason: "price", Orders: 1}},
			ErasedClv: 14, ExpectedOrders: 15, OrdersVariance: 16, ClvVarianceHigh: 17, ClvVarianceLow: 18,
		}),
		calendar: decodedCalendar(&state.Calendar{Month: []int32{3}, Age: []uint32{1}, Figures: []*state.CalendarColumn{{Value: []int64{1}}}}),
		calibration: calibration.Totals{
			Promises: [calibration.Tenths]int64{1}, Probability: [calibration.Tenths]int64{2}, Kept: [calibration.Tenths]int64{3}, Predicted: 4, Observed: 5,
		},
		alertTerms: 12, alertSince: 13, sentThresholds: 14,
		erasures: 14, oldestErasure: 15, unnamings: 16, erasedNames: []*state.ErasedName{{Customer: 1, Number: 2}}, unnaming: &state.Unnaming{Classes: 2, Class: 1, After: "c", Upto: 3},
		erased: []*state.Erased{{Customer: 1, Offset: 2, Awaited: []int32{3}}},
	}
	s.contributions.Replace(&ledger.Contribution{Partition: 1, Customers: 2})
	s.contributions.SetPublished(&ledger.Contribution{Customers: 2})
	s.contributions.Replace(&ledger.Contribution{Partition: 1, Close: 3})
	s.contributions.SetPublishedFinal(&ledger.Contribution{Close: 2})
	s.costs.Set(&ledger.Cost{Month: 1, Kind: 2, Amount: 3})
	s.texts.Number(trait.Channel, "web")
	plan, _ := s.texts.Attribute("plan")
	s.texts.Number(plan, "pro")
	s.fuses.Decode([]*state.Fuse{{Rule: 1, Hour: 2, Raised: 3, Suppressed: 4}})
	return s
}

func decodedCalendar(w *state.Calendar) (t calendar.Table) {
	t.Decode(w)
	return t
}

func decodedTotals(w *state.Totals) (t portfolio.Totals) {
	t.Decode(w)
	return t
}
