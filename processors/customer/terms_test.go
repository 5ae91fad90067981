package customer

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

func TestUntil(t *testing.T) {
	at := func(text string) int64 {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at.UnixMilli()
	}
	for _, c := range []struct{ zone, local, utc string }{
		{"UTC", "2024-03-10T02:30:00Z", "2024-03-10T02:30:00Z"},
		{"Asia/Tehran", "2024-03-10T00:00:00Z", "2024-03-09T20:30:00Z"},
		{"America/New_York", "2024-03-10T01:59:59Z", "2024-03-10T06:59:59Z"},
		{"America/New_York", "2024-03-10T02:30:00Z", "2024-03-10T07:00:00Z"}, // skipped
		{"America/New_York", "2024-03-10T03:00:00Z", "2024-03-10T07:00:00Z"},
		{"America/New_York", "2024-11-03T01:30:00Z", "2024-11-03T05:30:00Z"}, // twice
		{"Pacific/Auckland", "2024-09-29T02:15:00Z", "2024-09-28T14:00:00Z"}, // skipped
		{"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},     // a day skipped
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		terms := Terms{Zone: zone}
		require.Equal(t, at(c.utc), terms.Until(at(c.local)), "%s %s", c.zone, c.local)
	}
}

func TestUntilIsTheFirstMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Tehran", "Africa/Casablanca"}).Draw(t, "zone"))
		require.NoError(t, err)
		terms := Terms{Zone: zone}
		local := rapid.Int64Range(631_152_000_000, 2_208_988_800_000).Draw(t, "local")
		utc := terms.Until(local)
		require.GreaterOrEqual(t, terms.Local(utc), local)
		require.Less(t, terms.Local(utc-1), local)
	})
}

func TestConvert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &ledger.Rate{Currency: "USD", Numerator: rapid.Int64Range(1, 1<<40).Draw(t, "n"), Denominator: rapid.Int64Range(1, 1<<40).Draw(t, "d")}
		terms := Terms{Unit: money.Unit{Code: "EUR", Currency: "EUR", Decimals: 2}, Settings: &ledger.SettingsValues{Rates: []*ledger.Rate{r}}}
		v := rapid.Int64Range(0, 1<<60).Draw(t, "v")
		got, ok := terms.Convert("USD", v)
		require.True(t, ok)
		product := new(big.Int).Mul(big.NewInt(v), big.NewInt(r.Numerator))
		q, rest := new(big.Int).QuoRem(product, big.NewInt(r.Denominator), new(big.Int))
		if c := new(big.Int).Lsh(rest, 1).Cmp(big.NewInt(r.Denominator)); c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		want := int64(mostMinor)
		if q.IsInt64() {
			want = min(q.Int64(), mostMinor)
		}
		require.Equal(t, want, got)
		_, ok = terms.Convert("GBP", v)
		require.False(t, ok)
	})
}
