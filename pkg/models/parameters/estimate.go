package parameters

import (
	"fmt"
	"math"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/seasonality"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Data is the history to fit to.
type Data struct {
	Histories []lifetimes.History
	// Now is the time at which customers are evaluated, in days since 1970-01-01; later purchase days are ignored.
	Now float64
	// MinorPerUnit is the number of minor units per unit of the currency.
	MinorPerUnit float64
	// Seasons says that models are compared with a season too. Campaigns are those of the shop; a multiplier of 0 is to be estimated.
	Seasons   bool
	Campaigns []season.Campaign

	season *season.Season // by whose clock the models count time; nil: none
	clock  *season.Clock
}

// Estimate is what a fit found.
type Estimate struct {
	// Parameters has version 0. P, q and v are 0 where spend could not be fitted.
	Parameters  *ledger.Parameters
	Diagnostics Diagnostics
	// Notes state what the fit fell back to, and why; empty if it is what was asked for.
	Notes []string

	ordersError func(rows []lifetimes.Summary) float64 // of the fit
}

// The most customers to which the models are fitted whose fit takes long. At 50,000 customers a parameter is known to its second
// digit at least. A larger base is thinned evenly.
const mostForPareto = 50_000

const daysPerWeek = 7

// At returns the data as they were at an earlier time.
func (d Data) At(now float64) Data {
	d.Now = now
	return d
}

// thinned keeps every n-th history, so that at most so many are left.
func (d Data) thinned(most int) Data {
	step := (len(d.Histories) + most - 1) / most
	if step <= 1 {
		return d
	}
	kept := make([]lifetimes.History, 0, most)
	for i := 0; i < len(d.Histories); i += step {
		kept = append(kept, d.Histories[i])
	}
	d.Histories = kept
	return d
}

// In returns the data with a season, which must pass Validate; nil for none.
func (d Data) In(s *season.Season) Data {
	d.season, d.clock = s, season.Trusted(s)
	return d
}

// Weeks is the models' time of the next so many days.
func (d Data) Weeks(days float64) float64 {
	return d.clock.Span(float64(d.day())+1, days) / daysPerWeek
}

// day is the last civil day of the data.
func (d Data) day() int32 { return int32(math.Floor(d.Now)) }

// Customer returns the models' input for a history; false without a purchase by now.
func (d Data) Customer(h lifetimes.History) (lifetimes.Customer, bool) {
	h = h.Until(d.day())
	c := h.Customer(d.Now, daysPerWeek, d.MinorPerUnit)
	if d.clock != nil && len(h) > 0 {
		from := d.clock.Bought(h[0].Day)
		c.Tx += (d.clock.Bought(h[len(h)-1].Day) - from) / daysPerWeek
		c.T = max(c.T+(d.clock.Bought(d.day())-from)/daysPerWeek, c.Tx)
	}
	return c, len(h) > 0
}

func (d Data) rows() []lifetimes.Summary {
	rows := make([]lifetimes.Summary, 0, len(d.Histories))
	for _, h := range d.Histories {
		if c, ok := d.Customer(h); ok {
			rows = append(rows, c.Summary)
		}
	}
	return rows
}

// Fitted fits the named model of purchases (model.Names) and Gamma-Gamma with their weak priors. horizonDays is the time span for
// which the blended scorer is trained. It never fails for lack of data: if the model's fit does not converge, MBG/NBD is fitted
// instead, and if that fails too, or no customer has bought twice, the result is the prior. If spend cannot be fitted, as if all
// orders have the same value, it is left out. Estimate.Notes says so. The error is lifetimes.ErrNoData without a customer who has
// bought by now, or that of a history that no customer can have.
func Fitted(d Data, name string, horizonDays float64) (*Estimate, error) {
	if d.season != nil && !model.Seasonal(name) {
		d = d.In(nil)
	}
	rows := d.rows()
	if len(rows) == 0 {
		return nil, fmt.Errorf("parameters: %w: no customer had bought by %s", lifetimes.ErrNoData, civil(d.day()))
	}
	e, err := fitPurchases(d, rows, name, horizonDays)
	if err != nil {
		return nil, err
	}
	spendError, err := e.fitSpend(rows)
	if err != nil {
		return nil, err
	}
	model.SetErrors(e.Parameters, e.ordersError(rows), spendError)
	return e, nil
}

// FittedInSeason is Fitted with the season that the data show.
func FittedInSeason(d Data, name string, horizonDays float64) (*Estimate, error) {
	found, err := seasonality.Fit(d.Histories, d.day(), d.Campaigns)
	if err != nil {
		return nil, fmt.Errorf("parameters: fit a season: %w", err)
	}
	e, err := Fitted(d.In(found.Season), name, horizonDays)
	if err == nil {
		e.Notes = append(e.Notes, found.Notes...)
	}
	return e, err
}

// ordersError returns the relative standard error of the orders that a model expects of the customers within a year. A sample is
// enough: the customers differ less than the parameters.
func ordersError[M lifetimes.PurchaseModel](fit *lifetimes.Fit[M], rows []lifetimes.Summary) float64 {
	const most, weeks = 1000, 52
	step := (len(rows) + most - 1) / most
	return fit.RelativeError(func(m M) float64 {
		sum := 0.0
		for i := 0; i < len(rows); i += step {
			sum += m.Expected(rows[i], weeks)
		}
		return sum
	})
}

func fitPurchases(d Data, rows []lifetimes.Summary, name string, horizonDays float64) (*Estimate, error) {
	e, problem, err := fitModel(d, rows, name, horizonDays)
	if err == nil {
		e.Parameters.Season = d.season.Encode()
	}
	if err != nil {
		return nil, fmt.Errorf("parameters: fit %s: %w", name, err)
	}
	if problem == "" {
		return e, nil
	}
	note := fmt.Sprintf("%s could not be fitted to %d customers, %d of them repeat buyers: %s", name, e.Diagnostics.Customers, e.Diagnostics.RepeatBuyers, problem)
	if name != model.MBGNBD {
		e, err = fitPurchases(d, rows, model.MBGNBD, horizonDays)
		if err == nil {
			e.Notes = append([]string{note + "; this is " + e.Parameters.GetModel()}, e.Notes...)
		}
		return e, err
	}
	prior := Estimate{Parameters: &ledger.Parameters{Status: string(lifetimes.StatusPrior), Season: d.season.Encode()}, Diagnostics: e.Diagnostics}
	prior.ordersError = func([]lifetimes.Summary) float64 { return lifetimes.PriorRelativeError }
	prior.Diagnostics.Converged, prior.Diagnostics.StandardErrors = true, nil
	prior.Notes = append(prior.Notes, note+"; this is the prior")
	return &prior, model.SetPurchases(prior.Parameters, lifetimes.PriorMBGNBD())
}

// fitModel fits one model. The problem is empty if the fit can be used.
func fitModel(d Data, rows []lifetimes.Summary, name string, horizonDays float64) (e *Estimate, problem string, err error) {
	o := lifetimes.FitOptions{}
	switch name {
	case model.BGNBD:
		return estimate(lifetimes.FitBGNBD(rows, o))
	case model.ParetoNBD:
		rows := d.thinned(mostForPareto).rows()
		return estimate(lifetimes.FitParetoNBD(rows, o))
	case model.Blended:
		return trainScorer(d.thinned(mostForPareto), horizonDays)
	default:
		return estimate(lifetimes.FitMBGNBD(rows, o))
	}
}

// estimate converts a fit of a single model.
func estimate[M lifetimes.PurchaseModel](fit lifetimes.Fit[M], err error) (*Estimate, string, error) {
	if err != nil {
		return nil, "", err
	}
	e := &Estimate{Parameters: &ledger.Parameters{Status: string(fit.Status)}, Diagnostics: diagnostics(fit.Diagnostics)}
	if err := model.SetPurchases(e.Parameters, fit.Model); err != nil {
		return nil, "", err
	}
	e.ordersError = func(rows []lifetimes.Summary) float64 { return ordersError(&fit, rows) }
	errors := new(ledger.Parameters)
	if err := model.SetPurchases(errors, fit.StandardErrors); err != nil {
		return nil, "", err
	}
	e.Diagnostics.StandardErrors, e.Diagnostics.ParetoErrors = purchasesOf(errors), paretoOf(errors)
	return e, unusable(fit.Diagnostics, e.Parameters), nil
}

func trainScorer(d Data, horizonDays float64) (*Estimate, string, error) {
	c, training, err := lifetimes.TrainScorer(d.Histories, d.day(), lifetimes.ScorerOptions{
		Horizon: horizonDays / daysPerWeek, MinorPerUnit: d.MinorPerUnit, SingleStage: true,
	})
	if err != nil {
		return nil, "", err
	}
	e := &Estimate{Parameters: &ledger.Parameters{Status: string(training.Status)}, Diagnostics: diagnostics(training.Regular.Diagnostics)}
	// The two models are fitted to the same data, so the errors of their blend are nearly those of one.
	e.ordersError = func(rows []lifetimes.Summary) float64 { return ordersError(&training.Regular, rows) }
	if err := model.SetScorer(e.Parameters, c); err != nil {
		return nil, "", err
	}
	if training.Status == lifetimes.StatusPrior {
		return e, "no customer has bought on two days", nil
	}
	return e, unusable(training.Regular.Diagnostics, e.Parameters), nil
}

// unusable returns why parameters must not be used; empty if they can be.
func unusable(d lifetimes.Diagnostics, v *ledger.Parameters) string {
	if !d.Converged {
		return d.Problem
	}
	if err := model.Validate(v); err != nil {
		return err.Error()
	}
	return ""
}

func diagnostics(d lifetimes.Diagnostics) Diagnostics {
	return Diagnostics{
		Converged: d.Converged, Customers: d.Customers, RepeatBuyers: d.RepeatBuyers,
		LogLikelihood: d.LogLikelihood, GradientNorm: d.GradientNorm,
	}
}

// fitSpend adds the spend model, or a note that it is left out. It returns the relative standard error of the mean value.
func (e *Estimate) fitSpend(rows []lifetimes.Summary) (float64, error) {
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	if err != nil {
		return 0, fmt.Errorf("parameters: fit spend: %w", err)
	}
	leaveOut := func(reason string) {
		e.Notes = append(e.Notes, "spend is not fitted: "+reason+"; each customer's own average is used")
	}
	switch {
	case spend.Status == lifetimes.StatusPrior:
		leaveOut("no customer has a repeat purchase with a value")
	case onePrice(rows):
		leaveOut("all repeat purchases have the same value")
	case !spend.Converged:
		leaveOut(fmt.Sprintf("Gamma-Gamma on %d repeat buyers: %s", spend.RepeatBuyers, spend.Problem))
	default:
		m, s := spend.Model, Spend(spend.StandardErrors)
		e.Parameters.P, e.Parameters.Q, e.Parameters.V = m.P, m.Q, m.V
		e.Diagnostics.SpendErrors = &s
		return spend.RelativeError(func(m lifetimes.GammaGamma) float64 { return m.ExpectedSpend(0, 0) }), nil
	}
	return 0, nil
}

// onePrice reports whether the mean value of a repeat purchase is the same for all customers who have one. Such values have no
// spread, and the likelihood of Gamma-Gamma no maximum.
func onePrice(rows []lifetimes.Summary) bool {
	least, most := math.Inf(1), 0.0
	for _, s := range rows {
		if s.X > 0 && s.M > 0 {
			least, most = min(least, s.M), max(most, s.M)
		}
	}
	return most <= least*(1+1e-9)
}
