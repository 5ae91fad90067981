package pages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/calibration"
)

// The verdict on the forecasts follows from how many promises there are, and whether more were kept or fewer than chance explains.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		promises, kept [2]int64 // of a tenth with promises of 15%, and one of 85%
		says, withOff  string
	}{
		{[2]int64{50, 49}, [2]int64{7, 42}, "too early to tell", ""},
		{[2]int64{1000, 1000}, [2]int64{150, 850}, "at their word.", ""},
		{[2]int64{1000, 1000}, [2]int64{140, 860}, "at their word.", ""},
		{[2]int64{1000, 1000}, [2]int64{250, 750}, "marked below", "10–20% 80–90%"},
		{[2]int64{1000, 1000}, [2]int64{100, 750}, "too high: 50.0% of the customers were to order in time, 42.5% did", "10–20% 80–90%"},
		{[2]int64{1000, 1000}, [2]int64{250, 900}, "too low: 50.0% of the customers were to order in time, 57.5% did", "10–20% 80–90%"},
		{[2]int64{60, 60}, [2]int64{5, 48}, "at their word.", ""}, // 5.8 points fewer, within chance
	} {
		m := &lookup.Model{HorizonDays: 90}
		for i, tenth := range []int{1, 8} {
			m.Calibration.Promises[tenth], m.Calibration.Kept[tenth] = c.promises[i], c.kept[i]
			m.Calibration.Probability[tenth] = c.promises[i] * []int64{1500, 8500}[i]
		}
		p := &pages{Locale: locale.English()}
		all := p.outcomesOf(&m.Calibration)
		require.Contains(t, p.trust(m, all), c.says)
		off := ""
		for i := range calibration.Tenths {
			if all.tenths[i].off() {
				off += " " + all.tenths[i].name
			}
		}
		if c.withOff != "" {
			c.withOff = " " + c.withOff
		}
		require.Equal(t, c.withOff, off, c.says)
	}
}
