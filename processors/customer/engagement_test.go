package customer

import (
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// visit is an event of engagement.
type visit struct {
	at time.Time
	of ledger.EngagementType
}

// naive counts from the list of events and from the calendar of the standard library.
type naive []visit

// civil returns a day as a date at midnight UTC.
func civil(at time.Time) time.Time {
	y, m, d := at.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (v naive) in(now time.Time, window int, counts func(x visit) bool) (days, events int64) {
	seen := map[time.Time]bool{}
	from := civil(now).AddDate(0, 0, 1-window)
	for _, x := range v {
		if day := civil(x.at); counts(x) && !day.Before(from) && !day.After(civil(now)) {
			seen[day] = true
			events++
		}
	}
	return int64(len(seen)), events
}

func anyType(visit) bool { return true }

func supports(x visit) bool {
	return x.of == ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT
}

func (v naive) expect(now time.Time) Engagement {
	first := slices.MinFunc(v, func(a, b visit) int { return a.at.Compare(b.at) }).at
	last := slices.MaxFunc(v, func(a, b visit) int { return a.at.Compare(b.at) }).at
	e := Engagement{Known: true, FirstAt: first.UnixMilli(), LastAt: last.UnixMilli(), DaysSinceLast: max(0, now.Sub(last).Hours()/24), Events: int64(len(v))}
	e.ActiveDays30, _ = v.in(now, 30, anyType)
	e.ActiveDays90, _ = v.in(now, 90, anyType)
	_, e.SupportContacts90 = v.in(now, 90, supports)
	for _, x := range v {
		if supports(x) {
			e.SupportContacts++
		}
		if x.of == ledger.EngagementType_ENGAGEMENT_TYPE_REVIEW {
			e.Reviews++
		}
	}
	return e
}

func drawVisits(t *rapid.T, zone *time.Location) naive {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
	var all naive
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		at := start.Add(time.Duration(rapid.IntRange(0, 300*24*4).Draw(t, "quarter of an hour")) * 15 * time.Minute)
		all = append(all, visit{at, ledger.EngagementType(rapid.IntRange(1, types).Draw(t, "type"))})
	}
	return all
}

func record(s *State, t *Terms, x visit) {
	s.RecordEngagement(t, x.at.UnixMilli(), &ledger.Engagement{Type: x.of})
}

// Whatever the order of arrival and wherever the state is stored in between, the figures are those of the list of events, at any time up to
// a month before the latest event.
func TestEngagementEqualsARecount(t *testing.T) {
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"America/New_York", "Asia/Tehran"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		zones = append(zones, zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		terms := &Terms{Zone: zone}
		all := drawVisits(t, zone)
		s := New()
		for _, x := range rapid.Permutation(all).Draw(t, "order of arrival") {
			record(s, terms, x)
			if rapid.IntRange(0, 3).Draw(t, "stored") == 0 {
				blob := s.Encode(nil)
				again, err := Decode(blob)
				require.NoError(t, err)
				require.Equal(t, blob, again.Encode(nil))
				s = again
			}
		}
		want := all.expect(all[0].at)
		last := time.UnixMilli(want.LastAt).In(zone)
		now := last.Add(time.Duration(rapid.IntRange(-37*24, 150*24).Draw(t, "hours since")) * time.Hour)
		m := terms.At(now.UnixMilli(), now.UnixMilli(), true)
		want, got := all.expect(now), s.Engagement(m)
		require.InDelta(t, want.DaysSinceLast, got.DaysSinceLast, 1e-9)
		got.DaysSinceLast = want.DaysSinceLast
		require.Equal(t, want, got)

		level := float64(rapid.IntRange(0, 5).Draw(t, "level"))
		for _, f := range []struct {
			falls  func(*Terms, int64, float64) (int64, bool)
			figure func(now time.Time) int64
		}{
			{s.ActiveDaysFall, func(now time.Time) int64 { n, _ := all.in(now, 30, anyType); return n }},
			{s.SupportContactsFall, func(now time.Time) int64 { _, n := all.in(now, 30, supports); return n }},
		} {
			at, known := f.falls(terms, 30, level)
			require.True(t, known)
			require.LessOrEqual(t, float64(f.figure(time.UnixMilli(at).In(zone))), level)
			if at > last.UnixMilli() {
				require.Greater(t, float64(f.figure(time.UnixMilli(at-1).In(zone))), level, "it fell before")
			}
		}
	})
}

// What comes too late for the days that are remembered still counts in the figures of all time.
func TestEngagementOfLongAgo(t *testing.T) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	all := naive{
		{at, ledger.EngagementType_ENGAGEMENT_TYPE_SITE_VISIT},
		{at.AddDate(0, 0, -rememberedDays), ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT},
		{at.AddDate(-9, 0, 0), ledger.EngagementType_ENGAGEMENT_TYPE_REVIEW},
	}
	s, terms := New(), &Terms{}
	for _, x := range all {
		record(s, terms, x)
	}
	require.Equal(t, all.expect(at), s.Engagement(terms.At(at.UnixMilli(), 0, false)))
	require.Empty(t, s.SupportDays())
}

// Of very many support contacts the newest are counted, in any order of arrival.
func TestTheNewestSupportContactsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
		var all naive
		var want []int32
		for i := range MostSupport + 20 {
			x := visit{at.AddDate(0, 0, -i), ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT}
			all = append(all, x)
			if i < MostSupport {
				want = append(want, int32(math.Floor(float64(x.at.UnixMilli())/DayMS)))
			}
		}
		slices.Sort(want)
		s := New()
		for _, x := range rapid.Permutation(all).Draw(t, "order of arrival") {
			record(s, &Terms{}, x)
		}
		require.Equal(t, want, s.SupportDays())
	})
}

// A state without engagement is not a byte longer for it.
func TestNoEngagementTakesNoByte(t *testing.T) {
	s := New()
	before := s.Encode(nil)
	record(s, &Terms{}, visit{time.Unix(0, 0), ledger.EngagementType_ENGAGEMENT_TYPE_APP})
	require.Greater(t, len(s.Encode(nil)), len(before))
	s.engagement = nil
	require.Equal(t, before, s.Encode(nil))
}

// With the word that the allocator keeps for it, the state of a customer fills a size class of 704 bytes. One field more takes 64 bytes of each
// customer in memory.
func TestStateFitsItsSizeClass(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(State{})+8, uintptr(768))
}
