package lifetimes

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// yardstickTo is a directory: TestYardstick writes the histories of its shops there, from which
// testdata/yardstick.py computes the figures of other libraries.
var yardstickTo = flag.String("yardstick-to", "", "directory for the histories of the shops of TestYardstick")

// yardstickShops are the simulated shops that other libraries are compared on: those that one of the
// models describes, a regular one, one with a season and one with a heavy tail of rates. They were
// chosen before the figures were computed.
var yardstickShops = []string{"Pareto/NBD", "mostly once", "groceries", "heavy tail", "Christmas"}

// figureNames are the figures that the page compares, in its order.
var figureNames = []string{"MAE", "RMSE", "bias", "AUC", "ECE"}

// figureRow is the row of a predictor on a shop; an empty text is a figure that it does not have.
type figureRow struct {
	shop, by, name string
	figures        [5]string
}

func (r figureRow) line() string {
	cells := []string{r.shop, r.by, r.name}
	for _, f := range r.figures {
		if f == "" {
			f = "-"
		}
		cells = append(cells, f)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func measuredRow(shop, name string, expected, some, actual []float64) figureRow {
	m := measure(expected, some, actual)
	return figureRow{shop, "Mainstay", name, [5]string{
		fmt.Sprintf("%.4f", m.MAE), fmt.Sprintf("%.4f", m.RMSE), fmt.Sprintf("%+.1f%%", 100*m.Bias), fmt.Sprintf("%.4f", m.AUC), fmt.Sprintf("%.4f", tiedECE(some, actual)),
	}}
}

// tiedECE is the calibration error by deciles. Unlike measures.ECEdecile it does not depend on the order of customers with
// equal probabilities, which differs between implementations: each of them counts with the share of buyers among them.
func tiedECE(some, actual []float64) (sum float64) {
	buyers, of := map[float64]float64{}, map[float64]float64{}
	tie := func(p float64) float64 { return math.Round(p * 1e12) }
	for i, p := range some {
		of[tie(p)]++
		buyers[tie(p)] += math.Min(actual[i], 1)
	}
	sorted := slices.Sorted(slices.Values(some))
	n := len(sorted)
	for b := range 10 {
		miss := 0.0
		for _, p := range sorted[b*n/10 : (b+1)*n/10] {
			miss += p - buyers[tie(p)]/of[tie(p)]
		}
		sum += math.Abs(miss) / float64(n)
	}
	return sum
}

// othersOf returns the figures of other libraries on a shop, as testdata/yardstick.py wrote them.
func othersOf(t *testing.T, shop string) (rows []figureRow) {
	t.Helper()
	f, err := os.Open("testdata/yardstick.csv")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	all, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Equal(t, append([]string{"shop", "by", "model"}, figureNames...), all[0])
	for _, r := range all[1:] {
		if r[0] == shop {
			rows = append(rows, figureRow{r[0], r[1], r[2], [5]string(r[3:])})
		}
	}
	return rows
}

// TestYardstick computes the figures of this package and of simple ranks on CDNOW and on simulated
// shops, compares the single models with other implementations of the same models, and verifies
// that docs/models.md states all of them.
func TestYardstick(t *testing.T) {
	page, err := os.ReadFile("../../docs/models.md")
	require.NoError(t, err)
	compare := func(shop string, all []History, split, end int32) {
		if *yardstickTo != "" {
			writeHistories(t, filepath.Join(*yardstickTo, strings.ReplaceAll(shop, "/", "-")+".csv"), all, split, end)
		}
		rows, known, actual := holdout(all, split, end)
		horizon := float64(end-split) / 7
		var ours []figureRow
		for _, single := range singles(t, rows) {
			expected, some := predict(single.Model, rows, horizon)
			ours = append(ours, measuredRow(shop, single.Model.Name(), expected, some, actual))
			if single.Model.Name() == "MBG/CNBD-2" {
				break
			}
		}
		c, _, err := TrainScorer(all, split, ScorerOptions{Horizon: horizon, SingleStage: true})
		require.NoError(t, err)
		var expected, some []float64
		for _, h := range known {
			s := c.Score(h.Customer(float64(split), 7, 100), horizon)
			expected, some = append(expected, s.Expected), append(some, s.PAtLeastOne)
		}
		ours = append(ours, measuredRow(shop, "blended scorer", expected, some, actual))
		recency, rfm := rankings(known, split)
		ours = append(ours,
			figureRow{shop, "rank", "recency", [5]string{3: fmt.Sprintf("%.4f", areaUnderCurve(recency, actual))}},
			figureRow{shop, "rank", "RFM", [5]string{3: fmt.Sprintf("%.4f", areaUnderCurve(rfm, actual))}})
		others := othersOf(t, shop)
		for _, row := range others {
			if i := slices.IndexFunc(ours, func(o figureRow) bool { return o.name == row.name }); strings.HasPrefix(row.by, "lifetimes") && row.figures[0] != "" {
				require.Equal(t, ours[i].figures, row.figures, "another implementation of %s on %s", row.name, shop)
			}
		}
		for _, row := range append(ours, others...) {
			t.Log(strings.TrimSpace(row.line()))
			if !strings.Contains(string(page), row.line()) {
				t.Errorf("docs/models.md has no line %s", row.line())
			}
		}
	}
	compare("CDNOW", cdnow(t), civilDay(t, "19970930"), civilDay(t, "19980630"))
	for _, name := range yardstickShops {
		s := shopNamed(name)
		compare(s.name, s.open(101), opening+s.split, opening+s.days)
	}
}

// rankings returns the scores of two simple rules: the time since the last purchase, and the sum of the ranks of recency, frequency
// and mean value of a repeat purchase.
func rankings(known []History, split int32) (recency, rfm []float64) {
	var frequency, value []float64
	for _, h := range known {
		s := h.Summary(float64(split), 7, 100)
		recency, frequency, value = append(recency, s.Tx-s.T), append(frequency, float64(s.X)), append(value, s.M)
	}
	rfm = make([]float64, len(known))
	for _, rule := range [][]float64{recency, frequency, value} {
		ranks := newPercentiles(slices.Clone(rule))
		for i, v := range rule {
			rfm[i] += ranks.Of(v)
		}
	}
	return recency, rfm
}

// writeHistories writes a line for each purchase day: customer, date, value. The first line states the split and the end.
func writeHistories(t *testing.T, path string, all []History, split, end int32) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "#%d,%d\ncustomer,day,value\n", split, end)
	for i, h := range all {
		for _, d := range h.Until(end) {
			fmt.Fprintf(&b, "%d,%d,%.2f\n", i, d.Day, float64(d.Net)/100)
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
}
