package backtest

import (
	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// weekEnds returns the days at which purchases are counted: whole weeks before and after the split, and the end.
func (h *holdout) weekEnds() (before, after []int32) {
	for day := h.split - (h.split-h.first)/7*7; day <= h.split; day += 7 {
		before = append(before, day)
	}
	for day := h.split; day <= h.until; day += 7 {
		after = append(after, day)
	}
	if after[len(after)-1] != h.until {
		after = append(after, h.until)
	}
	return before, after
}

// week is the time of the end of a day, in weeks from the start of the first day.
func (h *holdout) week(day int32) float64 { return float64(day+1-h.first) / 7 }

func (h *holdout) splitWeek() float64 { return h.week(h.split) }

// trackActual counts repeat purchases up to each week's end.
func (h *holdout) trackActual() []Point {
	byDay := make([]int, h.until-h.first+1)
	for _, one := range h.later {
		for _, day := range one[1:] {
			byDay[day.Day-h.first]++
		}
	}
	before, after := h.weekEnds()
	var points []Point
	total, next := 0, 0
	for _, day := range append(before, after[1:]...) {
		for ; next <= int(day-h.first); next++ {
			total += byDay[next]
		}
		points = append(points, Point{h.week(day), float64(total)})
	}
	return points
}

// mostPredictions limits the number of predictions in track; beyond it, track uses a sample of every n-th customer and scales the total.
const mostPredictions = 2_000_000

// track computes the course of a model: up to the split from its expectation for new customers, after it from its prediction for each
// customer.
func (h *holdout) track(c candidate) Tracked {
	before, after := h.weekEnds()
	t := Tracked{Name: c.name}
	newcomers := make([]float64, h.split-h.first+1) // number of customers by day of the first purchase
	repeats := 0
	for _, known := range h.known {
		newcomers[known[0].Day-h.first]++
		repeats += len(known) - 1
	}
	expected := make(map[float64]float64, len(newcomers)) // expected purchases by weeks since the first purchase
	for _, day := range before {
		total := 0.0
		for first, n := range newcomers[:day-h.first+1] {
			if n == 0 {
				continue
			}
			age := h.weeks(h.first+int32(first), day)
			if _, ok := expected[age]; !ok {
				expected[age] = c.newcomer(age)
			}
			total += n * expected[age]
		}
		t.Fit = append(t.Fit, Point{h.week(day), total})
	}

	sample := h.customers
	if step := len(sample) * len(after) / mostPredictions; step > 0 {
		sample = nil
		for i := 0; i < len(h.customers); i += step + 1 {
			sample = append(sample, h.customers[i])
		}
	}
	scale := 1.0
	if len(sample) < len(h.customers) {
		scale = totalPredicted(c, h.customers, h.horizon) / totalPredicted(c, sample, h.horizon)
	}
	for _, day := range after {
		total := float64(repeats) + scale*totalPredicted(c, sample, h.weeks(h.split, day))
		t.Forecast = append(t.Forecast, Point{h.week(day), total})
	}
	return t
}

func totalPredicted(c candidate, customers []lifetimes.Customer, t float64) float64 {
	total := 0.0
	for _, one := range customers {
		expected, _ := c.predict(one, t)
		total += expected
	}
	return total
}
