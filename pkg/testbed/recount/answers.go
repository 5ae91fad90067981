package recount

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	state "github.com/mainstay/mainstay/processors/customer"
)

// Answers holds the output of `customer get --output json`.
type Answers struct {
	AsOf     time.Time `json:"as_of"`
	Referrer *string   `json:"referrer_customer_id"`
	CLV      struct {
		Sequence  uint64   `json:"sequence"`
		Historic  float64  `json:"historic_clv"`
		Predicted *float64 `json:"predicted_clv"`
		Orders    int64    `json:"historic_number_of_orders"`
		Expected  *float64 `json:"predicted_number_of_orders"`
		Fewest    *int     `json:"predicted_number_of_orders_low"`
		Most      *int     `json:"predicted_number_of_orders_high"`
		Average   *float64 `json:"average_order_value"`
		Between   *float64 `json:"average_days_between_orders"`
		Referral  float64  `json:"referral_value"`
	} `json:"clv"`
	Churn struct {
		Probability *float64   `json:"churn_probability"`
		Risk        string     `json:"churn_risk"`
		Soon        *float64   `json:"probability_of_purchase_in_horizon"`
		LastAt      *time.Time `json:"last_order_at"`
	} `json:"churn_risk"`
	Promoter struct {
		Score     *int   `json:"nps_score"`
		Category  string `json:"nps_category"`
		Responses int    `json:"response_count"`
	} `json:"promoter_status"`

	Days []int64 `json:"-"` // days of purchase in the state
}

