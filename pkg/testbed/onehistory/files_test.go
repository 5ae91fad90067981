package onehistory

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// clock writes times.
type clock struct {
	name  string
	write func(time.Time) any
}

// clocks are the ways in which a shop writes times; without its zone if a time states none.
func clocks(zone *time.Location) []clock {
	return []clock{
		{"RFC 3339", func(at time.Time) any { return at.Format(time.RFC3339) }},
		{"with an offset", func(at time.Time) any { return at.In(time.FixedZone("", 12_600)).Format(time.RFC3339) }},
		{"Unix seconds", func(at time.Time) any { return json.Number(strconv.FormatInt(at.Unix(), 10)) }},
		{"Unix milliseconds", func(at time.Time) any { return json.Number(strconv.FormatInt(at.UnixMilli(), 10)) }},
		{"without a zone", func(at time.Time) any { return at.In(zone).Format(time.DateTime) }},
		{"Solar Hijri", func(at time.Time) any { return solarHijri(at.In(zone)) }},
	}
}

// solarHijri writes a time by the Solar Hijri calendar, in Persian digits. The calendar is counted from the first days of its years.
func solarHijri(at time.Time) string {
	days := func(to time.Time) int { return int(to.Unix() / 86_400) }
	today := days(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC))
	year, first := 1403, days(time.Date(2024, 3, 20, 0, 0, 0, 0, time.UTC))
	for y, begin := range map[int]time.Time{1404: time.Date(2025, 3, 21, 0, 0, 0, 0, time.UTC), 1405: time.Date(2026, 3, 21, 0, 0, 0, 0, time.UTC)} {
		if today >= days(begin) && y > year {
			year, first = y, days(begin)
		}
	}
	month, day := 1, today-first
	for long := 31; day >= long; month++ {
		day -= long
		if month == 6 {
			long = 30
		}
	}
	text := fmt.Sprintf("%d/%02d/%02d %s", year, month, day+1, at.Format(time.TimeOnly))
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return '۰' + c - '0'
		}
		return c
	}, text)
}

// file is a list of facts as a file, and the flags that it needs.
type file struct {
	name, content string
	mapping       eventfile.Mapping
}

// asFile draws how the facts stand in a file.
func asFile(t *rapid.T, l *list, zone *time.Location) file {
	f := file{mapping: eventfile.Mapping{Type: kinds[l.what].String(), Timezone: zone, Columns: map[string]string{}}}
	rows := make([]map[string]any, len(l.facts))
	for i := range l.facts {
		rows[i] = l.own(&l.facts[i])
	}
	syntaxes := []string{"ndjson", "json"}
	if tabular(l) {
		syntaxes = append(syntaxes, "csv", "xlsx", "parquet")
	}
	syntax := rapid.SampledFrom(syntaxes).Draw(t, "syntax")
	f.name = "events." + syntax
	at := rapid.SampledFrom(clocks(zone)).Draw(t, "clock")
	switch syntax {
	case "ndjson", "json":
		lines := make([]string, len(rows))
		for i, row := range rows {
			lines[i] = string(asJSON(t, written(row, at)))
		}
		if f.content = strings.Join(lines, "\n"); syntax == "json" {
			f.content = "[" + strings.Join(lines, ",\n") + "]"
		}
	case "parquet":
		if l.what == "order" {
			f.mapping.Columns["refunded"] = "refunded"
		}
		f.content = asParquet(t, cells(rows))
		return f
	case "xlsx":
		f.content = asWorkbook(t, cells(rows), at, &f.mapping, zone)
		return f
	case "csv":
		f.content = asCSV(t, cells(rows), at, &f.mapping)
	}
	if rapid.Bool().Draw(t, "UTF-16") {
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(f.content)
		require.NoError(t, err)
		f.content = text
	}
	f.pack(t)
	return f
}

// tabular reports whether a row of a table can state the facts: of refunds it has the sum alone, and a sum of 0 says nothing.
func tabular(l *list) bool { return l.what != "order" || !l.says.none && !l.says.refundAt }

// cells are rows whose values are texts, numbers and times alone.
func cells(rows []map[string]any) []map[string]any {
	for _, row := range rows {
		if all, ok := row["refunds"].([]any); ok {
			row["refunded"] = all[0].(object)["total"]
			delete(row, "refunds")
		}
	}
	return rows
}

// written is a row whose times are written.
func written(value any, at clock) any {
	switch v := value.(type) {
	case map[string]any:
		row := map[string]any{}
		for name, member := range v {
			row[name] = written(member, at)
		}
		return row
	case []any:
		all := []any{}
		for _, element := range v {
			all = append(all, written(element, at))
		}
		return all
	case time.Time:
		return at.write(v)
	}
	return value
}

func asJSON(t require.TestingT, value any) []byte {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}

// header draws under which names the columns stand in a table, and maps those that are not the fields' own.
func header(t *rapid.T, rows []map[string]any, m *eventfile.Mapping) (fields, names []string) {
	all := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			all[name] = true
		}
	}
	fields = rapid.Permutation(slices.Sorted(maps.Keys(all))).Draw(t, "columns")
	for i, field := range fields {
		name := field
		if rapid.Bool().Draw(t, "another name") {
			name = fmt.Sprintf("Spalte %d, %q", i, field)
		}
		if name != field || field == "refunded" { // a column of that name may be a flag
			m.Columns[field] = name
		}
		names = append(names, name)
	}
	return fields, names
}

