package locale_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/schemas/digits"
)

// The days of the years 1370 to 1420 are counted one by one from Nowruz of 1370, with the leap years that the calendar of Iran has had and will
// have: the oracle knows nothing of how the dates are computed.
func TestDaysOfTheSolarHijriCalendar(t *testing.T) {
	leap := []int{1370, 1375, 1379, 1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412, 1416, 1420}
	in := locale.Named("fa")
	day := time.Date(1991, time.March, 21, 0, 0, 0, 0, time.UTC)
	two := func(n int) string { return string(rune('0'+n/10)) + string(rune('0'+n%10)) }
	for year := 1370; year <= 1420; year++ {
		for month := 1; month <= 12; month++ {
			length := 30
			switch {
			case month <= 6:
				length = 31
			case month == 12 && !slices.Contains(leap, year):
				length = 29
			}
			for d := 1; d <= length; d++ {
				want := two(year/100) + two(year%100) + "/" + two(month) + "/" + two(d)
				require.Equal(t, want, digits.Plain(in.Day(day.Add(23*time.Hour+59*time.Minute))), day.Format(time.DateOnly))
				day = day.AddDate(0, 0, 1)
			}
		}
	}
	require.Equal(t, "2042-03-21", day.Format(time.DateOnly))
}

// A moment has the day of its zone, on whichever side of midnight that is.
func TestMoments(t *testing.T) {
	tehran, err := time.LoadLocation("Asia/Tehran")
	require.NoError(t, err)
	at := time.Date(2026, time.March, 20, 20, 45, 0, 0, time.UTC)
	in := locale.Named("fa")
	require.Equal(t, "۲۹ اسفند ۱۴۰۴، ۲۰:۴۵ UTC", in.Moment(at))
	require.Equal(t, "۱ فروردین ۱۴۰۵، ۰۰:۱۵ \u200e+۰۳۳۰", in.Moment(at.In(tehran)))
	require.Equal(t, "۱۴۰۵/۰۱/۰۱", in.Day(at.In(tehran)))
	require.Equal(t, "2026-03-21 00:15 +0330", locale.English().Moment(at.In(tehran)))
	require.Equal(t, "2026-03-21", locale.English().Day(at.In(tehran)))
	require.Equal(t, "۹۹۹۹-۰۱-۰۱", in.Day(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), "the calendar is not computed so far ahead")
}

func TestPeriods(t *testing.T) {
	in := locale.Named("fa")
	for name, want := range map[string]string{
		"2026-05-04": "۱۴۰۵/۰۲/۱۴", "2026-01": "ژانویهٔ ۲۰۲۶", "2026-Q2": "سه\u200cماههٔ ۲ سال ۲۰۲۶", "2026": "۲۰۲۶", "none": "هیچ", "all": "همه",
	} {
		require.Equal(t, want, in.Period(name))
		require.Equal(t, name, locale.English().Period(name))
	}
	require.Equal(t, "12", in.Cell("source", "12"), "a name that a shop has chosen")
	require.Equal(t, "high", in.Cell("category", "high"), "likewise")
	require.Equal(t, "هیچ", in.Cell("category", "none"), "customers of whom no category is known")
	require.Equal(t, "زیاد", in.Cell("churn_risk", "high"))
}

func TestNumbers(t *testing.T) {
	fa, en := locale.Named("fa"), locale.English()
	for number, want := range map[string][2]string{
		"0": {"0", "۰"}, "+1200": {"+1,200", "\u200e+۱٬۲۰۰"}, "999": {"999", "۹۹۹"}, "1000": {"1,000", "۱٬۰۰۰"}, "-1234567.50": {"−1,234,567.50", "\u200e−۱٬۲۳۴٬۵۶۷٫۵۰"}, "0.125": {"0.125", "۰٫۱۲۵"},
	} {
		require.Equal(t, want[0], en.Decimal(number))
		require.Equal(t, want[1], fa.Decimal(number))
	}
	require.Equal(t, "12.3%", en.Percent("12.3"))
	require.Equal(t, "۱۲٫۳٪", fa.Percent("12.3"))
	require.Equal(t, "-1234.5", en.Ungrouped("-1234.5"))
	require.Equal(t, "\u200e−۱۲۳۴٫۵", fa.Ungrouped("-1234.5"))
	require.Equal(t, "ordered every 14 days, silent for 120", en.F("ordered every %.0f days, silent for %.0f", 13.6, 120.4))
	require.Equal(t, "هر ۱۴ روز سفارش می\u200cداد، ۱۲۰ روز است که خبری نیست", fa.F("ordered every %.0f days, silent for %.0f", 13.6, 120.4))
	require.Equal(t, "هشدار: c12", fa.F("alert: %s", "c12"), "a name stands as it is")
}

var (
	verb    = regexp.MustCompile(`%(\[\d+\])?[.\d]*[a-z]`)
	latin   = regexp.MustCompile(`[A-Za-z]{2,}`)
	allowed = regexp.MustCompile(`mainstay [a-z ]+|Mainstay|--current|--all|\bHost\b|costs set --help|alerts\.(rules|control_share)|settings_revision|portfolio\.contribution_interval|tiers\.min_customers|Pareto|\b(CLV|CAC|NPS|RFM|JSON|Redis|Kafka)\b`)
)

// Each translation has the arguments of its text, and nothing in digits or words of English besides names.
func TestTranslationsAreWhole(t *testing.T) {
	for _, l := range locale.All()[1:] {
		l.Each(func(text, translated string) {
			require.NotEmpty(t, strings.TrimSpace(translated), text)
			require.ElementsMatch(t, verb.FindAllString(text, -1), verb.FindAllString(translated, -1), text)
			rest := allowed.ReplaceAllString(verb.ReplaceAllString(translated, ""), "")
			require.NotRegexp(t, `[0-9]`, rest, text)
			require.NotRegexp(t, latin, rest, text)
			for _, side := range []func(string, string) bool{strings.HasPrefix, strings.HasSuffix} {
				if text != ", %s of %s" && text[0] != ',' && text[0] != ';' && text[0] != '.' {
					require.Equal(t, side(text, " "), side(translated, " "), "%q", text)
				}
			}
		})
	}
}

func TestPreferred(t *testing.T) {
	for languages, tag := range map[string]string{
		"": "en", "de": "en", "fa": "fa", "fa-IR,fa;q=0.9,en;q=0.5": "fa", "en-US,en;q=0.9,fa;q=0.1": "en", "de,fa;q=0.8": "fa", "\x00": "en", "C": "en",
	} {
		require.Equal(t, tag, locale.Preferred(languages).Tag, languages)
	}
	require.Nil(t, locale.Named(""))
	require.Nil(t, locale.Named("auto"))
}
