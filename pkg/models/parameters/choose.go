package parameters

import (
	"fmt"
	"math"
	"slices"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/seasonality"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Auto stands for the model that Choose chooses.
const Auto = "auto"

// mostForChoice bounds the time of a choice; the standard error of a difference is small enough at this size.
const mostForChoice = 20_000

// The least data for which models are compared. With less, differences are chance.
const (
	leastKnown  = 50 // customers known at the split
	LeastBuyers = 30 // of them, after it; with fewer the figures of a backtest are not reliable either
)

// The rule of a choice: the lowest log loss, among the models whose error of counts and of the total is near the lowest. The backtest
// recommends by the same limits. The incumbent stays unless the other is better by more than chance, so that refits do not switch back and forth.
const (
	RMSELimit   = 1.02 // of the lowest
	BiasLimit   = 0.10 // above the lowest
	clearlyMore = 1.0  // standard errors
)

// Compared is how well a model predicted the purchases after a split in time, fitted to those before it.
type Compared struct {
	Model   string  `yaml:"model" json:"model"`
	Season  bool    `yaml:"season" json:"season"`     // whether it has the season of the data before the split
	LogLoss float64 `yaml:"log_loss" json:"log_loss"` // mean, of the probability of a purchase
	RMSE    float64 `yaml:"rmse" json:"rmse"`         // of the number of purchase days
	Bias    float64 `yaml:"bias" json:"bias"`         // predicted / actual total - 1

	losses []float64
}

// Choice is a choice of a model, with the figures that led to it.
type Choice struct {
	Model     string     `yaml:"model" json:"model"`
	Season    bool       `yaml:"season" json:"season"` // whether with a season
	Incumbent string     `yaml:"incumbent" json:"incumbent"`
	Days      float64    `yaml:"days" json:"days"`           // after the split
	Customers int        `yaml:"customers" json:"customers"` // known at the split; 0: too few data, and the incumbent stays
	Buyers    int        `yaml:"buyers" json:"buyers"`       // of them, after the split
	Compared  []Compared `yaml:"compared" json:"compared"`
	// NoSeason states why no season was compared, and empty if one was.
	NoSeason []string `yaml:"no_season,omitempty" json:"no_season,omitempty"`

	incumbentSeason bool
}

// Incumbent is what is in force: a model, and whether it has a season.
type Incumbent struct {
	Model  string
	Season bool
}

// Choose compares models on the last horizonDays of the data and chooses one: if name is Auto, of all in which one-time buyers may have stopped,
// and otherwise the named one, with and without a season.
//
// BG/NBD can be had by its name only. It often predicts purchases as well as the others, and purchases are all that a holdout shows; but the stream
// also answers who is lost, and by BG/NBD no one-time buyer ever is.
func Choose(d Data, name string, in Incumbent, horizonDays float64) (*Choice, error) {
	names := []string{name}
	if name == Auto {
		names = slices.DeleteFunc(model.Names(), func(name string) bool {
			//mutant:one-time-buyers-never-stop replace return false
			return !model.OneTimeBuyersStop(name)
		})
	} else if name != in.Model {
		in = Incumbent{Model: name}
	}
	choice := &Choice{Model: in.Model, Season: in.Season && d.Seasons, Incumbent: in.Model, Days: horizonDays, incumbentSeason: in.Season}
	d = d.thinned(mostForChoice)
	h := Split(d, horizonDays)
	if len(h.Known) < leastKnown || h.Buyers() < LeastBuyers {
		return choice, nil
	}
	for _, inSeason := range []bool{false, true} {
		for _, name := range names {
			if inSeason && (!d.Seasons || !model.Seasonal(name)) {
				continue
			}
			v, err := h.Fit(name, inSeason)
			if err != nil {
				return nil, err
			}
			if v != nil && inSeason == (v.GetSeason() != nil) {
				choice.Compared = append(choice.Compared, h.compare(v))
			}
		}
	}
	if h.found != nil && h.found.Season == nil {
		choice.NoSeason = h.found.Notes
	}
	choice.Customers, choice.Buyers = len(h.Known), h.Buyers()
	choice.decide()
	return choice, nil
}

// decide sets the model from what was compared.
func (c *Choice) decide() {
	rmse, bias := math.Inf(1), math.Inf(1)
	for _, m := range c.Compared {
		rmse, bias = min(rmse, m.RMSE), min(bias, math.Abs(m.Bias))
	}
	best := -1
	for i, m := range c.Compared {
		if m.RMSE <= rmse*RMSELimit && math.Abs(m.Bias) <= bias+BiasLimit && (best < 0 || m.LogLoss < c.Compared[best].LogLoss) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	incumbent := slices.IndexFunc(c.Compared, func(m Compared) bool {
		return m.Model == c.Incumbent && m.Season == c.incumbentSeason
	})
	if incumbent < 0 || incumbent != best && Better(c.Compared[best].losses, c.Compared[incumbent].losses) {
		c.Model, c.Season = c.Compared[best].Model, c.Compared[best].Season
	}
}

// Better reports whether the mean of the losses of some customers is less than that of other losses of the same customers by more than
// chance: by more than a standard error.
func Better(losses, others []float64) bool {
	n, sum, squares := float64(len(losses)), 0.0, 0.0
	for i := range losses {
		d := others[i] - losses[i]
		sum += d
		squares += d * d
	}
	variance := squares/n - (sum/n)*(sum/n)
	return variance > 0 && sum/n/math.Sqrt(variance/n) > clearlyMore
}

// Holdout is a history that is split in time.
type Holdout struct {
	Before Data                 // up to the split
	Days   float64              // after it
	Known  []lifetimes.Customer // customers with a purchase up to the split, as of then
	After  []int                // their purchase days after it

	histories []lifetimes.History   // of Known
	found     *seasonality.Estimate // the season before the split; nil until it is asked for
}

// Split splits off the last days of the data.
func Split(d Data, days float64) *Holdout {
	h := &Holdout{Before: d.At(d.Now - days), Days: days}
	for _, history := range d.Histories {
		c, ok := h.Before.Customer(history)
		if !ok {
			continue
		}
		h.Known, h.histories = append(h.Known, c), append(h.histories, history)
		h.After = append(h.After, len(history.Until(d.day()))-len(history.Until(h.Before.day())))
	}
	return h
}

// Buyers is the number of customers with a purchase after the split.
func (h *Holdout) Buyers() int {
	n := 0
	for _, after := range h.After {
		n += min(after, 1)
	}
	return n
}

// Fit fits the named model to the purchases before the split, with the season that they show or without one; nil if the fit cannot be used.
func (h *Holdout) Fit(name string, inSeason bool) (*ledger.Parameters, error) {
	d := h.Before
	if inSeason && model.Seasonal(name) {
		if h.found == nil {
			found, err := seasonality.Fit(d.Histories, d.day(), d.Campaigns)
			if err != nil {
				return nil, fmt.Errorf("fit a season: %w", err)
			}
			h.found = found
		}
		d = d.In(h.found.Season)
	}
	e, problem, err := fitModel(d, d.rows(), name, h.Days)
	if e != nil {
		e.Parameters.Season = d.season.Encode()
	}
	if err != nil || problem != "" || e.Parameters.GetStatus() == string(lifetimes.StatusPrior) {
		return nil, err
	}
	return e.Parameters, nil
}

// Losses returns, for each customer, minus the logarithm of the probability that the parameters gave to what happened after the
// split: a purchase or none.
func (h *Holdout) Losses(v *ledger.Parameters) []float64 { return h.compare(v).losses }

func (h *Holdout) compare(v *ledger.Parameters) Compared {
	d := h.Before.In(season.Decode(v.GetSeason()))
	p, weeks := model.New(v), d.Weeks(h.Days)
	c := Compared{Model: v.GetModel(), Season: d.clock != nil, losses: make([]float64, len(h.Known))}
	predicted, actual, squares := 0.0, 0.0, 0.0
	for i, one := range h.Known {
		if d.clock != nil {
			one, _ = d.Customer(h.histories[i])
		}
		c.losses[i] = loss(p.PAtLeastOne(one, weeks), h.After[i] > 0)
		c.LogLoss += c.losses[i]
		expected := p.Expected(one, weeks)
		miss := expected - float64(h.After[i])
		predicted, actual, squares = predicted+expected, actual+float64(h.After[i]), squares+miss*miss
	}
	n := float64(len(h.Known))
	c.LogLoss /= n
	c.RMSE, c.Bias = math.Sqrt(squares/n), predicted/math.Max(actual, 1)-1
	return c
}

// loss is minus the log of the probability of what happened, bounded so that one customer cannot make it infinite.
func loss(p float64, happened bool) float64 {
	const least = 1e-6
	if !happened {
		p = 1 - p
	}
	return -math.Log(min(max(p, least), 1))
}
