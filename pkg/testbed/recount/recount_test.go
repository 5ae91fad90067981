package recount

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCountsWhatNoModelIsNeededFor(t *testing.T) {
	r := New()
	for _, e := range []string{
		`{"type":"purchase","event_id":"1","occurred_at":"2025-01-01T10:00:00Z","customer_id":"a","order_id":"o1","total":10.50}`,
		`{"type":"purchase","event_id":"1","occurred_at":"2025-01-01T10:00:00Z","customer_id":"a","order_id":"o1","total":10.50}`, // again
		`{"type":"purchase","event_id":"2","occurred_at":"2025-01-03T10:00:00Z","customer_id":"a","order_id":"o2","total":4}`,
		`{"type":"cancellation","occurred_at":"2025-01-04T10:00:00Z","kind":"refund","customer_id":"a","order_id":"o1","refund_id":"r1","total":0.50}`,
		`{"type":"cancellation","occurred_at":"2025-01-04T10:00:00Z","kind":"order","customer_id":"a","order_id":"o2"}`,
		`{"type":"cancellation","occurred_at":"2025-01-04T10:00:00Z","kind":"refund","customer_id":"a","order_id":"unsent","refund_id":"r2","total":1}`,
		`{"type":"referral","occurred_at":"2025-01-01T09:00:00Z","referral_id":"x","referrer_customer_id":"b","referred_customer_id":"a","status":"approved"}`,
		`{"type":"referral","occurred_at":"2025-01-02T09:00:00Z","referral_id":"y","referrer_customer_id":"c","referred_customer_id":"a","status":"pending"}`,
		`{"type":"survey","occurred_at":"2025-01-05T09:00:00Z","customer_id":"a","response_id":"s","survey_type":"nps","score":9,"created_at":"2025-01-05T09:00:00Z"}`,
	} {
		require.NoError(t, r.AddEvent([]byte(e)))
	}
	r.Finish()
	a := r.customers["a"]
	require.EqualValues(t, 1, a.orders)
	require.EqualValues(t, 1000, a.standing)
	require.EqualValues(t, 900, a.historic, "less the refund of an order that was not sent")
	require.Equal(t, []int64{20089}, a.days)
	require.Equal(t, "b", a.referrer)
	require.Equal(t, 9, a.score)
	require.EqualValues(t, 900, r.customers["b"].referral)
	require.True(t, r.customers["b"].stored)
	require.False(t, r.customers["c"].stored, "the referral is pending")
	require.Equal(t, time.Date(2025, 1, 5, 9, 0, 0, 0, time.UTC), r.Now())

	var events []string
	r.eachPurchase(func(event string) { events = append(events, event) })
	require.Equal(t, []string{"1"}, events, "a cancelled purchase need not be answered")
	require.Error(t, r.AddEvent([]byte(`{"type":"purchase","total":1.005}`)))
	require.Error(t, r.AddEvent([]byte(`{"type":"other"}`)))
}

func TestEveryDifferenceIsFound(t *testing.T) {
	counted := func() *Recount {
		r := New()
		for day, total := range []string{"10", "20.01"} {
			e := fmt.Sprintf(`{"type":"purchase","event_id":"%d","occurred_at":"2025-01-%02dT00:00:00Z","customer_id":"a","order_id":"%d","total":%s}`, day, 1+10*day, day, total)
			require.NoError(t, r.AddEvent([]byte(e)))
		}
		r.Finish()
		return r
	}
	right := func() *Answers {
		r := counted()
		c := r.customers["a"]
		c.model(r.now)
		predicted, expected, average, between, churn, soon, at := c.predicted/100, c.expected, 15.005, 10.0, 1-c.alive, c.soon, c.lastAt
		a := &Answers{AsOf: r.now, Days: slices.Clone(c.days)}
		a.CLV.Historic, a.CLV.Orders, a.CLV.Predicted, a.CLV.Expected, a.CLV.Average, a.CLV.Between = 30.01, 2, &predicted, &expected, &average, &between
		fewest, most := 0, 0 // the least numbers that are exceeded with probabilities of at most .9 and .1
		for c.exceeds(fewest) > .9 {
			fewest++
		}
		for c.exceeds(most) > .1 {
			most++
		}
		a.CLV.Fewest, a.CLV.Most = &fewest, &most
		a.Churn.Probability, a.Churn.Soon, a.Churn.LastAt, a.Churn.Risk = &churn, &soon, &at, "low"
		a.Promoter.Category = "unknown"
		return a
	}
	require.Empty(t, counted().Differences("a", right(), true))
	wrong := map[string]func(*Answers){
		"as_of":                           func(a *Answers) { a.AsOf = a.AsOf.Add(1) },
		"orders":                          func(a *Answers) { a.CLV.Orders++ },
		"historic_clv":                    func(a *Answers) { a.CLV.Historic += .01 },
		"referral_value":                  func(a *Answers) { a.CLV.Referral = .01 },
		"number of purchase days":         func(a *Answers) { a.Days = a.Days[:1] },
		"purchase day":                    func(a *Answers) { a.Days[1]++ },
		"referrer":                        func(a *Answers) { x := "b"; a.Referrer = &x },
		"average_order_value":             func(a *Answers) { *a.CLV.Average += .01 },
		"average_days_between_orders":     func(a *Answers) { a.CLV.Between = nil },
		"last_order_at":                   func(a *Answers) { a.Churn.LastAt = nil },
		"churn_risk":                      func(a *Answers) { a.Churn.Risk = "high" },
		"churn_probability":               func(a *Answers) { *a.Churn.Probability += .001 },
		"predicted_clv":                   func(a *Answers) { *a.CLV.Predicted += .1 },
		"predicted_number_of_orders":      func(a *Answers) { *a.CLV.Expected += .01 },
		"predicted_number_of_orders_low":  func(a *Answers) { *a.CLV.Fewest++ },
		"predicted_number_of_orders_high": func(a *Answers) { *a.CLV.Most -= 2 },
		"nps_category":                    func(a *Answers) { a.Promoter.Category = "promoter" },
		"response_count":                  func(a *Answers) { a.Promoter.Responses++ },
	}
	for what, change := range wrong {
		a := right()
		change(a)
		all := counted().Differences("a", a, true)
		require.Len(t, all, 1, what)
		require.Contains(t, all[0], what+" is ")
	}
	require.Len(t, counted().Differences("b", right(), true), 1, "a customer whom no event names")
}

func TestSequence(t *testing.T) {
	var s sequence
	for _, n := range []uint64{1, 2, 130, 2} {
		s.add(n)
	}
	require.Equal(t, 1, s.doubled)
	require.Equal(t, 127, s.missing())
}
