package customer

import (
	"math"
	"math/bits"
	"time"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Milliseconds in a day, and days in the models' unit of time, the week.
const (
	DayMS       = 86_400_000
	DaysPerWeek = 7
)

// Terms are the settings, parameters and thresholds in force for all customers of a partition at an entry.
type Terms struct {
	Settings  *ledger.SettingsValues
	Model     output.Model         // as outputs name it
	Purchases *lifetimes.Predictor // times in weeks, amounts as in Spend
	Season    *season.Clock        // by which Purchases counts time; nil: civil time
	Spend     lifetimes.GammaGamma // whole units of Unit; zero: the prior, which has no scale
	// Relative standard errors of the expected orders and of the mean value of an order; see ledger.Parameters.
	OrdersError, SpendError float64

	Thresholds *ledger.Thresholds // nil before the first
	Unit       money.Unit         // of the base currency
	Zone       *time.Location     // nil: UTC
}

// HasTiers reports whether the base is large enough for value tiers.
func (t *Terms) HasTiers() bool {
	return t.Thresholds != nil && t.Thresholds.GetCustomers() >= int64(t.Settings.GetTiersMinCustomers())
}

// Moment is the time at which an entry is folded, ms.
type Moment struct {
	Now   int64 // UTC
	Local int64 // Now on the clock of the ledger's time zone, as if that clock showed UTC
	Base  int64 // base time, by which Evict drops what has expired
	Based bool  // false while base time is not defined
}

// At returns the moment of a time and a base time.
func (t *Terms) At(now, base int64, based bool) Moment {
	return Moment{Now: now, Local: t.Local(now), Base: base, Based: based}
}

// Local returns a UTC time on the clock of the ledger's time zone.
func (t *Terms) Local(ms int64) int64 {
	if t.Zone == nil {
		return ms
	}
	_, offset := time.UnixMilli(ms).In(t.Zone).Zone()
	return ms + int64(offset)*1000
}

// Weeks returns the models' time of the next so many civil days.
func (t *Terms) Weeks(m Moment, days float64) float64 {
	return t.Season.Span(float64(m.Local)/DayMS, days) / DaysPerWeek
}

// LocalAt returns the time (ms) on the clock of the ledger's time zone at which a customer whose first purchase day is first has an age in
// the models' time, rounded up.
func (t *Terms) LocalAt(first int32, weeks float64) float64 {
	at := float64(first) + float64(weeks*DaysPerWeek)
	if t.Season != nil {
		at = t.Season.Civil(at + t.Season.Bought(first))
	}
	return math.Ceil(float64(at * DayMS))
}

// Day returns the civil day of a time, counted from 1970-01-01.
func (t *Terms) Day(ms int64) int32 { return dayOf(t.Local(ms)) }

// Until returns the UTC time from which the clock of the time zone shows local or more; the first of two, if the clock is set
// back.
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
	for early+1 < late { // the clock skips local: search for the moment of the skip
		if middle := early + (late-early)/2; t.Local(middle) >= local {
			late = middle
		} else {
			early = middle
		}
	}
	return late
}

// Convert converts an amount into the base currency, rounded half to even; false if there is no rate for the currency. Amounts
// are clamped to 2^52 minor units, so that no sum of a customer's orders overflows int64.
func (t *Terms) Convert(currency string, minor int64) (int64, bool) {
	if currency == t.Unit.Currency {
		return clamp(minor), true
	}
	r := t.rate(currency)
	if r == nil {
		return 0, false
	}
	return clamp(ratio(minor, r.GetNumerator(), r.GetDenominator())), true
}

// rate returns the rate of a currency into the base currency, nil if there is none.
func (t *Terms) rate(currency string) *ledger.Rate {
	for _, r := range t.Settings.GetRates() {
		if r.GetCurrency() == currency {
			return r
		}
	}
	return nil
}

const mostMinor = 1 << 52

func clamp(minor int64) int64 { return max(-mostMinor, min(minor, mostMinor)) }

// ratio returns v n/d, rounded half to even, for v >= 0, n and d > 0, and at most mostMinor.
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
