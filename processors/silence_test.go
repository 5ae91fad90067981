package processors_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// TestSilenceTellsValue folds random customers and their silence under each model. At every tick what was published last is less than
// clv.material from the truth, and no tier is out of date; and what a timer publishes has moved by that much, and hardly more.
func TestSilenceTellsValue(t *testing.T) {
	rapid.Check(t, silence)
}

func silence(t *rapid.T) {
	name := rapid.SampledFrom(model.Names()).Draw(t, "model")
	g := genesis(1, ledger.Clock_CLOCK_EVENT)
	g.Currency = rapid.SampledFrom([]string{"EUR", "IRT", "JPY"}).Draw(t, "currency")
	g.Timezone = rapid.SampledFrom([]string{"UTC", "America/New_York"}).Draw(t, "zone")
	code, unit := g.Currency, int64(100)
	if code == "IRT" {
		code, unit = "IRR", 1000
	}
	w := newWorld(t, g)
	material := rapid.SampledFrom([]float64{.01, .05, .2}).Draw(t, "material")
	w.settings(func(v *ledger.SettingsValues) {
		v.ClvMaterial = material
		v.DiscountRateAnnual = rapid.SampledFrom([]float64{0, .1}).Draw(t, "discount")
		v.ChurnMaterial = rapid.SampledFrom([]float64{.05, 1}).Draw(t, "churn material")
		v.PredictionHorizonDays = rapid.SampledFrom([]uint32{30, 365}).Draw(t, "horizon")
	})
	w.append(ledger.Kind_KIND_PARAMETERS, 0, live(name))
	if rapid.Bool().Draw(t, "tiers") {
		bounds := &ledger.Thresholds{Version: 1, Customers: 1000, Top_20: 60 * unit, Top_10: 120 * unit, Percentiles: []int64{0, 200 * unit}}
		w.append(ledger.Kind_KIND_THRESHOLDS, 0, bounds)
	}
	at := ms("2024-01-01")
	for i := range rapid.IntRange(1, 6).Draw(t, "orders") {
		at += rapid.Int64Range(0, 60*day).Draw(t, "gap")
		e := purchase(fmt.Sprint("o", i), rapid.Int64Range(0, 100*unit).Draw(t, "total"), at)
		e.Purchase.Currency = code
		w.event("ada", fact(e))
	}
	w.takeOutputs()
	step := rapid.SampledFrom([]int64{day / 24, day / 3, 2 * day}).Draw(t, "step")
	for range 60 {
		at += step
		w.tick(at)
		s, last := w.scores("ada"), w.state("ada").LastPublished
		before, now := last.Historic+last.Predicted, s.CLV.Total.Value
		least := int64(1)
		if g.Currency == "IRT" {
			least = unit
		}
		require.LessOrEqual(t, float64(before-now), 1.02*material*math.Abs(float64(before))+float64(least), "as of %d: %d was published, it is %d", at, before, now)
		require.Equal(t, last.Tier.String(), s.CLV.ValueTier.Value)
		for _, o := range clvOutputs(w.takeOutputs()) {
			var v struct {
				Trigger  string      `json:"trigger"`
				Total    json.Number `json:"total_clv"`
				Tier     *string     `json:"value_tier"`
				Previous struct {
					Total json.Number `json:"total_clv"`
					Tier  *string     `json:"value_tier"`
				} `json:"previous"`
			}
			require.NoError(t, json.Unmarshal([]byte(o.json), &v))
			total, _ := v.Total.Float64()
			was, _ := v.Previous.Total.Float64()
			if v.Trigger != "timer" {
				continue
			}
			if v.Tier == nil || *v.Tier == *v.Previous.Tier {
				require.GreaterOrEqual(t, was-total, material*was-1e-6, o.json)
			}
		}
	}
}

