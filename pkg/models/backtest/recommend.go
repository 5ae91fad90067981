package backtest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// The rule by which a model is recommended: the best log score within two limits. The log score is a proper scoring rule, which rewards
// ranking and calibration together; MAE was rejected because it favours predicting no purchases. The log score covers whether customers
// buy, not how much; hence the limits for RMSE and bias.
const (
	rmseFence = 1.02 // times the least
	biasFence = 0.10 // beyond the least
)

// Limits within which predictions are called reliable.
const (
	trustedAUC  = 0.70
	trustedECE  = 0.05
	trustedBias = 0.10
)

// leastBuyers is the minimum number of buyers in the second part for reliable figures.
const leastBuyers = 30

// recommend selects a model and sets the reason and the statement on how far to trust it.
func (r *Result) recommend() {
	r.Recommended = Live
	r.Why = "It is what the stream scores with; there is too little here to tell the models apart."
	if best := r.best(); best != nil && r.HoldoutBuyers >= leastBuyers && r.RepeatBuyers > 0 {
		r.Recommended = best.Name
		r.Why = "Of the models whose RMSE is within 2% of the least, and whose bias is within 10 points of the least, it gave what happened the highest probability (log score)."
	}
	chosen := r.model(r.Recommended)
	r.Trust = r.trust(chosen)
	if r.HoldoutBuyers < leastBuyers || r.RepeatBuyers == 0 {
		return
	}
	if chosen.Status == string(lifetimes.StatusProvisional) {
		r.Notes = append(r.Notes, fmt.Sprintf("Only %s by the split: the fits are provisional.", counted(r.RepeatBuyers, "repeat buyer")))
	}
	for _, b := range r.Baselines {
		if v(b.AUC) > v(chosen.AUC) {
			r.Notes = append(r.Notes, fmt.Sprintf("To rank alone, %s did better: AUC %.3f against %.3f.", b.Name, *b.AUC, v(chosen.AUC)))
		}
	}
	if live := r.model(Live); chosen != live {
		r.Notes = append(r.Notes, fmt.Sprintf("The stream scores with %s: %s.", Live, live.figures("AUC", "ECE", "RMSE", "bias")))
	}
	for _, m := range r.Models {
		if m.Problem != "" {
			r.Notes = append(r.Notes, fmt.Sprintf("The fit of %s failed (%s); it is shown as far as it got and not recommended.", m.Name, m.Problem))
		}
	}
}

// best returns the model that the rule selects; nil without purchases in the second part.
func (r *Result) best() *Model {
	rmse, off := math.Inf(1), math.Inf(1)
	var able []*Model
	for i := range r.Models {
		m := &r.Models[i]
		if m.Problem != "" || m.RMSE == nil || m.Bias == nil || m.LogScore == nil {
			continue
		}
		able = append(able, m)
		rmse, off = math.Min(rmse, *m.RMSE), math.Min(off, math.Abs(*m.Bias))
	}
	var best *Model
	for _, m := range able {
		if *m.RMSE <= rmseFence*rmse && math.Abs(*m.Bias) <= off+biasFence && (best == nil || *m.LogScore > *best.LogScore) {
			best = m
		}
	}
	return best
}

// trust returns one sentence that says what is reliable, with the figures.
func (r *Result) trust(m *Model) string {
	switch {
	case r.HoldoutBuyers == 0:
		return "Nothing can be said of its predictions: none of the customers bought in the second part."
	case r.HoldoutBuyers < leastBuyers:
		return fmt.Sprintf("Do not rely on these figures: only %s bought in the second part, and chance decides.", counted(r.HoldoutBuyers, "customer"))
	case r.RepeatBuyers == 0:
		return "Do not rely on it: nobody had bought twice by the split, so it is the prior that speaks, not this shop."
	}
	var yes, no []string
	judge := func(good bool, what string) {
		if good {
			yes = append(yes, what)
		} else {
			no = append(no, what)
		}
	}
	if m.AUC != nil {
		judge(*m.AUC >= trustedAUC, fmt.Sprintf("its ranking (a customer who bought stood above one who did not %.0f times in 100, give or take %.0f)",
			100**m.AUC, math.Max(1, 200*v(m.AUCError))))
	}
	judge(v(m.ECE) <= trustedECE, fmt.Sprintf("its probabilities (off by %.1f points on average)", 100*v(m.ECE)))
	direction := "high"
	if v(m.Bias) < 0 {
		direction = "low"
	}
	judge(math.Abs(v(m.Bias)) <= trustedBias, fmt.Sprintf("its totals (%.0f%% too %s, where chance alone makes ±%.0f%%)",
		100*math.Abs(v(m.Bias)), direction, 200*v(m.BiasError)))
	var parts []string
	if len(yes) > 0 {
		parts = append(parts, "trust "+listed(yes, "and"))
	}
	if len(no) > 0 {
		parts = append(parts, "do not rely on "+listed(no, "or"))
	}
	s := strings.Join(parts, "; ")
	return fmt.Sprintf("%s%s, as far as one split of %s can show.", strings.ToUpper(s[:1]), s[1:], counted(r.Customers, "customer"))
}

// figures are those of the named columns that the model has.
func (m *Model) figures(names ...string) string {
	var out []string
	for _, c := range Columns() {
		if slices.Contains(names, c.Name) && c.Of(m) != nil {
			out = append(out, c.Name+" "+c.Text(m))
		}
	}
	return strings.Join(out, ", ")
}

func listed(what []string, last string) string {
	if len(what) == 1 {
		return what[0]
	}
	return strings.Join(what[:len(what)-1], ", ") + " " + last + " " + what[len(what)-1]
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", grouped(n), what)
}

// grouped is 12345 as 12,345.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// v is 0 where there is nothing.
func v(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}
