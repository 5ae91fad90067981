package output

// Measure is the value of an alert's metric: an amount in minor units, or a number with its decimals. The zero Measure is unknown.
type Measure struct {
	kind     uint8 // 0: unknown, 1: money, 2: number
	decimals uint8
	minor    int64
	number   float64
}

// MoneyMeasure returns an amount in minor units of the base currency.
func MoneyMeasure(minor int64) Measure { return Measure{kind: 1, minor: minor} }

// ProbabilityMeasure returns a probability, 0 to 1.
func ProbabilityMeasure(p float64) Measure {
	return Measure{kind: 2, decimals: probabilityDecimals, number: p}
}

// CountMeasure returns a number of orders or responses, expected or counted.
func CountMeasure(n float64) Measure { return Measure{kind: 2, decimals: countDecimals, number: n} }

// DaysMeasure returns a number of days.
func DaysMeasure(d float64) Measure { return Measure{kind: 2, decimals: dayDecimals, number: d} }

// PercentMeasure returns a percentage or percentile, 0 to 100.
func PercentMeasure(p float64) Measure {
	return Measure{kind: 2, decimals: percentDecimals, number: p}
}

func (l *line) measure(key string, m Measure) {
	if m.kind == 1 {
		l.money(key, m.minor)
		return
	}
	l.optFloat(key, Opt[float64]{Value: m.number, Known: m.kind == 2}, int(m.decimals))
}

// Alert is mainstay.alert.raised.v1 or, if Cleared, mainstay.alert.cleared.v1. Both outputs of an episode have the same AlertID.
type Alert struct {
	About
	AlertID        string
	Cleared        bool
	Rule           string
	Severity       string // info, warning, critical
	Group          string // treated, control; empty: there were no groups, and the output has no such field
	Initial        bool   // opened by a first evaluation, not by a crossing
	RaisedAt       int64
	ClearedAt      Opt[int64]
	ClearedReason  Opt[string]
	ValueAtStake   Opt[int64] // predicted_clv x churn_probability
	Reasons        Reasons
	Metric         string
	Value          Measure
	Threshold      Measure
	ClearThreshold Measure
	Scores         Scores
	Previous       Opt[PreviousAlert]
}

// Scores are the customer's scores when an alert was raised or cleared. Amounts are minor units.
type Scores struct {
	HistoricCLV, PredictedCLV, TotalCLV Opt[int64]
	ValueTier                           Opt[string]
	ChurnProbability                    Opt[float64]
	ChurnRisk                           Opt[string]
	NPSScore                            Opt[int64]
	NPSCategory                         Opt[string]
}

// PreviousAlert is the output last published for the episode.
type PreviousAlert struct {
	Cleared bool
	Value   Measure
}

// Type returns the type of the output.
func (e *Alert) Type() string {
	if e.Cleared {
		return TypeAlertCleared
	}
	return TypeAlertRaised
}

func alertState(cleared bool) string {
	if cleared {
		return "cleared"
	}
	return "raised"
}

// Append appends the output as JSON.
func (e *Alert) Append(dst []byte) []byte {
	l := e.begin(dst, e.Type())
	l.text(`,"alert_id":`, e.AlertID)
	l.text(`,"state":`, alertState(e.Cleared))
	l.text(`,"rule":`, e.Rule)
	l.text(`,"severity":`, e.Severity)
	if e.Group != "" {
		l.text(`,"group":`, e.Group)
	}
	l.bool(`,"initial":`, e.Initial)
	l.time(`,"raised_at":`, e.RaisedAt)
	l.optTime(`,"cleared_at":`, e.ClearedAt)
	l.optText(`,"cleared_reason":`, e.ClearedReason)
	l.optMoney(`,"value_at_stake":`, e.ValueAtStake)
	l.reasons(&e.Reasons)
	l.text(`,"metric":`, e.Metric)
	l.measure(`,"value":`, e.Value)
	l.measure(`,"threshold":`, e.Threshold)
	l.measure(`,"clear_threshold":`, e.ClearThreshold)
	e.Scores.append(&l)
	if p := &e.Previous.Value; e.Previous.Known {
		l.key(`,"previous":{`)
		l.text(`"state":`, alertState(p.Cleared))
		l.measure(`,"value":`, p.Value)
		l.close()
	} else {
		l.key(`,"previous":null`)
	}
	l.close()
	return l.dst
}

func (s *Scores) append(l *line) {
	l.key(`,"scores":{`)
	l.optMoney(`"historic_clv":`, s.HistoricCLV)
	l.optMoney(`,"predicted_clv":`, s.PredictedCLV)
	l.optMoney(`,"total_clv":`, s.TotalCLV)
	l.optText(`,"value_tier":`, s.ValueTier)
	l.optFloat(`,"churn_probability":`, s.ChurnProbability, probabilityDecimals)
	l.optText(`,"churn_risk":`, s.ChurnRisk)
	l.optWhole(`,"nps_score":`, s.NPSScore)
	l.optText(`,"nps_category":`, s.NPSCategory)
	l.close()
}
