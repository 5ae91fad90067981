package backtest

import (
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
	"github.com/mainstay/mainstay/pkg/models/seasonality"
	"github.com/mainstay/mainstay/processors/season"
)

// inSeason ends the name of a model that counts time by the season's clock.
const inSeason = " in season"

// weeks is the time from the end of a day to the end of another.
func (h *holdout) weeks(from, to int32) float64 {
	return h.clock.Since(float64(from)+1, float64(to)+1) / 7
}

// fitInSeason estimates a season from the purchases up to the split, fits with it the models that a stream can run in season and that
// auto may choose, and adds the season, or why there is none, to the result.
func (h *holdout) fitInSeason(campaigns []season.Campaign, r *Result, begin func(string) error) ([]candidate, error) {
	if err := begin("estimating the season"); err != nil {
		return nil, err
	}
	found, err := seasonality.Fit(h.known, h.split, campaigns)
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	if found.Season == nil {
		r.Notes = append(r.Notes, "No season was compared: "+strings.Join(found.Notes, "; ")+".")
		return nil, nil
	}
	in := h.inSeason(found.Season)
	r.Season = parameters.SeasonOf(found.Season.Encode())
	for day := h.first; day <= h.until; day++ {
		r.Pace = append(r.Pace, Point{h.week(day), in.clock.Pace(day)})
	}
	var out []candidate
	for _, m := range []struct {
		name string
		run  func() (candidate, error)
	}{
		{"Pareto/NBD", func() (candidate, error) { return fitted(in, lifetimes.FitParetoNBD) }},
		{Live, func() (candidate, error) { return fitted(in, lifetimes.FitMBGNBD) }},
	} {
		if err := begin("fitting " + m.name + inSeason); err != nil {
			return nil, err
		}
		c, err := m.run()
		if err != nil {
			return nil, fmt.Errorf("backtest: fit %s%s: %w", m.name, inSeason, err)
		}
		c.name += inSeason
		out = append(out, c)
	}
	return out, nil
}

// inSeason is the same holdout, with times by the clock of a season.
func (h *holdout) inSeason(s *season.Season) *holdout {
	d := parameters.Data{Now: float64(h.split), MinorPerUnit: h.minorPerUnit}.In(s)
	in := *h
	in.clock = season.Trusted(s)
	in.horizon = in.weeks(h.split, h.until)
	in.customers, in.rows = make([]lifetimes.Customer, len(h.customers)), make([]lifetimes.Summary, len(h.rows))
	for i, known := range h.known {
		in.customers[i], _ = d.Customer(known)
		in.rows[i] = in.customers[i].Summary
	}
	return &in
}

// winsBySeason reports whether a model in season predicts better than the same model without, by more than chance, as for
// model.season: auto. A model without a season has nothing to win.
func (r *Result) winsBySeason(m *Model) bool {
	name, seasonal := strings.CutSuffix(m.Name, inSeason)
	if !seasonal {
		return true
	}
	without := r.model(name)
	//mutant:season-by-chance replace return without != nil
	return without != nil && parameters.Better(m.losses, without.losses)
}

func (r *Result) drawPace() picture {
	most := 0.0
	for _, at := range r.Pace {
		most = max(most, at.Total)
	}
	p := newPlot("Season", 0, r.WeeksBefore+r.WeeksAfter, above(most))
	p.scaleY("purchases, as a multiple of the average")
	p.scaleX("weeks from the first purchase")
	p.mark(r.Tracking.SplitWeek, "split "+r.Split)
	p.level(1, "")
	p.line("first thin", r.Pace)
	return picture{
		"Season",
		"How many times as often as on average customers buy on each day, estimated from the purchases before the split: the week, the year, and the events and campaigns that recur.",
		[]key{{"first", "pace"}},
		p.end(),
	}
}
