package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
)

// exported are the rows of an export by customer, as a reader that is not Mainstay's gives them.
type exported map[string]map[string]string

func readCSV(t *testing.T, path string) exported {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	all := exported{}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		all[row["customer_id"]] = row
	}
	require.Len(t, all, len(lines)-1)
	return all
}

func readNDJSON(t *testing.T, path string) exported {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	all := exported{}
	for line := range strings.Lines(string(text)) {
		row := map[string]string{}
		for name, value := range object(t, line) {
			switch v := value.(type) {
			case nil:
				row[name] = ""
			case []any:
				row[name] = strings.Trim(fmt.Sprint(v), "[]")
			default:
				row[name] = fmt.Sprint(v)
			}
		}
		all[row["customer_id"]] = row
	}
	return all
}

// parquetCustomer is what a program with a schema of its own reads of an export.
type parquetCustomer struct {
	ID          string   `parquet:"customer_id"`
	Historic    *int64   `parquet:"historic_clv,optional,decimal(2:18)"`
	Orders      *int64   `parquet:"historic_number_of_orders,optional"`
	Probability *float64 `parquet:"churn_probability,optional"`
	LastOrder   *int64   `parquet:"last_order_at,optional,timestamp(millisecond)"`
}

func readParquet(t *testing.T, path string) map[string]parquetCustomer {
	t.Helper()
	rows, err := parquet.ReadFile[parquetCustomer](path)
	require.NoError(t, err)
	all := map[string]parquetCustomer{}
	for _, r := range rows {
		all[r.ID] = r
	}
	require.Len(t, all, len(rows))
	return all
}

// shopOf are customers with ids that need care, in the form of a file to import, and what they have bought, in cents, order by order.
func shopOf(customers int, rng *rand.Rand) (file string, bought map[string][]int64) {
	var lines bytes.Buffer
	w := csv.NewWriter(&lines)
	_ = w.Write([]string{"customer_id", "occurred_at", "total"}) // to memory
	bought = map[string][]int64{}
	for c := range customers {
		id := fmt.Sprintf("c%d", c)
		if c < 4 {
			id = []string{"=1+1", "'=1+1", "a,\"b\"", "+5"}[c]
		}
		for range 1 + rng.IntN(6) {
			cents := int64(100 + rng.IntN(30_000))
			bought[id] = append(bought[id], cents)
			_ = w.Write([]string{id, fmt.Sprintf("2025-%02d-%02d", 1+rng.IntN(12), 1+rng.IntN(28)), fmt.Sprintf("%d.%02d", cents/100, cents%100)}) // likewise
		}
	}
	w.Flush()
	return lines.String(), bought
}

func sumOf(all []int64) (sum int64) {
	for _, one := range all {
		sum += one
	}
	return sum
}

// neutral is how a spreadsheet sees an id that looks like a formula.
func neutral(id string) string {
	return map[string]string{"=1+1": "'=1+1", "'=1+1": "''=1+1", "+5": "'+5"}[id]
}

