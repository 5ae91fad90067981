package lifetimes

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAgainstHigherPrecision compares scores with values of 40 digits, which
// testdata/reference.py computes by the textbook forms.
func TestAgainstHigherPrecision(t *testing.T) {
	f, err := os.Open("testdata/reference.csv")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 1500)
	worst := map[string]float64{}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(v, 0) {
			require.NoError(t, err) // overflow to infinity is allowed
		}
		return v
	}
	for _, row := range rows[1:] {
		p := [4]float64{number(row[2]), number(row[3]), number(row[4]), number(row[5])}
		s := Summary{X: int(number(row[6])), Tx: number(row[7]), T: number(row[8])}
		argument, want := number(row[10]), number(row[11])
		wide := false
		for _, v := range p {
			wide = wide || v < 1e-3 || v > 1e3
		}
		var m PurchaseModel
		switch row[0] {
		case "MBG/NBD":
			m = MBGNBD{p[0], p[1], p[2], p[3]}
		case "BG/NBD":
			m = BGNBD{p[0], p[1], p[2], p[3]}
		case "Pareto/NBD":
			m = ParetoNBD{p[0], p[1], p[2], p[3]}
		default:
			m = MBGCNBD{int(number(row[1])), p[0], p[1], p[2], p[3]}
		}
		var got float64
		scale := math.Abs(want)
		switch row[9] {
		case "alive":
			got = m.PAlive(s)
		case "expected":
			got = m.Expected(s, argument)
		case "some":
			got = m.PAtLeastOne(s, argument)
		case "dert":
			got = m.DERT(s, argument)
		case "discounted":
			got = m.Discounted(s, argument, 0.0027)
		case "likelihood":
			got = m.LogLikelihood(s)
			scale = math.Max(scale, 1) // near 0, the absolute error of a logarithm counts
		case "until":
			var ok bool
			got, ok = m.AliveUntil(s, argument)
			if !ok {
				require.True(t, math.IsInf(want, 1), "%v", row)
				continue
			}
			scale = math.Max(scale, math.Max(p[1], s.Tx)) // the age is a difference of these terms
		default:
			t.Fatalf("unknown quantity in %v", row)
		}
		if math.Abs(want) < 1e-300 {
			require.Less(t, math.Abs(got), 1e-299, "%v", row)
			continue
		}
		tolerance, class := 1e-9, "ordinary"
		if wide {
			tolerance, class = 1e-6, "wide"
		}
		off := math.Abs(got-want) / scale
		if off > tolerance {
			t.Errorf("%v: got %v, off by %.2g", row, got, off)
		}
		key := row[0] + " " + row[9] + " " + class
		worst[key] = math.Max(worst[key], off)
	}
	for key, off := range worst {
		t.Logf("%-36s %.1e", key, off)
	}
}
