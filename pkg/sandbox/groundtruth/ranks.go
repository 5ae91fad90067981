package groundtruth

import (
	"cmp"
	"slices"
)

// TopDecile counts how many of the tenth of customers with the greatest total CLV belong to the tenth with the greatest actual
// value: the net value of their orders and the expectation under their true parameters.
type TopDecile struct {
	Customers int     `json:"customers"`
	Right     int     `json:"right"`
	Precision float64 `json:"precision"` // 0 without customers
	// ShareOfValue is the actual value of the predicted top decile, as a share of the value of the actual one.
	ShareOfValue float64 `json:"share_of_value"`
}

type value struct {
	predicted int64
	actual    float64
}

func topDecile(all []value) TopDecile {
	t := TopDecile{Customers: len(all) / tenths}
	if t.Customers == 0 {
		return t
	}
	actual := slices.Clone(all)
	slices.SortStableFunc(actual, func(a, b value) int { return cmp.Compare(b.actual, a.actual) })
	slices.SortStableFunc(all, func(a, b value) int { return cmp.Compare(b.predicted, a.predicted) })
	bound := actual[t.Customers-1].actual
	chosen, best := 0.0, 0.0
	for i := range t.Customers {
		if all[i].actual >= bound {
			t.Right++
		}
		chosen, best = chosen+all[i].actual, best+actual[i].actual
	}
	t.Precision = float64(t.Right) / float64(t.Customers)
	if best > 0 {
		t.ShareOfValue = chosen / best
	}
	return t
}

func average(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range all {
		sum += x
	}
	return sum / float64(len(all))
}

// concordance is the area under the ROC curve, by ranks; ties count half. 0 when there is nothing to compare.
func concordance(gone, active []float64) float64 {
	if len(gone) == 0 || len(active) == 0 {
		return 0
	}
	slices.Sort(active)
	sum := 0.0
	for _, g := range gone {
		below, _ := slices.BinarySearch(active, g)
		upTo := below
		for upTo < len(active) && active[upTo] == g {
			upTo++
		}
		sum += float64(below) + float64(upTo-below)/2
	}
	return sum / float64(len(gone)) / float64(len(active))
}
