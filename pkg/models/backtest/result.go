package backtest

// Result is what a backtest found. Its JSON is the command's --output json.
type Result struct {
	First            string   `json:"first"` // YYYY-MM-DD, as all days
	Split            string   `json:"split"`
	Until            string   `json:"until"`
	WeeksBefore      float64  `json:"weeks_before"`
	WeeksAfter       float64  `json:"weeks_after"`
	Customers        int      `json:"customers"`     // who had bought by the split
	RepeatBuyers     int      `json:"repeat_buyers"` // of them, by the split
	HoldoutBuyers    int      `json:"holdout_buyers"`
	HoldoutPurchases int      `json:"holdout_purchases"` // purchase days
	HoldoutSpend     float64  `json:"holdout_spend"`     // units of money
	Models           []Model  `json:"models"`
	Baselines        []Model  `json:"baselines"`
	Recommended      string   `json:"recommended"` // name of one of the models
	Why              string   `json:"why"`
	Trust            string   `json:"trust"`
	Notes            []string `json:"notes"`

	Tracking Tracking `json:"-"`
}

// Model is how a model or a simple rule did.
type Model struct {
	Name string `json:"name"`
	Measures
	// LogLikelihood is of what came before the split. That of the scorer is of its two models, mixed in the share
	// that its counts have of them. Simple rules have none.
	LogLikelihood *float64 `json:"log_likelihood"`
	// Status, FittedBy ("maximum likelihood" or "weak priors") and Problem are the fit's; a rule has none.
	Status   string `json:"status,omitempty"`
	FittedBy string `json:"fitted_by,omitempty"`
	Problem  string `json:"problem,omitempty"`

	ByFrequency []Group `json:"-"` // by repeat purchases before the split
	ByPromise   []Group `json:"-"` // tenths of the customers by promised probability, rising
	Lift        []Group `json:"-"` // tenths by the same, falling
}

// Measures say how predictions compare with what came; nil where there is nothing to say. See measures.go.
type Measures struct {
	MAE         *float64 `json:"mae"`
	RMSE        *float64 `json:"rmse"`
	Correlation *float64 `json:"correlation"`
	Bias        *float64 `json:"bias"`
	AUC         *float64 `json:"auc"`
	ECE         *float64 `json:"ece"`
	LogScore    *float64 `json:"log_score"`
	SpendMAE    *float64 `json:"spend_mae"`

	// One standard error, by chance of which customers were seen.
	BiasError *float64 `json:"bias_error"`
	AUCError  *float64 `json:"auc_error"`
}

// Group is a number of customers together: what was promised of them, and what came, on average.
type Group struct {
	Name           string
	Customers      int
	Promised, Came float64
}

// Tracking is repeat purchases week by week, of the customers who had bought by the split.
type Tracking struct {
	SplitWeek float64   // from the first purchase
	Actual    []Point   // at the end of each week
	Promised  []Tracked // of the recommended model and of Live
}

// Tracked is the course that a model promised.
type Tracked struct {
	Name     string
	Fit      []Point // up to the split: what it expects of everybody from their first purchase on
	Forecast []Point // from the split: what had come by then, and what it promised of each customer
}

// Point is a cumulative count at a time in weeks from the first purchase.
type Point struct{ Week, Total float64 }

// model is a model or rule by its name; nil if there is none.
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
