package season

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func dayOf(text string) int32 {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return int32(t.Unix() / 86400)
}

// shop is a season with everything that one can have.
func shop() *Season {
	return &Season{
		Weekly: []float64{.8, .9, 1, 1.1, 1.4, 1.2, .5},
		Yearly: []float64{.7, .7, .9, 1, 1.1, 1, .8, .8, 1, 1.1, 1.6, 1.9},
		Events: []Event{{"black_friday", 4}, {"nowruz", 2}, {"ramadan", .6}, {"eid_al_fitr", 1.7}},
		Campaigns: []Campaign{
			{"summer", dayOf("2025-07-01"), dayOf("2025-07-07"), 2},
			{"summer", dayOf("2026-07-01"), dayOf("2026-07-10"), 2},
			{"birthday", dayOf("2026-07-11"), dayOf("2026-07-11"), 3},
		},
	}
}

func drawSeason(t *rapid.T) *Season {
	multiplier := rapid.Float64Range(.6, 1.8)
	s := new(Season)
	if rapid.Bool().Draw(t, "weekly") {
		s.Weekly = rapid.SliceOfN(multiplier, WeekDays, WeekDays).Draw(t, "week days")
	}
	if rapid.Bool().Draw(t, "yearly") {
		s.Yearly = rapid.SliceOfN(multiplier, Months, Months).Draw(t, "months")
	}
	for _, name := range Events() {
		if rapid.Bool().Draw(t, name) {
			s.Events = append(s.Events, Event{name, rapid.Float64Range(.8, 1.5).Draw(t, "of "+name)})
		}
	}
	at := dayOf("2019-01-01")
	for range rapid.IntRange(0, 4).Draw(t, "campaigns") {
		at += rapid.Int32Range(1, 200).Draw(t, "pause")
		last := at + rapid.Int32Range(0, 20).Draw(t, "days")
		s.Campaigns = append(s.Campaigns, Campaign{"c", at, last, multiplier.Draw(t, "lift")})
		at = last
	}
	return s
}

func made(t require.TestingT, s *Season) *Clock {
	c, err := NewClock(s)
	require.NoError(t, err)
	return c
}

// TestClockAndItsInverse: the clock never goes back, shows civil time at the beginning of each year, and Civil is the inverse of At.
func TestClockAndItsInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := made(t, drawSeason(t))
		year := rapid.IntRange(1985, 2080).Draw(t, "year")
		begin := float64(yearBegins(year))
		require.Equal(t, begin, c.At(begin))
		require.Equal(t, begin, c.Civil(begin))

		x := rapid.Float64Range(7000, 40000).Draw(t, "civil")
		later := x + rapid.Float64Range(1.0/86_400_000, 1000).Draw(t, "later")
		require.GreaterOrEqual(t, c.At(later), c.At(x))
		require.InDelta(t, x, c.Civil(c.At(x)), 1e-8)
		require.InDelta(t, x, c.At(c.Civil(x)), 1e-9)
		require.InDelta(t, c.At(later)-c.At(x), c.Since(x, later), 1e-9)
		require.InDelta(t, c.Since(x, later), c.Span(x, later-x), 1e-9)
	})
}

// TestClockSumsThePace compares the clock with sums of the multipliers, day by day, scaled by their mean over the year.
func TestClockSumsThePace(t *testing.T) {
	s := shop()
	s.Yearly = nil
	c := made(t, s)
	events := map[string]float64{ // days of 2025, from an almanac
		"2025-11-28": 4, "2025-11-29": 4, "2025-11-30": 4, "2025-12-01": 4,
		"2025-07-01": 2, "2025-07-02": 2, "2025-07-03": 2, "2025-07-04": 2, "2025-07-05": 2, "2025-07-06": 2, "2025-07-07": 2,
		"2025-03-30": 1.7, "2025-03-31": 1.7, "2025-04-01": 1.7,
	}
	pace := func(at time.Time) float64 {
		v := map[time.Weekday]float64{time.Monday: .8, time.Tuesday: .9, time.Wednesday: 1, time.Thursday: 1.1, time.Friday: 1.4, time.Saturday: 1.2, time.Sunday: .5}[at.Weekday()]
		if e, ok := events[at.Format(time.DateOnly)]; ok {
			v *= e
		}
		if at.Month() == time.March && at.Day() <= 29 {
			v *= .6 // Ramadan 1446: March 1 to 29
		}
		if at.Month() == time.March && at.Day() >= 7 && at.Day() <= 20 {
			v *= 2 // Nowruz 1404: March 21
		}
		return v
	}
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	total := 0.0
	for i := range 365 {
		total += pace(begin.AddDate(0, 0, i))
	}
	sum, first := 0.0, float64(begin.Unix()/86400)
	for i := range 365 {
		at := begin.AddDate(0, 0, i)
		require.InDelta(t, first+sum*365/total, c.At(first+float64(i)), 1e-9, at)
		require.InDelta(t, pace(at)*365/total, c.Pace(int32(first)+int32(i)), 1e-9, at)
		sum += pace(at)
	}
}

