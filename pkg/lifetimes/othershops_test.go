package lifetimes

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// shopSeeds is the number of shops of each kind that TestScorerOnOtherShops simulates. The table in docs/models.md
// is the output of go test -run OtherShops -v ./pkg/lifetimes -args -shop-seeds 10.
var shopSeeds = flag.Uint64("shop-seeds", 1, "made-up shops of each kind to try the scorer on")

// singleStage leaves MBG/CNBD-k out of the scorer, as the stream does.
var singleStage = flag.Bool("single-stage", false, "leave MBG/CNBD-k out of the scorer")

// excess is the excess error on a holdout over the best single model, which is chosen in hindsight
// and separately for each measure: AUC lost, RMSE / best RMSE - 1, and the differences of ECE (by
// deciles) and of absolute bias.
type excess [4]float64

func over(m, best measures) excess {
	return excess{best.AUC - m.AUC, m.RMSE/best.RMSE - 1, m.ECEdecile - best.ECEdecile, math.Abs(m.Bias) - best.Bias}
}

// TestScorerOnOtherShops compares the scorer with the best of all single models on simulated shops. For
// comparison it also reports the single model with the highest likelihood, and the model with the
// parameters of the simulation, which only chance can beat.
func TestScorerOnOtherShops(t *testing.T) {
	var scorer, scorerWithTrueModel, likeliest, simulated []excess
	for _, s := range shops {
		var here []excess
		for seed := range *shopSeeds {
			all := s.open(101 + seed)
			split, horizon := opening+s.split, float64(s.days-s.split)/7
			rows, _, actual := holdout(all, split, opening+s.days)
			best := measures{RMSE: math.Inf(1), ECEdecile: math.Inf(1), Bias: math.Inf(1)}
			of := func(m PurchaseModel) measures {
				expected, some := predict(m, rows, horizon)
				return measure(expected, some, actual)
			}
			var first measures // of the model with the highest likelihood
			top := math.Inf(-1)
			for _, single := range singles(t, rows) {
				m := of(single.Model)
				if single.LogLikelihood > top {
					first, top = m, single.LogLikelihood
				}
				best.AUC, best.RMSE = math.Max(best.AUC, m.AUC), math.Min(best.RMSE, m.RMSE)
				best.ECEdecile, best.Bias = math.Min(best.ECEdecile, m.ECEdecile), math.Min(best.Bias, math.Abs(m.Bias))
			}
			_, got := scored(t, all, split, opening+s.days)
			if s.name == "all once" {
				require.Less(t, got.ECEdecile, .01, "the predicted and the actual number of purchases are about 0")
				continue // without purchases the other measures are undefined
			}
			here = append(here, over(got, best))
			likeliest = append(likeliest, over(first, best))
			if s.made != nil {
				scorerWithTrueModel = append(scorerWithTrueModel, over(got, best))
				simulated = append(simulated, over(of(s.made), best))
			}
		}
		if len(here) > 0 {
			sum(here).log(t, s.name)
		}
		scorer = append(scorer, here...)
	}
	all, known, made := sum(scorer), sum(scorerWithTrueModel), sum(simulated)
	all.log(t, "all")
	sum(likeliest).log(t, "all: likeliest")
	known.log(t, "by our models")
	made.log(t, "by ours: truth")

	const auc, rmse, ece, bias = 0, 1, 2, 3
	require.Less(t, all.mean[auc], .01, "the goal for the mean regret")
	require.Less(t, all.mean[rmse], .02, "the goal for the mean regret")
	if *singleStage {
		return // the limits below are those of the whole scorer
	}
	require.Less(t, all.greatest[auc], .05)
	require.Less(t, all.mean[auc], .002)
	require.Less(t, all.above[auc], .08)
	require.Less(t, all.greatest[rmse], .12)
	require.Less(t, all.mean[rmse], .008)
	require.Less(t, all.above[rmse], .25)
	require.Less(t, all.mean[ece], .015)
	require.Less(t, all.above[ece], .45)
	require.Less(t, known.mean[ece], .02)
	require.Less(t, all.mean[bias], .05)
	require.Less(t, known.mean[bias], made.mean[bias]+.04, "hardly further off than the truth itself")
}

// singles returns the single models, fitted as in the backtest.
func singles(t *testing.T, rows []Summary) []Fit[PurchaseModel] {
	t.Helper()
	c, err := compress(rows)
	require.NoError(t, err)
	pareto, err := fitPareto(c, FitOptions{})
	require.NoError(t, err)
	out := []Fit[PurchaseModel]{converted(pareto, func(m ParetoNBD) PurchaseModel { return m })}
	for _, v := range []betaVariant{{stages: 1, loyal: true}, {stages: 1}, {stages: 2}, {stages: 3}, {stages: 4}} {
		fit, err := fitVariant(c, FitOptions{}, v)
		require.NoError(t, err)
		out = append(out, fit)
		if n := len(out); v.stages > 1 && out[n-1].LogLikelihood < out[n-2].LogLikelihood {
			break
		}
	}
	return out
}

type sums struct{ mean, greatest, above excess }

func sum(all []excess) sums {
	var s sums
	for i := range s.mean {
		s.greatest[i] = math.Inf(-1)
		for _, e := range all {
			s.mean[i] += e[i] / float64(len(all))
			s.greatest[i] = math.Max(s.greatest[i], e[i])
			if e[i] > .01 {
				s.above[i] += 1 / float64(len(all))
			}
		}
	}
	return s
}

func (s sums) log(t *testing.T, name string) {
	t.Helper()
	t.Logf("%-14s mean, greatest, above .01: AUC %+.4f %+.4f %2.0f%%  RMSE %+.4f %+.4f %2.0f%%  ECE %+.4f %+.4f %2.0f%%  bias %+.4f %+.4f %2.0f%%", name,
		s.mean[0], s.greatest[0], 100*s.above[0], s.mean[1], s.greatest[1], 100*s.above[1],
		s.mean[2], s.greatest[2], 100*s.above[2], s.mean[3], s.greatest[3], 100*s.above[3])
}
