package lifetimes

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// FuzzFits fits arbitrary customer bases: each fit returns a named error, a valid model, or
// Converged false with a Problem.
func FuzzFits(f *testing.F) {
	f.Add([]byte{}, int64(700))
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\xff\xff\x00\x00"), int64(400))
	f.Add([]byte("same day, same customer, same price; and again: same day, same price"), int64(-3))
	f.Fuzz(func(t *testing.T, raw []byte, now int64) {
		// Four bytes are an order: customer, day (two bytes), and value, which may be negative.
		var all []History
		for ; len(raw) >= 4 && len(all) < 64; raw = raw[4:] {
			who := int(raw[0]) % 24
			for len(all) <= who {
				all = append(all, nil)
			}
			all[who] = all[who].Add(int32(binary.LittleEndian.Uint16(raw[1:])%2000), int64(int8(raw[3]))*1000)
		}
		today := float64(now % 3000)
		var rows []Summary
		for _, h := range all {
			rows = append(rows, h.SummaryWithGaps(today, 7, 100))
		}
		check := func(name string, m interface{ Validate() error }, d Diagnostics, err error) {
			switch {
			case err != nil:
				for _, named := range []error{ErrSummary, ErrNoPurchase, ErrParameter, ErrNoData, ErrOption, ErrGaps} {
					if errors.Is(err, named) {
						return
					}
				}
				t.Fatalf("%s: an error without a name: %v", name, err)
			case m.Validate() != nil && d.Converged:
				t.Fatalf("%s: converged to %+v: %v", name, m, m.Validate())
			case !d.Converged && d.Problem == "":
				t.Fatalf("%s: no word on why it did not converge: %+v", name, d)
			}
		}
		for _, o := range []FitOptions{{}, {MaximumLikelihood: true}} {
			mbg, err := FitMBGNBD(rows, o)
			check("MBG/NBD", mbg.Model, mbg.Diagnostics, err)
			bg, err := FitBGNBD(rows, o)
			check("BG/NBD", bg.Model, bg.Diagnostics, err)
			pareto, err := FitParetoNBD(rows, o)
			check("Pareto/NBD", pareto.Model, pareto.Diagnostics, err)
			regular, err := FitMBGCNBD(rows, 3, o)
			check("MBG/CNBD-3", regular.Model, regular.Diagnostics, err)
			spend, err := FitGammaGamma(rows, o)
			check("Gamma-Gamma", spend.Model, spend.Diagnostics, err)
		}
		c, _, err := TrainScorer(all, int32(today), ScorerOptions{Horizon: 13})
		if err != nil {
			if !errors.Is(err, ErrNoData) {
				t.Fatal(err)
			}
			return
		}
		for _, h := range all {
			s := c.Score(h.Customer(today, 7, 100), 13)
			if !(s.PAtLeastOne >= 0 && s.PAtLeastOne <= 1) || !(s.Expected >= 0) || math.IsInf(s.Expected, 0) {
				t.Fatalf("%+v of %+v", s, h)
			}
		}
	})
}
