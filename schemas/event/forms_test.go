package event

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func optionsIn(t *testing.T, zone string) Options {
	t.Helper()
	o := options()
	var err error
	o.Zone, err = time.LoadLocation(zone)
	require.NoError(t, err)
	return o
}

// Times that shops write otherwise than by RFC 3339 mean the same instant.
func TestTimesInOtherForms(t *testing.T) {
	for _, c := range []struct{ zone, text, want string }{
		{"Asia/Tehran", `"2026-03-01 12:00:00 UTC"`, "2026-03-01T12:00:00Z"},
		{"Asia/Tehran", `"2026-03-01T12:00:00 GMT"`, "2026-03-01T12:00:00Z"},
		{"Asia/Tehran", `"2026-03-01T12:00:00Z[UTC]"`, "2026-03-01T12:00:00Z"},
		{"Asia/Tehran", `"2026-03-01T12:00:00+0100"`, "2026-03-01T11:00:00Z"},
		{"Asia/Tehran", `"2026-03-01, 12:00:00"`, "2026-03-01T08:30:00Z"},
		{"Asia/Tehran", `"2026-03-01T12:00:00"`, "2026-03-01T08:30:00Z"},
		{"Asia/Tehran", `"2026-03-01 12:00:00.123"`, "2026-03-01T08:30:00.123Z"},
		{"Asia/Tehran", `"2026-03-01"`, "2026-02-28T20:30:00Z"},
		{"UTC", `1772366400`, "2026-03-01T12:00:00Z"},
		{"UTC", `"1772366400"`, "2026-03-01T12:00:00Z"},
		{"UTC", `1772366400.25`, "2026-03-01T12:00:00.25Z"},
		{"UTC", `1772366400123`, "2026-03-01T12:00:00.123Z"},
		{"UTC", `1772366400123456`, "2026-03-01T12:00:00.123Z"},
		{"UTC", `1772366400123456789`, "2026-03-01T12:00:00.123Z"},
		{"UTC", `"13/02/2026 10:00"`, "2026-02-13T10:00:00Z"},
		{"UTC", `"02.02.2026"`, "2026-02-02T00:00:00Z"},
		{"Asia/Tehran", `"1404/05/12"`, "2025-08-02T20:30:00Z"},
		{"Asia/Tehran", `"1404-05-12T14:30:00"`, "2025-08-03T11:00:00Z"},
		{"Asia/Tehran", `"۱۴۰۴/۰۵/۱۲ ۱۴:۳۰"`, "2025-08-03T11:00:00Z"},
		{"Asia/Riyadh", `"١٤٤٦/٠٢/٠٩ ١٤:٣٠"`, "2024-08-13T11:30:00Z"},      // the Jalali reading lies 43 years ahead
		{"Europe/Berlin", `"2025-10-26 02:30:00"`, "2025-10-26T00:30:00Z"}, // shown twice: the first
		{"Europe/Berlin", `"2025-03-30 02:30:00"`, "2025-03-30T01:30:00Z"}, // skipped: with the offset before
	} {
		r, err := decode(t, optionsIn(t, "UTC"), Purchase, message(`{"customer_id":"c1","order_id":"o1","total":1,"occurred_at":"`+c.want+`"}`))
		require.NoError(t, err)
		facts := r.Event.Facts
		into := new(Result)
		require.NoError(t, decoder(t, optionsIn(t, c.zone)).Decode(Purchase, message(`{"customer_id":"c1","order_id":"o1","total":1,"occurred_at":`+c.text+`}`), now, into), c.text)
		require.Equal(t, c.want, time.UnixMilli(into.Event.OccurredAt).UTC().Format(time.RFC3339Nano), c.text)
		require.Equal(t, facts, into.Event.Facts, "the facts are the same, so that a repeat in another form is a duplicate")
	}
}

// What can be read in two ways is refused with both, and without the payload.
func TestAmbiguousTimesOfEvents(t *testing.T) {
	for text, want := range map[string]string{
		`"01/02/2026"`: "occurred_at: bad_format: can be read as day/month/year or as month/day/year: write it as 2026-03-01T12:00:00Z",
		`"04/05/12"`: "occurred_at: bad_format: can be read as day/month/year, a year of two digits or as month/day/year, a year of two digits " +
			"or as year/month/day, a year of two digits or as year/month/day of the Solar Hijri calendar (jalali): write it as 2026-03-01T12:00:00Z",
		`"31.12.25"`:   "occurred_at: bad_format: can be read as day.month.year, a year of two digits: write it as 2026-03-01T12:00:00Z",
		`"01/12/2026"`: "occurred_at: bad_format: can be read as day/month/year or as month/day/year: write it as 2026-03-01T12:00:00Z", // never by the clock
		`"tomorrow"`:   "occurred_at: bad_format: a time is wanted, such as 2026-03-01T12:00:00Z",
		`46082`:        "occurred_at: bad_format: a time is wanted, such as 2026-03-01T12:00:00Z", // a spreadsheet's days, in files only
		`"1985-01-01"`: "occurred_at: too_early: before 1990",
	} {
		err := decoder(t, options()).Decode(Purchase, message(`{"customer_id":"c1","order_id":"o1","total":1,"occurred_at":`+text+`}`), now, new(Result))
		require.EqualError(t, err, want, text)
	}
}

// An event in Persian is its twin in ASCII.
func TestPersianAmounts(t *testing.T) {
	for persian, twin := range map[string]string{
		`"total":"۱۲۰٬۰۰۰","currency":"تومان"`:   `"total":120000,"currency":"IRT"`,
		`"total":"۱٬۲۵۰٬۰۰۰ ریال"`:               `"total":1250000,"currency":"IRR"`,
		`"total":"٧٫٥ تومان","currency":"irt"`:   `"total":7.5,"currency":"IRT"`,
		`"total":"120000 Toman"`:                 `"total":120000,"currency":"IRT"`,
		`"total":"۱۲","currency":"EUR"`:          `"total":12,"currency":"EUR"`,
		`"total":"10","currency":"Toman"`:        `"total":10,"currency":"IRT"`,
		`"revenue":"۱۲۰٬۰۰۰ تومان","total":null`: `"total":120000,"currency":"IRT"`,
	} {
		read := func(text string) *Result {
			into := new(Result)
			require.NoError(t, decoder(t, options()).Decode(Purchase, message(`{"customer_id":"c1","order_id":"o1",`+text+`}`), now, into), text)
			return into
		}
		require.Equal(t, says(read(twin)), says(read(persian)), persian)
	}
	for text, want := range map[string]string{
		`"total":"۱۰ تومان","currency":"IRR"`: "currency: mismatch: the amount names IRT",
		`"total":"۱٫۰۰۰٬۰"`:                   "total: bad_format: digits are wanted, with a point before the decimals",
		`"total":"-۵"`:                        "total: negative",
		`"total":"1,000"`:                     "total: bad_format: digits are wanted, with a point before the decimals",
		`"total":1,"currency":"rial"`:         "currency: unknown_value: a code of ISO 4217 is wanted, or one of money.currencies", // of several countries
	} {
		err := decoder(t, options()).Decode(Purchase, message(`{"customer_id":"c1","order_id":"o1",`+text+`}`), now, new(Result))
		require.EqualError(t, err, want, text)
	}
}
