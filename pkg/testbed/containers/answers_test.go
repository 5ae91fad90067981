//go:build real

package containers

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
)

// answers holds the output of `customer get --output json`.
type answers struct {
	AsOf     time.Time `json:"as_of"`
	Referrer *string   `json:"referrer_customer_id"`
	CLV      struct {
		Sequence  uint64   `json:"sequence"`
		Historic  float64  `json:"historic_clv"`
		Predicted *float64 `json:"predicted_clv"`
		Orders    int64    `json:"historic_number_of_orders"`
		Expected  *float64 `json:"predicted_number_of_orders"`
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

	days []int64 // days of purchase in the state
	text string
}

// readCustomers reads all customers of a namespace from Redis.
func readCustomers(t *testing.T, namespace string, partitions int32) map[string]*answers {
	t.Helper()
	client, err := redis.New(redis.Config{Addresses: []string{store.Address}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	all := map[string]*answers{}
	for p := range partitions {
		err := client.Partition(namespace, p, partitions).ScanCustomers(t.Context(), func(meta redis.Meta, blobs []redis.Blob) error {
			partition, err := processors.DecodePartition(meta.State)
			if err != nil {
				return err
			}
			for _, b := range blobs {
				state, err := customer.Decode(b.Value)
				if err != nil {
					return err
				}
				is := processors.ScoreCustomer(partition, b.ID, state)
				a := &answers{text: string(is.Append(nil))}
				if err := json.Unmarshal([]byte(a.text), a); err != nil {
					return err
				}
				for _, d := range state.Days() {
					a.days = append(a.days, int64(d.Day))
				}
				all[b.ID] = a
			}
			return nil
		})
		require.NoError(t, err)
	}
	return all
}

// requireEqualsRecount compares the answers of every customer with the recount.
func requireEqualsRecount(t *testing.T, facts []fact, got map[string]*answers, now time.Time) {
	t.Helper()
	wanted := recount(t, facts, now)
	require.Len(t, got, len(wanted), "customers")
	differing := 0
	for id, want := range wanted {
		if a := got[id]; a == nil || !want.matches(t, id, a, now) {
			differing++
		}
	}
	require.Zero(t, differing, "customers whose answers differ from the recount, of %d", len(wanted))
	t.Logf("recount as of %s: %d customers, all equal", now.Format(time.RFC3339), len(wanted))
}

// matches reports whether the answers equal the recount, and logs the differences.
func (p *recountedCustomer) matches(t *testing.T, id string, got *answers, now time.Time) bool {
	t.Helper()
	good := true
	check := func(what string, ok bool, want, is any) {
		if !ok {
			good = false
			t.Errorf("customer %s: %s is %v, the recount says %v (%s)", id, what, is, want, p)
		}
	}
	near := func(what string, want float64, is *float64, within float64) {
		if is == nil {
			check(what, false, want, nil)
			return
		}
		check(what, math.Abs(want-*is) <= within, want, *is)
	}
	check("as_of", got.AsOf.Equal(now), now, got.AsOf)
	check("orders", got.CLV.Orders == p.orders, p.orders, got.CLV.Orders)
	near("historic_clv", float64(p.historic)/100, &got.CLV.Historic, 1e-9)
	near("referral_value", float64(p.referral)/100, &got.CLV.Referral, 1e-9)
	check("x", len(got.days) == len(p.days), p.days, got.days)
	for i := range min(len(p.days), len(got.days)) {
		check("purchase day", got.days[i] == p.days[i], p.days[i], got.days[i])
	}
	referrer := ""
	if got.Referrer != nil {
		referrer = *got.Referrer
	}
	check("referrer", referrer == p.referrer, p.referrer, referrer)

	class, within := p.class(now)
	check("churn_risk", within || got.Churn.Risk == class, class, got.Churn.Risk)
	if len(p.days) > 0 {
		near("average_order_value", float64(p.historic)/float64(p.orders)/100, got.CLV.Average, .005+1e-9)
		if x := len(p.days) - 1; x > 0 {
			near("average_days_between_orders", float64(p.days[x]-p.days[0])/float64(x), got.CLV.Between, .05+1e-9)
		}
		near("predicted_number_of_orders", p.expected, got.CLV.Expected, .0005+1e-5*p.expected)
		near("predicted_clv", p.predicted/100, got.CLV.Predicted, .005+1e-5*p.predicted/100)
		check("last_order_at", got.Churn.LastAt != nil && got.Churn.LastAt.Equal(p.lastAt), p.lastAt, got.Churn.LastAt)
	}
	if len(p.days) > 0 && !p.gone {
		near("churn_probability", 1-p.alive, got.Churn.Probability, .00005+1e-9)
		near("probability_of_purchase_in_horizon", p.soon, got.Churn.Soon, .00005+1e-9)
	} else {
		check("churn_probability", got.Churn.Probability == nil, nil, got.Churn.Probability)
	}
	check("response_count", got.Promoter.Responses == p.answered, p.answered, got.Promoter.Responses)
	category := "unknown"
	if p.score >= 0 {
		category = [...]string{"detractor", "passive", "promoter"}[b2i(p.score >= 7)+b2i(p.score >= 9)]
		check("nps_score", got.Promoter.Score != nil && *got.Promoter.Score == p.score, p.score, got.Promoter.Score)
	}
	check("nps_category", got.Promoter.Category == category, category, got.Promoter.Category)
	return good
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// requirePublishedOnce reads all outputs of customers. It requires that the sequence numbers of each customer run from 1 without a gap
// or repetition, and that every purchase that was not cancelled was answered once. It returns the number of outputs.
func requirePublishedOnce(t *testing.T, namespace string, partitions int32, facts []fact) int {
	t.Helper()
	k := client(t)
	sequences := map[string]map[uint64]string{}
	answered := map[string]int{}
	total := 0
	for _, name := range []string{"clv", "churn-risk", "promoter-status", "alerts"} {
		topic := namespace + "." + name + ".v1"
		for p := range partitions {
			ends, err := k.ListOffsets(t.Context(), topic, []int32{p})
			require.NoError(t, err)
			_, err = k.ReadCommitted(t.Context(), topic, p, 0, ends[p].LastStable, func(r kafka.Record) error {
				var o struct {
					ID       string  `json:"event_id"`
					Customer string  `json:"customer_id"`
					Sequence uint64  `json:"sequence"`
					Trigger  string  `json:"trigger"`
					Cause    *string `json:"cause_event_id"`
				}
				if err := json.Unmarshal(r.Value, &o); err != nil {
					return err
				}
				of := sequences[o.Customer]
				if of == nil {
					of = map[uint64]string{}
					sequences[o.Customer] = of
				}
				if before, again := of[o.Sequence]; again {
					t.Errorf("sequence %d of customer %s was published twice: %s and %s", o.Sequence, o.Customer, before, o.ID)
				}
				of[o.Sequence] = o.ID
				if name == "clv" && o.Trigger == "event" && o.Cause != nil {
					answered[*o.Cause]++
				}
				total++
				return nil
			})
			require.NoError(t, err)
		}
	}
	for id, of := range sequences {
		for n := uint64(1); n <= uint64(len(of)); n++ {
			if of[n] == "" {
				t.Errorf("sequence %d of customer %s was not published, %d are", n, id, len(of))
			}
		}
	}
	cancelled := map[string]bool{} // a purchase that arrives after its cancellation changes nothing, so it causes no output
	for _, f := range facts {
		if f.Kind == "order" {
			cancelled[f.Order] = true
		}
	}
	lost, doubled, purchases := 0, 0, 0
	for _, f := range facts {
		if f.Type == "purchase" && f.ID != "" && !cancelled[f.Order] {
			purchases++
			switch n := answered[f.ID]; {
			case n == 0:
				lost++
			case n > 1:
				doubled++
			}
		}
	}
	t.Logf("published: %d outputs of %d customers, sequences without gap; of %d purchases %d were not answered, %d more than once",
		total, len(sequences), purchases, lost, doubled)
	if purchases > 0 {
		require.Zero(t, lost, "purchases not answered")
		require.Zero(t, doubled, "purchases answered more than once")
	}
	return total
}

func client(t *testing.T) *kafka.Client {
	t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{broker.Address}, ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

// waitDrained waits until everything that was sent is processed.
func waitDrained(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	// The tick after the last record follows within a second, and advances base time.
	const tick = 3 * time.Second
	waitCaughtUp(ctx, t, p)
	time.Sleep(tick)
	waitCaughtUp(ctx, t, p)
}

func waitCaughtUp(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	for {
		out, _, err := p.Do(ctx, "status", "--output", "json", "--settle", "5s")
		require.NoError(t, ctx.Err(), "the lag does not reach 0: %s", out)
		if err == nil {
			var s struct {
				Lag *int64 `json:"lag"`
			}
			require.NoError(t, json.Unmarshal(out, &s))
			if s.Lag != nil && *s.Lag == 0 {
				return
			}
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// requireCleanAudit runs an audit, which must find nothing.
func requireCleanAudit(ctx context.Context, t *testing.T, p Program) {
	t.Helper()
	out, code, err := p.Do(ctx, "audit", "--output", "json")
	require.NoError(t, err, "%s", out)
	require.Zero(t, code)
	var r struct {
		Entries, Outputs, Customers int64
		Lost, Doubled, Differing    *int64
		StateMissing                *int64 `json:"state_missing"`
	}
	require.NoError(t, json.Unmarshal(out, &r))
	require.Positive(t, r.Entries)
	require.Positive(t, r.Outputs)
	require.Positive(t, r.Customers)
	for what, n := range map[string]*int64{"lost": r.Lost, "doubled": r.Doubled, "differing": r.Differing, "state_missing": r.StateMissing} {
		require.NotNil(t, n, what)
		require.Zero(t, *n, what)
	}
	t.Log("audit: " + strconv.FormatInt(r.Entries, 10) + " entries folded again, " + strconv.FormatInt(r.Outputs, 10) + " outputs and " +
		strconv.FormatInt(r.Customers, 10) + " customers compared: 0 lost, 0 doubled, 0 differing, 0 missing")
}
