// Package groundtruth owns the comparison of answers with the ground truth of a simulated shop: whether values, orders and
// referrals are exact, whether churn probabilities are calibrated, and how many of the predicted top decile belong to it.
//
// It refuses to read anything: the ground truth and the answers are arguments.
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

// Comparison counts where the answers agree with the ground truth.
type Comparison struct {
	Buyers         int64 `json:"buyers"`
	ValueExact     int64 `json:"value_exact"`  // of them: historic value equals the sum of their orders, net
	OrdersExact    int64 `json:"orders_exact"` // of them: the number of standing orders is right
	Referred       int64 `json:"referred"`     // customers who were referred
	ReferrersRight int64 `json:"referrers_right"`
	Referrers      int64 `json:"referrers"`            // customers who have referred others
	CreditExact    int64 `json:"referral_value_exact"` // of them: referral value equals the net value of the orders of those whom they referred
	Gone           int64 `json:"gone"`                 // at the end
	Active         int64 `json:"active"`
	// Average churn probabilities of the customers who are gone and of the others; a closed account counts as 1.
	ChurnOfGone   float64 `json:"churn_probability_of_gone"`
	ChurnOfActive float64 `json:"churn_probability_of_active"`
	// Concordance is the share of pairs of a gone and an active customer in which the gone one has the higher probability.
	Concordance float64     `json:"concordance"`
	Calibration Calibration `json:"calibration"`
	TopDecile   TopDecile   `json:"top_decile"`
}

// Compare compares the answers as of a time. answers returns false for a customer who is not known; horizon is that of the
// predicted value.
func Compare(t *shop.GroundTruth, at time.Time, horizon time.Duration, answers func(id string) (processors.CustomerScores, bool)) Comparison {
	var f Comparison
	var gone, active []float64
	var predictions []prediction
	var values []value
	referralNet, referralValue := map[string]int64{}, map[string]int64{}
	for i := range t.Customers {
		c := &t.Customers[i]
		a, known := answers(c.ID)
		f.Buyers++
		net, orders := standing(c)
		if known && a.CLV.Historic == net {
			f.ValueExact++
		}
		if known && a.CLV.Orders == orders {
			f.OrdersExact++
		}
		if c.Referrer != "" {
			f.Referred++
			referralNet[c.Referrer] += net
			if known && a.Referrer == c.Referrer {
				f.ReferrersRight++
			}
		}
		referralValue[c.ID] = a.CLV.ReferralValue
		alive := c.Alive(at)
		if orders > 0 && a.CLV.Total.Known {
			values = append(values, value{predicted: a.CLV.Total.Value, actual: float64(net) + float64(c.Expected(at, horizon)*c.MeanOrder)})
		}
		p := a.Churn.Probability.Value
		switch {
		case a.Churn.Risk == customer.Churned.String():
			p = 1
		case !a.Churn.Probability.Known:
			continue // without a standing order there is no prediction
		default:
			predictions = append(predictions, prediction{p, !alive})
		}
		if alive {
			active = append(active, p)
		} else {
			gone = append(gone, p)
		}
	}
	for id, net := range referralNet {
		f.Referrers++
		if referralValue[id] == net {
			f.CreditExact++
		}
	}
	f.Gone, f.Active = int64(len(gone)), int64(len(active))
	f.ChurnOfGone, f.ChurnOfActive = average(gone), average(active)
	f.Concordance = concordance(gone, active)
	f.Calibration = calibrate(predictions)
	f.TopDecile = topDecile(values)
	return f
}

// standing returns the net value of a customer's orders, and how many stand.
func standing(c *shop.Customer) (net, orders int64) {
	for _, o := range c.Orders {
		net += o.Net
		if o.Net > 0 || o.Total == 0 && !o.Cancelled {
			orders++
		}
	}
	return net, orders
}

// Calibration compares churn probabilities with the share of customers who are gone, by deciles of the probability. Accounts that
// are known to be closed have no probability and are left out.
type Calibration struct {
	Deciles []Decile `json:"deciles"`
	// LargestGap is the greatest difference between a decile's mean probability and its share of gone customers, in percentage
	// points; LargestError is the greatest standard error of such a share.
	LargestGap   float64 `json:"largest_gap_points"`
	LargestError float64 `json:"standard_error_points"`
	// Average is the mean of the deciles' differences, in percentage points.
	Average float64 `json:"average_gap_points"`
	// WithinTolerance counts the deciles whose difference is at most 3 percentage points plus two standard errors.
	WithinTolerance int `json:"deciles_within_3_points_and_chance"`
}

// Decile is a tenth of the customers.
type Decile struct {
	Customers int     `json:"customers"`
	Predicted float64 `json:"promised"` // mean probability of being gone
	Gone      float64 `json:"gone"`     // share of customers who are gone
}

type prediction struct {
	probability float64
	gone        bool
}

const (
	tenths    = 10
	points    = 100
	tolerance = 3 // points
)

func calibrate(all []prediction) Calibration {
	c := Calibration{Deciles: []Decile{}}
	if len(all) < tenths {
		return c
	}
	slices.SortStableFunc(all, func(a, b prediction) int { return cmp.Compare(a.probability, b.probability) })
	for i := range tenths {
		part := all[i*len(all)/tenths : (i+1)*len(all)/tenths]
		n, predicted, chance, gone := float64(len(part)), 0.0, 0.0, 0
		for _, p := range part {
			predicted += p.probability
			chance += float64(p.probability * (1 - p.probability))
			if p.gone {
				gone++
			}
		}
		d := Decile{Customers: len(part), Predicted: predicted / n, Gone: float64(gone) / n}
		gap, deviation := points*math.Abs(d.Predicted-d.Gone), points*math.Sqrt(chance)/n
		c.LargestGap, c.LargestError = max(c.LargestGap, gap), max(c.LargestError, deviation)
		if gap <= tolerance+float64(2*deviation) {
			c.WithinTolerance++
		}
		c.Average += gap / tenths
		c.Deciles = append(c.Deciles, d)
	}
	return c
}
