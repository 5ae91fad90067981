// Package refit owns fitting the models' parameters to the live customers: it reads every customer's purchase history from
// Redis, fits outside of the fold, validates the fit on a holdout, and appends it to the ledger. From there it takes effect in
// every partition and every replay at the same offset.
//
// It refuses a fit that did not converge, one that predicts the holdout worse than the parameters in force, and one that
// changes nothing. It never writes to Redis.
package refit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Outcome is how a refit ended. It is the value of a metric's label.
type Outcome string

// The outcomes.
const (
	Appended     Outcome = "appended"
	DryRun       Outcome = "dry_run"       // would have been appended
	NoData       Outcome = "no_data"       // no customer has bought twice
	NotConverged Outcome = "not_converged" // refused
	Worse        Outcome = "worse"         // refused: worse than the parameters in force on the holdout
	Unchanged    Outcome = "unchanged"     // the parameters in force fit as well
	Failed       Outcome = "failed"        // an error occurred; it is returned with the outcome
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{Appended, DryRun, NoData, NotConverged, Worse, Unchanged, Failed}
}

// Config configures a refit.
type Config struct {
	Namespace string
	Genesis   *ledger.Genesis
	DryRun    bool
	Timeout   time.Duration // of the transaction
	Random    func() uint64
	// Choice is the model to fit, one of parameters.Choices.
	Choice string
	// Seasons says that a season is fitted where it predicts better; Campaigns are those of the shop.
	Seasons   bool
	Campaigns []season.Campaign
}

// Result is the outcome of a refit, with the figures that led to it.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"` // of a refusal; empty otherwise
	// InForce and Fitted are parameters as the ledger has them. Fitted's version is the next.
	InForce Parameters `json:"in_force"`
	Fitted  Parameters `json:"fitted"`
	Holdout Holdout    `json:"holdout"`
	// Customers with a standing order that were fitted to, RepeatBuyers among them; all of the base, or one of OneOf.
	Customers    int    `json:"customers"`
	RepeatBuyers int    `json:"repeat_buyers"`
	OneOf        uint32 `json:"one_of"`
	// Choice is how the model was chosen; null if it was given.
	Choice *parameters.Choice `json:"choice"`
	// Notes state what could not be fitted, and what stands in its place.
	Notes []string `json:"notes,omitempty"`
}

// Parameters are those of a model, times in weeks, money in units of the base currency. P, q and v are 0 where spend is the
// prior's.
type Parameters struct {
	Version uint64  `json:"version"`
	Season  bool    `json:"season"` // whether they have a season
	Model   string  `json:"model"`
	Status  string  `json:"status"`
	R       float64 `json:"r"`
	Alpha   float64 `json:"alpha"`
	A       float64 `json:"a"`
	B       float64 `json:"b"`
	P       float64 `json:"p"`
	Q       float64 `json:"q"`
	V       float64 `json:"v"`
	// Pareto holds the parameters of Pareto/NBD; null for other models than pareto_nbd and blended.
	Pareto *parameters.Pareto `json:"pareto,omitempty"`
}

func shown(v *ledger.Parameters) Parameters {
	shown := Parameters{
		Version: v.GetVersion(), Season: v.GetSeason() != nil, Model: v.GetModel(), Status: v.GetStatus(),
		R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB(), P: v.GetP(), Q: v.GetQ(), V: v.GetV(),
	}
	if p := v.GetPareto(); p != nil {
		shown.Pareto = &parameters.Pareto{R: p.GetR(), Alpha: p.GetAlpha(), S: p.GetS(), Beta: p.GetBeta()}
	}
	return shown
}

// Run is one refit. A refusal is no error: Result.Outcome says it.
func Run(ctx context.Context, cfg Config, k *kafka.Client, r *redis.Client) (*Result, error) {
	b, err := collect(ctx, r, cfg.Namespace, cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("read the customers to fit to: %w", err)
	}
	b.seasons, b.campaigns = cfg.Seasons, cfg.Campaigns
	result, fitted, err := b.fit(cfg.Choice)
	if err != nil || result.Outcome != Appended {
		return result, err
	}
	if cfg.DryRun {
		result.Outcome = DryRun
		return result, nil
	}
	if err := Append(ctx, cfg, k, fitted); err != nil {
		return nil, err
	}
	return result, nil
}

