package eventfile_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// exports are small files with the headers of real exports, beside what the stream would be told of the same orders. The latter is written by
// hand, and what is no order of it is left out.
var exports = []struct{ file, preset string }{
	{"shopify-orders", "shopify-orders"},
	{"woocommerce-orders", "woocommerce-orders"},
	{"stripe-payments", "stripe-payments"},
	{"uci-retail", "uci-retail"},
	{"uci-retail-ii", "uci-retail"},
}

func TestExportsAreReadAsTheirEvents(t *testing.T) {
	known := map[string]bool{}
	for _, export := range exports {
		known[export.preset] = true
		path := filepath.Join("testdata", "presets", export.file)
		for _, preset := range []string{eventfile.PresetAuto, export.preset} {
			var how eventfile.Reading
			rows, refused := all(t, open(t, path+".csv", eventfile.Mapping{Type: "purchase", Preset: preset, Opened: func(r eventfile.Reading) { how = r }}))
			require.Empty(t, refused)
			require.Equal(t, export.preset, how.Preset)
			require.Equal(t, objects(t, readFile(t, path+".ndjson")), objects(t, lined(rows)), export.file)
			lines := 0
			for _, row := range rows {
				lines += row.Lines
			}
			require.Equal(t, bytes.Count(readFile(t, path+".csv"), []byte("\n"))-1, lines, "every row is counted once")
		}
		_, err := eventfile.Open(path+".csv", eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetNone})
		require.ErrorContains(t, err, "no column for the field", "a preset must be asked for, if by auto")
	}
	for _, p := range eventfile.Presets {
		require.True(t, known[p.Name], "%s has no example", p.Name)
	}
}

// A further row of an order that repeats its total is a line of it, and one with another total is refused.
func TestTheFirstRowStatesTheOrder(t *testing.T) {
	const header = "Name,Email,Financial Status,Total,Created at,Lineitem name\n"
	rows, refused := all(t, open(t, write(t, "orders.csv", header+"#1,a@example.com,paid,50.00,2026-01-31 13:45:02 +0100,Pot\n#1,a@example.com,,50,,Cup\n#1,,,,,Lid\n"+
		"#1,a@example.com,paid,7,2026-01-31 13:45:02 +0100,Jug\n"), eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetAuto}))
	require.Equal(t, []string{`{"type":"purchase","occurred_at":"2026-01-31T12:45:02Z","customer_id":"a@example.com","order_id":"#1","total":50.00,"status":"paid"}`}, values(rows))
	require.Equal(t, 3, rows[0].Lines)
	require.Equal(t, []eventfile.RowError{{Line: 5, Field: "total", Reason: "another one than in line 2, which has the same order id"}}, refused)
}

// What the caller states stands, also for the part of the fields that it states.
func TestFlagsOverrideAPreset(t *testing.T) {
	path := filepath.Join("testdata", "presets", "woocommerce-orders.csv")
	for _, preset := range []string{eventfile.PresetAuto, "woocommerce-orders"} {
		rows, refused := all(t, open(t, path, eventfile.Mapping{
			Type: "purchase", Preset: preset, Columns: map[string]string{"customer_id": "billing_email"}, Statuses: map[string]string{"completed": "cancelled"},
		}))
		require.Empty(t, refused)
		require.Equal(t, "guest@example.com", string(rows[3].Key))
		require.Contains(t, string(rows[0].Value), `"status":"cancelled"`)
	}
	for preset, reason := range map[string]string{"magento": "there is no preset \"magento\"; there are auto, none, shopify-orders", "uci-retail": `field "`} {
		_, err := eventfile.Open(path, eventfile.Mapping{Type: "purchase", Preset: preset})
		require.ErrorContains(t, err, reason)
	}
	_, err := eventfile.Open(path, eventfile.Mapping{Type: "survey", Preset: "uci-retail"})
	require.ErrorContains(t, err, "is of purchases")
}

