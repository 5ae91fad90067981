package groundtruth

import (
	"cmp"
	"slices"
)

// TopDecile says how many of the tenth with the greatest total CLV really belong to the tenth with the greatest value: what
// they brought, and what was truly to be expected of them, by somebody who knew everything but the future.
type TopDecile struct {
	Customers int     `json:"customers"`
	Right     int     `json:"right"`
	Precision float64 `json:"precision"` // 0 when there is nobody
	// ShareOfValue is what those who were told to be the uppermost tenth are really worth of what the uppermost tenth is worth.
	ShareOfValue float64 `json:"share_of_value"`
}

type value struct {
	told   int64
	really float64
}

func topDecile(all []value) TopDecile {
	t := TopDecile{Customers: len(all) / tenths}
	if t.Customers == 0 {
		return t
	}
	really := slices.Clone(all)
	slices.SortStableFunc(really, func(a, b value) int { return cmp.Compare(b.really, a.really) })
	slices.SortStableFunc(all, func(a, b value) int { return cmp.Compare(b.told, a.told) })
	bound := really[t.Customers-1].really
	told, best := 0.0, 0.0
	for i := range t.Customers {
		if all[i].really >= bound {
			t.Right++
		}
		told, best = told+all[i].really, best+really[i].really
	}
	t.Precision = float64(t.Right) / float64(t.Customers)
	if best > 0 {
		t.ShareOfValue = told / best
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
