package eventfile_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// order is a row of a generated file.
type order struct{ customer, order, at, total, coupon string }

func (o order) cells() []string { return []string{o.customer, o.order, o.at, o.total, o.coupon} }

var orderColumns = []string{"customer_id", "order_id", "occurred_at", "total", "coupon"}

// event is the event of a row, written without the package under test.
func (o order) event(t require.TestingT) string {
	texts := make([]any, 0, 4)
	for _, text := range []string{o.at + "T00:00:00Z", o.customer, o.order} {
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		texts = append(texts, quoted)
	}
	texts = append(texts, o.total)
	event := fmt.Sprintf(`{"type":"purchase","occurred_at":%s,"customer_id":%s,"order_id":%s,"total":%s`, texts...)
	if o.coupon != "" {
		quoted, err := json.Marshal(o.coupon)
		require.NoError(t, err)
		event += `,"coupon":` + string(quoted)
	}
	return event + "}"
}

// TestEverySyntaxGivesTheSameRows writes one list of orders in random syntax, encoding and compression, and reads the same events.
func TestEverySyntaxGivesTheSameRows(t *testing.T) {
	dir := t
	rapid.Check(t, func(t *rapid.T) {
		orders := someOrders(t)
		want := make([]string, len(orders))
		for i, o := range orders {
			want[i] = o.event(t)
		}
		syntax := rapid.SampledFrom([]string{"csv", "ndjson", "json"}).Draw(t, "syntax")
		content := ""
		switch syntax {
		case "csv":
			content = asCSV(t, orders)
		case "ndjson":
			content = strings.Join(want, "\n")
		case "json":
			space := rapid.SampledFrom([]string{"", " ", "\n  ", "\r\n\t"}).Draw(t, "space")
			content = space + "[" + space + strings.Join(want, space+","+space) + space + "]\n"
		}
		content = encoded(t, content)
		name, content := packed(t, "orders."+syntax, content)
		m := eventfile.Mapping{Type: "purchase"}
		reader := open(dir, write(dir, name, content), m)
		rows, refused := all(dir, reader)
		require.Empty(t, refused)
		require.Equal(t, want, values(rows))
		done, total := reader.Progress()
		require.Equal(t, total, done)
		for i := range rows[1:] {
			require.Less(t, rows[i].Line, rows[i+1].Line)
		}
	})
}

// someOrders are orders whose texts contain what separates columns.
func someOrders(t *rapid.T) []order {
	word := rapid.StringMatching(`[a-zß-öش-ع][a-z,;|"'\\ ]{0,6}[a-z]`)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order {
		return order{
			word.Draw(t, "customer"), word.Draw(t, "order"), rapid.StringMatching(`202[0-5]-0[1-9]-1[0-9]`).Draw(t, "at"),
			rapid.StringMatching(`[1-9]\d{0,3}\.\d\d`).Draw(t, "total"), rapid.OneOf(rapid.Just(""), word).Draw(t, "coupon"),
		}
	}), 1, 8).Draw(t, "orders")
}

func asCSV(t *rapid.T, orders []order) string {
	var out bytes.Buffer
	comma := rapid.SampledFrom([]rune{',', ';', '\t', '|'}).Draw(t, "delimiter")
	switch rapid.SampledFrom([]string{"", "hint", "title", "quoted hint"}).Draw(t, "before the header") {
	case "hint":
		fmt.Fprintf(&out, "sep=%c\n", comma)
	case "quoted hint":
		fmt.Fprintf(&out, "\"sep=%c\"\n", comma)
	case "title":
		out.WriteString("Orders of the shop\n\nExported today\n")
	}
	w := csv.NewWriter(&out)
	w.Comma = comma
	require.NoError(t, w.Write(orderColumns))
	for _, o := range orders {
		require.NoError(t, w.Write(o.cells()))
	}
	w.Flush()
	text := out.String()
	if rapid.Bool().Draw(t, "trailing delimiters") && !strings.Contains(text, "sep=") {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if strings.ContainsRune(line, comma) && !strings.HasPrefix(line, "customer_id") {
				lines[i] = line + string(comma)
			}
		}
		text = strings.Join(lines, "\n")
	}
	return strings.ReplaceAll(text, "\n", rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line break"))
}

func encoded(t *rapid.T, content string) string {
	switch rapid.SampledFrom([]string{"UTF-8", "UTF-8 with a mark", "UTF-16LE", "UTF-16BE"}).Draw(t, "encoding") {
	case "UTF-8 with a mark":
		return "\ufeff" + content
	case "UTF-16LE":
		content, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(content)
		require.NoError(t, err)
		return content
	case "UTF-16BE":
		content, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(content)
		require.NoError(t, err)
		return content
	}
	return content
}

func packed(t *rapid.T, name, content string) (string, string) {
	var out bytes.Buffer
	switch rapid.SampledFrom([]string{"", ".gz", ".zst", ".zip"}).Draw(t, "compression") {
	case ".gz":
		name += ".gz"
		w := gzip.NewWriter(&out)
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case ".zst":
		name += ".zst"
		w, err := zstd.NewWriter(&out)
		require.NoError(t, err)
		_, err = w.Write([]byte(content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case ".zip":
		w := zip.NewWriter(&out)
		_, err := w.Create("__MACOSX/._" + name)
		require.NoError(t, err)
		file, err := w.Create("export/" + name)
		require.NoError(t, err)
		_, err = file.Write([]byte(content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		name += ".zip"
	default:
		return name, content
	}
	return name, out.String()
}

func TestMalformedElementsAreNamed(t *testing.T) {
	path := write(t, "a.json", `[{"customer_id":"a","occurred_at":"2024-01-01","total":1}, 7,
		{"customer_id":"b" "occurred_at":"2024-01-01"},{"customer_id":"c","occurred_at":"2024-01-01","total":2},{"customer_id":"d"`)
	rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
	require.Len(t, rows, 2)
	require.Equal(t, []int{1, 4}, []int{rows[0].Line, rows[1].Line})
	require.Equal(t, []eventfile.RowError{
		{Line: 2, Reason: "not one JSON object"},
		{Line: 3, Reason: "not one JSON object"},
		{Line: 5, Reason: "the file ends within its JSON array: it was cut off"},
	}, refused)
}

func TestArchivesThatCannotBeRead(t *testing.T) {
	for want, names := range map[string][]string{
		"the archive has several files": {"a.csv", "b.csv"},
		"the archive has no file":       {"__MACOSX/._a.csv"},
		"read the workbook":             {"[Content_Types].xml", "xl/workbook.xml"},
	} {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, name := range names {
			_, err := w.Create(name)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		_, err := eventfile.Open(write(t, "a.zip", out.String()), eventfile.Mapping{Type: "purchase"})
		require.ErrorContains(t, err, want)
	}
}
