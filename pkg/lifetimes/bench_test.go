package lifetimes

import (
	"math"
	"math/rand/v2"
	"testing"
)

var (
	benchSummaries = []Summary{{X: 2, Tx: 30.43, T: 38.86, M: 20}, {T: 38.86}, {X: 26, Tx: 30.86, T: 31, M: 40}, {X: 10, Tx: 35, T: 39, M: 8}, {}, {X: 1, Tx: 4, T: 200, M: 50}, {X: 300, Tx: 500, T: 510, M: 12}, {X: 5, Tx: 20, T: 30, M: 12}}
	benchSpend     = GammaGamma{6.25, 3.74, 15.44}
	sink           float64
	forever        = math.Inf(1)
)

// BenchmarkScore measures a score of one customer; the customers of benchSummaries take
// turns.
func BenchmarkScore(b *testing.B) {
	regular := MBGCNBD{2, .58, 2.29, 1.13, 1.58}
	run := func(name string, f func(Summary) float64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				sink += f(benchSummaries[i&7])
			}
		})
	}
	run("MBGNBD/PAlive", publishedMBG.PAlive)
	run("MBGNBD/PAtLeastOne", func(s Summary) float64 { return publishedMBG.PAtLeastOne(s, 13) })
	run("MBGNBD/Expected", func(s Summary) float64 { return publishedMBG.Expected(s, 52) })
	run("MBGNBD/CLV", func(s Summary) float64 {
		return CLV(publishedMBG, benchSpend, s, Valuation{Margin: .3, Horizon: 52, Delta: .0027})
	})
	run("MBGNBD/CLVforever", func(s Summary) float64 {
		return CLV(publishedMBG, benchSpend, s, Valuation{Margin: .3, Horizon: forever, Delta: .0027})
	})
	run("MBGNBD/AliveUntil", func(s Summary) float64 { t, _ := publishedMBG.AliveUntil(s, .5); return t })
	run("MBGNBD/PurchaseUntil", func(s Summary) float64 { t, _ := publishedMBG.PurchaseUntil(s, 13, .2); return t })
	run("ParetoNBD/PAlive", publishedPN.PAlive)
	run("ParetoNBD/PAtLeastOne", func(s Summary) float64 { return publishedPN.PAtLeastOne(s, 13) })
	run("ParetoNBD/Expected", func(s Summary) float64 { return publishedPN.Expected(s, 52) })
	run("ParetoNBD/CLV", func(s Summary) float64 {
		return CLV(publishedPN, benchSpend, s, Valuation{Margin: .3, Horizon: 52, Delta: .0027})
	})
	run("ParetoNBD/CLVforever", func(s Summary) float64 {
		return CLV(publishedPN, benchSpend, s, Valuation{Margin: .3, Horizon: forever, Delta: .0027})
	})
	run("ParetoNBD/AliveUntil", func(s Summary) float64 { t, _ := publishedPN.AliveUntil(s, .5); return t })
	run("MBGCNBD2/PAlive", regular.PAlive)
	run("MBGCNBD2/PAtLeastOne", func(s Summary) float64 { return regular.PAtLeastOne(s, 13) })
	run("MBGCNBD2/Expected", func(s Summary) float64 { return regular.Expected(s, 52) })
	run("MBGCNBD2/CLV", func(s Summary) float64 {
		return CLV(regular, benchSpend, s, Valuation{Margin: .3, Horizon: 52, Delta: .0027})
	})
	run("MBGCNBD2/CLVforever", func(s Summary) float64 {
		return CLV(regular, benchSpend, s, Valuation{Margin: .3, Horizon: forever, Delta: .0027})
	})
	run("GammaGamma/ExpectedSpend", func(s Summary) float64 { return benchSpend.ExpectedSpend(s.X, s.M) })

	all := cdnow(b)
	c, _, err := TrainScorer(all, civilDay(b, "19970930"), ScorerOptions{Horizon: 39})
	if err != nil {
		b.Fatal(err)
	}
	run("Scorer", func(s Summary) float64 { return c.Score(Customer{Summary: s, Net: 50}, 39).Expected })
}

// BenchmarkEvent measures the scores that the stream computes for one event: whether the
// customer is alive, the orders within a year, and the age at which silence changes the
// answer. No result is in a cache from an earlier event.
func BenchmarkEvent(b *testing.B) {
	scorer := func(odds, counts float64) *Predictor {
		c, _, err := TrainScorer(cdnow(b), civilDay(b, "19970930"), ScorerOptions{Horizon: 52})
		if err != nil {
			b.Fatal(err)
		}
		c.ParetoInOdds, c.ParetoInCounts = odds, counts
		return NewScorerPredictor(c)
	}
	for _, run := range []struct {
		name string
		p    *Predictor
	}{
		{"MBGNBD", NewPredictor(publishedMBG)},
		{"BGNBD", NewPredictor(publishedBG)},
		{"ParetoNBD", NewPredictor(publishedPN)},
		{"MBGCNBD2", NewPredictor(MBGCNBD{2, .58, 2.29, 1.13, 1.58})},
		{"Scorer", scorer(.4, .4)},
		{"ScorerOfPareto", scorer(1, 1)},
	} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s := Customer{Summary: benchSummaries[i&7], Net: 50}
				s.T += float64(i&1023) / 7168
				if s.X > 0 {
					s.Tx += float64(i&1023) / 7168
				}
				alive := run.p.PAlive(s.Summary)
				age, _ := run.p.AliveUntil(s.Summary, alive-.05)
				sink += run.p.Expected(s, 52) + age
			}
		})
	}
}

// benchBase makes n customers of a shop that buys for two years.
func benchBase(n int) []Summary {
	r := rand.New(rand.NewPCG(3, 4))
	live := ticking(1, .525, 43, .89, 1.61)
	rows := make([]Summary, n)
	var h History
	for i := range rows {
		first := 365 * r.Float64()
		h = h[:0].Add(int32(first), 1000)
		for _, t := range live(r, first, 730) {
			h = h.Add(int32(t), int64(1000+r.IntN(5000)))
		}
		rows[i] = h.SummaryWithGaps(730, 7, 100)
	}
	return rows
}

func BenchmarkFit(b *testing.B) {
	base := benchBase(1000000)
	for _, size := range []struct {
		name string
		n    int
	}{{"100k", 100000}, {"1M", 1000000}} {
		rows := base[:size.n]
		b.Run("MBGNBD/"+size.name, func(b *testing.B) {
			for b.Loop() {
				fit, err := FitMBGNBD(rows, FitOptions{})
				if err != nil || !fit.Converged {
					b.Fatal(err, fit.Problem)
				}
				b.ReportMetric(float64(fit.UniqueRows), "rows")
				b.ReportMetric(float64(fit.Evaluations), "evaluations")
			}
		})
		b.Run("ParetoNBD/"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := FitParetoNBD(rows, FitOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("GammaGamma/"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := FitGammaGamma(rows, FitOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
