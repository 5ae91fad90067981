package calendar

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMonths(t *testing.T) {
	for day := int32(-200_000); day < 200_000; day += 1 + (day&7)*3 {
		at := time.Unix(int64(day)*86_400, 0).UTC()
		month := MonthOf(day)
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		require.EqualValues(t, (at.Year()-1970)*12+int(at.Month())-1, month, at)
		require.Equal(t, first.Unix()/86_400, int64(month.FirstDay()), at)
		if day > -100_000 {
			require.Equal(t, at.Format("2006-01"), month.String())
			again, err := ParseMonth(month.String())
			require.NoError(t, err)
			require.Equal(t, month, again)
		}
	}
	require.Equal(t, "2026-Q1", MonthOf(20_454).Quarter())
	_, err := ParseMonth("2026-13")
	require.EqualError(t, err, `"2026-13" is no month: write YYYY-MM, such as 2026-10`)
}