// TestSeasonOf1 verifies that a season of 1, in whatever form, leaves every time as it is, bit for bit.
func TestSeasonOf1(t *testing.T) {
	ones := &Season{
		Weekly: slices.Repeat([]float64{1}, WeekDays), Yearly: slices.Repeat([]float64{1}, Months), Events: []Event{{"black_friday", 1}, {"ramadan", 1}},
		Campaigns: []Campaign{{"c", 20000, 20010, 1}},
	}
	require.Nil(t, made(t, new(Season)))
	for _, c := range []*Clock{nil, made(t, ones)} {
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.Float64Range(-1000, 60000).Draw(t, "civil")
			days := rapid.Float64Range(0, 4000).Draw(t, "days")
			require.Equal(t, x, c.At(x))
			require.Equal(t, x, c.Civil(x))
			require.Equal(t, days, c.Span(x, days))
			require.Equal(t, days-x, c.Since(x, days))
			require.Zero(t, c.Bought(int32(x)))
		})
	}
}

// TestClockIsTheSameEverywhere compares all bits of a table with those of the machine on which the test was written: no
// compiler may fuse two operations, and no function of the machine may take part.
func TestClockIsTheSameEverywhere(t *testing.T) {
	h := fnv.New64a()
	for year, c := 0, made(t, shop()); year < years; year++ {
		for _, v := range c.table(year) {
			require.NoError(t, binary.Write(h, binary.BigEndian, math.Float64bits(v)))
		}
	}
	require.Equal(t, uint64(0xd46037a008abd935), h.Sum64())
}

// TestYearly: the shape lies between its control points, follows them, and has no jump at the new year.
func TestYearly(t *testing.T) {
	s := &Season{Yearly: []float64{.7, .7, .9, 1, 1.1, 1, .8, .8, 1, 1.1, 1.6, 1.9}}
	yearly := func(day int32) float64 {
		begin := yearBegins(2024)
		for _, year := range []int{2025, 2026} {
			if first := yearBegins(year); day >= first {
				begin = first
			}
		}
		return s.yearly(day-begin, map[int32]int32{yearBegins(2024): 366, yearBegins(2025): 365, yearBegins(2026): 365}[begin])
	}
	before := yearly(dayOf("2024-12-31"))
	for day := dayOf("2025-01-01"); day <= dayOf("2026-01-01"); day++ {
		v := yearly(day)
		require.InDelta(t, before, v, .04, civil(day))
		require.True(t, v > .7 && v < 1.9, civil(day))
		before = v
		_, weights := Spline(day)
		require.InDelta(t, 1, weights[0]+weights[1]+weights[2]+weights[3], 1e-15)
		require.GreaterOrEqual(t, slices.Min(weights[:]), 0.0)
	}
	require.InDelta(t, (1.6+4*1.9+.7)/6, yearly(dayOf("2025-12-16")), .01)
}

// TestOccurrences compares the rules with almanacs.
func TestOccurrences(t *testing.T) {
	for name, firsts := range map[string][]string{
		"black_friday":    {"2023-11-24", "2024-11-29", "2025-11-28"},
		"christmas":       {"2023-12-01", "2024-12-01", "2025-12-01"},
		"nowruz":          {"2023-03-07", "2024-03-06", "2025-03-07"},
		"nowruz_holidays": {"2023-03-21", "2024-03-20", "2025-03-21"},
		"ramadan":         {"2023-03-23", "2024-03-11", "2025-03-01"},
		"eid_al_fitr":     {"2023-04-21", "2024-04-10", "2025-03-30"},
		"eid_al_adha":     {"2023-06-28", "2024-06-16", "2025-06-06"},
	} {
		var got []string
		for _, days := range Occurrences(name, dayOf("2023-02-01"), dayOf("2026-01-01")) {
			got = append(got, civil(days[0]))
		}
		require.Equal(t, firsts, got, name)
	}
	for _, name := range Events() { // over all years, without a gap
		all := Occurrences(name, firstDay(), endDay()-1)
		for i := 1; i < len(all); i++ {
			gap := all[i][0] - all[i-1][0]
			require.True(t, gap >= 353 && gap <= 372, "%s: %s after %s", name, civil(all[i][0]), civil(all[i-1][0]))
		}
		require.Less(t, all[0][0], firstDay()+372, name)
		require.Greater(t, all[len(all)-1][1], endDay()-373, name)
	}
	require.Len(t, Occurrences("black_friday", dayOf("2025-12-01"), dayOf("2025-12-01")), 1, "its last day")
	require.Empty(t, Occurrences("black_friday", dayOf("2025-12-02"), dayOf("2026-11-26")))
	require.Empty(t, Occurrences("easter", 0, 20000))
}

