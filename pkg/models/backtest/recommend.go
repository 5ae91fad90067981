package backtest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/processors/model"
)

// Limits within which predictions are called reliable.
const (
	trustedAUC  = 0.70
	trustedECE  = 0.05
	trustedBias = 0.10
)

// recommend selects a model and sets the reason and the statement on how far to trust it.
func (r *Result) recommend() {
	r.Recommended = Live
	r.Why = "It is the default; there are too few purchases to distinguish the models."
	if best := r.best(); best != nil && r.HoldoutBuyers >= parameters.LeastBuyers && r.RepeatBuyers > 0 {
		r.Recommended = best.Name
		r.Why = "Of the models whose RMSE is within 2% of the lowest and whose bias is within 10 points of the lowest, it has the best log score."
	}
	r.Choice, _ = choiceOf(r.Recommended)
	r.SeasonChoice = "auto"
	if r.Season != nil && !strings.HasSuffix(r.Recommended, inSeason) {
		r.SeasonChoice = "off"
	}
	chosen := r.model(r.Recommended)
	r.Trust = r.trust(chosen)
	if r.HoldoutBuyers < parameters.LeastBuyers || r.RepeatBuyers == 0 {
		return
	}
	if chosen.Status == string(lifetimes.StatusProvisional) {
		r.Notes = append(r.Notes, fmt.Sprintf("The fits are provisional, with only %s by the split.", counted(r.RepeatBuyers, "repeat buyer")))
	}
	for _, b := range r.Baselines {
		if v(b.AUC) > v(chosen.AUC) {
			r.Notes = append(r.Notes, fmt.Sprintf("For ranking only, %s is better: AUC %.3f, against %.3f.", b.Name, *b.AUC, v(chosen.AUC)))
		}
	}
	if live := r.model(Live); chosen != live {
		r.Notes = append(r.Notes, fmt.Sprintf("The default is %s: %s.", Live, live.figures("AUC", "ECE", "RMSE", "bias")))
	}
	for _, m := range r.Models {
		if reason := r.notRecommended(&m); reason != "" && m.Problem == "" && m.LogScore != nil && *m.LogScore > v(chosen.LogScore) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s has a better log score, %.4f; it is not recommended, since %s.", m.Name, *m.LogScore, reason))
		}
		if m.Problem != "" {
			r.Notes = append(r.Notes, fmt.Sprintf("The fit of %s failed (%s). Its figures are of the best parameters found; it is not recommended.", m.Name, m.Problem))
		}
	}
}

// notRecommended returns why a model is not recommended, whatever its figures: the reasons for which model.choice: auto and
// model.season: auto do not choose it. It is empty if there is none.
func (r *Result) notRecommended(m *Model) string {
	switch choice, runs := choiceOf(m.Name); {
	case !runs:
		return "its scores take too long for a stream"
	case !model.OneTimeBuyersStop(choice):
		return "in it, customers with one purchase never become a churn risk"
	case !r.winsBySeason(m):
		return "it is not better than without the season by more than chance"
	}
	return ""
}

// best returns the model that the rule of parameters.Choose selects, the best log score within two limits; nil without purchases in the second
// part. The log score is a proper scoring rule, which rewards ranking and calibration together; MAE was rejected because it favours predicting
// no purchases. The log score covers whether customers buy, not how much; hence the limits for RMSE and bias.
func (r *Result) best() *Model {
	rmse, off := math.Inf(1), math.Inf(1)
	var able []*Model
	for i := range r.Models {
		m := &r.Models[i]
		if r.notRecommended(m) != "" || m.Problem != "" || m.RMSE == nil || m.Bias == nil || m.LogScore == nil {
			continue
		}
		able = append(able, m)
		rmse, off = math.Min(rmse, *m.RMSE), math.Min(off, math.Abs(*m.Bias))
	}
	var best *Model
	for _, m := range able {
		if *m.RMSE <= parameters.RMSELimit*rmse && math.Abs(*m.Bias) <= off+parameters.BiasLimit && (best == nil || *m.LogScore > *best.LogScore) {
			best = m
		}
	}
	return best
}

// trust returns one sentence that says what is reliable, with the figures.
func (r *Result) trust(m *Model) string {
	switch {
	case r.HoldoutBuyers == 0:
		return "Its predictions cannot be assessed: none of the customers bought in the second part."
	case r.HoldoutBuyers < parameters.LeastBuyers:
		return fmt.Sprintf("Do not rely on these figures: only %s bought in the second part, which is too few.", counted(r.HoldoutBuyers, "customer"))
	case r.RepeatBuyers == 0:
		return "Do not rely on it: no customer had bought twice by the split, so its parameters are those of the prior."
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
		judge(*m.AUC >= trustedAUC, fmt.Sprintf("its ranking (a customer who bought is ranked above one who did not in %.0f%% of the cases, ±%.0f)",
			100**m.AUC, math.Max(1, 200*v(m.AUCError))))
	}
	judge(v(m.ECE) <= trustedECE, fmt.Sprintf("its probabilities (mean error %.1f points)", 100*v(m.ECE)))
	direction := "high"
	if v(m.Bias) < 0 {
		direction = "low"
	}
	judge(math.Abs(v(m.Bias)) <= trustedBias, fmt.Sprintf("its totals (%.0f%% too %s, with a sampling error of ±%.0f%%)",
		100*math.Abs(v(m.Bias)), direction, 200*v(m.BiasError)))
	var parts []string
	if len(yes) > 0 {
		parts = append(parts, "trust "+listed(yes, "and"))
	}
	if len(no) > 0 {
		parts = append(parts, "do not rely on "+listed(no, "or"))
	}
	s := strings.Join(parts, "; ")
	return fmt.Sprintf("%s%s. This is based on one split of %s.", strings.ToUpper(s[:1]), s[1:], counted(r.Customers, "customer"))
}

// figures returns the values of the named columns, without those that the model does not have.
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

// grouped formats 12345 as 12,345.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// v is the value, or 0 for nil.
func v(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}
