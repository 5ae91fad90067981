package lookup

import (
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/processors"
)

// RenderExplanation returns the human-readable lines of an explanation.
func RenderExplanation(b *processors.Explanation) []string {
	lines := []string{fmt.Sprintf("customer %s as of %s, ledger partition %d, offset %d", b.Customer, b.AsOf, b.Ledger.Partition, b.Ledger.Offset)}
	add := func(name, text string, args ...any) {
		lines = append(lines, fmt.Sprintf("  %-18s", name)+fmt.Sprintf(text, args...))
	}
	const shown = 10 // days
	days := make([]string, 0, shown)
	for _, d := range b.Days[max(0, len(b.Days)-shown):] {
		days = append(days, fmt.Sprintf("%s (%d: %s)", d.Day, d.Orders, d.Net))
	}
	switch more := len(b.Days) - len(days); {
	case len(b.Days) == 0:
		add("purchase days", "none with a standing order")
	case more > 0:
		add("purchase days", "%d before, then %s", more, strings.Join(days, ", "))
	default:
		add("purchase days", "%s", strings.Join(days, ", "))
	}
	m := b.Money
	add("historic value", "%s %s = standing orders %s - refunds without their order %s", m.Historic, b.Currency, m.Standing, m.Orphaned)
	if s := b.Stats; s != nil {
		add("model input", "x = %d repeat days, the last at t_x = %.2f weeks of T = %.2f, with a mean of m = %s", s.Repeats, s.Recency, s.Age, s.Mean)
	} else {
		add("model input", "none: there is no standing order")
	}
	if v := b.Moves.CLV; v != nil {
		add("value moved", "%s: %s", v.Day, strings.Join(v.Reasons, ", "))
	}
	if v := b.Moves.Promoter; v != nil {
		add("status moved", "%s: %s", v.Day, strings.Join(v.Reasons, ", "))
	}
	c := b.Scoring
	add("model", "%s, version %d (%s): %s", c.Model, c.Version, c.Status, describePurchases(c))
	if c.Season != nil {
		add("season", "%s", describeSeason(c.Season))
	}
	if w := c.Blend; w != nil {
		add("blend", "pareto_nbd has weight %.2f in probabilities and %.2f in counts; lift %.2f, shift %.2f, slope %.2f, level %.2f, power %.2f",
			w.Odds, w.Counts, w.Lift, w.Shift, w.Slope, w.Level, w.Power)
	}
	if s := c.Spend; s != nil {
		add("spend", "Gamma-Gamma: p %.4g, q %.4g, v %.4g", s.P, s.Q, s.V)
	} else {
		add("spend", "not fitted: the customer's own average")
	}
	add("uncertainty", "relative standard errors: %.3f of the orders expected of all customers, %.3f of the mean value of an order", c.Errors.Orders, c.Errors.Spend)
	add("churn risk", "medium from %.2f, high from %.2f, low within %d days of an order; next check %s", c.Medium, c.High, c.GraceDays, or(b.Next, "never"))
	if t := c.Thresholds; t != nil {
		add("tiers", "top_10 from %s %s, top_20 from %s", t.Top10, b.Currency, t.Top20)
	}
	add("referrals", "referred by %s; has referred %d, worth %s %s", or(b.Referrer, "no one"), b.Referred, m.Referral, b.Currency)
	answers := make([]string, len(b.Responses))
	for i, r := range b.Responses {
		answers[i] = fmt.Sprintf("%s: %d", day(r.Created), r.Score)
		if r.Excluded {
			answers[i] += " (excluded)"
		}
	}
	if len(answers) > 0 {
		add("NPS responses", "%s", strings.Join(answers, ", "))
	}
	if e := b.Engaged; e != nil {
		parts := make([]string, len(e.Events))
		for i, n := range e.Events {
			parts[i] = fmt.Sprintf("%s %d", n.Type, n.Events)
		}
		add("engagement", "from %s to %s: %s", day(e.First), day(e.Last), strings.Join(parts, ", "))
		add("active days", "%d of the last 30, %d of the last 90; %s days since the last engagement", e.ActiveDays30, e.ActiveDays90, e.DaysSince)
		if n := len(e.SupportDays); n > 0 {
			add("support contacts", "%d within 90 days, the latest on %s", e.Support90, strings.Join(e.SupportDays[max(0, n-shown):], ", "))
		}
	}
	for _, r := range b.Reasons {
		add("cancelled", "%s: %d orders, %d refunds, %d subscriptions, %d accounts", or(r.Reason, "no reason stated"), r.Orders, r.Refunds, r.Subscriptions, r.Accounts)
	}
	for _, a := range b.Alerts {
		state := a.State
		if a.Group != nil {
			state += ", " + *a.Group
		}
		add("open alert", "%s since %s (%s)", a.Rule, a.Raised, state)
	}
	if b.Ended != nil {
		add("subscription", "ended %s", *b.Ended)
	}
	if b.Closed != nil {
		add("account", "closed %s", *b.Closed)
	}
	return lines
}

// describePurchases lists the parameters of the purchase models.
func describePurchases(c processors.Scoring) string {
	var parts []string
	if p := c.Purchases; p != nil {
		name := ""
		if c.Blend != nil && c.Blend.BGNBD {
			name = "bg_nbd "
		} else if c.Blend != nil {
			name = "mbg_nbd "
		}
		parts = append(parts, fmt.Sprintf("%sr %.4g, alpha %.4g, a %.4g, b %.4g", name, p.R, p.Alpha, p.A, p.B))
	}
	if p := c.Pareto; p != nil {
		name := ""
		if c.Blend != nil {
			name = "pareto_nbd "
		}
		parts = append(parts, fmt.Sprintf("%sr %.4g, alpha %.4g, s %.4g, beta %.4g", name, p.R, p.Alpha, p.S, p.Beta))
	}
	return strings.Join(parts, "; ")
}

// describeSeason lists the multipliers of a season.
func describeSeason(s *processors.Season) string {
	var parts []string
	list := func(name string, values []float64) {
		if len(values) == 0 {
			return
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = fmt.Sprintf("%.2f", v)
		}
		parts = append(parts, name+" "+strings.Join(texts, " "))
	}
	list("from Monday", s.Weekly)
	list("from January", s.Yearly)
	for _, e := range s.Events {
		parts = append(parts, fmt.Sprintf("%s %.2f", e.Name, e.Multiplier))
	}
	for _, c := range s.Campaigns {
		parts = append(parts, fmt.Sprintf("%s %s to %s %.2f", c.Name, c.First, c.Last, c.Multiplier))
	}
	return strings.Join(parts, "; ")
}

func or(text *string, none string) string {
	if text == nil {
		return none
	}
	return *text
}
