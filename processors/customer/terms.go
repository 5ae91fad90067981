package customer

import (
	"math/bits"
	"time"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Milliseconds in a day, and days in the models' unit of time, the week.
const (
	DayMS       = 86_400_000
	DaysPerWeek = 7
)

// Terms are what holds for all customers of a partition at an entry.
type Terms struct {
	Settings   *ledger.SettingsValues
	Model      output.Model
	Purchases  *lifetimes.Prepared  // times in weeks
	Spend      lifetimes.GammaGamma // whole units of Unit; zero: the prior, which knows no scale
	Thresholds *ledger.Thresholds   // nil before the first
	Unit       money.Unit           // of the base currency
	Zone       *time.Location       // nil: UTC
}

// Moment is when an entry folds. All in ms.
type Moment struct {
	Now   int64 // UTC
	Local int64 // the same on the clock of the ledger's timezone, as if that were UTC
	Base  int64 // base time: what is older than a memory by it is forgotten for good
	Based bool  // base time is defined
}

// At is the moment of now.
func (t *Terms) At(now, base int64, based bool) Moment {
	return Moment{Now: now, Local: t.Local(now), Base: base, Based: based}
}

// Local is a UTC time on the clock of the ledger's timezone.
func (t *Terms) Local(ms int64) int64 {
	if t.Zone == nil {
		return ms
	}
	_, offset := time.UnixMilli(ms).In(t.Zone).Zone()
	return ms + int64(offset)*1000
}

// Day is the civil day of a time, counted from 1970-01-01.
func (t *Terms) Day(ms int64) int32 { return dayOf(t.Local(ms)) }

// Until is the UTC time from which the timezone's clock shows local or more; of two, where the clock is set back, the first.
func (t *Terms) Until(local int64) int64 {
	if t.Zone == nil {
		return local
	}
	one := local - (t.Local(local) - local)
	two := local - (t.Local(one) - one)
	early, late := min(one, two), max(one, two)
	if t.Local(early) >= local {
		return early
	}
	for behind := local - t.Local(late); behind > 0; behind = local - t.Local(late) {
		late += behind
	}
	for early+1 < late { // the clock skips that time: from the moment on at which it does
		if middle := early + (late-early)/2; t.Local(middle) >= local {
			late = middle
		} else {
			early = middle
		}
	}
	return late
}

// Convert turns an amount into the base currency, rounded half to even; false when there is no rate for it. Amounts are
// held to 2^52 minor units, so that no sum of a customer's orders leaves int64.
func (t *Terms) Convert(currency string, minor int64) (int64, bool) {
	if currency == t.Unit.Currency {
		return hold(minor), true
	}
	for _, r := range t.Settings.GetRates() {
		if r.GetCurrency() == currency {
			return hold(ratio(minor, r.GetNumerator(), r.GetDenominator())), true
		}
	}
	return 0, false
}

const mostMinor = 1 << 52

func hold(minor int64) int64 { return max(-mostMinor, min(minor, mostMinor)) }

// ratio is v n/d half to even for v >= 0, n and d > 0, saturating.
func ratio(v, n, d int64) int64 {
	by := uint64(d)                               //nolint:gosec // above 0
	high, low := bits.Mul64(uint64(v), uint64(n)) //nolint:gosec // not negative
	if high >= by {
		return mostMinor
	}
	q, r := bits.Div64(high, low, by)
	if half := by - r; r > half || r == half && q&1 == 1 {
		q++
	}
	return int64(min(q, mostMinor))
}

func dayOf(ms int64) int32 {
	d := ms / DayMS
	if ms%DayMS < 0 {
		d--
	}
	return int32(d) //nolint:gosec // an int32 of days is 5.8 million years
}
