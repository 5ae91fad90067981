package eventfile_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// FuzzRows reads any content as CSV and as JSON: reading ends, every row is one JSON object of the plain fields with the right key,
// lines and offsets increase, and a second reading gives the same.
func FuzzRows(f *testing.F) {
	f.Add("customer_id,occurred_at,total\na,2024-01-01,1\n\"b\nc\",2024-01-01,\"1\"\n", true)
	f.Add("customer_id;occurred_at;total\na;01/02/2023;1,5\n\"open;13/02/2023;2\r\nb;13/02/2023;3", true)
	f.Add(`{"customer_id":1,"occurred_at":1704067200,"total":"1.50"}`+"\n{\n", false)
	f.Add(`[{"customer_id":1,"occurred_at":1704067200,"total":"1.50"},{"],`, false)
	f.Add("sep=;\rcustomer_id;occurred_at;total\ra;2024-01-01;1;;\r", true)
	f.Add("\ufeff{\"userId\":\"\\ud800\",\"timestamp\":\"2024-01-01\",\"properties\":{\"revenue\":1e400}}", false)
	f.Add("Name,Email,Financial Status,Total,Created at,Refunded Amount\n#1,a@b,paid,5.00,2026-01-31 13:45:02 +0100,1\n#1,,,,,\n#1,,,6,,\n", true)
	f.Add("Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n1,A,2,1/13/2026 8:00,0.5,17.0\nC2,A,-2,1/13/2026 8:00,0.5,\n1,B,x,,1,\n", true)
	f.Fuzz(func(t *testing.T, content string, csv bool) {
		name := "f.ndjson"
		if csv {
			name = "f.csv"
		}
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		m := eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetAuto}
		r, err := eventfile.Open(path, m)
		if err != nil {
			return
		}
		defer func() { require.NoError(t, r.Close()) }()
		read := func(r *eventfile.Reader) (outcomes []string) {
			offset, line := int64(0), 0
			for {
				row, err := r.Next()
				if errors.Is(err, io.EOF) {
					return outcomes
				}
				if err == nil {
					require.Greater(t, row.Offset, offset)
					require.Greater(t, row.Line, line)
					offset, line = row.Offset, row.Line
				}
				outcomes = append(outcomes, outcome(t, row, err))
			}
		}
		again, err := eventfile.Open(path, m)
		require.NoError(t, err)
		defer func() { require.NoError(t, again.Close()) }()
		require.Equal(t, read(r), read(again))
	})
}

func outcome(t *testing.T, row eventfile.Row, err error) string {
	t.Helper()
	bad := (*eventfile.RowError)(nil)
	if errors.As(err, &bad) {
		require.NotEmpty(t, bad.Reason)
		return bad.Error()
	}
	require.NoError(t, err)
	if row.Skip != "" {
		return row.Skip
	}
	var body map[string]any
	require.NoError(t, json.Unmarshal(row.Value, &body), "%s", row.Value)
	require.Equal(t, "purchase", body["type"])
	if len(row.Key) == 0 {
		require.Nil(t, body["customer_id"], "nobody in particular")
	} else {
		require.Equal(t, string(row.Key), body["customer_id"])
	}
	require.NotEmpty(t, body["order_id"])
	require.IsType(t, 0., body["total"])
	return string(row.Value)
}
