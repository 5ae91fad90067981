package processors_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// live returns parameters of a model, near those of the prior.
func live(name string) *ledger.Parameters {
	v := &ledger.Parameters{Version: 1, Model: name, Status: "fitted", R: .5, Alpha: 7.8, A: .8, B: 2.2, P: 6, Q: 4, V: 15}
	if name == model.ParetoNBD || name == model.Blended {
		v.Pareto = &ledger.ParetoParameters{R: .5, Alpha: 7, S: .6, Beta: 9}
	}
	if name == model.Blended {
		v.Blend = &ledger.BlendParameters{
			ParetoInOdds: .4, ParetoInCounts: .7, Lift: .5, Centre: -1, Shift: .2, Slope: .8, Level: 1.1, Power: .9, Typical: 1, Horizon: 13,
			Value: &ledger.Percentiles{At: []float64{10, 100}, Share: []float64{.25, .75}},
		}
	}
	return v
}

// TestEveryModelLive folds a customer's orders and their silence under each model. The outputs name the model, the timer fires at
// the time that next_check_at states, not a minute before, and the answer has then changed enough to be published.
func TestEveryModelLive(t *testing.T) {
	for _, name := range model.Names() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
			w.append(ledger.Kind_KIND_PARAMETERS, 0, live(name))
			at := ms("2024-01-01")
			for i, gap := range []int64{0, 20, 45, 80} {
				w.event("ada", purchase(string(rune('a'+i)), 4000+100*int64(i), at+gap*day))
			}
			checked := 0
			for range 40 {
				outputs := w.takeOutputs()
				last := churnRisk{}
				for _, o := range outputs {
					if o.Topic == output.CLV || o.Topic == output.ChurnRisk {
						require.Contains(t, o.json, `"model":{"name":"`+name+`","version":1,"status":"fitted"}`)
					}
					if o.Topic == output.ChurnRisk {
						last = churnRisk{}
						require.NoError(t, json.Unmarshal([]byte(o.json), &last))
					}
				}
				if last.Next == nil {
					break
				}
				next := last.Next.UnixMilli()
				w.tick(next - 60_000)
				require.Empty(t, churnOutputs(w.takeOutputs()), "before %v", last.Next)
				w.tick(next)
				fired := churnOutputs(w.outputs)
				require.Len(t, fired, 1, "at %v", last.Next)
				now := churnRisk{}
				require.NoError(t, json.Unmarshal([]byte(fired[0].json), &now))
				require.True(t, now.Class != last.Class || now.Probability >= last.Probability+.0499, "from %v to %v", last, now)
				checked++
			}
			require.Greater(t, checked, 5)
			require.Equal(t, "high", w.scores("ada").Churn.Risk)
		})
	}
}

type churnRisk struct {
	Class       string     `json:"churn_risk"`
	Probability float64    `json:"churn_probability"`
	Next        *time.Time `json:"next_check_at"`
}

func churnOutputs(all []published) (out []published) {
	for _, o := range all {
		if o.Topic == output.ChurnRisk {
			out = append(out, o)
		}
	}
	return out
}

// TestModelSwitchRescores verifies that a switch of the model rescores every customer: what was published last is what they have
// under the model in force.
func TestModelSwitchRescores(t *testing.T) {
	w := crowd(t, 40, 7)
	for i, name := range []string{model.Blended, model.ParetoNBD, model.BGNBD, model.MBGNBD} {
		v := live(name)
		v.Version = uint64(i + 1)
		w.append(ledger.Kind_KIND_PARAMETERS, 0, v)
		_, _, under := w.parts[0].state.Rescoring()
		require.False(t, under)
		for id := range w.parts[0].store.blobs {
			s := w.scores(id)
			require.Equal(t, name, s.CLV.Model.Name)
			last := w.state(id).LastPublished
			require.Equal(t, s.Churn.Risk, last.Churn.String())
			require.InDelta(t, s.Churn.Probability.Value, float64(last.Probability)/10_000, .05)
			require.InEpsilon(t, float64(s.CLV.Total.Value), float64(last.Historic+last.Predicted), .052)
		}
	}
}

// TestParametersOutOfDomainAreRefused verifies that the entry is refused by name, and that the parameters before it stay.
func TestParametersOutOfDomainAreRefused(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_EVENT))
	for name, wrong := range map[string]func(v *ledger.Parameters){
		"no Pareto/NBD": func(v *ledger.Parameters) { v.Pareto = nil },
		"no blend":      func(v *ledger.Parameters) { v.Blend = nil },
		"slope of 0":    func(v *ledger.Parameters) { v.Blend.Slope = 0 },
		"percentiles":   func(v *ledger.Parameters) { v.Blend.Value.At[0] = 1000 },
		"spend":         func(v *ledger.Parameters) { v.Q = 1 },
		"another model": func(v *ledger.Parameters) { v.Model = "mbg_cnbd_2" },
	} {
		v := live(model.Blended)
		wrong(v)
		require.Error(t, processors.ValidateParameters(v), name)
		blob, err := v.MarshalVT()
		require.NoError(t, err)
		p := w.parts[0]
		_, err = processors.Step(p.state, p.offset, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_PARAMETERS, Payload: blob}, p.store, new(output.Batch))
		require.ErrorIs(t, err, processors.ErrRefused, name)
		require.Zero(t, p.state.Parameters().GetVersion())
	}
}
