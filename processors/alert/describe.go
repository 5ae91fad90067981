package alert

import (
	"math"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// ID returns the id of an episode: a hash of ledger and customer, then the episode's number. It is unique, and the same in every
// replay.
func ID(ledgerID, id string, number uint64) string {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(ledgerID)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(id)
	hex := strconv.FormatUint(d.Sum64(), 16)
	const digits = 16
	return zeros[:digits-len(hex)] + hex + "-" + strconv.FormatUint(number, 10)
}

const zeros = "0000000000000000"

// Describe sets all fields of an output except About and AlertID. Before holds the scores published before this evaluation.
func (d *Evaluator) Describe(c *Change, before *customer.LastPublished, e *output.Alert) {
	v, r := &d.view, c.rule
	*e = output.Alert{
		About: e.About, AlertID: e.AlertID, Reasons: e.Reasons, Rule: r.Name, Severity: r.Severity, Metric: r.Metric,
		//mutant:control-told delete
		Group:   c.Episode.Group.String(),
		Initial: c.Episode.Kind == customer.Initial, RaisedAt: c.Episode.FiringAt,
		Value: r.measure(c.value), Threshold: r.measure(r.at), ClearThreshold: r.measure(r.clear),
		Scores: describeScores(v),
	}
	if at, ok := atStake(v); ok {
		e.ValueAtStake = output.Some(at)
	}
	if c.State == Cleared {
		e.Cleared, e.ClearedAt, e.ClearedReason = true, output.Some(v.m.Now), output.Text(c.Reason)
		e.Previous = output.Some(output.PreviousAlert{Value: r.measure(r.kept(c.Episode.Value))})
	}
	e.Reasons.Reset()
	r.describeReasons(v, before, &e.Reasons)
}

func describeScores(v *view) output.Scores {
	x := output.Scores{
		HistoricCLV: output.Some(v.Value.Historic), ValueTier: output.Text(v.Value.Tier.String()), TotalCLV: output.Some(v.Value.Total()),
		ChurnRisk: output.Text(v.Risk.Class.String()), NPSCategory: output.Text(v.Promoter.Category.String()),
	}
	if v.Value.PredictedKnown {
		x.PredictedCLV = output.Some(v.Value.Predicted)
	}
	if v.Risk.Known() {
		x.ChurnProbability = output.Some(v.Risk.Probability)
	}
	if v.Promoter.Latest != nil {
		x.NPSScore = output.Some(int64(v.Promoter.Latest.Score))
	}
	return x
}

// describeReasons adds short sentences for a support agent. Percentages are shares of the metric and sum to 100%. The other conditions
// of the rule follow them.
func (r *compiled) describeReasons(v *view, before *customer.LastPublished, dst *output.Reasons) {
	switch r.metric.name {
	case "churn_probability", "value_at_stake", "predicted_clv":
		churnReasons(v, dst)
	case "days_since_last_order", "days_overdue", "days_without_second_order":
		whole(dst, describeSilence(v))
	case "total_clv", "clv_percentile", "value_tier", "high_value_lost":
		if v.Value.Gone {
			whole(dst, ending(v))
		} else {
			valueReasons(v, before, dst)
		}
	case "historic_clv", "number_of_orders":
		whole(dst, count(v.Value.Orders, "order", "orders")+" standing, worth "+worth(v, v.Value.Historic))
	case "referral_value":
		whole(dst, count(v.Promoter.Referred, "customer", "customers")+" referred, worth "+worth(v, v.Value.ReferralValue))
	case "nps_score":
		if l := v.Promoter.Latest; l != nil {
			whole(dst, "answered "+strconv.Itoa(int(l.Score))+" of 10 on "+date(l.CreatedAt))
		} else {
			whole(dst, "no answer that counts")
		}
	case "subscription_cancelled":
		switch at, reason := v.customer.SubscriptionEndedAt, v.customer.SubscriptionEndReason; {
		case v.customer.SubscriptionCancelled() && at > v.m.Now:
			whole(dst, ended("subscription ends on ", at, reason))
		case v.customer.SubscriptionCancelled():
			whole(dst, ended("subscription ended on ", at, reason))
		default:
			whole(dst, "ordered again since the subscription ended")
		}
	}
	if r.metric.ofEngagement {
		r.describeEngagement(v, dst)
	}
	if r.tiers != 0 {
		dst.Add("condition: value tier ", orNone(v.Value.Tier.String()))
	}
	if r.categories != 0 {
		dst.Add("condition: ", orNone(v.Promoter.Category.String()))
	}
}

// describeEngagement says what the customer has done besides buying.
func (r *compiled) describeEngagement(v *view, dst *output.Reasons) {
	e := v.engagement()
	if !e.Known {
		whole(dst, "no engagement is known")
		return
	}
	last := ", the last on " + date(v.terms.Local(e.LastAt))
	switch r.metric.name {
	case "reviews":
		whole(dst, count(e.Reviews, "review", "reviews"))
	case "support_contacts_90":
		whole(dst, count(e.SupportContacts90, "support contact", "support contacts")+" in 90 days, "+strconv.FormatInt(e.SupportContacts, 10)+" in all")
	case "active_days_30":
		whole(dst, count(e.ActiveDays30, "active day", "active days")+" of the last 30"+last)
	default:
		whole(dst, count(e.ActiveDays90, "active day", "active days")+" of the last 90"+last)
	}
}

// churnReasons splits the probability into its value directly after the last order and the increase by silence since then.
func churnReasons(v *view, dst *output.Reasons) {
	if !v.Risk.Known() {
		if v.Value.Gone {
			whole(dst, ending(v))
		} else {
			whole(dst, "no standing order")
		}
		return
	}
	first := share(churn.AtOnce(v.terms, v.Risk), v.Risk.Probability)
	bought := count(int64(len(v.customer.Days())), "purchase day", "purchase days")
	dst.EndShare(append(dst.Text(), describeSilence(v)...), 100-first)
	dst.EndShare(append(append(dst.Text(), "leaves anyway after "...), bought...), first)
}

// ending describes why a customer is gone.
func ending(v *view) string {
	if s := v.customer; s.Closed(v.m.Now) {
		return ended("account closed on ", s.AccountClosedAt, s.AccountCloseReason)
	}
	return ended("subscription ended on ", v.customer.SubscriptionEndedAt, v.customer.SubscriptionEndReason)
}

func ended(text string, at int64, reason string) string {
	return string(churn.AppendEnding(nil, text, at, reason))
}

func describeSilence(v *view) string {
	text := decimal(silence(v)) + " days since the last order"
	if n := v.customer.Days(); len(n) > 1 {
		span := float64(n[len(n)-1].Day) - float64(n[0].Day)
		text += ", usually " + decimal(span/float64(len(n)-1)) + " between orders"
	}
	return text
}

// valueReasons splits a fall of the total CLV into refunds and the fall of the predicted CLV, and any other total CLV into the
// historic and the predicted CLV.
func valueReasons(v *view, before *customer.LastPublished, dst *output.Reasons) {
	back, less := max(0, before.Historic-v.Value.Historic), max(0, before.Predicted-v.Value.Predicted)
	if v.Value.Total() < before.Historic+before.Predicted && back+less > 0 {
		refunded, expected := worth(v, back)+" refunded or cancelled", worth(v, less)+" less expected"
		switch {
		case back == 0:
			whole(dst, expected)
		case less == 0:
			whole(dst, refunded)
		default:
			taken := share(float64(back), float64(back+less))
			dst.EndShare(append(dst.Text(), refunded...), taken)
			dst.EndShare(append(dst.Text(), expected...), 100-taken)
		}
		return
	}
	brought := share(float64(v.Value.Historic), float64(v.Value.Total()))
	dst.EndShare(append(dst.Text(), count(v.Value.Orders, "order", "orders")+" worth "+worth(v, v.Value.Historic)...), brought)
	dst.EndShare(append(dst.Text(), worth(v, v.Value.Predicted)+" expected"...), 100-brought)
}

func whole(dst *output.Reasons, text string) { dst.EndShare(append(dst.Text(), text...), 100) }

// share returns part as a percentage of total, 0 to 100, rounded to a whole number.
func share(part, total float64) int {
	if !(total > 0) {
		return 0
	}
	return int(math.RoundToEven(max(0, min(1, part/total)) * 100))
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }
func date(ms int64) string     { return string(timestamp.AppendDay(nil, ms)) }
func worth(v *view, n int64) string {
	return string(v.terms.Unit.Append(nil, n)) + " " + v.terms.Unit.Code
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
