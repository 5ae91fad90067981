package eventfile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

const cdnow = "testdata/cdnow_sample.csv"

func cdnowMapping(t *testing.T) eventfile.Mapping {
	t.Helper()
	columns, err := eventfile.ParseMap("customer_id=sampleid,occurred_at=date,total=sales")
	require.NoError(t, err)
	return eventfile.Mapping{Type: "purchase", Columns: columns, TimeFormat: "20060102", Currency: "USD"}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func open(t *testing.T, path string, m eventfile.Mapping) *eventfile.Reader {
	t.Helper()
	r, err := eventfile.Open(path, m)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// all reads to the end.
func all(t *testing.T, r *eventfile.Reader) (rows []eventfile.Row, refused []eventfile.RowError) {
	t.Helper()
	for {
		row, err := r.Next()
		bad := (*eventfile.RowError)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return rows, refused
		case errors.As(err, &bad):
			refused = append(refused, *bad)
		default:
			require.NoError(t, err)
			rows = append(rows, row)
		}
	}
}

func values(rows []eventfile.Row) (texts []string) {
	for _, row := range rows {
		texts = append(texts, string(row.Value))
	}
	return texts
}

func TestCDNOW(t *testing.T) {
	r := open(t, cdnow, cdnowMapping(t))
	rows, refused := all(t, r)
	require.Empty(t, refused)
	require.Len(t, rows, 6919)
	require.Equal(t,
		`{"type":"purchase","occurred_at":"1997-01-01T00:00:00Z","customer_id":"1","order_id":"`+r.SHA256()[:12]+`-2","total":29.33,"currency":"USD"}`,
		string(rows[0].Value))
	require.Equal(t, "1", string(rows[0].Key))
	require.Equal(t, 2, rows[0].Line)
	customers, orders, cents := map[string]bool{}, map[string]bool{}, 0
	for i, row := range rows {
		var p struct {
			Customer string      `json:"customer_id"`
			Order    string      `json:"order_id"`
			Total    json.Number `json:"total"`
			At       time.Time   `json:"occurred_at"`
		}
		require.NoError(t, json.Unmarshal(row.Value, &p))
		require.Equal(t, row.At, p.At)
		require.Equal(t, i+2, row.Line)
		customers[p.Customer], orders[p.Order] = true, true
		whole, fraction, _ := strings.Cut(p.Total.String(), ".")
		amount, err := strconv.Atoi(whole + (fraction + "00")[:2])
		require.NoError(t, err)
		cents += amount
	}
	require.Len(t, customers, 2357)
	require.Len(t, orders, 6919)
	require.Equal(t, 24_409_194, cents)
	done, total := r.Progress()
	require.Equal(t, int64(186_936), total)
	require.Equal(t, total, done)

	m := cdnowMapping(t)
	m.TimeFormat = "auto"
	again, refused := all(t, open(t, cdnow, m))
	require.Empty(t, refused)
	require.Equal(t, rows, again, "auto finds the format")
}

// TestUpdatedLongAfterTheOrder verifies that a snapshot of an order may be any time newer than the order.
func TestUpdatedLongAfterTheOrder(t *testing.T) {
	path := write(t, "p.csv", "customer_id,order_id,occurred_at,updated_at,total\na,1,2024-01-01,2024-06-01T10:00:00Z,10\n")
	rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
	require.Empty(t, refused)
	require.Len(t, rows, 1)
}

// The line of a record does not depend on what precedes it, nor on compression.
func TestLinesOfRecords(t *testing.T) {
	content := "\ufeffcustomer_id;occurred_at;total;coupon\r\n" +
		"a;2024-01-01;1;plain\r\nb;2024-01-02;2;\"two\r\nlines; and \"\"quotes\"\"\"\r\n\r\n" +
		"c;bad;3;\r\nd;2024-01-04;4;\"never closed\r\ne;2024-01-05;5;x\r\nf;2024-01-06;6\r\ng;2024-01-07;7;end"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	paths := []string{write(t, "h.csv", content), write(t, "h.csv.gz", packed.String())}
	want, wantRefused := all(t, open(t, paths[0], eventfile.Mapping{Type: "purchase"}))
	require.Equal(t, []int{2, 3, 8, 10}, []int{want[0].Line, want[1].Line, want[2].Line, want[3].Line})
	require.Contains(t, string(want[1].Value), `"coupon":"two\nlines; and \"quotes\""`)
	require.Equal(t, []eventfile.RowError{
		{Line: 6, Field: "occurred_at", Reason: `"bad" is not a time of the column's format`},
		{Line: 7, Reason: `not CSV: extraneous or missing " in quoted-field`},
		{Line: 9, Reason: "3 columns instead of 4"},
	}, wantRefused)
	for _, path := range paths {
		reader := open(t, path, eventfile.Mapping{Type: "purchase"})
		rows, refused := all(t, reader)
		require.Equal(t, want, rows)
		require.Equal(t, wantRefused, refused)
		done, total := reader.Progress()
		require.Equal(t, total, done)
	}
}

func TestBadRowsAreNamedAndPassedOver(t *testing.T) {
	path := write(t, "b.csv", `customer_id,occurred_at,total,currency,loyalty_member,type
a,2024-01-01,10,EUR,yes,
,2024-01-01,10,EUR,,
a,,10,EUR,,
a,1989-12-31,10,EUR,,
a,2024-01-01,,EUR,,
a,2024-01-01,$10,EUR,,
a,2024-01-01,"10,5",EUR,,
a,2024-01-01,-10,EUR,,
a,2024-01-01,99999999999999999999,EUR,,
a,2024-01-01,10,XXY,,
a,2024-01-01,10,EUR,perhaps,
a,2024-01-01,10,EUR,,cancellation
a,2024-01-01,10,EUR,`+"\xff"+`,
a,2024-01-01,10,EUR
`+strings.Repeat("long", 300_000)+`
z,2024-01-02,.50,eur,0,anything
`)
	rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
	require.Len(t, rows, 2)
	require.Contains(t, string(rows[0].Value), `"loyalty_member":true`)
	require.Contains(t, string(rows[1].Value), `"total":0.50,"currency":"eur","loyalty_member":false`)
	require.Equal(t, 17, rows[1].Line)
	want := []string{
		"line 3: customer_id: missing", "line 4: occurred_at: missing", "line 5: occurred_at: .* lies before 1990",
		"line 6: total: missing", `line 7: total: "\$10" is not a number`, "line 8: total: .*--decimal-comma",
		"line 9: total: is negative: .*refund", "line 10: total: is beyond int64", `line 11: total: the currency "XXY" is unknown`,
		"line 12: loyalty_member: .*neither", "line 13: type: is a cancellation", "line 14: not UTF-8",
		"line 15: 4 columns instead of 6", "line 16: longer than 1 MiB",
	}
	require.Len(t, refused, len(want))
	for i, w := range want {
		require.Regexp(t, "^"+w, refused[i].Error())
	}
}

func TestAmountsPassThroughDigitForDigit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digits := rapid.StringMatching(`[1-9][0-9]{0,14}\.[0-9]{1,12}`).Draw(rt, "amount")
		path := write(t, "a.csv", "customer_id,occurred_at,total\na,2024-01-01,"+digits+"\nb,2024-01-01,00"+digits+"\n")
		rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
		require.Empty(rt, refused)
		for _, row := range rows {
			require.Contains(rt, string(row.Value), `"total":`+digits+`}`)
		}
		comma := strings.Replace(digits, ".", ",", 1)
		path = write(t, "c.csv", "customer_id;occurred_at;total\na;2024-01-01;"+comma+"\n")
		rows, refused = all(t, open(t, path, eventfile.Mapping{Type: "purchase", DecimalComma: true}))
		require.Empty(rt, refused)
		require.Contains(rt, string(rows[0].Value), `"total":`+digits+`}`)
	})
}