// TestValueDeadline compares the deadline of a value with an independent search, hour by hour, over the answers of a query.
func TestValueDeadline(t *testing.T) {
	for _, name := range model.Names() {
		w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
		w.settings(func(v *ledger.SettingsValues) { v.ChurnMaterial, v.AlertRules = 1, nil })
		w.append(ledger.Kind_KIND_PARAMETERS, 0, live(name))
		at := ms("2024-01-01")
		w.event("ada", purchase("a", 4000, at))
		w.event("ada", purchase("b", 4100, at+20*day))
		at += 20 * day
		last := w.state("ada").LastPublished
		before := last.Historic + last.Predicted
		deadline, _ := w.state("ada").Deadline()
		require.Greater(t, deadline, at+day, name)
		for w.takeOutputs(); at < deadline-3_600_000; at += 3_600_000 {
			w.tick(at)
			require.Empty(t, clvOutputs(w.takeOutputs()), name)
		}
		fell := before - w.scores("ada").CLV.Total.Value
		require.Greater(t, float64(fell), .99*.05*float64(before), "%s: nearly, an hour before", name)
		w.tick(deadline)
		fell = before - w.scores("ada").CLV.Total.Value
		require.GreaterOrEqual(t, float64(fell), .05*float64(before), name)
		require.Less(t, float64(fell), 1.04*.05*float64(before), name)
		require.Len(t, clvOutputs(w.takeOutputs()), 1, name)
	}
}

// TestReasonsSumToTheDifference: what moved the total CLV, as the reasons of an output have it, is the difference from the one before.
func TestReasonsSumToTheDifference(t *testing.T) {
	amount := regexp.MustCompile(`^([+-][0-9.]+) EUR (earned|refunded or cancelled|expected): ([0-9]+)%$`)
	w := crowd(t, 40, 7)
	w.tick(ms("2027-01-01"))
	seen := 0
	for _, o := range clvOutputs(w.outputs) {
		var v struct {
			Total    float64  `json:"total_clv"`
			Reasons  []string `json:"reasons"`
			Previous struct {
				Total float64 `json:"total_clv"`
			} `json:"previous"`
		}
		require.NoError(t, json.Unmarshal([]byte(o.json), &v))
		moved, shares := 0.0, 0
		for _, r := range v.Reasons {
			if m := amount.FindStringSubmatch(r); m != nil {
				n, err := strconv.ParseFloat(m[1], 64)
				require.NoError(t, err)
				share, err := strconv.Atoi(m[3])
				require.NoError(t, err)
				moved, shares = moved+n, shares+share
			}
		}
		require.InDelta(t, v.Total-v.Previous.Total, moved, .005, o.json)
		if moved != 0 {
			require.Equal(t, 100, shares, o.json)
			seen++
		}
	}
	require.Positive(t, seen)
}

// TestExplanationSaysWhatMovedLast: the explanation of a customer has the reasons of their newest outputs, but for the bounds of tiers.
func TestExplanationSaysWhatMovedLast(t *testing.T) {
	w := crowd(t, 40, 7)
	w.event("c1", survey("a", 6, ms("2026-12-01"), ms("2026-12-01")))
	w.event("c1", survey("b", 10, ms("2026-12-02"), ms("2026-12-02")))
	w.event("c2", refer("r", "c3", ledger.ReferralStatus_REFERRAL_STATUS_APPROVED, ms("2026-12-03")))
	w.tick(ms("2027-01-01"))
	type move struct {
		AsOf    string   `json:"as_of"`
		Reasons []string `json:"reasons"`
	}
	newest := map[output.Topic]map[string]move{output.CLV: {}, output.PromoterStatus: {}}
	for _, o := range w.outputs {
		if of := newest[o.Topic]; of != nil {
			var v move
			require.NoError(t, json.Unmarshal([]byte(o.json), &v))
			for i, r := range v.Reasons {
				if strings.HasPrefix(r, "value tier ") {
					v.Reasons[i], _, _ = strings.Cut(r, ": ")
				}
			}
			of[o.Key] = v
		}
	}
	require.Len(t, newest[output.PromoterStatus], 2)
	for topic, of := range newest {
		for id, want := range of {
			b := processors.Explain(w.parts[w.partitionOf(id)].state, id, w.state(id)).Moves
			got := b.CLV
			if topic == output.PromoterStatus {
				got = b.Promoter
			}
			require.Equal(t, &processors.Move{Day: want.AsOf[:10], Reasons: want.Reasons}, got, "%s %s", topic, id)
		}
	}
}

func clvOutputs(all []published) (out []published) {
	for _, o := range all {
		if o.Topic == output.CLV {
			out = append(out, o)
		}
	}
	return out
}
