package clv

import (
	"math"
	"strconv"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
)

// describeMoves adds what has moved the value since it was last published: the changes of the total CLV, which sum to its difference, each
// with its share of all movement; then what is no part of it: orders that are worth nothing, the referral value, and the tier with the
// bound that was crossed.
func describeMoves(t *customer.Terms, a *Value, last *customer.LastPublished, r *output.Reasons) {
	earned, expected := a.Historic-last.Historic, a.Predicted-last.Predicted
	//mutant:earned-from-nothing insert earned = a.Historic
	share := 0
	if all := math.Abs(float64(earned)) + math.Abs(float64(expected)); all > 0 {
		share = int(math.RoundToEven(math.Abs(float64(earned)) / all * 100))
	}
	switch {
	case earned > 0:
		r.EndShare(append(appendSigned(r.Text(), t, earned), " earned"...), share)
	case earned < 0:
		r.EndShare(append(appendSigned(r.Text(), t, earned), " refunded or cancelled"...), share)
	case a.Orders != last.Orders:
		text := strconv.AppendInt(append(r.Text(), "standing orders "...), last.Orders, 10)
		r.End(strconv.AppendInt(append(text, " to "...), a.Orders, 10))
	}
	//mutant:expected-unsaid if false && $
	if expected != 0 {
		r.EndShare(append(appendSigned(r.Text(), t, expected), " expected"...), 100-share)
	}
	if credit := a.ReferralValue - last.ReferralValue; credit != 0 {
		r.End(append(appendSigned(r.Text(), t, credit), " by referred customers, no part of the CLV"...))
	}
	if a.Tier != last.Tier {
		r.End(appendMoved(r.Text(), t, a, last.Tier))
	}
}

// LastMoves returns what the CLV that was published last has moved, as that output states, but for the bound of a tier: those in force may
// be others than then.
func LastMoves(t *customer.Terms, last *customer.LastPublished) []string {
	now := Value{
		Historic: last.Historic, Orders: last.Orders, ReferralValue: last.ReferralValue, Predicted: last.Predicted, Tier: last.Tier,
		Gone: last.Churn == customer.Churned,
	}
	b := &last.BeforeCLV
	before := customer.LastPublished{Historic: b.Historic, Orders: b.Orders, ReferralValue: b.ReferralValue, Predicted: b.Predicted, Tier: b.Tier}
	terms := *t
	terms.Thresholds = nil
	var r output.Reasons
	describeMoves(&terms, &now, &before, &r)
	return r.All()
}

// appendMoved appends a change of the tier, and the bound that the total CLV has crossed.
func appendMoved(text []byte, t *customer.Terms, a *Value, from customer.Tier) []byte {
	text = append(append(text, "value tier "...), named(from)...)
	text = append(append(text, " to "...), named(a.Tier)...)
	if t.Thresholds == nil {
		return text
	}
	top10, top20 := t.Thresholds.GetTop_10(), t.Thresholds.GetTop_20()
	switch {
	case a.Tier == customer.Top10:
		return appendBound(text, t, ": from ", top10)
	case a.Tier == customer.Top20 && from == customer.Top10:
		return appendBound(text, t, ": below ", top10)
	case a.Tier == customer.Top20:
		return appendBound(text, t, ": from ", top20)
	case a.Tier == customer.Rest:
		return appendBound(text, t, ": below ", top20)
	case a.Gone:
		return append(text, ": the customer has left"...)
	case a.Orders == 0:
		return append(text, ": no standing order"...)
	}
	return append(text, ": too few customers for tiers"...)
}

func appendBound(text []byte, t *customer.Terms, direction string, minor int64) []byte {
	text = t.Unit.Append(append(text, direction...), t.Unit.Round(minor))
	return append(append(text, ' '), t.Unit.Code...)
}

func named(t customer.Tier) string {
	if t == customer.NoTier {
		return "none"
	}
	return t.String()
}

func appendSigned(text []byte, t *customer.Terms, minor int64) []byte {
	if minor > 0 {
		text = append(text, '+')
	}
	return append(append(t.Unit.Append(text, minor), ' '), t.Unit.Code...)
}
