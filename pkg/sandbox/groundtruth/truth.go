// Package groundtruth owns the judgement of answers by a simulated shop's truth: whether values, orders and referrals are exact,
// whether those who are promised to be gone are gone as often as was promised, and whether the best are among the best.
//
// It refuses to read anything: it is handed the shop's truth and, customer by customer, the answers.
package groundtruth

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
)

// Found is how far the answers agree with what really was.
type Found struct {
	Buyers         int64 `json:"buyers"`
	ValueExact     int64 `json:"value_exact"`  // of them: historic value equals the sum of what their orders came to
	OrdersExact    int64 `json:"orders_exact"` // of them: the number of standing orders is right
	Referred       int64 `json:"referred"`     // who came through a friend
	ReferrersRight int64 `json:"referrers_right"`
	Referrers      int64 `json:"referrers"`            // who brought a friend
	CreditExact    int64 `json:"referral_value_exact"` // of them: referral value equals what their friends' orders came to
	Gone           int64 `json:"gone"`                 // at the end
	Active         int64 `json:"active"`
	// Average churn probabilities of those who are gone and of those who are not; an account that was closed counts as 1.
	ChurnOfGone   float64 `json:"churn_probability_of_gone"`
	ChurnOfActive float64 `json:"churn_probability_of_active"`
	// Concordance is the share of pairs, one gone and one not, of which the one that is gone has the higher probability.
	Concordance float64     `json:"concordance"`
	Calibration Calibration `json:"calibration"`
	TopDecile   TopDecile   `json:"top_decile"`
}

// Judge compares. answers tells what is known of a customer, and whether he is known at all; horizon is that of the
// predicted value.
func Judge(t *shop.Truth, at time.Time, horizon time.Duration, answers func(id string) (processors.Answers, bool)) Found {
	var f Found
	var gone, active []float64
	var promises []promise
	var values []value
	brought, told := map[string]int64{}, map[string]int64{}
	for i := range t.Customers {
		c := &t.Customers[i]
		a, met := answers(c.ID)
		f.Buyers++
		net, orders := came(c)
		if met && a.CLV.Historic == net {
			f.ValueExact++
		}
		if met && a.CLV.Orders == orders {
			f.OrdersExact++
		}
		if c.Referrer != "" {
			f.Referred++
			brought[c.Referrer] += net
			if met && a.Referrer == c.Referrer {
				f.ReferrersRight++
			}
		}
		told[c.ID] = a.CLV.ReferralValue
		alive := c.Alive(at)
		if orders > 0 && a.CLV.Total.Known {
			values = append(values, value{told: a.CLV.Total.Value, really: float64(net) + float64(c.Expected(at, horizon)*c.MeanOrder)})
		}
		p := a.Churn.Probability.Value
		switch {
		case a.Churn.Risk == customer.Churned.String():
			p = 1
		case !a.Churn.Probability.Known:
			continue // no order stands: nothing is claimed
		default:
			promises = append(promises, promise{p, !alive})
		}
		if alive {
			active = append(active, p)
		} else {
			gone = append(gone, p)
		}
	}
	for id, net := range brought {
		f.Referrers++
		if told[id] == net {
			f.CreditExact++
		}
	}
	f.Gone, f.Active = int64(len(gone)), int64(len(active))
	f.ChurnOfGone, f.ChurnOfActive = average(gone), average(active)
	f.Concordance = concordance(gone, active)
	f.Calibration = calibrate(promises)
	f.TopDecile = topDecile(values)
	return f
}

// came is what a customer's orders came to, and how many stand.
func came(c *shop.Customer) (net, orders int64) {
	for _, o := range c.Orders {
		net += o.Net
		if o.Net > 0 || o.Total == 0 && !o.Cancelled {
			orders++
		}
	}
	return net, orders
}

// Calibration holds churn probabilities against what became of those to whom they were promised, by tenths of the customers,
// the least probability first. Accounts that are known to be closed have no probability, and no part in it.
type Calibration struct {
	Deciles []Decile `json:"deciles"`
	// LargestGap is the greatest distance, in points, of what was promised to a decile from what happened in it; LargestError
	// is the standard error, in points, that chance alone gives a decile of this size, at most.
	LargestGap   float64 `json:"largest_gap_points"`
	LargestError float64 `json:"standard_error_points"`
	// Average is the mean of the deciles' distances, in points.
	Average float64 `json:"average_gap_points"`
	// Holding is how many deciles are within 3 points, leaving aside two standard errors of their own: what chance may do to few.
	Holding int `json:"deciles_within_3_points_and_chance"`
}

// Decile is a tenth of the customers.
type Decile struct {
	Customers int     `json:"customers"`
	Promised  float64 `json:"promised"` // mean probability of being gone
	Gone      float64 `json:"gone"`     // share of those who are
}

type promise struct {
	probability float64
	gone        bool
}

const (
	tenths    = 10
	points    = 100
	tolerance = 3 // points
)

func calibrate(all []promise) Calibration {
	c := Calibration{Deciles: []Decile{}}
	if len(all) < tenths {
		return c
	}
	slices.SortStableFunc(all, func(a, b promise) int { return cmp.Compare(a.probability, b.probability) })
	for i := range tenths {
		part := all[i*len(all)/tenths : (i+1)*len(all)/tenths]
		n, promised, chance, gone := float64(len(part)), 0.0, 0.0, 0
		for _, p := range part {
			promised += p.probability
			chance += float64(p.probability * (1 - p.probability))
			if p.gone {
				gone++
			}
		}
		d := Decile{Customers: len(part), Promised: promised / n, Gone: float64(gone) / n}
		gap, deviation := points*math.Abs(d.Promised-d.Gone), points*math.Sqrt(chance)/n
		c.LargestGap, c.LargestError = max(c.LargestGap, gap), max(c.LargestError, deviation)
		if gap <= tolerance+float64(2*deviation) {
			c.Holding++
		}
		c.Average += gap / tenths
		c.Deciles = append(c.Deciles, d)
	}
	return c
}
