package export

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// figureOf draws a text that a column may have.
func figureOf(t *rapid.T, c *lookup.Column, unit money.Unit) string {
	if c.Name != idColumn && rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
		return ""
	}
	switch c.Kind() {
	case lookup.Amount:
		return string(unit.Append(nil, rapid.Int64Range(-1e17, 1e17).Draw(t, "amount")))
	case lookup.Number:
		return string(money.Unit{Decimals: c.Decimals()}.Append(nil, rapid.Int64Range(-1e12, 1e12).Draw(t, "number")))
	case lookup.Moment:
		return string(timestamp.Append(nil, rapid.Int64Range(0, 4e12).Draw(t, "moment")))
	case lookup.Flag:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "flag")
	case lookup.Words:
		return strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z_]{1,9}`), 0, 3).Draw(t, "words"), " ")
	default:
		return rapid.SampledFrom([]string{"=1+1", "'=1+1", "''", "+1", "-1", "@x", "\t", "a,b", "a\"b", "a\r\nb", "a\nb", " a", "علی", "<b>&", "\u2028", "\\", "."}).Draw(t, "text") +
			rapid.StringN(0, 5, 20).Draw(t, "more")
	}
}

// Every format gives back what was written to it.
func TestRoundTrip(t *testing.T) {
	directory := t.TempDir()
	table, err := money.NewTable(nil)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		unit, _ := table.Lookup([]byte(rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "IRT"}).Draw(t, "currency")))
		columns := lookup.Columns([]string{"region"})
		var rows [][]string
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			var row []string
			for i := range columns {
				row = append(row, figureOf(t, &columns[i], unit))
			}
			rows = append(rows, row)
		}
		for _, f := range Formats() {
			path := filepath.Join(directory, "rows")
			file, err := os.Create(path)
			require.NoError(t, err)
			w, err := f.create(file, columns, unit)
			require.NoError(t, err)
			for _, row := range rows {
				require.NoError(t, w.write(append([]string(nil), row...)), f.Name)
			}
			require.NoError(t, w.close())
			require.NoError(t, file.Close())
			file, err = os.Open(path)
			require.NoError(t, err)
			r, err := f.Open(file, columns, unit)
			require.NoError(t, err)
			for _, row := range rows {
				got, err := r.Next()
				require.NoError(t, err, f.Name)
				for i := range columns {
					require.Equal(t, f.Cell(&columns[i], row[i]), got[i], "%s: %s", f.Name, columns[i].Name)
				}
			}
			_, err = r.Next()
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, file.Close())
		}
	})
}

// No text of an export is a formula, and no two texts become one; numbers stay numbers.
func TestNoFormula(t *testing.T) {
	label, err := lookup.ColumnNamed("customer_id", nil)
	require.NoError(t, err)
	amount, err := lookup.ColumnNamed("total_clv", nil)
	require.NoError(t, err)
	back := map[string]string{}
	for _, text := range []string{"=1", "'=1", "''=1", "+1", "-1", "@a", "\ta", "\ra", "'", "''", "a", "'a", "1", ""} {
		var to bytes.Buffer
		w, err := createCSV(&to, []lookup.Column{label, amount}, money.Unit{})
		require.NoError(t, err)
		require.NoError(t, w.write([]string{text, "-5.00"}))
		require.True(t, strings.HasSuffix(to.String(), ",-5.00\r\n"))
		lines, err := csv.NewReader(&to).ReadAll()
		require.NoError(t, err)
		cell := lines[1][0]
		require.NotContains(t, "=+-@\t\r", (cell + "x")[:1], text)
		require.NotContains(t, back, cell)
		back[cell] = text
	}
}

func TestStaffIsExportedOnlyIfAskedFor(t *testing.T) {
	all, err := ParseColumns(nil, []string{"region"})
	require.NoError(t, err)
	require.Len(t, all, len(lookup.Columns([]string{"region"}))-1)
	require.NotContains(t, names(all), "done_by")
	asked, err := ParseColumns([]string{"done_by"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"customer_id", "done_by"}, names(asked))
}

func TestAmountsThatParquetHasNoRoomFor(t *testing.T) {
	columns, err := ParseColumns([]string{"total_clv"}, nil)
	require.NoError(t, err)
	w, err := createParquet(io.Discard, columns, money.Unit{Code: "EUR", Decimals: 2})
	require.NoError(t, err)
	require.NoError(t, w.write([]string{"a", "9999999999999999.99"}))
	require.ErrorContains(t, w.write([]string{"a", "10000000000000000.00"}), "column total_clv: an amount has more than 18 digits")
}

// A Parquet file of several row groups is read to its end, in order.
func TestRowGroups(t *testing.T) {
	columns, err := ParseColumns([]string{"sequence"}, nil)
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "rows"))
	require.NoError(t, err)
	w, err := createParquet(file, columns, money.Unit{})
	require.NoError(t, err)
	const n = 2*rowGroup + 1
	for i := range n {
		require.NoError(t, w.write([]string{"c", strconv.Itoa(i)}))
	}
	require.NoError(t, w.close())
	r, err := openParquet(file, columns, money.Unit{})
	require.NoError(t, err)
	for i := range n {
		row, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), row[1])
	}
	_, err = r.Next()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, file.Close())
}