func TestValidate(t *testing.T) {
	require.NoError(t, shop().Validate())
	for name, c := range map[string]struct {
		spoil func(s *Season)
		err   error
		says  string
	}{
		"not positive":      {func(s *Season) { s.Weekly[6] = 0 }, ErrPace, "multiplier of Sunday is 0"},
		"negative":          {func(s *Season) { s.Yearly[1] = -1 }, ErrPace, "multiplier of February is -1"},
		"not a number":      {func(s *Season) { s.Events[0].Multiplier = math.NaN() }, ErrPace, "multiplier of black_friday is NaN"},
		"infinite":          {func(s *Season) { s.Campaigns[0].Multiplier = math.Inf(1) }, ErrPace, "multiplier of campaign summer is +Inf"},
		"six days":          {func(s *Season) { s.Weekly = s.Weekly[:6] }, ErrPace, "6 weekly multipliers, want 7"},
		"eleven months":     {func(s *Season) { s.Yearly = s.Yearly[:11] }, ErrPace, "11 yearly multipliers, want 12"},
		"product too small": {func(s *Season) { s.Weekly[6], s.Events[2].Multiplier = .05, .05 }, ErrPace, "the pace of 1990-"},
		"unknown event":     {func(s *Season) { s.Events[0].Name = "easter" }, ErrEvent, `"easter"; this release has black_friday`},
		"event twice":       {func(s *Season) { s.Events[1].Name = "black_friday" }, ErrOverlap, "black_friday is given twice"},
		"campaigns overlap": {func(s *Season) { s.Campaigns[2].First-- }, ErrOverlap, "summer=2026-07-01..2026-07-10 and birthday=2026-07-10..2026-07-11"},
		"event's name":      {func(s *Season) { s.Campaigns[2].Name = "ramadan" }, ErrOverlap, "campaign ramadan has the name of an event"},
		"no name":           {func(s *Season) { s.Campaigns[2].Name = "" }, ErrEvent, "needs a name"},
		"ends before":       {func(s *Season) { s.Campaigns[2].Last-- }, ErrEvent, "ends before it begins"},
		"too early":         {func(s *Season) { s.Campaigns[0].First = 0 }, ErrEvent, "outside of 1990 to 2076"},
	} {
		s := shop()
		c.spoil(s)
		err := s.Validate()
		require.ErrorIs(t, err, c.err, name)
		require.ErrorContains(t, err, c.says, name)
	}
}

func TestLedgerHoldsAll(t *testing.T) {
	require.Equal(t, shop(), Decode(shop().Encode()))
	require.Nil(t, new(Season).Encode())
	require.Nil(t, Decode(nil))
}

func BenchmarkClock(b *testing.B) {
	c := made(b, shop())
	sum := 0.0
	b.Run("at", func(b *testing.B) {
		for i := range b.N {
			sum += c.At(20000.3 + float64(i&1023))
		}
	})
	b.Run("civil", func(b *testing.B) {
		for i := range b.N {
			sum += c.Civil(20000.3 + float64(i&1023))
		}
	})
	b.Run("new", func(b *testing.B) {
		for i := range b.N {
			sum += Trusted(shop()).At(20000.3 + float64(i&1023))
		}
	})
	require.NotZero(b, sum)
}

func TestParseCampaigns(t *testing.T) {
	got, err := ParseCampaigns([]string{"spring sale=2026-05-01..2026-05-07", "vip=2026-05-08..2026-05-08*2.5"})
	require.NoError(t, err)
	require.Equal(t, []Campaign{{"spring sale", dayOf("2026-05-01"), dayOf("2026-05-07"), 0}, {"vip", dayOf("2026-05-08"), dayOf("2026-05-08"), 2.5}}, got)
	for text, c := range map[string]struct {
		err  error
		says string
	}{
		"spring":                             {ErrEvent, `campaign "spring"; write it as name=2026-05-01..2026-05-07`},
		"spring=2026-05-01":                  {ErrEvent, "write it as"},
		"spring=2026-05-01..2026-05-32":      {ErrEvent, "write it as"},
		"spring=2026-05-01..2026-05-07*much": {ErrEvent, "write it as"},
		"spring=2026-05-01..2026-05-07*0":    {ErrPace, "the multiplier of campaign spring is 0"},
		"spring=2026-05-01..2026-05-07*NaN":  {ErrPace, "the multiplier of campaign spring is NaN"},
		"spring=2026-05-07..2026-05-01":      {ErrEvent, "ends before it begins"},
		"a=2026-01-01..2026-01-02":           {ErrOverlap, "first=2026-01-02..2026-01-03"},
	} {
		_, err := ParseCampaigns([]string{"first=2026-01-02..2026-01-03", text})
		require.ErrorIs(t, err, c.err, text)
		require.ErrorContains(t, err, c.says, text)
	}
}
