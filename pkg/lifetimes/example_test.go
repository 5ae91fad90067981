package lifetimes_test

import (
	"fmt"
	"sort"

	"github.com/mainstay/mainstay/pkg/lifetimes"
)

// Events may arrive in any order; refunds and cancellations reverse their orders.
func ExampleHistory() {
	var h lifetimes.History
	h = h.Add(20100, 4990)     // an order, in cents
	h = h.Add(20130, 2500)     // an order 30 days later
	h = h.Add(20130, 1000)     // a second order of the same day, which is the same purchase
	h = h.Add(20065, 1990)     // a late event: an order before the first
	h = h.Adjust(20100, -1000) // part of an order is refunded
	h = h.Remove(20130, 1000)  // an order is cancelled

	s := h.Summary(20165, 7, 100) // as of day 20165, in weeks and major units
	fmt.Printf("x %d, t_x %.2f weeks, T %.2f weeks, m %.2f\n", s.X, s.Tx, s.T, s.M)
	// Output: x 2, t_x 9.29 weeks, T 14.29 weeks, m 32.45
}

// Fit a model to summaries and score single customers.
func ExampleFitMBGNBD() {
	var rows []lifetimes.Summary
	for i := range 400 {
		// Simulated customers of four kinds.
		first := float64(40 + i%12)
		rows = append(rows, []lifetimes.Summary{
			{T: first}, {T: first + 1}, {X: 1, Tx: 5, T: first}, {X: 6, Tx: first - 3, T: first, M: 25},
		}[i%4])
	}
	fit, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fit.Status, fit.Converged, fit.RepeatBuyers)

	loyal := lifetimes.Summary{X: 6, Tx: 41, T: 44, M: 25}
	lapsed := lifetimes.Summary{X: 6, Tx: 20, T: 44, M: 25}
	fmt.Println("the loyal one is likelier alive:", fit.Model.PAlive(loyal) > fit.Model.PAlive(lapsed))
	fmt.Println("and will buy more:", fit.Model.Expected(loyal, 13) > fit.Model.Expected(lapsed, 13))
	// Output:
	// fitted true 200
	// the loyal one is likelier alive: true
	// and will buy more: true
}

// Compute in advance when P(alive) falls to 0.5 if the customer does not buy again.
func ExampleMBGNBD_AliveUntil() {
	m := lifetimes.MBGNBD{R: 0.525, Alpha: 6.183, A: 0.891, B: 1.614} // CDNOW, weeks
	s := lifetimes.Summary{X: 2, Tx: 30.43, T: 38.86}
	age, _ := m.AliveUntil(s, 0.5)
	fmt.Printf("P(alive) %.2f now, 0.50 in %.1f weeks\n", m.PAlive(s), age-s.T)
	// Output: P(alive) 0.71 now, 0.50 in 18.7 weeks
}

// Compute the discounted value of the purchases within a year.
func ExampleCLV() {
	m := lifetimes.MBGNBD{R: 0.525, Alpha: 6.183, A: 0.891, B: 1.614}
	spend := lifetimes.GammaGamma{P: 6.25, Q: 3.74, V: 15.44}
	v := lifetimes.Valuation{Margin: 0.3, Horizon: 52, Delta: lifetimes.DiscountRate(0.1, 52)}
	for _, s := range []lifetimes.Summary{
		{X: 2, Tx: 30.43, T: 38.86, M: 22.50},
		{T: 38.86},
	} {
		fmt.Printf("%.2f\n", lifetimes.CLV(m, spend, s, v))
	}
	// Output:
	// 11.37
	// 2.00
}

// Train a scorer on histories and rank the customers.
func ExampleTrainScorer() {
	// Customer i buys every 7+i days from day 20000 on, up to a last day.
	shop := map[string]lifetimes.History{}
	var all []lifetimes.History
	for i := range 300 {
		var h lifetimes.History
		for day := 20000 + i%30; day <= 20000+i*7%365; day += 7 + i%40 {
			h = h.Add(int32(day), int64(1000+10*i))
		}
		shop[fmt.Sprintf("customer-%03d", i)] = h
		all = append(all, h)
	}
	const now = 20365
	scorer, training, err := lifetimes.TrainScorer(all, now, lifetimes.ScorerOptions{Horizon: 13})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(training.Status)

	type ranked struct {
		name  string
		score lifetimes.Score
	}
	var list []ranked
	for name, h := range shop {
		list = append(list, ranked{name, scorer.Score(h.Customer(now, 7, 100), 13)})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].score.Expected > list[j].score.Expected })
	fmt.Println("the best is worth more than the middle:", list[0].score.Expected > 2*list[150].score.Expected)
	// Output:
	// fitted
	// the best is worth more than the middle: true
}

// From transactions to fitted models to a ranked list of customers.
func Example() {
	// The orders of a shop: customer, day (counted from 1970-01-01), and amount in cents.
	orders := []struct {
		customer string
		day      int32
		cents    int64
	}{
		{"ada", 20005, 3990},
		{"ada", 20033, 4200},
		{"ada", 20061, 3800},
		{"ada", 20089, 5100},
		{"ada", 20110, 4700},
		{"ben", 20012, 12900},
		{"ben", 20100, 14900},
		{"cy", 20000, 1990},
		{"cy", 20007, 2490},
		{"cy", 20012, 1290},
		{"cy", 20020, 2290},
		{"dot", 20090, 5900},
		{"eve", 20001, 5900},
	}
	shop := map[string]lifetimes.History{}
	for _, o := range orders {
		shop[o.customer] = shop[o.customer].Add(o.day, o.cents)
	}

	// The input of the models for each customer as of today, in weeks and major units.
	const today = 20120
	names := []string{"ada", "ben", "cy", "dot", "eve"}
	var rows []lifetimes.Summary
	for _, name := range names {
		rows = append(rows, shop[name].Summary(today, 7, 100))
	}
	purchases, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, on %d repeat buyers: with five customers the priors dominate\n", purchases.Status, purchases.RepeatBuyers)

	// The value of the purchases within a year, discounted at 10%, with a margin of 30%.
	year := lifetimes.Valuation{Margin: 0.3, Horizon: 52, Delta: lifetimes.DiscountRate(0.1, 52)}
	value := func(i int) float64 { return lifetimes.CLV(purchases.Model, spend.Model, rows[i], year) }
	order := []int{0, 1, 2, 3, 4}
	sort.Slice(order, func(i, j int) bool { return value(order[i]) > value(order[j]) })
	for _, i := range order {
		fmt.Printf("%-4s alive %.2f, orders %4.1f, worth %5.1f\n", names[i],
			purchases.Model.PAlive(rows[i]), purchases.Model.Expected(rows[i], 52), value(i))
	}
	// Output:
	// provisional, on 3 repeat buyers: with five customers the priors dominate
	// ben  alive 0.78, orders  2.6, worth  93.2
	// ada  alive 0.85, orders  6.9, worth  90.9
	// dot  alive 0.64, orders  1.9, worth  33.8
	// eve  alive 0.47, orders  0.7, worth  11.6
	// cy   alive 0.07, orders  0.4, worth   3.1
}
