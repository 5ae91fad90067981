package lifetimes

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cdnow returns the histories of the CDNOW sample, in the order of its customers.
func cdnow(t testing.TB) []History {
	t.Helper()
	f, err := os.Open("testdata/cdnow_sample.csv")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var all []History
	place := map[string]int{}
	for _, r := range rows[1:] {
		i, known := place[r[1]]
		if !known {
			i = len(all)
			place[r[1]] = i
			all = append(all, nil)
		}
		net, err := strconv.ParseFloat(r[4], 64)
		require.NoError(t, err)
		all[i] = all[i].Add(civilDay(t, r[2]), int64(net*100+0.5))
	}
	return all
}

func civilDay(t testing.TB, yyyymmdd string) int32 {
	t.Helper()
	d, err := time.Parse("20060102", yyyymmdd)
	require.NoError(t, err)
	return int32(d.Unix() / 86400)
}

func summaries(all []History, now int32) []Summary {
	var rows []Summary
	for _, h := range all {
		if u := h.Until(now); len(u) > 0 {
			rows = append(rows, u.SummaryWithGaps(float64(now), 7, 100))
		}
	}
	return rows
}
