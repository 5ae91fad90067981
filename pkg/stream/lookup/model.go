package lookup

import (
	"context"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Model is what all customers are scored and watched with, and how the forecasts so far came out.
type Model struct {
	AsOf        int64              // the least time of the ledger up to which a partition is read, ms; 0: not known yet
	Scoring     processors.Scoring // of the newest parameters
	Changing    bool               // a partition has not come to the newest parameters yet
	HorizonDays uint32             // of the forecasts that are compared with what happened
	Calibration calibration.Totals // of all partitions, since the ledger began
	Rules       []alert.Rule       // of the newest settings
}

// ReadModel reads the terms and the calibration of all partitions. It reads no customer. ErrNoState: a partition has none.
func ReadModel(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis) (*Model, error) {
	all, err := readPartitions(ctx, r, namespace, g)
	if err != nil {
		return nil, err
	}
	return SumModels(all), nil
}

// SumModels adds up the calibration of all partitions, and takes the terms from the one that has the newest parameters.
func SumModels(all []*processors.Partition) *Model {
	m := &Model{}
	settings := uint64(0)
	for i, p := range all {
		if revision, _ := p.SettingsRevision(); i == 0 || revision > settings {
			settings, m.Rules = revision, alert.FromWire(p.Settings().GetAlertRules())
		}
		if base, known := p.BaseTime(); known && (m.AsOf == 0 || base < m.AsOf) {
			m.AsOf = base
		}
		s := p.Scoring()
		m.Changing = m.Changing || i > 0 && s.Version != m.Scoring.Version
		if i == 0 || s.Version > m.Scoring.Version {
			m.Scoring, m.HorizonDays = s, p.Settings().GetPurchaseHorizonDays()
		}
		m.Calibration.Add(new(p.Calibration()))
	}
	return m
}