// Exports that are made while the fold works are true at their offsets; and once it is caught up they have what the events say.
func TestExportsAreWhatTheEventsSay(t *testing.T) {
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	rng := rand.New(rand.NewPCG(3, 4))
	file, bought := shopOf(80, rng)
	w.mustRun("send", "purchase", "--customer", "c4", "--order", "first", "--total", "1", "--at", "2025-01-01")
	bought["c4"] = append(bought["c4"], 100)
	w.customer("c4", orders("1"))
	w.eventually(func() bool { code, _, _ := w.run("export", "customers"); return code == exitOK }, "both partitions are committed")
	dir := t.TempDir()
	imported := w.start("import", write(t, "orders.csv", file), "--type", "purchase", "--time-format", "2006-01-02")
	for i := range 6 {
		format := []string{"csv", "ndjson", "parquet"}[i%3]
		path := filepath.Join(dir, fmt.Sprintf("while%d.%s", i, format))
		w.mustRun("export", "customers", "--format", format, "--output", path)
		require.Contains(t, w.mustRun("export", "verify", path), "the file is what the ledger gives")
	}
	require.Equal(t, exitOK, imported.wait(), imported.errs.String())
	for id, all := range bought {
		w.customer(id, orders(fmt.Sprint(len(all))))
	}

	path := func(format string) string { return filepath.Join(dir, "customers."+format) }
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		require.Contains(t, w.mustRun("export", "customers", "--format", format, "--output", path(format)), fmt.Sprintf("%d customers in", len(bought)))
		require.Contains(t, w.mustRun("export", "verify", path(format)), "the file is what the ledger gives")
	}
	fromCSV, fromNDJSON, fromParquet := readCSV(t, path("csv")), readNDJSON(t, path("ndjson")), readParquet(t, path("parquet"))
	require.Len(t, fromCSV, len(bought))
	require.Len(t, fromNDJSON, len(bought))
	require.Len(t, fromParquet, len(bought))
	for id, all := range bought {
		sum := sumOf(all)
		amount := fmt.Sprintf("%d.%02d", sum/100, sum%100)
		inCSV := id
		if n := neutral(id); n != "" {
			inCSV = n
		}
		one, other, third := fromCSV[inCSV], fromNDJSON[id], fromParquet[id]
		require.Equal(t, amount, one["historic_clv"], id)
		require.Equal(t, fmt.Sprint(len(all)), one["historic_number_of_orders"], id)
		require.Equal(t, sum, *third.Historic)
		require.EqualValues(t, len(all), *third.Orders)
		require.NotContains(t, one, "previous")
		require.Equal(t, one["churn_probability"], fmt.Sprintf("%.4f", *third.Probability))
		for name, text := range one {
			one[name] = strings.TrimPrefix(text, "'")
		}
		require.Equal(t, one, other, "the formats have the same figures")
		answer := object(t, w.mustRun("customer", "get", "--output", "json", "--", id))
		for _, part := range []string{"clv", "churn_risk", "promoter_status"} {
			for name, value := range answer[part].(map[string]any) {
				if name != "previous" && name != "model" && name != "reasons" && name != "event_id" && name != "event_type" && name != "trigger" && name != "cause_event_id" {
					require.Contains(t, one, name, "every field of the outputs is a column")
					if value != nil && name != "days_since_last_order" && name != "customer_id" {
						require.Equal(t, fmt.Sprint(value), one[name], "%s of %s", name, id)
					}
				}
			}
		}
	}

	out := w.mustRun("export", "customers", "--where", "historic_clv>=300", "--columns", "historic_clv")
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"customer_id", "historic_clv"}, lines[0])
	rich := 0
	for _, all := range bought {
		if sumOf(all) >= 300_00 {
			rich++
		}
	}
	require.Len(t, lines, 1+rich)
}