// The flags that a preset stands for read its file in the same way.
func TestAPresetIsFlags(t *testing.T) {
	for _, export := range exports {
		p, ok := eventfile.FindPreset(export.preset)
		require.True(t, ok)
		_, text, _ := strings.Cut(p.Mapping.Flags()[0], " ")
		columns, err := eventfile.ParseMap(strings.Trim(text, "'"))
		require.NoError(t, err)
		m := p.Mapping
		m.Columns = columns
		path := filepath.Join("testdata", "presets", export.file+".csv")
		plain, refused := all(t, open(t, path, m))
		require.Empty(t, refused)
		preset, _ := all(t, open(t, path, eventfile.Mapping{Type: "purchase", Preset: export.preset}))
		require.Equal(t, preset, plain)
	}
}

func TestColumnsOfAMapping(t *testing.T) {
	const content = "Customer No.,E-Mail,Order,Day,Qty,Unit price,a|b\n17.0,x@example.com,1,2026-01-01,3,0.335,u\n,y@example.com,2,2026-01-01,-1,x,v\n"
	read := func(mapped string) ([]string, []eventfile.RowError) {
		columns, err := eventfile.ParseMap("order_id=Order,occurred_at=Day," + mapped)
		require.NoError(t, err)
		rows, refused := all(t, open(t, write(t, "a.csv", content), eventfile.Mapping{Type: "purchase", Columns: columns, WholeIDs: true}))
		return values(rows), refused
	}
	rows, refused := read("customer_id=Client|customer no|=null,total=Qty*unit_price,coupon=Voucher|=,channel=a|b")
	require.Equal(t, []string{`{"type":"purchase","occurred_at":"2026-01-01T00:00:00Z","customer_id":"17","order_id":"1","total":1.005,"channel":"u"}`}, rows)
	require.Equal(t, []eventfile.RowError{{Line: 3, Field: "total", Reason: `"-1*x" is not a number: give digits with a decimal point, without currency signs or separators`}}, refused)
	rows, _ = read("customer_id=Customer No.|=null,total==1")
	require.Contains(t, rows[1], `"customer_id":null`)
	rows, _ = read("customer_id=E-Mail,total==1,refunded=Qty")
	require.Contains(t, rows[0], `"refunds":[{"refund_id":"1","total":3}]`)

	for mapped, reason := range map[string]string{
		"customer_id=Buyer|Client,total=Qty": `is mapped to column "Buyer|Client", which the file does not have`,
		"customer_id=EMail,total=Qty*Price":  `is mapped to column "Qty*Price", which the file does not have`,
	} {
		columns, err := eventfile.ParseMap(mapped)
		require.NoError(t, err)
		_, err = eventfile.Open(write(t, "a.csv", content), eventfile.Mapping{Type: "purchase", Columns: columns})
		require.ErrorContains(t, err, reason)
	}
	_, err := eventfile.Open(write(t, "a.csv", "E-Mail,e mail\n"), eventfile.Mapping{Type: "purchase", Columns: map[string]string{"customer_id": "Email"}})
	require.ErrorContains(t, err, `the columns "E-Mail" and "e mail" both fit "Email"`)

	ndjson, refused := all(t, open(t, write(t, "a.ndjson", `{"who":{"id":7},"at":"2026-01-01","n":"3","each":0.335}`+"\n"+`{"at":"2026-01-01","n":2,"each":1}`), eventfile.Mapping{
		Type: "purchase", Columns: map[string]string{"customer_id": "buyer|who.id|=null", "occurred_at": "at", "total": "sum|n*each"},
	}))
	require.Empty(t, refused)
	require.Contains(t, string(ndjson[0].Value), `"customer_id":"7"`)
	require.Contains(t, string(ndjson[0].Value), `"total":1.005`)
	require.Contains(t, string(ndjson[1].Value), `"customer_id":null`)
}

// The format of a column of which the first ten thousand rows say nothing, or allow two formats, is found.
func TestTimesAreFoundLateInTheFile(t *testing.T) {
	var content strings.Builder
	content.WriteString("customer_id,occurred_at,total,cancelled_at\n")
	for range 12_000 {
		content.WriteString("a,1/2/2026 10:00,1,\n")
	}
	content.WriteString("a,1/13/2026 10:00,1,2026-01-14 09:00:00\n")
	rows, refused := all(t, open(t, write(t, "a.csv", content.String()), eventfile.Mapping{Type: "purchase"}))
	require.Empty(t, refused)
	require.Contains(t, string(rows[0].Value), `"2026-01-02T10:00:00Z"`)
	require.Contains(t, string(rows[12_000].Value), `"cancelled_at":"2026-01-14T09:00:00Z"`)
}

