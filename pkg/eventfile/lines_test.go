package eventfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

const retail = `InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Amount
600001,A1,6,12/1/2025 8:26,2.50,90001,15.00
600001,B2,4,12/1/2025 8:26,5.00,,20.00
600002,A1,2,12/13/2025 9:01,2.50,90002,5.00
600001,C3,1,12/1/2025 8:26,65.00,90001,65.00
600003,A1,2,1/14/2026 9:05,2.50,90001,5.00
600003,B2,1,1/14/2026 9:05,5.00,90001,5.00
600003,D4,-1,1/14/2026 9:05,1.5,90001,-1.5
600004,A1,1,1/15/2026 9:05,2.50,90001,
600005,A1,1,1/15/2026 9:05,2.50,90001,1
600005,A1,1,1/15/2026 9:05,2.50,90002,1
600006,A1,1,1/15/2026 9:05,2.50,90001,x
600006,A1,1,1/15/2026 9:05,2.50,90001,1
`

func TestLinesOfOrders(t *testing.T) {
	m := eventfile.Mapping{Type: "purchase", Currency: "EUR"}
	var err error
	m.Columns, err = eventfile.ParseMap("customer_id=CustomerID,order_id=InvoiceNo,occurred_at=InvoiceDate,total=Amount")
	require.NoError(t, err)
	path := write(t, "retail.csv", retail)
	_, err = eventfile.Open(path, m)
	require.EqualError(t, err, `event file: lines 2 and 5 have the same order id (column "InvoiceNo") and different totals: give --lines sum if each row is a `+
		`line of its order, or --lines refuse to read only the first row of each order`)
	m.Lines = "add"
	_, err = eventfile.Open(path, m)
	require.ErrorContains(t, err, "--lines must be sum, first or refuse")

	m.Lines = eventfile.LinesSum
	rows, refused := all(t, open(t, path, m))
	require.Equal(t, []string{
		`{"type":"purchase","occurred_at":"2025-12-01T08:26:00Z","customer_id":"90001","order_id":"600001","total":100.00,"currency":"EUR"}`,
		`{"type":"purchase","occurred_at":"2025-12-13T09:01:00Z","customer_id":"90002","order_id":"600002","total":5.00,"currency":"EUR"}`,
		`{"type":"purchase","occurred_at":"2026-01-14T09:05:00Z","customer_id":"90001","order_id":"600003","total":8.50,"currency":"EUR"}`,
	}, values(rows))
	require.Equal(t, []int{3, 1, 3}, []int{rows[0].Lines, rows[1].Lines, rows[2].Lines})
	require.Equal(t, []eventfile.RowError{
		{Line: 9, Field: "total", Reason: "missing"},
		{Line: 10, Field: "order_id", Reason: "of an order that is refused because of line 11"},
		{Line: 11, Field: "customer_id", Reason: "another one than in the lines before it of the same order, which begins in line 10"},
		{Line: 12, Field: "total", Reason: "not a number, in a line of the order that begins in line 12"},
		{Line: 13, Field: "order_id", Reason: "of an order that is refused because of line 12"},
	}, refused)

	m.Lines = eventfile.LinesRefuse
	rows, refused = all(t, open(t, path, m))
	require.Len(t, rows, 7, "the first rows of 600001, 600002, 600003 and its repetition, 600005 of two customers, and the readable row of 600006")
	require.Contains(t, refused, eventfile.RowError{Line: 5, Field: "total", Reason: "another one than in line 2, which has the same order id"})

	for _, m.Lines = range []eventfile.Lines{eventfile.LinesUnknown, eventfile.LinesRefuse} {
		rows, refused = all(t, open(t, write(t, "snapshots.csv", "customer_id,order_id,occurred_at,updated_at,total\na,1,2026-01-01,2026-01-02,5\na,1,2026-01-01,2026-01-03,4\n"),
			eventfile.Mapping{Type: "purchase", Lines: m.Lines}))
		require.Empty(t, refused)
		require.Len(t, rows, 2, "snapshots of an order may differ")
	}
}

// Lines in any order sum to the order's total, exactly.
func TestSumOfLines(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]int{}
		content := "customer_id,order_id,occurred_at,total\n"
		for range rapid.IntRange(1, 20).Draw(t, "lines") {
			order, cents := fmt.Sprint(rapid.IntRange(1, 5).Draw(t, "order")), rapid.IntRange(1, 99_999).Draw(t, "cents")
			content += fmt.Sprintf("c%s,%s,2026-01-01,%d.%02d\n", order, order, cents/100, cents%100)
			want[order] += cents
		}
		rows, refused := all(outer, open(outer, write(outer, "a.csv", content), eventfile.Mapping{Type: "purchase", Lines: eventfile.LinesSum}))
		require.Empty(t, refused)
		require.Len(t, rows, len(want))
		lines := 0
		for _, row := range rows {
			order := string(row.Key[1:])
			require.Contains(t, string(row.Value), fmt.Sprintf(`"order_id":"%s","total":%d.%02d}`, order, want[order]/100, want[order]%100))
			lines += row.Lines
		}
		require.Equal(t, strings.Count(content, "\n"), lines+1)
	})
}