func TestDelimiters(t *testing.T) {
	for _, delimiter := range []string{",", ";", "\t", "|"} {
		content := strings.ReplaceAll("customer_id^occurred_at^total^coupon\na^2024-01-01^1.5^\"x, y; z|\t\"\nb^2024-01-02^2^\n", "^", delimiter)
		for _, name := range []string{"d.csv", "d.txt", "d"} {
			rows, refused := all(t, open(t, write(t, name, content), eventfile.Mapping{Type: "purchase"}))
			require.Empty(t, refused)
			require.Len(t, rows, 2)
			require.Contains(t, string(rows[0].Value), `"coupon":"x, y; z|`)
		}
	}
	// European numbers: as many commas as semicolons in every row.
	m := eventfile.Mapping{Type: "purchase", NoHeader: true, DecimalComma: true, Columns: map[string]string{
		"customer_id": "1", "occurred_at": "=2024-01-01", "total": "2",
	}}
	rows, refused := all(t, open(t, write(t, "e.csv", "a;1,50;2,50\nb;3,50;4,50\n"), m))
	require.Empty(t, refused)
	require.Len(t, rows, 2)
	require.Equal(t, 1, rows[0].Line)
	require.Contains(t, string(rows[1].Value), `"total":3.50`)
}

func TestNDJSON(t *testing.T) {
	path := write(t, "n.ndjson", `{"customer_id":17,"occurred_at":"2024-01-01T10:00:00+02:00","total":49.90,"products":[ {"sku": "a"} ],"unknown":1}

{"userId":"b","timestamp":"2024-01-02T00:00:00.5Z","event":"Order Completed","properties":{"order_id":900719925474099312345,"revenue":"12.345","coupon":""}}
{"customer_id":"c","time":"2024-01-03T00:00:00Z","total":null,"value":1e2}
[1]
{"customer_id":{"id":1},"occurred_at":"2024-01-03T00:00:00Z","total":1}
{"customer_id":"d","occurred_at":"2024-01-03T00:00:00Z","total":1} {"more":1}
`)
	r := open(t, path, eventfile.Mapping{Type: "purchase"})
	rows, refused := all(t, r)
	require.Equal(t, []string{
		`{"type":"purchase","occurred_at":"2024-01-01T08:00:00Z","customer_id":"17","order_id":"` + r.SHA256()[:12] + `-1","total":49.90,"products":[{"sku":"a"}]}`,
		`{"type":"purchase","occurred_at":"2024-01-02T00:00:00.5Z","customer_id":"b","order_id":"900719925474099312345","total":12.345}`,
		`{"type":"purchase","occurred_at":"2024-01-03T00:00:00Z","customer_id":"c","order_id":"` + r.SHA256()[:12] + `-4","total":1e2}`,
	}, values(rows))
	require.Equal(t, []eventfile.RowError{
		{Line: 5, Reason: "not one JSON object"},
		{Line: 6, Field: "customer_id", Reason: "not a single value"},
		{Line: 7, Reason: "not one JSON object"},
	}, refused)

	path = write(t, "m.jsonl", `{"who":{"id":"a"},"when":1704067200,"a.b":"5"}`)
	m := eventfile.Mapping{Type: "purchase", Columns: map[string]string{"customer_id": "who.id", "occurred_at": "when", "total": "a.b"}}
	rows, refused = all(t, open(t, path, m))
	require.Empty(t, refused)
	require.Equal(t, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), rows[0].At)
}