// ReadAnswers reads all customers of a namespace from Redis.
func ReadAnswers(ctx context.Context, client *redis.Client, namespace string, partitions int32, each func(id string, a *Answers) error) error {
	for p := range partitions {
		err := client.Partition(namespace, p, partitions).ScanCustomers(ctx, func(meta redis.Meta, blobs []redis.Blob) error {
			partition, err := processors.DecodePartition(meta.State)
			if err != nil {
				return err
			}
			for _, b := range blobs {
				c, err := state.Decode(b.Value)
				if err != nil {
					return err
				}
				is := processors.ScoreCustomer(partition, b.ID, c)
				a := &Answers{}
				if err := json.Unmarshal(is.Append(nil), a); err != nil {
					return err
				}
				for _, d := range c.Days() {
					a.Days = append(a.Days, int64(d.Day))
				}
				if err := each(b.ID, a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the answers of partition %d: %w", p, err)
		}
	}
	return nil
}

// differencesKept is how many differences are described; all are counted.
const differencesKept = 20

// Compared is the result of CompareAnswers.
type Compared struct {
	Customers   int      // read from Redis
	Modelled    int      // of them, those whose model was recounted too
	Missing     int      // not in Redis
	Differing   int      // with another answer than the recount's, or unknown to it
	Differences []string // the first of them
}

func (c *Compared) describe(text string, args ...any) {
	if len(c.Differences) < differencesKept {
		c.Differences = append(c.Differences, fmt.Sprintf(text, args...))
	}
}

// CompareAnswers compares the answers of every customer in Redis with the recount. The model, which takes a millisecond a customer,
// is recounted for one of modelEvery customers, chosen by the hash of their id.
func (r *Recount) CompareAnswers(ctx context.Context, client *redis.Client, namespace string, partitions int32, modelEvery uint32) (Compared, error) {
	var c Compared
	seen := map[string]bool{}
	err := ReadAnswers(ctx, client, namespace, partitions, func(id string, a *Answers) error {
		if seen[id] {
			return fmt.Errorf("customer %s is in two partitions", id)
		}
		seen[id] = true
		h := fnv.New32a()
		_, _ = h.Write([]byte(id))
		modelled := h.Sum32()%modelEvery == 0
		c.Customers++
		if modelled {
			c.Modelled++
		}
		if all := r.Differences(id, a, modelled); len(all) > 0 {
			c.Differing++
			for _, d := range all {
				c.describe("%s", d)
			}
		}
		return nil
	})
	for id, of := range r.customers {
		if of.stored && !seen[id] {
			c.Missing++
			c.describe("customer %s is not in Redis (%s)", id, of)
		}
	}
	return c, err
}

// Differences compares the answers of a customer with the recount.
func (r *Recount) Differences(id string, got *Answers, modelled bool) []string {
	c := r.customers[id]
	if c == nil {
		return []string{fmt.Sprintf("customer %s: no event that was sent names them", id)}
	}
	d := differ{id: id, of: c}
	d.check("as_of", got.AsOf.Equal(r.now), r.now, got.AsOf)
	d.check("orders", got.CLV.Orders == c.orders, c.orders, got.CLV.Orders)
	d.near("historic_clv", float64(c.historic)/100, &got.CLV.Historic, 1e-9)
	d.near("referral_value", float64(c.referral)/100, &got.CLV.Referral, 1e-9)
	d.check("number of purchase days", len(got.Days) == len(c.days), len(c.days), len(got.Days))
	for i := range min(len(c.days), len(got.Days)) {
		d.check("purchase day", got.Days[i] == c.days[i], c.days[i], got.Days[i])
	}
	referrer := ""
	if got.Referrer != nil {
		referrer = *got.Referrer
	}
	d.check("referrer", referrer == c.referrer, c.referrer, referrer)
	if len(c.days) > 0 {
		d.near("average_order_value", float64(c.standing)/float64(c.orders)/100, got.CLV.Average, .005+1e-9)
		if x := len(c.days) - 1; x > 0 {
			d.near("average_days_between_orders", float64(c.days[x]-c.days[0])/float64(x), got.CLV.Between, .05+1e-9)
		}
		d.check("last_order_at", got.Churn.LastAt != nil && got.Churn.LastAt.Equal(c.lastAt), c.lastAt, got.Churn.LastAt)
	}
	d.check("response_count", got.Promoter.Responses == c.answered, c.answered, got.Promoter.Responses)
	category := "unknown"
	if c.score >= 0 {
		category = npsCategory(c.score)
		d.check("nps_score", got.Promoter.Score != nil && *got.Promoter.Score == c.score, c.score, got.Promoter.Score)
	}
	d.check("nps_category", got.Promoter.Category == category, category, got.Promoter.Category)
	if modelled {
		c.model(r.now)
		d.model(got, r.now)
	}
	return d.found
}

func npsCategory(score int) string {
	switch {
	case score >= 9:
		return "promoter"
	case score >= 7:
		return "passive"
	}
	return "detractor"
}

// differ collects the differences of one customer.
type differ struct {
	id    string
	of    *customer
	found []string
}

func (d *differ) check(what string, ok bool, want, is any) {
	if !ok {
		d.found = append(d.found, fmt.Sprintf("customer %s: %s is %v, the recount says %v (%s)", d.id, what, is, want, d.of))
	}
}

func (d *differ) near(what string, want float64, is *float64, within float64) {
	if is == nil {
		d.check(what, false, want, nil)
		return
	}
	d.check(what, math.Abs(want-*is) <= within, want, *is)
}

func (d *differ) model(got *Answers, now time.Time) {
	c := d.of
	class, within := c.class(now)
	d.check("churn_risk", within || got.Churn.Risk == class, class, got.Churn.Risk)
	if len(c.days) > 0 {
		d.near("predicted_number_of_orders", c.expected, got.CLV.Expected, .0005+1e-5*c.expected)
		d.near("predicted_clv", c.predicted/100, got.CLV.Predicted, .005+1e-5*c.predicted/100)
	}
	if len(c.days) > 0 && !c.gone {
		d.bound("predicted_number_of_orders_low", .9, got.CLV.Fewest)
		d.bound("predicted_number_of_orders_high", .1, got.CLV.Most)
		d.near("churn_probability", 1-c.alive, got.Churn.Probability, .00005+1e-9)
		d.near("probability_of_purchase_in_horizon", c.soon, got.Churn.Soon, .00005+1e-9)
	} else {
		d.check("churn_probability", got.Churn.Probability == nil, nil, got.Churn.Probability)
	}
}

// bound checks the least number of orders that is exceeded with no more than the given probability.
func (d *differ) bound(what string, above float64, is *int) {
	const within = .002 // of a probability: the answer leaves out tails of .001
	ok := is != nil && d.of.exceeds(*is) <= above+within && (*is == 0 || d.of.exceeds(*is-1) > above-within)
	d.check(what, ok, fmt.Sprintf("the number exceeded with probability %v", above), is)
}