func TestColumnsAreGuessed(t *testing.T) {
	for _, c := range []struct{ header, guess, competing string }{
		{"Order Number,Order Date,Email (Billing),Order Total Amount,Item #", "customer_id=Email (Billing),occurred_at=Order Date,order_id=Order Number,total=Order Total Amount", ""},
		{"شماره سفارش,تاريخ,ایمیل,مبلغ کل,مبلغ,ارز", "currency=ارز,customer_id=ایمیل,occurred_at=تاريخ,order_id=شماره سفارش,total=مبلغ کل", ""},
		{"Kunde,\"Total, incl. VAT\",Datum", "customer_id=Kunde,occurred_at=Datum,total=\"Total, incl. VAT\"", ""},
		{"Invoice No,Client ID,E-mail,Sale Date,Qty,Unit Price", "customer_id=Client ID,occurred_at=Sale Date,order_id=Invoice No,total=Qty*Unit Price --lines sum", ""},
		{"Client ID,Date,Price", "customer_id=Client ID,occurred_at=Date,total=Price", ""},
		{"userId,Date,Amount,Order Status,Refunded Amount", "occurred_at=Date,refunded=Refunded Amount,status=Order Status,total=Amount", ""},
		{"Customer ID,Date,Order Total,Total,Order ID", "customer_id=Customer ID,occurred_at=Date,order_id=Order ID", `for total the columns "Order Total" and "Total" compete`},
		{"Billing Email,Customer E-Mail,Date,Amount", "occurred_at=Date,total=Amount", `for customer_id the columns "Billing Email" and "Customer E-Mail" compete`},
	} {
		_, err := eventfile.Open(write(t, "a.csv", "Report of orders\n"+c.header+"\n"), eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetAuto})
		if c.competing != "" { // the error is that of the first line
			_, err = eventfile.Open(write(t, "a.csv", c.header+"\n"), eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetAuto})
			require.ErrorContains(t, err, c.competing)
		}
		missing := (*eventfile.MissingColumnsError)(nil)
		require.ErrorAs(t, err, &missing)
		require.Equal(t, c.competing == "", missing.Complete(), c.header)
		m := eventfile.Mapping{Columns: missing.Guess, Lines: missing.Lines}
		require.Equal(t, c.guess, strings.ReplaceAll(strings.TrimPrefix(strings.Join(m.Flags(), " "), "--map "), "'", ""))
		require.ErrorContains(t, err, "of which the columns are guessed")
	}
	_, err := eventfile.Open(write(t, "a.csv", "Client ID,Date,Betrag\n"), eventfile.Mapping{Type: "purchase", Columns: map[string]string{"total": "Betrag"}})
	require.ErrorContains(t, err, "give --map 'customer_id=Client ID,occurred_at=Date,total=Betrag', of which")
}

// The documentation shows every preset with what it is.
func TestPresetsAreDocumented(t *testing.T) {
	text := string(readFile(t, filepath.Join("..", "..", "docs", "connecting.md")))
	for _, p := range eventfile.Presets {
		row := "| `" + p.Name + "` | " + p.Doc + " | " + strings.ReplaceAll(p.Note, "|", `\|`) + " |\n"
		require.Contains(t, text, row)
	}
}

func TestParseStatuses(t *testing.T) {
	statuses, err := eventfile.ParseStatuses("In transit=shipped, gone-missing=cancelled")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"in_transit": "shipped", "gone_missing": "cancelled"}, statuses)
	for _, bad := range []string{"paid", "paid=", "=paid", "paid=settled"} {
		_, err := eventfile.ParseStatuses(bad)
		require.ErrorContains(t, err, "is not word=status")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func lined(rows []eventfile.Row) []byte {
	var out bytes.Buffer
	for _, row := range rows {
		if row.Skip == "" {
			out.Write(row.Value)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

func objects(t *testing.T, ndjson []byte) (all []map[string]any) {
	t.Helper()
	for lines := bufio.NewScanner(bytes.NewReader(ndjson)); lines.Scan(); {
		var object map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &object))
		all = append(all, object)
	}
	return all
}
