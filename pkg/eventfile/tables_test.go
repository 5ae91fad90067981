package eventfile_test

import (
	"archive/zip"
	"bytes"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// TestTablesGiveTheRowsOfTheirCSV writes one list of orders as a workbook or a Parquet file, with numbers and dates or with texts, and reads
// the events that their CSV gives.
func TestTablesGiveTheRowsOfTheirCSV(t *testing.T) {
	dir := t
	rapid.Check(t, func(t *rapid.T) {
		orders := someOrders(t)
		var name, content string
		typed := rapid.Bool().Draw(t, "typed")
		if rapid.Bool().Draw(t, "workbook") {
			name, content = "orders.xlsx", asWorkbook(t, orders, typed)
		} else {
			name, content = "orders.parquet", asParquet(t, orders, typed)
		}
		want := make([]string, len(orders))
		for i, o := range orders {
			if typed && name == "orders.xlsx" { // the format of a cell is not read
				v, err := strconv.ParseFloat(o.total, 64)
				require.NoError(t, err)
				o.total = strconv.FormatFloat(v, 'f', -1, 64)
			}
			want[i] = o.event(t)
		}
		reader := open(dir, write(dir, rapid.SampledFrom([]string{name, "export", "export.bin"}).Draw(t, "name"), content), eventfile.Mapping{Type: "purchase"})
		rows, refused := all(dir, reader)
		require.Empty(t, refused)
		require.Equal(t, want, values(rows))
		done, total := reader.Progress()
		require.Equal(t, total, done)
	})
}

// asWorkbook writes titles, a blank row, the header, and the orders.
func asWorkbook(t *rapid.T, orders []order, typed bool) string {
	workbook := excelize.NewFile()
	row := 1
	put := func(values ...any) {
		require.NoError(t, workbook.SetSheetRow("Sheet1", "A"+strconv.Itoa(row), &values))
		row++
	}
	if rapid.Bool().Draw(t, "title") {
		put("Orders of the shop")
		row++
	}
	put("customer_id", "order_id", "occurred_at", "total", "coupon")
	for _, o := range orders {
		at, err := time.Parse(time.DateOnly, o.at)
		require.NoError(t, err)
		total, err := strconv.ParseFloat(o.total, 64)
		require.NoError(t, err)
		if typed {
			put(o.customer, o.order, at, total, o.coupon)
		} else {
			put(o.customer, o.order, o.at, o.total, o.coupon)
		}
	}
	var out bytes.Buffer
	require.NoError(t, workbook.Write(&out))
	require.NoError(t, workbook.Close())
	return out.String()
}

func asParquet(t *rapid.T, orders []order, typed bool) string {
	type texts struct {
		Customer string  `parquet:"customer_id"`
		Order    string  `parquet:"order_id"`
		At       string  `parquet:"occurred_at"`
		Total    string  `parquet:"total"`
		Coupon   *string `parquet:"coupon,optional"`
	}
	type numbers struct {
		Customer string  `parquet:"customer_id"`
		Order    string  `parquet:"order_id"`
		At       int32   `parquet:"occurred_at,date"`
		Total    int64   `parquet:"total,decimal(2:18)"`
		Coupon   *string `parquet:"coupon,optional"`
	}
	var asTexts []texts
	var asNumbers []numbers
	for _, o := range orders {
		at, err := time.Parse(time.DateOnly, o.at)
		require.NoError(t, err)
		minor, ok := new(big.Rat).SetString(o.total)
		require.True(t, ok)
		minor.Mul(minor, big.NewRat(100, 1))
		var coupon *string
		if o.coupon != "" {
			coupon = &o.coupon
		}
		asTexts = append(asTexts, texts{o.customer, o.order, o.at, o.total, coupon})
		asNumbers = append(asNumbers, numbers{o.customer, o.order, int32(at.Unix() / 86_400), minor.Num().Int64(), coupon})
	}
	var out bytes.Buffer
	if typed {
		require.NoError(t, parquet.Write(&out, asNumbers, parquet.MaxRowsPerRowGroup(3)))
	} else {
		require.NoError(t, parquet.Write(&out, asTexts, parquet.MaxRowsPerRowGroup(3)))
	}
	return out.String()
}

// Every type that states times, amounts or ids is written exactly.
func TestParquetTypes(t *testing.T) {
	type row struct {
		Customer int64            `parquet:"customer_id"`
		Order    [16]byte         `parquet:"order_id,uuid"`
		At       int64            `parquet:"occurred_at,timestamp(microsecond)"`
		Total    float64          `parquet:"total"`
		Updated  deprecated.Int96 `parquet:"updated_at"`
		Coupon   bool             `parquet:"coupon"`
		Currency string           `parquet:"currency,enum"`
	}
	var out bytes.Buffer
	at := time.Date(2024, 2, 29, 23, 59, 59, 123_456_000, time.UTC)
	const nanoseconds, julian = (1*3600 + 2*60 + 3) * 1_000_000_000, 2_440_588 + 19_783 // 2024-03-01T01:02:03Z
	require.NoError(t, parquet.Write(&out, []row{
		{9_007_199_254_740_993, [16]byte{0: 0x12, 15: 0xff}, at.UnixMicro(), 49.9, deprecated.Int96{nanoseconds & (1<<32 - 1), nanoseconds >> 32, julian}, true, "EUR"},
	}))
	rows, refused := all(t, open(t, write(t, "a.parquet", out.String()), eventfile.Mapping{Type: "purchase"}))
	require.Empty(t, refused)
	require.Equal(t, []string{`{"type":"purchase","occurred_at":"2024-02-29T23:59:59.123456Z","customer_id":"9007199254740993",` +
		`"order_id":"12000000-0000-0000-0000-0000000000ff","total":49.9,"currency":"EUR","coupon":"true","updated_at":"2024-03-01T01:02:03Z"}`}, values(rows))
}

// A workbook stores numbers as a program that computes in binary writes them, and beside them texts that look like numbers.
func TestNumbersInCells(t *testing.T) {
	workbook := excelize.NewFile()
	require.NoError(t, workbook.SetSheetRow("Sheet1", "A1", &[]any{"customer_id", "order_id", "occurred_at", "total"}))
	for i, c := range []struct{ order, total string }{
		{"1700000000.123456789", "49.899999999999999"}, {"1234567890123456789", "1234.5699999999999"}, {"0001", "0.1"}, {"123456789012345000", "1"}, {"", "2"},
	} {
		row := strconv.Itoa(i + 2)
		require.NoError(t, workbook.SetSheetRow("Sheet1", "A"+row, &[]any{"a", c.order, "2024-01-01"}))
		require.NoError(t, workbook.SetCellDefault("Sheet1", "D"+row, c.total))
	}
	require.NoError(t, workbook.SetCellDefault("Sheet1", "B6", "123456789012345000"))
	path := filepath.Join(t.TempDir(), "numbers.xlsx")
	require.NoError(t, workbook.SaveAs(path))
	rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
	var want []string
	for _, o := range []order{
		{"a", "1700000000.123456789", "2024-01-01", "49.9", ""},
		{"a", "1234567890123456789", "2024-01-01", "1234.57", ""},
		{"a", "0001", "2024-01-01", "0.1", ""},
		{"a", "123456789012345000", "2024-01-01", "1", ""},
	} {
		want = append(want, o.event(t))
	}
	require.Equal(t, want, values(rows))
	require.Len(t, refused, 1)
	require.Equal(t, 6, refused[0].Line, "the id is a number: a spreadsheet has written 0 for the last digits, most likely")
}

func TestTablesThatCannotBeRead(t *testing.T) {
	workbook := excelize.NewFile()
	_, err := workbook.NewSheet("Refunds")
	require.NoError(t, err)
	for i, cells := range [][]any{{"customer_id", "order_id", "occurred_at", "total"}, {"a", 123_456_789_012_345_678.0, "2024-01-01", 4.35 * 100}, {"b", "o-2", "2024-01-02", 1.5}} {
		require.NoError(t, workbook.SetSheetRow("Sheet1", "A"+strconv.Itoa(i+1), &cells))
	}
	several := filepath.Join(t.TempDir(), "several.xlsx")
	require.NoError(t, workbook.SaveAs(several))
	_, err = eventfile.Open(several, eventfile.Mapping{Type: "purchase"})
	require.ErrorContains(t, err, "the workbook has the sheets Sheet1, Refunds: name one with --sheet")
	_, err = eventfile.Open(several, eventfile.Mapping{Type: "purchase", Sheet: "Orders"})
	require.ErrorContains(t, err, `the workbook has no sheet "Orders"; it has Sheet1, Refunds`)
	rows, refused := all(t, open(t, several, eventfile.Mapping{Type: "purchase", Sheet: "Sheet1"}))
	require.Len(t, rows, 1)
	require.Len(t, refused, 1, "an id that a spreadsheet has turned into a number is not one")
	require.Equal(t, 2, refused[0].Line)

	yes := true
	require.NoError(t, workbook.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
	require.NoError(t, workbook.SaveAs(several))
	_, err = eventfile.Open(several, eventfile.Mapping{Type: "purchase", Sheet: "Sheet1"})
	require.ErrorContains(t, err, "counts days from 1904: save the sheet as CSV in UTF-8")

	blob, err := os.ReadFile(several)
	require.NoError(t, err)
	_, err = eventfile.Open(write(t, "cut.xlsx", string(blob[:len(blob)/2])), eventfile.Mapping{Type: "purchase"})
	require.ErrorContains(t, err, "unpack")
	_, err = eventfile.Open(write(t, "broken.xlsx", withBrokenSheet(t, blob)), eventfile.Mapping{Type: "purchase", Sheet: "Sheet1"})
	require.ErrorContains(t, err, "the workbook is damaged: xl/worksheets/sheet1.xml")

	type nested struct {
		Order string   `parquet:"order_id"`
		Lines []string `parquet:"lines"`
	}
	var out bytes.Buffer
	require.NoError(t, parquet.Write(&out, []nested{{"o-1", []string{"a", "b"}}}))
	_, err = eventfile.Open(write(t, "lists.parquet", out.String()), eventfile.Mapping{Type: "purchase"})
	require.ErrorContains(t, err, "column lines holds lists")
	_, err = eventfile.Open(write(t, "cut.parquet", out.String()[:out.Len()/2]), eventfile.Mapping{Type: "purchase"})
	require.ErrorContains(t, err, "read the Parquet file")
}

// withBrokenSheet returns a workbook whose first sheet ends within its second row, in an archive that is whole.
func withBrokenSheet(t *testing.T, workbook []byte) string {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, part := range in.File {
		from, err := part.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(from)
		require.NoError(t, err)
		if part.Name == "xl/worksheets/sheet1.xml" {
			second := bytes.Index(content, []byte(`<row r="2"`))
			require.Positive(t, second)
			content = content[:second]
		}
		to, err := w.Create(part.Name)
		require.NoError(t, err)
		_, err = to.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.String()
}
