package lift_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mainstay/mainstay/pkg/models/lift"
)

var update = flag.Bool("update", false, "write the table of docs/lift.md")

// shop is a shop whose customers order at rates of their own (gamma: shape, and weeks), spend means of their own (inverse gamma), and of
// whom a share has gone when the alert is raised, which nobody can see.
type shop struct {
	name         string
	shape, weeks float64
	gone         float64
}

// spend is that of CDNOW's customers, fitted by Gamma-Gamma: skewed, with the mean of one order about 36.
var spend = struct{ p, q, v float64 }{6.25, 3.74, 15.44}

// halfYear is an experiment: alerts are raised evenly over the first quarter, and each customer is followed for 90 days. Every day
// somebody looks.
type halfYear struct {
	shop      shop
	customers int
	control   float64 // share
	effect    float64 // treated customers order more often by this share
}

const (
	quarter   = 92
	followed  = 90
	perWeek   = 7
	yearWeeks = 52
)

// seen is what the daily looks came to. By measure: repurchase, revenue.
type seen struct {
	ever [2]bool // at any look the bounds excluded 0
	once [2]bool // at the last look, those of a single look would have
	last [2]lift.Comparison
}

func (h *halfYear) run(seed uint64) (s seen) {
	rng := rand.New(rand.NewPCG(seed, 11))
	var treated, control [2]lift.Arm
	for i := range h.customers {
		arms, acted := &treated, true
		if rng.Float64() < h.control {
			arms, acted = &control, false
		}
		predicted, orders, revenue := h.customer(rng, acted)
		arms[0].Add(predicted, math.Min(orders, 1))
		arms[1].Add(predicted, revenue)
		day := func(i int) int { return i * quarter / h.customers }
		if day(i) == day(i+1) {
			continue // the day is not over
		}
		for m := range s.ever {
			c := lift.Compare(&treated[m], &control[m], h.control)
			s.ever[m] = s.ever[m] || c.Shown()
			s.last[m] = c
		}
	}
	for m, c := range s.last {
		n, fewest := float64(h.customers), float64(lift.FewestFor(h.control))
		deviation := (c.High - c.Low) / 2 / math.Sqrt(robbins()*robbins()+math.Log(n/fewest))
		s.once[m] = math.Abs(c.Difference) > 1.96*deviation
	}
	return s
}

// customer draws a customer: what the model predicts after a year's history, how often they order while they are followed, and for how much.
func (h *halfYear) customer(rng *rand.Rand, treated bool) (predicted, orders, revenue float64) {
	rate := distuv.Gamma{Alpha: h.shop.shape, Beta: h.shop.weeks, Src: rng}.Rand()
	scale := distuv.Gamma{Alpha: spend.q, Beta: spend.v, Src: rng}.Rand()
	before := 1 + distuv.Poisson{Lambda: yearWeeks * rate, Src: rng}.Rand()
	sum := distuv.Gamma{Alpha: spend.p * before, Beta: scale, Src: rng}.Rand()
	predicted = (h.shop.shape + before) / (h.shop.weeks + yearWeeks) * spend.p * (spend.v + sum) / (spend.p*before + spend.q - 1)
	if rng.Float64() < h.shop.gone {
		return predicted, 0, 0
	}
	if treated {
		rate *= 1 + h.effect
	}
	if orders = (distuv.Poisson{Lambda: rate * followed / perWeek, Src: rng}).Rand(); orders > 0 {
		revenue = distuv.Gamma{Alpha: spend.p * orders, Beta: scale, Src: rng}.Rand()
	}
	return predicted, orders, revenue
}

// shares returns, by measure, in which share of half-years the bounds ever excluded 0, and those of a single look at the end did.
func (h *halfYear) shares(runs int) (ever, once [2]float64) {
	for seed := range runs {
		s := h.run(uint64(seed))
		for m := range ever {
			if s.ever[m] {
				ever[m] += 1 / float64(runs)
			}
			if s.once[m] {
				once[m] += 1 / float64(runs)
			}
		}
	}
	return ever, once
}

var (
	fortnightly = shop{"order every two weeks, a tenth gone", 2, 4, .1}
	monthly     = shop{"order every month, a tenth gone", 1, 4.35, .1}
	slipping    = shop{"order every month, a third gone", 1, 4.35, 1. / 3}
	yearly      = shop{"order once in a few months (CDNOW), none gone", .243, 4.414, 0}
)

// Where treatment does nothing, at most 5% of half-years show a difference at any of their daily looks, with each measure and share, also
// where revenue is most skewed.
func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	const runs = 1000
	for _, h := range []halfYear{
		{shop: monthly, customers: 2000, control: .5},
		{shop: yearly, customers: 2000, control: .5},
		{shop: yearly, customers: 4000, control: .1},
	} {
		ever, _ := h.shares(runs)
		t.Logf("%s, control %v: %.3f", h.shop.name, h.control, ever)
		for m, share := range ever {
			require.LessOrEqual(t, share, .05, "%s, control %v, measure %d", h.shop.name, h.control, m)
		}
	}
}

