package backtest

import "github.com/mainstay/mainstay/pkg/models/parameters"

// Result is the result of a backtest. Its JSON is the output of `mainstay backtest --output json`.
type Result struct {
	First            string  `json:"first"` // YYYY-MM-DD, like all days
	Split            string  `json:"split"`
	Until            string  `json:"until"`
	WeeksBefore      float64 `json:"weeks_before"`
	WeeksAfter       float64 `json:"weeks_after"`
	Customers        int     `json:"customers"`     // customers with a purchase up to the split
	RepeatBuyers     int     `json:"repeat_buyers"` // customers with a repeat purchase up to the split
	HoldoutBuyers    int     `json:"holdout_buyers"`
	HoldoutPurchases int     `json:"holdout_purchases"` // purchase days
	HoldoutSpend     float64 `json:"holdout_spend"`     // units of the currency
	Models           []Model `json:"models"`
	Baselines        []Model `json:"baselines"`
	Recommended      string  `json:"recommended"` // name of one of the models that a stream can run
	Choice           string  `json:"choice"`      // its name in the setting model.choice
	// SeasonChoice is the value of the setting model.season that goes with it: off if a season was compared and is not recommended.
	SeasonChoice string   `json:"season_choice"`
	Why          string   `json:"why"`
	Trust        string   `json:"trust"`
	Notes        []string `json:"notes"`
	// Intervals compares the intervals of the recommended model with the purchase days after the split.
	Intervals *Intervals `json:"intervals"`

	// Season is how many times as often as on average customers buy, by the purchases up to the split; nil: no season was compared.
	Season *parameters.Season `json:"season"`

	Pace     []Point  `json:"-"` // of each week, from the first purchase to the end, by Season
	Tracking Tracking `json:"-"`
}

// Model is the result of a model or a simple rule.
type Model struct {
	Name string `json:"name"`
	Measures
	// LogLikelihood is the log-likelihood of the purchases up to the split. For the scorer it is that of its two models, mixed with
	// their weights in the counts. Simple rules have none.
	LogLikelihood *float64 `json:"log_likelihood"`
	// Status, FittedBy ("maximum likelihood" or "weak priors") and Problem describe the fit; they are empty for a simple rule.
	Status   string `json:"status,omitempty"`
	FittedBy string `json:"fitted_by,omitempty"`
	Problem  string `json:"problem,omitempty"`

	losses []float64 // minus the logarithm of the probability of what each customer did, whose mean is minus the log score

	ByFrequency   []Group `json:"-"` // by repeat purchases before the split
	ByProbability []Group `json:"-"` // tenths of the customers by predicted probability, ascending
	Lift          []Group `json:"-"` // tenths of the customers by predicted probability, descending
}

// Measures compare predictions with observations; a measure is nil if it is not defined. See measures.go.
type Measures struct {
	MAE         *float64 `json:"mae"`
	RMSE        *float64 `json:"rmse"`
	Correlation *float64 `json:"correlation"`
	Bias        *float64 `json:"bias"`
	AUC         *float64 `json:"auc"`
	ECE         *float64 `json:"ece"`
	LogScore    *float64 `json:"log_score"`
	SpendMAE    *float64 `json:"spend_mae"`

	// One standard error, from the sampling of customers.
	BiasError *float64 `json:"bias_error"`
	AUCError  *float64 `json:"auc_error"`
}

// Group is a group of customers, with their mean predicted and mean observed value.
type Group struct {
	Name              string
	Customers         int
	Predicted, Actual float64
}

// Tracking is the number of repeat purchases by week, of the customers with a purchase up to the split.
type Tracking struct {
	SplitWeek float64   // from the first purchase
	Actual    []Point   // at the end of each week
	Predicted []Tracked // of the recommended model and of Live
}

// Tracked is the number of repeat purchases by week that a model predicts.
type Tracked struct {
	Name     string
	Fit      []Point // up to the split: expected purchases of all customers from their first purchase on
	Forecast []Point // from the split: actual purchases up to the split plus predicted purchases
}

// Point is a cumulative count at a time in weeks from the first purchase.
type Point struct{ Week, Total float64 }

// model returns the model or rule with the given name, or nil.
func (r *Result) model(name string) *Model {
	for i := range r.Models {
		if r.Models[i].Name == name {
			return &r.Models[i]
		}
	}
	for i := range r.Baselines {
		if r.Baselines[i].Name == name {
			return &r.Baselines[i]
		}
	}
	return nil
}
