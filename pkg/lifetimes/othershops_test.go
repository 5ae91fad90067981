package lifetimes

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// shopSeeds is how many of each shop TestScorerOnOtherShops opens: the figures in Scorer's
// documentation are those of go test -run OtherShops -v ./pkg/lifetimes -args -shop-seeds 6.
var shopSeeds = flag.Uint64("shop-seeds", 1, "made-up shops of each kind to try the scorer on")

// excess is by how much predictions of a holdout were worse than the best single model's,
// that being chosen with hindsight and for each measure apart.
type excess struct{ auc, rmse, ece, eceByDecile, bias float64 }

// TestScorerOnOtherShops compares the scorer with the best of the single models on
// holdouts of shops it was not made for, and both with what no rule can beat: the very
// model and parameters that made the shop's customers.
func TestScorerOnOtherShops(t *testing.T) {
	spans := [][2]int32{{10480, 10660}, {10365, 10729}, {10550, 10640}, {10300, 10480}}
	var scorer, scorerWithTruth, truth []excess
	for seed := range *shopSeeds {
		for _, s := range shops {
			all := s.open(101+seed, 2500)
			for _, span := range spans {
				rows, _, actual := holdout(all, span[0], span[1])
				horizon := float64(span[1]-span[0]) / 7
				of := func(m PurchaseModel) measures {
					expected, some := predict(m, rows, horizon)
					return measure(expected, some, actual)
				}
				c, tr, got := scored(t, all, span[0], span[1])
				best := of(tr.Pareto.Model)
				best.Bias = math.Abs(best.Bias)
				for _, m := range singles(t, rows, tr) {
					one := of(m)
					best.AUC, best.RMSE = math.Max(best.AUC, one.AUC), math.Min(best.RMSE, one.RMSE)
					best.ECE, best.ECEdecile = math.Min(best.ECE, one.ECE), math.Min(best.ECEdecile, one.ECEdecile)
					best.Bias = math.Min(best.Bias, math.Abs(one.Bias))
				}
				over := func(m measures) excess {
					return excess{best.AUC - m.AUC, m.RMSE/best.RMSE - 1, m.ECE - best.ECE, m.ECEdecile - best.ECEdecile, math.Abs(m.Bias) - best.Bias}
				}
				scorer = append(scorer, over(got))
				if s.made != nil {
					scorerWithTruth = append(scorerWithTruth, over(got))
					truth = append(truth, over(of(s.made)))
				}
				t.Logf("%-11s days %d to %d: worse by %+.4f; bias %+.3f; lift %.2f shift %.2f slope %.2f level %.2f power %.2f Pareto %.2f %.2f",
					s.name, span[0], span[1], over(got), got.Bias, c.Lift, c.Shift, c.Slope, c.Level, c.Power, c.ParetoInOdds, c.ParetoInCounts)
			}
		}
	}
	all, known, made := sum(scorer), sum(scorerWithTruth), sum(truth)
	for name, v := range map[string]sums{"scorer": all, "where truth is known": known, "truth": made} {
		t.Logf("%-20s mean %+.4f, greatest %+.4f, share above .01 %.2f", name, v.mean, v.greatest, v.above)
	}
	require.Less(t, all.greatest.auc, .01, "never worse in rank by more than .01")
	require.Less(t, all.greatest.rmse, .03)
	require.Less(t, all.mean.rmse, .005)
	require.Less(t, all.above.rmse, .15)
	require.Less(t, known.greatest.ece, .05)
	require.Less(t, known.greatest.eceByDecile, .05)
	require.Less(t, known.mean.ece, .01)
	require.Less(t, known.above.ece, .20)
	require.Less(t, all.greatest.bias, .15)
	require.Less(t, known.mean.bias, .025)
	require.Less(t, known.above.bias, made.above.bias+.15, "hardly more often off than the truth itself")
}

// singles are the models to beat beside Pareto/NBD.
func singles(t *testing.T, rows []Summary, tr Training) []PurchaseModel {
	t.Helper()
	bg, err := FitBGNBD(rows, FitOptions{})
	require.NoError(t, err)
	mbg, err := FitMBGNBD(rows, FitOptions{})
	require.NoError(t, err)
	return []PurchaseModel{bg.Model, mbg.Model, tr.Regular.Model}
}

type sums struct{ mean, greatest, above excess }

func sum(all []excess) sums {
	var s sums
	for _, part := range []func(*excess) *float64{
		func(e *excess) *float64 { return &e.auc }, func(e *excess) *float64 { return &e.rmse },
		func(e *excess) *float64 { return &e.ece }, func(e *excess) *float64 { return &e.eceByDecile },
		func(e *excess) *float64 { return &e.bias },
	} {
		*part(&s.greatest) = math.Inf(-1)
		for i := range all {
			v := *part(&all[i])
			*part(&s.mean) += v / float64(len(all))
			*part(&s.greatest) = math.Max(*part(&s.greatest), v)
			if v > .01 {
				*part(&s.above) += 1 / float64(len(all))
			}
		}
	}
	return s
}