func TestOtherEvents(t *testing.T) {
	for _, c := range []struct{ typ, columns, content, key, value, refused string }{
		{
			"cancellation", "kind==refund,total=amount", "customer_id,order_id,occurred_at,amount\na,7,2024-01-01,5\na,,2024-01-01,5\n", "a",
			`{"type":"cancellation","occurred_at":"2024-01-01T00:00:00Z","customer_id":"a","kind":"refund","refund_id":"SUM-2","order_id":"7","total":5,"currency":"EUR"}`,
			"line 3: order_id: missing",
		},
		{
			"cancellation", "", "customer_id,kind,occurred_at,order_id,effective_at\na,account,2024-01-01,,2024-02-01\na,order,2024-01-01,,\n", "a",
			`{"type":"cancellation","occurred_at":"2024-01-01T00:00:00Z","customer_id":"a","kind":"account","effective_at":"2024-02-01T00:00:00Z"}`,
			"line 3: order_id: missing",
		},
		{
			"referral", "occurred_at=day", "advocate,friend,status,day\na,b,approved,2024-01-01\na,,approved,2024-01-01\n", "b",
			`{"type":"referral","occurred_at":"2024-01-01T00:00:00Z","referrer_customer_id":"a","referred_customer_id":"b","status":"approved"}`,
			"line 3: referred_customer_id: missing",
		},
		{
			"referral", "", "advocate,friend,status,timestamp\na,b,voided,2024-01-01\na,b,perhaps,2024-01-01\n", "b",
			`{"type":"referral","occurred_at":"2024-01-01T00:00:00Z","referrer_customer_id":"a","referred_customer_id":"b","status":"voided"}`,
			"line 3: status: unknown_value.*",
		},
		{
			"survey", "", "customer_id,survey_type,score,time\na,nps,10,2024-01-01\na,nps,11,2024-01-01\n", "a",
			`{"type":"survey","occurred_at":"2024-01-01T00:00:00Z","customer_id":"a","response_id":"SUM-2","survey_type":"nps","score":10}`,
			"line 3: score: out_of_range.*",
		},
		{
			"survey", "", "customer_id,response_id,survey_type,score,created_at\na,r1,nps,9,2024-01-01\na,r2,nps,9.5,2024-01-01\n", "a",
			`{"type":"survey","occurred_at":"2024-01-01T00:00:00Z","customer_id":"a","response_id":"r1","survey_type":"nps","score":9,"created_at":"2024-01-01T00:00:00Z"}`,
			`line 3: score: "9.5" is not a whole number of 0 or more`,
		},
	} {
		columns, err := eventfile.ParseMap(c.columns)
		require.NoError(t, err)
		r := open(t, write(t, "o.csv", c.content), eventfile.Mapping{Type: c.typ, Columns: columns, Currency: "EUR"})
		rows, refused := all(t, r)
		require.Len(t, rows, 1)
		require.Equal(t, strings.ReplaceAll(c.value, "SUM", r.SHA256()[:12]), string(rows[0].Value))
		require.Equal(t, c.key, string(rows[0].Key))
		require.Len(t, refused, 1)
		require.Regexp(t, "^"+c.refused+"$", refused[0].Error())
	}
}