// fit fits to all that is known, and decides. Appended means: to be appended. The model is choice, or the one that predicted the
// last horizon best if choice is parameters.Auto.
func (b *base) fit(choice string) (*Result, *ledger.Parameters, error) {
	result := &Result{InForce: shown(b.inForce), Customers: len(b.rows), OneOf: b.part}
	refuse := func(o Outcome, format string, args ...any) (*Result, *ledger.Parameters, error) {
		result.Outcome, result.Reason = o, fmt.Sprintf(format, args...)
		return result, nil, nil
	}
	for i := range b.rows {
		if len(b.rows[i].days) > 1 {
			result.RepeatBuyers++
		}
	}
	switch {
	case len(b.rows) == 0:
		return refuse(NoData, "there is no customer with a standing order")
	case result.RepeatBuyers == 0:
		return refuse(NoData, "none of %d customers has bought on two days", len(b.rows))
	}
	data, name, fit, inSeason := b.data(), choice, parameters.Fitted, false
	if name == parameters.Auto || data.Seasons && model.Seasonal(name) {
		chosen, err := parameters.Choose(data, name, parameters.Incumbent{Model: b.inForce.GetModel(), Season: b.inForce.GetSeason() != nil}, b.horizon)
		if err != nil {
			return nil, nil, fmt.Errorf("choose a model: %w", err)
		}
		result.Choice, name, inSeason = chosen, chosen.Model, chosen.Season
		if inSeason {
			fit = parameters.FittedInSeason
		}
	}
	estimate, err := fit(data, name, b.horizon)
	if errors.Is(err, lifetimes.ErrNoData) {
		return refuse(NoData, "no customer had bought by the least base time of the partitions")
	} else if err != nil {
		return nil, nil, fmt.Errorf("fit the models: %w", err)
	}
	fitted := estimate.Parameters
	fitted.Version = b.inForce.GetVersion() + 1
	if fitted.GetV() == 0 { // spend is not fitted: the spend model in force stays
		fitted.P, fitted.Q, fitted.V, fitted.SpendError = b.inForce.GetP(), b.inForce.GetQ(), b.inForce.GetV(), b.inForce.GetSpendError()
	}
	result.Fitted, result.Notes = shown(fitted), estimate.Notes
	if fitted.GetModel() != name || fitted.GetStatus() == string(lifetimes.StatusPrior) {
		return refuse(NotConverged, "%s", strings.Join(estimate.Notes, "; "))
	}
	if result.Holdout, err = b.judge(data, name, inSeason); err != nil {
		return nil, nil, fmt.Errorf("fit to what was known before the holdout: %w", err)
	}
	switch h, v := result.Holdout, b.inForce; {
	case h.Worse():
		return refuse(Worse, "on the last %g days the fit's log loss is %.4f, that of version %d is %.4f", h.Days, h.Candidate, v.GetVersion(), h.InForce)
	case same(v, fitted) && sameSeason(v.GetSeason(), fitted.GetSeason(), int32(b.today)):
		return refuse(Unchanged, "no parameter has moved by a thousandth from version %d", v.GetVersion())
	}
	result.Outcome = Appended
	return result, fitted, nil
}

// same reports whether two sets of parameters are so close that re-scoring all customers would change nothing.
func same(a, b *ledger.Parameters) bool {
	if a.GetModel() != b.GetModel() || a.GetStatus() != b.GetStatus() || a.GetBlend().GetBgNbd() != b.GetBlend().GetBgNbd() ||
		a.GetBlend().GetAliveByPareto() != b.GetBlend().GetAliveByPareto() {
		return false
	}
	one, other := numbers(a), numbers(b)
	for i := range one {
		if math.Abs(one[i]-other[i]) > 1e-3*max(math.Abs(one[i]), math.Abs(other[i])) {
			return false
		}
	}
	return near(a.GetBlend().GetSilence(), b.GetBlend().GetSilence()) && near(a.GetBlend().GetRepeats(), b.GetBlend().GetRepeats()) &&
		near(a.GetBlend().GetValue(), b.GetBlend().GetValue())
}

// sameSeason reports whether no pace of a day differs by a hundredth within the ten years to come.
func sameSeason(a, b *ledger.Season, today int32) bool {
	one, other := season.Trusted(season.Decode(a)), season.Trusted(season.Decode(b))
	for day := today; day < today+3653; day++ {
		if math.Abs(one.Pace(day)-other.Pace(day)) > .01*one.Pace(day) {
			return false
		}
	}
	return true
}

// numbers lists all parameters but percentiles.
func numbers(v *ledger.Parameters) []float64 {
	p, b := v.GetPareto(), v.GetBlend()
	return []float64{
		v.GetR(), v.GetAlpha(), v.GetA(), v.GetB(), v.GetP(), v.GetQ(), v.GetV(), p.GetR(), p.GetAlpha(), p.GetS(), p.GetBeta(),
		b.GetParetoInOdds(), b.GetParetoInCounts(), b.GetLift(), b.GetCentre(), b.GetShift(), b.GetSlope(), b.GetLevel(), b.GetPower(),
		b.GetTypical(), b.GetHorizon(), v.GetOrdersError(), v.GetSpendError(),
	}
}

// near reports whether two distributions differ by less than half a percentile point at every point.
func near(a, b *ledger.Percentiles) bool {
	for _, pair := range [][2]*ledger.Percentiles{{a, b}, {b, a}} {
		other := lifetimes.Percentiles{At: pair[1].GetAt(), Share: pair[1].GetShare()}
		for i, at := range pair[0].GetAt() {
			if math.Abs(other.Of(at)-pair[0].GetShare()[i]) > .005 {
				return false
			}
		}
	}
	return true
}

// Append appends parameters to all partitions of the ledger in one transaction: all have them, or none. Of two that append at
// once the transactional id fences one; the same version twice counts once, since a partition takes higher versions only.
func Append(ctx context.Context, cfg Config, k *kafka.Client, v *ledger.Parameters) error {
	payload, err := v.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode the parameters: %w", err)
	}
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_PARAMETERS, Payload: payload}).MarshalVT()
	if err != nil {
		return fmt.Errorf("encode the entry: %w", err)
	}
	txn, err := k.OpenTransactional(ctx, cfg.Namespace+"-refit", cfg.Timeout)
	if err != nil {
		return fmt.Errorf("append the parameters: %w", err)
	}
	var batches []*kafka.Batch
	for p := range cfg.Genesis.GetPartitions() {
		b := kafka.NewBatch(ledger.Topic(cfg.Namespace), p)
		b.Append(0, ledger.AppendKey(nil, "", cfg.Random()), value, nil)
		batches = append(batches, b)
	}
	if err := txn.Publish(ctx, kafka.Transaction{Batches: batches}); err != nil {
		return fmt.Errorf("append the parameters: %w: it may be done or not; running it again does no harm", err)
	}
	return nil
}
