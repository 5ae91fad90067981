// Package refit owns fitting the models' parameters to the live customers: it reads every customer's purchase history from
// Redis, fits outside of the fold, validates the fit on a holdout, and appends it to the ledger. From there it takes effect in
// every partition and every replay at the same offset.
//
// It refuses a fit that did not converge, one that predicts the holdout worse than the parameters in force, and one that
// changes nothing. It never writes to Redis.
package refit

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
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
}

// Parameters are those of a model, times in weeks, money in units of the base currency. P, q and v are 0 where spend is the
// prior's.
type Parameters struct {
	Version uint64  `json:"version"`
	Model   string  `json:"model"`
	Status  string  `json:"status"`
	R       float64 `json:"r"`
	Alpha   float64 `json:"alpha"`
	A       float64 `json:"a"`
	B       float64 `json:"b"`
	P       float64 `json:"p"`
	Q       float64 `json:"q"`
	V       float64 `json:"v"`
}

func shown(v *ledger.Parameters) Parameters {
	return Parameters{
		Version: v.GetVersion(), Model: v.GetModel(), Status: v.GetStatus(),
		R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB(), P: v.GetP(), Q: v.GetQ(), V: v.GetV(),
	}
}

// Run is one refit. A refusal is no error: Result.Outcome says it.
func Run(ctx context.Context, cfg Config, k *kafka.Client, r *redis.Client) (*Result, error) {
	b, err := collect(ctx, r, cfg.Namespace, cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("read the customers to fit to: %w", err)
	}
	result, fitted, err := b.fit()
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

// fit fits to all that is known, and decides. Appended means: to be appended.
func (b *base) fit() (*Result, *ledger.Parameters, error) {
	rows := make([]lifetimes.Summary, len(b.rows))
	for i := range b.rows {
		rows[i] = b.rows[i].now
	}
	result := &Result{InForce: shown(b.inForce), Customers: len(rows), OneOf: b.part}
	refuse := func(o Outcome, format string, args ...any) (*Result, *ledger.Parameters, error) {
		result.Outcome, result.Reason = o, fmt.Sprintf(format, args...)
		return result, nil, nil
	}
	if len(rows) == 0 {
		return refuse(NoData, "there is no customer with a standing order")
	}
	purchases, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("fit purchases: %w", err)
	}
	result.RepeatBuyers = purchases.RepeatBuyers
	if purchases.Status == lifetimes.StatusPrior {
		return refuse(NoData, "none of %d customers has bought on two days", len(rows))
	}
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("fit spend: %w", err)
	}
	m := purchases.Model
	fitted := &ledger.Parameters{
		Version: b.inForce.GetVersion() + 1, Model: b.inForce.GetModel(), Status: string(purchases.Status), R: m.R, Alpha: m.Alpha, A: m.A, B: m.B,
	}
	if spend.Status != lifetimes.StatusPrior {
		fitted.P, fitted.Q, fitted.V = spend.Model.P, spend.Model.Q, spend.Model.V
	}
	result.Fitted = shown(fitted)
	switch {
	case !purchases.Converged:
		return refuse(NotConverged, "MBG/NBD: %s", purchases.Problem)
	case spend.Status != lifetimes.StatusPrior && !spend.Converged:
		return refuse(NotConverged, "Gamma-Gamma: %s", spend.Problem)
	}
	if err := processors.ValidateParameters(fitted); err != nil {
		return refuse(NotConverged, "%v", err)
	}
	v := b.inForce
	if result.Holdout, err = b.judge(lifetimes.MBGNBD{R: v.GetR(), Alpha: v.GetAlpha(), A: v.GetA(), B: v.GetB()}); err != nil {
		return nil, nil, fmt.Errorf("fit to what was known before the holdout: %w", err)
	}
	switch h := result.Holdout; {
	case h.Worse():
		return refuse(Worse, "on the last %g days the fit's log loss is %.4f, that of version %d is %.4f", h.Days, h.Candidate, v.GetVersion(), h.InForce)
	case same(v, fitted):
		return refuse(Unchanged, "no parameter has moved by a thousandth from version %d", v.GetVersion())
	}
	result.Outcome = Appended
	return result, fitted, nil
}

// same reports whether two sets of parameters are so close that re-scoring all customers would change nothing.
func same(a, b *ledger.Parameters) bool {
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-3*max(math.Abs(x), math.Abs(y)) }
	return a.GetStatus() == b.GetStatus() && near(a.GetR(), b.GetR()) && near(a.GetAlpha(), b.GetAlpha()) && near(a.GetA(), b.GetA()) && near(a.GetB(), b.GetB()) &&
		near(a.GetP(), b.GetP()) && near(a.GetQ(), b.GetQ()) && near(a.GetV(), b.GetV())
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