// A true effect of 20% on orders, and so on revenue, is found in at least 80% of half-years with 2,000 customers who order once a month.
func TestAnEffectIsFound(t *testing.T) {
	h := halfYear{shop: monthly, customers: 2000, control: .5, effect: .2}
	ever, _ := h.shares(200)
	t.Logf("%.3f", ever)
	require.GreaterOrEqual(t, ever[1], .8)
}

// The table of docs/lift.md says where the power ends, beside that of bounds that allow a single look, which no valid method exceeds by much.
func TestPageHoldsThePower(t *testing.T) {
	var table strings.Builder
	table.WriteString("| customers | found, looking every day | found by a test that allows one look, at the end |\n|---|---|---|\n")
	for _, s := range []shop{fortnightly, monthly, slipping, yearly} {
		h := halfYear{shop: s, customers: 2000, control: .5, effect: .2}
		ever, once := h.shares(200)
		fmt.Fprintf(&table, "| %s | %.0f%% | %.0f%% |\n", s.name, 100*ever[1], 100*once[1])
	}
	file := filepath.Join("..", "..", "..", "docs", "lift.md")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	const begin, end = "<!-- go test ./pkg/models/lift -update -->\n\n", "\n<!-- end -->"
	before, rest, found := strings.Cut(string(content), begin)
	require.True(t, found)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	want := before + begin + table.String() + end + after
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(content), "run go test ./pkg/models/lift -update")
}

// robbins is the a at which 2 (1 - Φ(a) + a φ(a)) is 5%, found by bisection.
func robbins() float64 {
	low, high := 0., 10.
	for range 60 {
		a := (low + high) / 2
		if math.Erfc(a/math.Sqrt2)+2*a*math.Exp(-a*a/2)/math.Sqrt(2*math.Pi) > .05 {
			low = a
		} else {
			high = a
		}
	}
	return low
}

// point is a customer of TestCompareByDefinition.
type point struct{ x, y float64 }

// lineAt fits a line to customers by least squares and reads it at x.
func lineAt(all []point, x float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, c := range all {
		n, sx, sy = n+1, sx+c.x-x, sy+c.y
		sxx, sxy = sxx+(c.x-x)*(c.x-x), sxy+(c.x-x)*c.y
	}
	return (sy*sxx - sx*sxy) / (n*sxx - sx*sx)
}

// The comparison of a small experiment equals what its definition gives: each customer's distance from a line that is drawn without them,
// times what the mean would move if they did one more.
func TestCompareByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	var groups [2][]point
	var arms [2]lift.Arm
	x, n := 0., 900.
	for i := range int(n) {
		c, g := point{x: 100 * rng.ExpFloat64()}, min(1, i%4/3)
		c.y = 50*rng.NormFloat64() + float64(1+g)*c.x/3
		groups[g] = append(groups[g], c)
		arms[g].Add(c.x, c.y)
		x += c.x / n
	}
	variance, spread := 0., 0.
	var at, slope [2]float64
	for g, all := range groups {
		at[g] = lineAt(all, x)
		slope[g] = lineAt(all, x+1) - at[g]
		for i, c := range all {
			without := append(append([]point{}, all[:i]...), all[i+1:]...)
			more := append([]point{}, all...)
			more[i].y++
			off := (c.y - lineAt(without, c.x)) * (lineAt(more, x) - at[g])
			variance += off * off
			spread += (c.x - x) * (c.x - x) / n
		}
	}
	variance += (slope[0] - slope[1]) * (slope[0] - slope[1]) * spread / n
	const share = .25
	wide := math.Sqrt(variance * (robbins()*robbins() + math.Log(n/float64(lift.FewestFor(share)))))
	c := lift.Compare(&arms[0], &arms[1], share)
	require.True(t, c.Bounded)
	require.InEpsilon(t, at[0], c.Treated, 1e-9)
	require.InEpsilon(t, at[1], c.Control, 1e-9)
	require.InEpsilon(t, at[0]-at[1]-wide, c.Low, 1e-6)
	require.InEpsilon(t, at[0]-at[1]+wide, c.High, 1e-6)
	require.True(t, c.Shown())
}

func TestTooFew(t *testing.T) {
	require.Equal(t, 400, lift.FewestFor(.5))
	require.Equal(t, 2000, lift.FewestFor(.1))
	var none, some lift.Arm
	c := lift.Compare(&none, &some, .5)
	require.False(t, c.Shown())
	for i := range 400 {
		arm := &none
		if i%2 == 0 {
			arm = &some
		}
		c = lift.Compare(&none, &some, .5)
		require.False(t, c.Bounded, i)
		arm.Add(1, float64(i%2))
	}
	c = lift.Compare(&none, &some, .5)
	require.True(t, c.Shown(), "of the same prediction, all of one group and none of the other bought")
	require.InDelta(t, 1, c.Low, 1e-9)
}