func asCSV(t *rapid.T, rows []map[string]any, at clock, m *eventfile.Mapping) string {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = rapid.SampledFrom([]rune{',', ';', '\t', '|'}).Draw(t, "delimiter")
	m.DecimalComma = rapid.Bool().Draw(t, "decimal comma")
	fields, names := header(t, rows, m)
	require.NoError(t, w.Write(names))
	for _, row := range rows {
		line := make([]string, len(fields))
		for i, field := range fields {
			_, number := row[field].(json.Number)
			if value := written(row[field], at); value != nil {
				line[i] = fmt.Sprint(value)
			}
			if number && m.DecimalComma {
				line[i] = strings.ReplaceAll(line[i], ".", ",")
			}
		}
		require.NoError(t, w.Write(line))
	}
	w.Flush()
	return out.String()
}

// asWorkbook writes numbers and times as such, or as texts.
func asWorkbook(t *rapid.T, rows []map[string]any, at clock, m *eventfile.Mapping, zone *time.Location) string {
	workbook := excelize.NewFile()
	fields, names := header(t, rows, m)
	require.NoError(t, workbook.SetSheetRow("Sheet1", "A1", &names))
	typed := rapid.Bool().Draw(t, "typed")
	for i, row := range rows {
		line := make([]any, len(fields))
		for k, field := range fields {
			switch v := row[field].(type) {
			case time.Time:
				line[k] = fmt.Sprint(at.write(v))
				if typed {
					wall := v.In(zone)
					line[k] = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC)
				}
			case json.Number:
				line[k] = v.String()
				if typed {
					number, err := v.Float64()
					require.NoError(t, err)
					line[k] = number
				}
			default:
				line[k] = v
			}
		}
		require.NoError(t, workbook.SetSheetRow("Sheet1", "A"+strconv.Itoa(i+2), &line))
	}
	var out bytes.Buffer
	require.NoError(t, workbook.Write(&out))
	require.NoError(t, workbook.Close())
	return out.String()
}

// parquetRow has the columns of all kinds. Times are of UTC.
type parquetRow struct {
	CustomerID  *string `json:"customer_id"          parquet:"customer_id,optional"`
	OccurredAt  *int64  `json:"occurred_at"          parquet:"occurred_at,optional,timestamp(millisecond)"`
	UpdatedAt   *int64  `json:"updated_at"           parquet:"updated_at,optional,timestamp(microsecond)"`
	CreatedAt   *int64  `json:"created_at"           parquet:"created_at,optional,timestamp(millisecond)"`
	CancelledAt *int64  `json:"cancelled_at"         parquet:"cancelled_at,optional,timestamp(millisecond)"`
	OrderID     *string `json:"order_id"             parquet:"order_id,optional"`
	Total       *int64  `json:"total"                parquet:"total,optional,decimal(3:18)"`
	Tax         *int64  `json:"tax"                  parquet:"tax,optional,decimal(3:18)"`
	Shipping    *int64  `json:"shipping"             parquet:"shipping,optional,decimal(3:18)"`
	Refunded    *int64  `json:"refunded"             parquet:"refunded,optional,decimal(3:18)"`
	Currency    *string `json:"currency"             parquet:"currency,optional"`
	Country     *string `json:"country"              parquet:"country,optional"`
	Status      *string `json:"status"               parquet:"status,optional"`
	Kind        *string `json:"kind"                 parquet:"kind,optional"`
	RefundID    *string `json:"refund_id"            parquet:"refund_id,optional"`
	Referrer    *string `json:"referrer_customer_id" parquet:"referrer_customer_id,optional"`
	Referred    *string `json:"referred_customer_id" parquet:"referred_customer_id,optional"`
	EventID     *string `json:"event_id"             parquet:"event_id,optional"`
	ResponseID  *string `json:"response_id"          parquet:"response_id,optional"`
	SurveyID    *string `json:"survey_id"            parquet:"survey_id,optional"`
	Score       *int32  `json:"score"                parquet:"score,optional"`
	Comment     *string `json:"comment"              parquet:"comment,optional"`
}

func asParquet(t *rapid.T, rows []map[string]any) string {
	all := make([]parquetRow, len(rows))
	for i, row := range rows {
		for name, value := range row {
			switch v := value.(type) {
			case time.Time:
				row[name] = v.UnixMilli()
				if name == "updated_at" {
					row[name] = v.UnixMicro()
				}
			case json.Number:
				if name != "score" {
					whole, fraction, _ := strings.Cut(v.String(), ".")
					row[name] = json.Number(cmp.Or(strings.TrimLeft(whole+(fraction + "000")[:3], "0"), "0"))
				}
			}
		}
		decoder := json.NewDecoder(bytes.NewReader(asJSON(t, row)))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&all[i]))
	}
	var out bytes.Buffer
	require.NoError(t, parquet.Write(&out, all, parquet.MaxRowsPerRowGroup(2)))
	return out.String()
}

// pack draws how the file is compressed.
func (f *file) pack(t *rapid.T) {
	var out bytes.Buffer
	switch rapid.SampledFrom([]string{"", "gzip", "zstd", "zip"}).Draw(t, "compression") {
	case "":
		return
	case "gzip":
		w := gzip.NewWriter(&out)
		_, err := w.Write([]byte(f.content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case "zstd":
		w, err := zstd.NewWriter(&out)
		require.NoError(t, err)
		_, err = w.Write([]byte(f.content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case "zip":
		w := zip.NewWriter(&out)
		to, err := w.Create(f.name)
		require.NoError(t, err)
		_, err = to.Write([]byte(f.content))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	f.content = out.String()
}