func TestParseMap(t *testing.T) {
	columns, err := eventfile.ParseMap(" customer_id = sampleid, occurred_at=date ,total=sales,kind==refund,")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"customer_id": "sampleid", "occurred_at": "date", "total": "sales", "kind": "=refund"}, columns)
	columns, err = eventfile.ParseMap(`total="Total, incl. VAT",customer_id= "a ""b"", c" ,order_id=5" disk`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"total": "Total, incl. VAT", "customer_id": `a "b", c`, "order_id": `5" disk`}, columns)
	for text, want := range map[string]string{
		"customer=x":            `unknown field "customer"; known are acquisition, affiliation`,
		"total":                 `"total" is not field=column`,
		"total=":                "is not field=column",
		"total=a,total=b":       `"total" is mapped twice`,
		"customer_id=a,=b":      "is not field=column",
		"score=a,customerid=id": `unknown field "customerid"`,
	} {
		_, err := eventfile.ParseMap(text)
		require.ErrorContains(t, err, want)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	good := "customer_id,occurred_at,total\na,2024-01-01,1\n"
	for _, c := range []struct {
		name, content string
		m             eventfile.Mapping
		want          string
	}{
		{"a.csv", good, eventfile.Mapping{}, "--type purchase, cancellation, referral, survey"},
		{"a.csv", good, eventfile.Mapping{Type: "order"}, `"order" is not a kind of event: want one of purchase`},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", Columns: map[string]string{"score": "x"}}, `a purchase has no field "score"; it has type, event_id`},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", Columns: map[string]string{"total": "sum"}}, `mapped to column "sum", which the file does not have; its columns are customer_id, occurred_at, total`},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", Columns: map[string]string{"products": "total"}}, "only NDJSON"},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", Currency: "euro"}, "--currency EUR"},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", TimeFormat: "YYYY-MM-DD"}, "Go layout (2006-01-02 15:04:05)"},
		{"a.csv", good, eventfile.Mapping{Type: "purchase", Delimiter: ':'}, "delimiter"},
		{"a.csv", "who,occurred_at,total\n", eventfile.Mapping{Type: "purchase"}, "give --map customer_id=COLUMN; the columns are who"},
		{"a.csv", "customer_id,occurred_at,total,total\n", eventfile.Mapping{Type: "purchase"}, `two columns are named "total"`},
		{"a.csv", "who,when,sum\n", eventfile.Mapping{Type: "purchase"}, "no column for the fields occurred_at, customer_id, total: give --map 'total=sum,occurred_at=COLUMN,customer_id=COLUMN', of which the columns are guessed; the columns are who, when, sum"},
		{"a.csv.gz", "\x1f\x8bnot", eventfile.Mapping{Type: "purchase"}, "unpack"},
	} {
		_, err := eventfile.Open(write(t, c.name, c.content), c.m)
		require.ErrorContains(t, err, c.want)
	}
	_, err := eventfile.Open(filepath.Join(t.TempDir(), "none.csv"), eventfile.Mapping{Type: "purchase"})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, empty := range []string{"", "\ufeff", "\n\n", "customer_id,occurred_at,total\n"} {
		rows, refused := all(t, open(t, write(t, "a.csv", empty), eventfile.Mapping{Type: "purchase"}))
		require.Empty(t, rows)
		require.Empty(t, refused)
	}
}

// Ids that went through a floating-point number are refused, since others may have become equal to them.
func TestConvertedIDsAreRefused(t *testing.T) {
	path := write(t, "a.csv", "customer_id,order_id,occurred_at,total\n90001.0,1,2024-01-01,1\na,8.20983E+17,2024-01-01,1\n1e5,1,2024-01-01,1\nv1.0,2.50,2024-01-01,1\n")
	rows, refused := all(t, open(t, path, eventfile.Mapping{Type: "purchase"}))
	require.Len(t, rows, 1)
	require.Len(t, refused, 3)
	require.EqualError(t, &refused[0], `line 2: customer_id: "90001.0" is an id that a spreadsheet or a program has turned into a number: export the ids as text`)
}

func ExampleOpen() {
	columns, _ := eventfile.ParseMap("customer_id=sampleid,occurred_at=date,total=sales")
	r, err := eventfile.Open(cdnow, eventfile.Mapping{Type: "purchase", Columns: columns, TimeFormat: "%Y%m%d", Currency: "USD"})
	if err != nil {
		panic(err)
	}
	row, _ := r.Next()
	fmt.Println(row.Line, string(row.Value), r.Close())
	// Output: 2 {"type":"purchase","occurred_at":"1997-01-01T00:00:00Z","customer_id":"1","order_id":"00e521e4b9ce-2","total":29.33,"currency":"USD"} <nil>
}