// Whichever figure is altered, verify names it, also if the manifest's hash was made to fit.
func TestVerifyFindsEveryAlteration(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	rng := rand.New(rand.NewPCG(5, 6))
	file, bought := shopOf(12, rng)
	w.mustRun("import", write(t, "orders.csv", file), "--type", "purchase", "--time-format", "2006-01-02")
	for id, all := range bought {
		w.customer(id, orders(fmt.Sprint(len(all))))
	}
	dir := t.TempDir()
	path := func(format string) string { return filepath.Join(dir, "customers."+format) }
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		w.mustRun("export", "customers", "--format", format, "--output", path(format))
	}
	require.Equal(t, exitOK, b.stop(), b.errs.String()) // verifying needs no running process
	w.environ = append(w.environ, "MAINSTAY_REDIS_ADDRESSES=127.0.0.1:1")

	left := 0 // rows that the first partition has lost, in the manifest, too
	verify := func(format, column string, altered []byte) {
		copied := filepath.Join(dir, "altered."+format)
		require.NoError(t, os.WriteFile(copied, altered, 0o600))
		manifest, err := os.ReadFile(path(format) + ".manifest.json")
		require.NoError(t, err)
		for _, fits := range []bool{false, true} {
			m := object(t, string(manifest))
			if fits {
				sum := sha256.Sum256(altered)
				m["sha256"] = hex.EncodeToString(sum[:])
			}
			if left > 0 {
				of := m["rows_of_partitions"].([]any)
				of[0] = json.Number(fmt.Sprint(must(of[0].(json.Number).Int64()) - int64(left)))
			}
			text, err := json.Marshal(m)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(copied+".manifest.json", text, 0o600))
			code, out, errs := w.run("export", "verify", copied, "--output", "json")
			require.Equal(t, exitFindings, code, "%s %s: %s%s", format, column, out, errs)
			found := object(t, out)
			require.Equal(t, !fits, found["hash_differs"])
			first := found["findings"].([]any)[0].(map[string]any)
			if column != "customer_id" {
				require.Equal(t, column, first["column"])
				require.Len(t, first["customer"], 16, "a hash")
			}
		}
	}
	lines, err := csv.NewReader(bytes.NewReader(must(os.ReadFile(path("csv"))))).ReadAll()
	require.NoError(t, err)
	columns := lines[0]
	for i, column := range columns {
		altered := slices.Clone(lines)
		r := 1 + rng.IntN(len(lines)-1)
		altered[r] = slices.Clone(lines[r])
		altered[r][i] = alter(rng, altered[r][i])
		var text bytes.Buffer
		c := csv.NewWriter(&text)
		require.NoError(t, c.WriteAll(altered))
		verify("csv", column, text.Bytes())
	}
	for _, column := range []string{"total_clv", "churn_risk", "action", "as_of"} {
		var altered bytes.Buffer
		victim := rng.IntN(len(bought))
		for line := range strings.Lines(string(must(os.ReadFile(path("ndjson"))))) {
			if victim--; victim == -1 {
				o := object(t, line)
				switch v := o[column].(type) {
				case bool:
					o[column] = !v
				case json.Number:
					o[column] = json.Number(alter(rng, v.String()))
				default:
					o[column] = alter(rng, fmt.Sprint(v))
				}
				line = string(must(json.Marshal(o))) + "\n"
			}
			altered.WriteString(line)
		}
		verify("ndjson", column, altered.Bytes())
	}
	for _, column := range []string{"total_clv", "churn_probability", "churn_risk", "historic_number_of_orders", "action", "last_order_at"} {
		verify("parquet", column, alteredParquet(t, path("parquet"), column, rng))
	}

	// Rows that are left out, doubled or invented.
	text := string(must(os.ReadFile(path("ndjson"))))
	first := text[:strings.IndexByte(text, '\n')+1]
	verify("ndjson", "customer_id", []byte(text[len(first):]))
	verify("ndjson", "customer_id", []byte(first+text))
	verify("ndjson", "customer_id", []byte(strings.Replace(text, `"customer_id":"c`, `"customer_id":"d`, 1)))
	verify("csv", "customer_id", []byte("a,b\r\n"))
	verify("parquet", "customer_id", []byte("nothing"))

	left = 1
	verify("ndjson", "customer_id", []byte(text[len(first):]))

	manifest := string(must(os.ReadFile(path("csv") + ".manifest.json")))
	m := object(t, manifest)
	offset := fmt.Sprintf(`"offsets":[%s,`, fmt.Sprint(m["offsets"].([]any)[0]))
	require.Contains(t, manifest, offset)
	for says, bad := range map[string]string{
		"connect to the Kafka that it came from": strings.Replace(manifest, fmt.Sprint(m["ledger_id"]), "another", 1),
		"the ledger can be read up to":           strings.Replace(manifest, offset, `"offsets":[1000000,`, 1),
		"it is not of an export":                 "{}",
		"it has version 2":                       strings.Replace(manifest, `"mainstay_export":1`, `"mainstay_export":2`, 1),
		"no column is named":                     strings.Replace(manifest, `"total_clv"`, `"totally"`, 1),
		"verify it with the release":             strings.Replace(manifest, `"logic":`, `"logic":9`, 1),
	} {
		require.NotEqual(t, manifest, bad, says)
		require.NoError(t, os.WriteFile(path("csv")+".manifest.json", []byte(bad), 0o600))
		code, _, errs := w.run("export", "verify", path("csv"))
		require.Equal(t, exitFailed, code, says)
		require.Contains(t, errs, says)
	}
	require.NoError(t, os.Remove(path("csv")+".manifest.json"))
	code, _, errs := w.run("export", "verify", path("csv"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "read the manifest")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// alter changes one character of a text so that it stays of its kind; an unknown figure becomes known.
func alter(rng *rand.Rand, text string) string {
	switch text {
	case "":
		return "7"
	case "true", "false":
		return map[string]string{"true": "false", "false": "true"}[text]
	}
	var digits []int
	for i, c := range text {
		if c >= '0' && c <= '9' {
			digits = append(digits, i)
		}
	}
	if len(digits) == 0 {
		return text + "x"
	}
	at := digits[rng.IntN(len(digits))]
	return text[:at] + string('0'+(text[at]-'0'+1+byte(rng.IntN(9)))%10) + text[at+1:]
}

// alteredParquet returns the file with one figure of a column changed by the least that its type has.
func alteredParquet(t *testing.T, path, column string, rng *rand.Rand) []byte {
	t.Helper()
	content := must(os.ReadFile(path))
	file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	leaf, found := file.Schema().Lookup(column)
	require.True(t, found)
	var rows []parquet.Row
	reader := parquet.NewGenericReader[any](file, file.Schema())
	for buffer := make([]parquet.Row, 1); ; {
		n, err := reader.ReadRows(buffer)
		if n == 1 {
			rows = append(rows, buffer[0].Clone())
		}
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	v := &rows[rng.IntN(len(rows))][leaf.ColumnIndex]
	var changed parquet.Value
	switch v.Kind() {
	case parquet.Int64:
		changed = parquet.Int64Value(v.Int64() + 1)
	case parquet.Double:
		changed = parquet.DoubleValue(v.Double() * (1 + 1e-15))
	case parquet.Boolean:
		changed = parquet.BooleanValue(!v.Boolean())
	default:
		changed = parquet.ByteArrayValue(append(v.Clone().ByteArray(), 'x'))
	}
	*v = changed.Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
	var altered bytes.Buffer
	writer := parquet.NewGenericWriter[any](&altered, file.Schema())
	_, err = writer.WriteRows(rows)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return altered.Bytes()
}

// With --since, the export has those for whom something was published since, and nobody else.
func TestExportSince(t *testing.T) {
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_MONEY_DEFAULT_CURRENCY=EUR")
	for i := range 20 {
		w.mustRun("send", "purchase", "--customer", fmt.Sprint("c", i), "--order", fmt.Sprint(i), "--total", "10", "--at", "2026-01-10")
	}
	for i := range 20 {
		w.customer(fmt.Sprint("c", i), orders("1"))
	}
	dir := t.TempDir()
	first := filepath.Join(dir, "first.csv")
	w.mustRun("export", "customers", "--output", first)
	m := object(t, string(must(os.ReadFile(first+".manifest.json"))))
	offsets := strings.Trim(strings.ReplaceAll(fmt.Sprint(m["offsets"]), " ", ","), "[]")

	nobody := filepath.Join(dir, "nobody.csv")
	require.Contains(t, w.mustRun("export", "customers", "--since", first, "--output", nobody), "0 customers")
	w.mustRun("export", "verify", nobody)
	w.mustRun("send", "purchase", "--customer", "c3", "--order", "x", "--total", "5", "--at", "2026-01-10")
	w.mustRun("send", "purchase", "--customer", "c7", "--order", "y", "--total", "5", "--at", "2026-01-10")
	w.customer("c3", orders("2"))
	w.customer("c7", orders("2"))
	for i, since := range []string{first, first + ".manifest.json", offsets} {
		path := filepath.Join(dir, fmt.Sprintf("since%d.csv", i))
		w.mustRun("export", "customers", "--since", since, "--output", path)
		rows := readCSV(t, path)
		require.Len(t, rows, 2)
		require.Equal(t, "15.00", rows["c3"]["historic_clv"])
		require.Equal(t, "15.00", rows["c7"]["historic_clv"])
		require.Contains(t, w.mustRun("export", "verify", path), "the file is what the ledger gives")
	}
	// A customer who is left out, and one who does not belong there, are found.
	full := filepath.Join(dir, "full.csv")
	w.mustRun("export", "customers", "--output", full)
	claim := object(t, string(must(os.ReadFile(full+".manifest.json"))))
	claim["since"] = m["offsets"]
	require.NoError(t, os.WriteFile(full+".manifest.json", must(json.Marshal(claim)), 0o600))
	code, out, _ := w.run("export", "verify", full, "--output", "json")
	require.Equal(t, exitFindings, code)
	require.Equal(t, "18", numberAt(object(t, out), "unexpected"))

	foreign := object(t, string(must(os.ReadFile(first+".manifest.json"))))
	foreign["ledger_id"] = "another"
	other := write(t, "other.manifest.json", string(must(json.Marshal(foreign))))
	kept := string(must(os.ReadFile(first)))
	for bad, says := range map[string]string{
		"--since=1":                "1 offsets, and the ledger has 2 partitions",
		"--since=1,1000000":        "offset 1000000 is not within what is committed",
		"--since=" + other:         "the former export is of ledger another",
		"--since=nothing":          "neither offsets nor an export",
		"--columns=nonsense":       `no column is named "nonsense": the columns are customer_id`,
		"--columns=why,why":        "why is named twice",
		"--where=nonsense=1":       `no column is named "nonsense"`,
		"--format=xlsx":            "must be csv or ndjson or parquet",
		"--output=" + dir + "/a/b": "no such file or directory",
	} {
		args := []string{"export", "customers", bad}
		if !strings.HasPrefix(bad, "--output") {
			args = append(args, "--output", first)
		}
		code, _, errs := w.run(args...)
		require.NotEqual(t, exitOK, code, bad)
		require.Contains(t, errs, says)
	}
	require.Equal(t, kept, string(must(os.ReadFile(first))), "an export that fails leaves what was there")
	left, err := filepath.Glob(filepath.Join(dir, ".export-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
