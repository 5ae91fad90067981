package orderfile

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/schemas/event"
)

// An export and the same orders in the stream's own words end in the same histories.
func TestExportsCountAsTheirEvents(t *testing.T) {
	twins, err := filepath.Glob("../../eventfile/testdata/presets/*.ndjson")
	require.NoError(t, err)
	require.NotEmpty(t, twins)
	for _, twin := range twins {
		read := func(path string) *Orders {
			o, err := Read(path, Options{Mapping: eventfile.Mapping{Preset: eventfile.PresetAuto}, Event: event.DefaultOptions(), Now: now.AddDate(1, 0, 0)})
			require.NoError(t, err)
			require.Empty(t, o.Refused)
			return o
		}
		content, err := os.ReadFile(twin)
		require.NoError(t, err)
		named := filepath.Join(t.TempDir(), "plain.ndjson") // in files null is no value; the text stands for nobody in particular, too
		require.NoError(t, os.WriteFile(named, []byte(strings.ReplaceAll(string(content), `"customer_id": null`, `"customer_id": "null"`)), 0o600))
		export, plain := read(strings.TrimSuffix(twin, "ndjson")+"csv"), read(named)
		require.NotEmpty(t, export.Histories)
		require.Equal(t, plain.Histories, export.Histories, twin)
		require.Equal(t, plain.Unit, export.Unit)
		require.Equal(t, plain.Anonymous, export.Anonymous)
	}
}

// Any orders, with further lines, refunds and cancellations, count in Shopify's export as in the stream's own words.
func TestAnyShopifyExportCountsAsItsEvents(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var export, plain strings.Builder
		w := csv.NewWriter(&export)
		write := func(cells ...string) { require.NoError(t, w.Write(cells)) }
		write("Name", "Email", "Financial Status", "Currency", "Total", "Created at", "Lineitem name", "Cancelled at", "Refunded Amount")
		for order := range rapid.IntRange(1, 20).Draw(t, "orders") {
			customer := rapid.SampledFrom([]string{"a@example.com", "b@example.com", ""}).Draw(t, "customer")
			day := rapid.IntRange(1, 28).Draw(t, "day")
			cents := rapid.IntRange(0, 99_999).Draw(t, "cents")
			back := rapid.SampledFrom([]int{0, 0, cents / 3, cents}).Draw(t, "paid back")
			status := rapid.SampledFrom([]string{"paid", "pending", "partially_refunded", "refunded", "voided"}).Draw(t, "status")
			at, cancelled := fmt.Sprintf("2026-02-%02d 23:30:00 +0100", day), ""
			if rapid.Bool().Draw(t, "cancelled") {
				cancelled = at
			}
			name := fmt.Sprintf("#%d", 1000+order)
			write(name, customer, status, "EUR", amount(cents), at, "Pot", cancelled, amount(back))
			for range rapid.IntRange(0, 3).Draw(t, "further lines") {
				repeated := rapid.SampledFrom([]string{"", amount(cents)}).Draw(t, "repeated total")
				write(name, customer, "", "", repeated, rapid.SampledFrom([]string{"", at}).Draw(t, "repeated time"), "Cup", "", "")
			}
			if customer == "" {
				continue
			}
			fmt.Fprintf(&plain, `{"customer_id":%q,"order_id":%q,"status":%q,"currency":"EUR","total":%s,"occurred_at":"2026-02-%02dT22:30:00Z"`, customer, name, status, amount(cents), day)
			if cancelled != "" {
				fmt.Fprintf(&plain, `,"cancelled_at":"2026-02-%02dT22:30:00Z"`, day)
			}
			if back > 0 {
				fmt.Fprintf(&plain, `,"refunds":[{"refund_id":"r","total":%s}]`, amount(back))
			}
			plain.WriteString("}\n")
		}
		w.Flush()
		read := func(name, content string) *Orders {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			o, err := Read(path, Options{Mapping: eventfile.Mapping{Preset: eventfile.PresetAuto}, Event: event.DefaultOptions(), Now: now})
			require.NoError(t, err)
			require.Empty(t, o.Refused)
			return o
		}
		require.Equal(t, read("plain.ndjson", plain.String()).Histories, read("export.csv", export.String()).Histories)
	})
}

func amount(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
